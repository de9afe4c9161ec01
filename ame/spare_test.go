package ame

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSparesAreTakenByBodiesOfTheirSize(t *testing.T) {
	var none *spares
	assert.Len(t, none.take(minSpare), minSpare)

	for _, n := range []uint64{0, 1, minSpare - 1, minSpare, 2 * minSpare, 5 * minSpare} {
		s := &spares{}
		s.give(make([]byte, 2*minSpare))
		b := s.take(n)
		assert.Len(t, b, int(n))
		assert.LessOrEqual(t, cap(b), max(int(2*n), minSpare), "%d bytes keep no more than twice as many", n)
	}
}

// What a rank has passed to a collective is its own afterwards, whatever bodies
// come later.
func TestSparesAreNeverTheUsers(t *testing.T) {
	const size, length = 3, 2 * minSpare
	comms := connectAll(t, overTCP, size)
	noErrors(t, each(comms, func(c *Comm) error {
		part, into := bytes.Repeat([]byte{byte(c.Rank())}, length), make([]byte, size*length)
		for range 5 {
			if err := c.AllgatherInto(t.Context(), Call{}, Payload{Body: part}, into); err != nil {
				return err
			}
			if err := c.GatherInto(t.Context(), Call{Root: 1}, Payload{Body: part}, into); err != nil {
				return err
			}
			all, err := c.Allgather(t.Context(), Call{}, Payload{Body: part})
			if err != nil {
				return err
			}
			for rank, p := range all {
				assert.True(t, bytes.Equal(bytes.Repeat([]byte{byte(rank)}, length), p.Body))
				assert.True(t, bytes.Equal(p.Body, into[rank*length:(rank+1)*length]))
			}
		}
		assert.True(t, bytes.Equal(bytes.Repeat([]byte{byte(c.Rank())}, length), part))
		return nil
	}))
}
