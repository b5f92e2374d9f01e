"""
Clothes in ten numbers
======================

Methods that draw rows in the plane, such as t-SNE, have neither a place for new rows nor a way
back. An autoencoder makes ten numbers of each image first, and has both; is the picture the same?
"""

# %%
# Ten numbers for each image
# --------------------------
#
# Hidden layers of 128 and 128 units on Fashion-MNIST. PCA with ten components stands beside it.

from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA, KernelPCA
from sklearn.manifold import TSNE, Isomap, LocallyLinearEmbedding

from skae import AutoencoderTransformer
from skae.datasets import load_dataset
from skae.metrics import knn_accuracy, reconstruction_r2_scorer
from skae.plotting import LatentSpaceDisplay, ReconstructionDisplay

try:
    dataset = load_dataset("fashion-mnist")
except OSError:
    dataset = load_dataset("digits")
X = dataset.data / dataset.data.max()
y = np.array(dataset.target_names)[dataset.target]
n_train = 6 * len(X) // 7
X_train, X_test = X[:n_train], X[n_train:]
print(f"{dataset.name}: {len(X_train)} rows to fit")

autoencoder = AutoencoderTransformer(10, hidden_layer_sizes=(128, 128), max_iter=15, random_state=0)
for method in (PCA(10, random_state=0), autoencoder):
    start = perf_counter()
    method.fit(X_train)
    seconds = perf_counter() - start
    share = reconstruction_r2_scorer(method, X_test)
    print(f"{type(method).__name__}: R² {share:.3f}, fitted in {seconds:.1f} s")

ReconstructionDisplay.from_estimator(autoencoder, X_test, image_shape=dataset.image_shape)
plt.show()

# %%
# Into the plane, from pixels and from codes
# ------------------------------------------
#
# Five methods embed the same 1500 images that the autoencoder has not seen, once from their
# pixels and once from their ten codes. Each panel says the seconds, and the share of the images
# whose class is that of most of their five neighbors in the plane: of every second image, told
# from the others.

rows = slice(None, 1500)
codes = autoencoder.transform(X_test[rows])
labels = y[n_train:][rows]
inputs = {"pixels": X_test[rows], f"{codes.shape[1]} codes": codes}


def methods(values):
    gamma = 1 / (values.shape[1] * values.var())  # the width that suits the spread of the rows
    return {
        "PCA": PCA(2, random_state=0),
        "KernelPCA": KernelPCA(2, kernel="rbf", gamma=gamma, random_state=0),
        "LLE": LocallyLinearEmbedding(n_neighbors=10, random_state=0),
        "Isomap": Isomap(n_neighbors=10),
        "t-SNE": TSNE(random_state=0),
    }


figure, axes = plt.subplots(2, 5, figsize=(14, 6), layout="constrained")
for line, (name, values) in zip(axes, inputs.items(), strict=True):
    for ax, (title, method) in zip(line, methods(values).items(), strict=True):
        start = perf_counter()
        plane = method.fit_transform(values.astype(np.float64))
        seconds = perf_counter() - start
        told = knn_accuracy(plane[::2], labels[::2], plane[1::2], labels[1::2])
        LatentSpaceDisplay.from_predictions(plane, labels, ax=ax)
        ax.set(xticks=[], yticks=[], xlabel="", ylabel="")
        ax.set_title(f"{title}: {told:.0%}, {seconds:.1f} s", fontsize="medium")
        ax.get_legend().remove()
    line[0].set_ylabel(f"from {name}", fontsize="large")
handles = LatentSpaceDisplay(codes[:, :2], labels).plot().ax_.get_legend().legend_handles
plt.close()
figure.legend(
    handles=handles, loc="outside lower center", ncols=10, frameon=False, fontsize="small"
)
plt.show()

# %%
# t-SNE finds the same groups in ten numbers as in 784, in the same time: it looks for neighbors
# of rows only once. LLE does well with neither. As points in the plane of the codes' own
# principal axes, with some of the images:

LatentSpaceDisplay.from_estimator(
    autoencoder,
    X_test[rows],
    labels,
    n_dimensions=2,
    thumbnails=60,
    image_shape=dataset.image_shape,
)
plt.show()
