package dlp

// Journal keeps the results of MapUnordered, MapFromRoot or Execute in a file on rank
// 0's node, so that the program goes on where it was when it is started again: rank 0
// appends each result and then yields it. Started again, it yields what is in the
// file, with Resumed set, and only the other items are worked on. So the loop body
// sees every item once in each start: what it writes elsewhere it should write
// anew.
//
// With Execute, the result of a task is in the file before its future is done. A task
// that is submitted again has its result from the file, and no rank works on it. It is
// known by its function's name and, as items are, by its argument: by the Key whose
// type fits, if one is given, and among equal ones by the order of Submit.
//
// An item is known by its Key or else by all that is in it, and among items that
// are equal by their order. So the list may have grown or be in another order.
// Items of a type that is not made of bools, numbers, strings, arrays, slices and
// structs of those need a Key. What is in the file and not in the list stays
// there. Items that have failed are not kept, and are worked on again.
//
// A file belongs to one kind of loop: its label (Progress), the types of items and
// results, for Execute the names and types of all functions, JournalVersion, and
// whether there is a Key must be the same, else it is
// an error on all ranks before any work starts. So is a file that another job has
// open, that is damaged, or that cannot be written. When writing fails later, for
// instance because the disk is full, the loop ends with an error that says how
// much is safe; what has been yielded is.
//
// If the process dies, nothing that was yielded is lost; if the machine does, up
// to a second of it may be, or nothing with JournalSync.
//
// What rank 0 passes counts. Docs: docs/journal.md.
func Journal(path string, opts ...JournalOption) WorkOption {
	j := &journalOptions{path: path}
	for _, opt := range opts {
		opt(j)
	}
	return workOption(func(o *loopOptions) { o.journal = j })
}

// JournalOption changes what Journal does.
type JournalOption func(*journalOptions)

type journalOptions struct {
	path    string
	version string
	sync    bool
	redo    []any // func(R) bool
}

// JournalVersion says what the results depend on besides the items, such as
// parameters or the version of a model: results of another version are not used,
// that is an error.
func JournalVersion(version string) JournalOption {
	return func(j *journalOptions) { j.version = version }
}

// JournalSync makes the results safe against the end of the machine too before
// they are yielded. Each batch of them then waits for the disk.
func JournalSync() JournalOption { return func(j *journalOptions) { j.sync = true } }

// JournalRedo has those items worked on again of whose results again says so. Its
// argument must be the type of the loop's results, or of those of a function of
// Execute.
func JournalRedo[R any](again func(result R) bool) JournalOption {
	return func(j *journalOptions) { j.redo = append(j.redo, again) }
}
