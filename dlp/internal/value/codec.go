// Package value takes the values of dlp's collectives and loops apart into
// bytes and puts them together again.
//
// Numbers, strings, []byte and slices of numbers travel as they lie in memory.
// Everything else goes through the user's Codec or, without one, is
// written as CBOR (RFC 8949) by a plan made from its type: a struct is an array
// of its fields, what encodes itself is a byte string. A type that would lose
// something on the way has no plan, which Check tells before anything is sent.
//
// A payload names its format, so that a rank that expects another type gets an
// error and not garbage.
package value

import (
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
)

// Codec is dlp.Codec.
type Codec interface {
	Marshal(v any) ([]byte, error)
	Unmarshal(data []byte, v any) error
}

// Check returns an error if values of type T would lose something on their
// way. With a Codec that is the Codec's matter.
func Check[T any](codec Codec) error {
	if _, raw := rawFormat[T](); raw || codec != nil {
		return nil
	}
	_, err := planOf(reflect.TypeFor[T]())
	return err
}

// Own returns what other ranks would get of v, or v itself if that is the same.
// It differs if something is inside an interface. A value that Encode has an
// error of is one here, too, so that a program which works on one rank works on
// several.
func Own[T any](codec Codec, v T) (T, error) {
	_, raw := rawFormat[T]()
	if raw {
		return v, nil
	}
	if codec == nil {
		if p, err := planOf(reflect.TypeFor[T]()); err != nil || !p.fallible {
			return v, err
		}
	}
	p, err := Encode(codec, v)
	if err != nil {
		return v, err
	}
	return OwnOf(codec, v, p)
}

// OwnOf is Own of a value whose payload is p.
func OwnOf[T any](codec Codec, v T, p Payload) (T, error) {
	if _, raw := rawFormat[T](); raw || codec != nil {
		return v, nil
	}
	if plan, err := planOf(reflect.TypeFor[T]()); err != nil || !plan.dynamic {
		return v, err
	}
	return Decode[T](codec, p)
}

// Encode makes v a payload. []byte, strings and slices of numbers are not
// copied: the payload shares their memory. Without a codec values are
// written as the package comment says. A panic of a method of the value, or of
// the codec, is a *Panic, so that the ranks that wait for the value get to
// know.
func Encode[T any](codec Codec, v T) (p Payload, err error) {
	if p, ok := encodeRaw(v); ok {
		return p, nil
	}
	defer recoverCodec("value of type %v cannot be encoded: %w", reflect.TypeFor[T](), &err)
	var body []byte
	if codec != nil {
		body, err = codec.Marshal(v)
	} else {
		body, err = marshal(reflect.ValueOf(&v).Elem())
	}
	return Payload{Format: FormatCodec, Body: body}, err
}

// Decode is the opposite of Encode. Values that were not copied share the
// payload's memory.
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
	if codec != nil {
		err = codec.Unmarshal(p.Body, &v)
	} else {
		err = unmarshal(p.Body, reflect.ValueOf(&v).Elem())
	}
	return v, err
}

func marshal(v reflect.Value) ([]byte, error) {
	p, err := planOf(v.Type())
	if err != nil {
		return nil, err
	}
	w := writer{}
	p.write(&w, v)
	return w.b, w.err
}

func unmarshal(b []byte, v reflect.Value) error {
	p, err := planOf(v.Type())
	if err != nil {
		return err
	}
	r := reader{b: b}
	p.read(&r, v)
	if r.err == nil && len(r.b) > 0 {
		r.fail(errors.New("there are bytes behind its end: do all ranks use the same type?"))
	}
	return r.err
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
