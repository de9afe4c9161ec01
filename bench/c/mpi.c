/*
 * The measures of bench/ours by MPI: "mpi MEASURE..." on some ranks prints, on
 * rank 0, a line per measure: its name, a tab, and seconds per operation, the
 * median of some rows of them. Without a measure it is a barrier.
 */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int rank, size;

static void pingpong(void *unused)
{
	char b[8] = {0};
	int peer = 1 - rank;

	(void)unused;
	if (rank > 1)
		return;
	if (rank == 0)
		MPI_Send(b, 8, MPI_CHAR, peer, 0, MPI_COMM_WORLD);
	MPI_Recv(b, 8, MPI_CHAR, peer, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
	if (rank == 1)
		MPI_Send(b, 8, MPI_CHAR, peer, 0, MPI_COMM_WORLD);
}

static void barrier(void *unused)
{
	(void)unused;
	MPI_Barrier(MPI_COMM_WORLD);
}

struct buffers {
	char *part, *all;
	size_t bytes; /* of part */
};

static void bcast(void *p)
{
	struct buffers *b = p;

	MPI_Bcast(b->part, (int)b->bytes, MPI_CHAR, 0, MPI_COMM_WORLD);
}

static void gather(void *p)
{
	struct buffers *b = p;

	MPI_Gather(b->part, (int)b->bytes, MPI_CHAR, b->all, (int)b->bytes, MPI_CHAR, 0, MPI_COMM_WORLD);
}

static void scatter(void *p)
{
	struct buffers *b = p;

	MPI_Scatter(b->all, (int)b->bytes, MPI_CHAR, b->part, (int)b->bytes, MPI_CHAR, 0, MPI_COMM_WORLD);
}

static void allgather(void *p)
{
	struct buffers *b = p;

	MPI_Allgather(b->part, (int)b->bytes, MPI_CHAR, b->all, (int)b->bytes, MPI_CHAR, MPI_COMM_WORLD);
}

static void allreduce(void *p)
{
	struct buffers *b = p;

	MPI_Allreduce(MPI_IN_PLACE, b->part, (int)(b->bytes / sizeof(double)), MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* row times n operations between barriers; per operation. */
static double row(void (*operation)(void *), void *argument, int n)
{
	double start;

	MPI_Barrier(MPI_COMM_WORLD);
	start = MPI_Wtime();
	for (int i = 0; i < n; i++)
		operation(argument);
	MPI_Barrier(MPI_COMM_WORLD);
	return (MPI_Wtime() - start) / n;
}

static const struct measure {
	const char *name;
	void (*operation)(void *);
	size_t bytes;
	int n, rows;
} measures[] = {
	{"pingpong", pingpong, 0, 2000, 9},
	{"barrier", barrier, 0, 500, 9},
	{"bcast", bcast, 64 << 20, 1, 7},
	{"gather", gather, 64 << 20, 1, 5},
	{"scatter", scatter, 1 << 20, 10, 7},
	{"allgather", allgather, 1 << 20, 10, 7},
	{"allreduce", allreduce, 8 << 20, 2, 7},
};

static void run(const struct measure *m)
{
	struct buffers b = {calloc(1, m->bytes + 1), calloc(size, m->bytes + 1), m->bytes};
	double *times = calloc(m->rows, sizeof *times);

	memset(b.part, 0, m->bytes);
	memset(b.all, 0, size * m->bytes);
	row(m->operation, &b, m->n);
	for (int i = 0; i < m->rows; i++)
		times[i] = row(m->operation, &b, m->n);
	qsort(times, m->rows, sizeof *times, ascending);
	if (rank == 0)
		printf("%s\t%.9f\n", m->name, times[m->rows / 2]);
	free(b.part);
	free(b.all);
	free(times);
}

int main(int argc, char **argv)
{
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	if (argc == 1)
		MPI_Barrier(MPI_COMM_WORLD);
	for (int i = 1; i < argc; i++)
		for (size_t k = 0; k < sizeof measures / sizeof *measures; k++)
			if (strcmp(argv[i], measures[k].name) == 0)
				run(&measures[k]);
	MPI_Finalize();
	return 0;
}
