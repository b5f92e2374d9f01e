"""How fast skae trains and applies networks, beside what does the same, and beside the arithmetic.

Fits: seconds of a fit, all of it, of as many epochs and batches, over those of a torch loop
written by hand (the same layers, whole tensors sliced, the same fused solver): of skae; of the loop
of the tutorials, which has a DataLoader; of MLPRegressor(X, X); and, where they are installed, of
PyOD's AutoEncoder and of Keras. "products" is the matrix products of the steps and nothing else.

Apply: rows a second of `transform` and `inverse_transform` over those of the bare module, once for
all rows in one call and once for 1024 rows at a time.

Compiled (only if asked for, as it needs a C++ compiler): seconds of the hand-written loop's steps
with torch.compile over those without, and the seconds that compiling takes.

All that is compared takes turns; of several rounds the median is printed, and the spread.

    python benchmarks/speed.py [--parts fits apply compiled] [--rounds 3] [--rows 60000] [--smoke]
"""

import argparse
import copy
import itertools
import os
import time
import warnings
from importlib.util import find_spec

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor
from tabulate import tabulate
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from skae import AutoencoderTransformer

# Layers from rows to codes, and rows in a batch.
NETWORKS = [
    ((784, 128, 128, 10), 64),
    ((784, 128, 128, 10), 256),
    ((784, 1000, 500, 250, 30), 256),
]
N_EPOCHS = 2


def seconds_of(work, *arguments):
    start = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - start


class Residual(nn.Module):
    """A linear path beside layers, as the estimator has it."""

    def __init__(self, sizes):
        super().__init__()
        layers = []
        for n_in, n_out in itertools.pairwise(sizes):
            layers += [nn.Linear(n_in, n_out), nn.SiLU()]
        self.layers = nn.Sequential(*layers[:-1])
        self.path = nn.Linear(sizes[0], sizes[-1])

    def forward(self, X):
        return self.path(X) + self.layers(X)


def standardized(X):
    return torch.from_numpy((X - X.mean(axis=0)) / np.sqrt(X.var(axis=0).mean()))


def train(batches, sizes, solver):
    """Train on batches, epoch by epoch, with nothing else around it."""
    network = nn.Sequential(Residual(sizes), Residual(sizes[::-1])).train()
    solver = solver(network.parameters())
    for _ in range(N_EPOCHS):
        for batch in batches():
            loss = (network(batch) - batch).square().mean()
            solver.zero_grad()
            loss.backward()
            solver.step()


def by_hand(X, sizes, batch_size):
    """Train as the estimator does, by a loop over slices of one tensor."""
    Z = standardized(X)

    def batches():
        return (Z[index] for index in torch.randperm(len(Z)).split(batch_size))

    train(batches, sizes, lambda p: torch.optim.AdamW(p, lr=0.003, weight_decay=0.0, fused=True))


def tutorial(X, sizes, batch_size):
    """Train as tutorials do."""
    loader = DataLoader(TensorDataset(standardized(X)), batch_size=batch_size, shuffle=True)
    train(lambda: (batch for (batch,) in loader), sizes, lambda p: torch.optim.Adam(p, lr=0.003))


def skae(X, sizes, batch_size):
    AutoencoderTransformer(
        sizes[-1],
        hidden_layer_sizes=sizes[1:-1],
        init="pca",
        noise=None,
        batch_size=batch_size,
        max_iter=N_EPOCHS,
        early_stopping=False,
        random_state=0,
    ).fit(X)


def mlp_regressor(X, sizes, batch_size):
    hidden = (*sizes[1:], *sizes[-2:0:-1])
    MLPRegressor(
        hidden_layer_sizes=hidden, batch_size=batch_size, max_iter=N_EPOCHS, random_state=0
    ).fit(X, X)


def keras(X, sizes, batch_size):
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    layers = [keras.layers.Dense(n, "silu") for n in (*sizes[1:], *sizes[-2:0:-1])]
    network = keras.Sequential([*layers, keras.layers.Dense(sizes[0])])
    network.compile("adam", "mse")
    network.fit(X, X, batch_size=batch_size, epochs=N_EPOCHS, verbose=0)


def pyod(X, sizes, batch_size):
    from pyod.models.auto_encoder import AutoEncoder

    settings = {"batch_size": batch_size, "epoch_num": N_EPOCHS, "verbose": 0}
    AutoEncoder(hidden_neuron_list=[*sizes[1:]], **settings).fit(X)


