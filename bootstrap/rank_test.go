package bootstrap

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// rankRole is the variable that makes the test binary a rank of a job that a
// real launcher starts. Its value says what the rank does:
//
//	find         find the job, no more
//	program      find the job and print what is known of the program
//	meet         find the job, connect to rank 0 and print a line
//	leave        meet, but rank 1 exits with status 0 as soon as it is connected
//	status       meet, then rank 1 exits with status 3
//	parent       meet, and start a program that finds its job and prints a line
//	child        find the job, as that program
//	twice        meet, after another process of the rank has tried to find the job
//	launch       find the job and start the command line as a launcher, whose ranks meet
const rankRole = "BOOTSTRAP_TEST_RANK"

// runRank is the main function of such a rank. It returns the exit status.
func runRank(role string) int {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	world, report, err := Find(ctx, os.LookupEnv)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%v", err, report)
		return 1
	}
	switch role {
	case "find":
		world.abandon()
		return 0
	case "program":
		fmt.Printf("program: rank %d, application %d, parent %d\n", world.Rank, world.Program.App, world.Program.Parent)
		world.abandon()
		return 0
	case "child":
		fmt.Printf("child: %s: rank %d of %d, %d warnings\n", world.Method, world.Rank, world.Size, len(world.Warnings))
		return 0
	case "launch":
		defer world.Mark(os.LookupEnv)()
		world.abandon()
		launcher := exec.Command(os.Args[1], os.Args[2:]...)
		launcher.Env = append(os.Environ(), rankRole+"=meet")
		launcher.Stdout, launcher.Stderr = os.Stdout, os.Stderr
		if err := launcher.Run(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	case "twice":
		other := exec.Command(os.Args[0])
		other.Env = append(os.Environ(), rankRole+"=find")
		out, err := other.CombinedOutput()
		fmt.Printf("other process of rank %d: %v, %s", world.Rank, err, out)
	case "parent":
		defer world.Mark(os.LookupEnv)()
		if err := runChild(); err != nil {
			fmt.Fprintf(os.Stderr, "rank %d: %v\n", world.Rank, err)
			return 1
		}
	}
	if err := assemble(ctx, world, role == "leave"); err != nil {
		fmt.Fprintf(os.Stderr, "rank %d: %v\n", world.Rank, err)
		return 1
	}
	// One write, so that the launcher does not mix the lines of the ranks.
	fmt.Printf("%s: rank %d of %d, local %d of %d, loopback %t\n",
		world.Method, world.Rank, world.Size, world.LocalRank, world.LocalSize, loopbackOnly(world.Root.Addresses))
	if role == "status" && world.Rank == 1 {
		return 3
	}
	return 0
}

// runChild starts this program as a rank of ours starts one of its own.
func runChild() error {
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), rankRole+"=child")
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	return child.Run()
}

// assemble lets every rank connect to rank 0, show the key, and wait for its word.
// With leave, rank 1 is gone, process and all, before rank 0 gives it.
func assemble(ctx context.Context, world *World, leave bool) error {
	if world.Size == 1 {
		return nil
	}
	if world.Rank != 0 {
		return greetRoot(ctx, world, leave)
	}
	defer world.abandon()
	for range world.Size - 1 {
		conn, err := world.Listener.Accept()
		if err != nil {
			return err
		}
		defer conn.Close()
		deadline, _ := ctx.Deadline()
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil {
			return err
		}
		words := strings.Fields(line)
		if len(words) != 3 || words[1] != world.Root.Key.Encode() {
			return errors.New("a stranger came")
		}
		if leave && words[0] == "1" {
			pid, err := strconv.Atoi(words[2])
			if err == nil {
				err = awaitEnd(ctx, pid)
			}
			if err != nil {
				return err
			}
			continue
		}
		defer io.WriteString(conn, "go\n")
	}
	return nil
}

// greetRoot goes on with newer endpoints of rank 0 until one answers, as
// package ame does.
func greetRoot(ctx context.Context, world *World, leave bool) error {
	var err error
	for {
		if len(world.Root.Addresses) > 0 {
			if err = greetAt(ctx, world, leave); err == nil || world.Newer == nil {
				return err
			}
		}
		var newerErr error
		if world.Root, newerErr = world.Newer(ctx); newerErr != nil {
			return errors.Join(err, newerErr)
		}
	}
}

func greetAt(ctx context.Context, world *World, leave bool) error {
	var errs []error
	for _, address := range world.Root.Addresses {
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		defer conn.Close()
		if _, err := fmt.Fprintf(conn, "%d %s %d\n", world.Rank, world.Root.Key.Encode(), os.Getpid()); err != nil {
			return err
		}
		if leave && world.Rank == 1 {
			os.Exit(0)
		}
		_, err = bufio.NewReader(conn).ReadString('\n')
		return err
	}
	return errors.Join(errs...)
}

// awaitEnd waits until the process is gone or a zombie: hydra buries the dead
// at the end of the job.
func awaitEnd(ctx context.Context, pid int) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func loopbackOnly(addresses []string) bool {
	for _, address := range addresses {
		host, _, _ := net.SplitHostPort(address)
		if !net.ParseIP(host).IsLoopback() {
			return false
		}
	}
	return true
}
