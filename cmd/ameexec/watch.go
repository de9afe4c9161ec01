package main

import (
	"encoding/gob"
	"io"
	"os"
	"syscall"
)

// launcherName is the name of the second process. It does not contain that of
// the first, so that pkill(1) and killall(1) on ameexec leave it to clean up.
const launcherName = "ame-launcher"

// watchDescriptor is the descriptor of the socket between the two processes.
// The front sends the plan, then signals, as gobs (arguments may be any bytes,
// which JSON would change); the end of file tells either of them that the
// other one is gone.
const watchDescriptor = 3

// order is what the front sends after the plan.
type order struct{ Signal syscall.Signal }

// receivePlan reads the plan and then delivers orders until the front is gone,
// which closes the channel.
func receivePlan(from io.Reader) (*plan, <-chan order, error) {
	decoder := gob.NewDecoder(from)
	var p plan
	if err := decoder.Decode(&p); err != nil {
		return nil, nil, err
	}
	orders := make(chan order)
	go func() {
		defer close(orders)
		for {
			var o order
			if decoder.Decode(&o) != nil {
				return
			}
			orders <- o
		}
	}()
	return &p, orders, nil
}

// watchPair returns the ends of the socket, closed on exec.
func watchPair() (front, launcher *os.File, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	syscall.CloseOnExec(fds[0])
	syscall.CloseOnExec(fds[1])
	return os.NewFile(uintptr(fds[0]), "ame-launcher"), os.NewFile(uintptr(fds[1]), "ameexec"), nil
}
