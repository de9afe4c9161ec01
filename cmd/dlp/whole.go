package main

import (
	"cmp"
	"io"
	"os"
)

// writeWhole writes a file that is there whole or not at all: it gets its name when
// all is written. What is no file, as /dev/stdout, is written directly.
func writeWhole(path string, write func(io.Writer) error) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return writeTo(path, write)
	}
	part := path + ".part"
	if err := writeTo(part, write); err != nil {
		os.Remove(part)
		return err
	}
	return os.Rename(part, path)
}

func writeTo(path string, write func(io.Writer) error) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	err = write(file)
	return cmp.Or(err, file.Close())
}
