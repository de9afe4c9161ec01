package value

import "reflect"

const (
	// sizeVisits bounds how many parts of a value are looked at for its size. Of
	// long lists and maps the first elements stand for the others.
	sizeVisits = 1000

	// sizeDepth bounds how deep they are, as a value may contain itself.
	sizeDepth = 20
)

// Size estimates how many bytes v takes, with all that it points to.
func Size[T any](v T) int {
	s := sizer{visits: sizeVisits}
	return s.of(reflect.ValueOf(&v).Elem(), 0)
}

type sizer struct {
	visits int
	inside bool // a field that is the type's own affair, with locks maybe that are not held here
}

// of returns the size of a value with what it points to.
func (s *sizer) of(v reflect.Value, depth int) int {
	s.visits--
	size := int(v.Type().Size())
	if depth == sizeDepth || s.visits <= 0 {
		return size
	}
	depth++
	switch v.Kind() {
	case reflect.String:
		size += v.Len()
	case reflect.Slice:
		if elem := v.Type().Elem(); flat(elem) {
			size += v.Len() * int(elem.Size())
		} else {
			size += s.list(v, depth)
		}
	case reflect.Array:
		if !flat(v.Type()) {
			size = s.list(v, depth)
		}
	case reflect.Map:
		if !s.inside {
			size += s.mapping(v, depth)
		}
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			size += s.of(v.Elem(), depth)
		}
	case reflect.Struct:
		size += s.fields(v, depth)
	}
	return size
}

// fields returns what the fields of a struct point to, but for those that do not
// travel.
func (s *sizer) fields(v reflect.Value, depth int) (size int) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if leftOut(f) {
			continue
		}
		outer := s.inside
		s.inside = outer || !f.IsExported()
		size += s.of(v.Field(i), depth) - int(f.Type.Size())
		s.inside = outer
	}
	return size
}

// list returns the size of the elements of a slice or array.
func (s *sizer) list(v reflect.Value, depth int) int {
	sum, n := 0, 0
	for ; n < v.Len() && s.visits > 0; n++ {
		sum += s.of(v.Index(n), depth)
	}
	return scaled(sum, n, v.Len())
}

func (s *sizer) mapping(v reflect.Value, depth int) int {
	sum, n := 0, 0
	for i := v.MapRange(); s.visits > 0 && i.Next(); n++ {
		sum += s.of(i.Key(), depth) + s.of(i.Value(), depth)
	}
	return scaled(sum, n, v.Len())
}

// scaled is what all elements take if the first n take sum.
func scaled(sum, n, all int) int {
	if n == 0 {
		return 0
	}
	return int(float64(sum) * float64(all) / float64(n))
}

// flat says whether values of a type point to nothing.
func flat(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return flat(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if !flat(t.Field(i).Type) {
				return false
			}
		}
		return true
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.String, reflect.Interface, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return false
	}
	return true
}
