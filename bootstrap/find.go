package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/dlp-mpi/dlp-go/internal/environ"
	"github.com/dlp-mpi/dlp-go/internal/program"
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

// methods is the order in which Find asks. It must end with a method that is
// always available.
func methods() []method {
	return []method{
		ameMethod{},
		pmiMethod{},
		pmixMethod{},
		fileMethod{},
		slurmMethod{},
		singleMethod{},
	}
}

// Find joins the job that this process is part of, by the first available
// method or by the one that AME_BOOTSTRAP names.
//
// Rank 0 returns when it listens and has published its address. Where only a
// barrier of the launcher carries that (pmi, pmix), it blocks until all ranks
// are in it or ctx ends, and calls tell after 10 s and then every 30 s with a
// line for the user, unless tell is nil. The other ranks block until they know
// an address of rank 0; where it may be one of another job (World.Newer) they
// return at once. The Report is never nil, also not with an error. After an
// error nothing is left open.
func Find(ctx context.Context, env Env, tell func(string)) (*World, *Report, error) {
	here, candidates := look(), methods()
	if o, ok := here.childOfRank(env); ok {
		return find(ctx, without(env, "AME_BOOTSTRAP"), tell, barred(candidates, o))
	}
	if o, ok := here.shellOfStep(env); ok && !environ.AnySet(env, "AME_BOOTSTRAP") {
		return find(ctx, env, tell, barred(candidates, o))
	}
	return find(ctx, env, tell, candidates)
}

// without is env that lacks a variable.
func without(env Env, hidden string) Env {
	return func(name string) (string, bool) {
		if name == hidden {
			return "", false
		}
		return env(name)
	}
}

func find(ctx context.Context, env Env, tell func(string), methods []method) (*World, *Report, error) {
	chosen, report, err := choose(env, methods)
	if err != nil {
		return nil, report, fmt.Errorf("bootstrap: %w", err)
	}
	world, err := chosen.join(ctx, env, tell)
	if err == nil {
		if err = world.check(); err != nil {
			world.abandon()
		}
	}
	if err != nil {
		return nil, report, fmt.Errorf("bootstrap: %s: %w", chosen.name(), err)
	}
	world.Method = chosen.name()
	world.Program = program.This(env, world.App)
	return world, report, nil
}

// choose asks every method, so that the report is complete, and picks one.
func choose(env Env, methods []method) (method, *Report, error) {
	forced, isForced := environ.Lookup(env, "AME_BOOTSTRAP")
	report := &Report{}
	var chosen method
	var failure error
	known := make([]string, 0, len(methods))
	for _, m := range methods {
		name := m.name()
		known = append(known, name)
		candidate := chosen == nil && failure == nil
		if isForced {
			candidate = name == forced
		}
		err := m.detect(env)
		entry := Entry{Method: name}
		switch {
		case err == nil && candidate:
			chosen = m
			entry.State, entry.Reason = Chosen, "the first that is available"
			if isForced {
				entry.Reason = "AME_BOOTSTRAP=" + forced
			}
		case err == nil:
			entry.State, entry.Reason = Available, "not the first that is available"
			if isForced {
				entry.Reason = "AME_BOOTSTRAP=" + forced + " names another"
			}
		default:
			entry.State, entry.Reason = NotAvailable, err.Error()
			if candidate && (isForced || !errors.Is(err, ErrNotDetected)) {
				failure = fmt.Errorf("%s: %w", name, err)
			}
		}
		report.Entries = append(report.Entries, entry)
	}

	switch {
	case failure != nil && isForced:
		return nil, report, fmt.Errorf("AME_BOOTSTRAP=%s: not available: %w", forced, failure)
	case failure != nil:
		return nil, report, failure
	case chosen == nil && isForced:
		return nil, report, fmt.Errorf("AME_BOOTSTRAP=%q: no such method; known: %s", forced, strings.Join(known, ", "))
	case chosen == nil:
		return nil, report, fmt.Errorf("not under a launcher we know: %s: start with srun, mpiexec or ameexec", report.reasons())
	}
	return chosen, report, nil
}

// notDetected is the reason of a method whose launcher is not ours.
type notDetected string

func (reason notDetected) Error() string { return string(reason) }
func (reason notDetected) Unwrap() error { return ErrNotDetected }

func isAbsent(err error) bool { return errors.Is(err, ErrNotDetected) }
