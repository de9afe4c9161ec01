package bootstrap

import (
	"os"

	"github.com/dlp-mpi/dlp-go/internal/nesting"
)

// Mark tells the processes that this one starts that they are no ranks of its
// job: it sets an environment variable, and they come up as single. Those that it starts
// after unmark can be ranks, and are told what may be wrong if others do not come. Ranks that a launcher started by this process starts in turn
// are told apart by their variables. From unmark on another process of the task
// may be this rank, of its next program.
func (w *World) Mark(env Env) (unmark func()) {
	if w.Method == methodSingle {
		return func() {}
	}
	mark := nesting.MarkOf(env, look().self)
	if os.Setenv(nesting.Mark, mark) != nil {
		return w.leave
	}
	return func() {
		w.leave()
		if os.Getenv(nesting.Mark) == mark {
			os.Setenv(nesting.Mark, nesting.Closed(mark))
		}
	}
}
