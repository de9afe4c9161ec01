package draw

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/dlp-mpi/dlp-go/internal/timeline"
)

// Trace writes loops in the Trace Event Format, in its form of a JSON object,
// which Perfetto and chrome://tracing read. A loop is a process, and a slot a
// thread of it. Times are in microseconds since the first loop began.
func Trace(to io.Writer, loops []*timeline.Loop) error {
	w := bufio.NewWriter(to)
	t := tracer{w: w}
	fmt.Fprint(w, `{"displayTimeUnit":"ms","traceEvents":[`)
	for i, l := range loops {
		t.loop(i+1, l, l.Began.Sub(loops[0].Began))
	}
	fmt.Fprintln(w, "\n]}")
	return w.Flush()
}

type tracer struct {
	w    *bufio.Writer
	many bool // events
}

// event is one of the format. ts and dur are in microseconds.
type event struct {
	Name  string         `json:"name"`
	Phase string         `json:"ph"`
	Time  float64        `json:"ts"`
	Took  float64        `json:"dur,omitempty"`
	PID   int            `json:"pid"`
	TID   int            `json:"tid"`
	State string         `json:"cat,omitempty"`
	Args  map[string]any `json:"args,omitempty"`
}

func (t *tracer) add(e event) {
	if t.many {
		t.w.WriteByte(',')
	}
	t.many = true
	t.w.WriteByte('\n')
	b, _ := json.Marshal(e) // strings and numbers
	t.w.Write(b)
}

func (t *tracer) loop(pid int, l *timeline.Loop, began time.Duration) {
	t.add(event{Name: "process_name", Phase: "M", PID: pid, Args: map[string]any{"name": Title(l)}})
	rows := Rows(l)
	for tid := range rows {
		row := &rows[tid]
		t.add(event{Name: "thread_name", Phase: "M", PID: pid, TID: tid, Args: map[string]any{"name": row.Name(l.Ranks[row.Rank].Slots)}})
		for _, r := range row.Records {
			state := appearances[r.State].Name
			e := event{
				Name: state, Phase: "X", PID: pid, TID: tid, State: state,
				Time: float64((began + r.Start).Nanoseconds()) / 1e3, Took: float64(r.Took.Nanoseconds()) / 1e3,
			}
			if r.State.IsItem() {
				e.Name = fmt.Sprint("item ", r.Index)
				if note, ok := l.Notes[r.Index]; ok {
					e.Args = map[string]any{"note": note.Text}
				}
			}
			t.add(e)
		}
	}
}
