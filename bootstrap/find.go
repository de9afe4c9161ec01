package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// methods is the order in which Find asks. It must end with a method that is
// always available.
func methods() []Method {
	return []Method{
		ameMethod{},
		pmiMethod{},
		pmixMethod{},
		pmixFileMethod{},
		newSlurmMethod(),
		singleMethod{},
	}
}

// Find joins the job that this process is part of, by the first available
// method or by the one that AME_BOOTSTRAP names.
//
// Rank 0 returns as soon as it listens and its address is published; the
// other ranks block until they know that address or ctx ends. The Report is
// never nil, also not with an error. After an error nothing is left open.
func Find(ctx context.Context, env Env) (*World, *Report, error) {
	return find(ctx, env, methods())
}

func find(ctx context.Context, env Env, methods []Method) (*World, *Report, error) {
	chosen, report, err := choose(env, methods)
	if err != nil {
		return nil, report, fmt.Errorf("bootstrap: %w", err)
	}
	world, err := chosen.Join(ctx, env)
	if err == nil {
		if err = world.check(); err != nil {
			world.abandon()
		}
	}
	if err != nil {
		return nil, report, fmt.Errorf("bootstrap: %s: %w", chosen.Name(), err)
	}
	world.Method = chosen.Name()
	return world, report, nil
}

// choose asks every method, so that the report is complete, and picks one.
func choose(env Env, methods []Method) (Method, *Report, error) {
	forced, isForced := lookup(env, "AME_BOOTSTRAP")
	report := &Report{}
	var chosen Method
	var failure error
	known := make([]string, 0, len(methods))
	for _, method := range methods {
		name := method.Name()
		known = append(known, name)
		candidate := chosen == nil && failure == nil
		if isForced {
			candidate = name == forced
		}
		err := method.Detect(env)
		entry := Entry{Method: name}
		switch {
		case err == nil && candidate:
			chosen = method
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
