package dlp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type (
	ids    []int32
	level  int8
	levels []level
	inner  struct {
		Name string
		When time.Time
	}
	outer struct {
		In   *inner
		List []inner
		Any  any
		Map  map[string][]float64
	}
)

// roundTrip gathers and broadcasts v, and checks what comes out.
func roundTrip[T any](t *testing.T, name string, v T) {
	t.Run(name, func(t *testing.T) {
		errs := eachRank(t, 3, true, func(ctx context.Context, c *Comm) error {
			all, err := Gather(ctx, c, v)
			if err != nil {
				return err
			}
			if c.IsRoot() {
				assert.Equal(t, []T{v, v, v}, all)
			} else {
				assert.Nil(t, all)
			}
			var ignored T
			if c.IsRoot() {
				ignored = v
			}
			got, err := Bcast(ctx, c, ignored)
			assert.Equal(t, v, got)
			return err
		})
		require.NoError(t, errors.Join(errs...))
	})
}

func TestValuesTravel(t *testing.T) {
	now := time.Date(2024, 2, 29, 12, 0, 0, 123456789, time.FixedZone("", 3600))
	roundTrip(t, "int", 42)
	roundTrip(t, "bool", true)
	roundTrip(t, "float", math.Inf(-1))
	roundTrip(t, "string", "grün")
	roundTrip(t, "empty string", "")
	roundTrip(t, "string not UTF-8", "a\xff\x00b")
	roundTrip(t, "bytes", []byte{1, 2, 3})
	roundTrip(t, "nil bytes", []byte(nil))
	roundTrip(t, "empty bytes", []byte{})
	roundTrip(t, "raw JSON", json.RawMessage(`{"a":1}`))
	roundTrip(t, "floats", []float64{1.5, math.MaxFloat64})
	roundTrip(t, "nil floats", []float64(nil))
	roundTrip(t, "empty floats", []float64{})
	roundTrip(t, "ints", []int{-1, math.MaxInt})
	roundTrip(t, "complex", []complex64{complex(1, -2)})
	roundTrip(t, "durations", []time.Duration{time.Hour})
	roundTrip(t, "named slice", ids{1, 2})
	roundTrip(t, "named slice of named", levels{-3, 7})
	roundTrip(t, "nil named slice", ids(nil))
	roundTrip(t, "bools", []bool{true, false})
	roundTrip(t, "strings", []string{"a", "b\xff"})
	roundTrip(t, "slices of floats", [][]float64{{1}, nil, {}, {2, 3}})
	roundTrip(t, "array", [2]uint16{1, 2})
	roundTrip(t, "time", now)
	roundTrip(t, "pointer", &inner{"a", now})
	roundTrip(t, "nil pointer", (*inner)(nil))
	roundTrip(t, "struct", outer{In: &inner{"x", now}, List: []inner{}, Any: int64(-3), Map: map[string][]float64{"a": {1}}})
	roundTrip(t, "any nil", any(nil))
	roundTrip(t, "any int", any(int64(5)))
	roundTrip(t, "any map", any(map[string]any{"a": []any{int64(1), "b", 1.5, true, nil}}))
	roundTrip(t, "empty struct", struct{}{})
	roundTrip(t, "large slice", make([]float32, 1<<15))
	roundTrip(t, "nil error", error(nil))
}

func TestMapAboveTheDefaultLimitOfCBOR(t *testing.T) {
	const n = 131_072 + 1
	require.NoError(t, Run(t.Context(), 2, func(ctx context.Context, c *Comm) error {
		big := map[int]bool{}
		if c.IsRoot() {
			for i := range n {
				big[i] = true
			}
		}
		got, err := Bcast(ctx, c, big)
		assert.Len(t, got, n)
		return err
	}))
}

// sendOf gathers a value of rank 1 and sends one of rank 0.
func sendOf[T any](ctx context.Context, c *Comm, v T) (gathered, sent error) {
	var own T
	if c.Rank() == 1 {
		own = v
	}
	_, gathered = Gather(ctx, c, own)
	_, sent = Bcast(ctx, c, v)
	return gathered, sent
}

