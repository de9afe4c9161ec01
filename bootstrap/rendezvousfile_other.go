//go:build !unix

package bootstrap

import (
	"errors"
	"os"
)

// openPrivate refuses: who else can read a file is not known here.
func openPrivate(string) (*os.File, error) {
	return nil, errors.ErrUnsupported
}
