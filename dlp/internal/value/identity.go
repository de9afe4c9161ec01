package value

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"strings"
)

// Canonical returns a function that appends all of a value to a buffer, so that
// two values of the type append the same bytes if they are the same. It is nil if
// the type has no digest; see Digests.
func Canonical[T any]() func(b []byte, v *T) []byte {
	t := reflect.TypeFor[T]()
	known, ok := digesters.Load(t)
	if !ok {
		known, _ = digesters.LoadOrStore(t, digesterOf(t, nil))
	}
	digest := known.(digester)
	switch {
	case digest == nil:
		return nil
	case t.Kind() == reflect.String:
		return func(b []byte, v *T) []byte { return append(b, reflect.ValueOf(v).Elem().String()...) }
	}
	return func(b []byte, v *T) []byte {
		d := Digest{left: math.MaxInt, all: true, text: b}
		digest(&d, reflect.ValueOf(v).Elem())
		return d.text
	}
}

// keep is Number and Text of a Digest that keeps all.
func (d *Digest) keep(n uint64) { d.text = binary.LittleEndian.AppendUint64(d.text, n) }

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
