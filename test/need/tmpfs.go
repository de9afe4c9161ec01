package need

import (
	"os"
	"os/exec"
	"testing"
)

// Tmpfs mounts a small file system with the given options of mount(8) for the
// time of a test; only root can.
func Tmpfs(t testing.TB, options string) (dir string) {
	t.Helper()
	if os.Geteuid() != 0 {
		Unable(t, "only root can mount")
	}
	dir = t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", options, "tmpfs", dir).CombinedOutput(); err != nil {
		Unable(t, "this machine allows no mounts: %s", out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount %s: %s", dir, out)
		}
	})
	return dir
}
