package loop

import (
	"context"
	"sync/atomic"

	"github.com/dlp-mpi/dlp-go/dlp/internal/value"
)

// NewWorker returns the Worker of a rank other than 0 that works on so many
// items at once, in a loop where all ranks together work on total. With stop, as
// in Config, items that have failed are reported at once.
func NewWorker(link Link, slots, total int, stop bool, errors Errors) *Worker {
	return newWorker(&remote{link: link, errors: errors}, slots, total, stop, errors)
}

// NewWorker returns rank 0's Worker.
func (s *Server) NewWorker() *Worker {
	return newWorker(local{s}, s.m.ranks[0].slots, s.total, s.Stop, s.Errors)
}

func newWorker(boss supervisor, slots, total int, stop bool, errors Errors) *Worker {
	return &Worker{boss: boss, errors: errors, slots: slots, hold: holdWindows * targetTime(total), prompt: stop}
}

// remote is the manager seen from another rank than 0.
type remote struct {
	link   Link
	errors Errors
	isCut  atomic.Bool // await has met a tagCut
}

func (m *remote) tell(r *report) error {
	ctx := context.Background()
	if err := m.link.Send(ctx, 0, tagReport, value.Payload{Body: appendReport(nil, r)}); err != nil {
		return err
	}
	if n := len(r.items); n > 0 && r.items[n-1].Large() {
		return m.link.Send(ctx, 0, tagValue, r.items[n-1].Payload)
	}
	return nil
}

func (m *remote) await(ctx context.Context) (window, error) {
	msg, err := m.link.Recv(ctx, 0)
	for err == nil && msg.Tag == tagCut { // for other slots; this one has nothing to end
		m.isCut.Store(true)
		msg, err = m.link.Recv(ctx, 0)
	}
	if err != nil {
		return window{}, err
	}
	w, follow, err := parseWindow(msg.Body)
	if err == nil && len(w.why) > 0 {
		err = m.errors.Decode(w.why)
	}
	for _, i := range follow {
		if msg, err = m.link.Recv(ctx, 0); err != nil {
			return window{}, err
		}
		w.inputs[i].Payload = msg.Payload
	}
	return w, err
}

func (m *remote) cut() bool { return m.isCut.Load() || m.link.Told(0, tagCut) }

// local is the manager seen from rank 0.
type local struct{ *Server }

func (m local) tell(r *report) error {
	m.report(0, r)
	return nil
}

func (m local) await(ctx context.Context) (window, error) {
	select {
	case w := <-m.local:
		if w.over {
			return w, m.err()
		}
		return w, nil
	case <-ctx.Done():
		return window{}, context.Cause(ctx)
	}
}

func (m local) cut() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.halt.cutting
}
