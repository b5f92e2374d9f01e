"""What a fit costs by the number of its rows: CPU time of a row and epoch, of all else, and memory.

Rows of ten columns in single precision, as an array and as an .npy file of which 100 MB may be in
memory, and AutoencoderTransformer with (128, 64) and one candidate, on one thread. Each number of
rows is fitted for one epoch and for some more (of 200 000 rows at least), in processes of their
own: the difference is that of epochs, what is left of the first is what comes before and after.
Peaks are those of the resident set beyond the imports.

    OMP_NUM_THREADS=1 python benchmarks/row_counts.py [--rows 1000 10000] [--smoke]
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
LEAST_ROWS = 200_000  # of the epochs that are measured
WAYS = ("array", "npy")


def write_rows(path, n_rows):
    """Write rows on a curved surface, some at a time."""
    random = np.random.RandomState(0)
    weights = random.normal(size=(3, N_COLUMNS)).astype(np.float32)
    out = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(n_rows, N_COLUMNS))
    for start in range(0, n_rows, 100_000):
        stop = min(start + 100_000, n_rows)
        codes = random.normal(size=(stop - start, 3)).astype(np.float32)
        out[start:stop] = np.tanh(codes @ weights) + 0.1 * random.normal(size=(len(codes), 10))


def cost(path, way, n_epochs):
    """Return CPU seconds and megabytes of a fit, of this process."""
    before = peak()
    rows = np.load(path) if way == "array" else open_rows(path, memory="100MB")
    start = time.process_time()
    AutoencoderTransformer(
        2,
        hidden_layer_sizes=(128, 64),
        init="pca",
        noise=None,
        max_iter=n_epochs,
        n_iter_no_change=n_epochs,
        random_state=0,
    ).fit(rows)
    return time.process_time() - start, peak() - before


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def in_own_process(*arguments):
    call = [sys.executable, "-W", "ignore", __file__, "--one", *map(str, arguments)]
    return json.loads(subprocess.run(call, check=True, capture_output=True, text=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10**n for n in range(3, 7)])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--smoke", action="store_true", help="one small set")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        path, way, n_epochs = options.one
        print(json.dumps(cost(path, way, int(n_epochs))))
        return
    table = []
    with tempfile.TemporaryDirectory() as folder:
        for n_rows in [1000] if options.smoke else options.rows:
            path = Path(folder) / f"{n_rows}.npy"
            write_rows(path, n_rows)
            for way in options.ways:
                n_more = max(1, LEAST_ROWS // n_rows)
                once, _ = in_own_process(path, way, 1)
                all_of_them, memory = in_own_process(path, way, 1 + n_more)
                epoch = (all_of_them - once) / n_more
                table.append([n_rows, way, 1e6 * epoch / n_rows, once - epoch, memory])
                print(*table[-1], file=sys.stderr, flush=True)
            path.unlink()
    print(tabulate(table, ["rows", "as", "µs a row and epoch", "s beside", "MB"], floatfmt=".3g"))


if __name__ == "__main__":
    main()
