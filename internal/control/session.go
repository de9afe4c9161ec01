package control

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// session is what the n-th programs of all ranks share.
type session struct {
	number  int
	joined  int               // ranks that came
	members map[net.Conn]bool // programs that have joined and know of no end yet
	waiting []net.Conn        // those of them that wait for the text of rank 0
	text    string            // of rank 0, "" as long as there is none
	up      bool              // all ranks are connected
	failure string            // why they never will be
}

// settled says that nobody has to wait in this session.
func (s *session) settled() bool { return s.text != "" || s.failure != "" }

// answer is the launcher's end of one session.
func (c *Server) answer(rank int, conn net.Conn) {
	lines := newReader(conn)
	conn.SetReadDeadline(time.Now().Add(joinTime))
	join, err := read(lines, "join", "report")
	if err == nil {
		err = wrongProgram(join, rank)
	}
	if err == nil && join.Op == "report" {
		c.listen(rank, conn, lines)
		return
	}
	var s *session
	if err == nil {
		s, err = c.enter(rank, conn)
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
	if c.config.Size == 1 {
		return
	}
	if err == nil && rank == 0 {
		err = c.listening(s, conn, lines)
	} else if err == nil {
		c.await(s, conn)
	}
	c.seeOff(s, rank, conn, lines, err)
}

// enter matches the next session of rank with that of the other ranks.
func (c *Server) enter(rank int, conn net.Conn) (*session, error) {
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
	if c.config.Size == 1 { // nobody shares it
		return &session{number: number}, nil
	}
	s := c.sessions[number]
	if s == nil {
		s = &session{number: number, members: make(map[net.Conn]bool)}
		c.sessions[number] = s
	}
	s.joined++
	s.members[conn] = true
	c.drop(s)
	return s, nil
}

// missing says that rank will not join the session of that number.
func (c *Server) missing(rank, number int) string {
	return fmt.Sprintf("rank %d has ended (%s) and will not join: it has started %d programs of the job, this is number %d; every rank must start the same ones in the same order",
		rank, c.ended[rank], c.joined[rank], number)
}

// listening takes the text of rank 0 and passes it on.
func (c *Server) listening(s *session, conn net.Conn, lines *bufio.Reader) error {
	conn.SetReadDeadline(time.Now().Add(publishTime))
	publish, err := read(lines, "publish")
	if err == nil && publish.Text == "" {
		err = errors.New("it published nothing")
	}
	if err != nil {
		return fmt.Errorf("did not come to listen: %w", err)
	}
	c.config.Logger.Debug("control: rank 0 listens", "session", s.number, "addresses", publish.Addresses)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !s.members[conn] { // it has been told that some rank will not come
		return nil
	}
	s.text = publish.Text
	for _, waiting := range s.waiting {
		c.send(waiting, message{Op: "root", Text: s.text})
	}
	s.waiting = nil
	c.drop(s)
	return c.send(conn, message{Op: "published"})
}

// await gives a rank the text of rank 0 as soon as there is one; also if the
// start has failed meanwhile, for the text may say why.
func (c *Server) await(s *session, conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !s.settled() {
		s.waiting = append(s.waiting, conn)
		return
	}
	if s.text != "" {
		c.send(conn, message{Op: "root", Text: s.text})
	}
	if s.failure != "" {
		c.send(conn, message{Op: "error", Why: s.failure})
		delete(s.members, conn)
	}
}

// seeOff waits until the program of rank hangs up, unless it has failed
// already. If nobody has said by then that all are connected, the start has
// failed, and the others get to know: they may have an address already, and
// wait for a rank that has ended.
func (c *Server) seeOff(s *session, rank int, conn net.Conn, lines *bufio.Reader, err error) {
	if err == nil {
		conn.SetReadDeadline(time.Time{}) // the program itself ends the wait
		_, err = read(lines, "up")
	}
	if errors.Is(err, io.EOF) {
		select {
		case <-c.exited[rank]: // how it has ended says more than that
		case <-time.After(exitTime):
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(s.members, conn)
	s.up = s.up || err == nil
	if s.up || s.failure != "" {
		return
	}
	why := fmt.Sprintf("rank %d has ended its start before all ranks were connected; its own output says why", rank)
	switch {
	case c.ended[rank] != "":
		why = fmt.Sprintf("rank %d has ended (%s) before all ranks were connected", rank, c.ended[rank])
	case rank == 0 && s.text == "":
		why = fmt.Sprintf("rank 0 %v; its own output says why", err)
	}
	c.config.Logger.Warn("control: the start has failed", "session", s.number, "reason", why)
	c.collapse(s, why)
}

// collapse tells all programs of a session that not all ranks will ever be
// connected. Only the first reason counts. The caller holds c.mu; a program
// cannot keep it from others, for the line fits the socket's buffer.
func (c *Server) collapse(s *session, why string) {
	if s.up || s.failure != "" {
		return
	}
	s.failure, s.waiting = why, nil
	for conn := range s.members {
		c.send(conn, message{Op: "error", Why: why})
	}
	clear(s.members)
	c.drop(s)
}

// drop forgets a session to which nobody can come any more.
func (c *Server) drop(s *session) {
	if s.settled() && s.joined == c.config.Size {
		delete(c.sessions, s.number)
	}
}

func (c *Server) send(conn net.Conn, m message) error {
	conn.SetWriteDeadline(time.Now().Add(writeTime))
	return write(conn, m)
}
