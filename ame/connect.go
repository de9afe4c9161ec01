package ame

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"
)

const (
	// handshakeTimeout bounds the handshake on one connection.
	handshakeTimeout = 10 * time.Second

	// waitingFirst and waitingNext are when Config.Waiting hears of ranks
	// that are still missing.
	waitingFirst = 10 * time.Second
	waitingNext  = 30 * time.Second
)

// Config says who this rank is and how it meets the others.
type Config struct {
	Rank, Size int
	Job        string // the same on all ranks of the job; not secret
	Host       string // name of this node, for messages; default: the kernel's
	Key        []byte // the job's secret, the same on all ranks; at least 16 bytes

	// Listener is where rank 0 accepts the others. Connect closes it.
	Listener net.Listener

	// Root holds the addresses to try for rank 0, side by side. The first
	// one whose handshake succeeds is used.
	Root []string

	// RootHost is the name of rank 0's node, for messages; may be "".
	RootHost string

	// Dial opens a connection to one of Root. The default is TCP.
	Dial func(ctx context.Context, address string) (net.Conn, error)

	// Waiting, if not nil, is called on rank 0 after 10 s of waiting for the
	// others and every 30 s from then on.
	Waiting func(missing Missing)

	// Logger gets what does not concern the caller, such as strangers that
	// knock. The default discards.
	Logger *slog.Logger
}

// Missing says, on rank 0, who has not connected yet, and who has knocked
// and was turned away.
type Missing struct {
	Ranks    []int          // in ascending order
	Rejected map[string]int // number of connections by reason
	Waited   time.Duration
}

func (c *Config) check() error {
	switch {
	case c.Size < 1 || c.Rank < 0 || c.Rank >= c.Size:
		return fmt.Errorf("rank %d of %d is out of range", c.Rank, c.Size)
	case len(c.Host) > maxHost:
		return fmt.Errorf("a host name of %d bytes is longer than %d", len(c.Host), maxHost)
	case c.Size == 1:
		return nil
	case c.Size > 1<<24:
		return fmt.Errorf("%d ranks are more than the protocol can number", c.Size)
	case len(c.Key) < 16:
		return fmt.Errorf("a key of %d bytes is too short", len(c.Key))
	case c.Rank == 0 && c.Listener == nil:
		return errors.New("rank 0 has no listener")
	case c.Rank != 0 && len(c.Root) == 0:
		return errors.New("no address of rank 0")
	}
	return nil
}

// Connect joins the job. It returns on each rank once all ranks are connected
// to rank 0. ctx is the start-up deadline: when it ends before, rank 0's error
// names the ranks that are missing, and the others that are waiting with it get
// the same error. After Connect, ctx no longer matters. Connections of
// strangers are closed, logged and counted; they do no harm.
func Connect(ctx context.Context, cfg Config) (*Comm, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Host == "" {
		cfg.Host, _ = os.Hostname()
	}
	if cfg.Dial == nil {
		dialer := net.Dialer{Timeout: handshakeTimeout}
		cfg.Dial = func(ctx context.Context, address string) (net.Conn, error) {
			return dialer.DialContext(ctx, "tcp", address)
		}
	}
	if cfg.Listener != nil {
		defer cfg.Listener.Close()
	}
	if err := cfg.check(); err != nil {
		return nil, &Error{Op: "connect", Rank: cfg.Rank, Peer: -1, Err: err}
	}
	j := newJob(&cfg)
	j.peers[cfg.Rank] = Peer{Host: cfg.Host, PID: os.Getpid()}
	var err error
	switch {
	case cfg.Size == 1:
		close(j.drained)
	case cfg.Rank == 0:
		err = j.acceptAll(ctx, &cfg)
	default:
		j.peers[0].Host = cfg.RootHost
		err = j.joinRoot(ctx, &cfg)
	}
	if err != nil {
		j.abandon()
		return nil, err
	}
	if cfg.Size > 1 {
		j.watching.Go(j.watch)
	}
	return &Comm{job: j}, nil
}
