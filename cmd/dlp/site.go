package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/dlp-mpi/dlp-go/dlp"
	"github.com/dlp-mpi/dlp-go/internal/cpus"
	"github.com/dlp-mpi/dlp-go/internal/environ"
)

// share is what a rank may use: of its own, or together with other ranks of its
// node.
type share struct {
	Host string
	CPUs []int    // by core; empty: not known, then as many as Count
	Many int      // how many processors there is time for
	GPUs []string // as the variable lists them
}

// gpuVariables list the GPUs that a process may use, one for each maker.
var gpuVariables = []string{"CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "ZE_AFFINITY_MASK"}

// gpuVariable is the one that this process has been given.
func gpuVariable(env environ.Env) (name string, gpus []string) {
	name, ok := environ.FirstSet(env, gpuVariables...)
	if !ok {
		return "", nil
	}
	return name, strings.Split(environ.Value(env, name), ",")
}

func ownShare(host string) share {
	s := share{Host: host, Many: cpus.Usable()}
	if cores, err := cpus.Cores(); err == nil {
		s.CPUs = slices.Concat(cores...)
	}
	_, s.GPUs = gpuVariable(os.LookupEnv)
	return s
}

// sameCPUs says whether two ranks have the same processors to share.
func (s share) sameCPUs(other share) bool {
	return s.Host == other.Host && slices.Equal(s.CPUs, other.CPUs)
}

// sameGPUs is that for GPUs.
func (s share) sameGPUs(other share) bool {
	return s.Host == other.Host && slices.Equal(s.GPUs, other.GPUs)
}

// slot is where one item runs at a time.
type slot struct {
	cpus []int // to be bound to; nil: not bound
	gpus []string
}

// survey says what the slots of this rank are. Ranks that may run on the same
// processors share them out. It is collective.
func survey(ctx context.Context, world *dlp.Comm, o *options) ([]slot, error) {
	shares := []share{ownShare(world.Info().Host)}
	if world.Size() > 1 {
		var err error
		if shares, err = dlp.Allgather(ctx, world, shares[0]); err != nil {
			return nil, err
		}
	}
	if o.gpusPerItem > 0 {
		for rank := range shares { // an error of any is one of all
			if _, err := slotsOf(shares, rank, o); err != nil {
				return nil, err
			}
		}
	}
	return slotsOf(shares, world.Rank(), o)
}

// tooFewGPUs is that a rank has too few. All ranks know, since each knows the
// shares of all.
type tooFewGPUs struct{ text string }

func (e tooFewGPUs) Error() string { return e.text }

// slotsOf is survey, given what all ranks have.
func slotsOf(shares []share, rank int, o *options) ([]slot, error) {
	own := shares[rank]
	of, at := place(shares, rank, share.sameCPUs)
	processors := part(own.CPUs, of, at)
	many := max(1, own.Many/of)
	n := max(1, many/o.cpusPerItem)
	if o.slots > 0 {
		n = o.slots
	}
	gpus := own.GPUs
	if o.gpusPerItem > 0 {
		of, at := place(shares, rank, share.sameGPUs)
		gpus = part(own.GPUs, of, at)
		fit := len(gpus) / o.gpusPerItem
		if fit == 0 {
			return nil, tooFewGPUs{fmt.Sprintf("--gpus-per-item %d: rank %d on %s has %d GPUs (%s)",
				o.gpusPerItem, rank, own.Host, len(gpus), strings.Join(gpuVariables, ", "))}
		}
		n = min(n, fit)
	}
	slots := make([]slot, n)
	for i := range slots {
		if o.bind && n*o.cpusPerItem <= len(processors) {
			slots[i].cpus = processors[i*o.cpusPerItem : (i+1)*o.cpusPerItem]
		}
		if o.gpusPerItem > 0 {
			slots[i].gpus = gpus[i*o.gpusPerItem : (i+1)*o.gpusPerItem]
		}
	}
	return slots, nil
}

// place says how many ranks have the same as this one, and which of them it is.
func place(shares []share, rank int, same func(share, share) bool) (of, at int) {
	for i, s := range shares {
		if same(shares[rank], s) {
			if i < rank {
				at++
			}
			of++
		}
	}
	return of, at
}

// part is the share of one of several.
func part[T any](all []T, of, at int) []T { return all[len(all)*at/of : len(all)*(at+1)/of] }
