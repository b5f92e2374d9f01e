"""What rows cost by their number: CPU time of fits and codes, and memory.

Rows of ten columns in single precision, as an array and as an .npy file of which 100 MB may be in
memory, and AutoencoderTransformer with (128, 64) and one candidate, on one thread. Each number of
rows is fitted for one epoch and for some more (of 100 000 rows at least), in processes of their
own: the difference is that of epochs, what is left of the first is what comes before and after.
Peaks of the fit are those of the resident set beyond the imports.

    OMP_NUM_THREADS=1 python benchmarks/row_counts.py [--rows 1000 10000] [--ways array npy]
        [--batch-size 4096] [--figure rows.png] [--smoke]
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from tabulate import tabulate

from skae import AutoencoderTransformer
from skae.datasets import open_rows

N_COLUMNS = 10
LEAST_ROWS = 100_000  # of the epochs that are measured
WAYS = ("array", "npy")


def write_rows(path, n_rows):
    """Write rows on a curved surface, some at a time.

    Not by a memory map: its pages would count in the peaks of the processes that are started.
    """
    random = np.random.RandomState(0)
    weights = random.normal(size=(3, N_COLUMNS)).astype(np.float32)
    header = {"descr": "<f4", "fortran_order": False, "shape": (n_rows, N_COLUMNS)}
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, n_rows, 100_000):
            codes = random.normal(size=(min(100_000, n_rows - start), 3)).astype(np.float32)
            rows = np.tanh(codes @ weights) + 0.1 * random.normal(size=(len(codes), N_COLUMNS))
            file.write(rows.astype("<f4").tobytes())


def cost(path, way, n_epochs, batch_size):
    """Return CPU seconds and megabytes of a fit of this process, and seconds of `transform`."""
    before = peak()
    rows = np.load(path) if way == "array" else open_rows(path, memory="100MB")
    start = time.process_time()
    autoencoder = AutoencoderTransformer(
        2,
        hidden_layer_sizes=(128, 64),
        init="pca",
        noise=None,
        max_iter=n_epochs,
        batch_size=batch_size,
        n_iter_no_change=n_epochs,
        random_state=0,
    ).fit(rows)
    fitted, memory = time.process_time(), peak() - before
    autoencoder.transform(rows)
    return fitted - start, memory, time.process_time() - fitted


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def draw(table, path):
    """Draw what a row of an epoch costs, and the memory of a fit, by the number of rows."""
    import matplotlib.pyplot as plt

    figure, (time_axes, memory_axes) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for way in dict.fromkeys(line[1] for line in table):
        lines = np.array([[n, a_row, memory] for n, of, a_row, _, _, memory in table if of == way])
        label = {"array": "an array", "npy": "a file, within 100 MB"}[way]
        time_axes.plot(lines[:, 0], lines[:, 1], "o-", label=label)
        memory_axes.plot(lines[:, 0], lines[:, 2], "o-", label=label)
    n_rows = np.unique([line[0] for line in table])
    memory_axes.plot(n_rows, n_rows * N_COLUMNS * 4 / 2**20, "k:", label="the rows themselves")
    time_axes.set(ylabel="µs a row and epoch, one thread", ylim=(0, None))
    memory_axes.set(ylabel="MB at the peak of a fit", yscale="log", ylim=(10, None))
    for axes in (time_axes, memory_axes):
        axes.set(xscale="log", xlabel=f"rows of {N_COLUMNS} columns")
        axes.legend(frameon=False)
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)


def in_own_process(batch_size, *arguments):
    call = [sys.executable, "-W", "ignore", __file__, "--batch-size", batch_size]
    call += ["--one", *map(str, arguments)]
    return json.loads(subprocess.run(call, check=True, capture_output=True, text=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10**n for n in range(3, 7)])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--batch-size", default="auto")
    parser.add_argument("--figure", help="a file to draw the table in")
    parser.add_argument("--smoke", action="store_true", help="one small set")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        path, way, n_epochs = options.one
        batch_size = options.batch_size if options.batch_size == "auto" else int(options.batch_size)
        print(json.dumps(cost(path, way, int(n_epochs), batch_size)))
        return
    table = []
    with tempfile.TemporaryDirectory() as folder:
        for n_rows in [1000] if options.smoke else options.rows:
            path = Path(folder) / f"{n_rows}.npy"
            write_rows(path, n_rows)
            for way in options.ways:
                n_more = 1 if options.smoke else max(1, LEAST_ROWS // n_rows)
                size = options.batch_size
                once, _, coded = in_own_process(size, path, way, 1)
                all_of_them, memory, _ = in_own_process(size, path, way, 1 + n_more)
                epoch = (all_of_them - once) / n_more
                a_row = [1e6 * seconds / n_rows for seconds in (epoch, coded)]
                table.append([n_rows, way, *a_row, once - epoch, memory])
                print(*table[-1], file=sys.stderr, flush=True)
            path.unlink()
    columns = ["rows", "as", "µs a row and epoch", "µs a row, transform", "s beside", "MB"]
    print(tabulate(table, columns, floatfmt=".3g"))
    if options.figure:
        draw(table, options.figure)


if __name__ == "__main__":
    main()
