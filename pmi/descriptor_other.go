//go:build !(linux || darwin || freebsd)

package pmi

import (
	"errors"
	"net"
	"os"
)

var errNoDescriptor = errors.New("PMI_FD does not work on this operating system")

func checkDescriptor(int) error { return errNoDescriptor }

func openDescriptor(int) (net.Conn, error) { return nil, errNoDescriptor }

// Pair is not available on this operating system.
func Pair() (server net.Conn, child *os.File, err error) { return nil, nil, errNoDescriptor }
