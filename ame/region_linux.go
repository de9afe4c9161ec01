package ame

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// region is memory that processes of this node share. It is a file without a
// name: nothing is left of it, however the job ends, and of other users only
// root can get at it. It begins with the token of its offer, and its length
// never changes, so that whoever has it can touch all of it.
type region struct {
	bytes      []byte
	descriptor int // -1: closed; the memory stays
}

// unchanging are the seals of a region.
const unchanging = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL

// newRegion makes a region of n bytes, and says how others find it.
func newRegion(n int) (*region, memoryOffer, error) {
	// Some systems insist that nothing in it can be executed, older ones do
	// not know how to say that.
	descriptor, err := unix.MemfdCreate("ame", unix.MFD_CLOEXEC|unix.MFD_NOEXEC_SEAL|unix.MFD_ALLOW_SEALING)
	if err == unix.EINVAL {
		descriptor, err = unix.MemfdCreate("ame", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return nil, memoryOffer{}, fmt.Errorf("memfd_create: %w", err)
	}
	r := &region{descriptor: descriptor}
	unix.Fchmod(descriptor, 0o600)
	// Memory that is missing is to be an error here, not a signal later.
	err = unix.EINTR
	for err == unix.EINTR {
		err = unix.Fallocate(descriptor, 0, 0, int64(n))
	}
	if err == nil {
		_, err = unix.FcntlInt(uintptr(descriptor), unix.F_ADD_SEALS, unchanging)
	}
	if err == nil {
		r.bytes, err = unix.Mmap(descriptor, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	}
	if err != nil {
		r.close()
		return nil, memoryOffer{}, fmt.Errorf("%d bytes of shared memory: %w", n, err)
	}
	o := memoryOffer{descriptor: int32(descriptor)}
	rand.Read(o.token[:])
	copy(r.bytes, o.token[:])
	return r, o, nil
}

// openRegion opens what the process pid has offered, of n bytes. If pid counts
// in another container's numbers, what is there is not that region.
func openRegion(pid int, o memoryOffer, n int) (*region, error) {
	path := fmt.Sprintf("/proc/%d/fd/%d", pid, o.descriptor)
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !isRegion(info, n) {
		return nil, fmt.Errorf("%s: %w", path, errNotRegion)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// What has been looked at may not be what has been opened.
	info, err = f.Stat()
	seals, sealed := unix.FcntlInt(f.Fd(), unix.F_GET_SEALS, 0)
	if err != nil || sealed != nil || seals&unchanging != unchanging || !isRegion(info, n) {
		return nil, fmt.Errorf("%s: %w", path, errNotRegion)
	}
	b, err := unix.Mmap(int(f.Fd()), 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("mmap: %w", err)
	}
	r := &region{bytes: b, descriptor: -1}
	if memoryToken(b[:len(o.token)]) != o.token {
		r.unmap()
		return nil, fmt.Errorf("%s: %w", path, errNotRegion)
	}
	return r, nil
}

var errNotRegion = errors.New("not the memory that was offered: it is of another container, of another user, or of another node of the same name")

func isRegion(info fs.FileInfo, n int) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && info.Mode().IsRegular() && int(stat.Uid) == os.Geteuid() && info.Size() == int64(n)
}

// close takes the offer back. Those who have the memory keep it.
func (r *region) close() {
	if r.descriptor >= 0 {
		unix.Close(r.descriptor)
		r.descriptor = -1
	}
}

// unmap gives the memory back, which nobody may touch any more.
func (r *region) unmap() { unix.Munmap(r.bytes) }

// yieldCPU lets other processes run. Goroutines of this one have to wait: to
// ask for them too would make the runtime wake a thread each time.
func yieldCPU() { unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0) }
