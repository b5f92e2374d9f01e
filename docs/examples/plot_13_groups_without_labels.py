"""
Groups without labels
=====================

Ten groups in the digits, found without being told what a digit is: beside k-means, a mixture of
normal distributions and HDBSCAN, with an image for each group and a place for new rows.
"""

# sphinx_gallery_thumbnail_number = 2

# %%
# Four ways to find groups
# ------------------------
# The 1797 digits of scikit-learn, of which every fourth is kept for later. `AutoencoderClustering`
# draws rows that are neighbors near to one another in the plane, and tells the islands apart that
# come of it. The others look for groups in the pixels, the mixture in ten principal components.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from skae import AutoencoderTransformer
from skae.cluster import AutoencoderClustering
from skae.plotting import LatentSpaceDisplay

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

clustering = AutoencoderClustering(
    10,
    autoencoder=AutoencoderTransformer(2, penalty="neighbors", init="random", noise=None),
    random_state=0,
)
methods = {
    "KMeans": KMeans(10, n_init=10, random_state=0),
    "GaussianMixture": make_pipeline(
        PCA(10, random_state=0), GaussianMixture(10, n_init=3, random_state=0)
    ),
    "HDBSCAN": HDBSCAN(min_cluster_size=20, copy=True),
    "AutoencoderClustering": clustering,
}
found = {name: method.fit_predict(X_train) for name, method in methods.items()}
for name, labels in found.items():
    n_groups, in_none = len(set(labels) - {-1}), np.mean(labels == -1)
    agreement = adjusted_rand_score(y_train, labels)
    print(f"{name:22} {n_groups:3} groups, agreement {agreement:.2f}, in none {in_none:.0%}")

# %%
# The adjusted Rand index says how far groups and digits agree: 0 is chance, 1 is the same. HDBSCAN
# is not told how many groups there are, and leaves rows out.
#
# What was found
# --------------
# The codes in the colors of the groups, and in those of the digits, which only we know.

figure, axes = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
codes = clustering.transform(X_train)
for ax, title, colors in (
    (axes[0], "ten groups", found["AutoencoderClustering"]),
    (axes[1], "ten digits", y_train),
):
    LatentSpaceDisplay.from_predictions(codes, colors, ax=ax)
    ax.set_title(title)
plt.show()

# %%
# A typical member
# ----------------
# The center of a group is a code, and a code is an image. Above, what the centers stand for; below,
# the means of the groups of k-means, in the order of the digit that is most frequent in each. They
# are much alike: the methods differ in who belongs to a group, and less in what is typical of it.


def in_order(labels, images):
    """Return images of groups by the most frequent digit of each."""
    digits = [np.bincount(y_train[labels == group]).argmax() for group in range(len(images))]
    return np.asarray(images)[np.argsort(digits, kind="stable")], np.sort(digits)


typical = {
    "decoded centers": in_order(
        found["AutoencoderClustering"], clustering.inverse_transform(clustering.cluster_centers_)
    ),
    "means of k-means": in_order(found["KMeans"], methods["KMeans"].cluster_centers_),
}
figure, axes = plt.subplots(2, 10, figsize=(11, 2.8), layout="constrained")
for row, (name, (images, digits)) in zip(axes, typical.items(), strict=True):
    for ax, image, digit in zip(row, images, digits, strict=True):
        ax.imshow(image.reshape(8, 8), cmap="gray_r")
        ax.set(xticks=[], yticks=[])
        ax.set_title(f"mostly {digit}", fontsize="small")
    row[0].set_ylabel(name, fontsize="small")
plt.show()

# %%
# New rows
# --------
# The network has codes for rows that it has not seen, so `predict` tells their group. HDBSCAN has
# no such method.

for name in ("KMeans", "GaussianMixture", "AutoencoderClustering"):
    labels = methods[name].predict(X_test)
    print(f"{name:22} agreement on new rows {adjusted_rand_score(y_test, labels):.2f}")

# %%
# How many?
# ---------
# With ``n_clusters=None`` HDBSCAN looks for the islands among the codes, in place of the pixels.

islands = AutoencoderClustering(
    None,
    autoencoder=AutoencoderTransformer(2, penalty="neighbors", init="random", noise=None),
    random_state=0,
).fit(X_train)
agreement = adjusted_rand_score(y_train, islands.labels_)
in_none = np.mean(islands.labels_ == -1)
print(f"{islands.n_clusters_} groups, agreement {agreement:.2f}, in none {in_none:.0%}")
