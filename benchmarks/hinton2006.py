"""The 784-1000-500-250-30 autoencoder of Hinton & Salakhutdinov (2006) on MNIST.

Its figure is the squared error of a test image, summed over 784 pixels in [0, 1] and
averaged over the 10 000 images: 3.00 with layer-wise pretraining and conjugate gradients,
8.01 for logistic PCA and 13.87 for PCA, all with 30 numbers an image (Science 313,
504-507, doi 10.1126/science.1127647). PCA is measured again here, beside
AutoencoderTransformer with the same hidden layers.

    python benchmarks/hinton2006.py [--epochs 200] [--alpha 0.5] [--precision bfloat16]
"""

import argparse
import time

import numpy as np
from sklearn.decomposition import PCA
from tabulate import tabulate

from skae import AutoencoderTransformer
from skae.datasets import fetch_mnist, load_dataset
from skae.metrics import reconstruction_error_samples


def images(smoke):
    """Return training and test images as rows of pixels in [0, 1]."""
    if smoke:
        X = (load_dataset("digits").data / 16).astype(np.float32)
        return X[:1200], X[1200:]
    return (
        fetch_mnist(subset="train", return_X_y=True)[0],
        fetch_mnist(subset="test", return_X_y=True)[0],
    )


def row(name, transformer, X_train, X_test):
    """Fit a transformer and return its name, its two errors an image, and the seconds."""
    begun = time.perf_counter()
    transformer.fit(X_train)
    seconds = time.perf_counter() - begun
    errors = [
        reconstruction_error_samples(
            X, transformer.inverse_transform(transformer.transform(X))
        ).mean()
        for X in (X_train, X_test)
    ]
    return [name, *errors, seconds]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--precision", default="bfloat16", choices=["float32", "bfloat16"])
    parser.add_argument("--alpha", type=float, default=0.5, help="weight decay")
    parser.add_argument("--step", type=float, default=0.002, help="largest learning rate")
    parser.add_argument("--schedule", default="one_cycle", help="learning_rate of the estimator")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--smoke", action="store_true", help="digits, three epochs, small layers")
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    X_train, X_test = images(arguments.smoke)
    autoencoder = AutoencoderTransformer(
        30,
        hidden_layer_sizes=(100, 50) if arguments.smoke else (1000, 500, 250),
        learning_rate=arguments.schedule,
        learning_rate_init=arguments.step,
        alpha=arguments.alpha,
        batch_size=arguments.batch_size,
        max_iter=3 if arguments.smoke else arguments.epochs,
        early_stopping=False,
        precision=arguments.precision,
        random_state=0,
        verbose=arguments.verbose,
    )
    table = [
        row("PCA(30)", PCA(30, random_state=0), X_train, X_test),
        row("AutoencoderTransformer", autoencoder, X_train, X_test),
    ]
    headers = ["method", "training error", "test error", "seconds"]
    print(tabulate(table, headers, floatfmt=("", ".2f", ".2f", ".0f")))
    if not arguments.smoke:
        print("published: PCA 13.87, logistic PCA 8.01, pretrained autoencoder 3.00")


if __name__ == "__main__":
    main()
