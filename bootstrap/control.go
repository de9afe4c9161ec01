package bootstrap

import (
	"bufio"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"
	"time"
)

// Control is a launcher's end of the channel by which the ranks that it starts
// on this node find each other.
//
// Every rank inherits one end of a Unix stream socket, as the descriptor that
// AME_CONTROL_FD names. To join a job, a program makes a socket pair and sends
// one end over that descriptor, with one byte 'S'; nothing else is ever sent on
// it, and nothing is read from it. So a rank may run several programs one after
// another (sh -c './a; ./b') or fork: each has a session of its own, and the
// n-th session of a rank is matched with the n-th session of every other rank.
//
// A session is a dialogue of JSON lines of at most 64 KiB:
//
//	program                              launcher
//	-----------------------------------  ------------------------------------------
//	join version rank                ->
//	                                 <-  world version rank size job host key
//	                                           local_rank local_size
//	rank 0, once it listens:
//	publish addresses                ->
//	                                 <-  published
//	or, if it cannot listen:
//	error why                        ->
//	other ranks wait for:
//	                                 <-  root addresses
//
// after which the other ranks close it; rank 0 does when all have connected.
// Job id and key are fresh for each session. At any time the launcher may send
// error why instead, also to rank 0 while it waits. With one rank the dialogue
// ends after world.
type Control struct {
	config   ControlConfig
	mu       sync.Mutex
	joined   []int    // sessions that each rank has joined
	ended    []string // how each rank ended; "" while it runs
	gone     []int    // the ranks that have ended, in this order
	sessions map[int]*session
	open     map[net.Conn]bool
	closed   bool
	serving  sync.WaitGroup
}

// ControlConfig describes the job that a launcher starts.
type ControlConfig struct {
	Job    string       // id of the job; sessions append their number
	Host   string       // name of this node
	Size   int          // number of ranks, all of them on this node
	Logger *slog.Logger // nil: discard
}

// session is what the n-th programs of all ranks share.
type session struct {
	number    int
	key       Key
	joined    int        // ranks that came
	waiting   []net.Conn // ranks that wait for the address of rank 0
	settled   bool       // rank 0 has published, or never will
	addresses []string   // where rank 0 listens
	root      net.Conn   // rank 0 while it waits for the others; else nil
	failure   string     // why it never will
}

const (
	controlJoin    = 30 * time.Second // for a program to say join, and to hang up at the end
	controlPublish = 5 * time.Minute  // for rank 0 to listen; it may be stopped in between
	controlWrite   = 10 * time.Second // for a program to take a line

	maxOpenSessions = 64   // of one rank at a time
	maxSessionLead  = 1024 // sessions that a rank may be ahead of another
)

// NewControl returns the control channel of one job. The launcher must Close it.
func NewControl(config ControlConfig) *Control {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	return &Control{
		config:   config,
		joined:   make([]int, config.Size),
		ended:    make([]string, config.Size),
		sessions: make(map[int]*session),
		open:     make(map[net.Conn]bool),
	}
}

// Child returns the end of the channel that rank inherits; the launcher closes
// it when the process has started. Child is called once per rank.
func (c *Control) Child(rank int) (*os.File, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("bootstrap: control channel of rank %d: %w", rank, err)
	}
	defer ours.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		theirs.Close()
		return nil, fmt.Errorf("bootstrap: control channel of rank %d: %w", rank, err)
	}
	if !c.start(conn, func() { c.serve(rank, conn.(*net.UnixConn)) }) {
		theirs.Close()
		return nil, fmt.Errorf("bootstrap: control channel of rank %d: %w", rank, net.ErrClosed)
	}
	return theirs, nil
}

// Environ returns the variables that tell the process of rank its place and
// the number of its inherited descriptor.
func (c *Control) Environ(rank, descriptor int) []string {
	return []string{
		"AME_RANK=" + strconv.Itoa(rank),
		"AME_SIZE=" + strconv.Itoa(c.config.Size),
		controlVariable + "=" + strconv.Itoa(descriptor),
	}
}

// Exited says that the process of rank has ended, and how ("exit status 0").
// Ranks that wait for it to join, and those that come later, get an error
// instead of a wait that cannot end.
func (c *Control) Exited(rank int, how string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended[rank] = how
	c.gone = append(c.gone, rank)
	for number, s := range c.sessions {
		if number > c.joined[rank] {
			c.settle(s, nil, c.missing(rank, number))
			if s.root != nil {
				c.send(s.root, controlMessage{Op: "error", Why: c.missing(rank, number)})
			}
		}
	}
}

// Close ends all sessions and waits for them.
func (c *Control) Close() error {
	c.mu.Lock()
	c.closed = true
	for conn := range c.open {
		conn.Close()
	}
	c.mu.Unlock()
	c.serving.Wait()
	return nil
}

// start serves conn in a goroutine that Close ends; it says false, with conn
// closed, after Close.
func (c *Control) start(conn net.Conn, serve func()) bool {
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

func (c *Control) forget(conn net.Conn) {
	conn.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, conn)
}

// serve starts a session for each socket that the programs of rank send, until
// the last of them has closed the descriptor.
func (c *Control) serve(rank int, channel *net.UnixConn) {
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
				c.converse(rank, conn)
			})
		default:
			c.config.Logger.Warn("control: too many sessions at once", "rank", rank, "limit", maxOpenSessions)
			conn.Close()
		}
	}
}

