// Package value takes the values of dlp's collectives and loops apart into
// bytes and puts them together again.
//
// []byte, string and slices of fixed-size numbers travel as they lie in
// memory. Everything else goes through a Codec, CBOR by default. A payload
// names its format, so that a rank that expects another type gets an error
// and not garbage.
package value

import (
	"fmt"
	"reflect"
	"runtime/debug"
)

// Codec is dlp.Codec.
type Codec interface {
	Marshal(v any) ([]byte, error)
	Unmarshal(data []byte, v any) error
}

// Encode makes v a payload. []byte, string and slices of fixed-size numbers
// are not copied: the payload shares their memory. A panic of the codec or of
// a method that it calls is a *Panic, so that the ranks that wait for the
// value get to know.
func Encode[T any](codec Codec, v T) (p Payload, err error) {
	if p, ok := encodeRaw(v); ok {
		return p, nil
	}
	defer recoverCodec("value of type %v cannot be encoded: %w", reflect.TypeFor[T](), &err)
	body, err := codec.Marshal(v)
	return Payload{Format: FormatCodec, Body: body}, err
}

// Decode is the opposite of Encode. Raw values share the payload's memory.
func Decode[T any](codec Codec, p Payload) (v T, err error) {
	want := FormatCodec
	if raw, ok := rawFormat[T](); ok {
		want = raw
	}
	if p.Format&^formatNil != want {
		return v, fmt.Errorf("got %s where %s is wanted as %v: do all ranks use the same type?", FormatName(p.Format), FormatName(want), reflect.TypeFor[T]())
	}
	if want != FormatCodec {
		err = decodeRaw(p, &v)
		return v, err
	}
	defer recoverCodec("value of type %v cannot be decoded: %w", reflect.TypeFor[T](), &err)
	err = codec.Unmarshal(p.Body, &v)
	return v, err
}

// Panic is the error of a value whose codec, or a method that it called, has
// panicked.
type Panic struct {
	Value any
	Stack []byte
}

func (p *Panic) Error() string { return fmt.Sprintf("panic: %v\n%s", p.Value, p.Stack) }

// recoverCodec is deferred around calls of a Codec. It makes a panic an error
// and words either by the format.
func recoverCodec(format string, t reflect.Type, err *error) {
	if v := recover(); v != nil {
		*err = &Panic{Value: v, Stack: debug.Stack()}
	}
	if *err != nil {
		*err = fmt.Errorf(format, t, *err)
	}
}
