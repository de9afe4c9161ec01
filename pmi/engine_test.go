package pmi

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// oneNode has all ranks on node 0.
func oneNode(size int) []int { return make([]int, size) }

// replay feeds the requests of a dialogue to e in their order and requires the
// recorded replies, for each rank in their order.
func replay(t *testing.T, e *engine, dialogue []said) (last step) {
	var got, want = make(map[int][]string), make(map[int][]string)
	for _, s := range dialogue {
		if !s.byClient {
			want[s.rank] = append(want[s.rank], s.line)
			continue
		}
		last = e.receive(s.rank, s.line)
		for _, r := range last.replies {
			got[r.rank] = append(got[r.rank], strings.TrimSuffix(string(r.line), "\n"))
		}
	}
	assert.Equal(t, want, got)
	return last
}

func TestEngineRepliesAsHydraDoes(t *testing.T) {
	for _, tt := range []struct {
		file, kvsname string
		size          int
	}{
		{"mpich-4.0.2/n1.txt", "kvs_0", 1},
		{"mpich-4.0.2/n4.txt", "kvs_0", 4},
		{"mpich-5.0.1/libpmi.txt", "kvs_0", 2},
		{"dlp_mpi/n3.txt", "kvs_0", 3},
	} {
		t.Run(tt.file, func(t *testing.T) {
			last := replay(t, newEngine(tt.kvsname, oneNode(tt.size)), readDialogue(t, tt.file))
			assert.Nil(t, last.fail)
		})
	}
}

// Three ranks of hydra's own job, played side by side from barrier to barrier.
// What differs on purpose is left out: the universe size, which hydra does not
// know, and gets of a key before the barrier.
func TestEngineAgainstHydra(t *testing.T) {
	e := newEngine("kvs_32141_0_1959362969_node1", oneNode(3))
	e.kvs[mappingKey] = "(vector,(0,1,1))" // ours says (0,1,3), which is the same
	var phases [3][]said
	for rank := range 3 {
		script := readDialogue(t, fmt.Sprintf("hydra-4.0.2/basic.rank%d.txt", rank))
		phase, keep := 0, true
		for _, s := range script {
			if s.byClient {
				early := phase == 0 && strings.Contains(s.line, "key=host-") && strings.HasPrefix(s.line, "cmd=get ")
				keep = !early && s.line != "cmd=get_universe_size"
			}
			if keep {
				s.rank = rank
				// Ours is the code of which clients of other libraries make sense.
				s.line = strings.Replace(s.line, "rc=-1 msg=key_nosuch", "rc=4 msg=key_nosuch", 1)
				phases[phase] = append(phases[phase], s)
			}
			if s.line == "cmd=barrier_in" {
				phase++
			}
		}
	}
	last := replay(t, e, slices.Concat(phases[:]...))
	assert.Nil(t, last.fail)
	assert.True(t, last.close)
}

// What one rank publishes another one finds, until it is withdrawn.
func TestEngineKeepsPublishedNames(t *testing.T) {
	e := newEngine("kvs_0", oneNode(2))
	for i, exchange := range []struct {
		rank           int
		request, reply string
	}{
		{0, "publish_name service=ocean port=tag#0$description#node1$", "publish_result info=ok rc=0 msg=success"},
		{1, "lookup_name service=ocean", "lookup_result port=tag#0$description#node1$ info=ok rc=0 msg=success"},
		{1, "publish_name service=ocean port=other", "publish_result info=ok rc=1 msg=key_already_present"},
		{1, "get kvsname=kvs_0 key=ocean", "get_result rc=4 msg=key_ocean_not_found value=unknown"},
		{1, "unpublish_name service=ocean", "unpublish_result info=ok rc=0 msg=success"},
		{0, "lookup_name service=ocean", "lookup_result rc=1 msg=service_not_found"},
		{0, "publish_name service=ocean port=other", "publish_result info=ok rc=0 msg=success"},
	} {
		s := e.receive(exchange.rank, "cmd="+exchange.request)
		require.Len(t, s.replies, 1)
		assert.Equal(t, "cmd="+exchange.reply+"\n", string(s.replies[0].line), "exchange %d", i)
	}
	e.receive(0, "cmd=unpublish_name service=ocean")
	assert.Zero(t, e.stored)
}

