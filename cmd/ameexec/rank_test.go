package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/dlp-mpi/dlp-go/bootstrap"
	"github.com/dlp-mpi/dlp-go/dlp"
)

// rankMain is what a rank does.
func rankMain(what string, args []string) {
	rank := os.Getenv("AME_RANK")
	switch what {
	case "args": // print the arguments
		fmt.Printf("%q\n", args)
	case "env": // print some variables
		for _, name := range args {
			value, ok := os.LookupEnv(name)
			fmt.Printf("%s=%s %v\n", name, value, ok)
		}
	case "dir":
		dir, _ := os.Getwd()
		fmt.Println(dir, os.Getenv("PWD"))
	case "exit": // exit RANK STATUS: that rank fails, the others wait to be stopped
		if args[0] == rank {
			status, _ := strconv.Atoi(args[1])
			os.Exit(status)
		}
		select {}
	case "die": // die RANK SIGNAL
		if args[0] == rank {
			number, _ := strconv.Atoi(args[1])
			signal.Reset(syscall.Signal(number))
			syscall.Kill(os.Getpid(), syscall.Signal(number))
		}
		select {}
	case "halves": // halves LINES: write lines in two pieces
		lines, _ := strconv.Atoi(args[0])
		for i := range lines {
			fmt.Printf("rank %s line ", rank)
			fmt.Printf("%d of %d by %s\n", i, lines, rank)
		}
	case "long": // long BYTES: one line
		size, _ := strconv.Atoi(args[0])
		fmt.Println(strings.Repeat(rank, size))
	case "print": // print STDOUT STDERR, as they are
		fmt.Print(args[0])
		fmt.Fprint(os.Stderr, args[1])
	case "cat":
		n, _ := io.Copy(os.Stdout, os.Stdin)
		fmt.Printf("rank %s read %d\n", rank, n)
	case "flood": // until nobody reads
		for {
			if _, err := fmt.Println("flood"); err != nil {
				os.Exit(1)
			}
		}
	case "swallow": // swallow BYTES: use so much memory
		size, _ := strconv.Atoi(args[0])
		memory := make([]byte, size)
		for i := range memory {
			memory[i] = 1
		}
		fmt.Println(len(memory))
	case "map": // map SEED: a map in which ranks die
		seed, _ := strconv.ParseUint(args[0], 10, 64)
		mapAndDie(seed)
	case "join": // join N: be rank of N jobs one after another
		times, _ := strconv.Atoi(args[0])
		for range times {
			joinOnce()
		}
	case "parent": // parent NAME ARGUMENTS: start this file by another name, as a rank that has joined
		startChild(args)
	case "lose": // lose RANK STATUS: that rank ends where the others wait for it
		lose(args[0], args[1])
	case "loop": // loop ITEMS: split them among the ranks, a line for each
		loop(args[0])
	case "abandon": // abandon RANK: that rank ends when it knows where rank 0 is
		abandon(args[0])
	case "hold": // hold FIFO CHILDREN [IGNORED]: see alive
		hold(args)
	}
}

func joinOnce() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	world, _, err := bootstrap.Find(ctx, os.LookupEnv)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	session := world.Root.Job[strings.LastIndexByte(world.Root.Job, '-')+1:]
	fmt.Printf("%s %d/%d session %s root %d\n", world.Method, world.Rank, world.Size, session, len(world.Root.Addresses))
	if world.Listener != nil {
		defer world.Listener.Close()
	}
	defer world.Release(nil)
}

// hold opens a FIFO, says hello on it and never ends; the reader of the FIFO
// sees the end of file when all who hold it are dead. It starts children that
// do the same, in sessions of their own, as daemons do.
func hold(args []string) {
	ignored := make(chan os.Signal, 8)
	if len(args) > 2 {
		number, _ := strconv.Atoi(args[2])
		signal.Notify(ignored, syscall.Signal(number))
	}
	fifo, err := os.OpenFile(args[0], os.O_WRONLY, 0)
	if err != nil {
		panic(err)
	}
	children, _ := strconv.Atoi(args[1])
	for range children {
		child := exec.Command(os.Args[0], "rank", "hold", args[0], "0")
		child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := child.Start(); err != nil {
			panic(err)
		}
	}
	fmt.Fprintf(fifo, "hello %d\n", os.Getpid())
	for s := range ignored {
		fmt.Fprintf(fifo, "got %d\n", int(s.(syscall.Signal)))
	}
}

func startChild(args []string) {
	world, _, err := bootstrap.Find(context.Background(), os.LookupEnv)
	if err != nil {
		panic(err)
	}
	defer world.Release(nil)
	defer world.Mark(os.LookupEnv)()
	child := exec.Command(os.Args[0], args...)
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	if err := child.Run(); err != nil {
		panic(err)
	}
}

// loop takes 50 ms for an item, in the middle of a line.
func loop(items string) {
	ctx := context.Background()
	world, err := dlp.Init(ctx)
	if err != nil {
		panic(err)
	}
	defer world.Close()
	n, _ := strconv.Atoi(items)
	for i, err := range dlp.SplitManaged(ctx, world, make([]int, n), dlp.Progress("items")) {
		if err != nil {
			panic(err)
		}
		fmt.Print("item ")
		time.Sleep(50 * time.Millisecond)
		fmt.Println(i, "done")
	}
}

func lose(rank, status string) {
	world, err := dlp.Init(context.Background())
	if err != nil {
		panic(err)
	}
	if os.Getenv("AME_RANK") == rank {
		code, _ := strconv.Atoi(status)
		os.Exit(code)
	}
	if err := world.Barrier(context.Background()); err != nil {
		os.Exit(1)
	}
}
