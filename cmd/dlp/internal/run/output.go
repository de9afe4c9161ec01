package run

import (
	"io"
	"os"
	"sync"
	"time"

	"github.com/dlp-mpi/dlp-go/internal/launch"
)

// inMemory is how many bytes of a stream are kept in memory; what is longer goes
// to a file.
const inMemory = 32 << 10

// Output is what a process has written to one of its streams: a few bytes, or a
// file without a name. It must be closed.
type Output struct {
	head  []byte
	file  *os.File // after head
	size  int64
	spool string
	err   error // of the file; what came then is lost
}

// Size is the number of bytes.
func (o *Output) Size() int64 { return o.size }

// InMemory is how many of them are in memory.
func (o *Output) InMemory() int { return len(o.head) }

// Err says why not all is here.
func (o *Output) Err() error { return o.err }

// Write adds to the output. It does not fail; see Err.
func (o *Output) Write(data []byte) (int, error) {
	n := len(data)
	if o.file == nil && len(o.head)+n <= inMemory {
		o.head = append(o.head, data...)
		o.size += int64(n)
		return n, nil
	}
	if o.file == nil && o.err == nil {
		o.file, o.err = launch.Unnamed(o.spool)
	}
	if o.err == nil {
		if _, o.err = o.file.WriteAt(data, o.size-int64(len(o.head))); o.err == nil {
			o.size += int64(n)
		}
	}
	return n, nil
}

// ReadAt reads as io.ReaderAt does.
func (o *Output) ReadAt(data []byte, offset int64) (n int, err error) {
	if head := int64(len(o.head)); offset < head {
		n = copy(data, o.head[offset:])
		data, offset = data[n:], head
	}
	if len(data) == 0 {
		return n, nil
	}
	if o.file == nil {
		return n, io.EOF
	}
	more, err := o.file.ReadAt(data[:min(int64(len(data)), max(0, o.size-offset))], offset-int64(len(o.head)))
	if err == nil && more < len(data) {
		err = io.EOF
	}
	return n + more, err
}

// Bytes is the whole output if it is in memory.
func (o *Output) Bytes() (all []byte, ok bool) { return o.head, o.file == nil }

// Close lets go of the file.
func (o *Output) Close() {
	if o.file != nil {
		o.file.Close()
		o.file = nil
	}
	o.head = nil
}

// linger is how long a stream is read after its process has ended: another one
// that got away may hold it open.
const linger = 100 * time.Millisecond

// pipes are the read ends of a process's streams, and who reads them.
type pipes struct {
	read  []*os.File
	write []*os.File
	pumps sync.WaitGroup
}

// open returns the write end of a pipe that feeds to.
func (p *pipes) open(to io.Writer) (*os.File, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.read, p.write = append(p.read, read), append(p.write, write)
	p.pumps.Go(func() { launch.Pump(to, read) })
	return write, nil
}

// started closes what the process has now itself.
func (p *pipes) started() {
	for _, file := range p.write {
		file.Close()
	}
}

// finish returns when all that the process has written is read.
func (p *pipes) finish() {
	timer := time.AfterFunc(linger, func() {
		for _, file := range p.read {
			file.SetReadDeadline(time.Now())
		}
	})
	p.pumps.Wait()
	timer.Stop()
	for _, file := range p.read {
		file.Close()
	}
}
