package ame

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
)

// addNumbers is a Combine that shows in its digits how it was bracketed.
func addNumbers(low, high []byte) {
	for i := 0; i < len(low); i += 4 {
		a, b := binary.LittleEndian.Uint32(low[i:]), binary.LittleEndian.Uint32(high[i:])
		binary.LittleEndian.PutUint32(low[i:], 3*a+7*b+1)
	}
}

func foldedNumbers(vectors [][]byte) []byte {
	if len(vectors) == 1 {
		return append([]byte(nil), vectors[0]...)
	}
	_, high := span{0, len(vectors)}.halves()
	low := foldedNumbers(vectors[:high.low])
	addNumbers(low, foldedNumbers(vectors[high.low:]))
	return low
}

// The forms into a vector, with lengths on both sides of all that the choice of
// an algorithm depends on.
func TestVectorsAgainstAModel(t *testing.T) {
	lengths := []int{0, 20, parallelBody, pairwiseBody - 4, pairwiseBody + 8, 5*chainPiece + 12}
	for size, lengths := range map[int][]int{1: lengths[1:2], 3: lengths, 4: lengths[3:], 5: lengths[:2]} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			comms := connectAll(t, overPairs, size)
			for i, length := range lengths {
				var vectors [][]byte
				for rank := range size {
					vectors = append(vectors, vectorOf(rank, length))
				}
				folded := foldedNumbers(vectors)
				noErrors(t, each(comms, func(c *Comm) error { return checkVectors(t, c, vectors, folded, i%size) }))
			}
		})
	}
}

// vectorOf is the vector of a rank.
func vectorOf(rank, length int) []byte {
	r := rand.New(rand.NewPCG(uint64(rank), uint64(length)))
	b := make([]byte, length)
	for i := 0; i < length; i += 4 {
		binary.LittleEndian.PutUint32(b[i:], r.Uint32())
	}
	return b
}

func checkVectors(t *testing.T, c *Comm, vectors [][]byte, folded []byte, root int) error {
	ctx, which, length := t.Context(), Call{Root: root}, len(folded)
	whole := bytes.Join(vectors, nil)
	fresh := func() Payload { return Payload{7, bytes.Clone(vectors[c.Rank()])} }
	same := func(what string, want, got []byte) {
		assert.True(t, string(want) == string(got), "%s of %d bytes on rank %d of %d", what, length, c.Rank(), c.Size())
	}

	p := fresh()
	if err := c.AllreduceInto(ctx, Call{}, p, 4, addNumbers); err != nil {
		return err
	}
	same("allreduce", folded, p.Body)
	p = fresh()
	if err := c.ReduceInto(ctx, which, p, addNumbers); err != nil {
		return err
	}
	if c.Rank() == root {
		same("reduce", folded, p.Body)
	} else {
		same("reduce", vectors[c.Rank()], p.Body)
	}
	p = fresh()
	if err := c.BcastInto(ctx, which, p); err != nil {
		return err
	}
	same("bcast", vectors[root], p.Body)
	got, err := c.Bcast(ctx, which, fresh())
	if err != nil {
		return err
	}
	same("bcast of any length", vectors[root], got.Body)
	into := make([]byte, len(whole))
	if err := c.GatherInto(ctx, which, fresh(), into); err != nil {
		return err
	}
	if c.Rank() == root {
		same("gather", whole, into)
	}
	into = make([]byte, len(whole))
	if err := c.AllgatherInto(ctx, Call{}, fresh(), into); err != nil {
		return err
	}
	same("allgather", whole, into)
	return nil
}

// A broadcast to more ranks than the root writes to itself.
func TestBcastAlongATree(t *testing.T) {
	const size = linearRanks + 6
	comms := connectAll(t, overMemory, size)
	for _, length := range []int{0, 100, parallelBody, size*chainPiece + 4} {
		want := vectorOf(0, length)
		noErrors(t, each(comms, func(c *Comm) error {
			roots := []int{1, 0, size - 1}
			if length > parallelBody {
				roots = roots[:1]
			}
			for _, root := range roots {
				p, err := c.Bcast(t.Context(), Call{Root: root}, Payload{uint16(c.Rank()), want})
				if err != nil {
					return err
				}
				assert.Equal(t, uint16(root), p.Format)
				assert.True(t, string(want) == string(p.Body), "%d bytes from %d on %d", length, root, c.Rank())
			}
			return nil
		}))
	}
}

// Every rank learns who passes another number or type of elements.
func TestVectorsThatDiffer(t *testing.T) {
	calls := map[string]func(ctx context.Context, c *Comm, p Payload) error{
		"allreduce": func(ctx context.Context, c *Comm, p Payload) error {
			return c.AllreduceInto(ctx, Call{Count: len(p.Body) / 4}, p, 4, addNumbers)
		},
		"reduce": func(ctx context.Context, c *Comm, p Payload) error {
			return c.ReduceInto(ctx, Call{Count: len(p.Body) / 4}, p, addNumbers)
		},
		"bcast": func(ctx context.Context, c *Comm, p Payload) error {
			return c.BcastInto(ctx, Call{Count: len(p.Body) / 4}, p)
		},
		"gather": func(ctx context.Context, c *Comm, p Payload) error {
			return c.GatherInto(ctx, Call{Count: len(p.Body) / 4}, p, make([]byte, c.Size()*len(p.Body)))
		},
		"allgather": func(ctx context.Context, c *Comm, p Payload) error {
			return c.AllgatherInto(ctx, Call{Count: len(p.Body) / 4}, p, make([]byte, c.Size()*len(p.Body)))
		},
	}
	for name, call := range calls {
		for _, size := range []int{2, 3, 4} {
			for odd, different := range map[string]Payload{
				"shorter": {7, make([]byte, 36)}, "long": {7, make([]byte, 2*pairwiseBody)}, "type": {8, make([]byte, 40)},
			} {
				t.Run(fmt.Sprint(name, size, odd), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						comms := connectAll(t, overMemory, size)
						for rank, err := range each(comms, func(c *Comm) error {
							p := Payload{7, make([]byte, 40)}
							if c.Rank() == size-1 {
								p = different
							}
							if err := call(t.Context(), c, p); err != nil {
								return err
							}
							_, err := c.Recv(t.Context(), AnySource, AnyTag) // of what only sends
							return err
						}) {
							assert.ErrorIs(t, err, ErrMismatch, "rank %d", rank)
							assert.ErrorContains(t, err, fmt.Sprint("rank ", size-1), "rank %d", rank)
							assert.ErrorContains(t, err, "vector_test.go:", "rank %d", rank)
						}
					})
				})
			}
		}
	}
}
