package value

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"unsafe"
)

// Values of these kinds travel as they lie in memory, in little-endian byte
// order: no work per element, no second copy.
//
// Alignment: a body is a slice of its own whose length is a multiple of the
// element's size, and Go aligns such a slice for that size (a body of up to
// 16 bytes included); decodeRaw copies where that does not hold.

// littleEndian says whether this machine stores numbers as the wire wants them.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// rawFormat returns the format in which values of type T travel raw.
func rawFormat[T any]() (uint16, bool) {
	t := reflect.TypeFor[T]()
	switch t.Kind() {
	case reflect.String:
		return FormatText, true
	case reflect.Slice:
		switch k := t.Elem().Kind(); {
		case k == reflect.Uint8:
			return FormatBytes, true
		case k >= reflect.Int && k <= reflect.Complex128 && k != reflect.Uintptr:
			return formatSlice + uint16(sized(k, t.Elem().Size())), true
		}
	}
	return 0, false
}

// sized replaces int and uint by the kind of their size on this machine.
func sized(k reflect.Kind, size uintptr) reflect.Kind {
	switch {
	case k == reflect.Int && size == 8:
		return reflect.Int64
	case k == reflect.Int:
		return reflect.Int32
	case k == reflect.Uint && size == 8:
		return reflect.Uint64
	case k == reflect.Uint:
		return reflect.Uint32
	}
	return k
}

// encodeRaw returns v's memory as a payload, if values of type T travel raw.
func encodeRaw[T any](v T) (Payload, bool) {
	format, ok := rawFormat[T]()
	if !ok {
		return Payload{}, false
	}
	if format == FormatText {
		s := reflect.ValueOf(v).String()
		return Payload{Format: format, Body: unsafe.Slice(unsafe.StringData(s), len(s))}, true
	}
	slice := reflect.ValueOf(v)
	if slice.IsNil() {
		return Payload{Format: format | formatNil}, true
	}
	width := int(slice.Type().Elem().Size())
	body := unsafe.Slice((*byte)(slice.UnsafePointer()), slice.Len()*width)
	if !littleEndian && width > 1 {
		body = append([]byte(nil), body...)
		swap(body, numberWidth(slice.Type().Elem()))
	}
	return Payload{Format: format, Body: body}, true
}

// Size returns the bytes that v takes, as far as they are easily known.
func Size[T any](v T) int {
	p, _ := encodeRaw(v)
	return len(p.Body)
}

// decodeRaw makes v share the memory of a payload of its raw format.
func decodeRaw[T any](p Payload, v *T) error {
	out := reflect.ValueOf(v).Elem()
	if out.Kind() == reflect.String {
		out.SetString(unsafe.String(unsafe.SliceData(p.Body), len(p.Body)))
		return nil
	}
	if p.Format&formatNil != 0 {
		return nil
	}
	elem := out.Type().Elem()
	width := int(elem.Size())
	if len(p.Body)%width != 0 {
		return fmt.Errorf("%d bytes are not a whole number of %v", len(p.Body), elem)
	}
	n := len(p.Body) / width
	if n == 0 {
		out.Set(reflect.MakeSlice(out.Type(), 0, 0))
		return nil
	}
	body := p.Body
	if !littleEndian && width > 1 {
		swap(body, numberWidth(elem))
	}
	if uintptr(unsafe.Pointer(unsafe.SliceData(body)))%uintptr(elem.Align()) != 0 {
		aligned := reflect.MakeSlice(out.Type(), n, n)
		copy(unsafe.Slice((*byte)(aligned.UnsafePointer()), len(body)), body)
		out.Set(aligned)
		return nil
	}
	out.Set(reflect.SliceAt(elem, unsafe.Pointer(unsafe.SliceData(body)), n).Convert(out.Type()))
	return nil
}

// numberWidth is the size of what has a byte order in t: half of a complex.
func numberWidth(t reflect.Type) int {
	if t.Kind() == reflect.Complex64 || t.Kind() == reflect.Complex128 {
		return int(t.Size()) / 2
	}
	return int(t.Size())
}

// swap reverses the bytes of each number in b.
func swap(b []byte, width int) {
	for ; len(b) >= width; b = b[width:] {
		for i, j := 0, width-1; i < j; i, j = i+1, j-1 {
			b[i], b[j] = b[j], b[i]
		}
	}
}
