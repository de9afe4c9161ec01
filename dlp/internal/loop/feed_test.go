package loop

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/dlp-mpi/dlp-go/dlp/internal/value"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func anInput(body string) Input { return Input{Payload: payload(3, []byte(body))} }

// feedAll adds the same item again and again, as long as there is room.
func feedAll(ctx context.Context, s *Server, in Input, added *int) {
	for s.Room(ctx) {
		if _, ok := s.Add(in); ok {
			*added++
		}
	}
}

func TestFeedIsBounded(t *testing.T) {
	large := Input{Payload: payload(3, make([]byte, 8<<20))}
	tests := map[string]struct {
		in          Input
		bound, next int // items that are read at first, and once a window is out
	}{
		"by number": {anInput("a"), 3 * aheadItems, 3*aheadItems + 1},
		"by bytes":  {large, 8, 9},
		"one":       {Input{Payload: payload(3, make([]byte, 2*aheadBytes))}, 1, 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			serve(t, Config{Size: 3, Total: Unknown, Travels: true, Slots: []int{0, 1, 2}}, func(t *testing.T, s *Server, l *fakeLink) {
				added := 0
				go feedAll(t.Context(), s, test.in, &added)
				synctest.Wait()
				assert.Equal(t, test.bound, added)
				l.says(1, asks())
				assert.Len(t, (<-l.sent).inputs, 1)
				synctest.Wait()
				assert.Equal(t, test.next, added)
				s.Leave(nil)
				l.says(1, asks(Item{Index: 0}))
				l.says(2, asks())
				assert.True(t, (<-l.sent).over)
				synctest.Wait() // feedAll ends, or the bubble would say so
			})
		})
	}
}

// Ranks wait until there are items, and get one as soon as it comes. Whoever
// stops adding lets the loop end.
func TestFeedHandsOutAtOnce(t *testing.T) {
	serve(t, Config{Size: 2, Total: Unknown, Travels: true}, func(t *testing.T, s *Server, l *fakeLink) {
		l.says(1, asks())
		synctest.Wait()
		assert.Empty(t, l.sent)
		index, ok := s.Add(anInput("a"))
		assert.Equal(t, 0, index)
		assert.True(t, ok)
		assert.Equal(t, answer{1, window{span: span{0, 1}, inputs: []Input{anInput("a")}}}, <-l.sent)
		l.says(1, asks(Item{Index: 0}))
		synctest.Wait()
		assert.Empty(t, s.inputs.items, "what is finished is not kept")
		assert.Empty(t, l.sent, "there may be more")
		s.NoMore()
		assert.True(t, (<-l.sent).over)
		_, ok = s.Add(anInput("b"))
		assert.False(t, ok)
		done, total, _ := s.State()
		assert.Equal(t, []int{1, 1}, []int{done, total})
	})
}

// What was with a lost rank goes to another one with its items, large ones too.
func TestFeedKeepsWhatRanksHold(t *testing.T) {
	big := anInput(string(bytes.Repeat([]byte("b"), largeValue)))
	serve(t, Config{Size: 3, Total: Unknown, Travels: true}, func(t *testing.T, s *Server, l *fakeLink) {
		l.says(2, asks())
		s.Add(big)
		follows := window{span: span{0, 1}, inputs: []Input{{}}}
		assert.Equal(t, answer{2, follows}, <-l.sent)
		assert.Equal(t, big.Payload, <-l.inputs)
		l.says(1, asks())
		l.loses(2, errGone)
		assert.Equal(t, answer{1, window{span: follows.span, tries: 1, inputs: follows.inputs}}, <-l.sent)
		assert.Equal(t, big.Payload, <-l.inputs)
		s.NoMore()
		l.says(1, asks(Item{Index: 0}))
		assert.True(t, (<-l.sent).over)
		assert.Zero(t, s.inputs.ahead)
	})
}

func TestFeedWithdraws(t *testing.T) {
	serve(t, Config{Size: 2, Total: Unknown, Travels: true}, func(t *testing.T, s *Server, l *fakeLink) {
		l.says(1, asks())
		s.Add(anInput("a"))
		s.Add(anInput("b"))
		<-l.sent
		assert.False(t, s.Withdraw(0, anInput("none")), "it is with rank 1")
		assert.True(t, s.Withdraw(1, anInput("none")))
		assert.False(t, s.Withdraw(2, anInput("none")), "there is no such item")
		l.says(1, asks(Item{Index: 0}))
		assert.Equal(t, []Input{anInput("none")}, (<-l.sent).inputs)
		s.NoMore()
		l.says(1, asks(Item{Index: 1}))
		<-l.sent
		assert.Zero(t, s.inputs.ahead)
	})
}

// Nobody is left for what is added: adding ends.
func TestFeedWithoutRanks(t *testing.T) {
	serve(t, Config{Size: 2, Total: Unknown, Travels: true}, func(t *testing.T, s *Server, l *fakeLink) {
		s.Add(anInput("a"))
		l.loses(1, errGone)
		synctest.Wait()
		assert.False(t, s.Room(t.Context()))
		_, ok := s.Add(anInput("b"))
		assert.False(t, ok)
		_, over, err := s.Take(t.Context())
		assert.True(t, over)
		assert.ErrorContains(t, err, "no rank is left that could do all items from 0 on")
	})
}

// A worker puts together what comes in several messages.
func TestWorkerReceivesInputs(t *testing.T) {
	big := payload(3, bytes.Repeat([]byte("b"), largeValue))
	w := window{span: span{4, 2}, more: 3, inputs: []Input{{Kind: 7, Timeout: 9, Payload: big}, anInput("a")}}
	synctest.Test(t, func(t *testing.T) {
		l := newFakeLink()
		boss := &remote{link: l, errors: plain{}}
		go func() {
			l.incoming <- incoming{message: Message{Tag: tagWindow, Payload: value.Payload{Body: appendWindow(nil, w)}}}
			l.incoming <- incoming{message: Message{Tag: tagInput, Payload: big}}
			l.incoming <- incoming{message: Message{Tag: tagWindow, Payload: value.Payload{Body: appendWindow(nil, w)}}}
			l.incoming <- incoming{err: errGone}
		}()
		got, err := boss.await(t.Context())
		require.NoError(t, err)
		assert.Equal(t, w, got)
		_, err = boss.await(t.Context())
		assert.True(t, errors.Is(err, errGone))
	})
}
