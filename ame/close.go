package ame

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// closeTimeout bounds how long Close waits for the other ends to take what is
// still on its way to them: once for pairs, and once for the star.
const closeTimeout = 5 * time.Second

// close says bye on every link and waits until the other ends have read all
// that was sent, because a connection closed earlier could lose it. Rank 0 hears
// it last: whomever it tells has read then what this rank has sent by itself.
//
// What others send each other may go by way of rank 0, so that stays until all of
// them but one have closed. Their calls that need rank 0 itself end at once.
func (j *job) close() error {
	j.settle()
	if j.rank == 0 && !j.isClosed() {
		j.leaving.Do(j.outlast)
	}
	j.mu.Lock()
	first := !j.closed
	j.closed = true
	j.endLife()
	j.mu.Unlock()
	j.mesh.close()
	j.matcher.end(&trouble{-1, ErrClosed})
	j.telling.Wait() // a failure is to arrive before the bye
	if first {
		own, star := j.mesh.ways()
		j.sayBye(own)
		j.sayBye(star)
	}
	j.pumps.Wait()
	j.memory.close()
	if !first {
		return nil
	}
	return j.unmet()
}

// outlast ends the calls of rank 0, lets the others know, and returns when no two
// of them are left that may send each other something, or the job has failed. The
// matcher drops what still comes. The user is told, in case that rank 0 ends for an
// error, which nothing shows here, and the others do not.
func (j *job) outlast() {
	j.matcher.end(&trouble{-1, ErrClosed})
	for rank := 1; rank < j.size; rank++ {
		j.tellLeft(rank, 0)
	}
	over := make(chan struct{})
	defer close(over)
	j.background(func() { j.remind(over, j.stayers) })
	select {
	case <-j.mesh.few:
	case <-j.hasFailed:
	}
}

// stayers says for whom rank 0 stays.
func (j *job) stayers() string {
	var ranks []int
	for rank := 1; rank < j.size; rank++ {
		if !j.isGone(rank) {
			ranks = append(ranks, rank)
		}
	}
	return fmt.Sprintf("rank 0 has closed, and stays until %s, which may need it for their messages, have closed, too; where it ends for an error, an Abort before Close ends them", j.named(ranks))
}

func (j *job) sayBye(links []link) {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	var byes sync.WaitGroup
	for _, l := range links {
		byes.Go(func() {
			h := header{kind: kindBye, source: uint32(j.rank), dest: uint32(l.peer())}
			if !j.lanes.pass(ctx, l.peer()) || l.write(ctx, h, nil) != nil {
				l.close() // an unfinished frame is on it
			} else {
				l.closeWrite()
			}
		})
	}
	for _, l := range links {
		select {
		case <-l.over():
		case <-ctx.Done():
		}
		if p, ok := l.(*pairLink); ok {
			p.drain(ctx)
		}
	}
	closeLinks(links)
	byes.Wait()
}

func closeLinks(links []link) {
	for _, l := range links {
		l.close()
	}
}

// abandon closes the links of a job that did not come up, after those who
// had joined have been told why.
func (j *job) abandon() {
	j.telling.Wait()
	j.mu.Lock()
	j.closed = true
	j.endLife()
	j.mu.Unlock()
	j.mesh.close()
	closeLinks(j.mesh.links())
	j.pumps.Wait()
	j.memory.close()
}
