package ame

import (
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
)

// What a user reads first: that the rank has ended, and then how it showed.
func TestLossText(t *testing.T) {
	of := func(call string, err error) error {
		return &net.OpError{Op: call, Net: "tcp", Err: os.NewSyscallError(call, err)}
	}
	for want, err := range map[string]error{
		"it ended without Close: its connection was closed without a bye":             io.EOF,
		"it ended without Close, or the network cut it off: connection reset by peer": of("read", syscall.ECONNRESET),
		"it ended without Close, or the network cut it off: broken pipe":              of("write", syscall.EPIPE),
		"connection timed out": of("read", syscall.ETIMEDOUT),
		"unexpected EOF":       io.ErrUnexpectedEOF,
	} {
		assert.Equal(t, want, lossText(err))
	}
}

// A rank 0 that calls os.Exit in the middle leaves bytes unread, so that its
// system resets the connections.
func TestRootEndsWithoutClose(t *testing.T) {
	comms := connectAll(t, overTCP, 2)
	kill(comms[0])
	err := comms[1].Barrier(t.Context())
	assert.ErrorIs(t, err, ErrLost)
	assert.ErrorContains(t, err, "rank 0 on nodea: lost: it ended without Close")
}
