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
			if err != nil {
				return err
			}
			return travelEverywhere(ctx, t, c, v)
		})
		require.NoError(t, errors.Join(errs...))
	})
}

// travelEverywhere is the part of roundTrip in the other collectives.
func travelEverywhere[T any](ctx context.Context, t *testing.T, c *Comm, v T) error {
	got, err := Scatter(ctx, c, []T{v, v, v}, Root(1))
	assert.Equal(t, v, got)
	if err != nil {
		return err
	}
	all, err := Allgather(ctx, c, v)
	assert.Equal(t, []T{v, v, v}, all)
	if err != nil {
		return err
	}
	all, err = Alltoall(ctx, c, []T{v, v, v})
	assert.Equal(t, []T{v, v, v}, all)
	if err != nil {
		return err
	}
	first := func(a, _ T) T { return a }
	got, err = Allreduce(ctx, c, v, first)
	assert.Equal(t, v, got)
	if err != nil {
		return err
	}
	got, err = ReduceScatter(ctx, c, []T{v, v, v}, first)
	assert.Equal(t, v, got)
	return err
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
