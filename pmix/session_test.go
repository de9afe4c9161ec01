package pmix

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// recorded is one frame of a session in testdata.
type recorded struct {
	fromClient bool
	what       string
	bytes      []byte
}

func readSession(t testing.TB, name string) []recorded {
	text, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
	require.NoError(t, err)
	var frames []recorded
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Fields(line)
		require.Len(t, f, 3, line)
		b, err := hex.DecodeString(f[2])
		require.NoError(t, err)
		frames = append(frames, recorded{f[0] == "c2s", f[1], b})
	}
	return frames
}

// split takes a frame apart.
func (r recorded) split(t testing.TB) (header, []byte) {
	require.GreaterOrEqual(t, len(r.bytes), headerSize)
	h, err := parseHeader([headerSize]byte(r.bytes))
	require.NoError(t, err)
	payload := r.bytes[headerSize:]
	require.EqualValues(t, h.length, len(payload))
	return h, payload
}

// Sessions recorded on the sockets of real servers. What the client sends is
// parsed as a server would and packed again by the client's code; what the
// server sends is parsed by the client's code and packed again. Both must
// give the recorded bytes.
func TestRecordedSessions(t *testing.T) {
	flex, fixed := codec{}, codec{fixed: true}
	tests := []struct {
		name      string
		namespace string
		rank      uint32
		module    string
		codec     codec
		size      uint64            // of the job, 0 if the session does not ask
		got       map[uint32]string // "ame" of other ranks
		missed    Status            // of the get for a key that nobody put
	}{
		{"ompi-4.1.4_pmix-4.2.2_basic", "1051328513", 1, "v41", flex, 3, names("vm", 3), -46},
		{"ompi-4.1.4_pmix-4.2.2_v3", "1043595265", 1, "v3", fixed, 3, names("vm", 3), -46},
		{"ompi-4.1.4_pmix-4.2.2_described", "1854144513", 1, "v41", codec{described: true}, 3, names("vm", 3), -46},
		{"ompi-4.1.4_pmix-4.2.2_abort", "", 1, "v41", flex, 2, nil, 0},
		{"ompi-4.1.4_pmix-4.2.2_miss", "", 1, "v41", flex, 2, nil, -24},
		{"ompi-4.1.4_pmix-4.2.2_miss-immediate", "", 1, "v41", flex, 2, nil, -46},
		{"ompi-4.1.4_pmix-4.2.2_c-library", "", 0, "v41", flex, 0, nil, 0},
		{"slurm-22.05_pmix-4.2.2_basic", "slurm.pmix.165.0", 2, "v41", flex, 3, map[uint32]string{0: "host0-c1:port:key-0", 2: "host2-c2:port:key-0"}, -46},
		{"slurm-22.05_pmix-4.2.2_other-node", "slurm.pmix.166.0", 2, "v41", flex, 3, map[uint32]string{0: "host0-c1:port:key-0"}, 0},
		{"slurm-22.05_pmix-4.2.2_miss", "slurm.pmix.167.0", 2, "v41", flex, 3, map[uint32]string{0: "host0-c1:port:key-0"}, 0},
		{"slurm-22.05_pmix-4.2.2_c-library-munge", "slurm.pmix.11.0", 1, "v41", flex, 0, nil, 0},
		{"simptest_pmix-3.2.5_basic", "foobar", 1, "v3", fixed, 3, names("vm", 3), -46},
		{"ompi-4.1.0_pmix-4.0.0_basic", "", 1, "v4", flex, 3, names("vm", 3), -46},
		{"ompi-5.0.7_pmix-5.0.7_basic", "prterun-vm-3317@1", 2, "v41", flex, 3, names("vm", 3), -46},
		{"ompi-5.0.7_pmix-5.0.7_deferred", "", 1, "v41", flex, 2, map[uint32]string{0: "host0-vm:port:key-0"}, 0},
	}
	files, err := filepath.Glob("testdata/*_pmix-*.txt")
	require.NoError(t, err)
	assert.Len(t, tests, len(files), "sessions in testdata")

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			frames := readSession(t, tt.name)
			hand, version, store, rest, err := parseHello(frames[0].bytes)
			require.NoError(t, err)
			if tt.namespace != "" {
				assert.Equal(t, tt.namespace, hand.namespace)
			}
			assert.Equal(t, tt.rank, hand.rank)
			assert.Equal(t, tt.module, hand.module)
			assert.Equal(t, tt.codec, hand.codec)
			assert.Equal(t, "hash", store)
			ours, err := hand.append(nil)
			require.NoError(t, err)
			if version == protocolVersion {
				assert.Equal(t, frames[0].bytes, ours, "handshake")
				assert.Empty(t, rest)
			} else { // the C library names its own release and adds a byte
				assert.Equal(t, []byte{0}, rest)
			}

			var welcome [welcomeSize]byte
			copy(welcome[:4], frames[1].bytes)
			copy(welcome[4:], frames[2].bytes)
			index, err := parseWelcome(welcome)
			require.NoError(t, err)

			var asked question
			got := make(map[uint32]string)
			var size uint64
			var missed Status
			for _, f := range frames[3:] {
				h, payload := f.split(t)
				if f.fromClient {
					assert.Equal(t, index, h.index, f.what)
					asked, err = parseQuestion(tt.codec, payload)
					require.NoError(t, err, f.what)
					frame := append(header{index, h.tag, uint32(len(payload))}.append(nil), asked.pack(tt.codec)...)
					assert.Equal(t, f.bytes, frame, f.what)
					continue
				}
				if asked.command != commandGet {
					require.NoError(t, tt.codec.parseStatus(payload), f.what)
					assert.Equal(t, payload, tt.codec.packStatus(0), f.what)
					continue
				}
				known, err := tt.codec.parseGet(payload, asked.rank)
				if errors.As(err, &missed) {
					assert.Equal(t, payload, tt.codec.packStatus(missed), f.what)
					continue
				}
				require.NoError(t, err, f.what)
				if len(known) == 1 {
					assert.Equal(t, payload, tt.codec.packFound(hand.namespace, asked.rank, known), f.what)
				}
				if v, ok := find(known, "pmix.job.size"); ok {
					size = v.num
				}
				if v, ok := find(known, "ame"); ok && tt.got != nil {
					got[asked.rank] = v.text
				}
			}
			assert.Equal(t, tt.size, size)
			assert.Equal(t, tt.missed, missed)
			if tt.got != nil {
				for rank, text := range tt.got {
					assert.Equal(t, text, got[rank], "rank %d", rank)
				}
			}
		})
	}
}

