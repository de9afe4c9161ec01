package dlp

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// requests is what the Comms of one rank know about their Requests together.
type requests struct {
	running sync.WaitGroup // goroutines that work for Requests

	mu     sync.Mutex
	over   bool                  // no more of these are started
	count  uint64                // Requests so far
	wanted map[*Request]struct{} // that nobody has waited for
}

// add notes a Request, which it numbers.
func (q *requests) add(r *Request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.count++
	r.number = q.count
	if q.wanted == nil {
		q.wanted = map[*Request]struct{}{}
	}
	q.wanted[r] = struct{}{}
}

func (q *requests) remove(r *Request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.wanted, r)
}

// background runs f, which end waits for. It returns false after end.
func (q *requests) background(f func()) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.over {
		return false
	}
	q.running.Go(f)
	return true
}

// end waits for what is running. Nothing is started any more.
func (q *requests) end() {
	q.mu.Lock()
	q.over = true
	q.mu.Unlock()
	q.running.Wait()
}

// of takes out the Requests of c that nobody has waited for, in the order in
// which they were made; if c is the Comm of Init, those of all Comms.
func (q *requests) of(c *Comm) []*Request {
	q.mu.Lock()
	defer q.mu.Unlock()
	var found []*Request
	for r := range q.wanted {
		if c.root || r.comm == c {
			found = append(found, r)
			delete(q.wanted, r)
		}
	}
	slices.SortFunc(found, func(a, b *Request) int { return cmp.Compare(a.number, b.number) })
	return found
}

// maxNamed is how many Requests an error names.
const maxNamed = 3

// forgotten returns an error if there are Requests of c, which is closed, that
// nobody has waited for. Those that have failed do not count: what a program
// does after a failure is to end.
func (c *Comm) forgotten() error {
	var names []string
	for _, r := range c.requests.of(c) {
		if r.op != "isend" {
			<-r.done // since c is closed
		}
		select {
		case <-r.done:
			if r.err != nil && !errors.Is(r.err, ErrClosed) {
				continue
			}
		default: // a message that is on its way
		}
		names = append(names, r.String())
	}
	if names == nil {
		return nil
	}
	what := fmt.Sprintf("%d requests were", len(names))
	if len(names) == 1 {
		what = "a request was"
	}
	if more := len(names) - maxNamed; more > 0 {
		names = append(names[:maxNamed], fmt.Sprintf("%d more", more))
	}
	return c.errorf("close", fmt.Errorf("%s never waited for: %s", what, strings.Join(names, ", ")))
}
