"""
Stacking: when does pretraining pay?
====================================

Layers that are first trained as autoencoders know something of the rows before they have seen a
label. What is that worth, with all labels and with few?
"""

# sphinx_gallery_thumbnail_number = 2

# %%
# All labels
# ----------
#
# 784-128-64-10. Each layer is trained as an autoencoder of the codes below, then a softmax layer,
# then all of it. The same network without the first two stages stands beside it.

from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np

from skae import StackedAutoencoderClassifier
from skae.datasets import load_dataset
from skae.plotting import LatentSpaceDisplay, LossCurveDisplay

try:
    dataset = load_dataset("mnist")
except OSError:
    dataset = load_dataset("digits")
X, y = dataset.data / dataset.data.max(), dataset.target
n_train = 6 * len(X) // 7
X_train, X_test, y_train, y_test = X[:n_train], X[n_train:], y[:n_train], y[n_train:]
print(f"{dataset.name}: {len(X_train)} rows to fit, {len(X_test)} to judge by")


def report(name, classifier, rows, labels):
    """Fit a classifier and print how many test rows it gets right."""
    start = perf_counter()
    classifier.fit(rows, labels)
    seconds = perf_counter() - start
    print(f"{name:28} {classifier.score(X_test, y_test):.2%} right, {seconds:3.0f} s")
    return classifier


settings = {"hidden_layer_sizes": (128, 64), "max_iter": 8, "random_state": 0}
stacked = report(
    "all labels, pretrained",
    StackedAutoencoderClassifier(pretrain_max_iter=3, **settings),
    X_train,
    y_train,
)
report(
    "all labels",
    StackedAutoencoderClassifier(pretrain=False, **settings),
    X_train,
    y_train,
)

# %%
# What each stage gave:

LossCurveDisplay.from_estimator(stacked)
plt.show()

# %%
# One hundred labels
# ------------------
#
# Ten of each digit; -1 says that a row has none. The unlabelled rows take part in pretraining. In a
# ladder network, where all layers learn to denoise one another while labels are learnt, they take
# part all the time. To save time, there are half as many rows.

some = slice(None, 30_000)
rows, labels = X_train[some], np.full_like(y_train[some], -1)
for digit in np.unique(y_train):
    chosen = np.flatnonzero(y_train[some] == digit)[:10]
    labels[chosen] = digit
few = {"unlabeled": -1, "random_state": 0}
greedy = report(
    "100 labels, pretrained",
    StackedAutoencoderClassifier((128, 64), pretrain_max_iter=5, **few),
    rows,
    labels,
)
report(
    "100 labels",
    StackedAutoencoderClassifier((128, 64), pretrain=False, **few),
    rows,
    labels,
)
ladder = report(
    "100 labels, ladder network",
    StackedAutoencoderClassifier(
        (500, 250, 250, 250), joint="ladder", max_iter=8, learning_rate_init=0.006, **few
    ),
    rows,
    labels,
)

# %%
# Codes of the last hidden layer, of rows that none of them has seen, by their first two principal
# axes. The colors are the labels that the classifiers were not told.

figure, axes = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
names = "pretrained and fine-tuned", "ladder network"
for ax, name, classifier in zip(axes, names, (greedy, ladder), strict=True):
    LatentSpaceDisplay.from_estimator(
        classifier, X_test[:3000], y_test[:3000], n_dimensions=2, ax=ax
    )
    ax.set_title(f"{name}: {classifier.score(X_test, y_test):.1%}")
plt.show()

# %%
# With all labels pretraining hardly matters; with few it helps a little, and the ladder network,
# which is larger and takes longer, a great deal. The `benchmarks
# <../benchmarks.html#few-labels-and-all-of-them>`_ have the tables, with longer training.
