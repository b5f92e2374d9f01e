"""
How codes are distributed
=========================

The codes of an autoencoder may have any distribution; a penalty, or a likelihood, can ask for one.
"""

# %%
# Plain, sparse and variational
# -----------------------------
#
# Three networks with the same layers and codes of 16 numbers, for pixels as probabilities of ink.
# The sparse one has codes that are not negative and a penalty on their size, so that some are
# zero; the variational one asks that all codes together be standard normal and independent of one
# another.

import matplotlib.pyplot as plt
import numpy as np

from skae import AutoencoderTransformer, VariationalAutoencoderTransformer
from skae.datasets import load_dataset
from skae.penalty import L1Sparsity
from skae.plotting import LatentJointDisplay

try:
    dataset = load_dataset("mnist")
except OSError:
    dataset = load_dataset("digits")
X = dataset.data / dataset.data.max()
n_train = 6 * len(X) // 7
X_train, X_test = X[:n_train][:30_000], X[n_train:]
y_test = dataset.target[n_train:]
print(f"{dataset.name}: {len(X_train)} rows to fit, {len(X_test)} to look at")

settings = {"hidden_layer_sizes": (128,), "max_iter": 12, "random_state": 0}
methods = {
    "plain": AutoencoderTransformer(16, loss="log_loss", **settings),
    "sparse": AutoencoderTransformer(
        16, loss="log_loss", latent_activation="relu", penalty=L1Sparsity(0.01), **settings
    ),
    "variational": VariationalAutoencoderTransformer(16, likelihood="bernoulli", **settings),
}
for name, method in methods.items():
    method.fit(X_train)
    codes = method.transform(X_test)
    zero = np.mean(np.abs(codes) < 0.01 * codes.std())
    print(f"{name:12} R² {method.score(X_test):.3f}, {zero:4.0%} of the codes are zero")

# %%
# The joint distribution of two codes
# -----------------------------------
#
# For each method the two codes that vary most. Lines are what a normal distribution of the same
# mean and deviation would be.

for name, method in methods.items():
    codes = method.transform(X_test)
    most = np.argsort(-codes.var(axis=0))[:2]
    display = LatentJointDisplay.from_predictions(codes[:2000], y_test[:2000], components=most)
    display.figure_.suptitle(name, fontweight="bold")
plt.show()

# %%
# Drawing new rows
# ----------------
#
# If the codes are standard normal, then what a standard normal code stands for is a row like
# others.

drawn = methods["variational"].sample(40, random_state=0)
figure, axes = plt.subplots(4, 10, figsize=(9, 3.8), layout="constrained")
for ax, image in zip(axes.flat, drawn, strict=True):
    ax.imshow(image.reshape(dataset.image_shape[1:]), cmap="gray", vmin=0, vmax=1)
    ax.set_axis_off()
plt.show()
