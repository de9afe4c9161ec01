#!/bin/bash
# A farm engine in each task: this task's share of seven programs, two at a
# time. The shares are uneven.
seq 0 1000 6000 | awk "NR % $SLURM_NTASKS == $SLURM_PROCID" | xargs -P2 -I{} sub {}
