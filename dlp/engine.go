package dlp

import (
	"context"
	"errors"

	"github.com/dlp-mpi/dlp-go/ame"
	"github.com/dlp-mpi/dlp-go/dlp/internal/loop"
	"github.com/dlp-mpi/dlp-go/dlp/internal/value"
)

// loopLink is the communicator of one loop, a tolerant one, as package loop
// wants it.
type loopLink struct{ ame *ame.Comm }

func (l loopLink) Send(ctx context.Context, dest, tag int, p value.Payload) error {
	err := l.ame.Post(ctx, dest, tag, ame.Payload(p))
	if errors.Is(err, ame.ErrLeft) {
		return nil
	}
	return l.peerError(err)
}

func (l loopLink) Recv(ctx context.Context, source int) (loop.Message, error) {
	if source == loop.AnyRank {
		source = ame.AnySource
	}
	m, err := l.ame.Recv(ctx, source, ame.AnyTag)
	return loop.Message{Payload: value.Payload(m.Payload), Source: m.Source, Tag: m.Tag}, l.peerError(err)
}

func (l loopLink) Told(source, tag int) bool {
	_, ok, err := l.ame.TryRecv(source, tag)
	return ok && err == nil
}

func (l loopLink) Lost(ctx context.Context, known int) []*loop.PeerError {
	var lost []*loop.PeerError
	for _, rank := range l.ame.AwaitLost(ctx, known) {
		lost = append(lost, &loop.PeerError{Rank: rank, Err: l.ame.LossOf(rank)})
	}
	return lost
}

func (l loopLink) Abort(cause error) { l.ame.Abort(errors.New(oneLine(cause))) }

// peerError says which rank of the loop an error of ame is about, if it is about
// one.
func (l loopLink) peerError(err error) error {
	if e := (*ame.Error)(nil); errors.As(err, &e) && e.Peer >= 0 {
		if rank, ok := l.ame.RankOf(e.Peer); ok {
			return &loop.PeerError{Rank: rank, Err: err}
		}
	}
	return err
}

// loopErrors words the errors of a loop, as package loop wants it.
type loopErrors struct{ comm *Comm }

func (e loopErrors) OfRank(rank int, err error) error { return e.comm.fromRank(rank, err) }

func (e loopErrors) OfItem(item loop.Item) error { return e.comm.itemError(&item) }

func (e loopErrors) Encode(err error) []byte { return appendError(nil, err, 0) }

func (e loopErrors) Decode(b []byte) error { return parseError(b) }
