package value

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"reflect"
	"strings"
)

// Fingerprint returns a function for a number of 128 bits that is the same for
// the same values of a type, on all machines and in all builds. All of a value
// counts. It finds no forgers. The function is for one goroutine; it is nil if the
// type has no digest, see Digests.
func Fingerprint[T any]() func(v *T) [16]byte {
	t := reflect.TypeFor[T]()
	known, ok := digesters.Load(t)
	if !ok {
		known, _ = digesters.LoadOrStore(t, digesterOf(t, nil))
	}
	digest := known.(digester)
	if digest == nil {
		return nil
	}
	d := new(Digest)
	return func(v *T) (sum [16]byte) {
		*d = Digest{left: math.MaxInt, wide: true}
		digest(d, reflect.ValueOf(v).Elem())
		binary.BigEndian.PutUint64(sum[:], d.sum)
		binary.BigEndian.PutUint64(sum[8:], d.high)
		return sum
	}
}

// widen adds a number to a Digest of 128 bits. Each half keeps something of what
// was before even if its product is 0.
func (d *Digest) widen(n uint64) {
	d.sum = bits.RotateLeft64(d.sum, 31) + fold(d.sum^0xa0761d6478bd642f, n^0xe7037ed1a0b428db)
	d.high = bits.RotateLeft64(d.high, 29) + fold(d.high^0x8ebc6af09c88c6e3, n^0x589965cc75374cc3)
}

// fold is as in wyhash: both halves of the product depend on all bits.
func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// Describe says what a type is made of: its name and, unless it encodes itself,
// its parts. Builds of one program that say the same can read each other's
// values.
func Describe(t reflect.Type) string {
	var b strings.Builder
	describe(&b, t, nil)
	return b.String()
}

func describe(b *strings.Builder, t reflect.Type, above []reflect.Type) {
	if t.Name() != "" {
		if path := t.PkgPath(); path != "" {
			b.WriteString(path + ".")
		}
		b.WriteString(t.Name())
		for _, outer := range above {
			if outer == t {
				return
			}
		}
		if t.PkgPath() == "" || ownEncoding(t, exactEncodings()) != nil {
			return
		}
		b.WriteByte(' ')
	}
	above = append(above[:len(above):len(above)], t)
	switch t.Kind() {
	case reflect.Struct:
		b.WriteString("struct{")
		for i := range t.NumField() {
			if i > 0 {
				b.WriteString("; ")
			}
			b.WriteString(t.Field(i).Name + " ")
			describe(b, t.Field(i).Type, above)
		}
		b.WriteByte('}')
	case reflect.Pointer:
		b.WriteByte('*')
		describe(b, t.Elem(), above)
	case reflect.Slice:
		b.WriteString("[]")
		describe(b, t.Elem(), above)
	case reflect.Map:
		b.WriteString("map[")
		describe(b, t.Key(), above)
		b.WriteByte(']')
		describe(b, t.Elem(), above)
	case reflect.Array:
		fmt.Fprintf(b, "[%d]", t.Len())
		describe(b, t.Elem(), above)
	default:
		b.WriteString(t.Kind().String())
	}
}
