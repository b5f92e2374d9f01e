"""
Convolutions and the maps they make
===================================

A convolutional autoencoder looks at every place of an image with the same few filters. What do they
find, and what lies between two images?
"""

# sphinx_gallery_thumbnail_number = 3

# %%
# A convolutional autoencoder
# ---------------------------
#
# Two levels with 16 and 32 filters, each of which halves height and width, and a code of 16
# numbers.

import matplotlib.pyplot as plt
import numpy as np

from skae import ConvolutionalAutoencoderTransformer
from skae.datasets import load_dataset
from skae.plotting import (
    FeatureMapsDisplay,
    InterpolationDisplay,
    ReconstructionDisplay,
    WeightsDisplay,
)

try:
    dataset = load_dataset("mnist")
except OSError:
    dataset = load_dataset("digits")
X, y = dataset.data / dataset.data.max(), dataset.target
n_test = len(X) // 7
X_train, X_test, y_test = X[:-n_test][:15_000], X[-n_test:], y[-n_test:]
print(f"{dataset.name}: {len(X_train)} rows to fit, {len(X_test)} to look at")

autoencoder = ConvolutionalAutoencoderTransformer(
    16,
    image_shape=dataset.image_shape,
    channels=(16, 32),
    pooling="stride",
    max_iter=6,
    random_state=0,
).fit(X_train)
print(f"R² of rows that were not fitted: {autoencoder.score(X_test):.3f}")
ReconstructionDisplay.from_estimator(autoencoder, X_test)
plt.show()

# %%
# What the filters find
# ---------------------
#
# A filter is a tiny image. Its map shows where an image is like it: an edge from the left, an end
# of a stroke, ink as such.

WeightsDisplay.from_estimator(autoencoder)
two = [np.flatnonzero(y_test == digit)[0] for digit in (2, 8)]
FeatureMapsDisplay.from_estimator(autoencoder, X_test[two])
plt.show()

# %%
# Between two eights
# ------------------
#
# Half of one eight and half of another, pixel by pixel, is a double exposure. Halfway between their
# codes lies an eight.

eights = np.flatnonzero(y_test == 8)
codes = autoencoder.transform(X_test[eights])
# The one that is furthest from the first.
furthest = np.square(codes - codes[0]).sum(axis=1).argmax()
pair = eights[[0, furthest]]
InterpolationDisplay.from_estimator(autoencoder, X_test[pair])
plt.show()
