// Package file is how a text gets from one process of a user to the others
// where no launcher carries it: a file in a directory that all of them see,
// usually on a network file system. It also holds what such files need: files
// that nobody else can read, and which file systems are shared.
package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// File is the place of one text in a directory.
type File struct {
	Dir, Name string

	// Oldest is the last modification before which a file is of another job.
	Oldest time.Time

	// watch returns a channel that hears when something changes in a
	// directory, and a function that ends it. Tests replace it.
	watch func(dir string) (changed <-chan struct{}, stop func())
}

// MaxText bounds a text, in bytes.
const MaxText = 64 << 10

// Path is where the file is.
func (f File) Path() string { return filepath.Join(f.Dir, f.Name) }

// Publish puts text under the file's name, in one step: readers see all of
// it or the file of before. Only the user can read it.
func (f File) Publish(text string) error {
	temporary, err := WritePrivate(f.Dir, f.Name+".tmp-*", text)
	if err != nil {
		return err
	}
	if err := os.Rename(temporary, f.Path()); err != nil {
		os.Remove(temporary)
		return err
	}
	return nil
}

// Remove takes the file away if it holds text; that it is gone already, or is
// somebody else's by now, is no error.
func (f File) Remove(text string) error {
	if now, err := f.read(); err == nil && now != text {
		return nil
	}
	err := os.Remove(f.Path())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// read returns the text of the file as it is now. It refuses a file that
// another user has written or can read, a symbolic link, and one that is too
// old to be of this job.
func (f File) read() (string, error) {
	// Opening the directory makes an NFS client ask its server whether names
	// in it have changed; it may remember for a minute that ours is not there.
	if dir, err := os.Open(f.Dir); err == nil {
		dir.Close()
	}
	file, err := OpenPrivate(f.Path(), syscall.O_NOFOLLOW)
	if err != nil {
		return "", err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	if info.ModTime().Before(f.Oldest) {
		return "", fmt.Errorf("%s is from %s, before this job", f.Path(), info.ModTime().Format(time.DateTime))
	}
	text, err := io.ReadAll(io.LimitReader(file, MaxText+1))
	return string(text), err
}

// Times between two looks at the directory. Events make most of them
// unnecessary; network file systems send none for what other nodes do.
const (
	firstLook = 10 * time.Millisecond
	lastLook  = 2 * time.Second
)

// Await returns the text of the file as soon as there is one that differs
// from old. If ctx ends it returns why the last look was no success: the
// error wraps fs.ErrNotExist if there was no file, and is nil if there was
// old itself.
func (f File) Await(ctx context.Context, old string) (string, error) {
	watch := f.watch
	if watch == nil {
		watch = watchDirectory
	}
	changed, stop := watch(f.Dir)
	defer stop()
	for look := firstLook; ; look = min(look*3/2, lastLook) {
		text, err := f.read()
		if err == nil && text != old {
			return text, nil
		}
		timer := time.NewTimer(look)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return old, err
		}
		timer.Stop()
	}
}
