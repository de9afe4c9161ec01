package pmix

import (
	"errors"
	"io/fs"
	"maps"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func lookup(m map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := m[name]; return v, ok }
}

// The variables of srun --mpi=pmix, Slurm 22.05.8 with OpenPMIx 4.2.2.
var slurmVariables = map[string]string{
	"PMIX_BFROP_BUFFER_TYPE": "PMIX_BFROP_BUFFER_NON_DESC",
	"PMIX_GDS_MODULE":        "ds21,ds12,hash",
	"PMIX_HOSTNAME":          "c2",
	"PMIX_NAMESPACE":         "slurm.pmix.99.0",
	"PMIX_RANK":              "3",
	"PMIX_SECURITY_MODE":     "munge,native",
	"PMIX_SERVER_URI21":      "pmix-server.2796;tcp4://127.0.0.1:59265",
	"PMIX_SERVER_URI2":       "pmix-server.2796;tcp4://127.0.0.1:59265",
	"PMIX_SERVER_URI3":       "pmix-server.2796;tcp4://127.0.0.1:59265",
	"PMIX_SERVER_URI4":       "pmix-server.2796;tcp4://127.0.0.1:59265",
	"PMIX_SERVER_URI41":      "pmix-server.2796;tcp4://127.0.0.1:59265",
	"PMIX_VERSION":           "4.2.2rc2",
}

func TestReadEnvironment(t *testing.T) {
	want := environment{
		namespace: "slurm.pmix.99.0",
		rank:      3,
		host:      "c2",
		server:    netip.MustParseAddrPort("127.0.0.1:59265"),
		version:   "4.2.2rc2",
		module:    "v41",
		security:  "native",
	}
	const unset = "\x00"
	tests := []struct {
		name   string
		change map[string]string
		want   func(*environment)
		absent string // part of the reason for not available
		broken string // part of another error
	}{
		{name: "as it is"},
		{name: "4.0", change: map[string]string{"PMIX_SERVER_URI41": unset}, want: func(e *environment) { e.module = "v4" }},
		{name: "3.x", change: map[string]string{"PMIX_SERVER_URI41": unset, "PMIX_SERVER_URI4": unset},
			want: func(e *environment) { e.module, e.codec.fixed = "v3", true }},
		{name: "7.0", change: map[string]string{"PMIX_SERVER_URI61": "x.0;tcp4://127.0.0.1:1", "PMIX_SERVER_URI2": unset, "PMIX_GDS_MODULE": "shmem3,hash"}},
		{name: "described", change: map[string]string{"PMIX_BFROP_BUFFER_TYPE": "PMIX_BFROP_BUFFER_FULLY_DESC"}, want: func(e *environment) { e.codec.described = true }},
		{name: "no security named", change: map[string]string{"PMIX_SECURITY_MODE": unset}},
		{name: "native only", change: map[string]string{"PMIX_SECURITY_MODE": "native"}},
		{name: "munge only", change: map[string]string{"PMIX_SECURITY_MODE": "munge"}, want: func(e *environment) { e.security = "munge" }},
		{name: "PRRTE", change: map[string]string{"PMIX_NAMESPACE": "prterun-vm-28650@1", "PMIX_SERVER_URI41": "prterun-vm-28650@0.0;tcp4://192.0.2.2:39385"},
			want: func(e *environment) {
				e.namespace, e.server = "prterun-vm-28650@1", netip.MustParseAddrPort("192.0.2.2:39385")
			}},
		{name: "IPv6", change: map[string]string{"PMIX_SERVER_URI41": "x.0;tcp6://[fe80::1]:5"},
			want: func(e *environment) { e.server = netip.MustParseAddrPort("[fe80::1]:5") }},

		{name: "no launcher", change: map[string]string{"PMIX_NAMESPACE": unset}, absent: "PMIX_NAMESPACE is not set"},
		{name: "no rank", change: map[string]string{"PMIX_RANK": unset}, absent: "PMIX_RANK is not"},
		{name: "no server", change: map[string]string{"PMIX_SERVER_URI41": unset, "PMIX_SERVER_URI4": unset, "PMIX_SERVER_URI3": unset,
			"PMIX_SERVER_URI2": unset, "PMIX_SERVER_URI21": unset}, absent: "there is no server"},
		{name: "2.x", change: map[string]string{"PMIX_SERVER_URI41": unset, "PMIX_SERVER_URI4": unset, "PMIX_SERVER_URI3": unset, "PMIX_VERSION": "2.1.4"},
			absent: `PMIX_VERSION "2.1.4") offers PMIX_SERVER_URI2, PMIX_SERVER_URI21, this client speaks PMIX_SERVER_URI41`},
		{name: "unknown buffers", change: map[string]string{"PMIX_BFROP_BUFFER_TYPE": "PMIX_BFROP_BUFFER_XDR"}, absent: "PMIX_BFROP_BUFFER_XDR"},
		{name: "no hash", change: map[string]string{"PMIX_GDS_MODULE": "shmem4"}, absent: "PMIX_GDS_MODULE=shmem4"},
		{name: "other integers", change: map[string]string{"PMIX_MCA_psquash": "native"}, absent: "PMIX_MCA_psquash=native"},
		{name: "other security", change: map[string]string{"PMIX_SECURITY_MODE": "none,dummy_handshake"}, absent: "dummy_handshake"},

		{name: "rank garbled", change: map[string]string{"PMIX_RANK": "0x3"}, broken: `"0x3"`},
		{name: "rank wildcard", change: map[string]string{"PMIX_RANK": "4294967294"}, broken: "4294967294"},
		{name: "address garbled", change: map[string]string{"PMIX_SERVER_URI41": "x.0;tcp4://localhost:5"}, broken: "localhost"},
		{name: "address without port", change: map[string]string{"PMIX_SERVER_URI41": "x.0;tcp4://127.0.0.1:0"}, broken: "port 0"},
		{name: "other transport", change: map[string]string{"PMIX_SERVER_URI41": "x.0;usock:/tmp/x"}, broken: "usock"},
		{name: "no address", change: map[string]string{"PMIX_SERVER_URI41": "tcp4://127.0.0.1:5"}, broken: "no ';'"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := maps.Clone(slurmVariables)
			for k, v := range tt.change {
				if m[k] = v; v == unset {
					delete(m, k)
				}
			}
			got, err := readEnvironment(lookup(m))
			switch {
			case tt.absent != "":
				require.ErrorIs(t, err, ErrNotAvailable)
				assert.ErrorContains(t, err, tt.absent)
			case tt.broken != "":
				require.NotErrorIs(t, err, ErrNotAvailable)
				assert.ErrorContains(t, err, tt.broken)
			default:
				require.NoError(t, err)
				want := want
				if tt.want != nil {
					tt.want(&want)
				}
				assert.Equal(t, want, got)
			}
		})
	}
}

