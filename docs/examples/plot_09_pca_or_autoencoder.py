"""
PCA or an autoencoder?
======================

The one question that a grid search can answer: both are transformers, so both are values of one
parameter.
"""

# %%
# One search
# ----------
#
# scikit-learn's breast cancer data: 569 tumors, 30 measurements. Which two, four or eight numbers
# keep most of them? The columns have different units, so they are standardized first, outside of
# the search: the score shall be in units of the columns that methods see.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderTransformer, compare
from skae.metrics import reconstruction_r2_scorer
from skae.plotting import ComparisonDisplay, ReconstructionDisplay

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
scaler = StandardScaler().set_output(transform="pandas").fit(X_train)
Z_train, Z_test = scaler.transform(X_train), scaler.transform(X_test)

sizes = [2, 4, 8]
candidates = [PCA(k) for k in sizes]
candidates += [AutoencoderTransformer(k, random_state=0) for k in sizes]
search = GridSearchCV(
    Pipeline([("reduce", PCA())]),
    {"reduce": candidates},
    scoring=reconstruction_r2_scorer,
    cv=3,
    n_jobs=2,
).fit(Z_train)

scores = search.cv_results_["mean_test_score"].reshape(2, -1)
print("components   ", *(f"{k:6}" for k in sizes))
for name, line in zip(("PCA", "autoencoder"), scores, strict=True):
    print(f"{name:13}", *(f"{share:6.3f}" for share in line))

# %%
# A step of a pipeline
# --------------------
#
# If the codes are there to tell a class, let the class decide: the same search over a pipeline
# with a classifier at its end.

pipeline = Pipeline(
    [("scale", StandardScaler()), ("reduce", PCA()), ("classify", LogisticRegression())]
)
search = GridSearchCV(pipeline, {"reduce": candidates}, cv=3, n_jobs=2).fit(X_train, y_train)
scores = search.cv_results_["mean_test_score"].reshape(2, -1)
print("components   ", *(f"{k:6}" for k in sizes))
for name, line in zip(("PCA", "autoencoder"), scores, strict=True):
    print(f"{name:13}", *(f"{share:6.3f}" for share in line))
print(f"chosen: {search.best_params_['reduce']}, {search.score(X_test, y_test):.3f} on test rows")

# %%
# So the answer depends on the question. An autoencoder keeps more of the measurements in as many
# numbers; for telling the class by a linear model, PCA's numbers are as good or better here.
#
# Side by side
# ------------
#
# `compare` fits all methods on the same rows and measures them on the same others.

target = np.where(y == 1, "benign", "malignant")
comparison = compare(
    X,
    target,
    methods=["pca", "kernel_pca", "isomap", "tsne", "autoencoder", "deep_autoencoder"],
    standardize=True,
    random_state=0,
)
print(comparison)
ComparisonDisplay(comparison).plot()
plt.show()

# %%
# What is lost
# ------------
#
# Four tumors, from the one that an autoencoder with four numbers knows best to the one that it
# knows worst: bars are the measurements, points the reconstruction.

autoencoder = AutoencoderTransformer(4, random_state=0).fit(Z_train)
ReconstructionDisplay.from_estimator(autoencoder, Z_test, n_shown=4)
plt.show()
