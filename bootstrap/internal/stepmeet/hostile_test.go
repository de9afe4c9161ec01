package stepmeet

import (
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/slurm"
	"github.com/dlp-mpi/dlp-go/test/fakeenv"
	"github.com/dlp-mpi/dlp-go/test/mungetest"
)

func TestStrangersOnThePorts(t *testing.T) {
	l := newLab(t)
	answer := func(word verdict, proof proofSet) func(net.Conn) {
		return func(conn net.Conn) {
			io.ReadFull(conn, make([]byte, helloSize))
			a := rootAnswer{verdict: word, proof: proof, text: "n1"}
			conn.Write(a.appendTo(nil))
			readBytes(conn, maxBytes)
			conn.Write(appendBytes([]byte{byte(verdictGoOn)}, []byte("my own key")))
			io.Copy(io.Discard, conn)
		}
	}
	l.occupy(t,
		func(conn net.Conn) { io.Copy(io.Discard, conn) }, // silence
		func(conn net.Conn) {
			conn.Write([]byte("220 mail.example ESMTP" + strings.Repeat(" ", 100)))
			conn.Close()
		},
		func(conn net.Conn) { conn.Close() },
		answer(verdictOtherStep, 0),
		answer(verdictGoOn, proofInsecure), // not offered
		answer(verdictGoOn, proofKeyFile),  // without knowing the key
	)
	l.mustJoin(t, l.tasks(5))
}

// hostile speaks the rendezvous by hand, as rank 1 of the lab's step of 2.
func hostile(t *testing.T, address string, change func(*rankHello)) (net.Conn, rankHello, rootAnswer) {
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	hello := rankHello{version: version, rank: 1, size: 2, offer: proofMunge | proofKeyFile | proofInsecure}
	change(&hello)
	conn.Write(hello.appendTo(nil))
	answer, err := readAnswer(conn)
	require.NoError(t, err)
	return conn, hello, answer
}

// last reads the end of a rendezvous.
func last(t *testing.T, conn net.Conn) (verdict, string) {
	word := make([]byte, 1)
	_, err := io.ReadFull(conn, word)
	require.NoError(t, err)
	body, err := readBytes(conn, maxBytes)
	require.NoError(t, err)
	return verdict(word[0]), string(body)
}

func TestRootTurnsStrangersAway(t *testing.T) {
	l := newLab(t)
	l.munge = mungetest.Start(t, nil).Socket
	root := l.join2(t)
	address := root.root[0]
	digest := stepDigest("slurm:" + l.cluster + ":7.0.0")
	genuine := func(h *rankHello) { h.digest = digest }

	for name, test := range map[string]struct {
		change func(*rankHello)
		want   verdict
		text   string
	}{
		"other job":     {func(h *rankHello) {}, verdictOtherStep, "another step: slurm:" + l.cluster + ":7.0.0 of 2 ranks"},
		"other size":    {func(h *rankHello) { genuine(h); h.size = 3 }, verdictOtherStep, "another step"},
		"no such rank":  {func(h *rankHello) { genuine(h); h.rank = 2 }, verdictOtherStep, "another step"},
		"second rank 0": {func(h *rankHello) { genuine(h); h.rank = 0 }, verdictOtherStep, "another step"},
		"other version": {func(h *rankHello) { genuine(h); h.version = 9 }, verdictOtherBuild, "version 3 of the rendezvous, this rank version 9"},
		"insecure only": {func(h *rankHello) { genuine(h); h.offer = proofInsecure }, verdictNoProof, "rank 0 on n1 takes MUNGE"},
		"a key file":    {func(h *rankHello) { genuine(h); h.offer = proofKeyFile }, verdictNoProof, "rank 0 on n1 takes MUNGE"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, answer := hostile(t, address, test.change)
			assert.Equal(t, test.want, answer.verdict)
			assert.Contains(t, answer.text, test.text)
			assert.Zero(t, answer.nonce)
		})
	}

	prover, err := newProver(t.Context(), l.task(1, 2).Lookup, "n1")
	require.NoError(t, err)
	prove := func(label string, transcript []byte, more ...byte) []byte {
		payload := slices.Concat([]byte(label), transcript, more)
		credential, err := prover.munge.Encode(t.Context(), payload, prover.uid)
		require.NoError(t, err)
		return []byte(credential)
	}
	_, otherHello, otherAnswer := hostile(t, address, genuine)
	other := transcriptOf(&otherHello, &otherAnswer)
	for name, test := range map[string]struct {
		proof func(transcript []byte) []byte
		text  string
	}{
		"of another connection": {func([]byte) []byte { return prove(labelMember, other[:]) }, "credential of another connection"},
		"mirrored":              {func(own []byte) []byte { return prove(labelRoot, own) }, "credential of another connection"},
		"too long":              {func(own []byte) []byte { return prove(labelMember, own, 'x') }, "credential with a longer payload"},
		"garbage":               {func([]byte) []byte { return []byte("garbage") }, "munged refuses"},
		"nothing":               {func([]byte) []byte { return nil }, "credential of 0 bytes"},
		"replayed": {func(own []byte) []byte {
			proof := prove(labelMember, own)
			_, err := prover.munge.Decode(t.Context(), string(proof))
			require.NoError(t, err)
			return proof
		}, "Replayed credential"},
		"for everybody": {func(own []byte) []byte {
			credential, err := prover.munge.Encode(t.Context(), append([]byte(labelMember), own...), slurm.AnyUID)
			require.NoError(t, err)
			return []byte(credential)
		}, "for user 4294967295"},
	} {
		t.Run("proof "+name, func(t *testing.T) {
			conn, hello, answer := hostile(t, address, genuine)
			assert.NotEqual(t, otherAnswer.nonce, answer.nonce)
			transcript := transcriptOf(&hello, &answer)
			conn.Write(appendBytes(nil, test.proof(transcript[:])))
			word, text := last(t, conn)
			assert.Equal(t, verdictRefused, word)
			assert.Contains(t, text, test.text)
			assert.NotContains(t, text, root.text)
		})
	}

	// After all that, rank 1 joins.
	ranks, errs := l.join(t, t.Context(), []fakeenv.Map{l.task(1, 2)})
	require.NoError(t, errs[0])
	assert.Equal(t, root.text, ranks[0].text)
}

// Connections that do not say what they are make room for others, the oldest
// first.
func TestSilenceHoldsNobodyUp(t *testing.T) {
	l := newLab(t)
	root := l.join2(t)
	root.server.mu.Lock()
	root.server.room = 60
	root.server.mu.Unlock()
	var first net.Conn
	for i := range 100 {
		conn, err := net.Dial("tcp", root.root[0])
		require.NoError(t, err)
		defer conn.Close()
		conn.Write([]byte(magic)[:i%8])
		if i == 0 {
			first = conn
		}
	}
	_, err := first.Read(make([]byte, 1))
	assert.Error(t, err, "it is closed")
	_, errs := l.join(t, t.Context(), []fakeenv.Map{l.task(1, 2)})
	require.NoError(t, errs[0])
	client, err := net.Dial("tcp", root.root[0])
	require.NoError(t, err)
	defer client.Close()
	client.Write([]byte("other"))
	conn, err := root.server.Accept()
	require.NoError(t, err)
	conn.Close()
}
