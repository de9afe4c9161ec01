package pmi

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

const (
	// maxReply bounds a line from the launcher. Values of 5000 bytes have
	// been seen to come back from hydra 5.
	maxReply = 64 << 10

	// replyTimeout is for a launcher that answers at once. hydra can take a
	// while when it starts thousands of processes on a busy node.
	replyTimeout = time.Minute

	// barrierTimeout is for the slowest rank to get here, if the caller sets
	// no limit: launchers have none, and Slurm's does not notice that a rank
	// is gone.
	barrierTimeout = 5 * time.Minute
)

// call sends r, if it has a line, and returns the reply.
func (c *Client) call(ctx context.Context, op string, r request) (message, error) {
	timeout := replyTimeout
	if op == "barrier_in" {
		timeout = barrierTimeout
		if deadline, ok := ctx.Deadline(); ok {
			timeout = time.Until(deadline) + time.Second // ctx comes first
		}
	}
	m, err := c.exchange(ctx, r, timeout)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		switch {
		case ctx.Err() != nil:
			err = context.Cause(ctx)
		default:
			err = fmt.Errorf("nothing for %v", timeout)
		}
		err = fmt.Errorf("waiting for cmd=%s from the launcher: %w", r.reply, err)
		if op == "barrier_in" {
			err = fmt.Errorf("%w: not all ranks have come; did one fail, or not use PMI?", err)
		}
	}
	return m, c.fail(op, err)
}

func (c *Client) exchange(ctx context.Context, r request, timeout time.Duration) (message, error) {
	if err := c.conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return message{}, err
	}
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = c.conn.SetDeadline(time.Unix(1, 0))
		close(interrupted)
	})
	defer func() {
		if !stop() {
			<-interrupted // or it would hit the next exchange
		}
	}()
	if len(r.line) > 0 {
		if _, err := c.conn.Write(r.line); err != nil {
			return message{}, err
		}
	}
	for {
		line, err := c.readLine()
		if err != nil {
			return message{}, err
		}
		m, err := c.session.accept(r, line)
		if err != nil && r.reply == "response_to_init" && c.session.isSet(line) {
			continue // in PMI_PORT mode more of them come than introduce has to wait for
		}
		return m, err
	}
}

// readLine returns the next line of the launcher, without its newline.
func (c *Client) readLine() (string, error) {
	line, err := c.in.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", fmt.Errorf("the launcher sent a line of more than %d bytes", maxReply)
	case errors.Is(err, io.EOF):
		return "", fmt.Errorf("the launcher closed the connection: %w", io.ErrUnexpectedEOF)
	case err != nil:
		return "", err
	}
	return string(line[:len(line)-1]), nil
}

// gone says whether err means that the launcher has closed the connection.
func gone(err error) bool {
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}
