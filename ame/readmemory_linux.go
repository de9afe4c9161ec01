package ame

import (
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// readMemory copies what lies at an address of a process to b. The system lets
// processes of one user do so, unless it is told to let only debuggers
// (kernel.yama.ptrace_scope), or a container forbids the call.
func readMemory(pid int, address uint64, b []byte) error {
	for len(b) > 0 {
		local := unix.Iovec{Base: &b[0]}
		local.SetLen(len(b))
		remote := unix.RemoteIovec{Base: uintptr(address), Len: len(b)}
		n, err := unix.ProcessVMReadv(pid, []unix.Iovec{local}, []unix.RemoteIovec{remote}, 0)
		if err == unix.EINTR {
			continue
		}
		if err == nil && n == 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return fmt.Errorf("process_vm_readv of process %d: %w", pid, err)
		}
		b, address = b[n:], address+uint64(n)
	}
	return nil
}
