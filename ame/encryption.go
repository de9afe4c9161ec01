package ame

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net"
	"time"
)

// Encryption is TLS 1.3 below the handshake of this package. The certificate says
// nothing, and nobody looks at it. Who is at the other end its proof says, which
// covers what the two ends of this one TLS session alone have in common: somebody
// in the middle has a session with each of them, and so no proof that fits.

// bindingLabel is what the material is exported for, RFC 8446, 7.5.
const bindingLabel = "EXPORTER-dlp/ame"

// encryption is what a rank needs for it. Nil: it does without.
type encryption struct{ config *tls.Config }

// newEncryption draws a key for the certificate of this process.
func newEncryption() (*encryption, error) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("a key for TLS: %w", err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().AddDate(100, 0, 0)}
	certificate, err := x509.CreateCertificate(nil, template, template, public, private)
	if err != nil {
		return nil, fmt.Errorf("a certificate for TLS: %w", err)
	}
	return &encryption{&tls.Config{
		MinVersion:             tls.VersionTLS13,
		Certificates:           []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: private}},
		InsecureSkipVerify:     true, // the proofs say who it is
		SessionTicketsDisabled: true,
	}}, nil
}

// sealed is a connection over which TLS goes. It closes without a word to the
// other end, which could take its time; a rank that leaves says bye.
type sealed struct {
	*tls.Conn
	binding []byte
}

func (s *sealed) Close() error { return s.NetConn().Close() }

// The first bytes of records: a handshake that begins, and an alert.
const (
	recordHandshake = 22
	recordAlert     = 21
)

// listen is the listener's side of encryption. Where it does without, it returns
// conn.
func (e *encryption) listen(conn net.Conn) (net.Conn, error) {
	if e == nil {
		return conn, nil
	}
	s, err := seal(tls.Server(conn, e.config))
	if header := (tls.RecordHeaderError{}); errors.As(err, &header) {
		conn.Write([]byte{recordAlert, 3, 3, 0, 2, 2, 70}) // the other end tells its user
		return nil, fmt.Errorf("%w: it does not encrypt: AME_TLS=1 is to be set for all ranks", ErrAuth)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: before TLS was up: %s", ErrAuth, plainText(err))
	}
	return s, nil
}

// dial is the opener's side.
func (e *encryption) dial(conn net.Conn) (net.Conn, error) {
	if e == nil {
		return conn, nil
	}
	s, err := seal(tls.Client(conn, e.config))
	if err != nil {
		return nil, fmt.Errorf("%w, before TLS was up; AME_TLS=1 is to be set for all ranks", err)
	}
	return s, nil
}

func seal(conn *tls.Conn) (net.Conn, error) {
	if err := conn.Handshake(); err != nil {
		return nil, err
	}
	state := conn.ConnectionState()
	binding, err := state.ExportKeyingMaterial(bindingLabel, nil, 32)
	if err != nil {
		return nil, err
	}
	return &sealed{conn, binding}, nil
}

// bindingOf returns what only the two ends of a connection have in common, nil if
// it is not encrypted.
func bindingOf(conn any) []byte {
	if s, ok := conn.(*sealed); ok {
		return s.binding
	}
	return nil
}

func isSealed(conn net.Conn) bool {
	_, ok := conn.(*sealed)
	return ok
}

// carrier is the connection over which conn goes: itself, if it is not encrypted.
func carrier(conn net.Conn) net.Conn {
	if s, ok := conn.(*sealed); ok {
		return s.NetConn()
	}
	return conn
}

// speaksTLS returns an error that says so if the first byte of another end that is
// expected not to encrypt is one of TLS.
func speaksTLS(first byte) error {
	if first == recordHandshake || first == recordAlert {
		return fmt.Errorf("%w: it encrypts, and this rank does not: AME_TLS=1 is to be set for all ranks, or for none", ErrAuth)
	}
	return nil
}
