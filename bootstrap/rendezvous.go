package bootstrap

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dlp-mpi/dlp-go/bootstrap/internal/file"
	"github.com/dlp-mpi/dlp-go/internal/environ"
)

// rendezvousDirectory returns the directory in which the ranks of a job meet.
func rendezvousDirectory(env Env, oneNode bool) (string, error) {
	if dir, ok := environ.Lookup(env, "AME_RENDEZVOUS_DIR"); ok {
		if info, err := os.Stat(dir); err != nil {
			return "", fmt.Errorf("AME_RENDEZVOUS_DIR: %w", err)
		} else if !info.IsDir() {
			return "", fmt.Errorf("AME_RENDEZVOUS_DIR=%s is not a directory", dir)
		}
		return filepath.Abs(dir)
	}
	if dir, ok := environ.Lookup(env, "PMIX_SERVER_TMPDIR"); ok && oneNode {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			return dir, nil
		} // it is outside of our container
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("working directory: %w: set AME_RENDEZVOUS_DIR to a directory that all ranks see", err)
	}
	if oneNode || file.Shared(dir) != "" {
		return dir, nil
	}
	return "", fmt.Errorf("the ranks are on several nodes and %s is on no network file system that we know: "+
		"set AME_RENDEZVOUS_DIR to a directory that all ranks see, or, in a Slurm step, AME_BOOTSTRAP=slurm", dir)
}

// clockSkew is how far the clocks of nodes and file servers may be apart.
const clockSkew = 2 * time.Minute

// rendezvousFile names the file of a job in dir. The name and the secret
// must be the same on all ranks.
//
// No rank waits longer than AME_TIMEOUT, rank 0 included, so a file that is
// older by that than this rank is of another job.
func rendezvousFile(env Env, dir, name, secret string) (file.File, error) {
	timeout, err := Timeout(env)
	if err != nil {
		return file.File{}, err
	}
	hash := sha256.Sum256([]byte(name + "\x00" + secret))
	return file.File{
		Dir:    dir,
		Name:   fmt.Sprintf(".dlp-go-%s-%s", fileSafe(name), hex.EncodeToString(hash[:8])),
		Oldest: time.Now().Add(-timeout - clockSkew),
	}, nil
}

// maxNameInFile keeps file names short enough for every file system, in bytes.
const maxNameInFile = 80

// fileSafe is name without what a file name cannot hold; it is for people,
// the hash beside it tells names apart.
func fileSafe(name string) string {
	safe := strings.Map(func(r rune) rune {
		if r < 0x80 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r)) {
			return r
		}
		return '_'
	}, name)
	return safe[:min(len(safe), maxNameInFile)]
}
