// Parallel-output lets all ranks write one file at the same time: each its part, at
// its offset, which Exscan finds. So no rank needs room for the whole, and no part
// goes by way of another rank.
//
//	ameexec -n 4 parallel-output squares.txt
//
// On several nodes the file must be on a file system that all of them see, and
// takes writes at offsets from several nodes: Lustre, GPFS, BeeGFS, and NFS too.
// Without a name it is a temporary file, which is removed.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/dlp-mpi/dlp-go/dlp"
)

const lines = 1000

func main() { dlp.Main(run) }

func run(ctx context.Context, world *dlp.Comm) error {
	// Rank 0 makes the file before anybody opens it.
	path, err := dlp.CallOnRoot(ctx, world, create)
	if err != nil {
		return err
	}
	if len(os.Args) < 2 {
		defer os.Remove(path)
	}

	part := text(world)
	offset, err := dlp.Exscan(ctx, world, int64(len(part)), dlp.Sum) // what the ranks before this one write; 0 on rank 0
	if err != nil {
		return err
	}
	if err := write(path, part, offset); err != nil {
		return err
	}

	// All of it is on disk when all ranks are here.
	total, err := dlp.Reduce(ctx, world, int64(len(part)), dlp.Sum)
	if err != nil {
		return err
	}
	if world.IsRoot() {
		fmt.Printf("%d lines, %d bytes\n", lines, total)
	}
	return world.Barrier(ctx) // rank 0 removes what is temporary after that
}

func create() (path string, err error) {
	var file *os.File
	if len(os.Args) < 2 {
		file, err = os.CreateTemp("", "parallel-output-*.txt")
	} else {
		file, err = os.Create(os.Args[1])
	}
	if err != nil {
		return "", err
	}
	return file.Name(), file.Close()
}

// text is this rank's share of the lines.
func text(world *dlp.Comm) []byte {
	var part bytes.Buffer
	begin, end := lines*world.Rank()/world.Size(), lines*(world.Rank()+1)/world.Size()
	for n := begin; n < end; n++ {
		fmt.Fprintf(&part, "%d squared is %d\n", n, n*n)
	}
	return part.Bytes()
}

// write puts a part where it belongs, and reads it again.
func write(path string, part []byte, offset int64) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: all nodes must see the directory", err)
	}
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.WriteAt(part, offset); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	got := make([]byte, len(part))
	if _, err := file.ReadAt(got, offset); err != nil {
		return err
	}
	if !bytes.Equal(part, got) {
		return fmt.Errorf("%s has something else at %d", path, offset)
	}
	return file.Close()
}
