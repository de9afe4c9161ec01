package control

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"time"
)

// session is what the n-th programs of all ranks share.
type session struct {
	number  int
	joined  int        // ranks that came
	waiting []net.Conn // ranks that wait for the address of rank 0
	settled bool       // rank 0 has published, or never will
	text    string     // what it has published
	root    net.Conn   // rank 0 while it waits for the others; else nil
	failure string     // why it never will
}

// answer is the launcher's end of one session.
func (c *Server) answer(rank int, conn net.Conn) {
	lines := newReader(conn)
	conn.SetReadDeadline(time.Now().Add(joinTime))
	join, err := read(lines, "join")
	switch {
	case err != nil:
	case join.Version != version:
		err = fmt.Errorf("this program speaks version %d of ameexec's protocol, ameexec version %d: build both from one source", join.Version, version)
	case join.Rank != rank:
		err = fmt.Errorf("AME_RANK=%d, but ameexec started this process as rank %d", join.Rank, rank)
	}
	var s *session
	if err == nil {
		s, err = c.enter(rank)
	}
	if err != nil {
		c.config.Logger.Warn("control: refused", "rank", rank, "reason", err)
		c.send(conn, message{Op: "error", Why: err.Error()})
		return
	}
	err = c.send(conn, message{
		Op: "world", Version: version, Rank: rank, Size: c.config.Size,
		Job: fmt.Sprintf("%s-%d", c.config.Job, s.number), Host: c.config.Host, App: c.app(rank),
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
func (c *Server) enter(rank int) (*session, error) {
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
		s = &session{number: number}
		c.sessions[number] = s
	}
	s.joined++
	c.drop(s)
	return s, nil
}

// missing says that rank will not join the session of that number.
func (c *Server) missing(rank, number int) string {
	return fmt.Sprintf("rank %d has ended (%s) and will not join: it has started %d programs of the job, this is number %d; every rank must start the same ones in the same order",
		rank, c.ended[rank], c.joined[rank], number)
}

// listening takes the address of rank 0 and passes it on.
func (c *Server) listening(s *session, conn net.Conn, lines *bufio.Reader, err error) {
	var publish message
	if err == nil {
		conn.SetReadDeadline(time.Now().Add(publishTime))
		publish, err = read(lines, "publish")
	}
	if err == nil && publish.Text == "" {
		err = errors.New("it published nothing")
	}
	failure := ""
	if err != nil {
		failure = fmt.Sprintf("rank 0 did not come to listen: %v; its own output says why", err)
		c.config.Logger.Warn("control: no address", "session", s.number, "reason", failure)
	}
	c.mu.Lock()
	c.settle(s, publish.Text, failure)
	reply := s.outcome()
	listens := reply.Op == "root"
	if listens {
		s.root = conn
		reply = message{Op: "published"}
	}
	c.send(conn, reply)
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
func (c *Server) seeOff(conn net.Conn) {
	conn.SetReadDeadline(time.Time{}) // the program itself ends the wait
	conn.Read(make([]byte, 1))
}

// settle tells those who wait where rank 0 listens, or why it does not. Only
// the first call for a session counts. The caller holds c.mu; a program cannot
// keep it from others, for the line fits the socket's buffer.
func (c *Server) settle(s *session, text, failure string) {
	if s.settled {
		return
	}
	s.settled, s.text, s.failure = true, text, failure
	for _, conn := range s.waiting {
		c.send(conn, s.outcome())
	}
	s.waiting = nil
	c.drop(s)
}

// await gives a rank the outcome of its session and sees it off.
func (c *Server) await(s *session, conn net.Conn) {
	c.mu.Lock()
	if s.settled {
		c.send(conn, s.outcome())
	} else {
		s.waiting = append(s.waiting, conn)
	}
	c.mu.Unlock()
	c.seeOff(conn)
}

func (s *session) outcome() message {
	if s.failure != "" {
		return message{Op: "error", Why: s.failure}
	}
	return message{Op: "root", Text: s.text}
}

// drop forgets a session to which nobody can come any more.
func (c *Server) drop(s *session) {
	if s.settled && s.joined == c.config.Size {
		delete(c.sessions, s.number)
	}
}

func (c *Server) send(conn net.Conn, m message) error {
	conn.SetWriteDeadline(time.Now().Add(writeTime))
	return write(conn, m)
}
