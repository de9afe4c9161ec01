package value

import (
	"bytes"
	"container/list"
	"fmt"
	"math"
	"math/big"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRefused(t *testing.T) {
	check := func(err error, want string) {
		t.Helper()
		assert.ErrorContains(t, err, want)
	}
	check(Check[report](nil), "report.Stats.Inner.mean is unexported and would be lost")
	check(Check[[]report](nil), "report.Stats.Inner.mean")
	check(Check[atomic.Int64](nil), "Int64.v is unexported")
	check(Check[struct{ N atomic.Int64 }](nil), "struct.N.v is unexported")
	check(Check[bytes.Buffer](nil), "Buffer.buf is unexported")
	check(Check[*list.List](nil), "List.root")
	_, err := Encode(nil, promoted{n: 1})
	check(err, "promoted.n is unexported")
	_, err = Encode(nil, loop{done: true})
	check(err, "loop.done is unexported")
	check(Check[half](nil), "half.x is unexported")
	check(Check[hidden](nil), "hidden.base is unexported")
	check(Check[func()](nil), "func is a func(), which means nothing in another process")
	check(Check[struct{ F func() }](nil), "struct.F is a func()")
	check(Check[map[chan int]int](nil), "is a chan int")
	check(Check[struct{ Wait sync.WaitGroup }](nil), "is unexported")

	// Advice that can be followed: nobody adds methods to a type of another package.
	own, other := Check[inner](nil), Check[atomic.Int64](nil)
	check(own, "export it, or give value.inner MarshalBinary and UnmarshalBinary, or leave the field out")
	check(other, "atomic.Int64 is of another package, so send what is needed of it as a type of your own, or leave the field that has it out")
	assert.NotContains(t, other.Error(), "MarshalBinary")

	_, err = Encode[any](nil, map[int]string{1: "a"})
	check(err, "a map[int]string is inside an interface, where it cannot travel: it has keys that are no strings")
	_, err = Encode[any](nil, big.NewInt(1))
	check(err, "has an encoding of its own")
	_, err = Encode[any](nil, named{"x"})
	check(err, "has a text of its own")
	_, err = Encode[any](nil, &struct{ Mu sync.Mutex }{})
	assert.NoError(t, err)
	_, err = Encode[any](nil, []any{inner{1}})
	check(err, "inner.mean is unexported")
	_, err = Encode[error](nil, &url.Error{})
	check(err, "a *url.Error is in the interface error")
	assert.NoError(t, Check[inner](custom{}))
	assert.NoError(t, Check[report](custom{}), "the codec knows better")
}

type custom struct{ Codec }

// What comes from another type is an error or fits; nothing panics or takes
// much memory.
func TestDecodeRefuses(t *testing.T) {
	tests := map[string]struct {
		body string
		into reflect.Type
		want string
	}{
		"empty":          {"", reflect.TypeFor[int](), "cut short"},
		"cut":            {"\x19\x01", reflect.TypeFor[int](), "cut short"},
		"bytes behind":   {"\x01\x02", reflect.TypeFor[int](), "bytes behind its end"},
		"text for a int": {"\x61a", reflect.TypeFor[int](), "no integer"},
		"too large":      {"\x19\xff\xff", reflect.TypeFor[int8](), "out of the range"},
		"huge list":      {"\x9b\x00\x00\x7f\xff\xff\xff\xff\xff", reflect.TypeFor[[]string](), "cut short"},
		"huge any":       {"\x9b\x00\x00\x7f\xff\xff\xff\xff\xff", reflect.TypeFor[any](), "cut short"},
		"huge text":      {"\x7b\x7f\xff\xff\xff\xff\xff\xff\xff", reflect.TypeFor[any](), "cut short"},
		"wrong struct":   {"\x81\x01", reflect.TypeFor[base2](), "1 elements in place of 2"},
		"wrong array":    {"\x43abc", reflect.TypeFor[[2]byte](), "3 bytes in place of 2"},
		"value of error": {"\x01", reflect.TypeFor[error](), "for the interface error"},
		"undefined":      {"\xf7", reflect.TypeFor[any](), "no known kind"},
		"endless":        {"\x9f\x01\xff", reflect.TypeFor[any](), "cut short"},
		"deep":           {string(bytes.Repeat([]byte{0x81}, 200_000)), reflect.TypeFor[any](), "nested deeper"},
	}
	for name, test := range tests {
		err := unmarshal([]byte(test.body), reflect.New(test.into).Elem())
		assert.ErrorContains(t, err, test.want, name)
	}
}

type base2 struct{ A, B int }

type named struct{ name string }

func (n named) MarshalText() ([]byte, error)     { return []byte(n.name), nil }
func (n *named) UnmarshalText(text []byte) error { n.name = string(text); return nil }

// Keys that differ only in what does not travel would become one.
func TestKeysThatBecomeOne(t *testing.T) {
	type key struct {
		A int
		b int `dlp:"-"`
	}
	now := time.Now()
	arrive := func(v any) error {
		b, err := marshal(reflect.ValueOf(v))
		require.NoError(t, err)
		return unmarshal(b, reflect.New(reflect.TypeOf(v)).Elem())
	}
	assert.NoError(t, arrive(map[key]int{{1, 2}: 1, {2, 2}: 2}))
	assert.NoError(t, arrive(map[float64]int{math.NaN(): 1, math.Inf(1): 2}))
	lost := "of 2 keys of a %v only 1 are still different"
	for _, v := range []any{
		map[key]int{{1, 2}: 1, {1, 3}: 2},
		map[any]int{1: 1, int64(1): 2},
		map[time.Time]int{now: 1, now.Round(0): 2},
		[]map[any]int{{"a": 1, otherText("a"): 2}},
	} {
		assert.ErrorContains(t, arrive(v), fmt.Sprintf(lost, strings.TrimPrefix(reflect.TypeOf(v).String(), "[]")))
	}
	assert.ErrorContains(t, arrive(map[any]int{[2]int{1, 2}: 1}), "arrives as what can be no key")
}

type otherText string
