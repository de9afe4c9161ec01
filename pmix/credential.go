package pmix

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
)

// credential is what the security module of that name presents.
func credential(ctx context.Context, security string) ([]byte, error) {
	if security == "munge" {
		return mungeCredential(ctx)
	}
	b := binary.NativeEndian.AppendUint32(nil, uint32(os.Geteuid()))
	return binary.NativeEndian.AppendUint32(b, uint32(os.Getegid())), nil
}

// mungeCredential asks the munge command, for servers that take nothing else
// (seen with Slurm 22.05 and PMIx 4.2.2). The credential is a C string.
func mungeCredential(ctx context.Context) ([]byte, error) {
	var complaint bytes.Buffer
	command := exec.CommandContext(ctx, "munge", "--no-input")
	command.Stderr = &complaint
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("the server takes only munge credentials: munge --no-input: %w %s", err, bytes.TrimSpace(complaint.Bytes()))
	}
	return append(bytes.TrimSpace(out), 0), nil
}
