package bootstrap

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

// controlVariable names the inherited descriptor of ameexec's control channel.
const controlVariable = "AME_CONTROL_FD"

// controlAdvice follows every error about a descriptor that does not work.
const controlAdvice = "ameexec left the descriptor open, something between it and this program closed it: " +
	"let the wrapper pass it on (Python: pass_fds), or, if this program is no rank of that job, start it with AME_BOOTSTRAP=single"

// controlReply is how long ameexec may take to answer; it does nothing else.
const controlReply = 30 * time.Second

// controlDescriptor returns the descriptor that AME_CONTROL_FD names if it is
// a live stream socket of the Unix family.
func controlDescriptor(env Env) (int, error) {
	fd, err := intVariable(env, controlVariable, 0, 1<<20)
	if err != nil {
		return 0, err
	}
	var stat syscall.Stat_t
	if err := syscall.Fstat(fd, &stat); err != nil {
		return 0, fmt.Errorf("%s=%d: %w: %s", controlVariable, fd, err, controlAdvice)
	}
	if stat.Mode&syscall.S_IFMT != syscall.S_IFSOCK {
		return 0, fmt.Errorf("%s=%d is not a socket: %s", controlVariable, fd, controlAdvice)
	}
	kind, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_TYPE)
	name, nameErr := syscall.Getsockname(fd)
	_, isUnix := name.(*syscall.SockaddrUnix)
	if err != nil || kind != syscall.SOCK_STREAM || nameErr != nil || !isUnix {
		return 0, fmt.Errorf("%s=%d is not a Unix stream socket: %s", controlVariable, fd, controlAdvice)
	}
	return fd, nil
}

// joinControl is the child's end of a session; see Control.
func joinControl(ctx context.Context, env Env, rank, size int) (*World, error) {
	conn, err := openSession(env)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	lines := newControlReader(conn)
	world, err := converse(ctx, conn, lines, env, rank, size)
	intact := stop()
	if err == nil && world.Listener != nil && intact {
		world.watchControl(conn, lines)
		return world, nil
	}
	conn.Close()
	switch {
	case err == nil:
		return world, nil
	case !errors.Is(err, os.ErrDeadlineExceeded): // says what is wrong, also if ctx has ended meanwhile
	case ctx.Err() == nil:
		err = fmt.Errorf("no answer within %v: %s", controlReply, controlAdvice)
	default:
		err = context.Cause(ctx)
		if rank != 0 {
			return nil, fmt.Errorf("rank %d waits for rank 0 to publish its address: %w", rank, err)
		}
	}
	return nil, fmt.Errorf("rank %d: %s: %w", rank, controlVariable, err)
}

// openSession sends one end of a new socket pair over the control descriptor
// and returns the other one. The descriptor itself is only ever written to, so
// processes that share it do not disturb each other.
func openSession(env Env) (net.Conn, error) {
	fd, err := controlDescriptor(env)
	if err != nil {
		return nil, err
	}
	syscall.CloseOnExec(fd) // a program that we start is no rank of this job
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	defer ours.Close() // net.FileConn duplicates it
	err = sendDescriptor(fd, int(theirs.Fd()))
	if err != nil {
		return nil, fmt.Errorf("%s=%d: %w: ameexec has ended, or the descriptor is not its own: %s", controlVariable, fd, err, controlAdvice)
	}
	return net.FileConn(ours)
}

// converse follows the session until this process has its World.
func converse(ctx context.Context, conn net.Conn, lines *bufio.Reader, env Env, rank, size int) (*World, error) {
	answerBy(ctx, conn)
	if err := writeControl(conn, controlMessage{Op: "join", Version: controlVersion, Rank: rank}); err != nil {
		return nil, err
	}
	message, err := readControl(lines, "world")
	if err != nil {
		return nil, err
	}
	world, err := worldFrom(message, rank, size)
	if err != nil || size == 1 {
		return world, err
	}
	if rank == 0 {
		err = publish(ctx, conn, lines, env, world)
	} else {
		clearDeadline(ctx, conn)
		message, err = readControl(lines, "root")
		world.Root = message.Addresses
	}
	if err != nil {
		world.abandon()
		return nil, err
	}
	return world, nil
}

// watchControl keeps the session of rank 0 open until Release, for the
// launcher to say that a rank will never come.
func (w *World) watchControl(conn net.Conn, lines *bufio.Reader) {
	conn.SetDeadline(time.Time{})
	doomed, doom := context.WithCancelCause(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, err := readControl(lines, "error")
		if why := refusal(""); errors.As(err, &why) {
			doom(why)
		}
	}()
	w.doomed = doomed
	w.release = func() error {
		conn.Close()
		<-done
		return nil
	}
}

// publish makes rank 0 listen and tells the launcher where, or why it cannot:
// the other ranks get to know, and may end before rank 0 has printed it.
func publish(ctx context.Context, conn net.Conn, lines *bufio.Reader, env Env, world *World) (err error) {
	oneNode := world.LocalSize == world.Size
	if world.Listener, world.Root, err = listen(env, oneNode, ports{}); err != nil {
		answerBy(ctx, conn)
		_ = writeControl(conn, controlMessage{Op: "error", Why: err.Error()}) // without it they learn less
		return err
	}
	answerBy(ctx, conn)
	if err = writeControl(conn, controlMessage{Op: "publish", Addresses: world.Root}); err == nil {
		_, err = readControl(lines, "published")
	}
	return err
}

// worldFrom checks the launcher's answer against the environment, which a
// wrapper may have changed.
func worldFrom(message controlMessage, rank, size int) (*World, error) {
	switch {
	case message.Version != controlVersion:
		return nil, fmt.Errorf("ameexec speaks version %d, this program version %d: build both from one source", message.Version, controlVersion)
	case message.Rank != rank:
		return nil, fmt.Errorf("AME_RANK=%d, but ameexec started this process as rank %d", rank, message.Rank)
	case message.Size != size:
		return nil, fmt.Errorf("AME_SIZE=%d, but ameexec started %d ranks", size, message.Size)
	}
	key, err := ParseKey(message.Key)
	if err != nil {
		return nil, fmt.Errorf("key from ameexec: %w", err)
	}
	if size == 1 {
		key = Key{}
	}
	return &World{
		Rank: rank, Size: size, Job: message.Job, Host: message.Host, RootHost: message.Host, Key: key,
		LocalRank: message.LocalRank, LocalSize: message.LocalSize,
	}, nil
}

// answerBy gives the launcher controlReply from now; a ctx that has ended
// gives no time at all.
func answerBy(ctx context.Context, conn net.Conn) {
	conn.SetDeadline(time.Now().Add(controlReply))
	expireIfDone(ctx, conn)
}

// clearDeadline lets the next read wait until ctx ends.
func clearDeadline(ctx context.Context, conn net.Conn) {
	conn.SetDeadline(time.Time{})
	expireIfDone(ctx, conn)
}

// expireIfDone makes up for a deadline that was set after ctx ended, and so
// replaced the one that ends the wait.
func expireIfDone(ctx context.Context, conn net.Conn) {
	if ctx.Err() != nil {
		conn.SetDeadline(time.Unix(1, 0))
	}
}