func TestValuesThatCannotTravel(t *testing.T) {
	type calls = func(ctx context.Context, c *Comm) (gathered, sent error)
	tests := map[string]struct {
		want string
		send calls
	}{
		"chan":       {"chan int", func(ctx context.Context, c *Comm) (_, _ error) { return sendOf[any](ctx, c, make(chan int)) }},
		"unexported": {"closedBook.x", func(ctx context.Context, c *Comm) (_, _ error) { return sendOf[any](ctx, c, closedBook{1}) }},
		"error":      {"errors.errorString", func(ctx context.Context, c *Comm) (_, _ error) { return sendOf(ctx, c, errOdd) }},
		"own error":  {"I stay here", func(ctx context.Context, c *Comm) (_, _ error) { return sendOf(ctx, c, &selfish{}) }},
		"own panic":  {"I crash", func(ctx context.Context, c *Comm) (_, _ error) { return sendOf(ctx, c, &crashing{}) }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var gathered, sent [3]error
			eachRank(t, 3, true, func(ctx context.Context, c *Comm) error {
				gathered[c.Rank()], sent[c.Rank()] = test.send(ctx, c)
				return nil
			})
			for rank, err := range sent {
				assert.ErrorContains(t, err, test.want, "bcast on rank %d", rank)
			}
			assert.ErrorContains(t, gathered[0], test.want)
			assert.ErrorContains(t, gathered[0], "rank 1 on ")
			assert.ErrorContains(t, gathered[1], test.want)
			assert.NoError(t, gathered[2])
		})
	}
}

// A type that would lose something is refused by every call, on all ranks, and
// when there is only one.
func TestTypesThatCannotTravel(t *testing.T) {
	const want = "T.Stats.mean is unexported and would be lost"
	type Stats struct {
		N    int
		mean float64
	}
	type T struct{ Stats []Stats }
	calls := map[string]func(ctx context.Context, c *Comm) error{
		"gather": func(ctx context.Context, c *Comm) error { _, err := Gather(ctx, c, T{}); return err },
		"bcast":  func(ctx context.Context, c *Comm) error { _, err := Bcast(ctx, c, &T{}); return err },
		"call on root": func(ctx context.Context, c *Comm) error {
			_, err := CallOnRoot(ctx, c, func() ([]T, error) { return nil, errors.New("called") })
			return err
		},
		"map":         func(ctx context.Context, c *Comm) error { return mapOf(ctx, c, map[string]T{}) },
		"list":        func(ctx context.Context, c *Comm) error { _, err := NewUnorderedList[T](c).Gather(ctx); return err },
		"nested map":  func(ctx context.Context, c *Comm) error { _, err := NewNestedMap[T](c).Gather(ctx); return err },
		"func inside": func(ctx context.Context, c *Comm) error { _, err := Gather(ctx, c, struct{ F func() }{}); return err },
	}
	for op, call := range calls {
		for _, size := range []int{1, 3} {
			for rank, err := range eachRank(t, size, true, call) {
				if op == "func inside" {
					assert.ErrorContains(t, err, "struct.F is a func(), which means nothing in another process")
				} else {
					assert.ErrorContains(t, err, want, "%s on rank %d of %d", op, rank, size)
				}
			}
		}
	}
	require.NoError(t, Run(t.Context(), 2, func(ctx context.Context, c *Comm) error {
		_, err := Gather(ctx, c, Stats{N: 1, mean: 2})
		return err
	}, WithCodec(jsonCodec{})), "a codec of the user's is the user's matter")
}

