package bootstrap

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

	"github.com/fsnotify/fsnotify"
)

// rendezvousFile is how a text gets from rank 0 to the other ranks where the
// launcher carries nothing: a file of the user's in a directory that all
// ranks see, usually on a network file system.
type rendezvousFile struct {
	dir, name string

	// oldest is the last modification before which a file is of another job.
	oldest time.Time

	// watch returns a channel that hears when something changes in a
	// directory, and a function that ends it. Tests replace it.
	watch func(dir string) (changed <-chan struct{}, stop func())
}

func (f rendezvousFile) path() string { return filepath.Join(f.dir, f.name) }

// publish puts text under the file's name, in one step: readers see all of
// it or the file of before. Only the user can read it.
func (f rendezvousFile) publish(text string) error {
	temporary, err := writePrivate(f.dir, f.name+".tmp-*", text)
	if err != nil {
		return err
	}
	if err := os.Rename(temporary, f.path()); err != nil {
		os.Remove(temporary)
		return err
	}
	return nil
}

// remove takes the file away; that it is gone already is no error.
func (f rendezvousFile) remove() error {
	err := os.Remove(f.path())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// read returns the text of the file as it is now. It refuses a file that
// another user has written or can read, a symbolic link, and one that is too
// old to be of this job.
func (f rendezvousFile) read() (string, error) {
	// Opening the directory makes an NFS client ask its server whether names
	// in it have changed; it may remember for a minute that ours is not there.
	if dir, err := os.Open(f.dir); err == nil {
		dir.Close()
	}
	file, err := openPrivate(f.path(), syscall.O_NOFOLLOW)
	if err != nil {
		return "", err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	if info.ModTime().Before(f.oldest) {
		return "", fmt.Errorf("%s is from %s, before this job", f.path(), info.ModTime().Format(time.DateTime))
	}
	text, err := io.ReadAll(io.LimitReader(file, maxInvitation+1))
	return string(text), err
}

// Times between two looks at the directory. Events make most of them
// unnecessary; network file systems send none for what other nodes do.
const (
	firstLook = 10 * time.Millisecond
	lastLook  = 2 * time.Second
)

// await returns the text of the file as soon as there is one that differs
// from old. If ctx ends it returns why the last look was no success: the
// error wraps fs.ErrNotExist if there was no file, and is nil if there was
// old itself.
func (f rendezvousFile) await(ctx context.Context, old string) (string, error) {
	watch := f.watch
	if watch == nil {
		watch = watchDirectory
	}
	changed, stop := watch(f.dir)
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

// watchDirectory hears of changes from the kernel. Where it cannot, as
// when the user's inotify instances are used up, there are only the looks.
func watchDirectory(dir string) (<-chan struct{}, func()) {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, func() {}
	}
	if err := watcher.Add(dir); err != nil {
		watcher.Close()
		return nil, func() {}
	}
	changed := make(chan struct{}, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case _, ok := <-watcher.Events:
				if !ok {
					return
				}
				select {
				case changed <- struct{}{}:
				default:
				}
			case _, ok := <-watcher.Errors: // queue overflow and the like: the looks go on
				if !ok {
					return
				}
			}
		}
	}()
	return changed, func() {
		watcher.Close()
		<-done
	}
}
