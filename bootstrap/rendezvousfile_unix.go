//go:build unix

package bootstrap

import (
	"fmt"
	"os"
	"syscall"
)

// openPrivate opens a regular file that belongs to this user and that nobody
// else can read or write.
func openPrivate(path string) (*os.File, error) {
	// O_NONBLOCK: opening a FIFO of that name must not wait for its writer.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if err := checkPrivate(file); err != nil {
		file.Close()
		return nil, fmt.Errorf("%s is not used: %w", path, err)
	}
	return file, nil
}

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
		return fmt.Errorf("its mode %v lets others in", info.Mode())
	}
	return nil
}
