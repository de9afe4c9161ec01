package value

import (
	"encoding/json"
	"math"
	"math/big"
	"net"
	"net/netip"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// arrives checks that what comes out is what went in, and that it was CBOR on
// the way.
func arrives[T any](t *testing.T, name string, v T) {
	t.Helper()
	p, err := Encode(nil, v)
	require.NoError(t, err, name)
	if p.Format == FormatCodec {
		opts, err := cbor.DecOptions{UTF8: cbor.UTF8DecodeInvalid, MaxNestedLevels: 1000, MaxArrayElements: math.MaxInt32}.DecMode()
		require.NoError(t, err)
		require.NoError(t, opts.Wellformed(p.Body), name)
	}
	got, err := Decode[T](nil, p)
	require.NoError(t, err, name)
	assert.Equal(t, v, got, name)
	own, err := Own(nil, v)
	require.NoError(t, err, name)
	assert.Equal(t, v, own, name)
}

type (
	spectrum struct {
		Name string
		Data []complex128
		Z    complex64
	}
	node struct {
		V           int
		Left, Right *node
	}
	options struct {
		P  *float64
		PP **float64
		PS *[]int
		M  map[[2]int]float64
		S  map[string]struct{}
		L  []struct{}
	}
	tagged struct {
		A int     `json:"a,omitempty"`
		B int     `json:"-" cbor:"-"`
		C float64 `json:"A"`
	}
	base     struct{ Y int }
	embedded struct {
		base
		X int
	}
	stamped struct { // the promoted encoding of time.Time would lose Name
		time.Time
		Name string
	}
	counted struct{ big.Int }
	own     struct { // has an encoding of its own in spite of an embedded one
		time.Time
		name string
	}
	guarded struct {
		mu sync.Mutex
		rw sync.RWMutex
		_  int
		no struct{}
		N  int
	}
	color uint8 // only has a text, but that is for people
)

func (o own) MarshalBinary() ([]byte, error)     { return []byte(o.name), nil }
func (o *own) UnmarshalBinary(b []byte) error    { o.name = string(b); return nil }
func (c color) MarshalText() ([]byte, error)     { return []byte("some color"), nil }
func (c *color) UnmarshalText(text []byte) error { *c = color(len(text)); return nil }
func (o *options) pointers(f *float64, s *[]int) { o.P, o.PP, o.PS = f, &f, s }

func TestTravels(t *testing.T) {
	now := time.Date(2024, 2, 29, 12, 0, 0, 123456789, time.FixedZone("", 3600))
	f := 1.5
	var nilFloat *float64
	full := options{M: map[[2]int]float64{{1, 2}: 3}, S: map[string]struct{}{"a": {}}, L: make([]struct{}, 3)}
	full.pointers(&f, new([]int))
	third, _, _ := big.ParseFloat("0.1", 10, 300, big.ToNearestEven)
	address, err := url.Parse("http://u:p@h/x?q")
	require.NoError(t, err)

	arrives(t, "numbers", []any{int64(math.MinInt64), uint64(math.MaxUint64), 1.5, math.Inf(-1), true, nil, "a\xff", []byte{1}})
	arrives(t, "ints", struct {
		A int8
		B uint16
		C int64
		D uint64
		E uintptr16
	}{-128, math.MaxUint16, math.MinInt64, math.MaxUint64, 7})
	arrives(t, "complex", 1+2i)
	arrives(t, "complex64", complex64(1-2i))
	arrives(t, "complex in a struct", spectrum{"a", []complex128{1i, 2}, 3i})
	arrives(t, "complex in an any", any(1+2i))
	arrives(t, "tree", &node{1, &node{V: 2}, &node{3, nil, &node{V: 4}}})
	arrives(t, "pointers", full)
	arrives(t, "no pointers", options{})
	arrives(t, "pointer to a nil pointer", &nilFloat)
	arrives(t, "json and cbor tags", tagged{1, 2, 3})
	arrives(t, "embedded", embedded{base{7}, 3})
	arrives(t, "embedded time", stamped{now, "start"})
	arrives(t, "embedded big.Int", counted{*big.NewInt(1 << 40)})
	arrives(t, "own encoding beside an embedded one", own{name: "x"})
	g := &guarded{no: struct{}{}}
	for _, l := range []sync.Locker{&g.mu, &g.rw} {
		l.Lock()
		g.N = 1
		l.Unlock()
	}
	arrives(t, "guarded", g)
	arrives(t, "text goes last", color(200))
	arrives(t, "but before nothing", named{"x"})
	arrives(t, "names that differ in case", struct{ Alpha, ALPHA int }{1, 2})
	arrives(t, "bytes", [4]byte{1, 2, 3, 4})
	arrives(t, "nil and empty", struct {
		A, B []byte
		C, D []int
		E, F map[string]int
	}{nil, []byte{}, nil, []int{}, nil, map[string]int{}})
	arrives(t, "time", now)
	arrives(t, "duration", 5*time.Second)
	arrives(t, "big.Int", big.NewInt(-5))
	arrives(t, "big.Rat", big.NewRat(1, 3))
	arrives(t, "big.Float of 300 bits", third)
	arrives(t, "netip", netip.MustParseAddrPort("[fe80::1%eth0]:80"))
	arrives(t, "net.IP in a struct", struct{ IP net.IP }{net.IPv4(10, 0, 0, 1)})
	arrives(t, "url", address)
	arrives(t, "raw JSON in a struct", struct{ Raw json.RawMessage }{json.RawMessage(`{"a":1}`)})
	arrives(t, "long", make([]string, 300_000))
	arrives(t, "nil interface", struct{ E error }{})
	arrives(t, "any", any(map[string]any{"a": []any{int64(1), "b", now}}))
}

type uintptr16 uint16

func TestNaNTravels(t *testing.T) {
	got, err := Own(nil, any(math.NaN()))
	require.NoError(t, err)
	assert.True(t, math.IsNaN(got.(float64)))
}

func TestDeepValues(t *testing.T) {
	var root *node
	for i := range 5000 {
		root = &node{V: i, Left: root}
	}
	arrives := func(v *node) error {
		p, err := Encode(nil, v)
		if err == nil {
			_, err = Decode[*node](nil, p)
		}
		return err
	}
	assert.NoError(t, arrives(root))
	for last := root; ; last = last.Left {
		if last.Left == nil {
			last.Left = root
			break
		}
	}
	assert.ErrorContains(t, arrives(root), "or contains itself")
}

func TestFieldsLeftOut(t *testing.T) {
	type cached struct {
		N     int
		cache map[int]int `dlp:"-"`
		Done  chan int    `dlp:"-"`
	}
	p, err := Encode(nil, cached{1, map[int]int{1: 2}, make(chan int)})
	require.NoError(t, err)
	got, err := Decode[cached](nil, p)
	require.NoError(t, err)
	assert.Equal(t, cached{N: 1}, got)
}

type (
	half     struct{ x int } // is written, and never read
	promoted struct {
		big.Int
		n int
	}
	inner  struct{ mean float64 }
	stats  struct{ Inner map[string][]*inner }
	report struct{ Stats stats }
	hidden struct{ *base }
	loop   struct {
		Next *loop
		done bool
	}
)

func (h half) MarshalBinary() ([]byte, error) { return []byte{byte(h.x)}, nil }

// The table of the package comment of dlp.
func TestWhatAnyTurnsInto(t *testing.T) {
	type level int8
	type point struct {
		X, Y int `json:"-"`
		Next *point
	}
	now := time.Unix(1, 5).UTC()
	tests := []struct{ in, out any }{
		{5, int64(5)}, {level(-3), int64(-3)}, {uint8(7), int64(7)}, {uint64(math.MaxUint64), uint64(math.MaxUint64)},
		{time.Second, int64(time.Second)}, {float32(0.5), 0.5}, {complex64(1i), 1i}, {"text", "text"}, {true, true},
		{[]byte{1}, []byte{1}}, {[2]byte{1, 2}, []byte{1, 2}}, {json.RawMessage("1"), []byte("1")},
		{[]float64{1}, []any{1.0}}, {[2]string{"a", "b"}, []any{"a", "b"}}, {[]int(nil), nil},
		{map[string]int{"a": 1}, map[string]any{"a": int64(1)}}, {map[string]int(nil), nil},
		{point{1, 2, &point{}}, map[string]any{"X": int64(1), "Y": int64(2), "Next": map[string]any{"X": int64(0), "Y": int64(0), "Next": nil}}},
		{&now, now}, {(*int)(nil), nil}, {nil, nil},
	}
	for _, test := range tests {
		got, err := Own(nil, test.in)
		require.NoError(t, err, "%T", test.in)
		assert.Equal(t, test.out, got, "%T", test.in)
		again, err := Own(nil, got)
		require.NoError(t, err)
		assert.Equal(t, got, again, "it changes once")
	}
}
