package bootstrap

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"

	"github.com/dlp-mpi/dlp-go/bootstrap/internal/file"
	"github.com/dlp-mpi/dlp-go/internal/listen"
	"github.com/dlp-mpi/dlp-go/internal/secret"
)

// Key is the secret that the ranks of one job share. It hides itself from
// every fmt verb.
type Key = secret.Key

// Endpoint is how to reach rank 0, and what to show it: what travels from rank
// 0 to the others.
type Endpoint struct {
	Job       string   // the same on all ranks and on no other job; not secret
	Key       Key      // the job's secret
	Host      string   // name of rank 0's node, for messages; "" if unknown
	Addresses []string // host:port, likely ones first
}

func (e Endpoint) isZero() bool { return e.Job == "" && len(e.Addresses) == 0 }

func (e Endpoint) check() error {
	if n := len(e.Key.Bytes()); n < secret.Size {
		return fmt.Errorf("the launcher gave a key of %d bytes, at least %d are needed", n, secret.Size)
	}
	if len(e.Addresses) == 0 {
		return errors.New("the launcher gave no address of rank 0")
	}
	for _, address := range e.Addresses {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return fmt.Errorf("an address of rank 0 is none: %w", err)
		}
	}
	return nil
}

// host makes this process rank 0 of a job: it draws the key and listens. With
// one rank there is nobody to listen for.
func host(env Env, place Place, job string) (Endpoint, net.Listener, error) {
	root := Endpoint{Job: job, Host: place.Host}
	if place.Size == 1 {
		return root, nil, nil
	}
	root.Key = secret.New()
	listener, addresses, err := listen.Open(env, place.oneNode(), listen.Ports{})
	root.Addresses = addresses
	return root, listener, err
}

// invitation is an endpoint as text, for launchers and file systems. It holds
// the key, so it goes only where no other user can read it.
type invitation struct {
	Version int      `json:"version"`
	Job     string   `json:"job,omitempty"`
	Size    int      `json:"size,omitempty"`
	Key     string   `json:"key,omitempty"`
	Host    string   `json:"host,omitempty"`
	Root    []string `json:"root,omitempty"`

	// Why is set, and nothing else, if rank 0 cannot take part: so that the
	// others stop waiting and say the same.
	Why string `json:"why,omitempty"`
}

const invitationVersion = 1

// invite is the text that asks the other ranks of a job of size to root.
func invite(root Endpoint, size int) string {
	return invitation{
		Version: invitationVersion, Job: root.Job, Size: size,
		Key: root.Key.Encode(), Host: root.Host, Root: root.Addresses,
	}.text()
}

// apologize is the text that says why there is no invitation.
func apologize(why error) string {
	return invitation{Version: invitationVersion, Why: why.Error()}.text()
}

func (i invitation) text() string {
	text, err := json.Marshal(i)
	if err != nil {
		panic(fmt.Sprintf("bootstrap: invitation: %v", err)) // strings and numbers always encode
	}
	return string(text)
}

// parse reads what rank 0 published for the rank at place. Its errors show no
// part of the text, which holds the key.
func parse(text string, place Place) (Endpoint, error) {
	var i invitation
	if len(text) > file.MaxText || json.Unmarshal([]byte(text), &i) != nil {
		return Endpoint{}, fmt.Errorf("what rank 0 published (%d bytes, not shown) is no invitation; is it the same program, of the same version?", len(text))
	}
	switch {
	case i.Version != invitationVersion:
		return Endpoint{}, fmt.Errorf("rank 0 publishes version %d, this program understands %d: start the same program on all ranks", i.Version, invitationVersion)
	case i.Why != "":
		return Endpoint{}, fmt.Errorf("rank 0 cannot take part: %s", i.Why)
	case i.Size != place.Size:
		return Endpoint{}, fmt.Errorf("rank 0 sees %d ranks, rank %d sees %d", i.Size, place.Rank, place.Size)
	}
	key, err := secret.Parse(i.Key)
	if err != nil {
		return Endpoint{}, fmt.Errorf("key of rank 0: %w", err)
	}
	root := Endpoint{Job: i.Job, Key: key, Host: i.Host, Addresses: i.Root}
	return root, root.check()
}
