package loop

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/dlp-mpi/dlp-go/dlp/internal/value"
)

// numbers returns 0..n-1.
func numbers(n int) []int {
	items := make([]int, n)
	for i := range items {
		items[i] = i
	}
	return items
}

// plain words errors by their texts alone.
type plain struct{}

func (plain) OfRank(rank int, err error) error { return fmt.Errorf("rank %d: %w", rank, err) }

func (plain) OfItem(item Item) error {
	if item.Err != nil {
		return fmt.Errorf("item %d on rank %d: %w", item.Index, item.Rank, item.Err)
	}
	return fmt.Errorf("item %d on rank %d: %s", item.Index, item.Rank, item.Payload.Body)
}

func (plain) Encode(err error) []byte { return []byte(err.Error()) }

func (plain) Decode(b []byte) error { return errors.New(string(b)) }

// answer is a window for a rank.
type answer struct {
	rank int
	window
}

// fakeLink is rank 0's end of a Link whose other ranks are the test.
type fakeLink struct {
	incoming chan incoming
	sent     chan answer
	inputs   chan value.Payload // of messages of their own
	hold     chan struct{}      // if set, Send waits for it
	aborted  chan error

	mu   sync.Mutex
	lost []*PeerError
	news chan struct{} // closed, and made anew, when there are more
}

type incoming struct {
	message Message
	err     error
}

func newFakeLink() *fakeLink {
	return &fakeLink{incoming: make(chan incoming), sent: make(chan answer, 100), inputs: make(chan value.Payload, 100), aborted: make(chan error, 10), news: make(chan struct{})}
}

// loses makes a rank lost.
func (l *fakeLink) loses(rank int, why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost = append(l.lost, &PeerError{rank, why})
	close(l.news)
	l.news = make(chan struct{})
}

func (l *fakeLink) Lost(ctx context.Context, known int) []*PeerError {
	for {
		l.mu.Lock()
		lost, news := slices.Clone(l.lost), l.news
		l.mu.Unlock()
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

func (l *fakeLink) Send(_ context.Context, dest, tag int, p value.Payload) error {
	if l.hold != nil {
		<-l.hold
	}
	switch tag {
	case tagInput:
		l.inputs <- p
		return nil
	case tagCut:
		l.sent <- answer{dest, window{cut: true}}
		return nil
	}
	w, _, err := parseWindow(p.Body)
	l.sent <- answer{dest, w}
	return err
}

func (l *fakeLink) Recv(ctx context.Context, _ int) (Message, error) {
	select {
	case in := <-l.incoming:
		return in.message, in.err
	case <-ctx.Done():
		return Message{}, ctx.Err()
	}
}

func (l *fakeLink) Told(source, tag int) bool { return false }

func (l *fakeLink) Abort(cause error) { l.aborted <- cause }

// says makes a report of a rank come in.
func (l *fakeLink) says(rank int, r report) {
	l.incoming <- incoming{message: Message{Source: rank, Tag: tagReport, Payload: value.Payload{Body: appendReport(nil, &r)}}}
}

func asks(items ...Item) report { return report{end: Unknown, intent: asking, items: items} }
