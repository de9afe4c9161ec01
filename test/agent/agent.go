// Package agent runs commands on a machine for somebody who is elsewhere and has
// its standard input and output. It is for tests: a `docker exec` starts four
// programs for each command, and one that is there starts one.
package agent

import (
	"errors"
	"fmt"
	"io"
	"net/rpc"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
	"time"
)

// Command is one to run.
type Command struct {
	User string // whose it is, with its home directory and groups
	Args []string
}

// Result is what it has come to.
type Result struct {
	Stdout, Stderr []byte
	Status         int // as a shell has it
}

// Serve runs the commands of a Client, several at a time, until the connection
// ends. Commands that still run then go on.
func Serve(conn io.ReadWriteCloser) error {
	server := rpc.NewServer()
	if err := server.RegisterName("Agent", service{}); err != nil {
		return err
	}
	server.ServeConn(conn)
	return nil
}

type service struct{}

// Run is called by package rpc.
func (service) Run(c Command, r *Result) error {
	who, err := user.Lookup(c.User)
	if err != nil {
		return err
	}
	credential, err := credentialOf(who)
	if err != nil {
		return err
	}
	cmd := exec.Command(c.Args[0], c.Args[1:]...)
	cmd.Dir = who.HomeDir
	cmd.Env = append(os.Environ(), "HOME="+who.HomeDir, "USER="+c.User)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential, Setsid: true}
	// Files, so that what a command has left in the background is not waited for.
	var out [2]*os.File
	for i := range out {
		if out[i], err = unnamed(); err != nil {
			return err
		}
		defer out[i].Close()
	}
	cmd.Stdout, cmd.Stderr = out[0], out[1]
	if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		return err
	}
	r.Status = status(cmd.ProcessState)
	for i, bytes := range []*[]byte{&r.Stdout, &r.Stderr} {
		if _, err := out[i].Seek(0, io.SeekStart); err != nil {
			return err
		}
		if *bytes, err = io.ReadAll(out[i]); err != nil {
			return err
		}
	}
	return nil
}

func credentialOf(who *user.User) (*syscall.Credential, error) {
	names, err := who.GroupIds()
	if err != nil {
		return nil, err
	}
	ids := make([]uint32, 0, len(names))
	for _, name := range append([]string{who.Uid, who.Gid}, names...) {
		id, err := strconv.ParseUint(name, 10, 32)
		if err != nil {
			return nil, err
		}
		ids = append(ids, uint32(id))
	}
	return &syscall.Credential{Uid: ids[0], Gid: ids[1], Groups: ids[2:]}, nil
}

func unnamed() (*os.File, error) {
	file, err := os.CreateTemp("", "agent-")
	if err != nil {
		return nil, err
	}
	return file, os.Remove(file.Name())
}

func status(s *os.ProcessState) int {
	if wait := s.Sys().(syscall.WaitStatus); wait.Signaled() {
		return 128 + int(wait.Signal())
	}
	return s.ExitCode()
}

// Client has the other end of the connection of a Serve.
type Client struct{ rpc *rpc.Client }

// NewClient returns that.
func NewClient(conn io.ReadWriteCloser) *Client { return &Client{rpc.NewClient(conn)} }

// Run runs a command, and gives it up after a time.
func (c *Client) Run(command Command, limit time.Duration) (*Result, error) {
	var r Result
	call := c.rpc.Go("Agent.Run", command, &r, make(chan *rpc.Call, 1))
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-call.Done:
		return &r, call.Error
	case <-timer.C:
		return nil, fmt.Errorf("the agent has not answered for %v", limit)
	}
}

// Close ends the connection.
func (c *Client) Close() error { return c.rpc.Close() }
