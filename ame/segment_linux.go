package ame

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// newSegment makes, on rank 0, a segment for the processes of this node. It
// is a file without a name, which the others open as a descriptor of this
// process: nothing is left of it, however the job ends, and of other users only
// root can get at it.
func newSegment(size int) (*segment, error) {
	// Some systems insist that nothing in it can be executed, older ones do
	// not know how to say that.
	descriptor, err := unix.MemfdCreate("ame", unix.MFD_CLOEXEC|unix.MFD_NOEXEC_SEAL)
	if err == unix.EINVAL {
		descriptor, err = unix.MemfdCreate("ame", unix.MFD_CLOEXEC)
	}
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	unix.Fchmod(descriptor, 0o600)
	// Memory that is missing is to be an error here, not a signal later.
	err = unix.EINTR
	for err == unix.EINTR {
		err = unix.Fallocate(descriptor, 0, 0, segmentBytes(size))
	}
	if err != nil {
		unix.Close(descriptor)
		return nil, fmt.Errorf("fallocate: %w", err)
	}
	s, err := mapSegment(descriptor, size)
	if err != nil {
		unix.Close(descriptor)
		return nil, err
	}
	s.offer = &segmentOffer{descriptor: int32(descriptor)}
	rand.Read(s.offer.token[:])
	for i := range len(segmentToken{}) / 4 {
		s.words[i].Store(binary.NativeEndian.Uint32(s.offer.token[4*i:]))
	}
	unmap := s.release
	s.release = func() {
		unmap()
		unix.Close(descriptor)
	}
	return s, nil
}

// openSegment opens what the process pid of rank 0 has offered. If pid counts
// in another container's numbers, what is there is not that segment.
func openSegment(pid int, offer segmentOffer, size int) (*segment, error) {
	path := fmt.Sprintf("/proc/%d/fd/%d", pid, offer.descriptor)
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() || int(stat.Uid) != os.Geteuid() || info.Size() != segmentBytes(size) {
		return nil, fmt.Errorf("%s: %w", path, errNotSegment)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s, err := mapSegment(int(f.Fd()), size)
	if err != nil {
		return nil, err
	}
	var found segmentToken
	for i := range len(segmentToken{}) / 4 {
		binary.NativeEndian.PutUint32(found[4*i:], s.words[i].Load())
	}
	if found != offer.token {
		s.release()
		return nil, fmt.Errorf("%s: %w", path, errNotSegment)
	}
	return s, nil
}

var errNotSegment = errors.New("not the memory that rank 0 has offered: it runs in another container, as another user, or on another node of the same name")

func segmentBytes(size int) int64 { return int64(segmentWords(size)) * 4 }

func mapSegment(descriptor, size int) (*segment, error) {
	b, err := unix.Mmap(descriptor, 0, int(segmentBytes(size)), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("mmap: %w", err)
	}
	words := unsafe.Slice((*atomic.Uint32)(unsafe.Pointer(unsafe.SliceData(b))), segmentWords(size))
	return &segment{size: size, words: words, yield: yieldCPU, release: func() { unix.Munmap(b) }}, nil
}

// yieldCPU lets other processes run. Goroutines of this one have to wait: to
// ask for them too would make the runtime wake a thread each time.
func yieldCPU() {
	unix.Syscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
}
