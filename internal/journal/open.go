package journal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// ErrLocked is why a journal cannot be opened that is open already.
var ErrLocked = errors.New("another job, or another loop of this one, has it open")

// ErrDescription is why a journal cannot be opened that is of something else.
var ErrDescription = errors.New("it is of something else")

// Open opens a journal to look up what is finished, and to append to. It makes
// the file if there is none, with mode 0600, and locks it. A tail that is no
// record is cut off. The start is written and synced, so that a full disk is
// found before there is anything to lose. With sync, Commit returns when what it
// has written is on disk.
//
// An error names the path. A file that is no journal, is damaged, locked, a
// symbolic link, no regular file, another user's, or can be written by others is
// not touched.
func Open(path string, d Description, start Start, sync bool) (*Journal, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		var why *fs.PathError
		switch {
		case errors.Is(err, syscall.ELOOP):
			err = errors.New("it is a symbolic link")
		case errors.As(err, &why):
			err = why.Err
		}
		return nil, fmt.Errorf("journal %s: %w", path, err)
	}
	j := &Journal{path: path, file: file, each: sync, finished: map[ID]int64{}}
	if err := j.open(d, start); err != nil {
		file.Close()
		return nil, fmt.Errorf("journal %s: %w", path, err)
	}
	return j, nil
}

func (j *Journal) open(d Description, start Start) error {
	if err := lock(j.file); err != nil {
		return err
	}
	info, err := j.file.Stat()
	if err != nil {
		return err
	}
	if err := check(info); err != nil {
		return err
	}
	if j.size, err = j.load(info.Size(), &d); err != nil {
		return err
	}
	if j.size < info.Size() {
		if err := j.file.Truncate(j.size); err != nil {
			return err
		}
	}
	var b []byte
	if j.size == 0 {
		if b, err = j.begin(&d); err != nil {
			return err
		}
	}
	if err := j.write(appendFrame(b, j.salt, start.append)); err != nil {
		return err
	}
	return errors.Join(j.file.Sync(), syncFolder(j.path))
}

// lock makes sure that nobody else writes. It ends with the file, so with the
// process.
func lock(file *os.File) error {
	for {
		switch err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err {
		case nil:
			return nil
		case syscall.EINTR:
		case syscall.EWOULDBLOCK:
			return ErrLocked
		default:
			return fmt.Errorf("it cannot be locked: %w: is it on a file system without locks? (Lustre has them with the mount option flock)", err)
		}
	}
}

// check refuses what must not be read or written as a journal.
func check(info os.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.Mode().IsRegular():
		return fmt.Errorf("it is no regular file (%v)", info.Mode())
	case ok && int(stat.Uid) != os.Geteuid():
		return fmt.Errorf("it belongs to user %d, this process to %d", stat.Uid, os.Geteuid())
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("its mode %v lets others write: chmod 600", info.Mode())
	}
	return nil
}

// load takes in what is finished and returns the size up to which there are
// records. It is 0 if there is not even a Description.
func (j *Journal) load(size int64, d *Description) (int64, error) {
	if size == 0 {
		return 0, nil
	}
	var torn *TornError
	r, err := NewReader(j.file, size)
	if errors.As(err, &torn) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if err := d.differ(&r.Description); err != nil {
		return 0, err
	}
	j.salt = r.salt
	for {
		e, err := r.Next()
		switch {
		case err == io.EOF:
			return size, nil
		case errors.As(err, &torn):
			return torn.Offset, nil
		case err != nil:
			return 0, err
		}
		if e.Record != nil && !e.Record.Failed {
			j.finished[e.Record.ID] = e.Offset
		}
	}
}

// differ returns an error that says what of a file's Description is not as it
// should be.
func (d *Description) differ(file *Description) error {
	for _, f := range []struct{ what, want, have string }{
		{"label", d.Label, file.Label},
		{"type of the items", d.Item, file.Item},
		{"type of the results", d.Result, file.Result},
		{"version", d.Version, file.Version},
		{"way to identify items", d.Identity, file.Identity},
	} {
		if f.want != f.have {
			return fmt.Errorf("%w: its %s is %q, this loop's is %q: use another file, or remove this one", ErrDescription, f.what, f.have, f.want)
		}
	}
	return nil
}

// begin returns what a new file begins with.
func (j *Journal) begin(d *Description) ([]byte, error) {
	b := []byte(magic + string(make([]byte, saltSize)))
	if _, err := rand.Read(b[len(magic):]); err != nil {
		return nil, err
	}
	j.salt = sum(0, b[len(magic):])
	return appendFrame(b, j.salt, d.append), nil
}

// syncFolder makes sure that the name of a new file is on disk. Not all file
// systems can.
func syncFolder(path string) error {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil // it can be searched, not read
	}
	defer folder.Close()
	if err := folder.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return err
	}
	return nil
}
