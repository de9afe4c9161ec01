package main

import (
	"encoding/gob"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/dlp-mpi/dlp-go/internal/launch"
)

// forwarded are the signals that the front passes on.
var forwarded = []os.Signal{
	syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2,
	syscall.SIGWINCH, syscall.SIGTSTP, syscall.SIGCONT,
}

// impatience is how long the launcher may take to end after a third SIGINT
// before the front kills it together with everything else.
const impatience = 3 * time.Second

// sweepPause is the time between two looks for processes that are left.
const sweepPause = 5 * time.Millisecond

// sweepLimit is how long processes may take to die of SIGKILL; those in an
// uninterruptible sleep on a dead file server never do.
const sweepLimit = 10 * time.Second

// frontMain is the process that the user started.
func frontMain(args []string) int {
	p, err := parse(args, os.Stdout)
	if err != nil {
		fmt.Fprintf(os.Stderr, "ameexec: %v\n", err)
		return statusOf(err)
	}
	if p == nil {
		return 0 // --help, --version
	}
	for _, notice := range p.notices() {
		fmt.Fprintf(os.Stderr, "ameexec: %s\n", notice)
	}
	status, err := front(p)
	if err != nil {
		fmt.Fprintf(os.Stderr, "ameexec: %v\n", err)
	}
	return status
}

func front(p *plan) (int, error) {
	signals := make(chan os.Signal, 64)
	notify(signals, forwarded...)
	if err := adopt(); err != nil {
		return statusError, fmt.Errorf("subreaper: %w", err)
	}
	// A shell may have started others before it became ameexec by exec.
	strangers := make(map[int]bool)
	for _, pid := range launch.Descendants(nil) {
		strangers[pid] = true
	}
	pid, socket, err := startLauncher()
	if err != nil {
		return statusError, err
	}
	defer socket.Close()
	os.Stdin.Close() // the rank that has it must be the only one, for its writer's sake

	ended := make(chan syscall.WaitStatus, 1)
	go func() { ended <- wait(pid) }()
	orders := gob.NewEncoder(socket)
	if err := orders.Encode(p); err != nil {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	if status := forward(signals, orders, pid, ended); !status.Signaled() {
		return status.ExitStatus(), nil
	} else {
		left := sweepAll(strangers)
		err := fmt.Errorf("%s (pid %d) was %s: killed %d processes of the job", launcherName, pid, launch.Describe(status), left)
		return launch.ExitStatus(status), err
	}
}

// notify has signals delivered, but for those that whoever started this process
// has it ignore, as nohup(1) does and sh(1) for its background jobs. The ranks
// then ignore them too.
func notify(c chan<- os.Signal, signals ...os.Signal) {
	for _, s := range signals {
		if !signal.Ignored(s) {
			signal.Notify(c, s)
		}
	}
}

// startLauncher starts the second process and returns the socket to it.
func startLauncher() (int, *os.File, error) {
	path, err := launch.SelfPath()
	if err != nil {
		return 0, nil, err
	}
	ours, theirs, err := watchPair()
	if err != nil {
		return 0, nil, err
	}
	defer theirs.Close()
	pid, err := syscall.ForkExec(path, []string{launcherName}, &syscall.ProcAttr{
		Env:   os.Environ(),
		Files: []uintptr{0, 1, 2, theirs.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true}, // what hits our process group must not hit it
	})
	if err != nil {
		ours.Close()
		return 0, nil, fmt.Errorf("%s: %w", launcherName, err)
	}
	return pid, ours, nil
}

// forward passes signals on until the launcher has ended.
func forward(signals <-chan os.Signal, orders *gob.Encoder, pid int, ended <-chan syscall.WaitStatus) syscall.WaitStatus {
	interrupts := 0
	for {
		select {
		case status := <-ended:
			return status
		case s := <-signals:
			orders.Encode(order{s.(syscall.Signal)})
			switch s {
			case syscall.SIGINT:
				if interrupts++; interrupts == patientInterrupts+1 {
					time.AfterFunc(impatience, func() { syscall.Kill(pid, syscall.SIGKILL) })
				}
			case syscall.SIGTSTP:
				syscall.Kill(os.Getpid(), syscall.SIGSTOP) // until the shell continues us
			}
		}
	}
}

// wait returns how the child ended.
func wait(pid int) syscall.WaitStatus {
	for {
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(pid, &status, 0, nil); !errors.Is(err, syscall.EINTR) {
			return status
		}
	}
}

// sweepAll kills what the launcher left, which is now ours, and returns how
// many processes that were at first.
func sweepAll(strangers map[int]bool) int {
	first := launch.Sweep(nil, strangers)
	for deadline := time.Now().Add(sweepLimit); time.Now().Before(deadline); time.Sleep(sweepPause) {
		var status syscall.WaitStatus
		for {
			if pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil); pid <= 0 || err != nil {
				break
			}
		}
		if launch.Sweep(nil, strangers) == 0 {
			break
		}
	}
	return first
}
