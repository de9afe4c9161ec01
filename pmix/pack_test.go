package pmix

import (
	"encoding/hex"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var codecs = []codec{{}, {fixed: true}, {described: true}, {fixed: true, described: true}}

func TestIntegers(t *testing.T) {
	signed := []struct {
		v    int64
		size int
		flex string
	}{
		{0, 4, "00"}, {1, 4, "02"}, {41, 4, "52"}, {-1, 4, "01"}, {-24, 4, "2f"}, {-46, 4, "5b"}, {-47, 4, "5d"},
		{-50, 4, "63"}, {-52, 4, "67"}, {-61, 4, "79"}, {-33, 4, "41"}, {63, 4, "7e"}, {64, 4, "8001"},
		{math.MaxInt32, 4, "feffffff0f"}, {math.MinInt32, 4, "ffffffff0f"},
		{math.MaxInt64, 8, "feffffffffffffffff"}, {math.MinInt64, 8, "ffffffffffffffffff"},
	}
	for _, tt := range signed {
		assert.Equal(t, tt.flex, hex.EncodeToString(codec{}.appendInt(nil, tt.v, tt.size)), "%d", tt.v)
		for _, c := range codecs {
			u := unpacker{codec: c, data: c.appendInt(nil, tt.v, tt.size)}
			assert.Equal(t, tt.v, u.int(tt.size), "%+v", c)
			assert.NoError(t, u.err)
			assert.Empty(t, u.data)
		}
	}
	unsigned := []struct {
		v    uint64
		size int
		flex string
	}{
		{0, 8, "00"}, {127, 8, "7f"}, {128, 8, "8001"}, {0xfffffffe, 4, "feffffff0f"}, {0xffffffff, 4, "ffffffff0f"},
		{6939693056, 8, "80a08ded19"}, {1<<56 - 1, 8, "ffffffffffffff7f"}, {1 << 56, 8, "808080808080808001"},
		{math.MaxUint64, 8, "ffffffffffffffffff"}, {0xffff, 2, "ffff03"},
	}
	for _, tt := range unsigned {
		assert.Equal(t, tt.flex, hex.EncodeToString(codec{}.appendUint(nil, tt.v, tt.size)), "%d", tt.v)
		for _, c := range codecs {
			u := unpacker{codec: c, data: c.appendUint(nil, tt.v, tt.size)}
			assert.Equal(t, tt.v, u.uint(tt.size), "%+v", c)
			assert.NoError(t, u.err)
			assert.Empty(t, u.data)
		}
	}
	for _, bad := range []struct {
		hex  string
		size int
	}{{"", 4}, {"80", 4}, {"8080808080808080", 8}, {"80808004", 2}, {"ffffffff1f", 4}} {
		b, err := hex.DecodeString(bad.hex)
		require.NoError(t, err)
		u := unpacker{data: b}
		assert.Zero(t, u.uint(bad.size), bad.hex)
		assert.Error(t, u.err, bad.hex)
	}
}

// Every request survives the way to the server, in every dialect.
func TestRequestsRoundTrip(t *testing.T) {
	questions := []question{
		{command: commandAbort, code: 3, message: "ame says goodbye"},
		{command: commandCommit},
		{command: commandCommit, pairs: []pair{{"ame", "host0:port:key"}, {"empty", ""}}},
		{command: commandFence, namespace: "slurm.pmix.7.0", rank: wildcard},
		{command: commandFence, namespace: "slurm.pmix.7.0", rank: wildcard, flag: true},
		{command: commandGet, namespace: "31064065", rank: wildcard, key: "pmix.job.size", flag: true},
		{command: commandGet, namespace: "prterun-vm-29900@1", rank: 1 << 20, key: "ame"},
		{command: commandFinalize},
	}
	for _, q := range questions {
		for _, c := range codecs {
			got, err := parseQuestion(c, q.pack(c))
			require.NoError(t, err)
			assert.Equal(t, q, got, "%+v", c)
		}
	}
}

// Values that no recorded answer of our keys holds, and what must not pass.
func TestValues(t *testing.T) {
	tests := []struct {
		name  string
		codec codec
		typ   dataType
		hex   string
		want  value
	}{
		{"bool", codec{}, typeBool, "01", value{num: 1}},
		{"null string", codec{}, typeString, "00", value{}},
		{"string", codec{}, typeString, "06766d00", value{text: "vm"}},
		{"double", codec{}, 17, "08312e3500", value{text: "1.5"}},
		{"size that is an address", codec{}, typeSize, "ffffffffffffffff0f", value{num: 0x0fffffffffffffff}},
		{"fixed size", codec{fixed: true}, typeSize, "000f0000000000000003", value{num: 3}},
		{"fixed size of 4 bytes", codec{fixed: true}, typeSize, "000e00000003", value{num: 3}},
		{"fixed size of 2 bytes", codec{fixed: true}, typeSize, "000d0003", value{num: 3}},
		{"fixed int", codec{fixed: true}, 6, "000900000007", value{num: 7}},
		{"fixed pid", codec{fixed: true}, 5, "000e00000007", value{num: 7}},
		{"timeval", codec{}, 18, "0204", value{}},
		{"proc", codec{}, typeProc, "046e0005", value{}},
		{"buffer", codec{}, typeBuffer, "01026162", value{data: []byte("ab")}},
		{"byte object", codec{}, typeByteObject, "026162", value{data: []byte("ab")}},
		{"array of proc ranks", codec{}, typeDataArray, "2803000102", value{}},
		{"array of info", codec{}, typeDataArray, "1801046b00000e05", value{list: []kval{{"k", value{typ: typeUint32, num: 5}}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, err := hex.DecodeString(tt.hex)
			require.NoError(t, err)
			tt.want.typ = tt.typ
			u := unpacker{codec: tt.codec, data: b}
			assert.Equal(t, tt.want, u.value(tt.typ, 0))
			require.NoError(t, u.err)
			assert.Empty(t, u.data)
			for n := range b {
				u := unpacker{codec: tt.codec, data: b[:n]}
				u.value(tt.typ, 0)
				assert.ErrorIs(t, u.err, errTruncated, "%d bytes", n)
			}
		})
	}
	bad := []struct {
		name string
		typ  dataType
		hex  string
	}{
		{"unknown type", 46, "00"},
		{"string without NUL", typeString, "0261"},
		{"string of negative length", typeString, "01"},
		{"string longer than the rest", typeString, "feffffff0f61"},
		{"object of all memory", typeByteObject, "ffffffffffffffffff"},
		{"array of all memory", typeDataArray, "18ffffffffffffffffff"},
		{"array of unknown type", typeDataArray, "ff000100"},
	}
	for _, tt := range bad {
		t.Run(tt.name, func(t *testing.T) {
			b, err := hex.DecodeString(tt.hex)
			require.NoError(t, err)
			u := unpacker{data: b}
			u.value(tt.typ, 0)
			assert.Error(t, u.err)
		})
	}
}

func TestArraysNestedTooDeeply(t *testing.T) {
	var b []byte
	for range 1000 {
		b = append(b, byte(typeDataArray), 1)
	}
	u := unpacker{data: b}
	u.value(typeDataArray, 0)
	assert.ErrorContains(t, u.err, "nested")
}

// What comes before a value of an unknown type can be used.
func TestGetBeforeUnknownType(t *testing.T) {
	c := codec{}
	object := c.appendProc(c.appendPrefix(nil, typeProc, 1), "ns", wildcard)
	object = c.appendPrefix(object, typeKval, 1)
	object = c.appendUint(c.appendUint(c.appendString(object, "pmix.job.size"), uint64(typeUint32), 2), 3, 4)
	object = c.appendPrefix(object, typeKval, 1)
	object = append(c.appendString(object, "pmix.new"), 99, 1, 2, 3)
	b := c.appendPrefix(c.packStatus(0), typeByteObject, 1)
	b = append(c.appendLength(b, len(object)), object...)

	known, err := c.parseGet(b, wildcard)
	assert.ErrorIs(t, err, errUnknownType)
	assert.Equal(t, []kval{{"pmix.job.size", value{typ: typeUint32, num: 3}}}, known)

	known, err = c.parseGet(b, 7)
	assert.ErrorIs(t, err, errUnknownType)
	assert.Empty(t, known, "an object about another rank")
}

func TestHeaderLimits(t *testing.T) {
	for _, length := range []uint32{0, 1, maxPayload} {
		h := header{5, 102, length}
		got, err := parseHeader([headerSize]byte(h.append(nil)))
		require.NoError(t, err)
		assert.Equal(t, h, got)
	}
	for _, length := range []uint32{maxPayload + 1, math.MaxInt32 + 1, math.MaxUint32} {
		_, err := parseHeader([headerSize]byte(header{5, 102, length}.append(nil)))
		assert.ErrorContains(t, err, fmt.Sprint(length))
	}
}

func TestHandshakeTooLong(t *testing.T) {
	_, err := hello{namespace: "n", credential: make([]byte, maxHandshake)}.append(nil)
	assert.ErrorContains(t, err, "131072")
}

// The tags of requests skip those of the server, also when they wrap around,
// and those that still wait.
func TestTags(t *testing.T) {
	var v conversation
	request := func() uint32 {
		_, tag := v.request(nil, make(chan []byte, 1))
		return tag
	}
	assert.EqualValues(t, 101, request())
	assert.EqualValues(t, 102, request())
	v.tag = math.MaxUint32 - 1
	assert.EqualValues(t, uint32(math.MaxUint32), request())
	assert.EqualValues(t, 103, request(), "101 and 102 still wait")
	v.forget(101)
	v.tag = math.MaxUint32
	assert.EqualValues(t, 101, request())
}
