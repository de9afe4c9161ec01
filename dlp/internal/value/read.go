package value

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// reader takes CBOR apart. The first error stays; then it reads zeros.
type reader struct {
	b     []byte
	depth int
	err   error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

func (r *reader) enter() bool {
	if r.depth >= maxDepth {
		r.fail(errTooDeep)
	}
	if r.err != nil {
		return false
	}
	r.depth++
	return true
}

func (r *reader) leave() { r.depth-- }

var errCut = errors.New("it is cut short")

// head reads a head. Floats are given as their bits, with the number that
// tells which they are in size.
func (r *reader) head() (major, size byte, n uint64) {
	if len(r.b) == 0 {
		r.fail(errCut)
		return majorOther, otherNull, otherNull
	}
	major, size = r.b[0]>>5, r.b[0]&31
	if size < 24 {
		r.b = r.b[1:]
		return major, size, uint64(size)
	}
	width := 1 << (size - 24)
	if size > 27 || len(r.b) < 1+width {
		r.fail(errCut)
		return majorOther, otherNull, otherNull
	}
	var wide [8]byte
	copy(wide[8-width:], r.b[1:])
	r.b = r.b[1+width:]
	return major, size, binary.BigEndian.Uint64(wide[:])
}

// want reads a head of the given major type.
func (r *reader) want(major byte) uint64 {
	got, _, n := r.head()
	if got != major {
		r.fail(fmt.Errorf("it has major type %d in place of %d: do all ranks use the same type?", got, major))
		return 0
	}
	return n
}

// null reads a null, if one comes next.
func (r *reader) null() bool {
	if r.err == nil && (len(r.b) == 0 || r.b[0] != majorOther<<5|otherNull) {
		return false
	}
	r.b = r.b[min(1, len(r.b)):]
	return true
}

// count reads the number of elements of an array or map, each of which takes
// a byte or more.
func (r *reader) count(major byte) int {
	n := r.want(major)
	if n > uint64(len(r.b)) {
		r.fail(errCut)
		return 0
	}
	return int(n)
}

// chunk reads a byte or text string. It shares the reader's memory.
func (r *reader) chunk(major byte) []byte {
	n := r.count(major)
	chunk := r.b[:n:n]
	r.b = r.b[n:]
	return chunk
}

// length reads the head of an array that must have n elements.
func (r *reader) length(n int) bool {
	got := r.count(majorArray)
	if r.err == nil && got != n {
		r.fail(fmt.Errorf("it has %d elements in place of %d: do all ranks use the same type?", got, n))
	}
	return r.err == nil
}

func (r *reader) bool() bool {
	major, size, _ := r.head()
	if major != majorOther || size != otherTrue && size != otherFalse {
		r.fail(errors.New("it is no bool: do all ranks use the same type?"))
	}
	return size == otherTrue
}

func (r *reader) int() int64 {
	major, _, n := r.head()
	if major > majorInt || n > math.MaxInt64 {
		r.fail(errors.New("it is no integer of 64 bits: do all ranks use the same type?"))
		return 0
	}
	if major == majorInt {
		return -1 - int64(n)
	}
	return int64(n)
}

func (r *reader) float() float64 {
	major, size, n := r.head()
	switch {
	case major == majorOther && size == otherFloat64:
		return math.Float64frombits(n)
	case major == majorOther && size == otherFloat32:
		return float64(math.Float32frombits(uint32(n)))
	}
	r.fail(errors.New("it is no floating-point number: do all ranks use the same type?"))
	return 0
}

func (r *reader) complex() complex128 {
	if r.want(majorTag) != tagComplex || !r.length(2) {
		r.fail(errors.New("it is no complex number: do all ranks use the same type?"))
		return 0
	}
	re := r.float()
	return complex(re, r.float())
}
