"""What a fit costs each of several processes that train together, in CPU time.

20 000 rows of 50 columns, two epochs without rows held out, of three networks. By itself, and as
one of two processes:

    OMP_NUM_THREADS=1 python benchmarks/processes.py [--smoke]
    OMP_NUM_THREADS=1 torchrun --standalone --nproc-per-node 2 benchmarks/processes.py
"""

import argparse
import time

import numpy as np
from tabulate import tabulate

from skae import AutoencoderTransformer, data_parallel

SETTINGS = [((128, 64), 256), ((512, 256), 256), ((512, 256), 1024)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="few rows")
    n_rows = 500 if parser.parse_args().smoke else 20_000
    random = np.random.RandomState(0)
    X = np.tanh(random.normal(size=(n_rows, 8)) @ random.normal(size=(8, 50)))
    X, table = X.astype(np.float32), []
    with data_parallel() as processes:
        # The first one is there as the first steps of a process take longer.
        for sizes, batch_size in [SETTINGS[0], *SETTINGS]:
            start = time.process_time()
            autoencoder = AutoencoderTransformer(
                8,
                hidden_layer_sizes=sizes,
                init="pca",
                noise=None,
                batch_size=batch_size,
                max_iter=2,
                early_stopping=False,
                random_state=0,
            ).fit(X)
            seconds = time.process_time() - start
            table.append([sizes, batch_size, seconds, autoencoder.loss_curve_[-1]])
    if processes.is_main:
        print(f"Seconds of CPU time of one of {processes.number} processes")
        print(tabulate(table[1:], ["hidden layers", "rows a step", "s", "loss"], floatfmt=".3g"))


if __name__ == "__main__":
    main()
