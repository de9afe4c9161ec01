package pmi

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const (
	// maxKey and maxValue are what every launcher carries whole, in bytes.
	// hydra 4.0.2 cuts a key after 63 bytes; MPICH's own client leaves 674
	// for the value of the line that the longest names of the others fill.
	maxKey   = 63
	maxValue = 650

	// maxParts bounds what PutLong sends and what GetLong believes.
	maxParts = 999
)

// limits are the longest key and value, in bytes, that a session may use.
type limits struct {
	key, value int
}

// limitsOf reads the reply to get_maxes. The announced numbers count C's
// terminating zero. They can only lower our own limits: servers announce more
// than they carry. Nonsense counts as not announced.
func limitsOf(maxes message) limits {
	lower := func(limit int, key string) int {
		if announced, err := maxes.number(key); err == nil && announced > 1 {
			return min(limit, announced-1)
		}
		return limit
	}
	return limits{key: lower(maxKey, "keylen_max"), value: lower(maxValue, "vallen_max")}
}

// The punctuation that travels unharmed through every launcher known: no
// space, which ends a value, no semicolon and no backslash, which some of them
// interpret.
const (
	keyPunctuation   = "._-"
	valuePunctuation = "._-:/+=@,"
)

func (l limits) checkKey(key string) error {
	switch {
	case key == "":
		return errors.New("key is empty")
	case len(key) > l.key:
		return fmt.Errorf("key %.80q has %d bytes, the launcher takes %d", key, len(key), l.key)
	case !alphabetic(key, keyPunctuation):
		return fmt.Errorf("key %q: only letters, digits and %s travel through every launcher", key, keyPunctuation)
	}
	return nil
}

func (l limits) checkValue(value string) error {
	switch {
	case value == "": // kills the job under hydra 4.1 and newer
		return errors.New("value is empty")
	case len(value) > l.value:
		return fmt.Errorf("value has %d bytes, the launcher takes %d", len(value), l.value)
	case !alphabetic(value, valuePunctuation):
		return fmt.Errorf("value: only letters, digits and %s travel through every launcher", valuePunctuation)
	}
	return nil
}

func alphabetic(s, punctuation string) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte(punctuation, c) >= 0:
		default:
			return false
		}
	}
	return true
}

// partKey names part i of the long value of key. The first part has the key
// itself, so that a value that fits costs one put and one get.
func partKey(key string, i int) string {
	if i == 0 {
		return key
	}
	return key + "." + strconv.Itoa(i)
}

// split cuts value into parts of at most size bytes. The first one begins with
// the number of parts and a dot.
func split(value string, size int) ([]string, error) {
	size -= len(strconv.Itoa(maxParts)) + len(".") // of the first part; the others can spare it
	if size <= 0 {
		return nil, errors.New("the launcher takes no value long enough to be split")
	}
	count := max(1, (len(value)+size-1)/size)
	if count > maxParts {
		return nil, fmt.Errorf("value has %d bytes, at most %d can be sent here", len(value), maxParts*size)
	}
	parts := make([]string, count)
	for i := range parts {
		parts[i] = value[min(i*size, len(value)):min((i+1)*size, len(value))]
	}
	parts[0] = strconv.Itoa(count) + "." + parts[0]
	return parts, nil
}

// splitHead undoes what split did to the first part.
func splitHead(part string) (head string, count int, err error) {
	number, head, found := strings.Cut(part, ".")
	if found {
		count, err = strconv.Atoi(number)
	}
	if !found || err != nil || count < 1 || count > maxParts {
		return "", 0, errors.New("not the first part of a value that PutLong put")
	}
	return head, count, nil
}
