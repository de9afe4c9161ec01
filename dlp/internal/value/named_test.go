package value

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNamedValues(t *testing.T) {
	type meters struct{ X int }
	type seconds struct{ X int }
	p, err := EncodeNamed(nil, meters{7})
	require.NoError(t, err)
	m, err := DecodeNamed[meters](nil, p)
	require.NoError(t, err)
	assert.Equal(t, meters{7}, m)
	plain, err := Encode(nil, meters{7})
	require.NoError(t, err)
	assert.Equal(t, len(plain.Body), NamedSize(p))

	_, err = DecodeNamed[seconds](nil, p)
	assert.EqualError(t, err, "got value.meters where value.seconds is wanted: do both ranks use the same type?")
	_, err = DecodeNamed[[]int](nil, p)
	assert.EqualError(t, err, "got value.meters where []int is wanted: do both ranks use the same type?")

	p, err = EncodeNamed(nil, []float64{1})
	require.NoError(t, err)
	assert.Equal(t, 8, NamedSize(p))
	_, err = DecodeNamed[meters](nil, p)
	assert.EqualError(t, err, "got []float64 where value.meters is wanted: do both ranks use the same type?")
	_, err = DecodeNamed[[]float32](nil, p)
	assert.EqualError(t, err, "got []float64 where []float32 is wanted: do both ranks use the same type?")

	p, err = EncodeNamed(nil, []byte(nil))
	require.NoError(t, err)
	b, err := DecodeNamed[[]byte](nil, p)
	require.NoError(t, err)
	assert.Nil(t, b)
}

func TestBrokenNames(t *testing.T) {
	for _, body := range [][]byte{nil, {0}, {0, 1}, {1, 0, 3}} {
		_, err := DecodeNamed[int](nil, Payload{Format: FormatNamed, Body: body})
		assert.EqualError(t, err, "got no value where int is wanted: do both ranks use the same type?")
	}
}
