package value

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What can be read can be written, and is then the same.
func FuzzTravels(f *testing.F) {
	now := time.Date(2024, 2, 29, 12, 0, 0, 123456789, time.UTC)
	for _, v := range []any{
		whole{In: &unit{"a", now}, List: []unit{{"b", now}}, Any: map[string]any{"x": int64(1)}, Map: map[string][]float64{"m": {1}}},
		spectrum{"a", []complex128{1i}, 3i}, &node{1, &node{V: 2}, nil}, map[string]any{"a": []any{now, 1.5, "b", true, nil}},
	} {
		p, err := Encode(nil, v)
		require.NoError(f, err)
		f.Add(p.Body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		again[whole](t, body)
		again[spectrum](t, body)
		again[*node](t, body)
		again[any](t, body)
		again[[]any](t, body)
		again[options](t, body)
		again[embedded](t, body)
		again[map[[2]int]string](t, body)
		again[time.Time](t, body)
	})
}

// again reads a value, and what it has written of that, and compares the two
// as they are written, since not everything is equal to itself.
func again[T any](t *testing.T, body []byte) {
	v, err := Decode[T](nil, Payload{Format: FormatCodec, Body: body})
	if err != nil {
		return
	}
	first, err := Encode(nil, v)
	require.NoError(t, err, "%#v", v)
	back, err := Decode[T](nil, first)
	require.NoError(t, err, "%#v", v)
	second, err := Encode(nil, back)
	require.NoError(t, err)
	assert.Len(t, second.Body, len(first.Body), "%#v", v)
}