// converse is the launcher's end of one session.
func (c *Control) converse(rank int, conn net.Conn) {
	lines := newControlReader(conn)
	conn.SetReadDeadline(time.Now().Add(controlJoin))
	join, err := readControl(lines, "join")
	switch {
	case err != nil:
	case join.Version != controlVersion:
		err = fmt.Errorf("this program speaks version %d of ameexec's protocol, ameexec version %d: build both from one source", join.Version, controlVersion)
	case join.Rank != rank:
		err = fmt.Errorf("AME_RANK=%d, but ameexec started this process as rank %d", join.Rank, rank)
	}
	var s *session
	if err == nil {
		s, err = c.enter(rank)
	}
	if err != nil {
		c.config.Logger.Warn("control: refused", "rank", rank, "reason", err)
		c.send(conn, controlMessage{Op: "error", Why: err.Error()})
		return
	}
	err = c.send(conn, controlMessage{
		Op: "world", Version: controlVersion, Rank: rank, Size: c.config.Size,
		Job: fmt.Sprintf("%s-%d", c.config.Job, s.number), Host: c.config.Host, Key: s.key.Encode(),
		LocalRank: rank, LocalSize: c.config.Size,
	})
	switch {
	case c.config.Size == 1:
	case rank == 0:
		c.listening(s, conn, lines, err)
	case err == nil:
		c.await(s, conn)
	}
}

// enter matches the next session of rank with that of the other ranks.
func (c *Control) enter(rank int) (*session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	number := c.joined[rank] + 1
	for _, other := range c.gone { // the first may be why the others have ended
		if c.joined[other] < number && other != rank {
			return nil, errors.New(c.missing(other, number))
		}
	}
	for other := range c.joined {
		if c.joined[other] < number-maxSessionLead {
			return nil, fmt.Errorf("rank %d starts its program number %d, but rank %d has started only %d", rank, number, other, c.joined[other])
		}
	}
	c.joined[rank] = number
	s := c.sessions[number]
	if s == nil {
		s = &session{number: number, key: NewKey()}
		c.sessions[number] = s
	}
	s.joined++
	c.drop(s)
	return s, nil
}

// missing says that rank will not join the session of that number.
func (c *Control) missing(rank, number int) string {
	return fmt.Sprintf("rank %d has ended (%s) and will not join: it has started %d programs of the job, this is number %d; every rank must start the same ones in the same order",
		rank, c.ended[rank], c.joined[rank], number)
}

// listening takes the address of rank 0 and passes it on.
func (c *Control) listening(s *session, conn net.Conn, lines *bufio.Reader, err error) {
	var publish controlMessage
	if err == nil {
		conn.SetReadDeadline(time.Now().Add(controlPublish))
		publish, err = readControl(lines, "publish")
	}
	if err == nil && len(publish.Addresses) == 0 {
		err = errors.New("it published no address")
	}
	failure := ""
	if err != nil {
		failure = fmt.Sprintf("rank 0 did not come to listen: %v", err)
		if why := refusal(""); !errors.As(err, &why) {
			failure += "; its own output says why"
		}
		c.config.Logger.Warn("control: no address", "session", s.number, "reason", failure)
	}
	c.mu.Lock()
	c.settle(s, publish.Addresses, failure)
	answer := s.outcome()
	listens := answer.Op == "root"
	if listens {
		s.root = conn
		answer = controlMessage{Op: "published"}
	}
	c.send(conn, answer)
	c.mu.Unlock()
	if !listens {
		return
	}
	c.config.Logger.Debug("control: rank 0 listens", "session", s.number, "addresses", publish.Addresses)
	c.seeOff(conn)
	c.mu.Lock()
	s.root = nil
	c.mu.Unlock()
}

// seeOff returns when the program hangs up.
func (c *Control) seeOff(conn net.Conn) {
	conn.SetReadDeadline(time.Time{}) // the program itself ends the wait
	conn.Read(make([]byte, 1))
}

// settle tells those who wait where rank 0 listens, or why it does not. Only
// the first call for a session counts. The caller holds c.mu; a program cannot
// keep it from others, for the line fits the socket's buffer.
func (c *Control) settle(s *session, addresses []string, failure string) {
	if s.settled {
		return
	}
	s.settled, s.addresses, s.failure = true, addresses, failure
	for _, conn := range s.waiting {
		c.send(conn, s.outcome())
	}
	s.waiting = nil
	c.drop(s)
}

// await gives a rank the outcome of its session and sees it off.
func (c *Control) await(s *session, conn net.Conn) {
	c.mu.Lock()
	if s.settled {
		c.send(conn, s.outcome())
	} else {
		s.waiting = append(s.waiting, conn)
	}
	c.mu.Unlock()
	c.seeOff(conn)
}

func (s *session) outcome() controlMessage {
	if s.failure != "" {
		return controlMessage{Op: "error", Why: s.failure}
	}
	return controlMessage{Op: "root", Addresses: s.addresses}
}

// drop forgets a session to which nobody can come any more.
func (c *Control) drop(s *session) {
	if s.settled && s.joined == c.config.Size {
		delete(c.sessions, s.number)
	}
}

func (c *Control) send(conn net.Conn, message controlMessage) error {
	conn.SetWriteDeadline(time.Now().Add(controlWrite))
	return writeControl(conn, message)
}
