package value

import (
	"encoding/binary"
	"math"
	"reflect"
	"sync"
)

// maxDigested bounds, in bytes, what is read of one value for its digest.
const maxDigested = 64 << 10

// digester adds a value to a digest.
type digester func(d *Digest, v reflect.Value)

// digesters are the digesters by type, nil for those that have none.
var digesters sync.Map

// Digest is a number that is the same on all ranks for the same values. It
// finds mistakes, not forgers.
type Digest struct {
	sum  uint64
	left int // bytes that may still be read

	wide bool   // of 128 bits
	high uint64 // half of those
}

// Sum returns the number.
func (d *Digest) Sum() uint64 { return d.sum }

// Number adds a number.
func (d *Digest) Number(n uint64) {
	if d.wide {
		d.widen(n)
		return
	}
	d.sum = fold(d.sum^0xa0761d6478bd642f, n^0xe7037ed1a0b428db)
	d.left -= 8
}

// Text adds a string, with its length, up to what is left to be read.
func (d *Digest) Text(s string) {
	d.Number(uint64(len(s)))
	s = s[:max(0, min(len(s), d.left))]
	var word [8]byte
	for len(s) > 0 {
		n := copy(word[:], s)
		clear(word[n:])
		d.Number(binary.LittleEndian.Uint64(word[:]))
		s = s[n:]
	}
}

// DigestOf returns the digest of a string.
func DigestOf(s string) uint64 {
	d := Digest{left: maxDigested}
	d.Text(s)
	return d.sum
}

// Digests returns a function for the digests of the elements of a slice, nil
// if its type has none: it is not made of bools, numbers, strings, arrays,
// slices and structs of those alone.
func Digests(slice any) func(i int) uint64 {
	v := reflect.ValueOf(slice)
	elem := v.Type().Elem()
	known, ok := digesters.Load(elem)
	if !ok {
		known, _ = digesters.LoadOrStore(elem, digesterOf(elem, nil))
	}
	digest := known.(digester)
	if digest == nil {
		return nil
	}
	d := new(Digest)
	return func(i int) uint64 {
		*d = Digest{left: maxDigested}
		digest(d, v.Index(i))
		return d.sum
	}
}

// digesterOf returns nil for a type that is inside itself, as for one that has
// no digest. above are the types that t is in.
func digesterOf(t reflect.Type, above []reflect.Type) digester {
	for _, outer := range above {
		if outer == t {
			return nil
		}
	}
	switch t.Kind() {
	case reflect.Bool:
		return func(d *Digest, v reflect.Value) {
			if v.Bool() {
				d.Number(1)
			} else {
				d.Number(0)
			}
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return func(d *Digest, v reflect.Value) { d.Number(uint64(v.Int())) }
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return func(d *Digest, v reflect.Value) { d.Number(v.Uint()) }
	case reflect.Float32, reflect.Float64:
		return func(d *Digest, v reflect.Value) { d.Number(math.Float64bits(v.Float())) }
	case reflect.Complex64, reflect.Complex128:
		return func(d *Digest, v reflect.Value) {
			d.Number(math.Float64bits(real(v.Complex())))
			d.Number(math.Float64bits(imag(v.Complex())))
		}
	case reflect.String:
		return func(d *Digest, v reflect.Value) { d.Text(v.String()) }
	case reflect.Slice, reflect.Array:
		return listDigester(t, append(above, t))
	case reflect.Struct:
		return structDigester(t, append(above, t))
	}
	return nil
}

func listDigester(t reflect.Type, above []reflect.Type) digester {
	elem := digesterOf(t.Elem(), above)
	if elem == nil {
		return nil
	}
	return func(d *Digest, v reflect.Value) {
		d.Number(uint64(v.Len()))
		for i := 0; i < v.Len() && d.left > 0; i++ {
			elem(d, v.Index(i))
		}
	}
}

func structDigester(t reflect.Type, above []reflect.Type) digester {
	fields := make([]digester, t.NumField())
	for i := range fields {
		if fields[i] = digesterOf(t.Field(i).Type, above); fields[i] == nil {
			return nil
		}
	}
	return func(d *Digest, v reflect.Value) {
		for i, field := range fields {
			if d.left <= 0 {
				return
			}
			field(d, v.Field(i))
		}
	}
}
