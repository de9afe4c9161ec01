package value

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

type ring struct {
	Next *ring
	Text string
}

func TestSize(t *testing.T) {
	mega := strings.Repeat("x", 1<<20)
	self := &ring{Text: mega}
	self.Next = self
	lists := make([][]byte, 5000)
	for i := range lists {
		lists[i] = make([]byte, 1000)
	}
	type sized struct{ got, want int }
	for name, s := range map[string]sized{
		"number":      {Size(7), 8},
		"string":      {Size(mega), 1 << 20},
		"floats":      {Size(make([]float64, 1000)), 8000},
		"structs":     {Size(make([]struct{ A, B int }, 1000)), 16000},
		"lists":       {Size(lists), 5000 * 1000},
		"any":         {Size[any](lists), 5000 * 1000},
		"map":         {Size(map[string]string{"a": mega, "b": mega}), 2 << 20},
		"pointers":    {Size([]*string{&mega, &mega, nil}), 2 << 20},
		"array":       {Size([2]string{mega, mega}), 2 << 20},
		"hidden":      {Size(struct{ s string }{mega}), 1 << 20},
		"time":        {Size(time.Now()), 24},
		"nothing":     {Size([]string(nil)), 24},
		"many in one": {Size([][][]byte{lists}), 5000 * 1000},
	} {
		assert.GreaterOrEqual(t, s.got, s.want, name)
		assert.LessOrEqual(t, s.got, s.want*11/10+200_000, name)
	}
	assert.GreaterOrEqual(t, Size(self), 1<<20, "ends")
}
