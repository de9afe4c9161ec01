package bootstrap

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/dlp-mpi/dlp-go/internal/environ"
	"github.com/dlp-mpi/dlp-go/internal/nesting"
	"github.com/dlp-mpi/dlp-go/pmi"
)

// pmiMethod is the method of launchers with a PMI-1 server: mpiexec of MPICH
// and its relatives, srun --mpi=pmi2, flux. Rank 0 listens and puts one record
// into the launcher's key-value space, all enter its barrier, the others get
// the record, and all finalize: a rank that ends early is then of no concern
// to the launcher.
type pmiMethod struct{}

func (pmiMethod) name() string { return "pmi" }

// detect takes variables without a live connection for left over ones, unless
// hydra is the parent: then every rank would go on as a job of its own, or as
// what srun started hydra's proxies as.
func (pmiMethod) detect(env Env) error {
	err := pmi.Detect(pmiEnv(env))
	if errors.Is(err, pmi.ErrAbsent) || errors.Is(err, pmi.ErrStale) {
		return notDetected(saidOnce(err).Error())
	}
	if why, ok := nesting.LeftOver(env, nesting.PMI); ok {
		return notDetected(why)
	}
	if errors.Is(err, pmi.ErrLost) {
		if why, ok := nesting.LeftOver(env, nesting.DeadPMI); ok {
			return notDetected(why)
		}
		err = fmt.Errorf("%w; if another launcher started it, name that one's method with AME_BOOTSTRAP", err)
		return adviseScript(env, saidOnce(err))
	}
	return saidOnce(err)
}

// pmiEnv hides a PMI_FD that is left over.
func pmiEnv(env Env) Env {
	if _, hide := nesting.LeftOver(env, nesting.PMIFD); hide {
		env = without(env, "PMI_FD")
	}
	return environ.Nonempty(env)
}

// saidOnce drops the name of package pmi from the text of its error: it is the
// method's as well, which Find puts in front.
func saidOnce(err error) error {
	if err == nil {
		return nil
	}
	return pmiError{err}
}

type pmiError struct{ error }

func (e pmiError) Error() string { return strings.TrimPrefix(e.error.Error(), "pmi: ") }
func (e pmiError) Unwrap() error { return e.error }

func (pmiMethod) join(ctx context.Context, env Env, tell func(string)) (*World, error) {
	client, err := pmi.Open(ctx, pmiEnv(env))
	if err != nil {
		return nil, adviseScript(env, saidOnce(err))
	}
	x := pmiExchange{client: client}
	if x.at, err = placePMI(ctx, env, client); err != nil {
		return nil, adviseScript(env, saidOnce(errors.Join(err, client.Close())))
	}
	world, err := meet(ctx, env, x, tell)
	return world, adviseScript(env, saidOnce(err))
}

// pmiExchange is the key-value space of a PMI-1 launcher.
type pmiExchange struct {
	client *pmi.Client
	at     Place
}

// pmiKey is the key of rank 0's record.
const pmiKey = "dlp-root"

func (x pmiExchange) place() Place  { return x.at }
func (x pmiExchange) lasting() bool { return false }

func (x pmiExchange) host(env Env) (Endpoint, net.Listener, error) {
	job, err := jobName(env, "pmi")
	if err != nil {
		return Endpoint{}, nil, err
	}
	return host(env, x.at, job)
}

// publish puts the text in base64, because launchers cut values at spaces and
// some characters.
func (x pmiExchange) publish(ctx context.Context, text string) error {
	if err := x.client.PutLong(ctx, pmiKey, base64.StdEncoding.EncodeToString([]byte(text))); err != nil {
		return err
	}
	return x.client.Barrier(ctx)
}

func (x pmiExchange) fetch(ctx context.Context, _ string) (string, error) {
	if err := x.client.Barrier(ctx); err != nil {
		return "", err
	}
	coded, err := x.client.GetLong(ctx, pmiKey)
	if errors.Is(err, pmi.ErrNoKey) {
		return "", errors.New("rank 0 left no address; is it the same program, of the same version?")
	}
	if err != nil {
		return "", err
	}
	text, err := base64.StdEncoding.DecodeString(coded)
	if err != nil {
		text = nil // no invitation either
	}
	return string(text), nil
}

func (x pmiExchange) close(ctx context.Context, failure error) (err error) {
	if failure == nil {
		err = x.client.Finalize(ctx)
	}
	return errors.Join(err, x.client.Close())
}
