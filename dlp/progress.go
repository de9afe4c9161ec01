package dlp

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dlp-mpi/dlp-go/bootstrap"
	"github.com/dlp-mpi/dlp-go/internal/progress"
)

const (
	barEvery  = 200 * time.Millisecond // on a terminal
	lineEvery = 30 * time.Second       // in a log
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

// showProgress displays a loop's state until the returned function is called,
// if the options ask for it: on stderr, or at ameexec's terminal where stderr
// is a pipe to ameexec.
func showProgress(c *Comm, o loopOptions, state func() (done, total, busy int)) (hide func()) {
	d := &display{
		out: os.Stderr, bar: stderrIsTerminal(), asked: o.progress,
		label: o.label, state: state, start: time.Now(),
	}
	if !d.bar && c.launcher != nil {
		d.launcher = func() reporter { return launcherDisplay(c.launcher) }
	}
	if !d.asked && !(o.watched && (d.bar || d.launcher != nil)) {
		return func() {}
	}
	return d.run()
}

// reporter is a launcher that shows progress.
type reporter interface {
	Progress(progress.State) error
	Close() error
}

// launcherDisplay asks the launcher to show progress; nil if it does not, for
// want of a terminal or because only ameexec does.
func launcherDisplay(open func() (*bootstrap.Reporter, error)) reporter {
	r, err := open()
	switch {
	case err != nil || r == nil:
		return nil
	case !r.Bar():
		r.Close()
		return nil
	}
	return r
}

// display shows how far a loop is.
type display struct {
	out      io.Writer
	bar      bool            // out is a terminal
	asked    bool            // by the program; else it is for somebody who watches only
	launcher func() reporter // asks the launcher to show it; nil: it cannot be asked
	label    string
	state    func() (done, total, busy int)
	start    time.Time
	width    int       // of the bar's last line
	lined    time.Time // when the last line of a log was due; zero: none was
	reporter reporter  // what launcher has returned
}

// run shows the progress from time to time in a goroutine, which the
// returned function ends after a last line. The launcher is asked only if the
// loop takes a while.
func (d *display) run() (hide func()) {
	quit := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		every := lineEvery
		if d.bar || d.launcher != nil {
			every = barEvery
		}
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				if d.launcher != nil {
					d.reporter = d.launcher()
					d.launcher = nil
				}
				d.show(false)
			case <-quit:
				d.show(true)
				return
			}
		}
	})
	return func() {
		close(quit)
		wg.Wait()
	}
}

func (d *display) show(last bool) {
	done, total, busy := d.state()
	s := progress.State{Label: d.label, Done: done, Total: total, Busy: busy, Took: time.Since(d.start), Last: last}
	switch {
	case d.reporter != nil:
		d.report(s)
	case d.bar:
		text := s.Bar()
		pad := strings.Repeat(" ", max(0, d.width-len(text)))
		d.width = len(text)
		end := ""
		if last {
			end = "\n"
		}
		fmt.Fprint(d.out, "\r", text, pad, end)
	case d.asked && (last || d.lineIsDue()):
		fmt.Fprintln(d.out, s.Text())
	}
}

// lineIsDue says whether it is time for another line of a log.
func (d *display) lineIsDue() bool {
	if d.lined.IsZero() {
		d.lined = d.start
	}
	due := time.Since(d.lined) >= lineEvery
	if due {
		d.lined = d.lined.Add(lineEvery)
	}
	return due
}

// report has the launcher show s. One that takes nothing any more is not asked
// again: the loop must not wait for it.
func (d *display) report(s progress.State) {
	if err := d.reporter.Progress(s); err != nil || s.Last {
		d.reporter.Close()
		d.reporter = nil
	}
}
