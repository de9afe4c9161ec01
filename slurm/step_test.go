package slurm_test

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/slurm"
)

func lookup(env map[string]string) slurm.Lookup {
	return func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	}
}

// dump is the environment of one process of testdata/env.txt.
type dump struct {
	situation, host, rank string
	env                   map[string]string
}

func readDumps(t *testing.T) []dump {
	file, err := os.Open("testdata/env.txt")
	require.NoError(t, err)
	defer file.Close()
	var dumps []dump
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		line := lines.Text()
		if header, ok := strings.CutPrefix(line, "== "); ok {
			f := strings.Fields(header)
			dumps = append(dumps, dump{f[0], f[1], f[2], map[string]string{}})
		} else if name, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			dumps[len(dumps)-1].env[name] = value
		}
	}
	require.NoError(t, lines.Err())
	return dumps
}

// TestRealEnvironments is over processes of which it is known by other means
// where they ran and who they were.
func TestRealEnvironments(t *testing.T) {
	type want struct {
		place slurm.Place
		size  int
		root  string // where rank 0 ran; in brackets where Slurm does not tell the others
	}
	task := func(size int, root string) want { return want{slurm.Task, size, root} }
	wants := map[string]want{
		"plain":            {place: slurm.NoJob},
		"salloc-shell":     {place: slurm.Shell},
		"sbatch-script":    {place: slurm.Batch},
		"arb-script":       {place: slurm.Batch},
		"het-script":       {place: slurm.Batch},
		"interactive-step": {place: slurm.Interactive},
		"vm-hydra":         {place: slurm.NoJob},
		"vm-hydra-port":    {place: slurm.NoJob},
		"vm-ompi":          {place: slurm.NoJob},

		"het-srun-01":       task(4, "c1"),
		"het-srun-01-pmi2":  task(4, "c1"),
		"het-srun-01-pmix":  task(4, "c1"),
		"het-srun-1":        task(3, "c2"),
		"het-srun-10":       task(4, "c1"),
		"het-srun-default":  task(1, "c1"),
		"het-srun-mpmd0":    task(3, "c1"),
		"het-srun-mpmd1":    task(3, "c1"),
		"j3-N3n2":           task(2, "c1"), // fewer tasks than nodes
		"j3-emptystep":      task(6, "[c1]"),
		"j3-ov1":            task(1, "c1"),
		"j3-plane4":         task(3, "c1"),
		"j3-tpn1":           task(6, "c1"),
		"j3-w23":            task(2, "c2"),
		"salloc-srun":       task(3, "c1"),
		"salloc-srun-pmi2":  task(3, "c1"),
		"sbatch-srun-1of2":  task(1, "c1"),
		"sbatch-srun-bash":  task(3, "c1"),
		"sbatch-srun-none":  task(3, "c1"),
		"sbatch-srun-pmi2":  task(3, "c1"),
		"sbatch-srun-pmix":  task(3, "c1"),
		"sbatch-srun-w-c2":  task(1, "c2"),
		"srun-arbitrary":    task(4, "[c3]"),
		"srun-cyclic":       task(5, "c1"),
		"srun-default":      task(5, "c1"),
		"srun-het-colon":    task(3, "c1"),
		"srun-none":         task(5, "c1"),
		"srun-plane2":       task(6, "c1"),
		"srun-pmi2":         task(5, "c1"),
		"srun-pmix":         task(5, "c1"),
		"srun-w-c3c1c2":     task(4, "c1"),
		"sbatch-hydra":      task(2, "c1"), // the step of hydra's proxies
		"sbatch-hydra-non":  task(2, "c1"),
		"salloc-hydra":      task(2, "c1"),
		"salloc-ompi":       task(2, "c1"), // the step of orted
		"sbatch-ompi on c1": {place: slurm.Batch},
		"sbatch-ompi on c2": task(1, "c2"),
	}
	seen := map[string]bool{}
	for _, d := range readDumps(t) {
		name := d.situation
		if _, ok := wants[name]; !ok {
			name += " on " + d.host
		}
		seen[name] = true
		t.Run(fmt.Sprintf("%s rank %s on %s", d.situation, d.rank, d.host), func(t *testing.T) {
			want, ok := wants[name]
			require.True(t, ok, "no expectation")
			env := lookup(d.env)
			assert.Equal(t, want.place, slurm.WhereAmI(env))
			s, err := slurm.StepFromEnv(env)
			if want.place != slurm.Task {
				require.ErrorIs(t, err, slurm.ErrNoStep)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, want.size, s.Size)
			_, nested := d.env["MPI_LOCALRANKID"]
			nested = nested || d.env["OMPI_COMM_WORLD_RANK"] != "" // the variables are those of mpiexec's daemon
			node, told := s.RootHost()
			if root, hidden := strings.CutPrefix(want.root, "["); hidden {
				root = strings.TrimSuffix(root, "]")
				assert.Equal(t, s.Node == root, told, "who runs on the node of rank 0 knows it, nobody else")
				assert.Contains(t, s.Candidates(100), root)
			} else {
				assert.True(t, told || nested)
				assert.True(t, node == want.root || nested && node == "", node)
				assert.Equal(t, want.root, s.Candidates(100)[0])
			}
			if nested {
				return
			}
			assert.Equal(t, d.rank, fmt.Sprint(s.Rank))
			assert.Equal(t, d.host, s.Node)
			assert.Equal(t, len(strings.Split(d.env["SLURM_GTIDS"], ",")), s.LocalSize)
			assert.Less(t, s.LocalRank, s.LocalSize)
			assert.GreaterOrEqual(t, s.LocalRank, 0)
			assert.NotEmpty(t, s.ReservedPorts)
			assert.Equal(t, "lab", s.Cluster)
		})
	}
	for name := range wants {
		assert.True(t, seen[name], "no environment for %s", name)
	}
}