// What ranks ask for in vain the user is told once, in its own words.
func TestEngineGivesNotice(t *testing.T) {
	e := newEngine("kvs_0", oneNode(2))
	assert.False(t, e.heard())
	var notices []string
	for rank := range 2 {
		for _, line := range []string{"cmd=init pmi_version=2 pmi_subversion=0", "mcmd=spawn", "execname=worker", "endcmd"} {
			if s := e.receive(rank, line); s.notice != (Notice{}) {
				notices = append(notices, s.notice.Text)
			}
		}
	}
	assert.Equal(t, []string{
		"asked for PMI version 2.0, this server speaks 1.1 only",
		"asked to spawn \"worker\" (MPI_Comm_spawn), which this server does not do",
	}, notices)
	assert.True(t, e.heard())
	assert.False(t, e.members[0].inited, "it was refused")
}

func TestAbortText(t *testing.T) {
	const mpich42 = "application called MPI_Abort(MPI_COMM_WORLD, 7) - process 1"
	for line, want := range map[string]string{
		"cmd=abort exitcode=7":                           "",
		"cmd=abort exitcode=7 message=" + mpich42:        mpich42,
		"cmd=abort message=" + mpich42 + " exitcode=7":   mpich42,
		"cmd=abort exitcode=7 error_msg=a=b  c message=": "a=b  c message=",
		"cmd=abort exitcode=7 msg=":                      "",
	} {
		assert.Equal(t, want, abortText(line), line)
	}
	s := newEngine("kvs_0", oneNode(2)).receive(1, "cmd=abort exitcode=7 message="+mpich42)
	assert.EqualError(t, s.fail, `pmi: rank 1: aborted the job with exit code 7: "`+mpich42+`"`)
	assert.Equal(t, 7, s.fail.Status)
}

func TestEngineRefusesSpawn(t *testing.T) {
	e := newEngine("kvs_0", oneNode(1))
	var replies []string
	for _, s := range readDialogue(t, "hydra-4.0.2/spawn.txt") {
		if s.byClient {
			for _, r := range e.receive(0, s.line).replies {
				replies = append(replies, string(r.line))
			}
		}
	}
	assert.Contains(t, replies, "cmd=spawn_result rc=-1\n")
	assert.Equal(t, "cmd=finalize_ack\n", replies[len(replies)-1])
}

// MPI_Comm_spawn_multiple waits for one reply to all of its blocks: with a
// second one it would take every later reply for that of another request.
func TestEngineRefusesSpawnOnce(t *testing.T) {
	e := newEngine("kvs_0", oneNode(1))
	send := func(lines ...string) (replies []reply) {
		for _, line := range lines {
			replies = append(replies, e.receive(0, line).replies...)
		}
		return replies
	}
	assert.Empty(t, send("mcmd=spawn", "nprocs=1", "execname=a", "totspawns=2", "spawnssofar=1", "endcmd"))
	assert.Len(t, send("mcmd=spawn", "nprocs=1", "execname=b", "totspawns=2", "spawnssofar=2", "endcmd"), 1)
	assert.Len(t, send("mcmd=spawn", "execname=c", "totspawns=many", "endcmd"), 1)
	assert.Equal(t, "cmd=appnum appnum=0\n", string(send("cmd=get_appnum")[0].line))
}

// As hydra, which does not mind; the values that were put stay.
func TestEngineTakesASecondInit(t *testing.T) {
	e := newEngine("kvs_0", oneNode(1))
	const init, get = "cmd=init pmi_version=1 pmi_subversion=1", "cmd=get kvsname=kvs_0 key=a"
	first := e.receive(0, init)
	e.receive(0, "cmd=put kvsname=kvs_0 key=a value=b")
	assert.Equal(t, first, e.receive(0, init))
	assert.Equal(t, "cmd=get_result rc=0 msg=success value=b\n", string(e.receive(0, get).replies[0].line))
}

