package dlp

import (
	"github.com/dlp-mpi/dlp-go/ame"
	"github.com/dlp-mpi/dlp-go/dlp/internal/value"
)

// Codec turns values into bytes and back; see WithCodec for which. Its methods
// are called from several goroutines.
type Codec interface {
	Marshal(v any) ([]byte, error)
	Unmarshal(data []byte, v any) error
}

// check returns an error if values of type T would lose something on their
// way. The type is the same on all ranks, and so is the answer: nothing is
// sent, and a job of one rank gets it too.
func check[T any](c *Comm, op string) error {
	if err := value.Check[T](c.codec); err != nil {
		return c.errorf(op, err)
	}
	return nil
}

// encode makes v a payload, which shares the memory of []byte, strings and
// slices of numbers.
func encode[T any](c *Comm, v T) (ame.Payload, error) {
	p, err := value.Encode(c.codec, v)
	return ame.Payload(p), err
}

// encodeOwn is encode, with what other ranks get of v.
func encodeOwn[T any](c *Comm, v T) (ame.Payload, T, error) {
	p, err := value.Encode(c.codec, v)
	if err == nil {
		v, err = value.OwnOf(c.codec, v, p)
	}
	return ame.Payload(p), v, err
}

// decode is the opposite of encode. A payload that holds an error gives that.
func decode[T any](c *Comm, p ame.Payload) (v T, err error) {
	if p.Format == value.FormatError {
		return v, parseError(p.Body)
	}
	return value.Decode[T](c.codec, value.Payload(p))
}

// errorPayload takes the place of a value that a rank has no value for.
func errorPayload(err error) ame.Payload {
	return ame.Payload{Format: value.FormatError, Body: appendError(nil, err, 0)}
}
