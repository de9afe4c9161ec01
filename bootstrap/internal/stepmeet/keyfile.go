package stepmeet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/dlp-mpi/dlp-go/bootstrap/internal/file"
	"github.com/dlp-mpi/dlp-go/internal/secret"
)

// A key file holds a user's secret, as secret.Key writes it. It lies in the
// home directory, which the nodes of most clusters share, and many ranks may
// want to make it at the same time.

const (
	maxKeyFile   = 4 << 10
	keyFileWait  = 3 * time.Second       // for a file that another node is making to show up
	keyFilePause = 50 * time.Millisecond // between two looks
)

// readKeyFile returns the secret in the file. An error wraps fs.ErrNotExist if
// there is none. The path may be a link: it was named by the user.
func readKeyFile(path string) ([]byte, error) {
	opened, err := file.OpenPrivate(path, 0)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	text, err := io.ReadAll(io.LimitReader(opened, maxKeyFile))
	if err != nil {
		return nil, err
	}
	key, err := secret.Parse(string(text))
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
	if err := publishKey(path, secret.New()); err != nil {
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
		if !sleep(ctx, keyFilePause) {
			return nil, fmt.Errorf("%w; if %s.lock is left over, remove it", err, path)
		}
	}
}

// publishKey puts a whole file at the path, unless there is one. A link is the
// only step that both makes a complete file appear and fails if there is one
// already; a rename would replace the key that others are using.
func publishKey(path string, key secret.Key) error {
	temporary, err := file.WritePrivate(filepath.Dir(path), filepath.Base(path)+".new-*", key.Encode()+"\n")
	if err != nil {
		return err
	}
	defer os.Remove(temporary)
	err = os.Link(temporary, path)
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

// syncDirectory makes a new name last where the file system can do that; the
// name is there all the same.
func syncDirectory(path string) {
	if dir, err := os.Open(path); err == nil {
		dir.Sync()
		dir.Close()
	}
}
