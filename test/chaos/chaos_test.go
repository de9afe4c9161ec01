package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/dlp-mpi/dlp-go/test/deadline"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(deadline.Each(m)) }

func TestSchedule(t *testing.T) {
	assert.Equal(t, schedule(7, 3), schedule(7, 3), "it replays")
	assert.NotEqual(t, schedule(7, 3), schedule(8, 3))
	assert.NotEqual(t, schedule(7, 3), schedule(7, 4))
	seen := map[kind]int{}
	for job := range uint64(200) {
		kills, at := 0, 0
		for _, e := range schedule(1, job) {
			seen[e.kind]++
			kills += map[kind]int{kill: 1, halt: 1, cut: 1, hunt: 2}[e.kind]
			assert.GreaterOrEqual(t, e.at, max(at, 1))
			assert.LessOrEqual(t, e.at, items)
			assert.Less(t, e.rank, ranks)
			assert.True(t, e.rank > 0 || e.kind == garbage, "rank 0 is spared")
			assert.LessOrEqual(t, e.d, time.Second)
			assert.True(t, linked(job) || e.kind != cut && e.kind != delay)
			at = e.at
		}
		assert.Positive(t, kills)
		assert.LessOrEqual(t, kills, maxKills)
	}
	assert.Len(t, seen, 8)
	assert.Equal(t, "  item 5: stop rank 3 for 20ms\n  item 6: kill rank 1\n",
		text([]event{{at: 5, kind: stop, rank: 3, d: 20 * time.Millisecond}, {at: 6, kind: kill, rank: 1}}))
}

// A wire forwards both ways, late if it is told to, until it is cut.
func TestWire(t *testing.T) {
	l, err := newLinks()
	require.NoError(t, err)
	defer l.close()
	root, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", l.port))
	require.NoError(t, err)
	defer root.Close()
	near, err := net.Dial("tcp", l.of[3].listener.Addr().String())
	require.NoError(t, err)
	defer near.Close()
	far, err := root.Accept()
	require.NoError(t, err)
	defer far.Close()
	b := make([]byte, 5)
	for _, ends := range [][2]net.Conn{{near, far}, {far, near}} {
		_, err = ends[0].Write([]byte("hello"))
		require.NoError(t, err)
		_, err = io.ReadFull(ends[1], b)
		require.NoError(t, err)
		assert.Equal(t, "hello", string(b))
	}
	l.of[3].late = 50 * time.Millisecond
	begin := time.Now()
	_, err = near.Write(b)
	require.NoError(t, err)
	_, err = io.ReadFull(far, b)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, time.Since(begin), 50*time.Millisecond)
	l.of[3].sever()
	for _, end := range []net.Conn{near, far} {
		_, err = end.Read(b)
		assert.Error(t, err)
	}
	again, err := net.Dial("tcp", l.of[3].listener.Addr().String())
	require.NoError(t, err)
	defer again.Close()
	_, err = again.Read(b)
	assert.Error(t, err, "it stays cut")
}

// A table in which all items are done, by rank 1, but for what a test says.
func doneTable(t *testing.T) *table {
	path := filepath.Join(t.TempDir(), "table")
	made, err := newTable(path)
	require.NoError(t, err)
	t.Cleanup(made.close)
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())
	opened, err := openTable(path)
	require.NoError(t, err)
	t.Cleanup(opened.close)
	for item := range items {
		opened.begin(1, item)
		opened.end(1, item)
	}
	return made
}

func TestJudge(t *testing.T) {
	const failed = "failed 9: dlp: map: rank 0: item 9 on rank 3 (vm): rank 2 was lost while it held this item, and now this one, so it is not tried again: ame\n"
	twice := func(table *table) {
		table.Ended[9].Store(0)
		table.Began[9].Store(1<<2 | 1<<3)
	}
	both := []death{{2, 9}, {3, 9}}
	for name, test := range map[string]struct {
		dead   []death
		table  func(*table)
		stdout string
		status int
		says   string
	}{
		"nothing happens":       {nil, nil, "delivered 20000, failed 0, lost []\n", 0, ""},
		"two lost":              {both, twice, failed + "delivered 20000, failed 1, lost [2 3]\n", 137, ""},
		"second one has ended":  {both[:1], func(t *table) { t.Began[9].Store(1<<2 | 1<<1) }, "delivered 20000, failed 0, lost [2]\n", 137, ""},
		"two lost, unsaid":      {both, twice, "delivered 20000, failed 0, lost [2 3]\n", 137, "held by ranks 2 and 3, both killed, and has not failed"},
		"said, but one lives":   {both[:1], twice, failed + "delivered 20000, failed 1, lost [2]\n", 137, "rank 3, which nobody has killed"},
		"said, but it was done": {both, nil, failed + "delivered 20000, failed 1, lost [2 3]\n", 137, "rank 1, which lives, has done it"},
		"nobody did it":         {nil, twice, "delivered 20000, failed 0, lost []\n", 0, "nobody has done item 9"},
		"another failure":       {nil, nil, "failed 3: why\ndelivered 20000, failed 1, lost []\n", 0, "not by the loss of two ranks: failed 3: why"},
		"one too few":           {nil, nil, "delivered 19999, failed 0, lost []\n", 0, "delivered 19999"},
		"status":                {both[:1], nil, "delivered 20000, failed 0, lost [2]\n", 0, "exit status 0 after 1 deaths"},
		"one is not lost":       {both[:1], nil, "delivered 20000, failed 0, lost []\n", 137, "rank 2 was killed in an item, and is not lost"},
		"a living one is lost":  {both[:1], nil, "delivered 20000, failed 0, lost [2 5]\n", 137, "rank 5 is lost, which nobody has killed"},
	} {
		t.Run(name, func(t *testing.T) {
			table := doneTable(t)
			if test.table != nil {
				test.table(table)
			}
			o := outcome{dead: test.dead}
			err := o.judge(table, test.stdout, test.status)
			if test.says == "" {
				assert.NoError(t, err)
			} else {
				assert.ErrorContains(t, err, test.says)
			}
		})
	}
	o := outcome{dead: []death{{1, 4}, {2, -1}}}
	assert.Equal(t, 1, o.hits())
}
