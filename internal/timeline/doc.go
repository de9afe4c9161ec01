// Package timeline is the file in which loops record when each of their items was
// worked on, and where: its format, a Log of what one rank does, a Section to write
// a loop, and Read. It knows no loops, and draws nothing: package draw does.
//
// A file is a head and frames of one or more loops, which may lie between each
// other; numbers are big endian unless they are varints (as in encoding/binary).
// It is only ever appended to.
//
//	head   8 bytes   "dlptmln" and the version of the format, 1
//	frame  4 bytes   marker, f4 64 54 0a
//	       4 bytes   CRC-32C of the length and the body
//	       4 bytes   length of the body
//	       n bytes   body: its kind (1 byte), the loop (8 random bytes), then
//
//	kind 1, Loop, first: varint nanoseconds since 1970 when rank 0 entered the
//	        loop, uvarint the same by rank 0's clock, text kind, text label, text
//	        name of the job, varint number of items or -1, uvarint number of ranks,
//	        for each the uvarint of its slots and the text of its host
//	kind 2, Chunk of what a rank has done: uvarint rank, the server's stamps (below),
//	        then the worker's, then records up to the end
//	kind 3, Lost: uvarint rank, uvarint when by rank 0's clock, uvarint number of
//	        spans of items that it held, for each two uvarints, first and length,
//	        and the text why
//	kind 4, End: uvarint when by rank 0's clock, uvarint bytes of chunks that were
//	        left out because the disk was slow, text of the loop's error or empty
//	kind 5, Note about items, by the program: for each uvarint index, byte 1 if it
//	        has failed else 0, text. It is of the last loop that has begun before
//	        it if its eight bytes are 0.
//
// A text is its length (uvarint) and its bytes. Clocks count nanoseconds since a
// moment of each process. Stamps relate them: of the server uvarint when it got
// this chunk, uvarint the number of the last message that it had sent to the rank,
// 0 if none, and uvarint when; of the worker uvarint when it sent this chunk, uvarint
// the number of the last message that it had got, and uvarint when. Where both
// mean the same message, its way and that of the chunk bound the difference of the
// clocks, which is taken to be in the middle; see Read.
//
// A record is a byte with its kind in the upper three bits and its slot in the
// lower five (31: a uvarint of the slot less 31 follows), the varint of its start
// less the end of the record before, or less 0, and the uvarint of how long it took.
// For items the varint of the index less that of the item before and 1 follows, as if -1 were
// before the first. The kinds are State's numbers.
//
// What is no frame is passed over up to the next one: a crash may have torn one,
// and a later job have appended.
package timeline
