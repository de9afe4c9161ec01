package draw

import "github.com/dlp-mpi/dlp-go/internal/timeline"

// Lost is the state of the time in which a rank was lost: from the last that was
// heard of it until it was declared so. No file has it.
const Lost = timeline.Body + 1

// appearance is how a state is drawn, in all pictures.
type appearance struct {
	Name     string   `json:"name"`
	Colour   string   `json:"colour"`
	Item     bool     `json:"item"`
	Severity severity `json:"severity"`
}

// severity is which of several states in one place is to be seen: the highest. The
// page's program knows the numbers.
type severity int

const (
	waits severity = iota
	works
	wrong
)

var appearances = []appearance{
	timeline.Done:    {"done", "#3b7dd8", true, works},
	timeline.Failed:  {"failed", "#d62728", true, wrong},
	timeline.Crashed: {"crashed", "#8c1b6b", true, wrong},
	timeline.Cut:     {"cut off", "#ff9896", true, wrong},
	timeline.Waiting: {"waits for rank 0", "#f0d9a8", false, waits},
	timeline.Body:    {"loop body of rank 0", "#59a14f", false, works},
	Lost:             {"lost", "#7f1d1d", false, wrong},
}
