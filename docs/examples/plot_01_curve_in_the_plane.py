"""
A curve in the plane
====================

Two columns that lie around a curve need one number each, and PCA can't find it: its one number is
a place on a straight line. A deep autoencoder finds the curve, unless there are so few points that
it learns them by heart.
"""

# %%
# Three codes of one number
# -------------------------
#
# The data are points around a sine and around a spiral. An autoencoder without hidden layers is
# linear, and what it finds is PCA's line [1]_; with two hidden layers of 64 units on either side of
# the code it follows the curve. Color is the code: it grows along the curve.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA

from skae import AutoencoderTransformer
from skae.datasets import make_noisy_curve
from skae.plotting import ManifoldDisplay, VectorFieldDisplay

curves = {
    kind: make_noisy_curve(1000, kind=kind, noise=0.1, random_state=0)[0]
    for kind in ("sine", "spiral")
}


def deep_autoencoder(**parameters):
    """Return 64-64-1-64-64 with ELU, from random weights."""
    return AutoencoderTransformer(
        1,
        hidden_layer_sizes=(64, 64),
        activation="elu",
        init="random",
        early_stopping=False,
        learning_rate_init=0.01,
        batch_size=32,
        random_state=0,
        **parameters,
    )


methods = {
    "PCA": PCA(1),
    "linear autoencoder": AutoencoderTransformer(
        1, hidden_layer_sizes=(), init="random", early_stopping=False, random_state=0
    ),
    "deep autoencoder": deep_autoencoder(max_iter=500),
}

fitted = {}
figure, axes = plt.subplots(2, 3, figsize=(11, 6.5), layout="constrained")
for line, (kind, X) in zip(axes, curves.items(), strict=True):
    for ax, (name, method) in zip(line, methods.items(), strict=True):
        ManifoldDisplay.from_estimator(method.fit(X), X, ax=ax)
        rebuilt = method.inverse_transform(method.transform(X))
        share = 1 - np.square(X - rebuilt).sum() / np.square(X - X.mean(axis=0)).sum()
        ax.set_title(f"{name}: R² {share:.3f}", fontsize="medium")
        fitted[kind, name] = method
    methods["deep autoencoder"] = deep_autoencoder(max_iter=500)
plt.show()

# %%
# The code of the spiral jumps: its parts are joined by straight lines, across which no point lies.
#
# Here the start is random. From PCA (``init="pca"``) this network does not get away on the spiral:
# near its start ELU is almost linear, and among linear maps PCA is the best. With SiLU it does, and
# the default, ``init="auto"``, tries both starts.

for activation in ("elu", "silu"):
    from_pca = deep_autoencoder(max_iter=60).set_params(init="pca", activation=activation)
    print(f"{activation}: R² {from_pca.fit(curves['spiral']).score(curves['spiral']):.3f}")

# %%
# Where points are moved to
# -------------------------
# The reconstruction moves each point of the plane in the direction of these streams: far where it
# is far from the curve, and hardly at all upon it.

figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
for ax, kind in zip(axes, curves, strict=True):
    VectorFieldDisplay.from_estimator(fitted[kind, "deep autoencoder"], curves[kind], ax=ax)
plt.show()

# %%
# Twenty-five points
# ------------------
# The same layers, trained for long on 25 points with more noise: the curve bends towards each of
# them, and the error of other points is more than ten times theirs. Early stopping asks points that
# are held out, and keeps a smooth curve, with errors of one order for both.

X, _ = make_noisy_curve(1025, kind="sine", noise=0.3, random_state=0)
few, others = X[:25], X[25:]
figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for ax, early_stopping in zip(axes, (False, True), strict=True):
    autoencoder = deep_autoencoder(max_iter=4000).set_params(
        learning_rate_init=0.003, early_stopping=early_stopping
    )
    autoencoder.fit(few)
    ManifoldDisplay.from_estimator(autoencoder, few, ax=ax)
    here, elsewhere = (autoencoder.reconstruction_error(rows).mean() for rows in (few, others))
    ax.set_title(
        f"early_stopping={early_stopping}\nsquared error {here:.3f}, of others {elsewhere:.3f}",
        fontsize="medium",
    )
plt.show()

# %%
# .. [1] P. Baldi and K. Hornik, "Neural networks and principal component analysis: learning from
#    examples without local minima", Neural Networks 2, 1989. :doi:`10.1016/0893-6080(89)90014-2`
