package slurm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"
)

// Munge is a client of munged, the daemon that vouches for user ids among the
// nodes of a cluster. It is safe for concurrent use.
type Munge struct {
	sockets []string
	dial    func(ctx context.Context, path string) (net.Conn, error)
	slots   chan struct{} // bounds the transactions at one time
}

// mungeSockets are the places where munged listens unless it is told otherwise.
// Sites that tell it do the same for Slurm: AuthInfo=socket=PATH in slurm.conf.
var mungeSockets = []string{"/run/munge/munge.socket.2", "/var/run/munge/munge.socket.2"}

// Time limits and retries are those of libmunge.
const (
	mungeConcurrency     = 64 // libmunge has no limit; munged's queue holds 256
	mungeConnectAttempts = 10
	mungeConnectBackoff  = 50 * time.Millisecond // times the attempt
	mungeAttempts        = 5
	mungeBackoff         = 10 * time.Millisecond // times the attempt
	mungeTimeout         = 2 * time.Second       // for the request, and again for the response
)

// NewMunge returns a client that uses munged's socket at the path, or at the
// usual places if the path is empty. It does no I/O.
func NewMunge(socket string) *Munge {
	sockets := []string{socket}
	if socket == "" {
		sockets = mungeSockets
	}
	return &Munge{sockets: sockets, dial: dialUnix, slots: make(chan struct{}, mungeConcurrency)}
}

func dialUnix(ctx context.Context, path string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "unix", path)
}

// Encode has munged wrap a payload of at most 4 KiB into a credential, a line of
// printable text that says which user asked for it. Only a process of the user
// uid can decode it, and then read the payload, on any node of the cluster;
// AnyUID allows everybody. Root is no exception, but who holds munge's key is.
//
// A node accepts a credential once. Make a new one for every message to
// everybody.
//
// Encode blocks until munged answers or ctx ends, at most 13 s. Errors wrap
// ErrMungeUnavailable or are of type *MungeError.
func (m *Munge) Encode(ctx context.Context, payload []byte, uid uint32) (string, error) {
	if len(payload) > maxMungePayload {
		return "", fmt.Errorf("slurm: munge encode: payload of %d bytes, at most %d are allowed", len(payload), maxMungePayload)
	}
	body := appendEncodeBody(nil, payload, uid)
	response, err := m.transact(ctx, mungeEncodeRequest, body)
	if err != nil {
		return "", fmt.Errorf("slurm: munge encode: %w", err)
	}
	credential, err := parseEncoded(response)
	if err != nil {
		return "", fmt.Errorf("slurm: munge encode: %w", mungeProtocolError(err))
	}
	return credential, nil
}

// Decode has munged check a credential that came from a peer, and unwrap it.
// Without an error the credential is genuine, for this user, fresh, and was not
// decoded on this node before.
//
// Call it once per credential. After an error that is no *MungeError, a
// cancelled ctx included, it is unknown whether the credential is used up.
// Blocking and errors are those of Encode.
func (m *Munge) Decode(ctx context.Context, credential string) (Credential, error) {
	if len(credential) == 0 || len(credential) > maxCredential {
		return Credential{}, fmt.Errorf("slurm: munge decode: credential of %d bytes, 1 to %d are allowed", len(credential), maxCredential)
	}
	body := appendDecodeBody(nil, credential)
	response, err := m.transact(ctx, mungeDecodeRequest, body)
	if err != nil {
		return Credential{}, fmt.Errorf("slurm: munge decode: %w", err)
	}
	c, err := parseDecoded(response)
	if err != nil {
		return Credential{}, fmt.Errorf("slurm: munge decode: %w", mungeProtocolError(err))
	}
	return c, nil
}

// Self returns the user id by which munged knows this process. In a user
// namespace, as of a rootless container, it is not the id that the process sees.
// It proves at the same time that munged encodes and decodes on this node.
func (m *Munge) Self(ctx context.Context) (uid uint32, err error) {
	credential, err := m.Encode(ctx, nil, AnyUID)
	if err != nil {
		return 0, err
	}
	c, err := m.Decode(ctx, credential)
	return c.UID, err
}

// mungeProtocolError keeps answers of munged as they are; a message that cannot
// be parsed is not worth a second attempt.
func mungeProtocolError(err error) error {
	var answer *MungeError
	if errors.As(err, &answer) {
		return err
	}
	return unavailable(err, "malformed response")
}

// transact sends a request and returns the body of the response. Each attempt
// takes a connection of its own, as munged answers once and closes.
func (m *Munge) transact(ctx context.Context, kind byte, body []byte) ([]byte, error) {
	select {
	case m.slots <- struct{}{}:
		defer func() { <-m.slots }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	path, err := m.socket()
	if err != nil {
		return nil, err
	}
	for attempt := 0; ; attempt++ {
		// The number of the attempt tells munged that an answer was lost: it
		// then accepts a credential that it has seen. Never send more than 0
		// on a first attempt.
		request := appendMungeHeader(nil, kind, byte(attempt), len(body))
		response, err := m.attempt(ctx, path, append(request, body...), kind+1)
		if err == nil {
			return response, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if errors.Is(err, ErrMungeUnavailable) {
			return nil, err
		}
		if attempt+1 == mungeAttempts {
			return nil, unavailable(err, "munged at %s did not answer %d times", path, mungeAttempts)
		}
		if err := pause(ctx, time.Duration(attempt+1)*mungeBackoff); err != nil {
			return nil, err
		}
	}
}

// socket returns the first path that is a socket. Looking first saves the
// back-off where there is nothing to connect to.
func (m *Munge) socket() (string, error) {
	for _, path := range m.sockets {
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return "", unavailable(fmt.Errorf("%w: %w", ErrMungeAbsent, err), "%v", err)
		case info.Mode().Type() != fs.ModeSocket:
			return "", unavailable(ErrMungeAbsent, "%s is not a socket", path)
		}
		return path, nil
	}
	return "", unavailable(ErrMungeAbsent, "no socket %s: munged does not run on this node, or its socket is not mounted in this container", m.sockets[0])
}

// attempt is one transaction on one connection. An error that wraps
// ErrMungeUnavailable is final.
func (m *Munge) attempt(ctx context.Context, path string, request []byte, kind byte) ([]byte, error) {
	conn, err := m.connect(ctx, path)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	// The end of ctx closes the connection and so ends the reads below.
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()

	conn.SetDeadline(time.Now().Add(mungeTimeout))
	if _, err := conn.Write(request); err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(mungeTimeout))
	return readMungeMessage(conn, kind)
}

// connect tries again while munged's queue is full, which Linux tells a
// non-blocking connect by EAGAIN, and while nobody listens on the socket, as
// during a restart of munged.
func (m *Munge) connect(ctx context.Context, path string) (net.Conn, error) {
	for attempt := 1; ; attempt++ {
		conn, err := m.dial(ctx, path)
		if err == nil {
			return conn, nil
		}
		refused, full := errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EAGAIN)
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist):
			return nil, unavailable(ErrMungeAbsent, "%v", err)
		case !refused && !full:
			return nil, unavailable(err, "connect")
		case attempt == mungeConnectAttempts && refused:
			return nil, unavailable(err, "munged is not running, its socket %s is stale", path)
		case attempt == mungeConnectAttempts:
			return nil, unavailable(err, "munged is busy, the queue of %s stays full", path)
		}
		if err := pause(ctx, time.Duration(attempt)*mungeConnectBackoff); err != nil {
			return nil, err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
