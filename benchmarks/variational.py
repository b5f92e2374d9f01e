"""How likely a variational autoencoder finds the binarized digits of MNIST's test set.

The network of Burda et al. 2016 (arXiv:1509.00519, table 1, one stochastic layer, one
sample): two hidden layers of 200 tanh units on either side of 50 codes, Bernoulli outputs,
and training pixels that are drawn as 0 or 1 anew in each epoch. They give a log-likelihood
of -86.8 nats, estimated with 5000 importance-weighted draws, after 3280 epochs with batches
of 20. Here the estimate is that of `score_samples`, for test rows that are drawn once.

    python benchmarks/variational.py
    python benchmarks/variational.py --rows 1000    # the estimate of the first thousand
    python benchmarks/variational.py --smoke        # digits of 8 x 8 pixels, seconds
"""

import argparse
import time

import numpy as np
import torch

from skae import VariationalAutoencoderTransformer
from skae.datasets import fetch_mnist, load_dataset

PUBLISHED = -86.8  # nats


def images(smoke):
    """Return training rows in [0, 1] and test rows of 0 and 1."""
    if smoke:
        X = (load_dataset("digits").data / 16).astype(np.float32)
        X_train, X_test = X[:1200], X[1200:]
    else:
        X_train = fetch_mnist(subset="train", return_X_y=True)[0]
        X_test = fetch_mnist(subset="test", return_X_y=True)[0]
    drawn = np.random.default_rng(0).random(X_test.shape) < X_test
    return X_train, drawn.astype(X_test.dtype)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="small images, few epochs and draws")
    parser.add_argument("--epochs", type=int, default=360)
    parser.add_argument("--batch-size", type=int, default=200)
    parser.add_argument("--learning-rate", type=float, default=0.002)
    parser.add_argument("--warm-up", type=float, default=0.0)
    parser.add_argument("--init", choices=["pca", "random"], default="random")
    parser.add_argument("--draws", type=int, default=5000, help="of each test row's code")
    parser.add_argument("--rows", type=int, default=10_000, help="test rows, the first ones")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def mean_and_error(values):
    """Return the mean of some numbers and its standard error, as text."""
    return f"{values.mean():8.2f} +- {values.std() / np.sqrt(len(values)):.2f} nats"


def main():
    settings = arguments()
    X_train, X_test = images(settings.smoke)
    X_test = X_test[: settings.rows]
    n_epochs, n_draws = settings.epochs, settings.draws
    if settings.smoke:
        n_epochs, n_draws = min(n_epochs, 5), min(n_draws, 100)
    vae = VariationalAutoencoderTransformer(
        50,
        hidden_layer_sizes=(200, 200),
        activation="tanh",
        likelihood="bernoulli",
        binarize=True,
        init=settings.init,
        warm_up=settings.warm_up,
        batch_size=settings.batch_size,
        learning_rate_init=settings.learning_rate,
        max_iter=n_epochs,
        early_stopping=False,
        random_state=settings.seed,
        device="cpu",
    )
    print(f"{X_train.shape[0]} rows, {n_epochs} epochs, {torch.get_num_threads()} threads")
    begun = time.perf_counter()
    vae.fit(X_train)
    seconds = time.perf_counter() - begun
    print(f"trained in      {seconds:8.1f} s, {seconds / n_epochs:.2f} s an epoch")
    print(f"last epoch      {-vae.loss_curve_[-1]:8.2f} nats: the lower bound of training rows")
    begun = time.perf_counter()
    bound = vae.evidence_lower_bound(X_test, n_draws=min(n_draws, 100))
    print(f"lower bound     {mean_and_error(bound)}, of {len(X_test)} test rows")
    estimate = vae.score_samples(X_test, n_draws=n_draws)
    print(f"log-likelihood  {mean_and_error(estimate)}, {n_draws} draws")
    if not settings.smoke:
        print(f"published       {PUBLISHED:8.2f}")
    print(f"evaluated in    {time.perf_counter() - begun:8.1f} s")
    _, deviations = vae.transform(X_test, return_std=True)
    print(f"codes in use    {np.count_nonzero(deviations.mean(axis=0) < 0.9):8d} of 50")


if __name__ == "__main__":
    main()
