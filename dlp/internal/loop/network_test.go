package loop

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/dlp-mpi/dlp-go/dlp/internal/value"
)

var errKilled = errors.New("killed")

// network carries the messages of a loop whose ranks are goroutines, in virtual
// time: each takes as long as the seed says, those of one rank to another stay
// in order. Ranks can be killed.
type network struct {
	ctx     context.Context
	end     context.CancelFunc
	running sync.WaitGroup
	size    int

	mu     sync.Mutex
	random *rand.Rand
	ways   map[[2]int]chan Message // by source and destination
	inbox  []chan Message          // by rank
	dead   map[int]bool            // says and hears nothing more
	lost   []*PeerError            // what rank 0 knows of that
	news   chan struct{}           // closed, and made anew, when there are more
}

func newNetwork(size int, random *rand.Rand) *network {
	ctx, end := context.WithCancel(context.Background())
	n := &network{
		ctx: ctx, end: end, size: size, random: random, ways: map[[2]int]chan Message{},
		inbox: make([]chan Message, size), dead: map[int]bool{}, news: make(chan struct{}),
	}
	for rank := range n.inbox {
		n.inbox[rank] = make(chan Message)
	}
	return n
}

// close drops what is on its way.
func (n *network) close() {
	n.end()
	n.running.Wait()
}

// draw returns a random time below most, often a short one.
func (n *network) draw(most time.Duration) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	d := time.Duration(n.random.Int64N(int64(most)))
	if n.random.IntN(4) > 0 {
		d /= 100
	}
	return d
}

// way returns the way from one rank to another.
func (n *network) way(source, dest int) chan Message {
	n.mu.Lock()
	defer n.mu.Unlock()
	key := [2]int{source, dest}
	if n.ways[key] == nil {
		way := make(chan Message, 1000)
		n.ways[key] = way
		n.running.Go(func() { n.carry(way, n.inbox[dest]) })
	}
	return n.ways[key]
}

// carry takes messages from one end of a way to the other.
func (n *network) carry(way <-chan Message, inbox chan<- Message) {
	for {
		select {
		case m := <-way:
			time.Sleep(n.draw(20 * time.Millisecond))
			select {
			case inbox <- m:
			case <-n.ctx.Done():
				return
			}
		case <-n.ctx.Done():
			return
		}
	}
}

func (n *network) isDead(rank int) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dead[rank]
}

// kill makes a rank say nothing more. What it has said still arrives.
func (n *network) kill(rank int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dead[rank] = true
}

// bury lets rank 0 know, after a while, that a rank is dead.
func (n *network) bury(rank int) {
	time.Sleep(n.draw(50 * time.Millisecond))
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lost = append(n.lost, &PeerError{rank, errKilled})
	close(n.news)
	n.news = make(chan struct{})
}

// port is one rank's end of the network: its Link.
type port struct {
	*network
	rank int
}

func (p port) Send(_ context.Context, dest, tag int, v value.Payload) error {
	if p.isDead(p.rank) {
		return errKilled
	}
	v.Body = slices.Clone(v.Body)
	p.way(p.rank, dest) <- Message{Payload: v, Source: p.rank, Tag: tag}
	return nil
}

func (p port) Recv(ctx context.Context, _ int) (Message, error) {
	select {
	case m := <-p.inbox[p.rank]:
		return m, nil
	case <-ctx.Done():
		return Message{}, context.Cause(ctx)
	}
}

func (p port) Told(int, int) bool { return false }

func (p port) Lost(ctx context.Context, known int) []*PeerError {
	for {
		p.mu.Lock()
		lost, news := slices.Clone(p.lost), p.news
		p.mu.Unlock()
		if len(lost) > known {
			return lost
		}
		select {
		case <-news:
		case <-ctx.Done():
			return lost
		}
	}
}

func (p port) Abort(cause error) { panic("the loop has given up: " + cause.Error()) }
