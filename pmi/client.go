package pmi

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/dlp-mpi/dlp-go/internal/nesting"
)

const (
	// farewell is how long Close waits for a launcher that may be stuck.
	farewell = time.Second

	// maxSetLines is how many lines the launcher of PMI_PORT mode may send
	// before it has told rank and size. Those known send two.
	maxSetLines = 16
)

// Client is the connection of one process to its launcher, from init to
// finalize. A process has one in its life: launchers close the connection for
// good after finalize. Its methods are for one goroutine at a time.
//
// A process that has opened a Client must Finalize it before it exits, or
// hydra kills the other ranks. Close does that if need be.
type Client struct {
	conn       net.Conn
	in         *bufio.Reader
	session    session
	rank, size int
	open       bool // init was sent and finalize was not
}

// Open connects to the launcher named by the environment and opens the
// session, which each rank of the job must do. The descriptor of PMI_FD then
// belongs to the Client and is not inherited by children. What is wrapped by
// the error is said at Detect, which Open repeats. It blocks until the launcher
// has replied, for a minute at most, or until ctx ends.
func Open(ctx context.Context, env func(string) (string, bool)) (*Client, error) {
	e, err := find(env)
	if err != nil {
		return nil, err
	}
	var conn net.Conn
	if e.address == "" {
		conn, err = openDescriptor(e.fd)
	} else {
		dialer := net.Dialer{Timeout: replyTimeout}
		conn, err = dialer.DialContext(ctx, "tcp", e.address)
		if err != nil {
			err = fmt.Errorf("PMI_PORT=%s: %w; is it left over, and its mpiexec gone? then unset it", e.address, err)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("pmi: connect to the launcher: %w", err)
	}
	c := newClient(conn, e.rank, e.size)
	if e.address != "" {
		err = c.introduce(ctx, e.id)
	}
	if err == nil {
		err = c.start(ctx)
	}
	if err != nil {
		if nesting.UnderHydra(env) && gone(err) {
			err = fmt.Errorf("pmi: %w: %w: a rank can use PMI once: start one program per rank", ErrLost, err)
		}
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func newClient(conn net.Conn, rank, size int) *Client {
	return &Client{conn: conn, in: bufio.NewReaderSize(conn, maxReply), session: newSession(), rank: rank, size: size}
}

// Rank returns the rank of this process, 0 .. Size()-1.
func (c *Client) Rank() int { return c.rank }

// Size returns the number of ranks of the job.
func (c *Client) Size() int { return c.size }

// Put stores value under key. The other ranks can get it after a Barrier that
// all ranks enter; a key must be put only once. Keys hold at most 63 bytes of
// letters, digits and "._-", values at most 650 bytes of letters, digits and
// "._-:/+=@,", less if the launcher says so.
func (c *Client) Put(ctx context.Context, key, value string) error {
	r, err := c.session.put(key, value)
	if err != nil {
		return c.fail("put", err)
	}
	_, err = c.call(ctx, "put", r)
	return err
}

// Get returns what was put under key, or an error that wraps ErrNoKey. Before
// the Barrier that follows the put, launchers differ in what they return.
func (c *Client) Get(ctx context.Context, key string) (string, error) {
	r, err := c.session.get(key)
	if err != nil {
		return "", c.fail("get", err)
	}
	m, err := c.call(ctx, "get", r)
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, key)
	}
	value, ok := m.get("value")
	if !ok {
		return "", c.fail("get", fmt.Errorf("no value= in the reply for key %s", key))
	}
	return value, nil
}

// PutLong is Put for a value of any length, up to some hundred kilobytes. It
// takes key, and key.1, key.2 and so on, as many as are needed.
func (c *Client) PutLong(ctx context.Context, key, value string) error {
	room, err := c.session.room(key)
	if err != nil {
		return c.fail("put", err)
	}
	parts, err := split(value, room)
	if err != nil {
		return c.fail("put", fmt.Errorf("key %s: %w", key, err))
	}
	for i, part := range parts {
		if err := c.Put(ctx, partKey(key, i), part); err != nil {
			return err
		}
	}
	return nil
}

// GetLong returns what was put under key with PutLong.
func (c *Client) GetLong(ctx context.Context, key string) (string, error) {
	first, err := c.Get(ctx, key)
	if err != nil {
		return "", err
	}
	head, count, err := splitHead(first)
	if err != nil {
		return "", c.fail("get", fmt.Errorf("key %s: %w", key, err))
	}
	var value strings.Builder
	value.WriteString(head)
	for i := 1; i < count; i++ {
		part, err := c.Get(ctx, partKey(key, i))
		if err != nil {
			return "", err
		}
		value.WriteString(part)
	}
	return value.String(), nil
}

// Mapping returns the launcher's mapping of ranks to nodes, or an error that
// wraps ErrNoKey if it does not tell. It may be asked for before a Barrier.
func (c *Client) Mapping(ctx context.Context) (Mapping, error) {
	text, err := c.Get(ctx, mappingKey)
	if err != nil {
		return nil, err
	}
	return parseMapping(text)
}

// AppNum returns the number of the application that this rank is of: launchers
// count the parts of a command line such as mpiexec -n 1 a : -n 2 b. It is -1
// where the launcher does not count, as Slurm.
func (c *Client) AppNum(ctx context.Context) (int, error) {
	m, err := c.call(ctx, "get_appnum", c.session.appnum())
	if err != nil {
		return 0, err
	}
	n, err := m.number("appnum")
	return n, c.fail("get_appnum", err)
}

// Barrier blocks until all ranks of the job have called it or ctx ends; for five
// minutes at most if ctx has no deadline.
func (c *Client) Barrier(ctx context.Context) error {
	_, err := c.call(ctx, "barrier_in", c.session.barrier())
	return err
}

// Finalize ends the session; only Close may follow. From then on the launcher
// takes this process for one that does not use PMI: it may end when it likes.
func (c *Client) Finalize(ctx context.Context) error {
	c.open = false
	_, err := c.call(ctx, "finalize", c.session.finalize())
	return err
}

// Close closes the connection; twice is harmless. It tries to finalize a
// session that is still open, for a second at most, so that the launcher does
// not kill the job before the reason for closing is told to the user.
func (c *Client) Close() error {
	if c.open {
		c.open = false
		c.sayFarewell()
	}
	if err := c.conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return c.fail("close", err)
	}
	return nil
}

