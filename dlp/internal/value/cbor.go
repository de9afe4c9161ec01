package value

import (
	"fmt"
	"math"
	"reflect"
	"sync"

	"github.com/fxamacker/cbor/v2"
)

// cborCodec is the default Codec.
type cborCodec struct {
	enc cbor.EncMode
	dec cbor.DecMode
}

// Default is CBOR (RFC 8949) with the limits of the library lifted: the
// peers are proven members of the job, and results may be large. Times keep
// their nanoseconds and zone; strings need not be UTF-8, file names often are
// not. What is decoded into an any is an int64, float64, string, []byte, []any
// or map[string]any, whatever smaller type it had.
var Default = sync.OnceValue(func() Codec {
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
