package bootstrap

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// A key file holds a user's secret, as Key.Encode writes it. It lies in the
// home directory, which the nodes of most clusters share, and many ranks may
// want to make it at the same time.

const (
	maxKeyFile  = 4 << 10
	keyFileWait = 3 * time.Second // for a file that another node is making to show up
)

// errKeyFile tells the user what a key file must be.
var errKeyFile = errors.New("it must be a file of yours that nobody else can read (chmod 600)")

// readKeyFile returns the secret in the file. An error wraps fs.ErrNotExist if
// there is none.
func readKeyFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat() // of what was opened, not of what is at the path by now
	if err != nil {
		return nil, err
	}
	owner, known := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is %v: %w", path, info.Mode(), errKeyFile)
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("%s has mode %04o: %w", path, info.Mode().Perm(), errKeyFile)
	case known && int(owner.Uid) != os.Geteuid():
		return nil, fmt.Errorf("%s belongs to uid %d, this process is uid %d: %w", path, owner.Uid, os.Geteuid(), errKeyFile)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxKeyFile))
	if err != nil {
		return nil, err
	}
	key, err := ParseKey(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s (%d bytes, not shown): %w: remove it, and a new one is made", path, len(text), err)
	}
	return key.Bytes(), nil
}

// makeKeyFile returns the secret in the file, and makes the file if there is
// none. All that call it at the same time, on any node that sees the
// directory, get the same secret.
func makeKeyFile(ctx context.Context, path string) ([]byte, error) {
	key, err := readKeyFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if err := publishKey(path, NewKey()); err != nil {
		return nil, err
	}
	// Ours, or that of the rank that was first. A network file system may
	// still remember for a moment that there is no such file.
	ctx, cancel := context.WithTimeout(ctx, keyFileWait)
	defer cancel()
	for {
		key, err := readKeyFile(path)
		if !errors.Is(err, fs.ErrNotExist) {
			return key, err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return nil, fmt.Errorf("%w; if %s.lock is left over, remove it", err, path)
		}
	}
}

// publishKey puts a whole file at the path, unless there is one. A link is the
// only step that both makes a complete file appear and fails if there is one
// already; a rename would replace the key that others are using.
func publishKey(path string, key Key) error {
	var random [6]byte
	rand.Read(random[:])
	temporary := path + ".new-" + hex.EncodeToString(random[:])
	defer os.Remove(temporary)
	if err := writeKey(temporary, key); err != nil {
		return err
	}
	err := os.Link(temporary, path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		syncDirectory(filepath.Dir(path))
		return nil
	}
	// A file system without links: take turns by a directory.
	lock := path + ".lock"
	if err := os.Mkdir(lock, 0o700); errors.Is(err, fs.ErrExist) {
		return nil // another rank is at it
	} else if err != nil {
		return err
	}
	defer os.Remove(lock)
	if _, err := os.Lstat(path); err == nil {
		return nil
	}
	if err := os.Rename(temporary, path); err != nil {
		return err
	}
	syncDirectory(filepath.Dir(path))
	return nil
}

func writeKey(path string, key Key) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.WriteString(key.Encode() + "\n"); err != nil {
		return err
	}
	return file.Sync()
}

// syncDirectory makes a new name last where the file system can do that; the
// name is there all the same.
func syncDirectory(path string) {
	if dir, err := os.Open(path); err == nil {
		dir.Sync()
		dir.Close()
	}
}
