"""
Clusters of images
==================

Forty numbers for each of the digits 0 to 4: do images of one digit lie together, though nobody told
the network which they are?
"""

# sphinx_gallery_thumbnail_number = 3

# %%
# Forty numbers
# -------------
# A hidden layer of 60 units on either side of the 40, with batch normalization, trained on the mean
# absolute error.

import matplotlib.pyplot as plt
from sklearn.metrics import adjusted_rand_score

from skae import AutoencoderTransformer
from skae.datasets import load_dataset
from skae.plotting import ClusterDisplay, LatentSpaceDisplay, ReconstructionDisplay

try:
    dataset = load_dataset("mnist")
except OSError:
    dataset = load_dataset("digits")
some = dataset.target < 5
X, y = dataset.data[some] / dataset.data.max(), dataset.target[some]
n_train = 6 * len(X) // 7
X_train, X_test, y_test = X[:n_train], X[n_train:], y[n_train:]
shape = dataset.image_shape
print(f"{dataset.name}: {len(X_train)} rows to fit, {len(X_test)} to look at")

autoencoder = AutoencoderTransformer(
    40,
    hidden_layer_sizes=(60,),
    loss="absolute_error",
    normalization="batch",
    max_iter=20,
    random_state=0,
).fit(X_train)
print(f"R² of rows that were not fitted: {autoencoder.score(X_test):.3f}")
ReconstructionDisplay.from_estimator(autoencoder, X_test, image_shape=shape)
plt.show()

# %%
# In space
# --------
#
# The first three principal axes of the codes.

LatentSpaceDisplay.from_estimator(autoencoder, X_test[:2000], y_test[:2000])
plt.show()

# %%
# Five clusters
# -------------
#
# k-means finds five groups in the codes. Beside each stands which digit is most frequent in it,
# which k-means was not told. Below, images come together by Ward's method, those with near codes
# first.

display = ClusterDisplay.from_estimator(
    autoencoder, X_test, y_test, n_clusters=5, n_leaves=30, image_shape=shape
)
plt.show()

# %%
# How far clusters and digits agree, where 0 is chance and 1 is the same:

print(f"adjusted Rand index: {adjusted_rand_score(y_test, display.labels):.2f}")
