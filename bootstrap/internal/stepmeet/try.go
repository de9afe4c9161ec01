package stepmeet

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"time"
)

// try is a rank's side of the rendezvous on one connection.
func (s *search) try(ctx context.Context, address string) (found Found, err error) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return found, ctx.Err()
	}
	dialer := net.Dialer{Timeout: dialTime}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return found, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	conn.SetDeadline(time.Now().Add(dialogueTime))

	hello := s.hello()
	said := hello.appendTo(nil)
	if s.unable != nil {
		said = appendBytes(said, []byte(printable(fmt.Sprintf("rank %d on %s: %v", s.step.Rank, s.node, s.unable))))
	}
	if _, err := conn.Write(said); err != nil {
		return found, err
	}
	answer, err := readAnswer(conn)
	if err != nil {
		return found, err
	}
	if err := s.judge(answer.verdict, answer.text); err != nil {
		return found, err
	}
	if answer.proof == 0 || answer.proof&hello.offer != answer.proof || answer.proof.strongest() != answer.proof {
		return found, errors.New("it wants a proof that was not offered")
	}
	transcript := transcriptOf(&hello, &answer)
	proof, err := s.prover.prove(ctx, answer.proof, transcript[:])
	if err != nil {
		return found, s.distrust(err)
	}
	if _, err := conn.Write(appendBytes(nil, proof)); err != nil {
		return found, err
	}
	sealed, err := s.readGrant(conn)
	if err != nil {
		return found, err
	}
	text, err := s.prover.open(ctx, answer.proof, transcript[:], sealed)
	if err != nil {
		return found, s.distrust(err)
	}
	found = Found{Text: string(text), Address: address}
	if answer.proof == proofInsecure {
		found.Warning = fmt.Sprintf("AME_INSECURE=1: the key of this job came to %s in clear over the network, from whoever listened on %s", s.node, address)
	}
	return found, nil
}

// hello is a fresh one: its nonce is used once.
func (s *search) hello() rankHello {
	hello := rankHello{
		version: version, rank: uint32(s.step.Rank), size: uint32(s.step.Size),
		digest: stepDigest(s.step.Name()), instance: s.instance,
	}
	hello.offer, hello.keyID = s.prover.have()
	rand.Read(hello.nonce[:])
	return hello
}

func (s *search) readGrant(conn net.Conn) ([]byte, error) {
	var word [1]byte
	if _, err := conn.Read(word[:]); err != nil {
		return nil, err
	}
	body, err := readBytes(conn, maxBytes)
	if err != nil {
		return nil, err
	}
	return body, s.judge(verdict(word[0]), printable(string(body)))
}

// judge turns what the other end says into an error. A foreign step or
// program is no reason to stop: its rank 0 is on a port of ours. The others come
// from what says to be rank 0 of our own step.
func (s *search) judge(v verdict, text string) error {
	switch v {
	case verdictGoOn:
		return nil
	case verdictOtherStep:
		return errors.New(text)
	case verdictOtherProgram:
		s.relent() // it may have had its own rank of our number, before all of them had joined
		return errors.New(text)
	case verdictNoProof:
		s.prover.findKey() // it can have been made by rank 0 just now
		return s.distrust(fmt.Errorf("%s; %s", text, s.prover.describe()))
	case verdictRefused:
		return s.distrust(errors.New(text))
	default:
		return s.refuse(errors.New(text))
	}
}

// distrust is refuse for want of a proof.
func (s *search) distrust(err error) error {
	return s.refuse(fmt.Errorf("%w: start munged on every node, or put one key file where all nodes see it (AME_KEY_FILE), "+
		"or set AME_INSECURE=1 to go without proof on a network that you trust", err))
}
