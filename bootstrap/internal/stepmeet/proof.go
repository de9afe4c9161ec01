package stepmeet

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/dlp-mpi/dlp-go/internal/environ"
	"github.com/dlp-mpi/dlp-go/internal/secret"
	"github.com/dlp-mpi/dlp-go/slurm"
)

// proofSet is a set of ways to prove who one is. Rank 0 chooses the
// strongest that both sides have, which is the lowest bit.
type proofSet uint8

const (
	// A MUNGE credential each way, fresh, that only our user can decode and
	// whose payload is a label, the transcript and, from rank 0, the invitation.
	proofMunge proofSet = 1 << iota

	// A key file that both sides can read: an HMAC of the transcript from the
	// rank, and from rank 0 the invitation sealed with a key made of key file
	// and transcript.
	proofKeyFile

	// Nothing, and the invitation in clear: AME_INSECURE=1.
	proofInsecure
)

func (s proofSet) String() string {
	var names []string
	for i, name := range []string{"MUNGE", "a key file", "no proof at all (AME_INSECURE=1)"} {
		if s&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	if names == nil {
		return "nothing"
	}
	return strings.Join(names, " or ")
}

// strongest returns the one way of the set to use.
func (s proofSet) strongest() proofSet { return s & -s }

const (
	labelMember = "dlp-go slurm member\x00"
	labelRoot   = "dlp-go slurm root\x00"
	labelSeal   = "dlp-go slurm seal\x00"
	labelKeyID  = "dlp-go slurm key id\x00"
)

// prover are the ways of this process.
type prover struct {
	node     string
	munge    *slurm.Munge // nil: not to be had
	uid      uint32       // ours, as MUNGE sees it
	noMunge  error        // why not
	insecure bool

	keyFile string // path; "" if there is no place for one
	mu      sync.Mutex
	key     []byte // what is in it, nil as long as it does not exist
}

// newProver finds out what this process can prove itself with: a key file
// that AME_KEY_FILE names, else MUNGE if munged answers on this node, else the
// key file in the home directory, which it makes if there is none. A munged
// that is there and does not answer is an error: what any user of the node can
// bring about must not weaken the proof.
func newProver(ctx context.Context, env environ.Env, node string) (*prover, error) {
	p := &prover{node: node, insecure: environ.IsOn(env, "AME_INSECURE")}
	path, explicit := environ.Lookup(env, "AME_KEY_FILE")
	if explicit {
		p.keyFile, p.noMunge = path, errors.New("AME_KEY_FILE is used instead of MUNGE")
		return p, p.makeKey(ctx)
	}
	if home, ok := environ.Lookup(env, "HOME"); ok {
		p.keyFile = home + "/.config/ame/key"
	}
	socket, _ := environ.Lookup(env, "AME_MUNGE_SOCKET")
	munge := slurm.NewMunge(socket)
	uid, err := munge.Self(ctx)
	switch {
	case err == nil:
		p.munge, p.uid = munge, uid
		return p, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case p.insecure:
		p.noMunge = err
		p.findKey()
		return p, nil
	case !errors.Is(err, slurm.ErrMungeAbsent):
		return nil, fmt.Errorf("node %s: %w: start munged there, or use a key file instead, which all nodes must see: AME_KEY_FILE=%s", node, err, p.keyFileOr("PATH"))
	}
	p.noMunge = err
	if err := p.makeKey(ctx); err != nil {
		return nil, fmt.Errorf("rank cannot prove who it is: node %s: %w; and no key file: %w: "+
			"start munged (AME_MUNGE_SOCKET names its socket if it is elsewhere), or name a file that all nodes see and only you can read (AME_KEY_FILE), "+
			"or a directory that all nodes see (AME_RENDEZVOUS_DIR), "+
			"or set AME_INSECURE=1 to go without proof on a network that you trust", node, p.noMunge, err)
	}
	return p, nil
}

func (p *prover) keyFileOr(other string) string {
	if p.keyFile == "" {
		return other
	}
	return p.keyFile
}

// makeKey reads the key file and makes it if there is none.
func (p *prover) makeKey(ctx context.Context) error {
	if p.keyFile == "" {
		return errors.New("HOME and AME_KEY_FILE are not set")
	}
	key, err := makeKeyFile(ctx, p.keyFile)
	p.key = key
	return err
}

// findKey returns the contents of the key file if there is one by now: another
// rank can have made it.
func (p *prover) findKey() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.key == nil && p.keyFile != "" {
		p.key, _ = readKeyFile(p.keyFile)
	}
	return p.key
}

// have returns the ways that this process has, and the id of its key file.
// The id says that two files are the same without giving the key away.
func (p *prover) have() (set proofSet, keyID [keyIDSize]byte) {
	if p.munge != nil {
		set |= proofMunge
	}
	if p.insecure {
		set |= proofInsecure
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.key != nil {
		set |= proofKeyFile
		copy(keyID[:], secret.MAC(p.key, labelKeyID, nil))
	}
	return set, keyID
}

// common returns the strongest way that this process shares with a peer, or
// nothing and the reason.
func (p *prover) common(hello *rankHello) (proofSet, string) {
	if hello.offer&proofKeyFile != 0 {
		p.findKey()
	}
	have, keyID := p.have()
	both := have & hello.offer
	if both&proofKeyFile != 0 && keyID != hello.keyID {
		both &^= proofKeyFile
	}
	if both != 0 {
		return both.strongest(), ""
	}
	reason := fmt.Sprintf("rank 0 on %s takes %v", p.node, have)
	if p.munge == nil {
		reason += fmt.Sprintf(" (%v)", p.noMunge)
	}
	if have&hello.offer&proofKeyFile != 0 {
		reason += "; its key file " + p.keyFile + " is another one: is the directory not shared between the nodes?"
	}
	return 0, reason
}

// describe says what this process has, for its own error messages.
func (p *prover) describe() string {
	have, _ := p.have()
	text := fmt.Sprintf("this rank has %v", have)
	if have&proofKeyFile != 0 {
		text += " (" + p.keyFile + ")"
	}
	if p.munge == nil {
		text += fmt.Sprintf(", and no MUNGE (%v)", p.noMunge)
	}
	return text
}

// warning is for the user of a job that goes without proof.
func (p *prover) warning() string {
	if have, _ := p.have(); have != proofInsecure {
		return ""
	}
	return fmt.Sprintf("AME_INSECURE=1: whoever reaches this job over the network can join it and read its key, node %s has no other proof (%v; no key file)", p.node, p.noMunge)
}