def products(X, sizes, batch_size):
    """Take the matrix products of as many steps: forward, and backward for weights and inputs."""
    pairs = [*itertools.pairwise(sizes), (sizes[0], sizes[-1])]
    layers = [*pairs, *[(n_out, n_in) for n_in, n_out in pairs]]
    operands = [
        (torch.ones(batch_size, n), torch.ones(n, m), torch.ones(batch_size, m)) for n, m in layers
    ]
    with torch.inference_mode():
        for _ in range(N_EPOCHS * -(-len(X) // batch_size)):
            for number, (inputs, weight, outputs) in enumerate(operands):
                torch.mm(inputs, weight)
                torch.mm(inputs.T, outputs)
                if number not in (0, len(pairs) - 1):  # rows need no gradient
                    torch.mm(outputs, weight.T)


PEERS = {"keras": keras, "pyod": pyod}


def fits(n_rows, n_rounds, networks):
    """Print seconds of fits over those of the loop written by hand."""
    found = {name: work for name, work in PEERS.items() if find_spec(name)}
    absent = [name for name in PEERS if name not in found]
    methods = {
        "skae": skae,
        "DataLoader": tutorial,
        "MLPRegressor": mlp_regressor,
        **found,
        "products": products,
    }
    X = np.random.RandomState(0).uniform(size=(n_rows, 784)).astype(np.float32)
    lines = []
    for sizes, batch_size in networks:
        for name in methods:
            methods[name](
                X[: 2 * batch_size], sizes, batch_size
            )  # what is imported or built only once
        rounds = []
        for _ in range(n_rounds):
            hand = seconds_of(by_hand, X, sizes, batch_size)
            rounds.append([hand, *(seconds_of(m, X, sizes, batch_size) for m in methods.values())])
        seconds = np.array(rounds)
        ratios = seconds[:, 1:] / seconds[:, :1]
        spread = [f"{np.median(r):.2f} ({r.min():.2f}-{r.max():.2f})" for r in ratios.T]
        network = "-".join(map(str, sizes))
        lines.append([network, batch_size, f"{np.median(seconds[:, 0]):.1f} s", *spread])
    print(f"{n_rows} rows, {N_EPOCHS} epochs, {torch.get_num_threads()} threads")
    print(tabulate(lines, headers=["network", "batch", "by hand", *methods]))
    print(f"not installed: {', '.join(absent) or 'none'}\n")


def bare(module, X, n_rows=None):
    """Return what a module makes of all rows, in one call or some at a time."""
    X = torch.from_numpy(X)
    with torch.inference_mode():
        return torch.cat([module(batch) for batch in X.split(n_rows or len(X))]).numpy()


def applied(n_rows, n_rounds):
    """Print the rows a second of fitted estimators over those of their modules."""
    lines = []
    for n_columns, dtype in itertools.product((784, 50), ("float32", "float64")):
        n = n_rows * (784 // n_columns) // 3
        X = np.random.RandomState(0).uniform(size=(n, n_columns)).astype(dtype)
        some = AutoencoderTransformer(
            2, hidden_layer_sizes=(128, 64), max_iter=1, early_stopping=False, random_state=0
        ).fit(X[:500])
        codes = some.transform(X)
        network = copy.deepcopy(some.module_).to(getattr(torch, dtype))
        cases = [
            ("transform", some.transform, network.encoder, X),
            ("inverse_transform", some.inverse_transform, network.decoder, codes),
        ]
        for name, work, module, rows in cases:
            rounds = [
                [
                    seconds_of(work, rows),
                    seconds_of(bare, module, rows),
                    seconds_of(bare, module, rows, 1024),
                ]
                for _ in range(n_rounds + 1)
            ]
            seconds = np.array(rounds[1:])
            ratios = np.median(seconds[:, 1:] / seconds[:, :1], axis=0)
            lines.append([name, f"{n} x {n_columns}", dtype, *ratios])
    headers = ["method", "rows", "dtype", "over one call", "over calls of 1024"]
    print(tabulate(lines, headers=headers, floatfmt=".2f"), end="\n\n")


def step_of(sizes, is_compiled):
    """Return a step of the hand-written loop, a function of a batch."""
    network = nn.Sequential(Residual(sizes), Residual(sizes[::-1])).train()
    solver = torch.optim.AdamW(network.parameters(), fused=True)

    def loss(batch):
        return (network(batch) - batch).square().mean()

    loss = torch.compile(loss) if is_compiled else loss

    def step(batch):
        solver.zero_grad()
        loss(batch).backward()
        solver.step()

    return step


def compiled(n_rounds, networks):
    """Print what torch.compile makes of steps of the hand-written loop."""
    lines = []
    of_a_small_table = (13, 64, 32, 2), 32
    for sizes, batch_size in [*networks, of_a_small_table]:
        batches = torch.randn(30, batch_size, sizes[0])
        steps = [step_of(sizes, is_compiled) for is_compiled in (False, True)]
        to_compile = seconds_of(steps[1], batches[0])
        rounds = [
            [sum(seconds_of(step, batch) for batch in batches) for step in steps]
            for _ in range(n_rounds + 1)
        ]
        ratio = np.median([after / before for before, after in rounds[1:]])
        lines.append(["-".join(map(str, sizes)), batch_size, ratio, to_compile])
    headers = ["network", "batch", "compiled", "seconds to compile"]
    print(tabulate(lines, headers=headers, floatfmt=("", "", ".2f", ".0f")), end="\n\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    kinds = ["fits", "apply"]
    parser.add_argument("--parts", nargs="+", choices=[*kinds, "compiled"], default=kinds)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=60_000, help="of 784 columns")
    parser.add_argument("--smoke", action="store_true", help="few rows")
    arguments = parser.parse_args()
    smoke = arguments.smoke
    n_rounds = 1 if smoke else arguments.rounds
    warnings.simplefilter("ignore", ConvergenceWarning)  # of MLPRegressor
    if "fits" in arguments.parts:
        fits(500 if smoke else arguments.rows, n_rounds, NETWORKS[:1] if smoke else NETWORKS)
    if "apply" in arguments.parts:
        applied(600 if smoke else arguments.rows, n_rounds)
    if "compiled" in arguments.parts:
        compiled(n_rounds, NETWORKS[:1] if smoke else NETWORKS)


if __name__ == "__main__":
    main()