func TestEngineReplies(t *testing.T) {
	tests := []struct{ name, request, reply string }{
		{"PMI-2 client", "cmd=init pmi_version=2 pmi_subversion=0", "cmd=response_to_init pmi_version=1 pmi_subversion=1 rc=-1"},
		{"PMI-1.2 client", "cmd=init pmi_version=1 pmi_subversion=2", "cmd=response_to_init pmi_version=1 pmi_subversion=1 rc=0"},
		{"order swapped", "cmd=init pmi_subversion=1 pmi_version=1", "cmd=response_to_init pmi_version=1 pmi_subversion=1 rc=0"},
		{"universe", "cmd=get_universe_size", "cmd=universe_size size=3"},
		{"kvsname of another", "cmd=get kvsname=WRONG key=PMI_process_mapping", "cmd=get_result rc=0 msg=success value=(vector,(0,1,2),(1,1,1))"},
		{"not found", "cmd=get kvsname=kvs_0 key=nosuch", "cmd=get_result rc=4 msg=key_nosuch_not_found value=unknown"},
		{"get without key", "cmd=get", "cmd=get_result rc=4 msg=key__not_found value=unknown"},
		{"put", "cmd=put kvsname=kvs_0 key=-allgather-shm-1-0 value=[a]/b=c", "cmd=put_result rc=0 msg=success"},
		{"put in another order", "cmd=put value=1 key=a kvsname=kvs_0", "cmd=put_result rc=0 msg=success"},
		{"empty value", "cmd=put kvsname=kvs_0 key=a value=", "cmd=put_result rc=0 msg=success"},
		{"key of 64 bytes", "cmd=put kvsname=kvs_0 key=" + strings.Repeat("k", 64) + " value=1", "cmd=put_result rc=0 msg=success"},
		{"key of 65 bytes", "cmd=put kvsname=kvs_0 key=" + strings.Repeat("k", 65) + " value=1", "cmd=put_result rc=-1 msg=key_too_long"},
		{"value of 1024 bytes", "cmd=put key=a value=" + strings.Repeat("v", 1024), "cmd=put_result rc=0 msg=success"},
		{"value of 1025 bytes", "cmd=put key=a value=" + strings.Repeat("v", 1025), "cmd=put_result rc=-1 msg=value_too_long"},
		{"value with a space", "cmd=put kvsname=kvs_0 key=a value=b c", "cmd=put_result rc=-1 msg=space_in_value"},
		{"no key", "cmd=put value=1", "cmd=put_result rc=-1 msg=no_key"},
		{"no value", "cmd=put key=a", "cmd=put_result rc=-1 msg=no_value"},
		{"the mapping is ours", "cmd=put key=PMI_process_mapping value=1", "cmd=put_result rc=-1 msg=key_is_reserved"},
		{"publish", "cmd=publish_name service=s port=p", "cmd=publish_result info=ok rc=0 msg=success"},
		{"publish nothing", "cmd=publish_name service=s", "cmd=publish_result info=ok rc=1 msg=no_service_or_port"},
		{"publish without a name", "cmd=publish_name service= port=p", "cmd=publish_result info=ok rc=1 msg=no_service_or_port"},
		{"publish blanks", "cmd=publish_name service=s port=p q", "cmd=publish_result info=ok rc=1 msg=space_in_name"},
		{"publish too much", "cmd=publish_name service=s port=" + strings.Repeat("p", 1025), "cmd=publish_result info=ok rc=1 msg=name_too_long"},
		{"unpublish what is not there", "cmd=unpublish_name service=s", "cmd=unpublish_result info=ok rc=1 msg=service_not_found"},
		{"look up what is not there", "cmd=lookup_name service=s", "cmd=lookup_result rc=1 msg=service_not_found"},
		{"spaces", "  cmd=get_appnum  ", "cmd=appnum appnum=0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := newEngine("kvs_0", []int{0, 0, 1})
			s := e.receive(2, tt.request)
			require.Nil(t, s.fail)
			require.Equal(t, []reply{{2, []byte(tt.reply + "\n")}}, s.replies)
			assert.False(t, s.close)
		})
	}
}

