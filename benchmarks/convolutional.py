"""Convolutional autoencoders on Fashion-MNIST: 49 numbers for each of its 28 × 28 images.

Beside PCA and the dense network stand a convolutional one with a dense layer to its 49 numbers,
which starts at PCA, and the published network of convolutions alone, whose code is a map of
7 × 7: 128 filters of 7 × 7, max-pool, 32 of 2 × 2, max-pool, 1 of 7 × 7, and the mirror image,
with the log loss. A row says how much of the variance of the 10 000 test images the
reconstruction explains, and what the fit to the 60 000 others took.

    python benchmarks/convolutional.py [--epochs 10] [--published-epochs 3] [--rows 60000]
"""

import argparse
import time

import numpy as np
from sklearn.decomposition import PCA
from tabulate import tabulate

from skae import AutoencoderTransformer, ConvolutionalAutoencoderTransformer
from skae.datasets import fetch_fashion_mnist, load_dataset
from skae.metrics import reconstruction_r2


def images(smoke):
    """Return training and test images as rows of pixels in [0, 1]."""
    if smoke:
        X = (load_dataset("digits").data / 16).astype(np.float32)
        return X[:1200], X[1200:]
    return (
        fetch_fashion_mnist(subset="train", return_X_y=True)[0],
        fetch_fashion_mnist(subset="test", return_X_y=True)[0],
    )


def row(name, transformer, X_train, X_test):
    """Fit a transformer and return its name, its R² on test images, its epochs and seconds."""
    begun = time.perf_counter()
    transformer.fit(X_train)
    seconds = time.perf_counter() - begun
    r2 = reconstruction_r2(X_test, transformer.inverse_transform(transformer.transform(X_test)))
    return [name, r2, getattr(transformer, "n_iter_", None), seconds]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10, help="of the network with a dense layer")
    parser.add_argument("--published-epochs", type=int, default=3, help="each takes minutes")
    parser.add_argument("--rows", type=int, default=60_000, help="training images")
    parser.add_argument("--precision", default="bfloat16", choices=["float32", "bfloat16"])
    parser.add_argument("--smoke", action="store_true", help="digits, 4 numbers, two epochs")
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    X_train, X_test = images(arguments.smoke)
    X_train = X_train[: arguments.rows]
    n_components = X_train.shape[1] // 16
    same = {
        "precision": arguments.precision,
        "random_state": 0,
        "verbose": arguments.verbose,
    }
    dense = AutoencoderTransformer(n_components, **same)
    convolutional = ConvolutionalAutoencoderTransformer(
        n_components, max_iter=arguments.epochs, **same
    )
    published = ConvolutionalAutoencoderTransformer(
        None,
        channels=(128, 32, 1),
        kernel_size=(7, 2, 7),
        pool_size=(2, 2, 1),
        upsampling="nearest",
        activation="relu",
        loss="log_loss",
        max_iter=arguments.published_epochs,
        **same,
    )
    if arguments.smoke:
        for transformer in (dense, convolutional, published):
            transformer.set_params(max_iter=2)
        published.set_params(channels=(8, 4, 1))

    table = []
    for name, transformer in (
        ("PCA", PCA(n_components, random_state=0)),
        ("AutoencoderTransformer", dense),
        ("ConvolutionalAutoencoderTransformer", convolutional),
        ("the same, published layers", published),
    ):
        table.append(row(name, transformer, X_train, X_test))
        print(f"{name}: R2 {table[-1][1]:.4f} after {table[-1][3]:.0f} s", flush=True)
    print()
    print(f"{len(X_train)} images, {n_components} numbers each")
    headers = ["method", "test R2", "epochs", "seconds"]
    print(tabulate(table, headers, floatfmt=("", ".4f", ".0f", ".0f")))


if __name__ == "__main__":
    main()
