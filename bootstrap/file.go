package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"

	"github.com/dlp-mpi/dlp-go/bootstrap/internal/file"
)

// fileMethod is the method of launchers of the PMIx family whose server we
// cannot speak to: too old, too new, or outside of our container. They tell
// rank and size by other variables, and nothing else.
type fileMethod struct{}

func (fileMethod) name() string { return "pmix-file" }

func (fileMethod) detect(env Env) error {
	_, err := readFileJob(env)
	return err
}

func (fileMethod) join(ctx context.Context, env Env, tell func(string)) (*World, error) {
	job, err := readFileJob(env)
	if err != nil {
		return nil, err
	}
	return meetByFile(ctx, env, job, tell)
}

// meetByFile is for ranks that share nothing but a directory. Rank 0 writes the
// file and removes it when all have joined. Where a file is left of another
// job, nobody answers for it, and the ranks wait for the next one.
func meetByFile(ctx context.Context, env Env, job fileJob, tell func(string)) (*World, error) {
	x := &fileExchange{job: job}
	if job.at.Size > 1 {
		dir, err := rendezvousDirectory(env, job.at.oneNode())
		if err != nil {
			return nil, err
		}
		if x.file, err = rendezvousFile(env, dir, job.name, job.secret); err != nil {
			return nil, err
		}
	}
	return meet(ctx, env, x, tell)
}

// fileExchange is a file in a directory that all ranks see.
type fileExchange struct {
	job  fileJob
	file file.File
	text string // what this rank has written
}

func (x *fileExchange) place() Place  { return x.job.at }
func (x *fileExchange) lasting() bool { return true }

func (x *fileExchange) host(env Env) (Endpoint, net.Listener, error) {
	job, err := jobName(env, x.job.name)
	if err != nil {
		return Endpoint{}, nil, err
	}
	return host(env, x.job.at, job)
}

func (x *fileExchange) publish(_ context.Context, text string) error {
	x.text = text
	if err := x.file.Publish(text); err != nil {
		return fmt.Errorf("rendezvous file in %s: %w: set AME_RENDEZVOUS_DIR to a directory that all ranks can write to", x.file.Dir, err)
	}
	return nil
}

func (x *fileExchange) fetch(ctx context.Context, have string) (string, error) {
	text, problem := x.file.Await(ctx, have)
	if ctx.Err() == nil {
		return text, nil
	}
	switch {
	case errors.Is(problem, fs.ErrNotExist):
		problem = fmt.Errorf("%s did not appear", x.file.Path())
	case problem == nil:
		problem = fmt.Errorf("%s was not replaced by one of this job", x.file.Path())
	}
	return "", fmt.Errorf("rendezvous with rank 0: %s: %w: do all ranks see this directory? "+
		"Set AME_RENDEZVOUS_DIR to one on a shared file system, AME_TIMEOUT to wait longer",
		strings.ReplaceAll(problem.Error(), "\n", "; "), context.Cause(ctx))
}

func (x *fileExchange) close(context.Context, error) error {
	if x.text == "" {
		return nil
	}
	return x.file.Remove(x.text)
}