// What rank 0 gets of its own is what the others would give.
func TestAnyHasOneTypeOnAllRanks(t *testing.T) {
	type pair struct{ X, Y int }
	errs := eachRank(t, 3, true, func(ctx context.Context, c *Comm) error {
		for _, v := range []any{5, float32(1.5), pair{1, 2}, map[string]int{"a": 1}, []string{"x"}, &pair{3, 4}} {
			all, err := Gather(ctx, c, v)
			if err != nil {
				return err
			}
			if c.IsRoot() {
				assert.Equal(t, []any{all[1], all[1], all[2]}, all)
			}
			got, err := Bcast(ctx, c, v)
			if err != nil {
				return err
			}
			types, err := Gather(ctx, c, fmt.Sprintf("%T", got))
			if c.IsRoot() {
				assert.Equal(t, []string{types[0], types[0], types[0]}, types)
			}
			if err != nil {
				return err
			}
			for r, err := range MapUnordered(ctx, c, numbers(9), func(context.Context, int) (any, error) { return v, nil }, RootWorks()) {
				if err != nil {
					return err
				}
				assert.IsType(t, got, r.Value, "rank %d", r.Rank)
			}
		}
		return nil
	})
	require.NoError(t, errors.Join(errs...))
}

func TestTypesDiffer(t *testing.T) {
	errs := eachRank(t, 2, true, func(ctx context.Context, c *Comm) error {
		if c.IsRoot() {
			_, err := Gather(ctx, c, "text")
			return err
		}
		_, err := Gather(ctx, c, []int32{1})
		return err
	})
	assert.ErrorContains(t, errs[0], "rank 1 on ")
	assert.ErrorContains(t, errs[0], "got []int32 where string is wanted as string")
	assert.NoError(t, errs[1])
}

func TestValuesAreNotShared(t *testing.T) {
	errs := eachRank(t, 3, true, func(ctx context.Context, c *Comm) error {
		own := []int64{int64(c.Rank()), 1, 2}
		got, err := Bcast(ctx, c, own)
		if err != nil {
			return err
		}
		all, err := Gather(ctx, c, own)
		if err != nil {
			return err
		}
		own[1], own[2] = -1, -1
		if err := c.Barrier(ctx); err != nil {
			return err
		}
		if c.IsRoot() {
			assert.Equal(t, []int64{2, 1, 2}, all[2])
			return nil
		}
		assert.Equal(t, []int64{0, 1, 2}, got)
		return nil
	})
	require.NoError(t, errors.Join(errs...))
}

func TestCallOnRoot(t *testing.T) {
	for _, size := range []int{1, 3} {
		errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
			v, err := CallOnRoot(ctx, c, func() (string, error) { return fmt.Sprint("from ", c.Rank()), nil })
			assert.Equal(t, "from 0", v)
			return err
		})
		require.NoError(t, errors.Join(errs...))

		errs = eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
			_, err := CallOnRoot(ctx, c, func() (string, error) { return "x", errOdd })
			return err
		})
		for rank, err := range errs {
			assert.ErrorContains(t, err, "odd one out")
			assert.Equal(t, rank == 0, errors.Is(err, errOdd))
		}

		errs = eachRank(t, size, true, func(ctx context.Context, c *Comm) (err error) {
			defer func() {
				if v := recover(); v != nil {
					assert.Equal(t, "boom", v)
				}
			}()
			_, err = CallOnRoot(ctx, c, func() (string, error) { panic("boom") })
			return err
		})
		for _, err := range errs[1:] {
			assert.ErrorContains(t, err, "rank 0 on ")
		}
	}
}

func TestWithCodec(t *testing.T) {
	require.NoError(t, Run(t.Context(), 2, func(ctx context.Context, c *Comm) error {
		all, err := Gather(ctx, c, map[string]int{"rank": c.Rank()})
		if c.IsRoot() {
			assert.Equal(t, []map[string]int{{"rank": 0}, {"rank": 1}}, all)
		}
		return err
	}, WithCodec(jsonCodec{})))
}

type jsonCodec struct{}

func (jsonCodec) Marshal(v any) ([]byte, error)      { return json.Marshal(v) }
func (jsonCodec) Unmarshal(data []byte, v any) error { return json.Unmarshal(data, v) }
