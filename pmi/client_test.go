package pmi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// How the launcher's replies come.
const (
	whole  = "whole"        // a reply at a time
	byByte = "byte by byte" // one byte at a time
	glued  = "glued"        // all replies of the dialogue at once, before they are asked for
)

// clientPart drops what our client does not say: other queries, and gets of a
// key before the barrier, on which launchers disagree.
func clientPart(all []said) []said {
	var part []said
	keep, barrier := true, false
	for _, s := range all {
		if s.byClient {
			m, err := parseMessage(s.line)
			key, _ := m.get("key")
			barrier = barrier || m.command() == "barrier_in"
			switch {
			case err != nil, m.command() == "get_appnum", m.command() == "get_universe_size":
				keep = false
			case m.command() == "get":
				keep = barrier || key == mappingKey
			default:
				keep = true
			}
		}
		if keep {
			part = append(part, s)
		}
	}
	return part
}

// playLauncher is the launcher's side of a dialogue. Each request has to come
// in one write, complete.
func playLauncher(conn net.Conn, script []said, delivery string) error {
	defer conn.Close()
	var all strings.Builder
	for _, s := range script {
		if !s.byClient {
			all.WriteString(s.line + "\n")
		}
	}
	early := make(chan error, 1)
	if delivery == glued {
		go func() {
			_, err := io.WriteString(conn, all.String())
			early <- err
		}()
	} else {
		early <- nil
	}
	buffer := make([]byte, 4096)
	for _, s := range script {
		switch {
		case s.byClient:
			n, err := conn.Read(buffer)
			if got := string(buffer[:n]); err != nil || got != s.line+"\n" {
				return fmt.Errorf("got %q, %v, want %q", got, err, s.line)
			}
		case delivery == whole:
			if _, err := io.WriteString(conn, s.line+"\n"); err != nil {
				return err
			}
		case delivery == byByte:
			for _, b := range []byte(s.line + "\n") {
				if _, err := conn.Write([]byte{b}); err != nil {
					return err
				}
			}
		}
	}
	return <-early
}

// playClient lets c do what the client of the dialogue did, and compares.
func playClient(t *testing.T, c *Client, script []said) {
	ctx := t.Context()
	require.NoError(t, c.start(ctx))
	for i := 0; i < len(script); i += 2 {
		request, err := parseMessage(script[i].line)
		require.NoError(t, err)
		reply, err := parseMessage(script[i+1].line)
		require.NoError(t, err)
		key, _ := request.get("key")
		value, _ := request.get("value")
		switch request.command() {
		case "get_my_kvsname":
			name, _ := reply.get("kvsname")
			assert.Equal(t, name, c.session.kvsname)
		case "put":
			require.NoError(t, c.Put(ctx, key, value))
		case "barrier_in":
			require.NoError(t, c.Barrier(ctx))
		case "get":
			got, err := c.Get(ctx, key)
			if rc, _ := reply.get("rc"); rc != "0" {
				require.ErrorIs(t, err, ErrNoKey)
				continue
			}
			require.NoError(t, err)
			want, _ := reply.get("value")
			assert.Equal(t, want, got)
		case "finalize":
			require.NoError(t, c.Finalize(ctx))
		}
	}
	require.NoError(t, c.Close())
}

func TestClientSpeaksEveryDialect(t *testing.T) {
	for _, d := range dialects {
		script := clientPart(readDialogue(t, d.file))
		for _, delivery := range []string{whole, byByte, glued} {
			t.Run(d.name+"/"+delivery, func(t *testing.T) {
				ours, theirs := net.Pipe()
				launcher := make(chan error, 1)
				go func() { launcher <- playLauncher(theirs, script, delivery) }()
				playClient(t, newClient(ours, 1, 3), script)
				require.NoError(t, <-launcher)
			})
		}
	}
}

// conversation answers each request of a client with what answers holds for
// its command, and with the usual replies for the others; "" is silence and
// "-" hangs up.
func conversation(conn net.Conn, answers map[string]string) {
	defer conn.Close()
	usual := map[string]string{
		"init":           "cmd=response_to_init rc=0 pmi_version=1 pmi_subversion=1",
		"get_maxes":      "cmd=maxes rc=0 kvsname_max=256 keylen_max=64 vallen_max=1024",
		"get_my_kvsname": "cmd=my_kvsname rc=0 kvsname=12.0",
		"put":            "cmd=put_result rc=0",
		"barrier_in":     "cmd=barrier_out",
		"finalize":       "cmd=finalize_ack",
	}
	buffer := make([]byte, 4096)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return
		}
		m, err := parseMessage(strings.TrimSuffix(string(buffer[:n]), "\n"))
		if err != nil {
			return
		}
		answer, ok := answers[m.command()]
		if !ok {
			answer = usual[m.command()]
		}
		switch answer {
		case "-":
			return
		case "":
		default:
			if _, err := io.WriteString(conn, answer+"\n"); err != nil {
				return
			}
		}
	}
}