// taskEnv is rank 1 of 3 on n1 of n[1-2].
func taskEnv(changes ...string) map[string]string {
	env := map[string]string{
		"SLURM_CLUSTER_NAME":        "lab",
		"SLURM_JOB_ID":              "95",
		"SLURM_STEP_ID":             "2",
		"SLURM_PROCID":              "1",
		"SLURM_STEP_NUM_TASKS":      "3",
		"SLURM_STEP_NODELIST":       "n[1-2]",
		"SLURM_STEP_TASKS_PER_NODE": "2,1",
		"SLURM_NODEID":              "0",
		"SLURM_LOCALID":             "1",
		"SLURM_GTIDS":               "0,1",
		"SLURMD_NODENAME":           "n1",
	}
	for _, change := range changes {
		name, value, set := strings.Cut(change, "=")
		if set {
			env[name] = value
		} else {
			delete(env, name)
		}
	}
	return env
}

func stepOf(t *testing.T, changes ...string) *slurm.Step {
	t.Helper()
	s, err := slurm.StepFromEnv(lookup(taskEnv(changes...)))
	require.NoError(t, err)
	return s
}

func TestStepFields(t *testing.T) {
	s := stepOf(t, "SLURM_RESTART_COUNT=4", "SLURM_STEP_RESV_PORTS=20000,20097-20100", "SLURM_JOB_END_TIME=1795202907", "SLURM_STEP_TASKS_PER_NODE=2,1(x2)")
	assert.Equal(t, "slurm:lab:95.4.2", s.Name())
	assert.Equal(t, uint32(4), s.Restart)
	assert.Equal(t, []int{20000, 20097, 20098, 20099, 20100}, s.ReservedPorts)
	assert.Equal(t, time.Unix(1795202907, 0), s.End)
	assert.Equal(t, []int{2, 1, 1}, s.TasksPerNode)
	assert.Equal(t, 2, s.LocalSize)

	s = stepOf(t)
	assert.Zero(t, s.Restart)
	assert.True(t, s.End.IsZero())
	assert.Nil(t, s.ReservedPorts)
}

func TestStepOldNames(t *testing.T) {
	s := stepOf(t, "SLURM_STEP_ID", "SLURM_STEPID=7", "SLURM_JOB_ID", "SLURM_JOBID=8", "SLURM_CLUSTER_NAME")
	assert.Equal(t, "slurm::8.0.7", s.Name())
}

func TestStepMissingPlace(t *testing.T) {
	s := stepOf(t, "SLURM_GTIDS", "SLURMD_NODENAME")
	assert.Equal(t, "n1", s.Node, "by node id")
	assert.Equal(t, 2, s.LocalSize, "by tasks per node")

	s = stepOf(t, "SLURM_GTIDS=0,2", "SLURMD_NODENAME", "SLURM_NODEID=5", "SLURM_LOCALID", "SLURM_STEP_TASKS_PER_NODE=2,x")
	assert.Empty(t, s.Node)
	assert.Equal(t, -1, s.LocalSize, "these are not the tasks of our node: we are not among them")
	assert.Equal(t, -1, s.LocalRank)
	assert.Nil(t, s.TasksPerNode)
}

