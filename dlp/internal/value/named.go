package value

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"slices"

	"github.com/dlp-mpi/dlp-go/internal/printable"
)

// EncodeNamed is Encode for a value whose receiver is chosen at run time, by a
// tag, and may expect anything. Formats tell raw values apart; behind every
// other one goes the name of its type, and the length of that in two bytes.
func EncodeNamed[T any](codec Codec, v T) (Payload, error) {
	p, err := Encode(codec, v)
	if err != nil || p.Format != FormatCodec {
		return p, err
	}
	if codec != nil {
		p.Body = slices.Clip(p.Body) // what follows in memory is the codec's
	}
	name := nameOf[T]()
	p.Body = append(p.Body, name...)
	p.Body = binary.BigEndian.AppendUint16(p.Body, uint16(len(name)))
	p.Format = FormatNamed
	return p, nil
}

// DecodeNamed is the opposite of EncodeNamed. A value of another type is an
// error that names both.
func DecodeNamed[T any](codec Codec, p Payload) (v T, err error) {
	held, name := unnamed(p)
	want, raw := rawFormat[T]()
	if raw && held.Format&^formatNil == want || held.Format == FormatCodec && name == nameOf[T]() {
		return Decode[T](codec, held)
	}
	return v, fmt.Errorf("got %s where %v is wanted: do both ranks use the same type?", printable.Text(name), reflect.TypeFor[T]())
}

// NamedSize is the length of a payload of EncodeNamed without the name.
func NamedSize(p Payload) int {
	held, _ := unnamed(p)
	return len(held.Body)
}

// nameOf is what EncodeNamed calls type T.
func nameOf[T any]() string {
	name := reflect.TypeFor[T]().String()
	return name[:min(len(name), math.MaxUint16)]
}

// unnamed takes the name off a payload of EncodeNamed. That of a raw value is
// said by its format.
func unnamed(p Payload) (held Payload, name string) {
	if p.Format != FormatNamed {
		return p, FormatName(p.Format)
	}
	end := len(p.Body) - 2
	if end < 0 {
		return Payload{}, FormatName(FormatNone)
	}
	begin := end - int(binary.BigEndian.Uint16(p.Body[end:]))
	if begin < 0 {
		return Payload{}, FormatName(FormatNone)
	}
	return Payload{Format: FormatCodec, Body: p.Body[:begin]}, string(p.Body[begin:end])
}
