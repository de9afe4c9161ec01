package dlp

import (
	"errors"
	"fmt"
	"sync"

	"github.com/dlp-mpi/dlp-go/internal/program"
)

// programs compares on rank 0 what the ranks run. Processes that have a
// launcher's variables by accident must not become one job.
type programs struct {
	own program.Program

	mu       sync.Mutex
	doubtful string // how a rank differs of which it cannot be seen whether that is meant
	more     int    // how many others do
}

// admit says whether a rank that runs what claim says may be in the job.
func (p *programs) admit(rank int, claim []byte) error {
	theirs, _, err := program.Parse(claim)
	if err != nil {
		return fmt.Errorf("does not say what it runs: %w", err)
	}
	switch p.own.Fit(theirs) {
	case program.Foreign:
		return errors.New(p.own.Difference(0, theirs, rank))
	case program.Doubtful:
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.doubtful == "" {
			p.doubtful = p.own.Difference(0, theirs, rank)
		} else {
			p.more++
		}
	}
	return nil
}

// warnings are for the user of a job that has been let through.
func (p *programs) warnings() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.doubtful == "":
		return nil
	case p.more > 0:
		return []string{fmt.Sprintf("%s (and %d more ranks run something else than rank 0)", p.doubtful, p.more)}
	}
	return []string{p.doubtful}
}
