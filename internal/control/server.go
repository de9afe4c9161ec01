package control

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/dlp-mpi/dlp-go/internal/progress"
)

// Server is the launcher's end of the channel of one job.
type Server struct {
	config   Config
	mu       sync.Mutex
	joined   []int           // sessions that each rank has joined
	ended    []string        // how each rank ended; "" while it runs
	gone     []int           // the ranks that have ended, in this order
	exited   []chan struct{} // of each rank, closed when it has ended
	sessions map[int]*session
	open     map[net.Conn]bool
	closed   bool
	serving  sync.WaitGroup
}

// Config describes the job that a launcher starts.
type Config struct {
	Job    string       // id of the job; sessions append their number
	Host   string       // name of this node
	Size   int          // number of ranks, all of them on this node
	Apps   []int        // application of each rank, as ":" counts them; nil: 0 for all
	Logger *slog.Logger // nil: discard

	// Progress shows how far the job is, if it is not nil; a zero State, that
	// there is nothing to show any more. Lost is told that rank ends because it
	// has lost peer. Neither may wait.
	Progress func(progress.State)
	Lost     func(rank, peer int)
}

const (
	joinTime    = 30 * time.Second       // for a program to say join, and to hang up at the end
	publishTime = 5 * time.Minute        // for rank 0 to listen; it may be stopped in between
	writeTime   = 10 * time.Second       // for a program to take a line
	exitTime    = 300 * time.Millisecond // for a process that has hung up to end

	maxOpenSessions = 64   // of one rank at a time
	maxSessionLead  = 1024 // sessions that a rank may be ahead of another
)

// New returns the control channel of one job. The launcher must Close it.
func New(config Config) *Server {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Server{
		config:   config,
		joined:   make([]int, config.Size),
		ended:    make([]string, config.Size),
		sessions: make(map[int]*session),
		open:     make(map[net.Conn]bool),
	}
	for range config.Size {
		c.exited = append(c.exited, make(chan struct{}))
	}
	return c
}

// Child returns the end of the channel that rank inherits; the launcher closes
// it when the process has started. Child is called once per rank.
func (c *Server) Child(rank int) (*os.File, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("control: channel of rank %d: %w", rank, err)
	}
	defer ours.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		theirs.Close()
		return nil, fmt.Errorf("control: channel of rank %d: %w", rank, err)
	}
	if !c.start(conn, func() { c.serve(rank, conn.(*net.UnixConn)) }) {
		theirs.Close()
		return nil, fmt.Errorf("control: channel of rank %d: %w", rank, net.ErrClosed)
	}
	return theirs, nil
}

// Environ returns the variables that tell the process of rank its place and
// the number of its inherited descriptor.
func (c *Server) Environ(rank, descriptor int) []string {
	return []string{
		"AME_RANK=" + strconv.Itoa(rank),
		"AME_SIZE=" + strconv.Itoa(c.config.Size),
		Variable + "=" + strconv.Itoa(descriptor),
	}
}

// Exited says that the process of rank has ended, and how ("exit status 0").
// Ranks that wait for it to join, and those that come later, get an error
// instead of a wait that cannot end.
func (c *Server) Exited(rank int, how string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended[rank] = how
	c.gone = append(c.gone, rank)
	close(c.exited[rank])
	for number, s := range c.sessions {
		if number > c.joined[rank] {
			c.collapse(s, c.missing(rank, number))
		}
	}
}

// Close ends all sessions and waits for them.
func (c *Server) Close() error {
	c.mu.Lock()
	c.closed = true
	for conn := range c.open {
		conn.Close()
	}
	c.mu.Unlock()
	c.serving.Wait()
	return nil
}

// app is the number of the application that rank is of.
func (c *Server) app(rank int) int {
	if rank < len(c.config.Apps) {
		return c.config.Apps[rank]
	}
	return 0
}

// start serves conn in a goroutine that Close ends; it says false, with conn
// closed, after Close.
func (c *Server) start(conn net.Conn, serve func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		conn.Close()
		return false
	}
	c.open[conn] = true
	c.serving.Go(func() {
		defer c.forget(conn)
		serve()
	})
	return true
}

func (c *Server) forget(conn net.Conn) {
	conn.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, conn)
}

// serve starts a session for each socket that the programs of rank send, until
// the last of them has closed the descriptor.
func (c *Server) serve(rank int, channel *net.UnixConn) {
	slots := make(chan struct{}, maxOpenSessions)
	for {
		file, err := receiveDescriptor(channel)
		if err != nil {
			return
		}
		conn, err := net.FileConn(file)
		file.Close()
		if err != nil {
			c.config.Logger.Warn("control: not a socket", "rank", rank)
			continue
		}
		select {
		case slots <- struct{}{}:
			c.start(conn, func() {
				defer func() { <-slots }()
				c.answer(rank, conn)
			})
		default:
			c.config.Logger.Warn("control: too many sessions at once", "rank", rank, "limit", maxOpenSessions)
			conn.Close()
		}
	}
}
