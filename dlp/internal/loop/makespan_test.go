package loop

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// isShort compares the time of a simulation with what a schedule that cannot look
// ahead may lose: the longest item at the end, a hold time before it is found that
// items wait behind a long one, and the windows' trips.
func (s *simulation) isShort() {
	// No schedule is shorter than the longest item, or than all slots busy to the
	// end at their own speeds.
	var longest time.Duration
	var rate float64 // loops per second
	for rank := range s.ranks {
		var sum time.Duration
		for i := range s.total {
			sum += s.took(rank, i)
			longest = max(longest, s.took(rank, i))
		}
		rate += float64(len(s.ranks[rank].slots)) / sum.Seconds()
	}
	ideal := max(longest, time.Duration(float64(time.Second)/rate))
	if s.comes != nil {
		ideal = max(ideal, s.comes(s.total-1)+s.took(0, s.total-1))
	}
	s.t.Logf("ideal %v, took %v, %d windows", ideal, s.now, s.asked)
	assert.LessOrEqual(s.t, s.now, ideal+longest+2*holdWindows*s.m.target+ideal/10)
}

func TestManagerMakespan(t *testing.T) {
	const trip = 100 * time.Microsecond
	us, ms := time.Microsecond, time.Millisecond
	at := func(first, n int) []int { return numbers(first + n)[first:] }
	tests := []struct {
		name    string
		size    int
		total   int
		took    func(rank, index int) time.Duration
		windows int // at most; 0: not judged
	}{
		{"10 us items", 3, 20_000, longAt(10*us, 0), 120},
		{"1 us items", 3, 50_000, longAt(us, 0), 200},
		{"20 ms items", 3, 100, longAt(20*ms, 0), 100},
		{"long first", 3, 20_000, longAt(10*us, 200*ms, 0), 150},
		{"long in the middle", 3, 20_000, longAt(10*us, 200*ms, 10_000), 200},
		{"long last", 3, 20_000, longAt(10*us, 200*ms, 19_999), 200},
		{"10 long first", 3, 20_000, longAt(10*us, 200*ms, at(0, 10)...), 400},
		{"10 long in the middle", 3, 20_000, longAt(10*us, 200*ms, at(10_000, 10)...), 400},
		{"10 long last", 3, 20_000, longAt(10*us, 200*ms, at(19_990, 10)...), 400},
		{"every 1000th long", 3, 20_000, func(_, i int) time.Duration {
			if i%1000 == 999 {
				return 100 * ms
			}
			return 10 * us
		}, 0},
		{"random", 8, 5000, func(_, i int) time.Duration {
			return time.Duration(rand.New(rand.NewPCG(1, uint64(i))).ExpFloat64() * float64(5*ms))
		}, 0},
		{"a rank 100 times slower", 4, 20_000, func(rank, _ int) time.Duration {
			if rank == 3 {
				return ms
			}
			return 10 * us
		}, 300},
		{"fewer items than ranks", 8, 3, longAt(100*ms, 0), 3},
		{"100 ranks", 100, 10_000, longAt(ms, 0), 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := simulate(t, test.size, test.total, trip, test.took)
			s.isShort()
			if test.windows > 0 {
				assert.LessOrEqual(t, s.asked, test.windows)
			}
		})
	}
}

func TestManagerSurvivesAnything(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 0))
		size, total := 1+random.IntN(6), random.IntN(500)
		times := []time.Duration{0, time.Microsecond, time.Millisecond, 100 * time.Millisecond}
		simulate(t, size, total, time.Duration(random.IntN(1000))*time.Microsecond, func(_, index int) time.Duration {
			return times[rand.New(rand.NewPCG(seed, uint64(index))).IntN(len(times))]
		})
	}
}
