package value

import (
	"fmt"
	"reflect"
	"runtime/debug"
	"strings"
	"sync"
)

// plan says how values of one type are written and read. That there is one
// means that nothing of such a value is lost on the way, interfaces apart,
// which are judged when their values are known.
type plan struct {
	own   bool // it encodes itself
	write func(w *writer, v reflect.Value)
	read  func(r *reader, v reflect.Value) // into a zero value

	// Of the type that was asked for, and all that is in it:
	dynamic  bool // there is an interface
	fallible bool // there may be values that cannot be written

	fields []field // of a struct that is written field by field
}

// plans are the plans, or errors, of the types that were asked for.
var plans sync.Map

// planOf returns the plan of a type. An error says which part of the type
// would not arrive, and what to do about it.
func planOf(t reflect.Type) (*plan, error) {
	known, ok := plans.Load(t)
	if !ok {
		c := compiler{plans: map[reflect.Type]*plan{}}
		p, err := c.plan(t, rootName(t))
		if err != nil {
			known = fmt.Errorf("type %v cannot travel: %w", t, err)
		} else {
			p.dynamic, p.fallible = c.dynamic, c.fallible || c.dynamic
			known = p
		}
		plans.Store(t, known)
	}
	if err, bad := known.(error); bad {
		return nil, err
	}
	return known.(*plan), nil
}

// rootName begins the path of a field: the name of the type that it is in.
func rootName(t reflect.Type) string {
	for t.Name() == "" {
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			t = t.Elem()
		default:
			return t.Kind().String()
		}
	}
	return t.Name()
}

// compiler makes the plan of one type and of all that it contains.
type compiler struct {
	plans    map[reflect.Type]*plan // also of types that contain themselves
	dynamic  bool
	fallible bool // an encoding of its own, or a type in itself, which may have no end
}

// plan makes the plan of a type that lies at path. Encodings that keep
// everything go first. What a struct's fields are goes before its text, which
// is made for people: a big.Float of 300 bits has fewer digits there.
func (c *compiler) plan(t reflect.Type, path string) (*plan, error) {
	if p := c.plans[t]; p != nil {
		c.fallible = c.fallible || p.write == nil
		return p, nil
	}
	p := &plan{}
	c.plans[t] = p
	if own := ownEncoding(t, exactEncodings()); own != nil {
		own.fill(p)
		c.fallible = true
		return p, nil
	}
	err := c.fill(p, t, path)
	if err == nil {
		return p, nil
	}
	if own := ownEncoding(t, textEncodings()); own != nil {
		*p = plan{}
		own.fill(p)
		c.fallible = true
		return p, nil
	}
	delete(c.plans, t)
	return nil, err
}

// fill makes the plan of a type from its kind.
func (c *compiler) fill(p *plan, t reflect.Type, path string) error {
	if basic(p, t) {
		return nil
	}
	switch t.Kind() {
	case reflect.Pointer:
		return c.pointer(p, t, path)
	case reflect.Slice, reflect.Array:
		return c.list(p, t, path)
	case reflect.Map:
		return c.mapping(p, t, path)
	case reflect.Struct:
		return c.structure(p, t, path)
	case reflect.Interface:
		c.dynamic = true
		p.write, p.read = writeInterface, readInterface
		return nil
	}
	return fmt.Errorf("%s is a %v, which means nothing in another process", path, t)
}

// field is a part of a struct that travels.
type field struct {
	index  int
	name   string
	plan   *plan
	hidden bool // an unexported embedded struct
}

// structure makes the plan of a struct: an array of its fields.
func (c *compiler) structure(p *plan, t reflect.Type, path string) error {
	for i := range t.NumField() {
		f := t.Field(i)
		if leftOut(f) {
			continue
		}
		name := path + "." + f.Name
		embedded := f.Anonymous && f.Type.Kind() == reflect.Struct
		if !f.IsExported() && !embedded {
			return fmt.Errorf("%s is unexported and would be lost: %s", name, advice(t))
		}
		inner, err := c.plan(f.Type, name)
		if err != nil {
			return err
		}
		p.fields = append(p.fields, field{index: i, name: f.Name, plan: inner, hidden: !f.IsExported()})
	}
	p.write, p.read = p.writeStruct, p.readStruct
	return nil
}

// advice is what to do about an unexported field of a type.
func advice(t reflect.Type) string {
	if t.Name() != "" && !ofProgram(t.PkgPath()) {
		return fmt.Sprintf("%v is of another package, so send what is needed of it as a type of your own, or leave the field that has it out with the tag `dlp:\"-\"`", t)
	}
	return fmt.Sprintf("export it, or give %v MarshalBinary and UnmarshalBinary, or leave the field out with the tag `dlp:\"-\"`", t)
}

// ofProgram says whether a package is of the program's own module, where its
// author can change it. Where the build does not tell, only the standard library
// is known not to be.
func ofProgram(pkg string) bool {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Path != "" {
		return pkg == "main" || pkg == info.Main.Path || strings.HasPrefix(pkg, info.Main.Path+"/")
	}
	first, _, _ := strings.Cut(pkg, "/")
	return pkg == "main" || strings.Contains(first, ".")
}

// leftOut says whether a field holds nothing, or nothing that should travel.
func leftOut(f reflect.StructField) bool {
	switch {
	case f.Name == "_", f.Type.Size() == 0, f.Tag.Get("dlp") == "-":
		return true
	}
	return f.Type == reflect.TypeFor[sync.Mutex]() || f.Type == reflect.TypeFor[sync.RWMutex]()
}
