package dlp

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// squeueWait is how long squeue may take. Slurm's controller can be busy.
const squeueWait = 10 * time.Second

// jobEnd returns when the job ends, and zero where that is not known. It asks
// once, and then warns.
func (l *loops) jobEnd() time.Time {
	l.askEnd.Do(func() {
		var err error
		if l.end, err = findJobEnd(os.LookupEnv, askSqueue); err != nil {
			fmt.Fprintln(os.Stderr, "dlp: warning: StopBefore has no effect:", err)
		}
	})
	return l.end
}

// findJobEnd finds out when the job ends. squeue returns what it prints about a
// job.
func findJobEnd(lookup func(string) (string, bool), squeue func(job string) (string, error)) (time.Time, error) {
	if text, ok := lookup("SLURM_JOB_END_TIME"); ok {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil || seconds <= 0 {
			return time.Time{}, fmt.Errorf("SLURM_JOB_END_TIME is %q, not a number of seconds since 1970", text)
		}
		return time.Unix(seconds, 0), nil
	}
	job, ok := lookup("SLURM_JOB_ID")
	if !ok {
		return time.Time{}, fmt.Errorf("the end of the job is not known: neither SLURM_JOB_END_TIME nor SLURM_JOB_ID is set")
	}
	text, err := squeue(job)
	if err != nil {
		return time.Time{}, fmt.Errorf("the end of the job is not known: SLURM_JOB_END_TIME is not set, and squeue does not tell: %w", err)
	}
	// squeue(1), %e; in the zone of where it runs.
	end, err := time.ParseInLocation("2006-01-02T15:04:05", strings.TrimSpace(text), time.Local)
	if err != nil {
		return time.Time{}, fmt.Errorf("the end of the job is not known: squeue says that it is %q", strings.TrimSpace(text))
	}
	return end, nil
}

// askSqueue asks Slurm when a job ends.
func askSqueue(job string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), squeueWait)
	defer cancel()
	cmd := exec.CommandContext(ctx, "squeue", "-h", "-j", job, "-o", "%e")
	cmd.Env = append(os.Environ(), "SLURM_TIME_FORMAT=standard") // or a user's own would be used
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil && stderr.Len() > 0 {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return string(out), err
}