func TestIdentity(t *testing.T) {
	const all = "         0          0 4294967295\n"
	files := func(uid, gid string) func(string) ([]byte, error) {
		return func(name string) ([]byte, error) {
			switch {
			case name == "/proc/self/uid_map" && uid != "":
				return []byte(uid), nil
			case name == "/proc/self/gid_map" && gid != "":
				return []byte(gid), nil
			case name == "/proc/self/stat" && uid != "-":
				return []byte("1 (x)"), nil
			}
			return nil, fs.ErrNotExist
		}
	}
	me := func(uid, gid string) process { return process{1000, 1000, 100, 100, files(uid, gid)} }
	slurm := map[string]string{"PMIX_NAMESPACE": "slurm.pmix.7.0", "SLURM_JOB_UID": "1000", "SLURM_JOB_GID": "100"}
	tests := []struct {
		name   string
		p      process
		env    map[string]string
		reason string
	}{
		{"no namespace", me(all, all), slurm, ""},
		{"kernel without user namespaces", me("", ""), slurm, ""},
		{"own ids kept", me("1000 1000 1\n", "100 100 1\n"), slurm, ""},
		{"several ranges", me("0 100000 1000\n1000 1000 1\n1001 101001 64535\n", "0 0 65536\n"), slurm, ""},
		{"root in a container", process{0, 0, 0, 0, files("0 1000 1\n1 100000 65536\n", "0 1000 1\n")}, nil, "user id 0 is 1000 outside"},
		{"within a shifted range", me("0 100000 65536\n", "0 100000 65536\n"), nil, "user id 1000 is 101000 outside"},
		{"group shifted", me("0 0 65536\n", "0 100000 65536\n"), nil, "group id 100 is 100100 outside"},
		{"group not mapped", process{1000, 1000, 65534, 65534, files("1000 1000 1\n", "0 0 1\n")}, nil, "group id 65534 does not exist"},
		{"no mapping yet", me("\n", all), nil, "not known"},
		{"set-user-ID", process{1000, 0, 100, 100, files(all, all)}, nil, "set-user-ID"},
		{"set-group-ID", process{1000, 1000, 100, 0, files(all, all)}, nil, "set-group-ID"},
		{"after newgrp", me(all, all), map[string]string{"PMIX_NAMESPACE": "slurm.pmix.7.0", "SLURM_JOB_GID": "500"}, "SLURM_JOB_GID=500 and this process with 100"},
		{"mpiexec after newgrp", me(all, all), map[string]string{"PMIX_NAMESPACE": "31064065", "SLURM_JOB_GID": "500"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := checkIdentity(tt.p, lookup(tt.env))
			if tt.reason == "" {
				assert.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, ErrNotAvailable)
			assert.ErrorContains(t, err, tt.reason)
		})
	}
	p := me(all, all)
	p.read = func(string) ([]byte, error) { return nil, errors.New("permission denied") }
	assert.ErrorIs(t, checkIdentity(p, lookup(slurm)), ErrNotAvailable)
}