// names is what the ranks of a recorded session have put.
func names(host string, size uint32) map[uint32]string {
	m := make(map[uint32]string)
	for r := range size {
		m[r] = "host" + string(rune('0'+r)) + "-" + host + ":port:key-0"
	}
	return m
}

// The place of a rank as read from what real servers told about the job.
func TestReadJobOfRecordedSessions(t *testing.T) {
	tests := []struct {
		name string
		host string
		want job
	}{
		{"ompi-4.1.4_pmix-4.2.2_basic", "vm", job{3, 1, 3}},
		{"ompi-4.1.4_pmix-4.2.2_v3", "vm", job{3, 1, 3}},
		{"ompi-4.1.4_pmix-4.2.2_described", "vm", job{3, 1, 3}},
		{"slurm-22.05_pmix-4.2.2_basic", "c2", job{3, 0, 1}},
		{"ompi-5.0.7_pmix-5.0.7_basic", "vm", job{3, 2, 3}},
		{"ompi-4.1.0_pmix-4.0.0_basic", "vm", job{3, 1, 3}},
		{"simptest_pmix-3.2.5_basic", "test001", job{3, 0, 1}},
		{"simptest_pmix-3.2.5_basic", "elsewhere", job{3, -1, -1}},
	}
	for _, tt := range tests {
		t.Run(tt.name+" on "+tt.host, func(t *testing.T) {
			frames := readSession(t, tt.name)
			hand, _, _, _, err := parseHello(frames[0].bytes)
			require.NoError(t, err)
			var known []kval
			var asked question
			for _, f := range frames[3:] {
				_, payload := f.split(t)
				if f.fromClient {
					asked, _ = parseQuestion(hand.codec, payload)
				} else if asked.command == commandGet && asked.rank == wildcard {
					found, err := hand.codec.parseGet(payload, wildcard)
					require.NoError(t, err)
					known = append(known, found...)
				}
			}
			got, err := readJob(known, hand.rank, tt.host)
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
		})
	}
}

// Status answers as they were seen, of all dialects.
func TestParseStatus(t *testing.T) {
	tests := []struct {
		hex   string
		codec codec
		want  error
	}{
		{"0200", codec{}, nil},
		{"0267", codec{}, StatusPartialSuccess},
		{"0241", codec{}, StatusInvalidArg},
		{"022f", codec{}, StatusTimeout},
		{"025b", codec{}, StatusNotFound},
		{"025d", codec{}, StatusNotSupported},
		{"0263", codec{}, StatusReadPastEnd},
		{"0279", codec{}, StatusLostConnection},
		{"0000000100000000", codec{fixed: true}, nil},
		{"00000001ffffffd2", codec{fixed: true}, StatusNotFound},
		{"09021400", codec{described: true}, nil},
	}
	for _, tt := range tests {
		b, err := hex.DecodeString(tt.hex)
		require.NoError(t, err)
		assert.Equal(t, tt.want, tt.codec.parseStatus(b), tt.hex)
	}
	for _, bad := range []string{"", "02", "0400", "020000", "09021400", "0000000100000000"} {
		b, _ := hex.DecodeString(bad)
		var status Status
		err := codec{}.parseStatus(b)
		require.Error(t, err, bad)
		assert.False(t, errors.As(err, &status), "%s: %v", bad, err)
	}
}

func TestWelcome(t *testing.T) {
	var b [welcomeSize]byte
	binary.BigEndian.PutUint32(b[4:], 5)
	index, err := parseWelcome(b)
	require.NoError(t, err)
	assert.EqualValues(t, 5, index)

	binary.BigEndian.PutUint32(b[:], 0xfffffff4)
	_, err = parseWelcome(b)
	assert.ErrorIs(t, err, StatusInvalidCred)
}
