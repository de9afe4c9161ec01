package bootstrap

import (
	"context"
	"errors"

	"github.com/dlp-mpi/dlp-go/internal/environ"
	"github.com/dlp-mpi/dlp-go/pmi"
)

// placePMI learns from the launcher's process mapping where this rank runs.
// Launchers may be without a mapping that can be read; hydra has variables that
// say the same about its own node.
func placePMI(ctx context.Context, env Env, client *pmi.Client) (Place, error) {
	at := Place{Rank: client.Rank(), Size: client.Size(), Host: environ.Hostname(), LocalRank: -1, LocalSize: -1}
	var err error
	if at.App, err = client.AppNum(ctx); err != nil {
		return at, err
	}
	mapping, err := client.Mapping(ctx)
	var broken *pmi.Error
	if errors.As(err, &broken) && !errors.Is(err, pmi.ErrNoKey) {
		return at, err
	}
	if err == nil {
		if mapped, err := mapping.Place(at.Rank, at.Size); err == nil {
			at.LocalRank, at.LocalSize = mapped.LocalRank, mapped.LocalSize
			return at, nil
		}
	}
	if at.Size == 1 {
		at.LocalRank, at.LocalSize = 0, 1
		return at, nil
	}
	if size, err := environ.Int(env, "MPI_LOCALNRANKS", 1, at.Size); err == nil {
		at.LocalSize = size
	}
	if rank, err := environ.Int(env, "MPI_LOCALRANKID", 0, at.LocalSize-1); err == nil {
		at.LocalRank = rank
	}
	return at, nil
}
