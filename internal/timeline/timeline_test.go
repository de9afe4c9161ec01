package timeline

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const ms = time.Millisecond

func twoRanks() Head {
	return Head{
		Kind: "map", Label: "a label", Job: "7.0", Began: time.Unix(1e9, 5), Items: 4,
		Ranks: []Rank{{"n1", 0}, {"n2", 2}},
	}
}

// recorded writes a loop and returns the path of the file and what is read of it.
func recorded(t *testing.T, h Head, entered time.Duration, write func(s *Section)) (string, *File) {
	path := filepath.Join(t.TempDir(), "run.timeline")
	s, err := Open(path, time.Now(), entered, h)
	require.NoError(t, err)
	write(s)
	require.NoError(t, s.Close())
	return path, read(t, path)
}

func read(t *testing.T, path string) *File {
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	file, err := Read(b)
	require.NoError(t, err)
	return file
}

func TestWriteAndRead(t *testing.T) {
	path, file := recorded(t, twoRanks(), 10*ms, func(s *Section) {
		var l Log // its clock is behind by 100 ms
		l.Add(Waiting, 0, 0, 0, 20*ms)
		l.Got(20 * ms)
		l.Add(Done, 0, 2, 20*ms, 30*ms)
		l.Add(Failed, 1, 0, 25*ms, 5*ms)
		l.Add(Crashed, 40, 1, 60*ms, 0)
		taken := l.Take(70 * ms)
		assert.Zero(t, l.Size())
		assert.Nil(t, l.Take(80*ms))
		s.Chunk(1, Stamps{Received: 171 * ms, Messages: 1, Sent: 119 * ms}, taken)
		l.Add(Cut, 0, 9, 71*ms, 2*ms)
		s.Chunk(1, Stamps{Received: 190 * ms}, l.Take(75*ms))
		s.Own(Body, 0, 0, 150*ms, 4*ms)
		s.Lost(1, []Span{{9, 2}}, "it is gone")
		s.End(errors.New("no more"))
	})
	require.Len(t, file.Loops, 1)
	require.NoError(t, AppendNotes(path, []Note{{2, true, "two"}, {1, false, "<one>"}}))
	file = read(t, path)
	l := file.Loops[0]
	want := twoRanks()
	want.Ranks[1].Slots = 41 // as there were
	assert.Equal(t, want, l.Head)
	assert.Equal(t, []Record{
		{Start: 140 * ms, Took: 4 * ms, State: Body},
		{Start: 90 * ms, Took: 20 * ms, Rank: 1, State: Waiting},
		{Start: 110 * ms, Took: 30 * ms, Index: 2, Rank: 1, State: Failed},
		{Start: 161 * ms, Took: 2 * ms, Index: 9, Rank: 1, State: Cut},
		{Start: 115 * ms, Took: 5 * ms, Index: 0, Rank: 1, Slot: 1, State: Failed},
		{Start: 150 * ms, Index: 1, Rank: 1, Slot: 40, State: Crashed},
	}, l.Records)
	require.Len(t, l.Losses, 1)
	assert.Equal(t, Loss{1, l.Losses[0].At, []Span{{9, 2}}, "it is gone"}, l.Losses[0])
	assert.Equal(t, map[int]Note{2: {2, true, "two"}, 1: {1, false, "<one>"}}, l.Notes)
	assert.True(t, l.Ended)
	assert.Equal(t, "no more", l.Err)
	assert.Zero(t, file.Torn)
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

// A clock that goes wrong by 50 ppm and is a day off, with messages of 0.1 ms and
// now and then of 20 ms.
func TestClocks(t *testing.T) {
	const off = 24 * time.Hour
	worker := func(at time.Duration) time.Duration { return off + at + at/20_000 }
	h := twoRanks()
	_, file := recorded(t, h, 0, func(s *Section) {
		var l Log
		for i := range 4000 {
			at := time.Duration(i) * 100 * ms
			way := ms / 10
			if i%7 > 0 {
				way = 20 * ms
			}
			l.Got(worker(at + way))
			l.Add(Done, 0, i, worker(at+way), 10*ms)
			s.Chunk(1, Stamps{Received: at + 2*way + 10*ms, Messages: i + 1, Sent: at}, l.Take(worker(at+way+10*ms)))
		}
	})
	records := file.Loops[0].Records
	require.Len(t, records, 4000)
	for i, r := range records {
		way := ms / 10
		if i%7 > 0 {
			way = 20 * ms
		}
		want := time.Duration(i)*100*ms + way
		assert.InDelta(t, want, r.Start, float64(ms), "item %d", i)
	}
}

// A rank of which no message was answered, and one that has said nothing.
func TestClockOfOneMessage(t *testing.T) {
	h := twoRanks()
	_, file := recorded(t, h, 0, func(s *Section) {
		var l Log
		l.Add(Done, 0, 0, 5*ms, ms)
		s.Chunk(1, Stamps{Received: 1007 * ms}, l.Take(7*ms))
	})
	l := file.Loops[0]
	require.Len(t, l.Records, 1)
	assert.Equal(t, 1005*ms, l.Records[0].Start)
	assert.False(t, l.Ended)
	assert.Equal(t, 1006*ms, l.Elapsed)
}

func TestSectionsOfOneFile(t *testing.T) {
	path, _ := recorded(t, twoRanks(), 0, func(s *Section) { s.Own(Done, 0, 0, ms, ms) })
	first, err := Open(path, time.Now(), 0, twoRanks())
	require.NoError(t, err)
	second, err := Open(path, time.Now(), 0, Head{Kind: "split", Ranks: []Rank{{"n", 1}}})
	require.NoError(t, err)
	second.Own(Done, 0, 7, ms, ms)
	first.Own(Done, 0, 3, ms, ms)
	require.NoError(t, second.Close())
	require.NoError(t, first.Close())
	file := read(t, path)
	require.Len(t, file.Loops, 3)
	for i, index := range []int{0, 3, 7} {
		require.Len(t, file.Loops[i].Records, 1)
		assert.Equal(t, index, file.Loops[i].Records[0].Index)
	}
	assert.Equal(t, "split", file.Loops[2].Kind)
}

// Wherever it is torn, what is before the tear is read, and what another job has
// appended behind it.
func TestTorn(t *testing.T) {
	path, _ := recorded(t, twoRanks(), 0, func(s *Section) {
		for i := range 5 {
			s.Own(Done, 0, i, time.Duration(i)*ms, ms)
			require.NoError(t, s.Flush())
		}
	})
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	most := 0
	for n := len(magic); n <= len(whole); n++ {
		file, err := Read(whole[:n])
		require.NoError(t, err)
		items := 0
		for _, l := range file.Loops {
			items += len(l.Records)
		}
		assert.GreaterOrEqual(t, items, most)
		most = items

		file, err = Read(append(whole[:n:n], whole[len(magic):]...))
		require.NoError(t, err)
		require.NotEmpty(t, file.Loops)
		assert.Len(t, file.Loops[len(file.Loops)-1].Records, 5, n)
	}
	assert.Equal(t, 5, most)
}

func TestOpenRefuses(t *testing.T) {
	other := filepath.Join(t.TempDir(), "other")
	require.NoError(t, os.WriteFile(other, []byte("something else"), 0o600))
	_, err := Open(other, time.Now(), 0, twoRanks())
	assert.ErrorContains(t, err, "is no timeline: use another name")
	_, err = Open(t.TempDir(), time.Now(), 0, twoRanks())
	assert.Error(t, err)
	_, err = Open(os.DevNull, time.Now(), 0, twoRanks())
	assert.ErrorContains(t, err, "no regular file")
	_, err = Open(filepath.Join(t.TempDir(), "absent", "file"), time.Now(), 0, twoRanks())
	assert.ErrorIs(t, err, os.ErrNotExist)
	_, err = Read([]byte("something else"))
	assert.ErrorIs(t, err, ErrNone)
	_, err = Read(nil)
	assert.ErrorIs(t, err, ErrNone)
	assert.False(t, Is([]byte("dlpjrnl\x01")))
}

// A nil Section records nothing.
func TestNoSection(t *testing.T) {
	var s *Section
	s.Chunk(0, Stamps{}, []byte("x"))
	s.Own(Done, 0, 0, 0, 0)
	s.Lost(0, nil, "")
	s.End(nil)
	assert.NoError(t, s.Flush())
	assert.NoError(t, s.Close())
	assert.Zero(t, s.Now())
}

// What the disk does not take is counted.
func TestSlowDisk(t *testing.T) {
	_, file := recorded(t, twoRanks(), 0, func(s *Section) {
		s.fileMu.Lock()
		var l Log
		l.Add(Done, 0, 1, 1, 1)
		taken := append(l.Take(1), bytes.Repeat([]byte{0xff}, 1<<20)...) // no records
		for range 100 {
			s.Chunk(1, Stamps{}, taken)
		}
		assert.Less(t, len(s.waiting), waitingMost+2<<20)
		s.End(nil)
		s.fileMu.Unlock()
	})
	assert.Greater(t, file.Loops[0].Dropped, 30<<20)
}

func TestFullDisk(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "f"), time.Now(), 0, twoRanks())
	require.NoError(t, err)
	require.NoError(t, s.file.Close()) // as good as full
	s.Own(Done, 0, 0, 1, 1)
	assert.ErrorContains(t, s.Flush(), "timeline ")
	assert.Error(t, s.Close())
}
