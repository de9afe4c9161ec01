package file

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// OpenPrivate opens a regular file that belongs to this user and that nobody
// else can read or write. flags may add to O_RDONLY.
func OpenPrivate(path string, flags int) (*os.File, error) {
	// O_NONBLOCK: opening a FIFO of that name must not wait for its writer.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|flags, 0)
	if err != nil {
		return nil, err
	}
	if err := checkPrivate(file); err != nil {
		file.Close()
		return nil, fmt.Errorf("%s is not used: %w", path, err)
	}
	return file, nil
}

// checkPrivate looks at what was opened, not at what has the name by now.
func checkPrivate(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("it is no regular file (%v)", info.Mode())
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("it belongs to user %d, this process to %d", stat.Uid, os.Geteuid())
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("its mode %v lets others in: chmod 600", info.Mode())
	}
	return nil
}

// WritePrivate writes text to a new file in dir, which only this user can
// read, and returns its path. pattern is as for os.CreateTemp. After an error
// no file is left.
func WritePrivate(dir, pattern, text string) (path string, err error) {
	file, err := os.CreateTemp(dir, pattern) // mode 0600
	if err != nil {
		return "", err
	}
	_, err = file.WriteString(text)
	if err == nil {
		err = file.Sync() // tells of a full disk, and of a quota that is checked late
	}
	if err = errors.Join(err, file.Close()); err != nil {
		os.Remove(file.Name())
		return "", err
	}
	return file.Name(), nil
}
