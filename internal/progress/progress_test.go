package progress

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"

	"github.com/dlp-mpi/dlp-go/test/deadline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(deadline.Each(m)) }

func TestText(t *testing.T) {
	for name, test := range map[string]struct {
		state State
		want  string
	}{
		"start":    {State{Total: 10, Busy: 3}, "0/10 (0%), 0/s, 3 ranks busy"},
		"middle":   {State{Done: 5, Total: 10, Busy: 3, Took: 5 * time.Second}, "5/10 (50%), 1/s, 5s left, 3 ranks busy"},
		"one rank": {State{Label: "evaluate", Done: 5, Total: 10, Busy: 1, Took: 5 * time.Second}, "evaluate: 5/10 (50%), 1/s, 5s left, 1 rank busy"},
		"end":      {State{Done: 10, Total: 10, Took: 3500 * time.Millisecond, Last: true}, "10/10 (100%), 2.86/s, took 3.5s"},
		"sequence": {State{Done: 7, Total: -1, Busy: 2, Took: 2 * time.Minute}, "7, 0.0583/s, 2 ranks busy"},
		"no items": {State{Last: true}, "0, 0/s, took 0s"},
		"fast":     {State{Done: 2_000_000, Total: 2_000_000, Took: time.Second, Last: true}, "2000000/2000000 (100%), 2000000/s, took 1s"},
	} {
		assert.Equal(t, test.want, test.state.Text(), name)
	}
}

func TestBar(t *testing.T) {
	assert.Equal(t, "[##########....................] 1/3 (33%), 1/s, 2s left, 1 rank busy", State{Done: 1, Total: 3, Busy: 1, Took: time.Second}.Bar())
	assert.Equal(t, "1, 1/s, 1 rank busy", State{Done: 1, Busy: 1, Took: time.Second}.Bar(), "nothing to draw a part of")
	assert.Contains(t, State{Done: 9, Total: 3, Took: time.Second}.Bar(), "[##############################]", "nonsense does no harm")
	assert.Contains(t, State{Done: -9, Total: 3, Took: time.Second}.Bar(), "[..............................]")
}
