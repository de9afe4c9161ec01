package value

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Heads of CBOR (RFC 8949, "Specification of the CBOR Encoding"): three bits
// say what follows, five bits and up to eight bytes a number.
const (
	majorUint  = 0
	majorInt   = 1 // -1 - number
	majorBytes = 2
	majorText  = 3
	majorArray = 4
	majorMap   = 5
	majorTag   = 6
	majorOther = 7
)

// Numbers behind majorOther.
const (
	otherFalse   = 20
	otherTrue    = 21
	otherNull    = 22
	otherFloat32 = 26
	otherFloat64 = 27
)

// Tags tell values apart that are inside an any.
const (
	tagComplex = 43000    // IANA, "complex number": an array of real and imaginary part
	tagTime    = 0x646c70 // "dlp", not registered: bytes of Time.MarshalBinary
)

// maxDepth bounds how deep a value is nested, such as the length of a linked
// list. A value that contains itself has no end; it is an error here, not the
// end of the process by a full stack.
const maxDepth = 100_000

var errTooDeep = fmt.Errorf("it is nested deeper than %d levels, or contains itself", maxDepth)

// writer appends CBOR. The first error stays.
type writer struct {
	b     []byte
	depth int
	err   error
}

func (w *writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// enter notes that the value goes a level deeper. Without an error the caller
// calls leave.
func (w *writer) enter() bool {
	if w.depth >= maxDepth {
		w.fail(errTooDeep)
	}
	if w.err != nil {
		return false
	}
	w.depth++
	return true
}

func (w *writer) leave() { w.depth-- }

func (w *writer) head(major byte, n uint64) {
	major <<= 5
	switch {
	case n < 24:
		w.b = append(w.b, major|byte(n))
	case n <= math.MaxUint8:
		w.b = append(w.b, major|24, byte(n))
	case n <= math.MaxUint16:
		w.b = binary.BigEndian.AppendUint16(append(w.b, major|25), uint16(n))
	case n <= math.MaxUint32:
		w.b = binary.BigEndian.AppendUint32(append(w.b, major|26), uint32(n))
	default:
		w.b = binary.BigEndian.AppendUint64(append(w.b, major|27), n)
	}
}

func (w *writer) null() { w.b = append(w.b, majorOther<<5|otherNull) }

func (w *writer) bool(v bool) {
	if v {
		w.b = append(w.b, majorOther<<5|otherTrue)
	} else {
		w.b = append(w.b, majorOther<<5|otherFalse)
	}
}

func (w *writer) int(v int64) {
	if v < 0 {
		w.head(majorInt, uint64(-1-v))
	} else {
		w.head(majorUint, uint64(v))
	}
}

func (w *writer) float64(v float64) {
	w.b = binary.BigEndian.AppendUint64(append(w.b, majorOther<<5|otherFloat64), math.Float64bits(v))
}

func (w *writer) float32(v float32) {
	w.b = binary.BigEndian.AppendUint32(append(w.b, majorOther<<5|otherFloat32), math.Float32bits(v))
}

func (w *writer) complex(v complex128) {
	w.head(majorTag, tagComplex)
	w.head(majorArray, 2)
	w.float64(real(v))
	w.float64(imag(v))
}

func (w *writer) bytes(v []byte) {
	w.head(majorBytes, uint64(len(v)))
	w.b = append(w.b, v...)
}

func (w *writer) text(v string) {
	w.head(majorText, uint64(len(v)))
	w.b = append(w.b, v...)
}
