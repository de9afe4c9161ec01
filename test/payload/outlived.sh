#!/bin/bash
# The same, but rank 0 of the first lives on while the others begin the second.
AFTER=8s sub 0 && sub 1000
