package pmix

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// promptly bounds what a server answers without waiting for other ranks:
// connect, commit, finalize. PRRTE asks its own parent before it welcomes a
// client, which takes seconds on a busy node.
const promptly = 60 * time.Second

// lingering is how long Finalize holds the connection after its answer. The
// server of Open MPI sends the answer from one thread and marks the rank as
// finalized in another: if it sees the connection end in between, the rank
// has crashed, and it counts one rank less in the fences of the next program
// of the same task. Seen with 4.2.2 on busy nodes, once in some hundred jobs.
const lingering = 10 * time.Millisecond

// Client is the connection of one rank to the PMIx server of its node.
// Its methods may be called from several goroutines; Abort is for when
// another one waits in Fence.
type Client struct {
	env  environment
	job  job
	conn net.Conn

	reader  sync.WaitGroup
	writing chan struct{} // holds a token while a frame is written
	gone    chan struct{} // closed with cause set: nothing more will come

	mu     sync.Mutex // guards what follows
	talk   conversation
	staged []pair // put and not yet committed
	cause  error
}

// Connect introduces this process to the server of its node and learns the
// size of the job. It reads the variables named PMIX_*.
//
// Connect once in the life of a process, on every rank. Call [Available]
// first: a server that refuses to talk to one rank may hang and hang the job
// with it, which is why Connect itself returns an error that wraps
// [ErrNotAvailable] without sending anything if it knows that it would be
// refused. After another error do not try again.
//
// After success the launcher takes the end of this process for a crash until
// Finalize has returned.
func Connect(ctx context.Context, env func(name string) (value string, ok bool)) (*Client, error) {
	if err := Available(env); err != nil {
		return nil, err
	}
	e, err := readEnvironment(env)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, promptly)
	defer cancel()
	fail := func(err error) (*Client, error) {
		return nil, &Error{Op: "connect", Rank: int(e.rank), Host: e.node(), Err: err}
	}
	secret, err := credential(ctx, e.security)
	if err != nil {
		return fail(err)
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", e.server.String())
	if err != nil {
		return fail(fmt.Errorf("server: %w", err))
	}
	client, err := open(ctx, conn, e, secret)
	if err != nil {
		return fail(err)
	}
	return client, nil
}

// open runs the handshake over conn and asks about the job. It closes conn
// if it returns an error.
func open(ctx context.Context, conn net.Conn, e environment, secret []byte) (*Client, error) {
	c := &Client{env: e, conn: conn, writing: make(chan struct{}, 1), gone: make(chan struct{})}
	if err := c.handshake(ctx, secret); err != nil {
		conn.Close()
		return nil, err
	}
	c.reader.Go(c.read)
	if err := c.learnJob(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Client) handshake(ctx context.Context, secret []byte) error {
	message, err := hello{
		security:   c.env.security,
		credential: secret,
		namespace:  c.env.namespace,
		rank:       c.env.rank,
		module:     c.env.module,
		codec:      c.env.codec,
	}.append(nil)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { c.conn.Close() })
	defer stop()
	var welcome [welcomeSize]byte
	if _, err = c.conn.Write(message); err == nil {
		_, err = io.ReadFull(c.conn, welcome[:])
	}
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("server (PMIx %s) does not answer the handshake: %w", c.env.version, context.Cause(ctx))
	case err != nil:
		return fmt.Errorf("server (PMIx %s) refused the handshake (security %s, format %s, buffer type %d) by closing the connection: %w",
			c.env.version, c.env.security, c.env.module, c.env.codec.bufferType(), err)
	}
	c.talk.index, err = parseWelcome(welcome)
	if err != nil {
		return fmt.Errorf("server (PMIx %s) refused the handshake: %w", c.env.version, err)
	}
	return nil
}

// read hands every answer to its request until the connection ends.
func (c *Client) read() {
	for {
		var start [headerSize]byte
		if _, err := io.ReadFull(c.conn, start[:]); err != nil {
			c.end(fmt.Errorf("connection to the server: %w", err))
			return
		}
		h, err := parseHeader(start)
		if err != nil {
			c.end(err)
			return
		}
		if err := c.readPayload(h); err != nil {
			c.end(fmt.Errorf("connection to the server: %w", err))
			return
		}
	}
}

