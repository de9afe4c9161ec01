package dlp

import (
	"encoding/json"
	"iter"
	"maps"
	"slices"
)

// Tree holds values under paths of any depth. A path has a value or further
// paths below it, never both. It is what NestedMap.Gather returns.
type Tree[V any] struct {
	root node[V]
	size int
}

// node is a leaf if it has no children; the root alone has neither children
// nor a value.
type node[V any] struct {
	children map[string]*node[V]
	value    V
	path     []string // of a leaf
	rank     int      // that has written a leaf
}

// set adds a leaf. It changes nothing and returns a leaf in the way, if there
// is one: that at path, at a prefix of it, or the first one below it.
func (t *Tree[V]) set(value V, path []string, rank int) (other *node[V], ok bool) {
	at, depth := t.find(path)
	switch {
	case depth == len(path):
		return at.firstLeaf(), false
	case at.children == nil && at != &t.root:
		return at, false
	}
	for _, name := range path[depth:] {
		if at.children == nil {
			at.children = map[string]*node[V]{}
		}
		below := &node[V]{}
		at.children[name] = below
		at = below
	}
	at.value, at.path, at.rank = value, path, rank
	t.size++
	return nil, true
}

// find follows path as far as it goes.
func (t *Tree[V]) find(path []string) (at *node[V], depth int) {
	at = &t.root
	for depth < len(path) && at.children[path[depth]] != nil {
		at = at.children[path[depth]]
		depth++
	}
	return at, depth
}

func (n *node[V]) firstLeaf() *node[V] {
	for n.children != nil {
		n = n.children[slices.Min(slices.Collect(maps.Keys(n.children)))]
	}
	return n
}

// Len returns the number of values.
func (t *Tree[V]) Len() int { return t.size }

// Get returns the value at path. It has none if path was not written, or is
// only a prefix of what was.
func (t *Tree[V]) Get(path ...string) (value V, ok bool) {
	at, depth := t.find(path)
	if depth < len(path) || at.path == nil {
		return value, false
	}
	return at.value, true
}

// All yields all paths with their values, in order of the paths' elements.
// The paths are the tree's: do not change them.
func (t *Tree[V]) All() iter.Seq2[[]string, V] {
	return func(yield func([]string, V) bool) { t.root.walk(yield) }
}

func (n *node[V]) walk(yield func([]string, V) bool) bool {
	if n.path != nil {
		return yield(n.path, n.value)
	}
	for _, name := range slices.Sorted(maps.Keys(n.children)) {
		if !n.children[name].walk(yield) {
			return false
		}
	}
	return true
}

// Map returns the tree as maps of maps, with values of type V at the ends.
func (t *Tree[V]) Map() map[string]any { return t.root.toMap() }

func (n *node[V]) toMap() map[string]any {
	m := make(map[string]any, len(n.children))
	for name, below := range n.children {
		if below.path != nil {
			m[name] = below.value
		} else {
			m[name] = below.toMap()
		}
	}
	return m
}

// MarshalJSON encodes the tree as objects in objects, keys sorted.
func (t *Tree[V]) MarshalJSON() ([]byte, error) { return json.Marshal(t.Map()) }
