#!/bin/bash
# Two programs one after the other.
sub 0 && sub 1000