func TestNoStep(t *testing.T) {
	for _, test := range []struct {
		name    string
		changes []string
		reason  string
		place   slurm.Place
	}{
		{"batch up to 25.11", []string{"SLURM_STEP_ID"}, "not a task of a Slurm step: SLURM_STEP_ID is not set", slurm.Batch},
		{"batch from 26.05", []string{"SLURM_STEP_ID=-5"}, `SLURM_STEP_ID="-5": not an unsigned number`, slurm.Batch},
		{"batch by number", []string{"SLURM_STEP_ID=4294967291"}, "larger than 4294967279", slurm.Batch},
		{"interactive", []string{"SLURM_STEP_ID=4294967290"}, "larger than 4294967279", slurm.Interactive},
		{"interactive from 26.05", []string{"SLURM_STEP_ID=-6"}, "not an unsigned number", slurm.Interactive},
		{"first special step", []string{"SLURM_STEP_ID=4294967280"}, "larger than 4294967279", slurm.Batch},
		{"shell", []string{"SLURM_STEP_ID", "SLURM_PROCID"}, "not set", slurm.Shell},
		{"no job", []string{"SLURM_STEP_ID=1", "SLURM_JOB_ID"}, "SLURM_JOB_ID", slurm.NoJob},
		{"empty", []string{"SLURM_PROCID="}, "SLURM_PROCID", slurm.Shell},
		{"null", []string{"SLURM_STEP_NUM_TASKS=(null)"}, "SLURM_STEP_NUM_TASKS", slurm.Batch},
		{"rank too large", []string{"SLURM_PROCID=3"}, "SLURM_PROCID=3 is not below SLURM_STEP_NUM_TASKS=3", slurm.Batch},
		{"negative rank", []string{"SLURM_PROCID=-1"}, "not an unsigned number", slurm.Batch},
		{"no tasks", []string{"SLURM_STEP_NUM_TASKS=0"}, "is not below", slurm.Batch},
	} {
		t.Run(test.name, func(t *testing.T) {
			env := lookup(taskEnv(test.changes...))
			_, err := slurm.StepFromEnv(env)
			require.ErrorIs(t, err, slurm.ErrNoStep)
			require.ErrorContains(t, err, test.reason)
			assert.Equal(t, test.place, slurm.WhereAmI(env))
		})
	}
}

func TestBrokenStep(t *testing.T) {
	for _, test := range []struct{ change, message string }{
		{"SLURM_STEP_NODELIST=n[2-1]", `slurm: SLURM_STEP_NODELIST="n[2-1]": hostlist "n[2-1]": column 3: range 2-1 runs backwards`},
		{"SLURM_JOB_NODELIST=n[", "SLURM_JOB_NODELIST"},
		{"SLURM_STEP_RESV_PORTS=20000-", `slurm: SLURM_STEP_RESV_PORTS="20000-": "20000-" is no port or range of ports`},
		{"SLURM_STEP_RESV_PORTS=0-1", "no port"},
		{"SLURM_STEP_RESV_PORTS=2-1", "no port"},
		{"SLURM_STEP_RESV_PORTS=1-65535,1-65535", "more than 65536 ports"},
		{"SLURM_HET_SIZE=1000000000", "larger than 128"},
		{"SLURM_STEP_RESV_PORTS=" + strings.Repeat("x", 1000), "..."},
	} {
		t.Run(test.change[:20], func(t *testing.T) {
			env := lookup(taskEnv(test.change))
			_, err := slurm.StepFromEnv(env)
			require.ErrorContains(t, err, test.message)
			require.NotErrorIs(t, err, slurm.ErrNoStep)
			assert.Equal(t, slurm.Task, slurm.WhereAmI(env), "broken, but a task")
		})
	}
}

