package value

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type (
	unit struct {
		Name string
		When time.Time
	}
	whole struct {
		In   *unit
		List []unit
		Any  any
		Map  map[string][]float64
	}
)

func TestRawBodiesNeedNotBeAligned(t *testing.T) {
	p, ok := encodeRaw([]float64{1, 2, 3})
	require.True(t, ok)
	memory := make([]byte, len(p.Body)+8)
	for shift := range 8 {
		shifted := p
		shifted.Body = memory[shift : shift+copy(memory[shift:], p.Body)]
		v, err := Decode[[]float64](nil, shifted)
		require.NoError(t, err)
		assert.Equal(t, []float64{1, 2, 3}, v)
	}
	p.Body = p.Body[:7]
	_, err := Decode[[]float64](nil, p)
	assert.ErrorContains(t, err, "7 bytes are not a whole number of float64")
}

func TestSwap(t *testing.T) {
	b := []byte{1, 2, 3, 4, 5, 6, 7, 8}
	swap(b, 4)
	assert.Equal(t, []byte{4, 3, 2, 1, 8, 7, 6, 5}, b)
}

func FuzzDecode(f *testing.F) {
	f.Add(uint16(FormatCodec), []byte{0xa1, 0x61, 'a', 0x80})
	f.Add(formatSlice+14, []byte{1, 2, 3})
	f.Add(FormatText|formatNil, []byte("text"))
	f.Fuzz(func(t *testing.T, format uint16, body []byte) {
		p := Payload{Format: format, Body: body}
		_, _ = Decode[[]float64](nil, p)
		_, _ = Decode[string](nil, p)
		_, _ = Decode[[]byte](nil, p)
		_, _ = Decode[map[string][]string](nil, p)
		_, _ = Decode[any](nil, p)
		_, _ = Decode[int](nil, p)
		_, _ = Decode[complex128](nil, p)
		_, _ = Decode[whole](nil, p)
	})
}

func TestNumbersTravelAsTheyAre(t *testing.T) {
	type level int16
	p, err := Encode(nil, level(-2))
	require.NoError(t, err)
	assert.Equal(t, []byte{0xfe, 0xff}, p.Body, "little-endian")
	assert.Equal(t, "int16", FormatName(p.Format))
	assert.False(t, Shares(p.Format))
	v, err := Decode[level](nil, p)
	require.NoError(t, err)
	assert.Equal(t, level(-2), v)
	_, err = Decode[uint16](nil, p)
	assert.ErrorContains(t, err, "got int16 where uint16 is wanted")
	p.Body = p.Body[:1]
	_, err = Decode[level](nil, p)
	assert.ErrorContains(t, err, "1 bytes are no value.level")
	assert.Equal(t, 2, Size(level(1)))
}
