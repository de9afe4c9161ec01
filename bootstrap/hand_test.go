package bootstrap

import (
	"net"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/internal/secret"
	"github.com/dlp-mpi/dlp-go/test/fakeenv"
)

// byHand is a complete environment of rank 1 of 2.
func byHand() fakeenv.Map {
	return fakeenv.Map{"AME_RANK": "1", "AME_SIZE": "2", "AME_HOST": "node1", "AME_PORT": "5000", "AME_AUTHKEY": secret.New().Encode()}
}

func TestAmeValidates(t *testing.T) {
	const advice = "export AME_AUTHKEY=$(head -c 32 /dev/urandom | base64)"
	for name, test := range map[string]struct {
		env fakeenv.Map
		err string
	}{
		"rank is no number":  {byHand().With("AME_RANK", "x"), `AME_RANK="x" is not a whole number`},
		"rank is size":       {byHand().With("AME_RANK", "2"), "AME_RANK=2 must be less than AME_SIZE=2"},
		"negative rank":      {byHand().With("AME_RANK", "-1"), "AME_RANK=-1 is not in 0..2147483647"},
		"no rank":            {byHand().Without("AME_RANK"), "AME_RANK is not set, but AME_SIZE is: who starts ranks by hand sets both on each of them; unset AME_SIZE if it is left over"},
		"no size":            {byHand().Without("AME_SIZE"), "AME_SIZE is not set, but AME_RANK is: who starts ranks by hand sets both on each of them; unset AME_RANK if it is left over"},
		"empty size":         {byHand().With("AME_SIZE", ""), "AME_SIZE is not set, but AME_RANK is: who starts ranks by hand sets both on each of them; unset AME_RANK if it is left over"},
		"size 0":             {byHand().With("AME_SIZE", "0"), "AME_SIZE=0 is not in 1..2147483647"},
		"huge size":          {byHand().With("AME_SIZE", "99999999999999999999"), `AME_SIZE="99999999999999999999" is not a whole number`},
		"no port":            {byHand().Without("AME_PORT"), "AME_PORT is not set: it is the port of rank 0, the same on every rank; or start with ameexec"},
		"port out of range":  {byHand().With("AME_PORT", "70000"), "AME_PORT=70000 is not in 1..65535: it is the port of rank 0, the same on every rank; or start with ameexec"},
		"no host":            {byHand().Without("AME_HOST"), "AME_HOST is not set: set it to the name or address of rank 0's node, on every rank"},
		"no key":             {byHand().Without("AME_AUTHKEY"), "AME_AUTHKEY is not set: make one for the job and set it on every rank: " + advice},
		"short key":          {byHand().With("AME_AUTHKEY", "c2VjcmV0"), "AME_AUTHKEY (8 characters, not shown): decodes to 6 bytes, at least 32 are needed: make one for the job and set it on every rank: " + advice},
		"key is not base64":  {byHand().With("AME_AUTHKEY", "hunter2!"), "AME_AUTHKEY (8 characters, not shown): not base64: make one for the job and set it on every rank: " + advice},
		"odd job":            {byHand().With("AME_JOB", "a b"), `AME_JOB="a b": use 1 to 128 of the characters A-Z a-z 0-9 . _ : @ + -`},
		"descriptor is text": {byHand().With("AME_CONTROL_FD", "three"), `AME_CONTROL_FD="three" is not a whole number`},
	} {
		t.Run(name, func(t *testing.T) {
			_, report, err := Find(t.Context(), test.env.Lookup)
			require.EqualError(t, err, "bootstrap: ame: "+test.err)
			require.NotEmpty(t, report.Entries)
			for _, entry := range report.Entries[1:] {
				assert.NotEqual(t, Chosen, entry.State, "%s must not be chosen", entry.Method)
			}
		})
	}
}

func TestByHandWorker(t *testing.T) {
	for host, want := range map[string]string{
		"node1": "node1:5000", "10.1.2.3": "10.1.2.3:5000", "fd00::1": "[fd00::1]:5000", "[fd00::1]": "[fd00::1]:5000",
	} {
		env := byHand().With("AME_HOST", host)
		world, _, err := Find(t.Context(), env.Lookup)
		require.NoError(t, err)
		assert.Equal(t, []string{want}, world.Root.Addresses)
		assert.Nil(t, world.Listener)
		assert.Equal(t, env["AME_AUTHKEY"], world.Root.Key.Encode())
		assert.Equal(t, -1, world.LocalRank)
	}
}

// freePort is a port that was free just now.
func freePort(t *testing.T) int {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

func TestByHandRootBindsThePort(t *testing.T) {
	port := strconv.Itoa(freePort(t))
	env := byHand().With("AME_RANK", "0", "AME_HOST", "gateway.example", "AME_PORT", port)
	root, _, err := Find(t.Context(), env.Lookup)
	require.NoError(t, err)
	assert.Equal(t, []string{"gateway.example:" + port}, root.Root.Addresses)

	other, _, err := Find(t.Context(), env.With("AME_RANK", "1").Lookup)
	require.NoError(t, err)
	assert.Equal(t, root.Root.Job, other.Root.Job)

	_, _, err = Find(t.Context(), env.Lookup)
	assert.ErrorContains(t, err, "bootstrap: ame: AME_PORT="+port+": nothing free on ")

	conn, err := net.Dial("tcp", "127.0.0.1:"+port)
	require.NoError(t, err)
	conn.Close()
	require.NoError(t, root.Listener.Close())
}

func TestByHandAloneNeedsNothing(t *testing.T) {
	world, _, err := Find(t.Context(), fakeenv.Map{"AME_RANK": "0", "AME_SIZE": "1"}.Lookup)
	require.NoError(t, err)
	assert.Equal(t, "ame", world.Method)
	assert.Nil(t, world.Listener)
	assert.Empty(t, world.Root.Addresses)
}
