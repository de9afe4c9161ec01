package stepmeet

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/dlp-mpi/dlp-go/slurm"
)

// refuse remembers that what says to be rank 0 of our step does not take us,
// or we not it. That may be a stranger, so the search goes on, but not for long.
func (s *search) refuse(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = err
	if s.patient == nil {
		s.patient = time.AfterFunc(s.patience, func() { s.end(errRefused) })
	}
	return err
}

var errRefused = errors.New("no other rank 0 was found")

// relent takes back what refuse has said.
func (s *search) relent() {
	s.stopPatience()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused, s.patient = nil, nil
}

func (s *search) stopPatience() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.patient != nil {
		s.patient.Stop()
	}
}

func (s *search) note(address string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		delete(s.tried, address)
		return
	}
	s.tried[address] = err
}

// failure says why rank 0 was not found.
func (s *search) failure(cause error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	who := fmt.Sprintf("rank %d on %s", s.step.Rank, s.node)
	if s.refused != nil {
		return fmt.Errorf("%s and rank 0 do not come together: %w (%w)", who, s.refused, cause)
	}
	where := "of a node that Slurm does not tell"
	if root, known := s.step.RootHost(); known {
		where = "on " + root
	}
	return fmt.Errorf("%s cannot reach rank 0 %s: %w; tried %s; "+
		"if these ports are closed between the nodes, or Slurm tells the wrong node, set AME_RENDEZVOUS_DIR to a directory that all nodes see", who, where, cause, s.attempts())
}

// maxAttempts is the number of different outcomes that an error lists.
const maxAttempts = 12

// attempts lists what was tried, what has the same outcome together.
func (s *search) attempts() string {
	type outcome struct{ where, text string }
	const lookup = ""                   // where of a node whose name gives no address
	tried := make(map[outcome][]string) // ports, or nodes
	for address, err := range s.tried {
		text := err.Error()
		var dial *net.OpError
		var name *net.DNSError
		if errors.As(err, &dial) {
			text = dial.Err.Error() // without the address
		} else if errors.As(err, &name) {
			text = name.Err // without the name
		}
		where, what, err := net.SplitHostPort(address)
		if err != nil {
			where, what = lookup, address
		}
		tried[outcome{where, text}] = append(tried[outcome{where, text}], what)
	}
	var parts []string
	for o, list := range tried {
		slices.Sort(list)
		what := o.where + " port " + strings.Join(list, ",")
		if o.where == lookup {
			what = "node " + folded(list)
		}
		parts = append(parts, what+": "+o.text)
	}
	slices.Sort(parts)
	if len(parts) == 0 {
		return "nothing yet"
	}
	if more := len(parts) - maxAttempts; more > 0 {
		parts = append(parts[:maxAttempts], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(parts, "; ")
}

// folded writes nodes as Slurm prints them.
func folded(nodes []string) string {
	list, err := slurm.Compress(nodes)
	if err != nil {
		return strings.Join(nodes, ",")
	}
	return list
}