func TestRootHost(t *testing.T) {
	elsewhere := []string{"SLURM_GTIDS=1", "SLURMD_NODENAME=n3", "SLURM_NODEID=2", "SLURM_STEP_NODELIST=n[1-3]"}
	het := func(more ...string) []string {
		return append(more, "SLURM_GTIDS=1", "SLURMD_NODENAME=n2", "SLURM_STEP_NODELIST=n[1-3]", "SLURM_HET_SIZE=2")
	}
	for _, test := range []struct {
		name       string
		changes    []string
		root       string
		candidates string
	}{
		{"block", elsewhere, "n1", "n1 n2 n3"},
		{"nodes in another order than the list", append(elsewhere, "SLURM_NODEID=0"), "", "n1 n2 n3"},
		{"arbitrary", append(elsewhere, "SLURM_DISTRIBUTION=arbitrary"), "", "n1 n2 n3"},
		{"arbitrary, same node", []string{"SLURM_DISTRIBUTION=arbitrary"}, "n1", "n1 n2"},
		{"rank 0 itself", []string{"SLURM_PROCID=0", "SLURM_GTIDS", "SLURMD_NODENAME=n2"}, "n2", "n2 n1"},
		{"other suffix of the distribution", append(elsewhere, "SLURM_DISTRIBUTION=block:cyclic,NoPack"), "n1", "n1 n2 n3"},
		{"components in another order than names", het("SLURM_JOB_NODELIST_HET_GROUP_0=n3", "SLURM_JOB_NODELIST_HET_GROUP_1=n[1-2]"), "n3", "n3 n1 n2"},
		{"old names", het("SLURM_JOB_NODELIST_PACK_GROUP_0=n3", "SLURM_JOB_NODELIST_PACK_GROUP_1=n[1-2]"), "n3", "n3 n1 n2"},
		{"component outside the step", het("SLURM_JOB_NODELIST_HET_GROUP_0=n9", "SLURM_JOB_NODELIST_HET_GROUP_1=n[2-3]"), "n2", "n2 n1 n3"},
		{"part of a component", het("SLURM_JOB_NODELIST_HET_GROUP_0=n[0-1]", "SLURM_JOB_NODELIST_HET_GROUP_1=n[2-3]"), "n1", "n1 n2 n3"},
		{"components not told", het(), "", "n1 n2 n3"},
		{"empty node list", append(elsewhere, "SLURM_STEP_NODELIST=", "SLURM_JOB_NODELIST=n[1-3]"), "", "n1 n2 n3"},
		{"no node list", append(elsewhere, "SLURM_STEP_NODELIST"), "", "n3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := stepOf(t, test.changes...)
			root, told := s.RootHost()
			assert.Equal(t, test.root, root)
			assert.Equal(t, test.root != "", told)
			assert.Equal(t, strings.Fields(test.candidates), s.Candidates(100))
			assert.LessOrEqual(t, len(s.Candidates(2)), 2)
		})
	}
}

func TestHetIsToldByItsSize(t *testing.T) {
	// SLURM_JOB_CPUS_PER_NODE_PACK_GROUP_0 is set in every step and says nothing.
	s := stepOf(t, "SLURM_JOB_CPUS_PER_NODE_PACK_GROUP_0=4")
	assert.Zero(t, s.HetSize)
	s = stepOf(t, "SLURM_HET_SIZE=1")
	assert.Zero(t, s.HetSize)
}

func TestJobTasks(t *testing.T) {
	type env = map[string]string
	het := env{"SLURM_NTASKS": "1", "SLURM_HET_SIZE": "2", "SLURM_NTASKS_HET_GROUP_0": "1", "SLURM_NTASKS_HET_GROUP_1": "3",
		"SLURM_NTASKS_PACK_GROUP_1": "3", "SLURM_JOB_NUM_NODES_HET_GROUP_0": "1", "SLURM_JOB_NUM_NODES_HET_GROUP_1": "2"}
	for name, test := range map[string]struct {
		env          env
		tasks, nodes int
		variable     string
	}{
		"tasks":          {env{"SLURM_NTASKS": "8", "SLURM_JOB_NUM_NODES": "2"}, 8, 2, "SLURM_NTASKS"},
		"the other name": {env{"SLURM_NPROCS": "8"}, 8, 0, "SLURM_NPROCS"},
		"nothing":        {nil, 0, 0, ""},
		"components":     {het, 4, 3, "SLURM_NTASKS_HET_GROUP_0..1"},
		"old names":      {env{"SLURM_PACK_SIZE": "2", "SLURM_NTASKS_PACK_GROUP_0": "2", "SLURM_NTASKS_PACK_GROUP_1": "3"}, 5, 0, "SLURM_NTASKS_PACK_GROUP_0..1"},
		"no components":  {env{"SLURM_NTASKS": "4", "SLURM_NTASKS_PACK_GROUP_0": "9"}, 4, 0, "SLURM_NTASKS"},
	} {
		tasks, variable := slurm.JobTasks(lookup(test.env))
		nodes, _ := slurm.JobNodes(lookup(test.env))
		assert.Equal(t, []int{test.tasks, test.nodes}, []int{tasks, nodes}, name)
		assert.Equal(t, test.variable, variable, name)
	}
}

func FuzzStep(f *testing.F) {
	f.Add("n[1-3]", "2,1(x2)", "20000,20097-20100", "0,1")
	f.Add("", "1(x99999999999)", "1-65535,1-65535", "1,1")
	f.Fuzz(func(t *testing.T, nodes, tasks, ports, ids string) {
		env := taskEnv()
		maps.Copy(env, map[string]string{
			"SLURM_STEP_NODELIST": nodes, "SLURM_STEP_TASKS_PER_NODE": tasks,
			"SLURM_STEP_RESV_PORTS": ports, "SLURM_GTIDS": ids,
		})
		s, err := slurm.StepFromEnv(lookup(env))
		if err != nil {
			return
		}
		if root, told := s.RootHost(); told && root == "" {
			t.Fatal("a root host without a name")
		}
		if len(s.Candidates(50)) > 50 {
			t.Fatal("more candidates than asked for")
		}
	})
}
