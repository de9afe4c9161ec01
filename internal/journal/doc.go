// Package journal is the file in which a loop keeps what is finished, so that a
// program that is started again goes on where the last one ended: its format,
// a Reader, and a Journal to look up and append to. It knows no loops.
//
// A file is a head and records, all numbers big endian unless they are varints
// (as in encoding/binary). Nothing in it is ever changed, but for a tail that is
// cut off.
//
//	head    8 bytes   "dlpjrnl" and the version of the format, 1
//	       16 bytes   random; the checksums begin with it
//	record  4 bytes   marker, f4 64 4a 0a
//	        4 bytes   CRC-32C of the random bytes, the length and the body
//	        4 bytes   length of the body
//	        n bytes   body: its kind (1 byte), then
//
//	kind 1, Description, once, first: text label, text type of items, text type
//	        of results, text version, text how items are identified
//	kind 2, Start, of each job: varint nanoseconds since 1970, text name of the
//	        job, uvarint number of ranks, text host of each
//	kind 3, Record, of a finished item: 16 bytes digest, uvarint occurrence,
//	        uvarint index, uvarint rank, uvarint attempt, varint nanoseconds
//	        since 1970 when it ended, uvarint nanoseconds that it took, byte 1 if
//	        it has failed else 0, 2 bytes format of the value, and the value or
//	        the text of the error up to the end of the body
//
// A text is its length (uvarint) and its bytes. A Reader passes over records of
// other kinds. Of several records with one ID the last one counts that has not
// failed.
//
// A crash may leave a tail that is no record: it is cut. What is no record and
// has one behind it is damage, which is an error.
package journal
