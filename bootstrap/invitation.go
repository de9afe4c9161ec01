package bootstrap

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
)

// invitation is what rank 0 publishes where a launcher or a file system
// carries text: all that another rank needs to join. It holds the key, so it
// goes only where no other user can read it.
type invitation struct {
	Version int      `json:"version"`
	Job     string   `json:"job,omitempty"`
	Size    int      `json:"size,omitempty"`
	Key     string   `json:"key,omitempty"`
	Host    string   `json:"host,omitempty"` // of rank 0
	Root    []string `json:"root,omitempty"` // addresses to try

	// Why is set, and nothing else, if rank 0 cannot take part: so that the
	// others stop waiting and say the same.
	Why string `json:"why,omitempty"`
}

const invitationVersion = 1

// maxInvitation bounds the text of an invitation, in bytes.
const maxInvitation = 64 << 10

// invite is the text that asks the other ranks into the world of rank 0.
func invite(world *World) string {
	return invitation{
		Version: invitationVersion,
		Job:     world.Job,
		Size:    world.Size,
		Key:     world.Key.Encode(),
		Host:    world.Host,
		Root:    world.Root,
	}.text()
}

// inviteOr is what rank 0 publishes: an invitation, or why there is none.
func inviteOr(failure error, world *World) string {
	if failure != nil {
		return apologize(failure)
	}
	return invite(world)
}

// apologize is the text that says why there is none.
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

// accept fills a rank's world from the text of rank 0. Its errors show no
// part of the text, which holds the key.
func (world *World) accept(text string) error {
	var i invitation
	if len(text) > maxInvitation || json.Unmarshal([]byte(text), &i) != nil {
		return fmt.Errorf("what rank 0 published (%d bytes, not shown) is no invitation", len(text))
	}
	switch {
	case i.Version != invitationVersion:
		return fmt.Errorf("rank 0 publishes version %d, this program understands %d: start the same program on all ranks", i.Version, invitationVersion)
	case i.Why != "":
		return fmt.Errorf("rank 0 cannot take part: %s", i.Why)
	case i.Size != world.Size:
		return fmt.Errorf("rank 0 sees %d ranks, rank %d sees %d", i.Size, world.Rank, world.Size)
	case len(i.Root) == 0:
		return errors.New("rank 0 published no address")
	}
	for _, address := range i.Root {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return fmt.Errorf("rank 0 published an address that is none: %w", err)
		}
	}
	key, err := ParseKey(i.Key)
	if err != nil {
		return fmt.Errorf("key of rank 0: %w", err)
	}
	world.Job, world.Key, world.RootHost, world.Root = i.Job, key, i.Host, i.Root
	return nil
}
