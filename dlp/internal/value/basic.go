package value

import (
	"errors"
	"reflect"
)

// basic makes the plan of a type that is one number, string or bool.
func basic(p *plan, t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Bool:
		p.write = func(w *writer, v reflect.Value) { w.bool(v.Bool()) }
		p.read = func(r *reader, v reflect.Value) { v.SetBool(r.bool()) }
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		p.write = func(w *writer, v reflect.Value) { w.int(v.Int()) }
		p.read = readInt
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		p.write = func(w *writer, v reflect.Value) { w.head(majorUint, v.Uint()) }
		p.read = readUint
	case reflect.Float32:
		p.write = func(w *writer, v reflect.Value) { w.float32(float32(v.Float())) }
		p.read = func(r *reader, v reflect.Value) { v.SetFloat(r.float()) }
	case reflect.Float64:
		p.write = func(w *writer, v reflect.Value) { w.float64(v.Float()) }
		p.read = func(r *reader, v reflect.Value) { v.SetFloat(r.float()) }
	case reflect.Complex64, reflect.Complex128:
		p.write = func(w *writer, v reflect.Value) { w.complex(v.Complex()) }
		p.read = func(r *reader, v reflect.Value) { v.SetComplex(r.complex()) }
	case reflect.String:
		p.write = func(w *writer, v reflect.Value) { w.text(v.String()) }
		p.read = func(r *reader, v reflect.Value) { v.SetString(string(r.chunk(majorText))) }
	default:
		return false
	}
	return true
}

var errRange = errors.New("a number is out of the range of its type: do all ranks use the same type?")

func readInt(r *reader, v reflect.Value) {
	n := r.int()
	if v.OverflowInt(n) {
		r.fail(errRange)
		return
	}
	v.SetInt(n)
}

func readUint(r *reader, v reflect.Value) {
	n := r.want(majorUint)
	if v.OverflowUint(n) {
		r.fail(errRange)
		return
	}
	v.SetUint(n)
}