// sayFarewell finalizes without caring for what is still on its way.
func (c *Client) sayFarewell() {
	r := c.session.finalize()
	if err := c.conn.SetDeadline(time.Now().Add(farewell)); err != nil {
		return
	}
	if _, err := c.conn.Write(r.line); err != nil {
		return
	}
	for {
		line, err := c.readLine()
		if err != nil {
			return
		}
		if _, err := c.session.accept(r, line); err == nil {
			return
		}
	}
}

// introduce tells the launcher of PMI_PORT mode who calls, and learns rank and
// size from it.
func (c *Client) introduce(ctx context.Context, id string) error {
	m, err := c.call(ctx, "initack", c.session.initack(id))
	if err != nil {
		return err
	}
	var seat seat
	seat.learn(m)
	for lines := 0; !seat.complete(); lines++ {
		if lines == maxSetLines {
			return c.fail("initack", fmt.Errorf("no rank and size in %d lines", lines))
		}
		m, err = c.call(ctx, "initack", request{reply: "set"})
		if err != nil {
			return err
		}
		seat.learn(m)
	}
	c.rank, c.size = seat.rank, seat.size
	return checkRank(c.rank, c.size)
}

// start opens the session and learns the limits and the name of the KVS.
func (c *Client) start(ctx context.Context) error {
	c.open = true
	if _, err := c.call(ctx, "init", c.session.init()); err != nil {
		return err
	}
	m, err := c.call(ctx, "get_maxes", c.session.maxes())
	if err != nil {
		return err
	}
	c.session.limits = limitsOf(m)
	m, err = c.call(ctx, "get_my_kvsname", c.session.name())
	if err != nil {
		return err
	}
	name, ok := m.get("kvsname")
	if !ok {
		return c.fail("get_my_kvsname", fmt.Errorf("no kvsname= in %s", m))
	}
	c.session.kvsname = name
	return nil
}

func (c *Client) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Rank: c.rank, Err: err}
}
