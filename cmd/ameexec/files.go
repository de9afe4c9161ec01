package main

import (
	"os"
)

// fileWriter writes a rank's output to its file until a write fails, and then
// lets the rank go on until the job ends.
type fileWriter struct {
	file   *os.File
	fail   func(error)
	failed bool
}

func (w *fileWriter) Write(data []byte) (int, error) {
	if !w.failed {
		if _, err := w.file.Write(data); err != nil {
			w.failed = true
			w.fail(err)
		}
	}
	return len(data), nil
}

// Close may be where a network file system says that the disk is full.
func (w *fileWriter) Close() error {
	err := w.file.Close()
	if err != nil && !w.failed {
		w.fail(err)
	}
	return err
}

// closers are done one after another.
type closers []func() error

func (c closers) Close() error {
	for _, do := range c {
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}
