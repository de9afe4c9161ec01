package main

import (
	"maps"
	"slices"
	"strings"
)

// failure is a test that has failed, or a package that has for another reason
// than its tests.
type failure struct {
	pkg, test string // import path; "": the package itself
	name      string // as it is shown
	took      string
	said      []string

	inner bool // it contains another failure, which may be why
	proof bool // no luck can have to do with it

	again    []*failure // what has failed when it was run alone
	unsteady bool       // nothing has
}

// note adds what has failed to the failures.
func (s *show) note(e event, took string, said []string) {
	s.failures = append(s.failures, &failure{
		pkg: e.Package, test: e.Test, name: s.key(e), took: took, said: said,
		inner: e.Test != "" && s.hasFailure(e),
		proof: e.Test == "" || took == noEnd || slices.ContainsFunc(said, isProof),
	})
}

// hasFailure says whether a test of a package, or of another test, has failed.
func (s *show) hasFailure(e event) bool {
	f := &failure{pkg: e.Package, test: e.Test}
	return slices.ContainsFunc(s.failures, f.contains)
}

// noEnd is how long a test has taken that was cut off.
const noEnd = "it did not end"

// cut shows the tests that the end of their package has cut off: a panic, a
// deadline, a timeout. go test does not say how they have ended.
func (s *show) cut(e event) {
	for _, key := range slices.Backward(slices.Sorted(maps.Keys(s.began))) { // subtests first
		began := s.began[key]
		if began.Package != e.Package || began.Test == "" {
			continue
		}
		if !s.parents[key] {
			s.failed++
			s.line("FAIL %s: %s", key, noEnd)
		}
		s.print(s.said[key])
		s.note(began, noEnd, s.said[key])
		delete(s.said, key)
		delete(s.began, key)
	}
}

// fault takes note of a package that has failed by itself, and not only because a
// test of it has.
func (s *show) fault(e event, took string, said []string) {
	if !s.hasFailure(e) || ownFault(said) {
		s.note(e, took, slices.Concat(s.built[e.FailedBuild], said))
	}
}

// contains says whether other is a test of f.
func (f *failure) contains(other *failure) bool {
	return f.pkg == other.pkg && other.test != "" && (f.test == "" || strings.HasPrefix(other.test, f.test+"/"))
}

// isProof says whether a line of output is proof of a fault, however rarely it
// comes. The race detector does not err.
func isProof(line string) bool {
	return strings.Contains(line, "race detected during execution of test") || strings.Contains(line, "WARNING: DATA RACE")
}

// ownFault says whether a package has failed for another reason than that tests
// of it have: package testing says a last word then.
func ownFault(said []string) bool {
	ended := slices.ContainsFunc(said, func(line string) bool { return strings.HasSuffix(line, "FAIL\n") })
	return !ended || slices.ContainsFunc(said, isProof)
}

// maxUnsteady is how many tests of a run may be unsteady. More are no chance.
const maxUnsteady = 2

// secondChance returns the tests that are to be run alone, once nothing else
// runs. A run on a busy machine takes a quarter of an hour, and one unlucky test
// must not make it worthless. There are none if the run fails in any case: if
// a package has failed by itself (it does not build, a panic, a test that did not
// end, goroutines that are left), if there was a data race, or if too many tests
// have failed. If a subtest has failed, only that is run.
func (s *show) secondChance() []*failure {
	var tests []*failure
	for _, f := range s.failures {
		if f.proof {
			return nil
		}
		if !f.inner {
			tests = append(tests, f)
		}
	}
	if len(tests) > maxUnsteady {
		return nil
	}
	return tests
}
