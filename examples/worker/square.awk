# A worker in awk: the square of a number. mawk needs -W interactive to read line
# by line.
#
#     dlp map --range 1-100 --worker 'awk -W interactive -f examples/worker/square.awk'
{
	print $1, $1 * $1
	fflush()
}
