package dlp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// NestedMap collects values under paths, such as model / data set / example,
// on all ranks during a loop, to be merged on rank 0 when it is over. While
// working it is write-only.
//
//	results := dlp.NewNestedMap[float64](world)
//	for ex, err := range dlp.SplitManaged(ctx, world, examples) {
//		...
//		err := results.Set(errorRate(ex), ex.Speaker, ex.ID)
//	}
//	tree, err := results.Gather(ctx) // of all ranks, on rank 0
//
// A path is either written once, on one rank, or it is a prefix of others.
type NestedMap[V any] struct {
	comm *Comm

	mu   sync.Mutex
	tree Tree[V]
}

// NewNestedMap returns an empty map. It sends nothing; each rank makes its own.
func NewNestedMap[V any](c *Comm) *NestedMap[V] { return &NestedMap[V]{comm: c} }

// Set writes value under path on this rank. It sends nothing and may be called
// from several goroutines. A path that this rank has written before, that is
// a prefix of such a path, or that has one as a prefix, is an error, and so
// is no path at all; the map is then as it was. What other ranks have written
// shows in Gather.
func (m *NestedMap[V]) Set(value V, path ...string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(path) == 0 {
		return m.comm.errorf("nested map", errors.New("a value needs a path"))
	}
	if other, ok := m.tree.set(value, slices.Clone(path), m.comm.Rank()); !ok {
		return m.comm.errorf("nested map", fmt.Errorf("cannot write %s: this rank has written %s", pathText(path), pathText(other.path)))
	}
	return nil
}

// Gather merges what all ranks have written. All ranks must call it, in the same
// order as their other collectives.
//
// Rank 0 gets the tree; every other rank gets nil. If ranks have written the
// same path, or one a path that is a prefix of another one's, the error on rank
// 0 is, or wraps, a *ConflictError, and the tree is returned with it, with the
// value of the lowest rank in each such place. Afterwards the map is empty and
// can be filled again. After any other error, which is as of the function
// Gather, this rank's part is still there.
func (m *NestedMap[V]) Gather(ctx context.Context) (*Tree[V], error) {
	if err := check[V](m.comm, "gather of a nested map"); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var paths [][]string
	var values []V
	for path, value := range m.tree.All() {
		paths, values = append(paths, path), append(values, value)
	}
	// Both, whatever becomes of the first: the other ranks are in both.
	allPaths, err := gather(ctx, m.comm, "gather of a nested map", paths)
	allValues, err2 := gather(ctx, m.comm, "gather of a nested map", values)
	if err := errors.Join(err, err2); err != nil {
		return nil, err
	}
	m.tree = Tree[V]{}
	if !m.comm.IsRoot() {
		return nil, nil
	}
	return merge(m.comm, allPaths, allValues)
}

// merge makes one tree of the parts of all ranks.
func merge[V any](c *Comm, paths [][][]string, values [][]V) (*Tree[V], error) {
	tree := new(Tree[V])
	var conflicts []Conflict
	for rank := range paths {
		if len(paths[rank]) != len(values[rank]) {
			return nil, c.errorf("gather of a nested map", c.fromRank(rank, fmt.Errorf("sent %d paths and %d values", len(paths[rank]), len(values[rank]))))
		}
		for i, path := range paths[rank] {
			if first, ok := tree.set(values[rank][i], path, rank); !ok {
				conflicts = append(conflicts, Conflict{Path: path, Rank: rank, FirstPath: first.path, FirstRank: first.rank})
			}
		}
		paths[rank], values[rank] = nil, nil
	}
	if conflicts != nil {
		return tree, c.errorf("gather of a nested map", &ConflictError{conflicts})
	}
	return tree, nil
}

// Conflict is a path that cannot be in one tree with that of a lower rank.
type Conflict struct {
	Path      []string
	Rank      int      // that has written Path, and whose value is left out
	FirstPath []string // equal to Path, a prefix of it, or longer
	FirstRank int      // that has written FirstPath
}

func (c Conflict) String() string {
	if len(c.Path) == len(c.FirstPath) {
		return fmt.Sprintf("%s on ranks %d and %d", pathText(c.Path), c.FirstRank, c.Rank)
	}
	return fmt.Sprintf("%s on rank %d and %s on rank %d", pathText(c.FirstPath), c.FirstRank, pathText(c.Path), c.Rank)
}

// ConflictError says which paths of a NestedMap more than one rank has
// written, ordered by the rank that is left out and then by path.
type ConflictError struct{ Conflicts []Conflict }

// shownConflicts is how many conflicts the text of the error names.
const shownConflicts = 10

func (e *ConflictError) Error() string {
	var parts []string
	for _, c := range e.Conflicts[:min(shownConflicts, len(e.Conflicts))] {
		parts = append(parts, c.String())
	}
	if more := len(e.Conflicts) - len(parts); more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	return "written more than once: " + strings.Join(parts, "; ")
}

// pathText prints a path: "a" / "b c".
func pathText(path []string) string {
	quoted := make([]string, len(path))
	for i, p := range path {
		quoted[i] = fmt.Sprintf("%q", p)
	}
	return strings.Join(quoted, " / ")
}
