"""How soon AutoencoderTransformer(10) reaches the error of a hand-written training loop.

The loop is the one of the tutorials: 784-128-128-10 and back, relu, log loss, Adam at
1e-3, a DataLoader with batches of 64, 5 epochs. Both are trained on the same 60 000
Fashion-MNIST images in one run, and their error is the mean squared error per pixel of
the 10 000 test images. What measuring the error takes is not counted.

    python benchmarks/time_to_quality.py
"""

import argparse
import time

import numpy as np
import torch
from skorch.callbacks import Callback
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from skae import AutoencoderTransformer
from skae.datasets import fetch_fashion_mnist, load_dataset


def images(smoke):
    """Return training and test images as rows of pixels in [0, 1]."""
    if smoke:
        X = (load_dataset("digits").data / 16).astype(np.float32)
        return X[:1200], X[1200:]
    return (
        fetch_fashion_mnist(subset="train", return_X_y=True)[0],
        fetch_fashion_mnist(subset="test", return_X_y=True)[0],
    )


def error(reconstruct, X):
    """Return the mean squared error per pixel."""
    with torch.no_grad():
        X = torch.from_numpy(X)
        return float(torch.mean((reconstruct(X) - X) ** 2))


class Stopwatch(Callback):
    """Note the test error and the seconds of training before it, after each epoch."""

    def __init__(self, X_test):
        self.X_test = X_test
        self.trace = []  # (seconds, error)

    def start(self):
        self.begun = time.perf_counter()

    def note(self, reconstruct):
        paused = time.perf_counter()
        self.trace.append((paused - self.begun, error(reconstruct, self.X_test)))
        self.begun += time.perf_counter() - paused

    def on_epoch_end(self, net, **kwargs):
        network = net.module_.eval()
        self.note(lambda X: network.decoder(network.encoder(X)))


def tutorial(X_train, X_test, n_epochs=5):
    """Train as the tutorials do and return (seconds, error) after each epoch."""
    torch.manual_seed(0)
    n_features = X_train.shape[1]
    model = nn.Sequential(
        *(nn.Linear(n_features, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU()),
        nn.Linear(128, 10),
        *(nn.Linear(10, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU()),
        *(nn.Linear(128, n_features), nn.Sigmoid()),
    )
    watch = Stopwatch(X_test)
    watch.start()
    loader = DataLoader(TensorDataset(torch.from_numpy(X_train)), batch_size=64, shuffle=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(n_epochs):
        model.train()
        for (X,) in loader:
            loss = nn.functional.binary_cross_entropy(model(X), X)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        watch.note(model)
    return watch.trace


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="digits instead of Fashion-MNIST")
    X_train, X_test = images(parser.parse_args().smoke)

    # Both once on a few rows: the first optimizer of a process imports half of torch.
    tutorial(X_train[:128], X_test, n_epochs=1)
    AutoencoderTransformer(10, max_iter=1).fit(X_train[:128])

    loop = tutorial(X_train, X_test)
    seconds, goal = loop[-1]
    print(f"tutorial's loop, 5 epochs: {seconds:.1f} s to a test error of {goal:.4f} per pixel")

    watch = Stopwatch(X_test)
    watch.start()
    AutoencoderTransformer(10, random_state=0, callbacks=[watch]).fit(X_train)
    print("AutoencoderTransformer(10):")
    for epoch, (after, found) in enumerate(watch.trace, start=1):
        print(f"  epoch {epoch:2d}  {after:5.1f} s  {found:.4f}")
    reached = [after for after, found in watch.trace if found <= goal]
    if not reached:
        print("the loop's error was not reached")
        return
    after, best = min(watch.trace, key=lambda point: point[1])
    print(f"the loop's error after {reached[0]:.1f} s, {reached[0] / seconds:.2f} of its time")
    print(f"best error {best:.4f} after {after:.1f} s, {after / seconds:.2f} of its time")


if __name__ == "__main__":
    main()
