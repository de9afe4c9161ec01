package dlp

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	barEvery  = 200 * time.Millisecond // on a terminal
	lineEvery = 30 * time.Second       // in a log
	barWidth  = 30                     // characters
)

// stderrIsTerminal says whether a person is likely to watch stderr.
func stderrIsTerminal() bool {
	info, err := os.Stderr.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}

// counter counts the items of a loop on a rank that is alone.
type counter struct {
	total int
	done  atomic.Int64
}

func (c *counter) add() { c.done.Add(1) }

func (c *counter) state() (done, total, busy int) { return int(c.done.Load()), c.total, 1 }

// showProgress displays a loop's state on stderr until the returned function
// is called, if the options ask for it.
func showProgress(o loopOptions, state func() (done, total, busy int)) (hide func()) {
	if !o.progress {
		return func() {}
	}
	p := &progress{out: os.Stderr, bar: stderrIsTerminal(), label: o.label, state: state, start: time.Now()}
	return p.run()
}

// progress writes how far a loop is.
type progress struct {
	out   io.Writer
	bar   bool
	label string
	state func() (done, total, busy int)
	start time.Time
	width int // of the bar's last line
}

// run shows the progress from time to time in a goroutine, which the
// returned function ends after a last line.
func (p *progress) run() (hide func()) {
	every := lineEvery
	if p.bar {
		every = barEvery
	}
	quit := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				p.show(false)
			case <-quit:
				p.show(true)
				return
			}
		}
	})
	return func() {
		close(quit)
		wg.Wait()
	}
}

func (p *progress) show(last bool) {
	done, total, busy := p.state()
	text := progressText(p.label, done, total, busy, time.Since(p.start), last)
	if !p.bar {
		fmt.Fprintln(p.out, text)
		return
	}
	if total > 0 {
		full := barWidth * done / total
		text = "[" + strings.Repeat("#", full) + strings.Repeat(".", barWidth-full) + "] " + text
	}
	pad := strings.Repeat(" ", max(0, p.width-len(text)))
	p.width = len(text)
	end := ""
	if last {
		end = "\n"
	}
	fmt.Fprint(p.out, "\r", text, pad, end)
}

// progressText is one line: label, done/total, rate, time left, busy ranks.
func progressText(label string, done, total, busy int, took time.Duration, last bool) string {
	var b strings.Builder
	if label != "" {
		fmt.Fprintf(&b, "%s: ", label)
	}
	fmt.Fprint(&b, done)
	if total > 0 {
		fmt.Fprintf(&b, "/%d (%d%%)", total, 100*done/total)
	}
	rate := float64(done) / max(took.Seconds(), 1e-9)
	fmt.Fprintf(&b, ", %s/s", rateText(rate))
	switch {
	case last:
		fmt.Fprintf(&b, ", took %v", roundTime(took))
	case total > 0 && done > 0:
		left := time.Duration(float64(total-done) / rate * float64(time.Second))
		fmt.Fprintf(&b, ", %v left, %s busy", roundTime(left), ranksText(busy))
	default:
		fmt.Fprintf(&b, ", %s busy", ranksText(busy))
	}
	return b.String()
}

// rateText prints a rate with three digits, but no exponent.
func rateText(rate float64) string {
	if rate >= 1000 {
		return fmt.Sprintf("%.0f", rate)
	}
	return fmt.Sprintf("%.3g", rate)
}

func ranksText(n int) string {
	if n == 1 {
		return "1 rank"
	}
	return fmt.Sprintf("%d ranks", n)
}

// roundTime drops the digits of a duration that nobody reads.
func roundTime(d time.Duration) time.Duration {
	switch {
	case d > time.Minute:
		return d.Round(time.Second)
	case d > time.Second:
		return d.Round(100 * time.Millisecond)
	default:
		return d.Round(time.Millisecond)
	}
}
