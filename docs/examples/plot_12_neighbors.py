"""
Neighbors in the plane
======================

A picture as t-SNE draws it, in which there is room for new rows, and a way from each of its points
back to an image.
"""

# %%
# The same rows, drawn twice
# --------------------------
# The 1797 digits of scikit-learn, of which every fourth is kept for later. t-SNE places the rows
# that it is given. The autoencoder is one like any other, with a penalty that draws rows to their
# neighbors.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.manifold import TSNE
from sklearn.model_selection import train_test_split

from skae import AutoencoderTransformer
from skae.metrics import knn_accuracy, neighbor_recall, trustworthiness
from skae.penalty import NeighborPreservation
from skae.plotting import InterpolationDisplay, LatentSpaceDisplay, ManifoldDisplay

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

placed = TSNE(random_state=0).fit_transform(X_train)
autoencoder = AutoencoderTransformer(
    2, hidden_layer_sizes=(256, 128, 64), penalty=NeighborPreservation(), random_state=0
).fit(X_train)
codes = autoencoder.transform(X_train)

figure, axes = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
for ax, name, found in zip(axes, ("t-SNE", "autoencoder"), (placed, codes), strict=True):
    LatentSpaceDisplay.from_predictions(found, y_train, ax=ax)
    kept = trustworthiness(X_train, found), neighbor_recall(X_train, found)
    ax.set_title("{}: trustworthiness {:.3f}, recall {:.2f}".format(name, *kept))
plt.show()

# %%
# New rows
# --------
# The autoencoder draws the rows that it has not seen where they belong: their digit is that of the
# nearest training rows. t-SNE has no place for them.

new_codes = autoencoder.transform(X_test)
accuracy = knn_accuracy(codes, y_train, new_codes, y_test)
print(f"digits told from the five nearest codes: {accuracy:.3f}")
print(f"trustworthiness of the new rows: {trustworthiness(X_test, new_codes):.3f}")

display = LatentSpaceDisplay.from_predictions(new_codes, y_test)
display.figure_.axes[0].set_title(f"450 new rows, {accuracy:.1%} of them among their own")
plt.show()

# %%
# From one group to another
# -------------------------
# Each point of the plane is an image. Above the way from a six to a nought through the pixels,
# below the one through the plane.

six, nought = (X_test[np.flatnonzero(y_test == digit)[0]] for digit in (6, 0))
InterpolationDisplay.from_estimator(autoencoder, np.stack([six, nought]), image_shape=(8, 8))
plt.show()

# %%
# And all of the plane, where training rows are and where none was:

ManifoldDisplay.from_estimator(autoencoder, X_train, image_shape=(8, 8))
plt.show()

# %%
# What it costs
# -------------
# The reconstruction of new rows, beside an autoencoder of the same layers that is not drawn to
# neighbors.

plain = AutoencoderTransformer(2, hidden_layer_sizes=(256, 128, 64), random_state=0).fit(X_train)
for name, one in (("plain", plain), ("neighbors", autoencoder)):
    found = one.transform(X_train), one.transform(X_test)
    accuracy = knn_accuracy(found[0], y_train, found[1], y_test)
    print(f"{name:10} R² {one.score(X_test):.3f}, digits told {accuracy:.3f}")
