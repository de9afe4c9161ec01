package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// table has a line per row: both medians, their ratio, and the ratio that is
// aimed at.
func table(rows []row, f figures) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "measure\tof\t\tagainst\t\tratio\tpairs\taim")
	for _, r := range rows {
		own, other := f[figure{r.ours, r.measure}], f[figure{r.against, r.reference}]
		if len(own) == 0 || len(other) == 0 {
			continue
		}
		low, high := quartiles(pairs(own, other))
		aim := ""
		if r.bound > 0 {
			aim = fmt.Sprintf("<= %.2f", r.bound)
			if median(own)/median(other) > r.bound {
				aim += ", missed"
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%.2f\t%.2f-%.2f\t%s\n", r.title, r.ours, duration(median(own)), r.against, duration(median(other)),
			median(own)/median(other), low, high, aim)
	}
	w.Flush()
	return text.String()
}

// tsv has a line per figure.
func (f figures) tsv() string {
	var text strings.Builder
	fmt.Fprintln(&text, "measure\tranks\twho\tround\tseconds")
	order := slices.SortedFunc(maps.Keys(f), func(a, b figure) int {
		return cmp.Or(cmp.Compare(a.measure, b.measure), cmp.Compare(a.ranks, b.ranks), cmp.Compare(a.who, b.who))
	})
	for _, k := range order {
		for i, seconds := range f[k] {
			fmt.Fprintf(&text, "%s\t%d\t%s\t%d\t%.9f\n", k.measure, k.ranks, k.who, i+1, seconds)
		}
	}
	return text.String()
}

// pairs are the ratios within each round.
func pairs(own, other []float64) []float64 {
	var ratios []float64
	for i := range min(len(own), len(other)) {
		ratios = append(ratios, own[i]/other[i])
	}
	return ratios
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// quartiles returns the values below which a quarter, and three quarters, lie.
func quartiles(values []float64) (low, high float64) {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return sorted[(n-1)/4], sorted[(3*n-1)/4]
}

// duration is a number of seconds as people write it: three digits.
func duration(seconds float64) string {
	for _, unit := range []struct {
		name string
		size float64
	}{{"s", 1}, {"ms", 1e-3}, {"us", 1e-6}} {
		if seconds >= unit.size {
			return fmt.Sprintf("%.3g %s", seconds/unit.size, unit.name)
		}
	}
	return fmt.Sprintf("%.3g ns", seconds*1e9)
}
