#!/bin/bash
# A wrapper that stays, with a directory of its own for each rank.
dir=$(mktemp -d)/rank-${SLURM_PROCID:-${PMI_RANK:-${OMPI_COMM_WORLD_RANK:-$AME_RANK}}}-$$
mkdir "$dir" && cd "$dir" || exit
sub 0
status=$?
cd / && rm -r "${dir%/*}"
exit $status
