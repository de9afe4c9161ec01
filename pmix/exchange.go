package pmix

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// maxKey is the longest key in bytes (PMIX_MAX_KEYLEN).
const maxKey = 511

// Put stages a value under key for all ranks of the job. Nothing is sent
// before Commit. Put again replaces the value. The value is a C string to
// the server: it holds no NUL byte.
func (c *Client) Put(key, value string) error {
	var err error
	switch {
	case key == "" || len(key) > maxKey:
		err = fmt.Errorf("key of %d bytes, must be 1 to %d", len(key), maxKey)
	case strings.HasPrefix(key, "pmix"):
		err = fmt.Errorf("key %q: keys that start with pmix are the launcher's", key)
	case strings.ContainsRune(key, 0):
		err = fmt.Errorf("key %q holds a NUL byte", key)
	case strings.ContainsRune(value, 0):
		err = fmt.Errorf("value of %q holds a NUL byte", key)
	case len(value) > maxPayload/4:
		err = fmt.Errorf("value of %q has %d bytes, more than %d", key, len(value), maxPayload/4)
	}
	if err != nil {
		return c.fail("put", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.staged {
		if c.staged[i].key == key {
			c.staged[i].value = value
			return nil
		}
	}
	c.staged = append(c.staged, pair{key, value})
	return nil
}

// Commit gives all that was put to the server of this node. Ranks of the
// same node can get it from then on, all others after a fence with collect,
// or by a get that takes the long way. Ranks with nothing to say need not
// call it.
//
// After an error it is not known what the server has.
func (c *Client) Commit(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, promptly)
	defer cancel()
	c.mu.Lock()
	pairs := c.staged
	c.staged = nil
	c.mu.Unlock()
	return c.status(ctx, "commit", c.env.codec.commitRequest(pairs))
}

// Fence returns when all ranks of the job have called it; with collect all
// values committed before are then known on every node. All ranks must pass
// the same collect.
//
// A server waits for other nodes without limit, so give ctx a deadline. The
// error wraps a Status if a rank of this node is gone; if one of another
// node is gone there is no answer at all. After an error the fence cannot be
// repeated: the ranks may have left it in different states.
func (c *Client) Fence(ctx context.Context, collect bool) error {
	return c.status(ctx, "fence", c.env.codec.fenceRequest(c.env.namespace, collect))
}

// Get returns the value that a rank has committed under key.
//
// It waits for the rank's commit, up to 2 seconds on the same node (the
// error wraps StatusTimeout) and up to ctx elsewhere. After a fence with
// collect it does not wait. The error wraps StatusNotFound if the rank has
// committed other keys only.
//
// A value that was put again may come as the one before: prterun 5.0.7 is one
// fence late with it on other nodes. Put under a new key instead.
func (c *Client) Get(ctx context.Context, rank int, key string) (string, error) {
	return c.get(ctx, rank, key, false)
}

// Peek returns what the server of this node knows now of the value that a
// rank has committed under key. The error wraps StatusNotFound if that is
// nothing. What this rank has committed itself, also in an earlier program
// of the same task, is always known.
func (c *Client) Peek(ctx context.Context, rank int, key string) (string, error) {
	return c.get(ctx, rank, key, true)
}

func (c *Client) get(ctx context.Context, rank int, key string, immediate bool) (string, error) {
	if rank < 0 || rank >= c.job.size {
		return "", c.fail("get", fmt.Errorf("rank %d of a job of size %d", rank, c.job.size))
	}
	payload, err := c.call(ctx, c.env.codec.getRequest(c.env.namespace, uint32(rank), key, immediate))
	if err != nil {
		return "", c.failGet(rank, key, err)
	}
	known, err := c.env.codec.parseGet(payload, uint32(rank))
	if v, ok := find(known, key); ok {
		switch v.typ {
		case typeString:
			return v.text, nil
		case typeByteObject:
			return string(v.data), nil
		}
		return "", c.failGet(rank, key, fmt.Errorf("value has type %d, which is no string", v.typ))
	}
	var refusal Status
	switch {
	case err == nil:
		err = StatusNotFound
	case !errors.As(err, &refusal):
		err = c.garbled(err)
	}
	return "", c.failGet(rank, key, err)
}

func (c *Client) failGet(rank int, key string, err error) error {
	return c.fail("get", fmt.Errorf("%q of rank %d: %w", key, rank, err))
}

// Abort asks the launcher to kill the job and to exit with status, 1 to 255;
// Open MPI takes 0 for success. Few launchers show the message. A nil error
// means that the server has heard it, or that it is already gone; usually
// the process does not live to see it.
func (c *Client) Abort(ctx context.Context, status int, message string) error {
	if status < 1 || status > 255 {
		return c.fail("abort", fmt.Errorf("exit status %d, must be 1 to 255", status))
	}
	ctx, cancel := context.WithTimeout(ctx, promptly)
	defer cancel()
	err := c.status(ctx, "abort", c.env.codec.abortRequest(Status(status), strings.ReplaceAll(message, "\x00", "")))
	if serverGone(err) {
		return nil
	}
	return err
}

// status sends a request whose answer is a status.
func (c *Client) status(ctx context.Context, op string, request []byte) error {
	payload, err := c.call(ctx, request)
	if err == nil {
		err = c.env.codec.parseStatus(payload)
		var refusal Status
		if err != nil && !errors.As(err, &refusal) {
			err = c.garbled(err)
		}
	}
	return c.fail(op, err)
}
