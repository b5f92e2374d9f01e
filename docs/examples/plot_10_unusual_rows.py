"""
Unusual rows, holes and noise
=============================

What an autoencoder can't rebuild is unlike the rows it was trained on. So it can point at rows, and
at their columns, fill holes, and take noise away.
"""

# sphinx_gallery_thumbnail_number = 3

# %%
# Which rows, and why?
# --------------------
#
# A detector is trained on one digit, the zero, and asked about zeros and others. The squared error
# of each pixel says what was unexpected. By default errors are divided by what is usual for their
# column, which suits tables; here all columns are pixels, so the plain error is asked for.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import roc_auc_score

from skae import AutoencoderOutlierDetector, AutoencoderTransformer
from skae.datasets import load_dataset
from skae.noise import GaussianNoise, MaskingNoise
from skae.plotting import OutlierDisplay, ReconstructionDisplay

try:
    dataset = load_dataset("mnist")
except OSError:
    dataset = load_dataset("digits")
X, y = dataset.data / dataset.data.max(), dataset.target
n_train = 6 * len(X) // 7
X_train, X_test = X[:n_train], X[n_train:]
y_train, y_test = y[:n_train], y[n_train:]
shape = dataset.image_shape
print(f"{dataset.name}: {len(X_train)} rows to fit, {len(X_test)} to look at")

zeros = X_train[y_train == 0][:2000]
detector = AutoencoderOutlierDetector(
    criterion="squared_error", contamination=0.02, random_state=0
).fit(zeros)
scores = detector.score_samples(X_test)
print(f"ROC AUC of zeros against all others: {roc_auc_score(y_test == 0, scores):.3f}")

others = [np.flatnonzero(y_test == digit)[0] for digit in (0, 1, 2, 6, 7, 9)]
zeros_of_test = np.flatnonzero(y_test == 0)
others.append(zeros_of_test[scores[zeros_of_test].argmin()])  # the zero that is least like one
errors = detector.reconstruction_error(X_test[others], per_feature=True)
figure, axes = plt.subplots(2, len(others), figsize=(11, 3.6), layout="constrained")
largest = errors.max()
for column, (row, error) in enumerate(zip(others, errors, strict=True)):
    above, below = axes[:, column]
    above.imshow(X_test[row].reshape(shape[1:]), cmap="gray")
    verdict = "usual" if detector.predict(X_test[[row]])[0] == 1 else "unusual"
    above.set_title(verdict, fontsize="medium")
    below.imshow(error.reshape(shape[1:]), cmap="magma", vmin=0, vmax=largest)
    for ax in (above, below):
        ax.set(xticks=[], yticks=[])
axes[0, 0].set_ylabel("row")
axes[1, 0].set_ylabel("error")
plt.show()

# %%
# In a table, columns have names. The detector of benign tumors is asked about malignant ones:
# ``explain_outliers`` tells what each of its four views says of a row (off the surface that the
# others lie on, far from them, far from their codes, out in single columns; 1 is typical), which
# columns are unexpected, and what was expected in their place, in the units that they have in the
# table.

from sklearn.datasets import load_breast_cancer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae.inspection import explain_outliers

tumors = load_breast_cancer(as_frame=True)
benign, malignant = (tumors.data[tumors.target == label] for label in (1, 0))
finding = make_pipeline(
    StandardScaler(), AutoencoderOutlierDetector(contamination=0.02, random_state=0)
).fit(benign)
why = explain_outliers(finding, malignant[:3])
for row in range(3):
    said = ", ".join(f"{view} {value[row]:.1f}" for view, value in why.views.items())
    print(f"tumor {row}: {said}")
print(why.to_frame(3).round(2).to_string(index=False))

# %%
# ``OutlierDisplay`` draws that: the part of each column in what is unusual, its value and, in
# brackets, what was expected.

OutlierDisplay(why).plot()
plt.show()

# %%
# Filling holes
# -------------
#
# Half of the pixels are missing (NaN), in rows that were not trained on. An autoencoder that was
# trained with masking noise, and with ``missing="mask"``, fills them.

random = np.random.RandomState(0)
filler = AutoencoderTransformer(
    32,
    hidden_layer_sizes=(256,),
    missing="mask",
    noise=MaskingNoise(0.5),
    max_iter=10,
    random_state=0,
).fit(X_train[:10_000])
holes = random.uniform(size=X_test.shape) < 0.5
filled = filler.impute(np.where(holes, np.nan, X_test))
mean = np.where(holes, X_train.mean(axis=0), X_test)
for name, guess in (("mean of the column", mean), ("autoencoder", filled)):
    print(f"{name}: mean squared error of a hole {np.square(guess - X_test)[holes].mean():.4f}")


def show(lines, rows):
    """Draw the same rows in several versions, one below the other."""
    figure, axes = plt.subplots(
        len(lines), len(rows), figsize=(len(rows), 1.05 * len(lines)), layout="constrained"
    )
    for line, (name, values) in zip(axes, lines.items(), strict=True):
        for ax, row in zip(line, rows, strict=True):
            ax.imshow(values[row].reshape(shape[1:]), cmap="gray", vmin=0, vmax=1)
            ax.set(xticks=[], yticks=[])
            ax.set_facecolor("tab:orange")  # shows through where a value is missing
        line[0].set_ylabel(name, rotation=0, ha="right", va="center")
    plt.show()


show({"with holes": np.where(holes, np.nan, X_test), "filled": filled, "true": X_test}, range(10))

# %%
# Taking noise away
# -----------------
#
# The same with noise on every pixel. What a network with the same layers learns without noise
# serves for comparison.

settings = {"hidden_layer_sizes": (256,), "max_iter": 10, "random_state": 0}
denoiser = AutoencoderTransformer(32, noise=GaussianNoise(2.0), **settings).fit(X_train[:10_000])
plain = AutoencoderTransformer(32, **settings).fit(X_train[:10_000])
noisy = X_test + random.normal(scale=2.0 * denoiser.scale_, size=X_test.shape)
print(f"noise: mean squared error {np.square(noisy - X_test).mean():.4f}")
lines = {"noisy": noisy}
for name, method in (("plain", plain), ("denoising", denoiser)):
    lines[name] = method.inverse_transform(method.transform(noisy))
    error = np.square(lines[name] - X_test).mean()
    print(f"{name}: mean squared error {error:.4f}")
lines["true"] = X_test
show(lines, range(10))

# %%
# The rows that the denoiser gets most wrong, as they were before the noise:

ReconstructionDisplay.from_predictions(
    X_test, lines["denoising"], select="worst", image_shape=shape
)
plt.show()