func TestEngineFailsTheJob(t *testing.T) {
	type event struct {
		rank int
		line string // "" is a disconnect
	}
	tests := []struct {
		name   string
		events []event
		rank   int
		text   string
		status int
		abort  bool
	}{
		{"unknown command", []event{{1, "cmd=getbyidx kvsname=k idx=0"}}, 1, `unknown PMI request "cmd=getbyidx kvsname=k idx=0"`, 1, false},
		{"carriage return", []event{{0, "cmd=get_maxes\r"}}, 0, `unknown PMI request "cmd=get_maxes\r"`, 1, false},
		{"garbage", []event{{0, "hello"}}, 0, `no cmd= in "hello"`, 1, false},
		{"binary", []event{{0, "\x00\xff\x17"}}, 0, `no cmd= in`, 1, false},
		{"lost while others wait", []event{{1, "cmd=init pmi_version=1"}, {0, "cmd=barrier_in"}, {1, ""}}, 1, "gone without finalizing", 1, false},
		{"others wait for one lost", []event{{1, "cmd=init pmi_version=1"}, {1, ""}, {0, "cmd=barrier_in"}}, 1, "gone without finalizing", 1, false},
		{"lost in the barrier", []event{{1, "cmd=init pmi_version=1"}, {1, "cmd=barrier_in"}, {1, ""}, {0, "cmd=barrier_in"}}, 1, "gone without finalizing", 1, false},
		{"never used PMI", []event{{1, ""}, {0, "cmd=barrier_in"}}, 1, "never used PMI", 1, false},
		{"finalized while others wait", []event{{0, "cmd=barrier_in"}, {1, "cmd=finalize"}}, 1, "has finalized PMI", 1, false},
		{"request in a barrier", []event{{0, "cmd=barrier_in"}, {0, "cmd=get_maxes"}}, 0, "waits in a barrier", 1, false},
		{"barrier twice", []event{{0, "cmd=barrier_in"}, {0, "cmd=barrier_in"}}, 0, "waits in a barrier", 1, false},
		{"abort", []event{{1, "cmd=abort exitcode=9"}}, 1, "aborted the job with exit code 9", 9, true},
		{"abort with words", []event{{1, "cmd=abort exitcode=9 error_msg=hello_world"}}, 1, `exit code 9: "hello_world"`, 9, true},
		{"abort in a barrier", []event{{1, "cmd=barrier_in"}, {1, "cmd=abort exitcode=9"}}, 1, "exit code 9", 9, true},
		{"abort without a code", []event{{1, "cmd=abort"}}, 1, "exit code 1", 1, true},
		{"abort with 0", []event{{1, "cmd=abort exitcode=0"}}, 1, "exit code 0", 0, true},
		{"abort with -1", []event{{1, "cmd=abort exitcode=-1"}}, 1, "exit code 255", 255, true},
		{"abort with 256", []event{{1, "cmd=abort exitcode=256"}}, 1, "exit code 1", 1, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := newEngine("kvs_0", oneNode(2))
			var last step
			for _, event := range tt.events {
				require.Nil(t, last.fail)
				if event.line == "" {
					last = e.disconnect(event.rank)
				} else {
					last = e.receive(event.rank, event.line)
				}
			}
			require.NotNil(t, last.fail)
			assert.Equal(t, tt.rank, last.fail.Rank)
			assert.Equal(t, tt.status, last.fail.Status)
			assert.Equal(t, tt.abort, last.fail.Aborted)
			assert.ErrorContains(t, last.fail, tt.text)
		})
	}
}

