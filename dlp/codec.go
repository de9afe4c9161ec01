package dlp

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"runtime/debug"
	"sync"

	"github.com/dlp-mpi/dlp-go/ame"
	"github.com/fxamacker/cbor/v2"
)

// Codec turns values into bytes and back. It is asked for every type that
// does not travel raw; see WithCodec. Its methods are called from several
// goroutines. Like the default, it need not cope with values that contain
// themselves.
type Codec interface {
	Marshal(v any) ([]byte, error)
	Unmarshal(data []byte, v any) error
}

// Formats say in the frame how a payload is encoded, so that a rank that
// expects another type gets an error and not garbage.
const (
	formatNone  uint16 = 0 // no value
	formatCodec uint16 = 1 // by the communicator's Codec
	formatError uint16 = 2 // text of an error in place of the value
	formatBytes uint16 = 3
	formatText  uint16 = 4
	formatLoop  uint16 = 5 // not a value but the start of a loop

	// formatSlice + reflect.Kind of the element is a slice of numbers, in
	// little-endian order.
	formatSlice uint16 = 0x100

	// formatNil is added for a nil slice, which is not an empty one.
	formatNil uint16 = 0x8000
)

func formatName(f uint16) string {
	switch base := f &^ formatNil; {
	case base == formatNone:
		return "no value"
	case base == formatCodec:
		return "a value of the codec"
	case base == formatError:
		return "an error"
	case base == formatBytes:
		return "[]byte"
	case base == formatText:
		return "string"
	case base == formatLoop:
		return "the start of a loop"
	case base > formatSlice && base <= formatSlice+uint16(reflect.Complex128):
		return "[]" + reflect.Kind(base-formatSlice).String()
	}
	return fmt.Sprintf("format %#x", f)
}

// cborCodec is the default Codec.
type cborCodec struct {
	enc cbor.EncMode
	dec cbor.DecMode
}

// defaultCodec is CBOR (RFC 8949) with the limits of the library lifted: the
// peers are proven members of the job, and results may be large. Times keep
// their nanoseconds and zone; strings need not be UTF-8, file names often are
// not. What is decoded into an any is an int64, float64, string, []byte, []any
// or map[string]any, whatever smaller type it had.
var defaultCodec = sync.OnceValue(func() Codec {
	enc, err := cbor.EncOptions{Time: cbor.TimeRFC3339Nano, TimeTag: cbor.EncTagRequired}.EncMode()
	if err != nil {
		panic(err) // the options above are constants
	}
	dec, err := cbor.DecOptions{
		MaxArrayElements: math.MaxInt32, MaxMapPairs: math.MaxInt32, MaxNestedLevels: 1000,
		DefaultMapType: reflect.TypeFor[map[string]any](), IntDec: cbor.IntDecConvertSignedOrBigInt,
		UTF8: cbor.UTF8DecodeInvalid,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return cborCodec{enc, dec}
})

func (c cborCodec) Marshal(v any) ([]byte, error) {
	if err := loses(reflect.TypeOf(v)); err != nil {
		return nil, err
	}
	return c.enc.Marshal(v)
}

func (c cborCodec) Unmarshal(data []byte, v any) error { return c.dec.Unmarshal(data, v) }

// losses remembers the answers of loses, by type.
var losses sync.Map

// loses returns an error if nothing of a value of this type would travel:
// CBOR leaves out unexported fields without a word.
func loses(t reflect.Type) error {
	for t != nil && (t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Array || t.Kind() == reflect.Map) {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct || t.NumField() == 0 {
		return nil
	}
	if known, ok := losses.Load(t); ok {
		err, _ := known.(error)
		return err
	}
	var err error
	if !hasOwnEncoding(t) && !hasExported(t) {
		err = fmt.Errorf("type %v has no exported fields, so nothing of it would be sent", t)
	}
	losses.Store(t, err)
	return err
}

func hasExported(t reflect.Type) bool {
	for i := range t.NumField() {
		if f := t.Field(i); f.IsExported() || f.Anonymous {
			return true
		}
	}
	return false
}

func hasOwnEncoding(t reflect.Type) bool {
	type binaryMarshaler interface{ MarshalBinary() ([]byte, error) }
	for _, i := range []reflect.Type{reflect.TypeFor[cbor.Marshaler](), reflect.TypeFor[binaryMarshaler]()} {
		if t.Implements(i) || reflect.PointerTo(t).Implements(i) {
			return true
		}
	}
	return t.PkgPath() == "time" || t.PkgPath() == "math/big"
}

// encode makes v a payload. []byte, string and slices of fixed-size numbers
// are not copied: the payload shares their memory. A panic of the codec or of
// a method that it calls is an error, so that the ranks that wait for the
// value get to know.
func encode[T any](codec Codec, v T) (p ame.Payload, err error) {
	if p, ok := encodeRaw(v); ok {
		return p, nil
	}
	defer recoverCodec("value of type %v cannot be encoded: %w", reflect.TypeFor[T](), &err)
	body, err := codec.Marshal(v)
	return ame.Payload{Format: formatCodec, Body: body}, err
}

// decode is the opposite of encode. Raw values share the payload's memory.
func decode[T any](codec Codec, p ame.Payload) (v T, err error) {
	if p.Format == formatError {
		return v, errors.New(string(p.Body))
	}
	want := formatCodec
	if raw, ok := rawFormat[T](); ok {
		want = raw
	}
	if p.Format&^formatNil != want {
		return v, fmt.Errorf("got %s where %s is wanted as %v: do all ranks use the same type?", formatName(p.Format), formatName(want), reflect.TypeFor[T]())
	}
	if want != formatCodec {
		err = decodeRaw(p, &v)
		return v, err
	}
	defer recoverCodec("value of type %v cannot be decoded: %w", reflect.TypeFor[T](), &err)
	err = codec.Unmarshal(p.Body, &v)
	return v, err
}

// recoverCodec is deferred around calls of a Codec. It makes a panic an error
// and words either by the format.
func recoverCodec(format string, t reflect.Type, err *error) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
	}
	if *err != nil {
		*err = fmt.Errorf(format, t, *err)
	}
}

// errorPayload takes the place of a value that a rank has no value for.
func errorPayload(err error) ame.Payload {
	return ame.Payload{Format: formatError, Body: []byte(err.Error())}
}
