package bootstrap

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/dlp-mpi/dlp-go/slurm"
)

// slurmProofSet is a set of ways to prove who one is. Rank 0 chooses the
// strongest that both sides have, which is the lowest bit.
type slurmProofSet uint8

const (
	// A MUNGE credential each way, fresh, that only our user can decode and
	// whose payload is a label, the transcript and, from rank 0, the invitation.
	proofMunge slurmProofSet = 1 << iota

	// A key file that both sides can read: an HMAC of the transcript from the
	// rank, and from rank 0 the invitation sealed with a key made of key file
	// and transcript.
	proofKeyFile

	// Nothing, and the invitation in clear: AME_INSECURE=1.
	proofInsecure
)

func (s slurmProofSet) String() string {
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
func (s slurmProofSet) strongest() slurmProofSet { return s & -s }

const (
	labelMember = "dlp-go slurm member\x00"
	labelRoot   = "dlp-go slurm root\x00"
	labelSeal   = "dlp-go slurm seal\x00"
	labelKeyID  = "dlp-go slurm key id\x00"
)

// slurmProofs are the ways of this process.
type slurmProofs struct {
	node     string
	munge    *slurm.Munge // nil: not to be had
	uid      uint32       // ours, as MUNGE sees it
	noMunge  error        // why not
	insecure bool

	keyFile string // path; "" if there is no place for one
	mu      sync.Mutex
	key     []byte // what is in it, nil as long as it does not exist
}

// newSlurmProofs finds out what this process can prove itself with: a key file
// that AME_KEY_FILE names, else MUNGE if munged answers on this node, else the
// key file in the home directory, which it makes if there is none. A munged
// that is there and does not answer is an error: what any user of the node can
// bring about must not weaken the proof.
func newSlurmProofs(ctx context.Context, env Env, node string) (*slurmProofs, error) {
	p := &slurmProofs{node: node, insecure: isOn(env, "AME_INSECURE")}
	path, explicit := lookup(env, "AME_KEY_FILE")
	if explicit {
		p.keyFile, p.noMunge = path, errors.New("AME_KEY_FILE is used instead of MUNGE")
		return p, p.makeKey(ctx)
	}
	if home, ok := lookup(env, "HOME"); ok {
		p.keyFile = home + "/.config/ame/key"
	}
	socket, _ := lookup(env, "AME_MUNGE_SOCKET")
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

func (p *slurmProofs) keyFileOr(other string) string {
	if p.keyFile == "" {
		return other
	}
	return p.keyFile
}

// makeKey reads the key file and makes it if there is none.
func (p *slurmProofs) makeKey(ctx context.Context) error {
	if p.keyFile == "" {
		return errors.New("HOME and AME_KEY_FILE are not set")
	}
	key, err := makeKeyFile(ctx, p.keyFile)
	p.key = key
	return err
}

// findKey returns the contents of the key file if there is one by now: another
// rank can have made it.
func (p *slurmProofs) findKey() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.key == nil && p.keyFile != "" {
		p.key, _ = readKeyFile(p.keyFile)
	}
	return p.key
}

// have returns the ways that this process has, and the id of its key file.
// The id says that two files are the same without giving the key away.
func (p *slurmProofs) have() (set slurmProofSet, keyID [slurmKeyIDSize]byte) {
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
		copy(keyID[:], mac(p.key, labelKeyID, nil))
	}
	return set, keyID
}

// common returns the strongest way that this process shares with a peer, or
// nothing and the reason.
func (p *slurmProofs) common(hello *slurmHello) (slurmProofSet, string) {
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
func (p *slurmProofs) describe() string {
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
func (p *slurmProofs) warning() string {
	if have, _ := p.have(); have != proofInsecure {
		return ""
	}
	return fmt.Sprintf("AME_INSECURE=1: whoever reaches this job over the network can join it and read its key, node %s has no other proof (%v; no key file)", p.node, p.noMunge)
}

// prove makes the proof of a rank.
func (p *slurmProofs) prove(ctx context.Context, way slurmProofSet, transcript []byte) ([]byte, error) {
	switch way {
	case proofMunge:
		credential, err := p.munge.Encode(ctx, append([]byte(labelMember), transcript...), p.uid)
		return []byte(credential), err
	case proofKeyFile:
		return mac(p.findKey(), labelMember, transcript), nil
	default:
		return nil, nil
	}
}

// check is rank 0's side of prove.
func (p *slurmProofs) check(ctx context.Context, way slurmProofSet, transcript, proof []byte) error {
	switch way {
	case proofMunge:
		return p.checkMunge(ctx, proof, labelMember, transcript)
	case proofKeyFile:
		if !hmac.Equal(proof, mac(p.findKey(), labelMember, transcript)) {
			return errors.New("wrong proof by key file")
		}
	}
	return nil
}

// checkMunge holds a credential against exactly the payload that it must have.
func (p *slurmProofs) checkMunge(ctx context.Context, credential []byte, label string, transcript []byte) error {
	payload, err := p.openMunge(ctx, credential, label, transcript)
	if err == nil && len(payload) > 0 {
		err = errors.New("credential with a longer payload")
	}
	return err
}

// openMunge decodes a credential and returns what follows label and transcript.
func (p *slurmProofs) openMunge(ctx context.Context, credential []byte, label string, transcript []byte) ([]byte, error) {
	c, err := p.munge.Decode(ctx, string(credential))
	if err != nil {
		return nil, fmt.Errorf("node %s: %w", p.node, err)
	}
	want := append([]byte(label), transcript...)
	switch {
	case c.UID != p.uid || c.AuthUID != p.uid:
		return nil, fmt.Errorf("credential of user %d for user %d, we are user %d", c.UID, c.AuthUID, p.uid)
	case len(c.Payload) < len(want) || subtle.ConstantTimeCompare(c.Payload[:len(want)], want) != 1:
		return nil, errors.New("credential of another connection")
	}
	return c.Payload[len(want):], nil
}

// seal makes rank 0's proof, which carries the invitation.
func (p *slurmProofs) seal(ctx context.Context, way slurmProofSet, transcript, invitation []byte) ([]byte, error) {
	switch way {
	case proofMunge:
		payload := append([]byte(labelRoot), transcript...)
		credential, err := p.munge.Encode(ctx, append(payload, invitation...), p.uid)
		return []byte(credential), err
	case proofKeyFile:
		aead, err := sealer(p.findKey(), transcript)
		if err != nil {
			return nil, err
		}
		return aead.Seal(nil, make([]byte, aead.NonceSize()), invitation, []byte(labelRoot)), nil
	default:
		return invitation, nil
	}
}

// open is a rank's side of seal: without an error the invitation is of rank 0.
func (p *slurmProofs) open(ctx context.Context, way slurmProofSet, transcript, sealed []byte) ([]byte, error) {
	switch way {
	case proofMunge:
		return p.openMunge(ctx, sealed, labelRoot, transcript)
	case proofKeyFile:
		aead, err := sealer(p.findKey(), transcript)
		if err != nil {
			return nil, err
		}
		invitation, err := aead.Open(nil, make([]byte, aead.NonceSize()), sealed, []byte(labelRoot))
		if err != nil {
			return nil, errors.New("wrong proof by key file")
		}
		return invitation, nil
	default:
		return sealed, nil
	}
}

// sealer encrypts one message: both ends put fresh nonces into the transcript,
// so its key is used once and the cipher's own nonce may be zero.
func sealer(key, transcript []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(mac(key, labelSeal, transcript)) // 32 bytes: AES-256
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
