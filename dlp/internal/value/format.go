package value

import (
	"fmt"
	"reflect"
)

// Payload is a value on its way: bytes, and the format that they are in.
type Payload struct {
	Format uint16
	Body   []byte
}

// Formats say in the frame how a payload is encoded, so that a rank that
// expects another type gets an error and not garbage.
const (
	FormatNone  uint16 = 0 // no value
	FormatCodec uint16 = 1 // by the communicator's Codec
	FormatError uint16 = 2 // text of an error in place of the value
	FormatBytes uint16 = 3
	FormatText  uint16 = 4
	FormatLoop  uint16 = 5 // not a value but the start of a loop
	FormatNamed uint16 = 6 // by the communicator's Codec, with the name of the type

	// formatSlice + reflect.Kind of the element is a slice of numbers, in
	// little-endian order.
	formatSlice uint16 = 0x100

	// formatNumber + reflect.Kind is one number.
	formatNumber uint16 = 0x200

	// formatNil is added for a nil slice, which is not an empty one.
	formatNil uint16 = 0x8000
)

// FormatName says what a payload of this format holds.
func FormatName(f uint16) string {
	switch base := f &^ formatNil; {
	case base == FormatNone:
		return "no value"
	case base == FormatCodec:
		return "a value of the codec"
	case base == FormatError:
		return "an error"
	case base == FormatBytes:
		return "[]byte"
	case base == FormatText:
		return "string"
	case base == FormatLoop:
		return "the start of a loop"
	case base > formatSlice && base <= formatSlice+uint16(reflect.Complex128):
		return "[]" + reflect.Kind(base-formatSlice).String()
	case base > formatNumber && base <= formatNumber+uint16(reflect.Complex128):
		return reflect.Kind(base - formatNumber).String()
	}
	return fmt.Sprintf("format %#x", f)
}
