package launch

import (
	"errors"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"
)

// SelfPath starts this very program again, also if its file was replaced.
func SelfPath() (string, error) {
	const path = "/proc/self/exe"
	if _, err := os.Lstat(path); err != nil {
		return "", errors.New("/proc is not mounted here, and the processes of a job are found by it")
	}
	return path, nil
}

// noexecMount returns where the file system of path is mounted, if nothing may
// be executed there.
func noexecMount(path string) string {
	var info unix.Statfs_t
	if unix.Statfs(path, &info) != nil || info.Flags&unix.ST_NOEXEC == 0 {
		return ""
	}
	path, err := filepath.Abs(path)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	var here, above unix.Stat_t
	for err == nil && unix.Stat(path, &here) == nil && unix.Stat(filepath.Dir(path), &above) == nil {
		if here.Dev != above.Dev || path == "/" {
			break
		}
		path = filepath.Dir(path)
	}
	return path
}

// Rename sets the name that killall(1) and pkill(1) go by.
func Rename(name string) {
	text, err := unix.BytePtrFromString(name)
	if err == nil {
		unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(text)), 0, 0, 0)
	}
}
