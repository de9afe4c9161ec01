package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// The figure has a bar per row, from 1 to the ratio on a logarithmic scale, a
// tick where the aim is, and the names on the left.
const (
	figureWidth = 900
	labelWidth  = 470
	lineHeight  = 22
	decades     = 2 // on each side of 1
)

// svg draws the ratios.
func svg(rows []row, f figures) string {
	var body strings.Builder
	y := 2 * lineHeight
	for _, r := range rows {
		own, other := f[figure{r.ours, r.measure}], f[figure{r.against, r.reference}]
		if len(own) == 0 || len(other) == 0 {
			continue
		}
		ratio := median(own) / median(other)
		from, to := x(min(ratio, 1)), x(max(ratio, 1))
		color := "#2a7f62"
		if ratio > 1 {
			color = "#b5533c"
		}
		name := r.title + " / " + r.against
		if r.ours != ours {
			name = r.title + ", " + r.ours + " / " + r.against
		}
		fmt.Fprintf(&body, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", labelWidth-8, y+15, html.EscapeString(name))
		fmt.Fprintf(&body, `<rect x="%.1f" y="%d" width="%.1f" height="14" fill="%s"/>`+"\n", from, y+4, max(to-from, 1), color)
		fmt.Fprintf(&body, `<text x="%.1f" y="%d">%.2f</text>`+"\n", to+4, y+15, ratio)
		if r.bound > 0 {
			fmt.Fprintf(&body, `<path d="M%.1f %dv18" stroke="#222" stroke-width="2"/>`+"\n", x(r.bound), y+2)
		}
		y += lineHeight
	}
	var axis strings.Builder
	for _, tick := range []float64{0.01, 0.1, 1, 10, 100} {
		fmt.Fprintf(&axis, `<path d="M%.1f %dV%d" stroke="#ccc"/><text x="%.1f" y="%d" text-anchor="middle">%g</text>`+"\n",
			x(tick), lineHeight+12, y, x(tick), lineHeight+6, tick)
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">
<rect width="100%%" height="100%%" fill="#fff"/>
<text x="8" y="16">time against another's, ratio of medians: left is faster; the mark is the aim</text>
%s%s</svg>
`, figureWidth, y+lineHeight, axis.String(), body.String())
}

// x is where a ratio is drawn.
func x(ratio float64) float64 {
	share := (math.Log10(ratio) + decades) / (2 * decades)
	return labelWidth + min(max(share, 0), 1)*(figureWidth-labelWidth-40)
}
