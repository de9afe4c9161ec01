package program

import (
	"debug/elf"
	"os"
	"runtime/debug"
)

// buildID stands for the contents of this executable: the id that the go
// command leaves in it, which comes from all that went into the build. Where
// there is none (-ldflags=-buildid=, systems without ELF), what the go command
// has recorded about sources and flags must do.
func buildID() string {
	if id := noteOf("/proc/self/exe"); id != "" {
		return id
	}
	if path, err := os.Executable(); err == nil {
		if id := noteOf(path); id != "" {
			return id
		}
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.String()
	}
	return ""
}

// noteOf reads the build id of an ELF file: the note named Go of type 4.
func noteOf(path string) string {
	file, err := elf.Open(path)
	if err != nil {
		return ""
	}
	defer file.Close()
	section := file.Section(".note.go.buildid")
	if section == nil || section.Size > 4<<10 {
		return ""
	}
	note, err := section.Data()
	const head = 16 // three sizes and "Go\x00\x00"
	if err != nil || len(note) <= head {
		return ""
	}
	size := int(file.ByteOrder.Uint32(note[4:]))
	if size <= 0 || size > len(note)-head {
		return ""
	}
	return string(note[head : head+size])
}
