package deadline

import (
	"fmt"
	"os"
	"runtime"
)

// leastShare bounds for how much longer a test that hangs is waited for.
const leastShare = 0.1

// shareOfLoad is how much of its time this machine has for each of those who want
// to run, at most 1.
func shareOfLoad() float64 {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil { // not Linux
		return 1
	}
	return parseLoad(string(text), runtime.NumCPU())
}

// parseLoad reads what proc(5) says of /proc/loadavg: how many processes wanted to
// run, on average of the last minute.
func parseLoad(text string, cpus int) float64 {
	var load float64
	if _, err := fmt.Sscan(text, &load); err != nil {
		return 1
	}
	return min(1, max(leastShare, float64(cpus)/max(load, 1)))
}
