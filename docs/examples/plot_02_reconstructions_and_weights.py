"""
What 32 units look for
======================

An autoencoder with one hidden layer, 784-32-784, is the simplest that there is for images of
28 x 28 pixels. What has each of its 32 units learnt to see? And what does a row lose?
"""

# sphinx_gallery_thumbnail_number = 2

# %%
# Two codes of 32 numbers
# -----------------------
#
# PCA's components are orthogonal, and each looks at the whole image. The units of an autoencoder
# need not share the image in that way: ReLU leaves a unit out of all images that have nothing of
# it. The log loss takes each pixel for the probability of ink, the decoder's weights are the
# encoder's, so that a unit draws what it sees, and noise on the way in makes it look at more than
# single pixels.

import matplotlib.pyplot as plt
from sklearn.decomposition import PCA

from skae import AutoencoderTransformer
from skae.datasets import load_dataset
from skae.metrics import reconstruction_r2_scorer
from skae.plotting import LossCurveDisplay, ReconstructionDisplay, WeightsDisplay

try:
    dataset = load_dataset("mnist")
except OSError:
    dataset = load_dataset("digits")
X = dataset.data / dataset.data.max()
shape = dataset.image_shape
n_train = 6 * len(X) // 7
X_train, X_test = X[:n_train], X[n_train:]
print(f"{dataset.name}: {len(X_train)} rows to fit, {len(X_test)} to look at")

pca = PCA(32, random_state=0).fit(X_train)
autoencoder = AutoencoderTransformer(
    32,
    hidden_layer_sizes=(),
    latent_activation="relu",
    loss="log_loss",
    init="random",
    tied_weights=True,
    noise="gaussian",
    max_iter=12,
    random_state=0,
).fit(X_train)
for method in (pca, autoencoder):
    print(f"{type(method).__name__}: R² {reconstruction_r2_scorer(method, X_test):.3f}")

# %%
# From the best to the worst row
# ------------------------------
# Eight rows, evenly apart in the order of PCA's errors.

display = ReconstructionDisplay.from_estimator(pca, X_test, image_shape=shape)
plt.close()
figure, axes = plt.subplots(2, 1, figsize=(9, 5.6), layout="constrained")
for ax, method in zip(axes, (pca, autoencoder), strict=True):
    ReconstructionDisplay.from_estimator(
        method, X_test, select=display.indices, image_shape=shape, ax=ax
    )
    ax.set_title(type(method).__name__)
plt.show()

# %%
# The weights
# -----------
#
# Ink on a red pixel speaks for a unit, on a blue one against it. PCA's components come in the
# order of what they explain, and get finer and finer; no unit comes before another, and ink at
# the wrong place silences it.

figure, axes = plt.subplots(1, 2, figsize=(12, 3.6), layout="constrained")
for ax, method in zip(axes, (pca, autoencoder), strict=True):
    WeightsDisplay.from_estimator(method, image_shape=shape, ax=ax, colorbar=False)
    ax.set_title(type(method).__name__)
plt.show()

# %%
# How it went
# -----------
#
# The loss of the rows held out is what decides which epoch is kept.

LossCurveDisplay.from_estimator(autoencoder)
plt.show()
