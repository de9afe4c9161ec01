package stepmeet

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
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

// attempts lists what was tried, addresses of the same outcome together.
func (s *search) attempts() string {
	type outcome struct{ host, text string }
	ports := make(map[outcome][]string)
	for address, err := range s.tried {
		text := err.Error()
		var dial *net.OpError
		if errors.As(err, &dial) {
			text = dial.Err.Error() // without the address
		}
		host, port, _ := net.SplitHostPort(address)
		if host == "" {
			host = address
		}
		ports[outcome{host, text}] = append(ports[outcome{host, text}], port)
	}
	var parts []string
	for o, list := range ports {
		slices.Sort(list)
		part := o.host
		if list[0] != "" {
			part += " port " + strings.Join(list, ",")
		}
		parts = append(parts, part+": "+o.text)
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
