package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/dlp-mpi/dlp-go/internal/control"
	"github.com/dlp-mpi/dlp-go/internal/environ"
	"github.com/dlp-mpi/dlp-go/internal/program"
)

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

// Option changes what Find does.
type Option func(*options)

type options struct {
	waiting func(what string)
}

// WithWaiting sets what Find calls on rank 0 when it has waited 10 s for the
// other ranks, and every 30 s from then on, with a line for the user.
func WithWaiting(tell func(what string)) Option { return func(o *options) { o.waiting = tell } }

// Find joins the job that this process is part of, by the first available
// method or by the one that AME_BOOTSTRAP names.
//
// Rank 0 returns when it listens and has published its address. Where only a
// barrier of the launcher carries that (pmi, pmix), it blocks until all ranks
// are in it or ctx ends, see WithWaiting. The other ranks block until they know
// an address of rank 0; where it may be one of another job (World.Newer) they
// return at once. The Report is never nil, also not with an error. After an
// error nothing is left open.
func Find(ctx context.Context, env Env, opts ...Option) (*World, *Report, error) {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	tell := o.waiting
	here, candidates := look(), methods()
	if o, ok := here.childOfRank(env); ok {
		return find(ctx, without(env, "AME_BOOTSTRAP"), tell, barred(candidates, o))
	}
	if o, ok := here.shellOfStep(env); ok && !environ.AnySet(env, "AME_BOOTSTRAP") {
		return find(ctx, env, tell, barred(candidates, o))
	}
	hint := here.hint(env)
	world, report, err := find(ctx, env, hinting(tell, hint), candidates)
	switch {
	case err != nil && hint != "":
		err = fmt.Errorf("%w; %s", err, hint)
	case err == nil:
		world.hint = hint
	}
	return world, report, err
}

// hinting is tell with a hint, if there is one.
func hinting(tell func(string), hint string) func(string) {
	if tell == nil || hint == "" {
		return tell
	}
	return func(what string) { tell(what + "; " + hint) }
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
	if world.Method == methodAme && !environ.AnySet(env, control.Variable) {
		world.Program.Dir = "" // who starts ranks by hand does so wherever they are
	}
	return world, report, nil
}

// choose asks every method, so that the report is complete, and picks one.
func choose(env Env, methods []method) (method, *Report, error) {
	forced, isForced := environ.Lookup(env, "AME_BOOTSTRAP")
	report := &Report{}
	var chosen method
	var failure error
	for _, m := range methods {
		name := m.name()
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
	if failure != nil || chosen == nil {
		return nil, report, noChoice(report, forced, failure)
	}
	return chosen, report, nil
}

// noChoice says why there is no method to use: failure is that of the one that
// should have been, forced the one that AME_BOOTSTRAP names, if it does.
func noChoice(report *Report, forced string, failure error) error {
	switch {
	case failure != nil && forced != "":
		return fmt.Errorf("AME_BOOTSTRAP=%s: not available: %w", forced, failure)
	case failure != nil:
		return failure
	case forced != "":
		return fmt.Errorf("AME_BOOTSTRAP=%q: no such method; known: %s", forced, strings.Join(report.names(), ", "))
	}
	return fmt.Errorf("not under a launcher we know: %s: start with srun, mpiexec or ameexec", report.reasons())
}

// barred are methods that an outsider must not use: all but single.
func barred(methods []method, o outsider) []method {
	out := make([]method, len(methods))
	for i, m := range methods {
		out[i] = barredMethod{m, o.why}
		if _, ok := m.(singleMethod); ok {
			out[i] = singleMethod{&o}
		}
	}
	return out
}

type barredMethod struct {
	method
	why string
}

func (b barredMethod) detect(env Env) error {
	if err := b.method.detect(env); isAbsent(err) {
		return err
	}
	return notDetected(b.why)
}
