package journal

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// FuzzReader reads anything. What it takes for records makes sense when it is
// written again.
func FuzzReader(f *testing.F) {
	path := filepath.Join(f.TempDir(), "run.journal")
	write(f, path, 0, 3)
	whole, err := os.ReadFile(path)
	require.NoError(f, err)
	f.Add(whole)
	f.Add(whole[:len(whole)-1])
	f.Add(append(whole[:len(whole)-40:len(whole)-40], whole[len(whole)-20:]...))
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		last := int64(0)
		for {
			e, err := r.Next()
			if err != nil {
				var torn *TornError
				var damage *DamageError
				if err != io.EOF && err != errBody && !errors.As(err, &torn) && !errors.As(err, &damage) {
					t.Fatal(err)
				}
				return
			}
			if e.Offset <= last || e.Offset >= int64(len(b)) {
				t.Fatalf("a record at %d behind one at %d of %d bytes", e.Offset, last, len(b))
			}
			if last = e.Offset; e.Record != nil {
				var again Record
				if err := parseRecord(e.Record.append(nil)[1:], &again); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// BenchmarkOpen takes in a million finished items of 100 bytes.
func BenchmarkOpen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "run.journal")
	j, err := Open(path, description(), start(), false)
	require.NoError(b, err)
	const total, batch = 1_000_000, 1000
	records := make([]Record, batch)
	for first := 0; first < total; first += batch {
		for i := range records {
			records[i] = recordOf(first + i)
			records[i].Body = make([]byte, 100)
		}
		require.NoError(b, appendTo(j, records...))
	}
	require.NoError(b, j.Close())
	for b.Loop() {
		j, err := Open(path, description(), start(), false)
		require.NoError(b, err)
		require.Len(b, j.finished, total)
		require.NoError(b, j.Close())
	}
}

// BenchmarkCommit writes results of 100 bytes, a hundred at a time.
func BenchmarkCommit(b *testing.B) {
	j, err := Open(filepath.Join(b.TempDir(), "run.journal"), description(), start(), false)
	require.NoError(b, err)
	records := make([]Record, 100)
	for i := range records {
		records[i] = recordOf(i)
		records[i].Ended = time.Now()
		records[i].Body = make([]byte, 100)
	}
	for b.Loop() {
		require.NoError(b, appendTo(j, records...))
	}
	require.NoError(b, j.Close())
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(records)), "ns/record")
}
