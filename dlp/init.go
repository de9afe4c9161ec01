package dlp

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/dlp-mpi/dlp-go/ame"
	"github.com/dlp-mpi/dlp-go/bootstrap"
)

// Option changes what Init does.
type Option func(*options)

type options struct {
	codec  Codec
	logger *slog.Logger
	grace  time.Duration

	timeline string // where loops are recorded that do not say it; empty: nowhere
}

// WithCodec sets how values travel that are no numbers, strings, []byte or
// slices of numbers, in place of what the package comment says. All ranks must pass the
// same. Whether something of a value is lost on the way is then the codec's
// matter: types are not checked any more.
func WithCodec(c Codec) Option { return func(o *options) { o.codec = c } }

// WithLogger sets where the socket backend logs, for instance connections of
// strangers that it turned away. The default discards.
func WithLogger(l *slog.Logger) Option { return func(o *options) { o.logger = l } }

// StopGrace sets how long after the first signal Main lets ctx end: 20 s by
// default. Other functions do not heed it.
func StopGrace(d time.Duration) Option { return func(o *options) { o.grace = d } }

func newOptions(opts []Option) options {
	o := options{logger: slog.New(slog.DiscardHandler), grace: stopGrace}
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// Init joins the job that this process was started in: it asks package
// bootstrap who it is and connects to the others. It returns on each rank
// once all ranks are connected; without a launcher it returns at once, as
// rank 0 of 1. The start-up ends with an error after AME_TIMEOUT (5 minutes)
// or when ctx ends; after Init, ctx no longer matters.
//
// From then on a rank that shows no sign of life for AME_HEARTBEAT (10 s),
// whatever it computes, is lost: it is stopped, its node is gone, or the network
// is cut. AME_HEARTBEAT=0 waits for ever, as for a process in a debugger.
//
// Call it at the start of the program, before descriptors are opened, and
// Close the Comm at the end. Between the two, a program that this process
// starts is no rank of the job: its own Init returns as rank 0 of 1.
//
// Rank 0 writes to stderr what the user should know: warnings about the start,
// ranks that are missing for long, with AME_VERBOSE=1 all bootstrap methods and
// their reasons, and later, if all ranks have waited for each other for 10 s, where.
func Init(ctx context.Context, opts ...Option) (*Comm, error) {
	o := newOptions(opts)
	env := bootstrap.Env(os.LookupEnv)
	timeout, err := bootstrap.Timeout(env)
	if err != nil {
		return nil, err
	}
	heartbeat, err := bootstrap.Heartbeat(env)
	if err != nil {
		return nil, err
	}
	memory, err := bootstrap.Memory(env)
	if err != nil {
		return nil, err
	}
	encrypted, err := bootstrap.TLS(env)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	world, report, err := bootstrap.Find(ctx, env, bootstrap.WithWaiting(tellWaiting))
	if bootstrap.Verbose(env) && (world == nil || world.Rank == 0) {
		fmt.Fprint(os.Stderr, report)
	}
	if err != nil {
		return nil, err
	}
	unmark := world.Mark(env)
	ctx, stop := world.Watch(ctx)
	defer stop()
	var others programs
	cfg := configOf(world, &others, o.logger)
	cfg.Heartbeat, cfg.ConnectionsOnly, cfg.TLS = heartbeat, !memory, encrypted
	backend, err := ame.Connect(ctx, cfg)
	world.Warnings = append(world.Warnings, others.warnings()...)
	if left := world.Release(err); left != nil {
		world.Warnings = append(world.Warnings, fmt.Sprintf("cleaning up after the start: %v", left))
	}
	if world.Rank == 0 {
		for _, warning := range world.Warnings {
			fmt.Fprintln(os.Stderr, "dlp: warning:", warning)
		}
	}
	if err != nil {
		unmark()
		if clues := world.Clues(); clues != "" {
			err = fmt.Errorf("%w; %s", err, clues)
		}
		return nil, err
	}
	o.timeline = os.Getenv(timelineVariable)
	comm := newComm(backend, o, Info{
		Rank: world.Rank, Size: world.Size, Method: world.Method, Job: world.Root.Job, Host: world.Host,
		LocalRank: world.LocalRank, LocalSize: world.LocalSize,
		Addresses: world.Root.Addresses, Peers: peersOf(backend),
		Methods: methodsOf(report), Promised: world.Promised, Warnings: world.Warnings,
	})
	comm.unmark, comm.launcher, comm.exit = unmark, world.Report, os.Exit
	return comm, nil
}

func newComm(backend *ame.Comm, o options, info Info) *Comm {
	return &Comm{ame: backend, codec: o.codec, info: info, root: true, loops: &loops{epoch: time.Now(), timeline: o.timeline}, stop: newStopWish(), requests: &requests{}, services: &services{}}
}

// configOf is what bootstrap has found out, as ame takes it.
func configOf(world *bootstrap.World, others *programs, logger *slog.Logger) ame.Config {
	cfg := ame.Config{
		Rank: world.Rank, Size: world.Size, Host: world.Host,
		Root: endpointOf(world.Root), Listener: world.Listener, Listen: world.Listen,
		Waiting: func(m ame.Missing) { tellMissing(m, world.Clues()) }, Logger: logger,
		Lost: func(rank int) { tellLauncher(world, rank) }, Stuck: tellWaiting,
	}
	if world.Size > 1 {
		others.own = world.Program
		cfg.Claim, cfg.Admit = world.Program.AppendTo(nil), others.admit
	}
	if world.Newer != nil {
		cfg.Newer = func(ctx context.Context, have ame.Endpoint) (ame.Endpoint, error) {
			newer, err := world.Newer(ctx)
			if err == nil {
				world.Root = newer
			}
			return endpointOf(newer), err
		}
	}
	return cfg
}

func endpointOf(e bootstrap.Endpoint) ame.Endpoint {
	return ame.Endpoint{Job: e.Job, Key: e.Key.Bytes(), Host: e.Host, Addresses: e.Addresses}
}

func tellMissing(m ame.Missing, clues string) {
	what := m.String()
	if clues != "" {
		what += "; " + clues
	}
	tellWaiting(what)
}

// tellLauncher tells the launcher, if it listens, of a rank that this one has
// lost: if both end, the status of that one is the job's.
func tellLauncher(world *bootstrap.World, lost int) {
	if r, err := world.Report(); err == nil && r != nil {
		r.Lost(lost) // an error means that the launcher is gone
		r.Close()
	}
}

// tellWaiting tells the user on rank 0 what the job waits for.
func tellWaiting(what string) { fmt.Fprintf(os.Stderr, "dlp: still waiting: %s\n", what) }
