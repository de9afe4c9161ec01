package value

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"time"
)

// What is inside an interface travels without its type, which another rank
// could not make a value of. So it arrives as one of few types; see dlp's
// package comment for the table.

func writeInterface(w *writer, v reflect.Value) {
	switch {
	case v.IsNil():
		w.null()
	case v.NumMethod() > 0:
		w.fail(fmt.Errorf("a %v is in the interface %v, and another rank would not know its type: use a type that is no interface", v.Elem().Type(), v.Type()))
	default:
		writeAny(w, v.Elem())
	}
}

func readInterface(r *reader, v reflect.Value) {
	x := r.any()
	switch {
	case x == nil:
	case v.NumMethod() > 0:
		r.fail(fmt.Errorf("a value has come for the interface %v: do all ranks use the same type?", v.Type()))
	default:
		v.Set(reflect.ValueOf(x))
	}
}

// writeAny writes a value whose type the reader does not know.
func writeAny(w *writer, v reflect.Value) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		b, err := v.Interface().(time.Time).MarshalBinary()
		if err != nil {
			w.fail(err)
		}
		w.head(majorTag, tagTime)
		w.bytes(b)
		return
	}
	if ownEncoding(v.Type(), exactEncodings()) != nil {
		w.failAny(v, "has an encoding of its own that another rank would not know")
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		w.bool(v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		w.int(v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		w.head(majorUint, v.Uint())
	case reflect.Float32, reflect.Float64:
		w.float64(v.Float())
	case reflect.Complex64, reflect.Complex128:
		w.complex(v.Complex())
	case reflect.String:
		w.text(v.String())
	default:
		writeParts(w, v)
	}
}

// writeParts is writeAny for what contains other values.
func writeParts(w *writer, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Slice, reflect.Map:
		if v.IsNil() {
			w.null()
			return
		}
	}
	if !w.enter() {
		return
	}
	defer w.leave()
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		writeAny(w, v.Elem())
	case reflect.Slice, reflect.Array:
		writeAnyList(w, v)
	case reflect.Map:
		if v.Type().Key().Kind() != reflect.String {
			w.failAny(v, "has keys that are no strings")
			return
		}
		w.head(majorMap, uint64(v.Len()))
		for i := v.MapRange(); i.Next(); {
			w.text(i.Key().String())
			writeAny(w, i.Value())
		}
	case reflect.Struct:
		writeAnyStruct(w, v)
	default:
		w.failAny(v, "means nothing in another process")
	}
}

func writeAnyList(w *writer, v reflect.Value) {
	if v.Type().Elem() == reflect.TypeFor[byte]() {
		b := make([]byte, v.Len())
		reflect.Copy(reflect.ValueOf(b), v)
		w.bytes(b)
		return
	}
	w.head(majorArray, uint64(v.Len()))
	for i := range v.Len() {
		writeAny(w, v.Index(i))
	}
}

// writeAnyStruct writes a struct as a map of its fields.
func writeAnyStruct(w *writer, v reflect.Value) {
	p, err := planOf(v.Type())
	if err != nil {
		w.fail(err)
		return
	}
	if p.own {
		w.failAny(v, "has a text of its own that another rank would not know")
		return
	}
	addressable := reflect.New(v.Type()).Elem()
	addressable.Set(v)
	w.head(majorMap, uint64(len(p.fields)))
	for i := range p.fields {
		w.text(p.fields[i].name)
		writeAny(w, p.fields[i].of(addressable))
	}
}

func (w *writer) failAny(v reflect.Value, why string) {
	w.fail(fmt.Errorf("a %v is inside an interface, where it cannot travel: it %s", v.Type(), why))
}

// any reads a value that writeAny has written.
func (r *reader) any() any {
	if len(r.b) == 0 {
		r.fail(errCut)
		return nil
	}
	switch r.b[0] >> 5 {
	case majorBytes:
		return append([]byte{}, r.chunk(majorBytes)...)
	case majorText:
		return string(r.chunk(majorText))
	case majorArray:
		return r.anyList()
	case majorMap:
		return r.anyMap()
	}
	before := r.b
	major, size, n := r.head()
	switch {
	case major == majorUint && n > math.MaxInt64:
		return n
	case major == majorUint:
		return int64(n)
	case major == majorInt && n <= math.MaxInt64:
		return -1 - int64(n)
	case major == majorTag && n == tagTime:
		return r.time()
	case major == majorTag && n == tagComplex:
		r.b = before
		return r.complex()
	case major == majorOther && size == otherFloat64:
		return math.Float64frombits(n)
	case major == majorOther && (size == otherTrue || size == otherFalse):
		return size == otherTrue
	case major == majorOther && size == otherNull:
		return nil
	}
	r.fail(errors.New("something inside an interface is of no known kind"))
	return nil
}

func (r *reader) time() (t time.Time) {
	if b := r.chunk(majorBytes); r.err == nil {
		if err := t.UnmarshalBinary(b); err != nil {
			r.fail(err)
		}
	}
	return t
}

func (r *reader) anyList() []any {
	n := r.count(majorArray)
	list := make([]any, 0, min(n, firstElements/16))
	if !r.enter() {
		return nil
	}
	for ; n > 0 && r.err == nil; n-- {
		list = append(list, r.any())
	}
	r.leave()
	return list
}

func (r *reader) anyMap() map[string]any {
	n := r.count(majorMap)
	m := map[string]any{}
	if !r.enter() {
		return nil
	}
	for ; n > 0 && r.err == nil; n-- {
		key := string(r.chunk(majorText))
		m[key] = r.any()
	}
	r.leave()
	return m
}
