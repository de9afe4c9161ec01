// Nested sends values of nested types: maps in maps, complex numbers, strings of
// any script. They arrive as they are, with their types.
//
//	ameexec -n 4 nested
package main

import (
	"context"
	"fmt"
	"reflect"

	"github.com/dlp-mpi/dlp-go/dlp"
)

func main() { dlp.Main(run) }

// sample is a measurement of several channels.
type sample struct {
	Title    string
	Channels map[string]map[int]complex128
	Tags     [][]string
	Next     *sample
}

func newSample() sample {
	return sample{
		Title: "Spannung, напряжение, 電圧",
		Channels: map[string]map[int]complex128{
			"left":  {50: 230 + 0i, 150: 3 - 1.5i},
			"right": {50: 229.5 + 2i},
			"none":  {},
		},
		Tags: [][]string{{"a", ""}, nil, {}},
		Next: &sample{Title: "the one behind"},
	}
}

func run(ctx context.Context, world *dlp.Comm) error {
	var mine sample
	if world.IsRoot() {
		mine = newSample()
	}
	mine, err := dlp.Bcast(ctx, world, mine)
	if err != nil {
		return err
	}

	// What came is what was sent, and goes back.
	mine.Channels["left"][50] *= 1i
	all, err := dlp.Gather(ctx, world, mine)
	if err != nil || !world.IsRoot() {
		return err
	}
	want := newSample()
	want.Channels["left"][50] = 230i
	same := 0
	for _, s := range all {
		if reflect.DeepEqual(want, s) {
			same++
		}
	}
	fmt.Println("all ranks have sent the same back:", same == len(all))
	fmt.Println(all[len(all)-1].Title, all[len(all)-1].Channels["left"])
	return nil
}
