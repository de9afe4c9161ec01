package launch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// FindProgram returns the absolute path of a program, found as a shell finds
// it: along path if its name has no slash. A relative name with a slash is
// looked up here first, then in dir, where the processes start. The error is a
// *StatusError.
func FindProgram(name, dir, path string) (string, error) {
	var candidates []string
	switch {
	case name == "":
		return "", withStatus(StatusUsage, "the name of the program is empty")
	case filepath.IsAbs(name):
		candidates = []string{name}
	case strings.Contains(name, "/"):
		candidates = []string{name, filepath.Join(dir, name)}
	default:
		for _, folder := range filepath.SplitList(path) {
			candidates = append(candidates, filepath.Join(folder, name)) // "" is here, sh(1)
		}
	}
	var denied error
	for _, candidate := range candidates {
		err := executable(candidate)
		if err == nil {
			return filepath.Abs(candidate)
		}
		if denied == nil && !errors.Is(err, fs.ErrNotExist) {
			denied = err
		}
	}
	switch {
	case denied != nil:
		return "", withStatus(StatusNotRunnable, "%s: %w", name, denied)
	case strings.Contains(name, "/"):
		return "", withStatus(StatusNotFound, "%s: no such file", name)
	default:
		switch err := executable(name); {
		case err == nil:
			return "", withStatus(StatusNotFound, "%s: not found in PATH; for the file in this directory write ./%s", name, name)
		case errors.Is(err, fs.ErrNotExist):
			return "", withStatus(StatusNotFound, "%s: not found in PATH", name)
		default:
			return "", withStatus(StatusNotFound, "%s: not found in PATH; ./%s in this directory: %w", name, name, err)
		}
	}
}

// executable says why a file cannot be executed, as far as can be told without
// doing so.
func executable(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
		return fs.ErrNotExist
	case err != nil:
		return err
	case info.IsDir():
		return errors.New("is a directory")
	case info.Mode()&0o111 == 0:
		return errors.New("not executable; chmod +x makes it so")
	case unix.Access(path, unix.X_OK) == nil:
		return nil
	}
	if place := noexecMount(path); place != "" {
		return fmt.Errorf("the file system at %s is mounted noexec: copy the program to another one", place)
	}
	return fmt.Errorf("its mode %v does not let this user execute it", info.Mode())
}
