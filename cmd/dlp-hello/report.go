package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dlp-mpi/dlp-go/bootstrap"
	"github.com/dlp-mpi/dlp-go/dlp"
	"github.com/dlp-mpi/dlp-go/slurm"
)

// report is what rank 0 knows. With --json it is the output: fields may be
// added, but keep their names and meanings. Lists are never null.
type report struct {
	Version   string   `json:"version"`   // of dlp-hello
	Backend   string   `json:"backend"`   // "ame"
	Method    string   `json:"method"`    // of package bootstrap, on rank 0
	Host      string   `json:"host"`      // name of rank 0's node
	Addresses []string `json:"addresses"` // host:port that the other ranks try; empty if size is 1
	Port      int      `json:"port"`      // of the first address; 0 if size is 1
	Rank      int      `json:"rank"`      // 0
	Size      int      `json:"size"`      // number of ranks
	Nodes     string   `json:"nodes"`     // of all ranks, each once, as a hostlist: c[1-3]
	Job       string   `json:"job"`       // the job's name, alike on all ranks
	Methods   []method `json:"methods"`   // in the order in which they are tried
	Warnings  []string `json:"warnings"`  // what looks wrong with how the job was started
	Ranks     []member `json:"ranks"`     // every rank, in their order
	StartMS   float64  `json:"start_ms"`  // how long rank 0's Init took, milliseconds
}

// method is the verdict on one bootstrap method, on rank 0.
type method struct {
	Name   string `json:"name"`
	State  string `json:"state"` // "chosen", "available" or "unavailable"
	Reason string `json:"reason"`
}

// member is what a rank says about itself.
type member struct {
	Rank      int    `json:"rank"`
	Host      string `json:"host"`
	PID       int    `json:"pid"`
	LocalRank int    `json:"local_rank"` // among the ranks of its node; -1 if the launcher does not tell
	LocalSize int    `json:"local_size"` // number of ranks on its node; -1 likewise
	Method    string `json:"method"`
}

func newMember(info dlp.Info) member {
	return member{
		Rank: info.Rank, Host: info.Host, PID: os.Getpid(),
		LocalRank: info.LocalRank, LocalSize: info.LocalSize, Method: info.Method,
	}
}

func newReport(info dlp.Info, took time.Duration) *report {
	r := &report{
		Version: bootstrap.Version(), Backend: "ame", Method: info.Method, Host: info.Host,
		Addresses: append([]string{}, info.Addresses...), Rank: info.Rank, Size: info.Size, Nodes: nodeList(info), Job: info.Job,
		Methods: []method{}, Warnings: append([]string{}, info.Warnings...), Ranks: []member{},
		StartMS: float64(took.Microseconds()) / 1000,
	}
	if len(r.Addresses) > 0 {
		if _, port, err := net.SplitHostPort(r.Addresses[0]); err == nil {
			r.Port, _ = strconv.Atoi(port)
		}
	}
	for _, m := range info.Methods {
		r.Methods = append(r.Methods, method{m.Name, stateName(m), m.Reason})
	}
	return r
}

// nodeList returns the nodes of all ranks, each once, the way Slurm writes them.
func nodeList(info dlp.Info) string {
	var names []string
	for _, peer := range info.Peers {
		if !slices.Contains(names, peer.Host) {
			names = append(names, peer.Host)
		}
	}
	list, err := slurm.Compress(names)
	if err != nil { // a name that no hostlist can hold
		return strings.Join(names, ",")
	}
	return list
}

func stateName(m dlp.Method) string {
	switch {
	case m.Chosen:
		return "chosen"
	case m.Available:
		return "available"
	default:
		return "unavailable"
	}
}

// advice is what the user should know when fewer ranks came than announced.
func (r *report) advice() string {
	if len(r.Warnings) == 0 {
		return "start the program with srun, mpiexec or ameexec"
	}
	return strings.Join(r.Warnings, "; ")
}

// writeHead prints what there is to say before the ranks have talked, in one
// write.
func (r *report) writeHead(w io.Writer) error {
	var b bytes.Buffer
	endpoint := "none: a single rank does not listen"
	if r.Port != 0 {
		endpoint = fmt.Sprintf("%d at %s", r.Port, strings.Join(r.Addresses, ", "))
	}
	fmt.Fprintf(&b, "Backend:  %s\n", r.Backend)
	fmt.Fprintf(&b, "Version:  %s\n", r.Version)
	fmt.Fprintf(&b, "Method:   %s\n", r.Method)
	fmt.Fprintf(&b, "Host:     %s\n", r.Host)
	fmt.Fprintf(&b, "Port:     %s\n", endpoint)
	fmt.Fprintf(&b, "Rank:     %d\n", r.Rank)
	fmt.Fprintf(&b, "Size:     %d\n", r.Size)
	fmt.Fprintf(&b, "Nodes:    %s\n", r.Nodes)
	r.writeMethods(&b, "Available methods:", func(m method) bool { return m.State != "unavailable" })
	r.writeMethods(&b, "Not available:", func(m method) bool { return m.State == "unavailable" })
	_, err := w.Write(b.Bytes())
	return err
}

// writeMethods prints those that match, or "none".
func (r *report) writeMethods(b *bytes.Buffer, heading string, match func(method) bool) {
	width := 0
	for _, m := range r.Methods {
		width = max(width, len(m.Name))
	}
	fmt.Fprintln(b, heading)
	found := false
	for _, m := range r.Methods {
		if !match(m) {
			continue
		}
		found = true
		reason := m.Reason
		if m.State == "chosen" {
			reason = "chosen: " + reason
		}
		fmt.Fprintf(b, "  %-*s  %s\n", width, m.Name, reason)
	}
	if !found {
		fmt.Fprintln(b, "  none")
	}
}

// writeGreetings prints the lines of all ranks, in one write.
func (r *report) writeGreetings(w io.Writer) error {
	var b bytes.Buffer
	for _, m := range r.Ranks {
		// A Buffer takes everything.
		_ = writeGreeting(&b, m, r.Size)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// writeGreeting prints the line of one rank, in one write, so that launchers
// do not mix it with that of another.
func writeGreeting(w io.Writer, m member, size int) error {
	_, err := fmt.Fprintf(w, "Hello from rank %d of %d on %s (pid %d)!\n", m.Rank, size, m.Host, m.PID)
	return err
}

func (r *report) writeJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false) // reasons are for people
	return encoder.Encode(r)
}
