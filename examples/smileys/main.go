// Smileys lets every rank show another face. Rank 0 shows how many there are.
//
//	ameexec -n 4 smileys
package main

import (
	"context"
	"fmt"

	"github.com/dlp-mpi/dlp-go/dlp"
)

func main() { dlp.Main(run) }

func run(ctx context.Context, world *dlp.Comm) error {
	const first, last = '😀', '😶' // U+1F600 to U+1F636
	face := string(first + rune(world.Rank()%(last-first+1)))
	fmt.Printf("rank %d of %d: %s\n", world.Rank(), world.Size(), face)

	faces, err := dlp.Gather(ctx, world, face)
	if err != nil {
		return err
	}
	if world.IsRoot() {
		fmt.Println("all:", faces)
	}
	return nil
}