func TestClientErrors(t *testing.T) {
	tests := []struct {
		name, command, answer string
		text                  string
	}{
		{"init refused", "init", "cmd=response_to_init rc=-1 pmi_version=2 pmi_subversion=0", "pmi: rank 1: init: the launcher does not speak PMI-1.1"},
		{"hangs up at init", "init", "-", "pmi: rank 1: init: the launcher closed the connection"},
		{"hangs up in the barrier", "barrier_in", "-", "pmi: rank 1: barrier_in: the launcher closed the connection"},
		{"reply to something else", "put", "cmd=get_result rc=0 value=secret", `put: the launcher replied "cmd=get_result rc=0 value=(6 bytes)" and not cmd=put_result`},
		{"put refused", "put", "cmd=put_result rc=-1 msg=key_too_long", `put: the launcher refused: "cmd=put_result rc=-1 msg=key_too_long"`},
		{"barrier failed under Slurm", "barrier_in", "cmd=barrier_out rc=4 msg=mpi/pmi2:_failed_to_send_temp_kvs", "_failed_to_send_temp_kvs"},
		{"rc is no number", "put", "cmd=put_result rc=x", "the launcher refused"},
		{"no value", "get", "cmd=get_result rc=0", "get: no value= in the reply for key k"},
		{"no kvsname", "get_my_kvsname", "cmd=my_kvsname rc=0", "get_my_kvsname: no kvsname="},
		{"binary", "put", "\x00\x01\xff", "no cmd= in"},
		{"a line without end", "put", strings.Repeat("x", maxReply+1), "a line of more than 65536 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // a stuck launcher costs Close a second
				ours, theirs := net.Pipe()
				done := make(chan struct{})
				go func() {
					conversation(theirs, map[string]string{tt.command: tt.answer})
					close(done)
				}()
				c := newClient(ours, 1, 3)
				err := func() error {
					if err := c.start(t.Context()); err != nil {
						return err
					}
					if err := c.Put(t.Context(), "k", "v"); err != nil {
						return err
					}
					if err := c.Barrier(t.Context()); err != nil {
						return err
					}
					_, err := c.Get(t.Context(), "k")
					return err
				}()
				require.ErrorContains(t, err, tt.text)
				assert.NotContains(t, err.Error(), "secret")
				var e *Error
				require.ErrorAs(t, err, &e)
				assert.Equal(t, 1, e.Rank)
				require.NoError(t, c.Close())
				<-done
			})
		})
	}
}

func TestClientWaitsNoLongerThanItsDeadlines(t *testing.T) {
	for command, limit := range map[string]time.Duration{"init": replyTimeout, "barrier_in": barrierTimeout} {
		t.Run(command, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				go conversation(theirs, map[string]string{command: "", "finalize": ""})
				c := newClient(ours, 1, 3)
				begin := time.Now()
				err := c.start(t.Context())
				if err == nil {
					err = c.Barrier(t.Context())
				}
				require.ErrorContains(t, err, "from the launcher: nothing for "+limit.String())
				assert.Equal(t, limit, time.Since(begin))
				begin = time.Now()
				require.NoError(t, c.Close())
				assert.Equal(t, farewell, time.Since(begin))
			})
		})
	}
}

func TestClientTakesFoundForTheAnswer(t *testing.T) {
	for answer, missing := range map[string]bool{
		"cmd=get_result rc=0 value=v found=TRUE": false, "cmd=get_result rc=0 found=TRUE value=v": false,
		"cmd=get_result rc=0 found=FALSE": true, "cmd=get_result rc=0 value=unknown found=FALSE": true,
	} {
		ours, theirs := net.Pipe()
		go conversation(theirs, map[string]string{"get": answer})
		c := newClient(ours, 0, 1)
		require.NoError(t, c.start(t.Context()))
		value, err := c.Get(t.Context(), "k")
		if missing {
			assert.ErrorIs(t, err, ErrNoKey, answer)
		} else {
			assert.Equal(t, "v", value, answer)
		}
		require.NoError(t, c.Close())
	}
}

func TestClientObeysItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		go conversation(theirs, map[string]string{"barrier_in": ""})
		c := newClient(ours, 1, 3)
		require.NoError(t, c.start(t.Context()))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := c.Barrier(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.ErrorContains(t, err, "waiting for cmd=barrier_out")
		require.NoError(t, c.Close())
	})
}