// readPayload reads what follows a header. Memory grows with what arrives,
// not with what is announced; what nobody waits for is not kept at all.
func (c *Client) readPayload(h header) error {
	c.mu.Lock()
	wanted := c.talk.expects(h.tag)
	c.mu.Unlock()
	if !wanted {
		_, err := io.CopyN(io.Discard, c.conn, int64(h.length))
		return err
	}
	var payload bytes.Buffer
	if _, err := io.CopyN(&payload, c.conn, int64(h.length)); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.talk.answer(h.tag, payload.Bytes())
	return nil
}

// end records why nothing more will come and closes the connection. The
// first cause counts, unless we have closed it ourselves.
func (c *Client) end(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ended := c.cause != nil
	if !ended || cause == ErrClosed {
		c.cause = cause
	}
	if !ended {
		close(c.gone)
		c.conn.Close()
	}
}

// asked is a request that is on its way.
type asked struct {
	tag    uint32
	answer <-chan []byte
}

// ask sends a request.
func (c *Client) ask(ctx context.Context, payload []byte) (asked, error) {
	if err := ctx.Err(); err != nil {
		return asked{}, context.Cause(ctx)
	}
	answer := make(chan []byte, 1)
	c.mu.Lock()
	if c.cause != nil {
		c.mu.Unlock()
		return asked{}, c.cause
	}
	frame, tag := c.talk.request(payload, answer)
	c.mu.Unlock()

	select {
	case c.writing <- struct{}{}:
		defer func() { <-c.writing }()
	case <-ctx.Done():
		c.forget(tag)
		return asked{}, context.Cause(ctx)
	}
	// Half a frame is worth nothing, so a ctx that ends within it ends the
	// connection too. It takes a server that has stopped reading.
	stop := context.AfterFunc(ctx, func() { c.end(context.Cause(ctx)) })
	defer stop()
	if _, err := c.conn.Write(frame); err != nil {
		c.end(fmt.Errorf("connection to the server: %w", err))
		return asked{}, c.why()
	}
	return asked{tag, answer}, nil
}

// wait returns the payload of the answer.
func (c *Client) wait(ctx context.Context, a asked) ([]byte, error) {
	select {
	case payload := <-a.answer:
		return payload, nil
	case <-c.gone:
	case <-ctx.Done():
		c.forget(a.tag)
		return nil, context.Cause(ctx)
	}
	select {
	case payload := <-a.answer: // came just before the end
		return payload, nil
	default:
		return nil, c.why()
	}
}

// forget gives a request up; an answer that still comes is dropped.
func (c *Client) forget(tag uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.talk.forget(tag)
}

func (c *Client) call(ctx context.Context, payload []byte) ([]byte, error) {
	a, err := c.ask(ctx, payload)
	if err != nil {
		return nil, err
	}
	return c.wait(ctx, a)
}

// why is the cause of the end.
func (c *Client) why() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}

// Close ends the connection without telling the server, which then takes
// this rank for crashed; the launcher may kill the job. It unblocks every
// other call. After Finalize, or a second time, it does nothing.
func (c *Client) Close() error {
	c.end(ErrClosed)
	c.reader.Wait()
	return nil
}

// Finalize tells the server that this rank is done, and closes the
// connection. From then on the launcher no longer watches the rank by PMIx:
// it may live on, and values it has committed stay readable.
//
// Every rank that has connected must call it before it exits. It waits for
// no other rank. Calls that are pending in other goroutines fail.
func (c *Client) Finalize(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, promptly)
	defer cancel()
	switch cause := c.why(); {
	case errors.Is(cause, ErrClosed):
		return nil
	case cause != nil:
		return c.fail("finalize", cause)
	}
	payload, err := c.call(ctx, c.env.codec.finalizeRequest())
	switch {
	case serverGone(err):
		err = nil // PMIx 3.2.5 and 4.0.0 close the socket before they answer
	case err == nil:
		err = c.env.codec.parseStatus(payload)
		select {
		case <-time.After(lingering):
		case <-c.gone: // the server was faster
		}
	}
	c.Close()
	return c.fail("finalize", err)
}

// serverGone says whether the server has ended the connection.
func serverGone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
}

// fail wraps the error of an operation; nil stays nil.
func (c *Client) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Rank: int(c.env.rank), Host: c.env.node(), Err: err}
}
