package ame

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// handshakeTimeout bounds the handshake on one connection.
const handshakeTimeout = 10 * time.Second

// greet is the first half of the opener's side: it returns, once the other end
// has proved to be who is meant, the proof that the opener owes it. Nothing
// that would make the other end count the connection is sent, so an opener may
// greet over several connections and go on with one.
func greet(rw io.ReadWriter, o *opening) (answer []byte, err error) {
	if _, err := rw.Write(o.mine); err != nil {
		return nil, err
	}
	o.binding = bindingOf(rw)
	reply := make([]byte, replySize)
	if err := readPart(rw, reply, "hello"); err != nil {
		if tls := speaksTLS(reply[0]); tls != nil {
			return nil, tls
		}
		// A rank of another job closes without a word.
		return nil, fmt.Errorf("%w; it is not rank %d, or was given another key, job or size than this rank", err, o.addressee)
	}
	return o.answer(reply)
}

// prove is the second half of the opener's side.
func prove(rw io.ReadWriter, answer []byte) (verdict, error) {
	if _, err := rw.Write(answer); err != nil {
		return 0, err
	}
	var v [1]byte
	if err := readPart(rw, v[:], "verdict"); err != nil {
		return 0, err
	}
	return verdict(v[0]), nil
}

// receive is the listener's side up to its verdict.
func receive(rw io.ReadWriter, c *credentials) (*admission, error) {
	theirs := make([]byte, helloSize)
	if err := readPart(rw, theirs, "hello"); err != nil {
		return nil, err
	}
	a, err := c.admit(theirs, bindingOf(rw))
	if err != nil {
		return nil, err
	}
	if _, err := rw.Write(a.reply); err != nil {
		return nil, errAbandoned
	}
	answer := make([]byte, proofSize)
	if err := readPart(rw, answer, "proof"); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, err
		}
		return nil, errAbandoned
	}
	return a, a.prove(answer)
}

// errAbandoned is not a stranger's doing: an opener that greets over several
// of our addresses goes on with one and closes the others at this point.
var errAbandoned = errors.New("closed before its proof")

// readPart reads a message of the handshake into b. Its errors say the same
// of every connection with the same fault, so that they can be counted.
func readPart(r io.Reader, b []byte, name string) error {
	_, err := io.ReadFull(r, b)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w: no whole %s within %v: %w", ErrAuth, name, handshakeTimeout, os.ErrDeadlineExceeded)
	case err == io.EOF:
		return fmt.Errorf("%w: it closed before its %s", ErrAuth, name)
	case err == io.ErrUnexpectedEOF:
		return fmt.Errorf("%w: it closed in the middle of its %s", ErrAuth, name)
	}
	return fmt.Errorf("%w: before its %s: %s", ErrAuth, name, plainText(err))
}
