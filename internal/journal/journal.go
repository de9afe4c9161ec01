package journal

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

const (
	// syncEvery bounds how long what is written may be at risk if the machine fails.
	// If only the process does, nothing is.
	syncEvery = time.Second

	// syncSize, in bytes, is how much begins a sync before that, so that the disk
	// works while the program does, and Close has little left to wait for.
	syncSize = 4 << 20
)

// Journal is an open file. Put and Commit are for one goroutine at a time, its
// other methods for any.
type Journal struct {
	path string
	each bool // every Commit is synced
	salt uint32

	buf     []byte // what was Put
	pending int    // finished items in it

	mu       sync.Mutex
	file     *os.File
	size     int64
	finished map[ID]int64   // before this start: offset of the record
	added    int            // since then
	err      error          // of a write or sync: nothing is written any more
	timer    *time.Timer    // of the next sync; nil: there is nothing to sync
	unsynced int64          // bytes that are for that
	busy     bool           // a sync is under way
	syncing  sync.WaitGroup // syncs under way, or due
	closed   bool
	ahead    window
}

// Offset returns where in the file an item is that was finished before this
// start, ok == false if it was not.
func (j *Journal) Offset(id ID) (offset int64, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	offset, ok = j.finished[id]
	return offset, ok
}

// Lookup returns the record of an item that was finished before this start, ok ==
// false if it was not.
func (j *Journal) Lookup(id ID) (r Record, ok bool, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	offset, ok := j.finished[id]
	if !ok {
		return r, false, nil
	}
	body, err := j.ahead.read(j.file, offset, j.salt)
	if err == nil {
		err = parseRecord(body[1:], &r)
	}
	if err != nil {
		return r, false, fmt.Errorf("journal %s: at byte %d: %w", j.path, offset, err)
	}
	return r, true, nil
}

// Known says whether any item was finished before this start.
func (j *Journal) Known() bool { return len(j.finished) > 0 }

// Put adds a record to those that Commit writes. It does not keep its memory.
func (j *Journal) Put(r *Record) error {
	if int64(len(r.Body)) > maxBody-1024 {
		return fmt.Errorf("journal %s: the result of item %d has %d bytes, more than a record can have", j.path, r.Index, len(r.Body))
	}
	start := len(j.buf)
	j.buf = r.append(append(j.buf, emptyPrefix...))
	closeFrame(j.buf[start:], j.salt)
	if !r.Failed {
		j.pending++
	}
	return nil
}

// Commit writes what was Put. After an error nothing of that is in the file, as
// far as that can be achieved, and all later calls return the same error. What is
// written survives the end of the process at once, and that of the machine after
// a second, or at once with sync.
func (j *Journal) Commit() error {
	b := j.buf
	if j.buf = b[:0]; cap(b) > maxKept {
		j.buf = nil
	}
	pending := j.pending
	j.pending = 0
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.err != nil:
		return j.err
	case len(b) == 0:
		return nil
	}
	if err := j.write(b); err != nil {
		return j.fail(err)
	}
	j.added += pending
	if j.each {
		if err := j.file.Sync(); err != nil {
			return j.fail(err)
		}
		return nil
	}
	j.unsynced += int64(len(b))
	switch {
	case j.timer == nil:
		j.syncing.Add(1)
		j.timer = time.AfterFunc(syncEvery, j.syncLater)
	case j.unsynced >= syncSize && !j.busy && j.timer.Stop():
		j.busy = true
		go j.syncLater()
	}
	return nil
}

// maxKept bounds the buffer that is kept for the next Put, in bytes.
const maxKept = 4 << 20

// write appends to the file. What was written of a write that has failed is cut
// off again; if that fails as well, the next Open does it.
func (j *Journal) write(b []byte) error {
	if _, err := j.file.WriteAt(b, j.size); err != nil {
		_ = j.file.Truncate(j.size) // WriteAt does not tell how much it has written
		return err
	}
	j.size += int64(len(b))
	return nil
}

func (j *Journal) fail(err error) error {
	j.err = fmt.Errorf("journal %s: %w; %d finished items are safe in it", j.path, err, len(j.finished)+j.added)
	return j.err
}

// syncLater syncs what was written. Commit goes on meanwhile.
func (j *Journal) syncLater() {
	defer j.syncing.Done()
	j.mu.Lock()
	j.timer, j.unsynced, j.busy = nil, 0, true
	j.mu.Unlock()
	err := j.file.Sync()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.busy = false
	if err != nil && j.err == nil {
		_ = j.fail(err)
	}
}

// Close syncs and closes the file, which ends its lock, and returns the first
// error that the file has had. A second Close does nothing.
func (j *Journal) Close() error {
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		return nil
	}
	j.closed = true
	if j.timer != nil && j.timer.Stop() {
		j.syncing.Done()
	}
	j.mu.Unlock()
	j.syncing.Wait()
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.file.Sync(); err != nil && j.err == nil {
		_ = j.fail(err)
	}
	if err := j.file.Close(); err != nil && j.err == nil {
		_ = j.fail(err)
	}
	if j.err == nil {
		j.err = fmt.Errorf("journal %s: %w", j.path, os.ErrClosed)
		return nil
	}
	return j.err
}

// window is what was read of the file last: records are mostly looked up in the
// order in which they are there.
type window struct {
	offset int64
	b      []byte
}

// windowSize is how much is read at once.
const windowSize = 256 << 10

// read returns the body of the record at an offset, in memory of its own.
func (w *window) read(file io.ReaderAt, offset int64, salt uint32) ([]byte, error) {
	prefix, err := w.at(file, offset, prefixSize)
	if err != nil {
		return nil, err
	}
	length, check, ok := parsePrefix(prefix, maxBody+int64(prefixSize))
	salt = sum(salt, prefix[prefixSize-4:])
	if !ok || length == 0 {
		return nil, errBody
	}
	var body []byte
	if length > windowSize {
		body = make([]byte, length)
		_, err = file.ReadAt(body, offset+int64(prefixSize))
	} else if body, err = w.at(file, offset+int64(prefixSize), int(length)); err == nil {
		body = append([]byte(nil), body...)
	}
	if err != nil {
		return nil, err
	}
	if sum(salt, body) != check {
		return nil, errBody
	}
	return body, nil
}

// at returns n bytes at an offset, until it is called again.
func (w *window) at(file io.ReaderAt, offset int64, n int) ([]byte, error) {
	if skip := offset - w.offset; skip >= 0 && skip+int64(n) <= int64(len(w.b)) {
		return w.b[skip:][:n], nil
	}
	if w.b == nil {
		w.b = make([]byte, windowSize)
	}
	w.b = w.b[:windowSize]
	got, err := file.ReadAt(w.b, offset)
	w.offset, w.b = offset, w.b[:max(0, got)]
	if got < n {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return w.b[:n], nil
}
