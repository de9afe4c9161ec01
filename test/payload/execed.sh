#!/bin/bash
# The same, but the wrapper becomes the program.
exec sub 0 "word-${SLURM_PROCID:-${PMI_RANK:-${OMPI_COMM_WORLD_RANK:-$AME_RANK}}}"
