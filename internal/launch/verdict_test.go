package launch

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
)

// exited and signalled are wait statuses, wait(2).
func exited(status int) syscall.WaitStatus          { return syscall.WaitStatus(status << 8) }
func signalled(s syscall.Signal) syscall.WaitStatus { return syscall.WaitStatus(s) }

func TestVerdict(t *testing.T) {
	for name, test := range map[string]struct {
		play func(v *Verdict)
		want int
	}{
		"nothing happened": {func(*Verdict) {}, 0},
		"all end well":     {func(v *Verdict) { v.Add(0, exited(0)); v.Add(1, exited(0)); v.Close() }, 0},
		"the first":        {func(v *Verdict) { v.Add(1, exited(7)); v.Add(0, exited(1)) }, 7},
		"a kill comes before what others say of it": {func(v *Verdict) { v.Add(0, exited(1)); v.Add(1, signalled(9)); v.Add(2, exited(1)) }, 137},
		"the first of two kills":                    {func(v *Verdict) { v.Add(0, signalled(11)); v.Add(1, signalled(9)) }, 139},
		"who is named comes before others":          {func(v *Verdict) { v.Blame(0, 1); v.Add(0, exited(1)); v.Add(1, exited(5)) }, 5},
		"also if named late":                        {func(v *Verdict) { v.Add(0, exited(1)); v.Add(1, exited(5)); v.Blame(0, 1) }, 5},
		"not if named too late":                     {func(v *Verdict) { v.Add(0, exited(1)); v.Add(1, exited(5)); v.Close(); v.Blame(0, 1) }, 1},
		"who is named and ends well is forgiven":    {func(v *Verdict) { v.Blame(0, 1); v.Add(0, exited(4)); v.Add(1, exited(0)) }, 4},
		"who loses rank 0 because that has lost another": {func(v *Verdict) {
			v.Blame(2, 0)
			v.Blame(0, 1)
			v.Blame(2, 1) // too late, it was rank 0 that failed it
			v.Add(2, exited(1))
			v.Add(0, exited(3))
			v.Add(1, exited(5))
		}, 5},
		"who is named but did as it was told":      {func(v *Verdict) { v.Blame(0, 1); v.Add(0, exited(3)); v.Expect(15); v.Add(1, exited(143)) }, 3},
		"a kill after the reprieve is another one": {func(v *Verdict) { v.Add(0, exited(1)); v.Close(); v.Add(1, signalled(9)) }, 1},
		"our own kills are nobody's fault":         {func(v *Verdict) { v.Add(0, exited(1)); v.Expect(9); v.Add(1, signalled(9)) }, 1},
		"a signal that was passed on":              {func(v *Verdict) { v.Expect(2); v.Add(0, signalled(2)); v.Add(1, exited(130)) }, 130},
		"the timeout":                              {func(v *Verdict) { v.Settle(124); v.Expect(15); v.Add(0, signalled(15)); v.Add(1, signalled(9)) }, 124},
		"no timeout after a failure":               {func(v *Verdict) { v.Add(0, exited(3)); v.Settle(124) }, 3},
		"a job without failure may be settled":     {func(v *Verdict) { v.Close(); v.Settle(1) }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var v Verdict
			test.play(&v)
			assert.Equal(t, test.want, v.Status())
		})
	}
}

func TestCulprits(t *testing.T) {
	var v Verdict
	assert.Empty(t, v.Culprits())
	v.Blame(1, 0)
	v.Blame(3, 0)
	assert.Equal(t, []int{0}, v.Culprits())
	v.Blame(0, 2)
	assert.Equal(t, []int{2}, v.Culprits())
}

func TestVerdictTellsWhoseFaultItIs(t *testing.T) {
	var v Verdict
	v.Expect(syscall.SIGTERM)
	for i, step := range []struct {
		ws             syscall.WaitStatus
		failure, fault bool
	}{
		{exited(0), false, false},
		{signalled(15), true, true}, // the first one is reported, whoever sent it
		{signalled(15), true, false},
		{exited(143), true, false}, // a shell says it so
		{exited(1), true, true},
		{signalled(9), true, true},
	} {
		failure, fault := v.Add(i, step.ws)
		assert.Equal(t, step.failure, failure, "step %d", i)
		assert.Equal(t, step.fault, fault, "step %d", i)
	}
	assert.Equal(t, 137, v.Status())
}

func TestDescribe(t *testing.T) {
	assert.Equal(t, "exit status 3", Describe(exited(3)))
	assert.Equal(t, "killed by signal 9 (SIGKILL)", Describe(signalled(9)))
	assert.Equal(t, "killed by signal 11 (SIGSEGV, core dumped)", Describe(signalled(11|0x80)))
	assert.Equal(t, 139, ExitStatus(signalled(11|0x80)))
}