func TestClientRefusesWhatLaunchersCut(t *testing.T) {
	ours, theirs := net.Pipe()
	go conversation(theirs, map[string]string{"get_my_kvsname": "cmd=my_kvsname kvsname=" + strings.Repeat("n", 500)})
	c := newClient(ours, 0, 1)
	require.NoError(t, c.start(t.Context()))
	assert.ErrorContains(t, c.Put(t.Context(), strings.Repeat("k", 64), "v"), "the launcher takes 63")
	assert.ErrorContains(t, c.Put(t.Context(), "k", strings.Repeat("v", 651)), "the launcher takes 650")
	assert.ErrorContains(t, c.Put(t.Context(), "k", "a b"), "only letters")
	assert.ErrorContains(t, c.Put(t.Context(), "k", strings.Repeat("v", 650)), "launchers take 1024")
	assert.NoError(t, c.PutLong(t.Context(), "k", strings.Repeat("v", 650)), "split to fit beside the long name")
	assert.ErrorContains(t, c.PutLong(t.Context(), strings.Repeat("k", 60), "v"), "the launcher takes 63")
	require.NoError(t, c.Close())
	require.NoError(t, c.Close(), "twice is harmless")
}

func TestAppNum(t *testing.T) {
	for name, test := range map[string]struct {
		reply string
		want  int
		err   string
	}{
		"hydra 4.0":  {"cmd=appnum appnum=0", 0, ""},
		"hydra 5.0":  {"cmd=appnum rc=0 appnum=1", 1, ""},
		"Slurm":      {"cmd=appnum rc=0 appnum=-1", -1, ""},
		"no number":  {"cmd=appnum rc=0", 0, "get_appnum"},
		"other word": {"cmd=maxes rc=0", 0, "cmd=appnum"},
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := net.Pipe()
			read := make(chan string, 1)
			go func() {
				buffer := make([]byte, 100)
				n, _ := theirs.Read(buffer)
				read <- string(buffer[:n])
				io.WriteString(theirs, test.reply+"\n")
			}()
			c := newClient(ours, 0, 1)
			n, err := c.AppNum(t.Context())
			assert.Equal(t, "cmd=get_appnum\n", <-read)
			if test.err == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, test.err)
			}
			assert.Equal(t, test.want, n)
			require.NoError(t, c.Close())
		})
	}
}

func TestPortMode(t *testing.T) {
	tests := []struct{ name, replies string }{
		{"hydra 4.0.2", "cmd=initack\ncmd=set size=2\ncmd=set rank=1\ncmd=set debug=0\n"},
		{"hydra 4.2.0 and 5.0.1", "cmd=initack rc=0 rank=1 size=2 appnum=0 debug=0\ncmd=set size=2\ncmd=set rank=1\ncmd=set debug=0\n"},
		{"other order, nothing more", "cmd=initack\ncmd=set rank=1\ncmd=set size=2\n"},
		{"all in one line", "cmd=initack rank=1 size=2\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			defer listener.Close()
			served := make(chan error, 1)
			go func() {
				conn, err := listener.Accept()
				if err != nil {
					served <- err
					return
				}
				buffer := make([]byte, 100)
				n, err := conn.Read(buffer)
				if string(buffer[:n]) != "cmd=initack pmiid=7\n" {
					err = errors.Join(err, fmt.Errorf("got %q", buffer[:n]))
				}
				_, _ = io.WriteString(conn, tt.replies)
				conversation(conn, nil)
				served <- err
			}()
			env := mapEnv{"PMI_PORT": listener.Addr().String(), "PMI_ID": "7"}
			require.NoError(t, Detect(env.lookup))
			c, err := Open(t.Context(), env.lookup)
			require.NoError(t, err)
			assert.Equal(t, 1, c.Rank())
			assert.Equal(t, 2, c.Size())
			require.NoError(t, c.Barrier(t.Context()))
			require.NoError(t, c.Close())
			require.NoError(t, <-served)
		})
	}
}

func TestPortModeWithoutALauncher(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	env := mapEnv{"PMI_PORT": address, "PMI_ID": "0"}
	_, err = Open(t.Context(), env.lookup)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	assert.ErrorContains(t, err, "PMI_PORT="+address+": ")
	assert.ErrorContains(t, err, "then unset it")
}

func TestPortModeRefusesImpossibleRanks(t *testing.T) {
	ours, theirs := net.Pipe()
	go conversation(theirs, map[string]string{"initack": "cmd=initack rank=2 size=2"})
	c := newClient(ours, 0, 0)
	assert.ErrorContains(t, c.introduce(t.Context(), "0"), "rank 2 of 2")
	require.NoError(t, c.Close())

	ours, theirs = net.Pipe()
	go conversation(theirs, map[string]string{"initack": "cmd=initack" + strings.Repeat("\ncmd=set debug=0", 100)})
	c = newClient(ours, 0, 0)
	assert.ErrorContains(t, c.introduce(t.Context(), "0"), "no rank and size in 16 lines")
	require.NoError(t, c.Close())
}
