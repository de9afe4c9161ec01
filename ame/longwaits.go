package ame

import (
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/dlp-mpi/dlp-go/internal/printable"
)

// longWaits are the calls of this process that have waited for other ranks for
// longer than announceAfter, and what tells whether anything goes on.
type longWaits struct {
	sent, got atomic.Uint64 // data frames to and from other ranks

	mu    sync.Mutex
	count uint64 // waits that have begun or ended
	told  bool   // rank 0 thinks that this rank waits
	open  map[*wait]bool
}

// wait is one of them.
type wait struct {
	text  string // what it is in, and the source line
	timed bool   // it ends by itself
}

// standing is how a rank stands, as rank 0 hears it.
type standing struct {
	waits   bool
	freedom freedom
	count   uint64 // changes whenever a call begins or ends to wait
	sent    uint64 // data frames to other ranks
	got     uint64 // and from them
	text    string // of its waits
}

// enter notes a wait, and says whether rank 0 is to be told.
func (w *longWaits) enter(one *wait) (tell bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open == nil {
		w.open = map[*wait]bool{}
	}
	w.open[one] = true
	w.count++
	tell, w.told = !w.told, true
	return tell
}

func (w *longWaits) leave(one *wait) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.open, one)
	w.count++
}

// shownWaits is how many waits of a rank are named.
const shownWaits = 3

// now is how this rank stands. look says what else its process can do.
func (w *longWaits) now(look func() freedom) standing {
	w.mu.Lock()
	s := standing{waits: len(w.open) > 0, count: w.count, sent: w.sent.Load(), got: w.got.Load()}
	w.told = s.waits
	var texts []string
	for one := range w.open {
		if one.timed {
			s.freedom = unsure
		}
		texts = append(texts, one.text)
	}
	w.mu.Unlock()
	if !s.waits {
		return s
	}
	s.freedom = max(s.freedom, look())
	if more := len(texts) - shownWaits; more > 0 {
		texts = append(texts[:shownWaits], fmt.Sprintf("%d more", more))
	}
	s.text = strings.Join(texts, " and ")
	return s
}

// standingSize is the length in bytes of the wire form of a standing without its
// text: waits (1), freedom (1), count, sent, got (8 each).
const standingSize = 26

func (s *standing) appendTo(b []byte) []byte {
	waits := byte(0)
	if s.waits {
		waits = 1
	}
	b = append(b, waits, byte(s.freedom))
	for _, n := range []uint64{s.count, s.sent, s.got} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return append(b, s.text[:min(len(s.text), maxAnnouncement)]...)
}

func parseStanding(b []byte) (standing, error) {
	if len(b) < standingSize || len(b) > standingSize+maxAnnouncement || b[0] > 1 || b[1] > byte(free) {
		return standing{}, fmt.Errorf("standing frame of %d bytes", len(b))
	}
	return standing{
		waits: b[0] == 1, freedom: freedom(b[1]), count: binary.BigEndian.Uint64(b[2:]),
		sent: binary.BigEndian.Uint64(b[10:]), got: binary.BigEndian.Uint64(b[18:]), text: printable.Text(string(b[standingSize:])),
	}, nil
}
