package bootstrap

import "runtime/debug"

// Version returns the version of this module that the running program was
// built with, as the go command recorded it, or "(devel)" where it did not.
func Version() string {
	const module = "github.com/dlp-mpi/dlp-go"
	info, ok := debug.ReadBuildInfo()
	if ok && info.Main.Path == module && info.Main.Version != "" {
		return info.Main.Version
	}
	if ok {
		for _, dep := range info.Deps {
			if dep.Path == module {
				return dep.Version
			}
		}
	}
	return "(devel)"
}
