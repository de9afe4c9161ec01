#!/bin/sh
# A worker that is a shell script: each line is the name of a file, the answer
# how many words it has.
#
#     dlp map -a files.txt --worker examples/worker/words.sh
while IFS= read -r file; do
	printf '%s\t%d\n' "$file" "$(wc -w <"$file")"
done
