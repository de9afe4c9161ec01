package main

import (
	"bytes"
	"os"

	"github.com/dlp-mpi/dlp-go/internal/launch"
)

// finished is an item that has ended, on its way to be printed. It has not the item
// itself, which may be long, and wait here for many others.
type finished struct {
	index   int
	label   string
	streams [2]content
	done    func() // lets go of the streams
}

// sequencer hands on what comes in the order of the items. What must wait is
// kept in memory up to heldInMemory, then in a file without a name.
type sequencer struct {
	next    int
	held    map[int]finished
	memory  int64
	file    *os.File
	size    int64 // of file
	filed   int   // of held, how many are in file
	spool   string
	forward func(finished) error
}

const heldInMemory = 32 << 20 // bytes

func newSequencer(spool string, forward func(finished) error) *sequencer {
	return &sequencer{held: make(map[int]finished), spool: spool, forward: forward}
}

// add takes an item that has ended, and hands on all that are due.
func (s *sequencer) add(f finished) error {
	if f.index != s.next {
		return s.hold(f)
	}
	for {
		if err := s.forward(f); err != nil {
			return err
		}
		s.next++
		var ok bool
		if f, ok = s.held[s.next]; !ok {
			return nil
		}
		delete(s.held, s.next)
	}
}

// hold keeps an item for later.
func (s *sequencer) hold(f finished) error {
	size := int64(0)
	for _, stream := range f.streams {
		if reader, ok := stream.(*bytes.Reader); ok {
			size += reader.Size()
		}
	}
	if s.memory += size; s.memory > heldInMemory && size > 0 {
		s.memory -= size
		if err := s.store(&f); err != nil {
			return err
		}
	} else if size > 0 {
		release := f.done
		f.done = func() { s.memory -= size; release() }
	}
	s.held[f.index] = f
	return nil
}

// store moves what is in memory to the file.
func (s *sequencer) store(f *finished) (err error) {
	if s.file == nil {
		if s.file, err = launch.Unnamed(s.spool); err != nil {
			return err
		}
	}
	for i, stream := range f.streams {
		reader, ok := stream.(*bytes.Reader)
		if !ok {
			continue
		}
		part := filed{s.file, s.size, reader.Size()}
		data := make([]byte, reader.Size())
		reader.ReadAt(data, 0) // of memory
		if _, err := s.file.WriteAt(data, s.size); err != nil {
			return err
		}
		s.size += part.size
		f.streams[i] = part
	}
	s.filed++
	release := f.done
	f.done = func() {
		release()
		if s.filed--; s.filed == 0 {
			s.size = 0
			s.file.Truncate(0) // else it is only longer
		}
	}
	return nil
}

// filed is a part of a file.
type filed struct {
	file         *os.File
	offset, size int64
}

func (f filed) Size() int64 { return f.size }

func (f filed) ReadAt(data []byte, offset int64) (int, error) {
	return f.file.ReadAt(data[:min(int64(len(data)), f.size-offset)], f.offset+offset)
}

// rest hands on what is held when no more comes, in order.
func (s *sequencer) rest() error {
	for len(s.held) > 0 {
		f, ok := s.held[s.next]
		delete(s.held, s.next)
		s.next++
		if !ok {
			continue
		}
		if err := s.forward(f); err != nil {
			return err
		}
	}
	return nil
}

func (s *sequencer) close() {
	for _, f := range s.held {
		f.done()
	}
	if s.file != nil {
		s.file.Close()
	}
}
