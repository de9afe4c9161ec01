#!/bin/bash
# A wrapper that stays, with a command line that differs between ranks.
sub 0 "word-${SLURM_PROCID:-${PMI_RANK:-${OMPI_COMM_WORLD_RANK:-$AME_RANK}}}"
exit $?