func TestEngineLetsRanksLeave(t *testing.T) {
	e := newEngine("kvs_0", oneNode(3))
	require.NotNil(t, e.receive(0, "cmd=init pmi_version=1 pmi_subversion=1").replies)
	require.Nil(t, e.disconnect(0).fail, "nobody waits")
	require.Nil(t, e.deserted(0).fail, "nobody is left behind")
	e.receive(2, "cmd=init pmi_version=1 pmi_subversion=1")
	require.ErrorContains(t, e.deserted(0).fail, "rank 0: has left without finalizing PMI (MPI_Finalize), rank 2 has not")
	s := e.receive(1, "cmd=finalize")
	require.Nil(t, s.fail)
	require.True(t, s.close)
	require.Equal(t, step{close: true}, e.receive(1, "cmd=put key=a value=1"), "after finalize")
	require.Nil(t, e.disconnect(1).fail)
	require.Nil(t, e.disconnect(1).fail, "twice")
	require.Nil(t, e.receive(2, "cmd=finalize").fail)
}

func TestEngineMemoryIsBounded(t *testing.T) {
	e := newEngine("kvs_0", oneNode(1))
	value := strings.Repeat("v", serverValueMax)
	put := func(key string) string {
		s := e.receive(0, "cmd=put key="+key+" value="+value)
		require.Len(t, s.replies, 1)
		return string(s.replies[0].line)
	}
	require.Equal(t, "cmd=put_result rc=0 msg=success\n", put("same"))
	before := e.stored
	require.Equal(t, "cmd=put_result rc=0 msg=success\n", put("same"))
	assert.Equal(t, before, e.stored, "the second put replaces the first")
	fit := 0
	for put(fmt.Sprintf("key%d", fit)) == "cmd=put_result rc=0 msg=success\n" {
		fit++
		require.Less(t, fit, serverStore/serverValueMax)
	}
	assert.Equal(t, "cmd=put_result rc=-1 msg=kvs_is_full\n", put("more"))
	assert.Greater(t, fit, 900)
}

// A short value is charged for itself, so the long line that it came in must
// not be kept.
func TestEngineKeepsNoLines(t *testing.T) {
	const puts, rest = 5000, 15 << 10
	e := newEngine("kvs_0", oneNode(1))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range puts {
		e.receive(0, fmt.Sprintf("cmd=put key=%d value=v rest=%s", i, strings.Repeat("x", rest)))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	require.Greater(t, len(e.kvs), puts)
	assert.Less(t, int(after.HeapAlloc)-int(before.HeapAlloc), puts*rest/10)
}

// FuzzEngine takes events separated by newlines: a first byte that is the
// rank, then a line, or nothing for a disconnect.
func FuzzEngine(f *testing.F) {
	f.Add([]byte("0cmd=init pmi_version=1 pmi_subversion=1\n1cmd=barrier_in\n0cmd=put key=a value=b\n0cmd=barrier_in\n1cmd=get key=a\n1cmd=finalize\n0"))
	f.Add([]byte("0mcmd=spawn\n0nprocs=1\n0endcmd\n1cmd=abort exitcode=300\n"))
	f.Add([]byte("1\n0cmd=barrier_in\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		const size = 3
		e := newEngine("kvs_0", oneNode(size))
		for event := range bytes.SplitSeq(data, []byte("\n")) {
			if len(event) == 0 {
				continue
			}
			rank, line := int(event[0])%size, string(event[1:])
			var s step
			if line == "" {
				s = e.disconnect(rank)
			} else {
				s = e.receive(rank, line)
			}
			for _, r := range s.replies {
				require.True(t, 0 <= r.rank && r.rank < size)
				require.Equal(t, len(r.line)-1, bytes.IndexByte(r.line, '\n'), "%q", r.line)
			}
			waiting := 0
			for _, m := range e.members {
				if m.inBarrier {
					waiting++
				}
			}
			require.Equal(t, waiting, e.waiting)
			require.Less(t, waiting, size)
			require.LessOrEqual(t, e.stored, size*serverStore)
			if s.fail != nil {
				require.NotEmpty(t, s.fail.Error())
				return
			}
		}
	})
}
