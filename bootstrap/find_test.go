package bootstrap

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/fakeenv"
)

// scripted is a method that does as it is told.
type scripted struct {
	called   string
	detected error
	world    *World
	joined   error
}

func (s scripted) name() string     { return s.called }
func (s scripted) detect(Env) error { return s.detected }
func (s scripted) join(context.Context, Env, func(string)) (*World, error) {
	return s.world, s.joined
}

func TestFindChooses(t *testing.T) {
	alone := func() *World { return &World{Place: Place{Size: 1}} }
	absent := scripted{called: "absent", detected: notDetected("X_RANK is not set")}
	first := scripted{called: "first", world: alone()}
	second := scripted{called: "second", world: alone()}
	broken := scripted{called: "broken", detected: errors.New("X_SIZE=0 is not in 1..9")}
	failing := scripted{called: "failing", joined: errors.New("server hung up")}
	wrong := scripted{called: "wrong", world: &World{Place: Place{Rank: 3, Size: 3}}}
	keyless := scripted{called: "keyless", world: &World{Place: Place{Rank: 1, Size: 3}, Root: Endpoint{Addresses: []string{"h:1"}}}}

	for name, test := range map[string]struct {
		force   string
		methods []method
		chosen  string
		states  []State
		err     string
	}{
		"first available":           {"", []method{absent, first, second}, "first", []State{NotAvailable, Chosen, Available}, ""},
		"broken after the chosen":   {"", []method{first, broken}, "first", []State{Chosen, NotAvailable}, ""},
		"broken before":             {"", []method{broken, first}, "", []State{NotAvailable, Available}, "bootstrap: broken: X_SIZE=0 is not in 1..9"},
		"forced":                    {"second", []method{absent, first, second}, "second", []State{NotAvailable, Available, Chosen}, ""},
		"forced past a broken one":  {"first", []method{broken, first}, "first", []State{NotAvailable, Chosen}, ""},
		"forced, not available":     {"absent", []method{absent, first}, "", []State{NotAvailable, Available}, "bootstrap: AME_BOOTSTRAP=absent: not available: absent: X_RANK is not set"},
		"forced, unknown":           {"nope", []method{absent, first}, "", []State{NotAvailable, Available}, `bootstrap: AME_BOOTSTRAP="nope": no such method; known: absent, first`},
		"chosen fails, no fallback": {"", []method{failing, first}, "", []State{Chosen, Available}, "bootstrap: failing: server hung up"},
		"none":                      {"", []method{absent}, "", []State{NotAvailable}, "bootstrap: not under a launcher we know: absent: X_RANK is not set: start with srun, mpiexec or ameexec"},
		"rank out of range":         {"", []method{wrong}, "", []State{Chosen}, "bootstrap: wrong: the launcher says rank 3 of 3 ranks"},
		"no key":                    {"", []method{keyless}, "", []State{Chosen}, "bootstrap: keyless: the launcher gave a key of 0 bytes, at least 32 are needed"},
	} {
		t.Run(name, func(t *testing.T) {
			world, report, err := find(t.Context(), fakeenv.Map{"AME_BOOTSTRAP": test.force}.Lookup, nil, test.methods)
			require.NotNil(t, report)
			var states []State
			for _, entry := range report.Entries {
				states = append(states, entry.State)
				assert.NotEmpty(t, entry.Reason, entry.Method)
			}
			assert.Equal(t, test.states, states)
			if test.err != "" {
				assert.EqualError(t, err, test.err)
				assert.Nil(t, world)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.chosen, world.Method)
		})
	}
}

func TestReportPrints(t *testing.T) {
	_, report, err := find(t.Context(), fakeenv.Map{}.Lookup, nil, []method{ameMethod{}, slurmMethod{}, singleMethod{}})
	require.NoError(t, err)
	assert.Equal(t, "bootstrap methods, in order:\n"+
		"  ame     not available  neither AME_RANK nor AME_SIZE is set\n"+
		"  slurm   not available  not a task of a Slurm step: SLURM_STEP_ID is not set\n"+
		"  single  chosen         the first that is available\n", report.String())
}

