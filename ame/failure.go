package ame

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/dlp-mpi/dlp-go/internal/printable"
)

// failure is why a job cannot go on. It travels to every rank in a kindFail
// frame, so that all of them say the same.
type failure struct {
	reason reason
	peer   int // the rank that it is about; -1: no single one
	text   string
	cause  error // of this rank alone: does not travel
}

// reason is a byte of the protocol.
type reason uint8

const (
	reasonLost     reason = 1
	reasonAborted  reason = 2
	reasonMismatch reason = 3
	reasonGaveUp   reason = 4
	reasonStartup  reason = 5
	reasonRefused  reason = 6
	reasonExcess   reason = 7
)

// trouble is what calls get that f ends.
func (f *failure) trouble() *trouble { return &trouble{f.peer, f} }

func (f *failure) Error() string {
	switch f.reason {
	case reasonLost:
		return "lost: " + f.text
	case reasonAborted:
		return "aborted the job: " + f.text
	case reasonGaveUp:
		return "gave up: " + f.text
	default:
		return f.text
	}
}

func (f *failure) Unwrap() error { return f.cause }

func (f *failure) Is(target error) bool {
	switch f.reason {
	case reasonLost:
		return target == ErrLost
	case reasonAborted:
		return target == ErrAborted
	case reasonMismatch:
		return target == ErrMismatch
	case reasonStartup:
		return target == ErrTimeout
	case reasonRefused:
		return target == ErrRefused
	}
	return false
}

// noRank is the wire form of the rank of a failure that is about no single one.
const noRank = math.MaxUint32

// maxFailureText bounds, in bytes, what a rank tells the others of a cause.
const maxFailureText = 64 << 10

// appendTo appends the wire form: reason, rank, text.
func (f *failure) appendTo(b []byte) []byte {
	b = append(b, byte(f.reason))
	b = binary.BigEndian.AppendUint32(b, uint32(f.peer))
	return append(b, f.text[:min(len(f.text), maxFailureText)]...)
}

func parseFailure(b []byte, size int) (*failure, error) {
	if len(b) < 5 {
		return nil, fmt.Errorf("fail frame of %d bytes, want at least 5", len(b))
	}
	peer := binary.BigEndian.Uint32(b[1:])
	f := &failure{reason: reason(b[0]), peer: int(peer), text: printable.Text(string(b[5:]))}
	switch {
	case peer == noRank:
		f.peer = -1
	case int64(peer) >= int64(size):
		return nil, fmt.Errorf("fail frame about rank %d of %d", peer, size)
	}
	return f, nil
}

// ownOutput is behind the cause of a loss that the lost rank knows best.
const ownOutput = "; its own output says why"

// lossText says why the link to a rank has ended. The system of a process that
// ends with something unread resets its connections; so may a network.
func lossText(err error) string {
	switch {
	case err == io.EOF:
		return "it ended without Close: its connection was closed without a bye"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "it ended without Close, or the network cut it off: " + plainText(err)
	}
	return plainText(err)
}

// plainText is an error of a connection without the addresses that the net
// package puts in front: rank and host say it better.
func plainText(err error) string {
	text := err.Error()
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		inner := op.Err
		if call, ok := inner.(*os.SyscallError); ok {
			inner = call.Err
		}
		text = strings.Replace(text, op.Error(), inner.Error(), 1)
	}
	return text
}
