//go:build !linux

package main

// cpuQuota: there are no control groups here.
func cpuQuota(string) (quota float64, limited bool) { return 0, false }
