package draw

import (
	"bytes"
	"context"
	"encoding/json"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/internal/timeline"
	"github.com/dlp-mpi/dlp-go/test/deadline"
	"github.com/dlp-mpi/dlp-go/test/need"
)

// probe is added to a page: it looks at the canvas, turns the wheel, moves the
// slider, and says what has come of it in the page's text.
const probe = `<script>
"use strict";
function blue() {
	const canvas = $("bars"), copy = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height });
	const c = copy.getContext("2d", { willReadFrequently: true });
	c.drawImage(canvas, 0, 0);
	const { data } = c.getImageData(LEFT, 0, canvas.width - LEFT, Math.max(1, canvas.height - AXIS));
	let n = 0, red = 0;
	for (let i = 0; i < data.length; i += 4) {
		if (data[i + 2] > data[i] + 20) n++;
		if (data[i] > data[i + 2] + 100 && data[i] > data[i + 1] + 100) red++;
	}
	return { n, red };
}
function busySlots() {
	const canvas = $("busy"), copy = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height });
	const c = copy.getContext("2d", { willReadFrequently: true });
	c.drawImage(canvas, 0, 0);
	return c.getImageData(0, 0, canvas.width, canvas.height).data.reduce((sum, value) => sum + value, 0);
}
const said = {};
said.whole = blue();
said.bars = bars;
const box = $("bars").getBoundingClientRect();
let began = performance.now();
$("bars").dispatchEvent(new WheelEvent("wheel", { deltaY: -700, clientX: box.left + LEFT + (box.width - LEFT) / 2, clientY: box.top + 5, cancelable: true }));
draw();
said.took = performance.now() - began;
said.zoomed = [picture.from / picture.loop.elapsed, picture.to / picture.loop.elapsed];
said.near = blue();
$("bars").dispatchEvent(new PointerEvent("pointermove", { clientX: box.left + LEFT + 30, clientY: box.top + 5 }));
said.tip = $("tip").textContent;
const busy = busySlots();
$("shortest").value = 100;
$("shortest").onchange({ target: $("shortest") });
draw();
said.long = blue();
said.busyStays = busySlots() === busy;
$("whole").onclick();
draw();
said.back = picture.from === 0 && picture.to === picture.loop.elapsed;
said.lines = $("longest").children.length;
document.title = JSON.stringify(said);
</script></body>`

// browse opens a page in a browser without a screen, and returns the page's title
// in the end and what it has said on the console.
func browse(t *testing.T, page []byte) (title, console string) {
	deadline.Extend(t, 5*time.Minute) // on a busy machine a browser takes its time
	browser := need.Program(t, "chromium")
	dir := t.TempDir()
	path := filepath.Join(dir, "page.html")
	require.NoError(t, os.WriteFile(path, page, 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1200,900",
		"--user-data-dir="+dir, "--enable-logging=stderr", "--dump-dom", "file://"+path)
	cmd.WaitDelay = 10 * time.Second
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	require.NoError(t, cmd.Run(), err.String())
	found := regexp.MustCompile(`<title>(.*?)</title>`).FindSubmatch(out.Bytes())
	require.NotNil(t, found)
	for line := range strings.Lines(err.String()) {
		if strings.Contains(line, "CONSOLE") {
			console += line
		}
	}
	return html.UnescapeString(string(found[1])), console
}

// probed is the page of loops with the probe.
func probed(t *testing.T, loops ...*timeline.Loop) []byte {
	var b bytes.Buffer
	require.NoError(t, Page(&b, loops))
	return bytes.Replace(b.Bytes(), []byte("</body>"), []byte(probe), 1)
}

// The page draws, zooms, shows what is under the pointer and hides short items,
// with few items and with very many.
func TestPageInABrowser(t *testing.T) {
	few := two(10, [2][2]int{{0, 2}, {1, 3}}, [2][2]int{{2, 9}, {4, 5}})
	few.Records[1].State = timeline.Failed
	for name, l := range map[string]*timeline.Loop{"few": few, "many": many(1_000_000)} {
		t.Run(name, func(t *testing.T) {
			title, console := browse(t, probed(t, l))
			assert.Empty(t, console)
			var said struct {
				Whole, Near, Long struct{ N, Red int }
				Bars, Lines       int
				Took              float64 // ms
				Zoomed            [2]float64
				Tip               string
				Back, BusyStays   bool
			}
			require.NoError(t, json.Unmarshal([]byte(title), &said), title)
			t.Logf("a zoom takes %.0f ms", said.Took)
			assert.Positive(t, said.Whole.N)
			assert.Positive(t, said.Whole.Red)
			assert.Positive(t, said.Bars)
			assert.InDelta(t, 0.5, (said.Zoomed[0]+said.Zoomed[1])/2, 0.01)
			assert.InDelta(t, 0.2466, said.Zoomed[1]-said.Zoomed[0], 0.001) // e^-1.4
			assert.NotEqual(t, said.Whole, said.Near)
			assert.Regexp(t, `^item \d+, (done|failed), `, said.Tip)
			assert.Less(t, said.Long.N, said.Near.N+1)
			assert.True(t, said.Back)
			assert.True(t, said.BusyStays)
			assert.Equal(t, min(len(l.Records), longestItems), said.Lines)
		})
	}
}

// An item that has failed after a long time is red over all its columns, also where
// there are so many items that bars are drawn together, and also when it began left
// of what is shown.
func TestLongFailureIsRed(t *testing.T) {
	l := two(10, [2][2]int{{0, 2}, {}})
	l.Records[0].State = timeline.Failed
	for i := range 8000 {
		l.Records = append(l.Records, timeline.Record{Start: 2*second + time.Duration(i)*time.Millisecond, Took: time.Millisecond / 2, Index: i + 1})
	}
	share := `<script>
"use strict";
const canvas = $("bars"), copy = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height });
const c = copy.getContext("2d", { willReadFrequently: true });
function red() {
	c.drawImage(canvas, 0, 0);
	const { data } = c.getImageData(LEFT, 5, canvas.width - LEFT, 1);
	let n = 0;
	for (let i = 0; i < data.length; i += 4) if (data[i] > data[i + 2] + 100 && data[i] > data[i + 1] + 100) n++;
	return n / (canvas.width - LEFT);
}
const whole = red();
picture.show(1, 9);
draw();
document.title = JSON.stringify([whole, red()]);
</script></body>`
	var b bytes.Buffer
	require.NoError(t, Page(&b, []*timeline.Loop{l}))
	title, console := browse(t, bytes.Replace(b.Bytes(), []byte("</body>"), []byte(share), 1))
	assert.Empty(t, console)
	var shares []float64
	require.NoError(t, json.Unmarshal([]byte(title), &shares), title)
	assert.InDeltaSlice(t, []float64{0.2, 1. / 9}, shares, 0.005)
}

// A page of no loop, of a loop without items and of one that took no time says so,
// without an error.
func TestPageOfNothing(t *testing.T) {
	for name, loops := range map[string][]*timeline.Loop{"no loop": {}, "no item": {two(0)}, "no time": {instant()}} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			require.NoError(t, Page(&b, loops))
			again := `<script>
if (picture) { $("whole").onclick(); draw(); }
document.title = $("head").textContent + (picture ? " " + (picture.to > picture.from) : "");
</script></body>`
			title, console := browse(t, bytes.Replace(b.Bytes(), []byte("</body>"), []byte(again), 1))
			assert.Empty(t, console)
			assert.Regexp(t, `^no loop was recorded$|, [01] items, .* true$`, title)
		})
	}
}
