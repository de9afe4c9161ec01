package examples_test

import (
	"fmt"
	"math"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/mpi"
)

func TestMessages(t *testing.T) {
	runExamples(t, map[string]example{
		"pt2pt": {want: func(int) []string {
			return []string{"numbers: [1 2.5 4]", "table: map[one:1 two:2], from rank 0 with tag 12"}
		}},
		"exchange": {want: func(size int) []string {
			const n = 128 << 10
			lower, upper := n*(n-1)/2, n*n+n*(n-1)/2
			if size == 1 {
				return []string{fmt.Sprintf("rank 0 has %d and got %[1]d", lower)}
			}
			return []string{
				fmt.Sprintf("rank 0 has %d and got %d", lower, upper),
				fmt.Sprintf("rank 1 has %d and got %d", upper, lower),
			}
		}},
		"pi-sendrecv": {},
		"producer-consumer": {arguments: func(size int) []string {
			arguments := []string{"-n", "1", "producer-consumer", "produce"}
			if size == 1 {
				return arguments
			}
			return append(arguments, ":", "-n", fmt.Sprint(size-1), "producer-consumer", "consume")
		}},
	})
}

func TestPiIsPi(t *testing.T) {
	bin := mpi.Ameexec(t, "examples/pi-sendrecv")
	lines := example{}.run(t, bin, "pi-sendrecv", 3)
	pi, err := strconv.ParseFloat(lines[0], 64)
	require.NoError(t, err)
	assert.InDelta(t, math.Pi, pi, 1e-13)
}
