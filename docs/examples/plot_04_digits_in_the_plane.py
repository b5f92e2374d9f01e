"""
Three digits in the plane
=========================

With a code of two numbers each image is a point in the plane, and each point of the plane an image:
also where there was none.
"""

# %%
# The latent space
# ----------------
# The digits 1, 5 and 6, and hidden layers of 500 and 300 units with tanh.

import matplotlib.pyplot as plt
import numpy as np

from skae import AutoencoderTransformer
from skae.datasets import load_dataset
from skae.plotting import LatentSpaceDisplay, LossCurveDisplay, ManifoldDisplay

try:
    dataset = load_dataset("mnist")
except OSError:
    dataset = load_dataset("digits")
three = np.isin(dataset.target, [1, 5, 6])
X, y = dataset.data[three] / dataset.data.max(), dataset.target[three]
n_train = 6 * len(X) // 7
X_train, X_test, y_test = X[:n_train], X[n_train:], y[n_train:]
shape = dataset.image_shape
print(f"{dataset.name}: {len(X_train)} rows to fit, {len(X_test)} to look at")

autoencoder = AutoencoderTransformer(
    2, hidden_layer_sizes=(500, 300), activation="tanh", max_iter=20, random_state=0
).fit(X_train)
print(f"R² of rows that were not fitted: {autoencoder.score(X_test):.3f}")
LatentSpaceDisplay.from_estimator(autoencoder, X_test, y_test, thumbnails=60, image_shape=shape)
plt.show()

# %%
# A digit that nobody wrote
# -------------------------
#
# Halfway between the mean code of the fives and that of the sixes:

codes = autoencoder.transform(X_test)
five, six = (codes[y_test == digit].mean(axis=0) for digit in (5, 6))
generated = autoencoder.inverse_transform([(five + six) / 2])
figure, ax = plt.subplots(figsize=(2.2, 2.4), layout="constrained")
ax.imshow(generated.reshape(shape[1:]), cmap="gray", vmin=0)
ax.set(xticks=[], yticks=[], title="at ({:.1f}, {:.1f})".format(*(five + six) / 2))
plt.show()

# %%
# All of the plane
# ----------------
#
# 20 x 20 codes, evenly apart over the region that 95 % of the rows lie in along each axis.

ManifoldDisplay.from_estimator(autoencoder, X_test, image_shape=shape)
plt.show()

# %%
# And how training went:

LossCurveDisplay.from_estimator(autoencoder)
plt.show()
