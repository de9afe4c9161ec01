package control

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/dlp-mpi/dlp-go/internal/environ"
	"github.com/dlp-mpi/dlp-go/internal/progress"
)

// reportTime is how long the launcher may take to accept a report. It only
// has to store it; a program does not wait for one that is stopped.
const reportTime = time.Second

// Reporter is a program's way to tell the launcher what it is about, besides
// its session and at any time. Its methods are for one goroutine.
type Reporter struct {
	session *Client
	bar     bool
}

// Report opens a Reporter for the program of rank.
func Report(ctx context.Context, env environ.Env, rank int) (*Reporter, error) {
	ctx, cancel := context.WithTimeout(ctx, reportTime)
	defer cancel()
	conn, err := openSession(env)
	if err != nil {
		return nil, err
	}
	c := &Client{rank: rank, conn: conn, lines: newReader(conn)}
	answer, err := c.ask(ctx, message{Op: "report", Version: version, Rank: rank}, "reporting")
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &Reporter{session: c, bar: answer.Bar}, nil
}

// Bar says whether the launcher shows progress: it is at a terminal, as this
// program is not.
func (r *Reporter) Bar() bool { return r.bar }

// Progress has s shown.
func (r *Reporter) Progress(s progress.State) error {
	s.Label = clipped(s.Label)
	return r.tell(message{Op: "progress", Progress: &s})
}

// Lost says that this program ends because it has lost the rank peer. It
// returns when the launcher knows, which may next see this process end.
func (r *Reporter) Lost(peer int) error {
	ctx, cancel := context.WithTimeout(context.Background(), reportTime)
	defer cancel()
	_, err := r.session.ask(ctx, message{Op: "lost", Peer: peer}, "noted")
	return err
}

func (r *Reporter) tell(m message) error {
	r.session.conn.SetWriteDeadline(time.Now().Add(reportTime))
	return write(r.session.conn, m)
}

// Close ends the reports. What was shown as progress is shown no more.
func (r *Reporter) Close() error { return r.session.conn.Close() }

// listen is the launcher's end of a Reporter.
func (c *Server) listen(rank int, conn net.Conn, lines *bufio.Reader) {
	conn.SetReadDeadline(time.Time{})
	if c.send(conn, message{Op: "reporting", Bar: c.config.Progress != nil}) != nil {
		return
	}
	shown := false
	for {
		m, err := read(lines, "progress", "lost")
		switch {
		case err != nil:
			if shown {
				c.config.Progress(progress.State{})
			}
			return
		case m.Op == "lost":
			if c.config.Lost != nil && m.Peer >= 0 && m.Peer < c.config.Size {
				c.config.Lost(rank, m.Peer)
			}
			c.send(conn, message{Op: "noted"})
		case m.Op == "progress" && m.Progress != nil && c.config.Progress != nil:
			shown = !m.Progress.Last
			c.config.Progress(*m.Progress)
		}
	}
}

// wrongProgram says why a program that has opened a session is none of this
// job's, or not as rank; nil if it is.
func wrongProgram(m message, rank int) error {
	switch {
	case m.Version != version:
		return fmt.Errorf("this program speaks version %d of ameexec's protocol, ameexec version %d: build both from one source", m.Version, version)
	case m.Rank != rank:
		return fmt.Errorf("AME_RANK=%d, but ameexec started this process as rank %d", m.Rank, rank)
	}
	return nil
}

// clipped keeps a text to what fits a line.
func clipped(text string) string {
	const longest = maxLine / 8 // JSON may need six bytes for one
	if len(text) > longest {
		return strings.ToValidUTF8(text[:longest], "") + " ..."
	}
	return text
}
