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
	switch k := t.Kind(); {
	case k == reflect.String:
		return FormatText, true
	case isNumber(k):
		return formatNumber + uint16(sized(k, t.Size())), true
	case k != reflect.Slice:
		return 0, false
	case t.Elem().Kind() == reflect.Uint8:
		return FormatBytes, true
	case isNumber(t.Elem().Kind()):
		return formatSlice + uint16(sized(t.Elem().Kind(), t.Elem().Size())), true
	}
	return 0, false
}

func isNumber(k reflect.Kind) bool {
	return k >= reflect.Int && k <= reflect.Complex128 && k != reflect.Uintptr
}

// number says whether a format is that of one number.
func number(format uint16) bool { return format&^formatNil >= formatNumber }

// Shares says whether a value of this format shares the memory of its payload.
func Shares(format uint16) bool { return format != FormatCodec && !number(format) }

// memory is the memory of a number.
func memory[T any](v *T) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v)) }

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
	if number(format) {
		body := append([]byte(nil), memory(&v)...)
		if !littleEndian {
			swap(body, numberWidth(reflect.TypeFor[T]()))
		}
		return Payload{Format: format, Body: body}, true
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

// decodeRaw reads a payload of the raw format of *v. But for a number, v then
// shares its memory.
func decodeRaw[T any](p Payload, v *T) error {
	if number(p.Format) {
		return decodeNumber(p.Body, v)
	}
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

func decodeNumber[T any](body []byte, v *T) error {
	to := memory(v)
	if len(body) != len(to) {
		return fmt.Errorf("%d bytes are no %v", len(body), reflect.TypeFor[T]())
	}
	copy(to, body)
	if !littleEndian {
		swap(to, numberWidth(reflect.TypeFor[T]()))
	}
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
