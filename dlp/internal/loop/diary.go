package loop

import (
	"time"

	"github.com/dlp-mpi/dlp-go/internal/timeline"
)

// diary notes for a timeline when a Worker did what. The zero value notes nothing.
// The Worker's mu is held in all of its methods.
type diary struct {
	epoch time.Time // when the clock of this rank was 0
	log   *timeline.Log
	slot  int           // whose turn it is to wait for items
	since time.Duration // when it has begun to
}

// Record has the Worker note what it does, by a clock that was 0 at epoch. Rank 0
// gets the notes with the reports. It has been waiting since it entered the loop.
func (w *Worker) Record(epoch time.Time, entered time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notes = diary{epoch: epoch, log: &timeline.Log{}}
	w.notes.waited(0, entered)
}

// Turn says which slot calls Next from now on.
func (w *Worker) Turn(slot int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notes.slot = slot
}

func (d *diary) now() time.Duration {
	if d.log == nil {
		return 0
	}
	return time.Since(d.epoch)
}

// waits notes that there is no item to begin.
func (d *diary) waits() { d.since = d.now() }

// waited notes that a slot has had to do with rank 0.
func (d *diary) waited(slot int, since time.Duration) {
	if d.log != nil {
		d.log.Add(timeline.Waiting, slot, 0, since, d.now()-since)
	}
}

// answered notes that a message of rank 0 has come. Who is sent home has waited for
// others, not for rank 0.
func (d *diary) answered(over bool) {
	if d.log != nil && !over {
		d.log.Got(d.now())
		d.waited(d.slot, d.since)
	}
}

func (d *diary) did(item *Item) {
	if d.log == nil {
		return
	}
	d.log.Add(item.State(), item.Slot, item.Index, item.Began, item.Duration)
}

func (d *diary) cut(item *Item) {
	if d.log != nil {
		d.log.Add(timeline.Cut, item.Slot, item.Index, item.Began, item.Duration)
	}
}

func (d *diary) take() []byte {
	if d.log == nil {
		return nil
	}
	return d.log.Take(d.now())
}

// State is what a timeline says of an item.
func (i *Item) State() timeline.State {
	switch i.Status {
	case Failed:
		return timeline.Failed
	case Crashed:
		return timeline.Crashed
	}
	return timeline.Done
}

// stamp notes when something is written to a rank.
func (o *outgoing) stamp(s *timeline.Section) {
	o.messages++
	o.sent = s.Now()
}

// record passes on what a rank has noted. The caller holds mu.
func (s *Server) record(rank int, received time.Duration, r *report) {
	o := &s.outgoing[rank]
	s.Timeline.Chunk(rank, timeline.Stamps{Received: received, Messages: o.messages, Sent: o.sent}, r.times)
}

// recordLoss notes a lost rank. The caller holds mu.
func (s *Server) recordLoss(p *PeerError, held []span) {
	if s.Timeline == nil {
		return
	}
	var items []timeline.Span
	for _, h := range held {
		items = append(items, timeline.Span{First: h.first, N: h.n})
	}
	s.Timeline.Lost(p.Rank, items, p.Error())
}
