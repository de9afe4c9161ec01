// Package launch is what a command that starts the processes of a job on this
// machine shares with others of its kind: to find a program and to start it
// ([FindProgram], [Start]), one place for the output of many ([Merger]), the exit
// status of the whole ([Verdict]), their environment ([Overlay]; package nesting
// cleans it of other launchers), and an end of everything that the processes
// started themselves ([Sweep]; [Guard] where the command itself may be killed).
//
// It knows nothing of ranks' ways to find each other.
//
// # Lines
//
// A Merger takes the output of many streams, whole or in pieces, and writes it
// line by line: a line of one stream never stands inside a line of another,
// and what is written is written in one call.
//
// An unfinished line (a prompt, a row of dots, a progress bar that goes back
// by \r) is shown 100 ms after its first byte at the latest. Its stream has
// the destination from then on, and what it writes next appears at once. The
// other streams let it finish, for a second; then, or when one of them has an
// unfinished line of its own to show, a newline cuts the line where it is. The
// rest of a line that was cut appears on a line of its own: a second later, so
// that ranks that print dots take turns of ten dots, not of one. A newline
// always stands between streams, so the \r of one never goes back over the
// line of another. With a label, that stands at the beginning of every line,
// of the rest of a cut one too, and after each \r.
//
// While the launcher itself stands still, such as on a machine that is
// suspended, no time passes for its streams.
//
// An unfinished line of more than 8 KiB is data and nobody watches it: it waits
// for its end. A last line without newline stays so; the newline comes if
// another line follows, and always with labels.
//
// On a terminal a line of text may stand below all that ([Merger.Bar]).
package launch
