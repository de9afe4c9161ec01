/* An MPI program as users write them. The first argument says how it ends:
 *
 *   (none)     well, after a tour of what MPI libraries ask their launcher for
 *   exit N     rank 1 returns N after MPI_Finalize
 *   abort N    rank 1 calls MPI_Abort with N while the others wait in a barrier
 *   leave      rank 1 exits with 0 after MPI_Init, without MPI_Finalize
 *   crash      rank 1 crashes after MPI_Init
 *   spawn      rank 0 asks for a process more
 *   publish    rank 0 publishes a name that rank 1 looks up
 */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int rank, size;

static void check(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "rank %d: %s is wrong\n", rank, what);
        MPI_Abort(MPI_COMM_WORLD, 99);
    }
}

static void collectives(void)
{
    int sum = 0, word = rank == 0 ? 4711 : 0, mine = rank + 1;
    MPI_Allreduce(&mine, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    check(sum == size * (size + 1) / 2, "Allreduce");
    MPI_Bcast(&word, 1, MPI_INT, 0, MPI_COMM_WORLD);
    check(word == 4711, "Bcast");

    int large = 1 << 16;
    double *data = calloc(large, sizeof *data);
    if (rank == 0)
        for (int i = 0; i < large; i++)
            data[i] = i;
    MPI_Bcast(data, large, MPI_DOUBLE, 0, MPI_COMM_WORLD);
    check(data[large - 1] == large - 1, "large Bcast");
    free(data);
}

static void communicators(void)
{
    MPI_Comm half, node;
    int count, *universe, flag;
    MPI_Comm_split(MPI_COMM_WORLD, rank % 2, rank, &half);
    MPI_Comm_size(half, &count);
    check(count == (size + 1 - rank % 2) / 2, "Comm_split");
    MPI_Comm_free(&half);
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node);
    MPI_Comm_size(node, &count);
    check(count == size, "the number of ranks on this node");
    MPI_Comm_free(&node);
    MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_UNIVERSE_SIZE, &universe, &flag);
    check(!flag || *universe == size, "the universe size");
}

/* MPICH 4.0.2 as built by Debian 12 loses short puts, under its own mpiexec as
 * well; long ones and shared windows work. */
static void windows(void)
{
    const int large = 1 << 16, next = (rank + 1) % size, previous = (rank + size - 1) % size;
    char *window, *mine = malloc(large);
    int *shared, *other, unit;
    MPI_Aint bytes;
    MPI_Win win;
    memset(mine, rank + 1, large);
    MPI_Win_allocate(large, 1, MPI_INFO_NULL, MPI_COMM_WORLD, &window, &win);
    MPI_Win_fence(0, win);
    MPI_Put(mine, large, MPI_CHAR, next, 0, large, MPI_CHAR, win);
    MPI_Win_fence(0, win);
    check(window[0] == previous + 1 && window[large - 1] == previous + 1, "Put");
    MPI_Win_free(&win);
    free(mine);

    MPI_Win_allocate_shared(sizeof *shared, sizeof *shared, MPI_INFO_NULL, MPI_COMM_WORLD, &shared, &win);
    *shared = 100 + rank;
    MPI_Win_fence(0, win);
    MPI_Win_shared_query(win, next, &bytes, &unit, &other);
    check(*other == 100 + next, "the shared window");
    MPI_Win_fence(0, win);
    MPI_Win_free(&win);
}

static void names(void)
{
    const char *port = "tag#0$description#here$";
    char found[MPI_MAX_PORT_NAME] = "";
    if (rank == 0)
        MPI_Publish_name("ocean", MPI_INFO_NULL, port);
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == 1) {
        MPI_Lookup_name("ocean", MPI_INFO_NULL, found);
        check(strcmp(found, port) == 0, "the published name");
    }
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == 0)
        MPI_Unpublish_name("ocean", MPI_INFO_NULL, port);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
    MPI_Barrier(MPI_COMM_WORLD);
    check(MPI_Lookup_name("ocean", MPI_INFO_NULL, found) != MPI_SUCCESS, "a name that was withdrawn");
}

int main(int argc, char **argv)
{
    const char *end = argc > 1 ? argv[1] : "";
    int number = argc > 2 ? atoi(argv[2]) : 0;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (rank == 1 && strcmp(end, "leave") == 0)
        exit(0);
    if (rank == 1 && strcmp(end, "crash") == 0)
        abort();
    if (rank == 1 && strcmp(end, "abort") == 0)
        MPI_Abort(MPI_COMM_WORLD, number);
    if (rank == 0 && strcmp(end, "spawn") == 0) {
        MPI_Comm child;
        MPI_Comm_spawn("/bin/true", MPI_ARGV_NULL, 1, MPI_INFO_NULL, 0, MPI_COMM_SELF, &child, MPI_ERRCODES_IGNORE);
    }
    if (strcmp(end, "publish") == 0)
        names();
    collectives();
    communicators();
    windows();
    MPI_Finalize();
    printf("rank %d of %d is done\n", rank, size);
    fflush(stdout);
    return rank == 1 && strcmp(end, "exit") == 0 ? number : 0;
}
