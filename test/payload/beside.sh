#!/bin/bash
# Two programs at the same time in one task.
sub 0 &
first=$!
sub 1000
second=$?
wait $first || exit
exit $second
