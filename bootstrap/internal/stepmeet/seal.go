package stepmeet

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/dlp-mpi/dlp-go/internal/secret"
)

// prove makes the proof of a rank.
func (p *prover) prove(ctx context.Context, way proofSet, transcript []byte) ([]byte, error) {
	switch way {
	case proofMunge:
		credential, err := p.munge.Encode(ctx, append([]byte(labelMember), transcript...), p.uid)
		return []byte(credential), err
	case proofKeyFile:
		return secret.MAC(p.findKey(), labelMember, transcript), nil
	default:
		return nil, nil
	}
}

// check is rank 0's side of prove.
func (p *prover) check(ctx context.Context, way proofSet, transcript, proof []byte) error {
	switch way {
	case proofMunge:
		return p.checkMunge(ctx, proof, labelMember, transcript)
	case proofKeyFile:
		if !hmac.Equal(proof, secret.MAC(p.findKey(), labelMember, transcript)) {
			return errors.New("wrong proof by key file")
		}
	}
	return nil
}

// checkMunge holds a credential against exactly the payload that it must have.
func (p *prover) checkMunge(ctx context.Context, credential []byte, label string, transcript []byte) error {
	payload, err := p.openMunge(ctx, credential, label, transcript)
	if err == nil && len(payload) > 0 {
		err = errors.New("credential with a longer payload")
	}
	return err
}

// openMunge decodes a credential and returns what follows label and transcript.
func (p *prover) openMunge(ctx context.Context, credential []byte, label string, transcript []byte) ([]byte, error) {
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

// seal makes rank 0's proof, which carries the text.
func (p *prover) seal(ctx context.Context, way proofSet, transcript, text []byte) ([]byte, error) {
	switch way {
	case proofMunge:
		payload := append([]byte(labelRoot), transcript...)
		credential, err := p.munge.Encode(ctx, append(payload, text...), p.uid)
		return []byte(credential), err
	case proofKeyFile:
		aead, err := sealer(p.findKey(), transcript)
		if err != nil {
			return nil, err
		}
		return aead.Seal(nil, make([]byte, aead.NonceSize()), text, []byte(labelRoot)), nil
	default:
		return text, nil
	}
}

// open is a rank's side of seal: without an error the text is of rank 0.
func (p *prover) open(ctx context.Context, way proofSet, transcript, sealed []byte) ([]byte, error) {
	switch way {
	case proofMunge:
		return p.openMunge(ctx, sealed, labelRoot, transcript)
	case proofKeyFile:
		aead, err := sealer(p.findKey(), transcript)
		if err != nil {
			return nil, err
		}
		text, err := aead.Open(nil, make([]byte, aead.NonceSize()), sealed, []byte(labelRoot))
		if err != nil {
			return nil, errors.New("wrong proof by key file")
		}
		return text, nil
	default:
		return sealed, nil
	}
}

// sealer encrypts one message: both ends put fresh nonces into the transcript,
// so its key is used once and the cipher's own nonce may be zero.
func sealer(key, transcript []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(secret.MAC(key, labelSeal, transcript)) // 32 bytes: AES-256
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
