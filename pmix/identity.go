package pmix

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// process is who the kernel says we are. The server compares the effective
// ids with those that the launcher has registered, and hangs if they differ.
type process struct {
	uid, euid, gid, egid int

	// read returns /proc/self/uid_map and gid_map.
	read func(name string) ([]byte, error)
}

func thisProcess() process {
	return process{
		uid: os.Getuid(), euid: os.Geteuid(),
		gid: os.Getgid(), egid: os.Getegid(),
		read: os.ReadFile,
	}
}

// checkIdentity returns why the server would not recognize the process.
func checkIdentity(p process, env func(string) (string, bool)) error {
	if p.uid != p.euid || p.gid != p.egid {
		return notAvailable("the program runs with other ids than its user's (set-user-ID or set-group-ID)")
	}
	if err := checkMapping(p.read, "/proc/self/uid_map", "user", p.euid); err != nil {
		return err
	}
	if err := checkMapping(p.read, "/proc/self/gid_map", "group", p.egid); err != nil {
		return err
	}
	// slurmstepd registers the job's ids; after newgrp or in sg they are not ours.
	if namespace, _ := env("PMIX_NAMESPACE"); strings.HasPrefix(namespace, "slurm.pmix.") {
		for _, own := range []struct {
			variable string
			id       int
		}{{"SLURM_JOB_UID", p.euid}, {"SLURM_JOB_GID", p.egid}} {
			if v, ok := env(own.variable); ok && v != strconv.Itoa(own.id) {
				return notAvailable("the job runs with %s=%s and this process with %d", own.variable, v, own.id)
			}
		}
	}
	return nil
}

// checkMapping returns an error unless id is the same number outside of our
// user namespace, user_namespaces(7). It sees one level of namespaces; a
// mapping undone by a second one inside it looks like none.
func checkMapping(read func(string) ([]byte, error), file, what string, id int) error {
	text, err := read(file)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := read("/proc/self/stat"); err == nil || runtime.GOOS != "linux" {
			return nil // no user namespaces in this kernel
		}
	}
	if err != nil {
		return notAvailable("whether the %s id is mapped is not known: %w", what, err)
	}
	for line := range strings.Lines(string(text)) {
		var inside, outside, count int
		if _, err := fmt.Sscan(line, &inside, &outside, &count); err != nil {
			return notAvailable("whether the %s id is mapped is not known: %s: %w", what, file, err)
		}
		if id-inside >= 0 && id-inside < count {
			if inside == outside {
				return nil
			}
			return notAvailable("%s id %d is %d outside of this user namespace (container), where the server is",
				what, id, outside+id-inside)
		}
	}
	return notAvailable("%s id %d does not exist outside of this user namespace (container), where the server is", what, id)
}
