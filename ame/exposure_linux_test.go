package ame

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// vectorsOf are those of so many ranks, and what they are folded to.
func vectorsOf(size, length int) (vectors [][]byte, folded []byte) {
	for rank := range size {
		vectors = append(vectors, vectorOf(rank, length))
	}
	return vectors, foldedNumbers(vectors)
}

// A rank that cannot read the memory of another one gets all by its link, and is
// asked once.
func TestRankThatCannotFetch(t *testing.T) {
	configs := overPairs(t, 3)
	configs[1].ConnectionsOnly = true
	comms := connectAll(t, func(testing.TB, int) []Config { return configs }, 3)
	vectors, folded := vectorsOf(3, pairwiseBody)
	for range 2 {
		noErrors(t, each(comms, func(c *Comm) error { return checkVectors(t, c, vectors, folded, 0) }))
	}
	assert.True(t, comms[0].job.secluded.Load())
	assert.False(t, comms[1].job.secluded.Load(), "it has exposed nothing")
}

// What a rank exposes is copied once, to where it is wanted: vectors take no
// memory of their own.
func TestExposedPartsComeToLieInPlace(t *testing.T) {
	const length = 8 << 20
	comms := connectAll(t, overPairs, 3)
	buffers := make([][]byte, 3)
	for rank := range buffers {
		buffers[rank] = make([]byte, 4*length)
	}
	calls := func(c *Comm) error {
		b := buffers[c.Rank()]
		p := Payload{Body: b[:length]}
		return errors.Join(
			c.BcastInto(t.Context(), Call{Root: 1}, p), c.GatherInto(t.Context(), Call{}, p, b[length:]),
			c.AllgatherInto(t.Context(), Call{}, p, b[length:]), c.AllreduceInto(t.Context(), Call{}, p, 4, addNumbers))
	}
	noErrors(t, each(comms, calls))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	noErrors(t, each(comms, calls))
	runtime.ReadMemStats(&after)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(length/2), "bytes that four calls of 8 MiB allocate on three ranks")
}

// A rank whose call ends before its part is fetched says so, and nobody takes
// what lies there then.
func TestSealIsBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		comms := connectAll(t, overMemory, 2)
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error)
		body := make([]byte, exposedFrom)
		go func() {
			_, err := comms[1].Gather(ctx, Call{}, Payload{Body: body})
			failed <- err
		}()
		synctest.Wait()
		a := comms[0].job.matcher.take(0, pattern{kind: kindPart, source: 1, tag: 1})
		require.NotNil(t, a)
		require.True(t, a.exposed)
		part, err := comms[0].job.exposed(a)
		require.NoError(t, err)
		require.NoError(t, part.intact())
		cancel()
		assert.ErrorIs(t, <-failed, context.Canceled)
		assert.ErrorContains(t, part.intact(), "the seal is broken")
		_, err = comms[0].job.exposed(a)
		assert.ErrorContains(t, err, "the seal is broken")
	})
}

// What cannot be read, or is no exposure, is refused before memory is allocated
// for it.
func TestExposuresThatAreRefused(t *testing.T) {
	j := newJob(&Config{Size: 2})
	here := peerOn("here", os.Getpid())
	j.mesh.setDirectory([]Peer{here, here})
	page := os.Getpagesize()
	memory, err := mapMemory(2 * page)
	require.NoError(t, err)
	defer unmapMemory(memory)
	require.NoError(t, unix.Mprotect(memory[page:], unix.PROT_NONE))
	const seal = 0x0123456789abcdef
	binary.NativeEndian.PutUint64(memory, seal)
	address := addressOf(&memory[0])
	of := func(words ...uint64) (b []byte) {
		for _, word := range words {
			b = binary.BigEndian.AppendUint64(b, word)
		}
		return b
	}
	for name, test := range map[string]struct {
		body []byte
		want string
	}{
		"another length":    {of(address, 8, address), "exposed part of 24 bytes, want 32"},
		"nothing":           {of(address, 0, address, seal), "exposed part of 0 bytes"},
		"without end":       {of(address, 1<<30+1, address, seal), "exposed part of 1073741825 bytes"},
		"no seal":           {of(address, 8, address, 0), "with seal 0x0"},
		"another seal":      {of(address, 8, address, 7), "the seal is broken"},
		"nowhere":           {of(8, 8, 8, 1), "process_vm_readv of process"},
		"longer than it is": {of(address, uint64(page)+1, address, seal), "process_vm_readv of process"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := j.exposed(&arrival{Message: Message{Source: 1, Payload: Payload{Body: test.body}}})
			assert.ErrorContains(t, err, test.want)
		})
	}
	_, err = j.exposed(&arrival{Message: Message{Source: 1, Payload: Payload{Body: of(address, uint64(page), address, seal)}}})
	assert.NoError(t, err)

}
