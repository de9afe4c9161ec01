package ame

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"
)

// Config says who this rank is and how it meets the others.
type Config struct {
	Rank, Size int
	Host       string // name of this node, for messages; default: the kernel's
	Node       NodeID // of this node; default: the kernel's

	// Root is rank 0's endpoint: on rank 0 its own, whose addresses do not
	// matter, elsewhere where to connect.
	Root Endpoint

	// Newer, if not nil, says on the other ranks where else rank 0 may be. It
	// is called with Root first, and again with each endpoint that it has
	// returned, until rank 0 is found. It returns when there is another
	// endpoint than the one it is given, or with an error when there can be
	// none, or when ctx ends. A rank tries its endpoint all the while, so one
	// that is out of date does no harm; one without addresses is just not tried.
	Newer func(ctx context.Context, have Endpoint) (Endpoint, error)

	// Listener is where rank 0 accepts the others. It is Connect's; the job
	// keeps it open until Close, so that who comes late is told why.
	Listener net.Listener

	// Listen, if not nil, opens a listener on a rank other than 0 and says at
	// which addresses others may reach it. It is called when another one first
	// wants a link of its own to this rank. Without it this rank makes and takes
	// none; then, and where none can be made, frames between two others than rank
	// 0 go by way of that.
	Listen func() (net.Listener, []string, error)

	// Claim is what this rank says of itself when it joins, at most 4 KiB, and
	// Admit what rank 0 makes of each other rank's: an error ends the start on
	// all ranks. It may be called from several goroutines; nil admits all.
	Claim []byte
	Admit func(rank int, claim []byte) error

	// Dial opens a connection to an address of an endpoint. The default is TCP.
	Dial func(ctx context.Context, address string) (net.Conn, error)

	// Heartbeat is how long a rank may show no sign of life before it is
	// lost; 0: for ever. What rank 0 has counts for all ranks. Connections
	// that are idle carry a few small frames in that time.
	Heartbeat time.Duration

	// ConnectionsOnly keeps ranks of one node from sharing memory.
	ConnectionsOnly bool

	// TLS encrypts all connections, see docs/security.md. Where ranks differ in
	// it, none of them finds the other. Memory that ranks share needs none.
	TLS bool

	// Waiting, if not nil, is called on rank 0 after 10 s of waiting for the
	// others and every 30 s from then on.
	Waiting func(missing Missing)

	// Stuck, if not nil, is called on rank 0 with a line about ranks that have
	// waited for 10 s for each other, or in Shrink, and again after ever longer
	// times. With it, the job also fails as soon as it is certain that all ranks
	// wait for each other for ever. It may be called from several goroutines.
	Stuck func(text string)

	// OneProcess says that all ranks are goroutines of this process. Rank 0 then
	// says for all of them whether the process can do anything else, and if that is
	// not certain calls Stuck once: in a synctest bubble time would pass for ever.
	OneProcess bool

	// Lost, if not nil, is called for each rank that is lost, before any call
	// ends by it; by then this process may have little time left. It may be
	// called more than once for a rank, and at the same time.
	Lost func(rank int)

	// Logger gets what does not concern the caller, such as strangers that
	// knock. The default discards.
	Logger *slog.Logger
}

func (c *Config) check() error {
	switch {
	case c.Size < 1 || c.Rank < 0 || c.Rank >= c.Size:
		return fmt.Errorf("rank %d of %d is out of range", c.Rank, c.Size)
	case len(c.Claim) > maxClaim:
		return fmt.Errorf("a claim of %d bytes is longer than %d", len(c.Claim), maxClaim)
	case len(c.Host) > maxHost:
		return fmt.Errorf("a host name of %d bytes is longer than %d", len(c.Host), maxHost)
	case c.Size == 1:
		return nil
	case c.Size > 1<<24:
		return fmt.Errorf("%d ranks are more than the protocol can number", c.Size)
	case c.Rank == 0 && c.Listener == nil:
		return errors.New("rank 0 has no listener")
	case c.Rank != 0 && c.Newer != nil:
		return nil
	case c.Rank != 0 && len(c.Root.Addresses) == 0:
		return errors.New("no address of rank 0")
	}
	return c.Root.check()
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
	if cfg.Node == (NodeID{}) {
		cfg.Node = thisNode()
	}
	if cfg.Lost == nil {
		cfg.Lost = func(int) {}
	}
	if cfg.Dial == nil {
		dialer := net.Dialer{Timeout: handshakeTimeout}
		cfg.Dial = func(ctx context.Context, address string) (net.Conn, error) {
			return dialer.DialContext(ctx, "tcp", address)
		}
	}
	if err := cfg.check(); err != nil {
		if cfg.Listener != nil {
			cfg.Listener.Close()
		}
		return nil, &Error{Op: "connect", Rank: cfg.Rank, Peer: -1, Err: err}
	}
	j := newJob(&cfg)
	if err := j.start(ctx, &cfg); err != nil {
		j.abandon()
		return nil, err
	}
	return j.world(), nil
}

// start brings this rank's part of the job up.
func (j *job) start(ctx context.Context, cfg *Config) error {
	own := self(cfg)
	j.mesh.describe(j.rank, own)
	if j.size == 1 {
		if cfg.Listener != nil {
			cfg.Listener.Close()
		}
		j.startWatch()
		return nil
	}
	me := credentials{rank: j.rank, size: j.size}
	rand.Read(me.instance[:]) // never fails, crypto/rand
	if cfg.TLS {
		var err error
		if me.encryption, err = newEncryption(); err != nil {
			return j.errorf("connect", -1, err)
		}
	}
	if j.rank == 0 {
		return j.gatherRanks(ctx, cfg, me.at(cfg.Root))
	}
	return j.joinRoot(ctx, cfg, own, me)
}
