package control

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/dlp-mpi/dlp-go/internal/environ"
)

// Variable names the inherited descriptor of the channel.
const Variable = "AME_CONTROL_FD"

// advice follows every error about a descriptor that does not work.
const advice = "ameexec left the descriptor open, something between it and this program closed it: " +
	"let the wrapper pass it on (Python: pass_fds), or, if this program is no rank of that job, start it with AME_BOOTSTRAP=single"

// replyTime is how long ameexec may take to answer; it does nothing else.
const replyTime = 30 * time.Second

// Seat is what the launcher tells a program about its place.
type Seat struct {
	Job                  string // the same on all ranks, and on no other session
	Host                 string // name of this node
	App                  int    // number of the application that this rank is of
	LocalRank, LocalSize int
}

// Client is a program's end of one session. Its methods are for one goroutine,
// except that Doomed's context ends by itself.
type Client struct {
	Seat
	rank  int
	conn  net.Conn
	lines *bufio.Reader

	doomed   context.Context // ends when the launcher knows that ranks will never come
	watching chan struct{}   // closed when nobody reads the session any more; nil: nobody does
}

// Descriptor returns the descriptor that AME_CONTROL_FD names, if it is a live
// stream socket of the Unix family, and changes nothing.
func Descriptor(env environ.Env) (int, error) {
	fd, err := environ.Int(env, Variable, 0, 1<<20)
	if err != nil {
		return 0, err
	}
	var stat syscall.Stat_t
	if err := syscall.Fstat(fd, &stat); err != nil {
		return 0, fmt.Errorf("%s=%d: %w: %s", Variable, fd, err, advice)
	}
	if stat.Mode&syscall.S_IFMT != syscall.S_IFSOCK {
		return 0, fmt.Errorf("%s=%d is not a socket: %s", Variable, fd, advice)
	}
	kind, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_TYPE)
	name, nameErr := syscall.Getsockname(fd)
	_, isUnix := name.(*syscall.SockaddrUnix)
	if err != nil || kind != syscall.SOCK_STREAM || nameErr != nil || !isUnix {
		return 0, fmt.Errorf("%s=%d is not a Unix stream socket: %s", Variable, fd, advice)
	}
	return fd, nil
}

// Join opens a session of this program, as the rank and size that its
// environment says, and learns its seat.
func Join(ctx context.Context, env environ.Env, rank, size int) (*Client, error) {
	conn, err := openSession(env)
	if err != nil {
		return nil, err
	}
	c := &Client{rank: rank, conn: conn, lines: newReader(conn)}
	world, err := c.ask(ctx, message{Op: "join", Version: version, Rank: rank}, "world")
	if err == nil {
		err = checkWorld(world, rank, size)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	c.Seat = Seat{Job: world.Job, Host: world.Host, App: world.App, LocalRank: world.LocalRank, LocalSize: world.LocalSize}
	return c, nil
}

// openSession sends one end of a new socket pair over the control descriptor
// and returns the other one. The descriptor itself is only ever written to, so
// processes that share it do not disturb each other.
func openSession(env environ.Env) (net.Conn, error) {
	fd, err := Descriptor(env)
	if err != nil {
		return nil, err
	}
	syscall.CloseOnExec(fd) // a program that we start is no rank of this job
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	defer ours.Close() // net.FileConn duplicates it
	err = sendDescriptor(fd, int(theirs.Fd()))
	if err != nil {
		return nil, fmt.Errorf("%s=%d: %w: ameexec has ended, or the descriptor is not its own: %s", Variable, fd, err, advice)
	}
	return net.FileConn(ours)
}

// checkWorld holds the launcher's answer against the environment, which a
// wrapper may have changed.
func checkWorld(world message, rank, size int) error {
	switch {
	case world.Version != version:
		return fmt.Errorf("ameexec speaks version %d, this program version %d: build both from one source", world.Version, version)
	case world.Rank != rank:
		return fmt.Errorf("AME_RANK=%d, but ameexec started this process as rank %d", rank, world.Rank)
	case world.Size != size:
		return fmt.Errorf("AME_SIZE=%d, but ameexec started %d ranks", size, world.Size)
	}
	return nil
}

// Publish gives the text of rank 0 to the other ranks; the addresses are for
// the launcher's log. From then on Doomed may end.
func (c *Client) Publish(ctx context.Context, text string, addresses []string) error {
	if _, err := c.ask(ctx, message{Op: "publish", Text: text, Addresses: addresses}, "published"); err != nil {
		return err
	}
	c.watch()
	return nil
}

// Fetch waits for the text of rank 0. From then on Doomed may end.
func (c *Client) Fetch(ctx context.Context) (string, error) {
	c.conn.SetDeadline(time.Time{})
	root, err := c.receive(ctx, "root")
	if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil {
		return "", fmt.Errorf("rank %d waits for rank 0 to publish its address: %w", c.rank, context.Cause(ctx))
	}
	if err == nil {
		c.watch()
	}
	return root.Text, err
}

// watch listens for the launcher's word that the start has failed.
func (c *Client) watch() {
	c.conn.SetDeadline(time.Time{})
	doomed, doom := context.WithCancelCause(context.Background())
	watching := make(chan struct{})
	c.doomed, c.watching = doomed, watching
	go func() {
		defer close(watching)
		_, err := read(c.lines, "error")
		if why := refusal(""); errors.As(err, &why) {
			doom(why)
		}
	}()
}

// Doomed ends, after Publish or Fetch, when the launcher reports that a rank
// has ended before all ranks were connected; context.Cause then says which.
func (c *Client) Doomed() context.Context { return c.doomed }

// Close ends the session. up says that all ranks are connected; else the
// launcher tells the others that this one has failed.
func (c *Client) Close(up bool) error {
	var err error
	if up && c.watching != nil { // a rank alone has nobody to tell
		c.conn.SetWriteDeadline(time.Now().Add(replyTime))
		err = write(c.conn, message{Op: "up"})
	}
	err = errors.Join(err, c.conn.Close())
	if c.watching != nil {
		<-c.watching
	}
	return err
}

// ask sends a message and returns the answer, which must come soon.
func (c *Client) ask(ctx context.Context, m message, wanted string) (message, error) {
	c.conn.SetDeadline(time.Now().Add(replyTime))
	if err := write(c.conn, m); err != nil {
		return message{}, fmt.Errorf("rank %d: %s: %w", c.rank, Variable, err)
	}
	answer, err := c.receive(ctx, wanted)
	switch {
	case err == nil:
		return answer, nil
	case !errors.Is(err, os.ErrDeadlineExceeded): // says what is wrong, also if ctx has ended meanwhile
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	default:
		err = fmt.Errorf("no answer within %v: %s", replyTime, advice)
	}
	return message{}, fmt.Errorf("rank %d: %s: %w", c.rank, Variable, err)
}

// receive reads the next message until ctx ends.
func (c *Client) receive(ctx context.Context, wanted string) (message, error) {
	stop := context.AfterFunc(ctx, func() { c.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	return read(c.lines, wanted)
}
