"""The measures of bench/ours by mpi4py, where a Python user would use them.

mpiexec -n N python3 micro.py MEASURE... prints, on rank 0, a line per
measure: its name, a tab, and seconds per operation, the median of some rows.
"""
import sys
import time

from mpi4py import MPI

comm = MPI.COMM_WORLD
rank, size = comm.rank, comm.size


def pingpong():
    if rank == 0:
        comm.send(1, dest=1)
        comm.recv(source=1)
    elif rank == 1:
        comm.send(comm.recv(source=0), dest=0)


def gather(part=[None]):
    if part[0] is None:
        part[0] = bytes(64 << 20)
    comm.gather(part[0])


MEASURES = {
    "pingpong": (pingpong, 1000, 9),
    "barrier": (comm.Barrier, 500, 9),
    "gather": (gather, 1, 5),
}


def row(operation, n):
    comm.Barrier()
    start = time.perf_counter()
    for _ in range(n):
        operation()
    comm.Barrier()
    return (time.perf_counter() - start) / n


for name in sys.argv[1:]:
    operation, n, rows = MEASURES[name]
    row(operation, n)
    times = sorted(row(operation, n) for _ in range(rows))
    if rank == 0:
        print(f"{name}\t{times[rows // 2]:.9f}", flush=True)
