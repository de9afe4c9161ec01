package bootstrap

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/bootstrap/internal/file"
	"github.com/dlp-mpi/dlp-go/bootstrap/internal/stepmeet"
	"github.com/dlp-mpi/dlp-go/internal/secret"
)

func testEndpoint() Endpoint {
	return Endpoint{Job: "j", Key: secret.New(), Host: "h", Addresses: []string{"10.0.0.1:5", "[fd00::1]:5"}}
}

func TestInvitation(t *testing.T) {
	root, place := testEndpoint(), Place{Rank: 1, Size: 3}
	text := invite(root, 3)
	got, err := parse(text, place)
	require.NoError(t, err)
	assert.Equal(t, root, got)
	assert.NotContains(t, fmt.Sprintf("%+v", World{Root: root}), root.Key.Encode())

	coded := root.Key.Encode()
	for name, test := range map[string]struct{ text, says string }{
		"empty":       {"", "no invitation"},
		"half":        {text[:60], "no invitation"},
		"too long":    {text + strings.Repeat(" ", file.MaxText), "no invitation"},
		"version":     {`{"version":2}`, "version 2, this program understands 1"},
		"size":        {strings.Replace(text, `"size":3`, `"size":4`, 1), "rank 0 sees 4 ranks, rank 1 sees 3"},
		"no address":  {strings.Replace(text, `"root"`, `"toor"`, 1), "no address"},
		"odd address": {strings.Replace(text, "10.0.0.1:5", "10.0.0.1", 1), "an address of rank 0 is none"},
		"short key":   {strings.Replace(text, coded, coded[:20], 1), "key of rank 0"},
		"apology":     {apologize(errors.New("no port is free")), "rank 0 cannot take part: no port is free"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(test.text, place)
			require.ErrorContains(t, err, test.says)
			assert.NotContains(t, err.Error(), coded[:20])
		})
	}
}

func FuzzInvitation(f *testing.F) {
	f.Add(invite(testEndpoint(), 3))
	f.Add(apologize(errors.New("why")))
	f.Fuzz(func(t *testing.T, text string) {
		root, err := parse(text, Place{Rank: 1, Size: 3})
		if err == nil && root.check() != nil {
			t.Fatal(root.check())
		}
	})
}

func TestInvitationFitsACredential(t *testing.T) {
	root := Endpoint{Key: secret.New(), Job: strings.Repeat("j", 140), Host: "n1"}
	for i := range 200 {
		root.Addresses = append(root.Addresses, fmt.Sprintf("[2001:db8:aaaa:bbbb:cccc:dddd:eeee:%x]:20000", i))
	}
	less := fit(root, 2)
	assert.LessOrEqual(t, len(invite(less, 2)), stepmeet.MaxText)
	assert.Greater(t, len(less.Addresses), 20)
	assert.Equal(t, root.Addresses[:len(less.Addresses)], less.Addresses)
	root.Host = strings.Repeat("h", 4000)
	assert.Len(t, fit(root, 2).Addresses, 1)
}
