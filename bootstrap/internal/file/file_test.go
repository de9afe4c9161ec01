package file

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/dlp-mpi/dlp-go/test/deadline"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dlp-mpi/dlp-go/test/need"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(deadline.Each(m)) }

// deaf is a directory that sends no events, as one on a network file system
// sends none for what other nodes do.
func deaf(string) (<-chan struct{}, func()) { return nil, func() {} }

// eventsOnly waits as await does, but looks only after events.
func eventsOnly(ctx context.Context, f File) (string, error) {
	changed, stop := watchDirectory(f.Dir)
	defer stop()
	for {
		if text, err := f.read(); err == nil {
			return text, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

func TestFile(t *testing.T) {
	f := File{Dir: t.TempDir(), Name: ".dlp-go-x"}
	_, err := f.read()
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, f.Publish("first"))
	text, err := f.read()
	require.NoError(t, err)
	assert.Equal(t, "first", text)
	info, err := os.Lstat(f.Path())
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())

	require.NoError(t, f.Publish("second"))
	text, err = f.Await(t.Context(), "first")
	require.NoError(t, err)
	assert.Equal(t, "second", text)
	require.NoError(t, f.Remove("first"))
	require.FileExists(t, f.Path(), "of somebody else by now")
	require.NoError(t, f.Remove("second"))
	require.NoError(t, f.Remove("second"), "a second time")
	entries, err := os.ReadDir(f.Dir)
	require.NoError(t, err)
	assert.Empty(t, entries, "nothing is left")
}

func TestFileAppears(t *testing.T) {
	wait := map[string]func(context.Context, File) (string, error){
		"by event": eventsOnly,
		"by looking": func(ctx context.Context, f File) (string, error) {
			f.watch = deaf
			return f.Await(ctx, "")
		},
		"by either": func(ctx context.Context, f File) (string, error) { return f.Await(ctx, "") },
	}
	for name, wait := range wait {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			f := File{Dir: t.TempDir(), Name: "f"}
			got := make(chan string)
			go func() {
				text, err := wait(ctx, f)
				assert.NoError(t, err)
				got <- text
			}()
			require.NoError(t, f.Publish("here"))
			assert.Equal(t, "here", <-got)
		})
	}
}

func TestFileRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(t *testing.T, f *File)
		says  string
	}{
		"readable by the group": {func(t *testing.T, f *File) { require.NoError(t, os.Chmod(f.Path(), 0o640)) }, "-rw-r----- lets others in"},
		"writable by all":       {func(t *testing.T, f *File) { require.NoError(t, os.Chmod(f.Path(), 0o602)) }, "lets others in"},
		"another owner": {func(t *testing.T, f *File) {
			if os.Geteuid() != 0 {
				need.Unable(t, "only root can give files away")
			}
			require.NoError(t, os.Chown(f.Path(), 12345, 12345))
		}, "belongs to user 12345"},
		"symbolic link": {func(t *testing.T, f *File) {
			require.NoError(t, os.Rename(f.Path(), f.Path()+"2"))
			require.NoError(t, os.Symlink(f.Path()+"2", f.Path()))
		}, "too many levels of symbolic links"},
		"pipe": {func(t *testing.T, f *File) {
			require.NoError(t, os.Remove(f.Path()))
			require.NoError(t, syscall.Mkfifo(f.Path(), 0o600))
		}, "no regular file"},
		"directory": {func(t *testing.T, f *File) {
			require.NoError(t, os.Remove(f.Path()))
			require.NoError(t, os.Mkdir(f.Path(), 0o700))
		}, "no regular file"},
		"older than the job": {func(t *testing.T, f *File) { f.Oldest = time.Now().Add(time.Hour) }, "before this job"},
	} {
		t.Run(name, func(t *testing.T) {
			f := File{Dir: t.TempDir(), Name: "f"}
			require.NoError(t, f.Publish("text"))
			test.spoil(t, &f)
			_, err := f.read()
			require.ErrorContains(t, err, test.says)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
			defer cancel()
			_, err = f.Await(ctx, "")
			assert.ErrorContains(t, err, test.says, "the reason is kept until the deadline")
		})
	}
}

func TestFileDirectoryBroken(t *testing.T) {
	for name, test := range map[string]struct {
		dir  func(t *testing.T) string
		want error
	}{
		"full": {func(t *testing.T) string {
			dir := need.Tmpfs(t, "size=16k")
			err := os.WriteFile(filepath.Join(dir, "ballast"), make([]byte, 64<<10), 0o600)
			require.ErrorIs(t, err, syscall.ENOSPC)
			return dir
		}, syscall.ENOSPC},
		"no inodes": {func(t *testing.T) string { return need.Tmpfs(t, "nr_inodes=1") }, syscall.ENOSPC},
		"read-only": {func(t *testing.T) string { return need.Tmpfs(t, "ro") }, syscall.EROFS},
		"missing":   {func(t *testing.T) string { return filepath.Join(t.TempDir(), "none") }, fs.ErrNotExist},
	} {
		t.Run(name, func(t *testing.T) {
			f := File{Dir: test.dir(t), Name: "f"}
			before, _ := os.ReadDir(f.Dir)
			err := f.Publish("text")
			require.ErrorIs(t, err, test.want)
			after, _ := os.ReadDir(f.Dir)
			assert.Equal(t, len(before), len(after), "no half a file is left")
			_, err = f.read()
			assert.True(t, errors.Is(err, fs.ErrNotExist), "%v", err)
		})
	}
}