func TestSingle(t *testing.T) {
	for name, test := range map[string]struct {
		env      fakeenv.Map
		promised int
		warnings []string
	}{
		"laptop":           {fakeenv.Map{}, 0, nil},
		"one task":         {fakeenv.Map{"SLURM_JOB_ID": "9", "SLURM_NTASKS": "1"}, 0, nil},
		"no job":           {fakeenv.Map{"SLURM_NTASKS": "8"}, 8, []string{"SLURM_NTASKS=8 but this is rank 0 of 1: did you forget srun?"}},
		"batch script":     {fakeenv.Map{"SLURM_JOB_ID": "9", "SLURM_NTASKS": "8", "SLURM_PROCID": "0"}, 8, []string{"SLURM_NTASKS=8 but this is rank 0 of 1: did you forget srun? The batch script runs once, on the first node: write srun before the program"}},
		"salloc shell":     {fakeenv.Map{"SLURM_JOB_ID": "9", "SLURM_NTASKS": "8"}, 8, []string{"SLURM_NTASKS=8 but this is rank 0 of 1: did you forget srun? The shell of salloc runs where you typed it, and not as part of the job: write srun before the program"}},
		"interactive step": {fakeenv.Map{"SLURM_JOB_ID": "9", "SLURM_STEP_ID": "4294967290", "SLURM_NPROCS": "8", "SLURM_PROCID": "0"}, 8, []string{"SLURM_NPROCS=8 but this is rank 0 of 1: did you forget srun? The shell of salloc runs once, on the first node: write srun before the program"}},
		"nodes, no tasks":  {fakeenv.Map{"SLURM_JOB_ID": "9", "SLURM_JOB_NUM_NODES": "4", "SLURM_PROCID": "0"}, 4, []string{"SLURM_JOB_NUM_NODES=4 but this is rank 0 of 1: did you forget srun? The batch script runs once, on the first node: write srun before the program"}},
		"heterogeneous batch": {fakeenv.Map{"SLURM_JOB_ID": "9", "SLURM_NTASKS": "1", "SLURM_HET_SIZE": "2", "SLURM_PROCID": "0",
			"SLURM_NTASKS_HET_GROUP_0": "1", "SLURM_NTASKS_HET_GROUP_1": "3"}, 4, []string{"SLURM_NTASKS_HET_GROUP_0..1=4 but this is rank 0 of 1: did you forget srun? The batch script runs once, on the first node: write srun before the program"}},
		"not a number":        {fakeenv.Map{"SLURM_JOB_ID": "9", "SLURM_NTASKS": "many"}, 0, nil},
		"PALS":                {fakeenv.Map{"PMI_RANK": "1", "PMI_SIZE": "4", "PALS_SIZE": "4"}, 4, []string{"PALS_SIZE=4 but this is rank 0 of 1: start it by srun or ameexec"}},
		"PMI without server":  {fakeenv.Map{"PMI_RANK": "1", "PMI_SIZE": "4"}, 4, []string{"PMI_SIZE=4 but this is rank 0 of 1: PMI_FD or PMI_PORT did not reach this process; start it by mpiexec itself, not by a wrapper that closes descriptors"}},
		"pmix without server": {fakeenv.Map{"PMIX_RANK": "2"}, 3, []string{"PMIX_RANK=2 but this is rank 0 of 1: the launcher's PMIx server was not found; start it by srun, mpirun or ameexec"}},
	} {
		t.Run(name, func(t *testing.T) {
			world, _, err := Find(t.Context(), test.env.Lookup)
			require.NoError(t, err)
			assert.Equal(t, "single", world.Method)
			assert.Equal(t, test.promised, world.Promised)
			assert.Equal(t, test.warnings, world.Warnings)
			assert.NotEmpty(t, world.Root.Job)
			assert.NotEmpty(t, world.Host)
			assert.NoError(t, world.Release(nil))
		})
	}
}

func TestTimeout(t *testing.T) {
	for value, want := range map[string]string{
		"": "5m0s", "90s": "1m30s", "10m": "10m0s", "30": "30s", "1.5": "1.5s",
		"soon": `bootstrap: AME_TIMEOUT="soon" is neither a duration such as 90s or 10m nor a number of seconds`,
		"0":    `bootstrap: AME_TIMEOUT="0" must be more than 0`,
		"-5s":  `bootstrap: AME_TIMEOUT="-5s" must be more than 0`,
	} {
		timeout, err := Timeout(fakeenv.Map{"AME_TIMEOUT": value}.Lookup)
		if err != nil {
			assert.EqualError(t, err, want)
			continue
		}
		assert.Equal(t, want, timeout.String())
	}
}

func TestOnOff(t *testing.T) {
	for name, is := range map[string]struct {
		on    func(Env) (bool, error)
		unset bool
	}{"AME_MEMORY": {Memory, true}, "AME_TLS": {TLS, false}} {
		for value, want := range map[string]bool{"": is.unset, "1": true, "true": true, "0": false, "false": false} {
			on, err := is.on(fakeenv.Map{name: value}.Lookup)
			assert.NoError(t, err)
			assert.Equal(t, want, on, "%s=%s", name, value)
		}
		_, err := is.on(fakeenv.Map{name: "little"}.Lookup)
		assert.EqualError(t, err, "bootstrap: "+name+`="little" is neither 0 nor 1`)
	}
}

func TestHeartbeat(t *testing.T) {
	for value, want := range map[string]string{
		"": "10s", "1s": "1s", "2": "2s", "0": "0s", "0s": "0s", "200ms": "200ms",
		"never": `bootstrap: AME_HEARTBEAT="never" is neither a duration such as 90s or 10m nor a number of seconds`,
		"1ms":   `bootstrap: AME_HEARTBEAT="1ms" must be at least 200ms, or 0 for no heartbeats`,
		"-5s":   `bootstrap: AME_HEARTBEAT="-5s" must be at least 200ms, or 0 for no heartbeats`,
	} {
		limit, err := Heartbeat(fakeenv.Map{"AME_HEARTBEAT": value}.Lookup)
		if err != nil {
			assert.EqualError(t, err, want)
			continue
		}
		assert.Equal(t, want, limit.String())
	}
}
