// Package secret is about the keys by which the ranks of one job know each
// other: drawing, reading and hiding them, and proving to know one.
package secret

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// Size is the length in bytes of the keys that New draws, and the least that a
// key given by hand may have.
const Size = 32

// Key is the secret that the ranks of one job share. It hides itself from
// every fmt verb; only Bytes and Encode give it away.
type Key struct{ bytes []byte }

// New draws a fresh key of Size bytes.
func New() Key {
	bytes := make([]byte, Size)
	rand.Read(bytes) // never fails, crypto/rand
	return Key{bytes}
}

// Parse reads what Key.Encode or base64(1) wrote; padding may be missing
// and lines may be wrapped. Its errors never contain the text.
func Parse(text string) (Key, error) {
	text = strings.TrimRight(strings.Join(strings.Fields(text), ""), "=")
	bytes, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return Key{}, errors.New("not base64")
	}
	if len(bytes) < Size {
		return Key{}, fmt.Errorf("decodes to %d bytes, at least %d are needed", len(bytes), Size)
	}
	return Key{bytes}, nil
}

// Bytes returns the secret itself.
func (k Key) Bytes() []byte { return k.bytes }

// Encode returns the secret in standard base64, the form that travels
// through launchers.
func (k Key) Encode() string { return base64.StdEncoding.EncodeToString(k.bytes) }

// Format hides the secret from every fmt verb.
func (k Key) Format(s fmt.State, _ rune) { s.Write([]byte(k.String())) }

// String hides the secret.
func (k Key) String() string { return "(secret)" }

// GoString hides the secret.
func (k Key) GoString() string { return "secret.Key(secret)" }

// MarshalText hides the secret from encoders such as encoding/json.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// MAC proves to know key: a label, which keeps the uses of a key apart, and a
// message, authenticated with it (HMAC-SHA256).
func MAC(key []byte, label string, message []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(label))
	h.Write(message)
	return h.Sum(nil)
}
