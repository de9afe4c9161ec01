package ame

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
)

// pairLink is the link of two ranks other than 0. When it breaks, nothing is
// lost: each end tells the other one, by way of rank 0, how many frames it has
// got, and sends what is missing that way, as all that follows. So whoever
// writes waits at most, unless the other rank is gone.
//
// That needs a copy of what is on its way. A link in memory keeps none: it ends
// with one of its processes.
type pairLink struct {
	*stream
	job *job

	got    atomic.Uint64 // number of frames that have come
	unsaid int           // bytes of those that the other end has not been told of. The holder of the token's

	order lock // held while a frame is written, or all that is kept

	mu   sync.Mutex
	kept kept
	less chan struct{} // closed, and made anew, when less is kept

	going   sync.Once // by way of rank 0
	ending  sync.Once
	cause   string        // of its end; set before broken is closed
	broken  chan struct{} // closed when the link is to be used no more
	resumed chan struct{} // closed when what was kept is on its way again
}

func (j *job) newPairLink(s *stream) *pairLink {
	p := &pairLink{
		stream: s, job: j, order: newLock(), less: make(chan struct{}),
		broken: make(chan struct{}), resumed: make(chan struct{}),
	}
	s.frames.took = p.took
	p.kept.pool = &j.spares
	return p
}

// inMemory says whether the link is, or is about to be, in memory.
func (p *pairLink) inMemory() bool { return p.memory.Load() != nil }

// write is that of link. What concerns the link alone ends with it.
func (p *pairLink) write(ctx context.Context, h header, body []byte) error {
	switch {
	case h.kind == kindHeartbeat:
		return p.writeCount(ctx, h)
	case !h.kind.isRelayed(), p.inMemory():
		return p.stream.write(ctx, h, body)
	}
	if err := p.enter(ctx); err != nil {
		return err
	}
	if isClosed(p.broken) {
		p.order.release()
		if err := p.awaitResume(ctx, p.job.life.Done()); err != nil {
			return err
		}
		return p.job.mesh.to(0).write(ctx, h, body)
	}
	err := p.writeKept(ctx, h, body)
	p.order.release()
	if err == nil || ctx.Err() != nil || p.inMemory() {
		return err
	}
	p.breaks(lossText(err))
	if lost := p.awaitResume(ctx, p.job.life.Done()); lost != nil && ctx.Err() == nil {
		return err
	}
	return nil // it is kept, and leaves by way of rank 0 without this call
}

// writeCount writes a sign of life that says how many frames have come. A link that
// has only those keeps no memory for others.
func (p *pairLink) writeCount(ctx context.Context, said header) error {
	p.mu.Lock()
	if p.inMemory() {
		p.kept = kept{pool: p.kept.pool} // of the time before
	}
	p.kept.shrink()
	p.mu.Unlock()
	count := binary.BigEndian.AppendUint64(nil, p.got.Load())
	said.length = uint64(len(count))
	return p.stream.write(ctx, said, count)
}

// writeKept writes a frame, and keeps it if anything of it may have left. The
// caller holds order.
func (p *pairLink) writeKept(ctx context.Context, h header, body []byte) error {
	p.mu.Lock()
	p.kept.add(h, body)
	p.mu.Unlock()
	err := p.stream.write(ctx, h, body)
	if errors.As(err, &unsent{}) {
		p.mu.Lock()
		p.kept.undo()
		p.mu.Unlock()
	}
	return err
}

// bodiesMayChange copies those that the other end does not have yet.
func (p *pairLink) bodiesMayChange() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept.own()
}

// enter waits for the turn of a frame, and until it can be kept.
func (p *pairLink) enter(ctx context.Context) error {
	if err := p.order.take(ctx); err != nil {
		return err
	}
	for {
		full, less := p.full()
		if !full {
			return nil
		}
		p.token.recall() // the other end may have said what it has where nobody reads
		select {
		case <-less:
		case <-p.broken:
			return nil
		case <-p.over():
			if isClosed(p.broken) {
				return nil
			}
			p.order.release()
			return errors.New("the other rank has closed the link")
		case <-ctx.Done():
			p.order.release()
			return unsent{context.Cause(ctx)}
		}
	}
}

// full says whether nothing more can be kept, and what is closed when less is. A
// link that has gone over to memory meanwhile need not wait for that.
func (p *pairLink) full() (full bool, less chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.kept.full() && !p.inMemory(), p.less
}

// took counts a frame that has come. From time to time it tells the other end.
// The caller holds the token.
func (p *pairLink) took(h *header) {
	if !h.kind.isRelayed() || p.in != p.conn {
		return
	}
	p.got.Add(1)
	p.unsaid += int(h.length) + frameCost
	if p.unsaid >= keptStep {
		p.unsaid = 0
		p.job.show(p)
	}
}

// has takes how many frames the other end says that it has.
func (p *pairLink) has(count uint64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.less)
	p.less = make(chan struct{})
	if p.inMemory() || isClosed(p.broken) {
		return nil
	}
	return p.kept.forget(count)
}

// breaks ends the link. Its pump finds out, and tells the other end.
func (p *pairLink) breaks(cause string) {
	p.ending.Do(func() {
		p.cause = cause
		close(p.broken)
	})
	p.stream.close()
}

// awaitResume waits until what was kept is on its way by rank 0, behind which other
// frames may follow. It returns an error if that does not come, or ctx or life
// ends.
func (p *pairLink) awaitResume(ctx context.Context, life <-chan struct{}) error {
	select {
	case <-p.resumed:
		return nil
	case <-p.job.mesh.left(p.rank):
		return errors.New("the link has ended, and so has the other rank")
	case <-p.job.mesh.left(0):
		return errors.New("the link has ended, and so has rank 0")
	case <-life:
		return ErrClosed
	case <-p.job.hasFailed:
		return errors.New("the job has failed")
	case <-ctx.Done():
		return unsent{context.Cause(ctx)}
	}
}

// drain waits, for as long as ctx lasts, until the link has ended well, or what
// has not arrived is on its way by rank 0.
func (p *pairLink) drain(ctx context.Context) {
	p.mu.Lock()
	all := len(p.kept.frames) == 0 || p.inMemory()
	p.mu.Unlock()
	if !all && isClosed(p.broken) {
		p.job.tellsLeft(p.rank)
		_ = p.awaitResume(ctx, nil) // an error: the other rank is gone, or takes too long
	}
}

// resume sends, by way of rank 0, all but the first count frames. It is called
// once.
func (p *pairLink) resume(count uint64) error {
	p.breaks("the other rank has found that it ended")
	p.order <- struct{}{} // whoever writes finds that the link has ended
	defer p.order.release()
	p.mu.Lock()
	err := p.kept.forget(count)
	p.kept.own()
	k := p.kept
	p.kept = kept{pool: p.kept.pool}
	p.mu.Unlock()
	if err != nil {
		return err
	}
	root := p.job.mesh.to(0)
	for i := range k.frames {
		f := &k.frames[i]
		_ = root.write(context.Background(), f.header, f.body) // where rank 0 takes nothing it is lost, which its pump finds
	}
	p.job.mesh.disconnect(p)
	close(p.resumed)
	return nil
}
