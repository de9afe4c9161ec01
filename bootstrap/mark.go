package bootstrap

import (
	"os"

	"github.com/dlp-mpi/dlp-go/internal/nesting"
)

// Mark tells the processes that this one starts that they are no ranks of its
// job: it sets an environment variable, which unmark removes. They come up as
// single then. Ranks that a launcher started by this process starts in turn
// are told apart by their variables.
func (w *World) Mark(env Env) (unmark func()) {
	if w.Method == methodSingle {
		return func() {}
	}
	mark := nesting.MarkOf(env, look().self)
	if os.Setenv(nesting.Mark, mark) != nil {
		return func() {}
	}
	return func() {
		if os.Getenv(nesting.Mark) == mark {
			os.Unsetenv(nesting.Mark)
		}
	}
}
