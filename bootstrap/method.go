package bootstrap

import (
	"context"
	"errors"

	"github.com/dlp-mpi/dlp-go/internal/environ"
)

// ErrNotDetected is wrapped by the reason of a method that is not available
// because its launcher did not start this process. Any other reason means that
// the launcher did start this process and that its environment is broken; Find
// then stops instead of trying the next method.
var ErrNotDetected = errors.New("not detected")

// Env looks up an environment variable, as os.LookupEnv does. Tests pass a map.
type Env = environ.Env

// method is one way to learn who this process is and where rank 0 listens.
type method interface {
	// name is what AME_BOOTSTRAP selects the method by.
	name() string

	// detect says whether the launcher that this method serves has started
	// this process; nil means available. It sends nothing. Besides variables it
	// looks at inherited descriptors and at what /proc says of this process,
	// and its answer depends only on what is alike on every rank, so that all
	// ranks choose the same method.
	detect(env Env) error

	// join runs the rendezvous, see Find.
	join(ctx context.Context, env Env, tell func(string)) (*World, error)
}

// notDetected is the reason of a method whose launcher is not ours.
type notDetected string

func (reason notDetected) Error() string { return string(reason) }
func (reason notDetected) Unwrap() error { return ErrNotDetected }

func isAbsent(err error) bool { return errors.Is(err, ErrNotDetected) }

// without is env that lacks a variable.
func without(env Env, hidden string) Env {
	return func(name string) (string, bool) {
		if name == hidden {
			return "", false
		}
		return env(name)
	}
}

// methodAme is the name of the method of ranks of ameexec, and by hand.
const methodAme = "ame"

// methodSingle is the name of the method of processes that are no ranks.
const methodSingle = "single"
