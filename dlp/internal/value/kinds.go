package value

import (
	"fmt"
	"reflect"
	"unsafe"
)

// pointer makes the plan of a pointer: null, or what it points to. If that
// may be null itself, it is the one element of an array.
func (c *compiler) pointer(p *plan, t reflect.Type, path string) error {
	inner, err := c.plan(t.Elem(), path)
	if err != nil {
		return err
	}
	wrap := false
	switch t.Elem().Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		wrap = true
	}
	p.write = func(w *writer, v reflect.Value) {
		if v.IsNil() {
			w.null()
			return
		}
		if wrap {
			w.head(majorArray, 1)
		}
		if w.enter() {
			inner.write(w, v.Elem())
			w.leave()
		}
	}
	p.read = func(r *reader, v reflect.Value) {
		if r.null() || wrap && !r.length(1) {
			return
		}
		if r.enter() {
			v.Set(reflect.New(t.Elem()))
			inner.read(r, v.Elem())
			r.leave()
		}
	}
	return nil
}

// list makes the plan of a slice or array: a byte string, or an array, or null
// for a nil slice.
func (c *compiler) list(p *plan, t reflect.Type, path string) error {
	inner, err := c.plan(t.Elem(), path)
	if err != nil {
		return err
	}
	if t.Elem() == reflect.TypeFor[byte]() {
		p.write, p.read = writeBytes, readBytes
		return nil
	}
	p.write = func(w *writer, v reflect.Value) {
		if v.Kind() == reflect.Slice && v.IsNil() {
			w.null()
			return
		}
		w.head(majorArray, uint64(v.Len()))
		if !w.enter() {
			return
		}
		for i := range v.Len() {
			inner.write(w, v.Index(i))
		}
		w.leave()
	}
	p.read = func(r *reader, v reflect.Value) {
		if v.Kind() == reflect.Slice {
			readSlice(r, v, inner)
		} else if r.length(v.Len()) {
			readElements(r, v, 0, v.Len(), inner)
		}
	}
	return nil
}

// firstElements is how much memory, in bytes, a slice is given before its
// elements have been seen to be there.
const firstElements = 64 << 10

func readSlice(r *reader, v reflect.Value, inner *plan) {
	if r.null() {
		return
	}
	n := r.count(majorArray)
	first := min(n, 1+firstElements/int(max(1, v.Type().Elem().Size())))
	v.Set(reflect.MakeSlice(v.Type(), 0, first))
	for have := 0; have < n && r.err == nil; {
		if have == v.Cap() {
			v.Grow(1)
		}
		end := min(n, v.Cap())
		v.SetLen(end)
		readElements(r, v, have, end, inner)
		have = end
	}
}

func readElements(r *reader, v reflect.Value, from, to int, inner *plan) {
	if !r.enter() {
		return
	}
	for i := from; i < to && r.err == nil; i++ {
		inner.read(r, v.Index(i))
	}
	r.leave()
}

func writeBytes(w *writer, v reflect.Value) {
	if v.Kind() == reflect.Slice && v.IsNil() {
		w.null()
		return
	}
	w.bytes(v.Bytes())
}

func readBytes(r *reader, v reflect.Value) {
	if v.Kind() == reflect.Slice && r.null() {
		return
	}
	chunk := r.chunk(majorBytes)
	if v.Kind() == reflect.Slice {
		v.SetBytes(append([]byte{}, chunk...))
		return
	}
	if len(chunk) != v.Len() {
		r.fail(fmt.Errorf("it has %d bytes in place of %d: do all ranks use the same type?", len(chunk), v.Len()))
		return
	}
	reflect.Copy(v, reflect.ValueOf(chunk))
}

// mapping makes the plan of a map: a map, or null for nil.
func (c *compiler) mapping(p *plan, t reflect.Type, path string) error {
	key, err := c.plan(t.Key(), path+"[key]")
	if err != nil {
		return err
	}
	elem, err := c.plan(t.Elem(), path)
	if err != nil {
		return err
	}
	p.write = func(w *writer, v reflect.Value) {
		if v.IsNil() {
			w.null()
			return
		}
		w.head(majorMap, uint64(v.Len()))
		if !w.enter() {
			return
		}
		k, e := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
		for i := v.MapRange(); i.Next(); {
			k.SetIterKey(i)
			e.SetIterValue(i)
			key.write(w, k)
			elem.write(w, e)
		}
		w.leave()
	}
	p.read = func(r *reader, v reflect.Value) {
		if r.null() {
			return
		}
		n := r.count(majorMap)
		v.Set(reflect.MakeMap(t))
		if !r.enter() {
			return
		}
		for i := 0; i < n && r.err == nil; i++ {
			k, e := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
			key.read(r, k)
			elem.read(r, e)
			if !k.Comparable() {
				r.fail(fmt.Errorf("a key of a %v is an array or struct inside an interface, and arrives as what can be no key", t))
				return
			}
			v.SetMapIndex(k, e)
		}
		if r.err == nil && v.Len() != n {
			r.fail(fmt.Errorf("of %d keys of a %v only %d are still different when they arrive, so elements would be lost", n, t, v.Len()))
		}
		r.leave()
	}
	return nil
}

func (p *plan) writeStruct(w *writer, v reflect.Value) {
	w.head(majorArray, uint64(len(p.fields)))
	if !w.enter() {
		return
	}
	for i := range p.fields {
		p.fields[i].plan.write(w, p.fields[i].of(v))
	}
	w.leave()
}

func (p *plan) readStruct(r *reader, v reflect.Value) {
	if !r.length(len(p.fields)) || !r.enter() {
		return
	}
	for i := range p.fields {
		p.fields[i].plan.read(r, p.fields[i].of(v))
	}
	r.leave()
}

// of returns the field of a struct, which is addressable. An embedded struct of
// an unexported type is used as if it were exported, because its fields, or
// its methods, are.
func (f *field) of(v reflect.Value) reflect.Value {
	v = v.Field(f.index)
	if f.hidden {
		return reflect.NewAt(v.Type(), unsafe.Pointer(v.UnsafeAddr())).Elem()
	}
	return v
}
