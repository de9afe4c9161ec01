package launch

import "os"

// removed opens a new file and takes its name away.
func removed(dir string) (*os.File, error) {
	file, err := os.CreateTemp(dir, "dlp-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}
