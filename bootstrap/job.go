package bootstrap

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"strings"

	"github.com/dlp-mpi/dlp-go/internal/environ"
)

// NewJob makes up the id of a job that launcher starts from this process:
// readable, and on no other job.
func NewJob(launcher string) string {
	var random [6]byte
	rand.Read(random[:])
	return fmt.Sprintf("%s-%s-%d-%s", launcher, environ.Hostname(), os.Getpid(), hex.EncodeToString(random[:]))
}

// maxJob is the longest AME_JOB, in bytes.
const maxJob = 128

// UserJob returns the job id that AME_JOB gives, or "" if it is not set. Job
// ids go into messages, file names and wire formats, so not everything goes.
func UserJob(env Env) (string, error) {
	job, ok := environ.Lookup(env, "AME_JOB")
	odd := strings.ContainsFunc(job, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && !strings.ContainsRune("._:@+-", r)
	})
	if ok && (odd || len(job) > maxJob) {
		return "", fmt.Errorf("AME_JOB=%q: use 1 to %d of the characters A-Z a-z 0-9 . _ : @ + -", job, maxJob)
	}
	return job, nil
}

// jobName is the id of a job that this process makes up: what AME_JOB says, or
// one after launcher.
func jobName(env Env, launcher string) (string, error) {
	job, err := UserJob(env)
	if job == "" {
		job = NewJob(launcher)
	}
	return job, err
}
