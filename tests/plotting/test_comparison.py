"""ComparisonDisplay: what `compare` found, in a figure of pyplot."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA, FastICA

from skae import compare
from skae.plotting import ComparisonDisplay

X, Y = load_iris(return_X_y=True)


class Failing(PCA):
    def fit(self, X, y=None):
        raise RuntimeError("never")


@pytest.fixture(scope="module")
def comparison():
    methods = {"$pca$": PCA(2), "raw": FastICA(2, random_state=0), "failing": Failing()}
    return compare(X, Y, methods=methods, random_state=0)


def test_every_method_has_axes_with_its_codes(comparison, draw):
    display = ComparisonDisplay(comparison).plot(title="$x")
    draw(display.figure_)
    assert list(display.embedding_axes_) == ["$pca$", "raw", "failing"]
    for name in ("$pca$", "raw"):
        (points,) = display.embedding_axes_[name].collections
        np.testing.assert_array_equal(points.get_offsets(), comparison.embeddings[name])
    assert not display.embedding_axes_["failing"].collections
    titles = [ax.get_title() for ax in display.embedding_axes_.values()]
    assert titles == [r"\$pca\$", "raw", "failing"]
    assert display.figure_.get_suptitle() == r"\$x"


def test_every_number_has_a_bar(comparison):
    display = ComparisonDisplay(comparison).plot()
    assert list(display.bar_axes_) == [
        "reconstruction_r2", "trustworthiness", "knn_accuracy", "fit_seconds",
    ]  # fmt: skip
    for column in ("reconstruction_r2", "trustworthiness", "knn_accuracy"):
        values = [row[column] for row in comparison.rows if row[column] is not None]
        bars = display.bar_axes_[column].patches
        assert [bar.get_width() for bar in bars] == pytest.approx(values)
        # From the top, in the order of the methods.
        middles = [bar.get_y() + bar.get_height() / 2 for bar in bars]
        assert middles == pytest.approx([0, 1])
        assert display.bar_axes_[column].yaxis_inverted()


def test_each_plot_is_a_new_figure_with_the_same_points(comparison):
    display = ComparisonDisplay(comparison).plot()
    first, axes = display.figure_, display.embedding_axes_
    before = str(comparison)
    assert display.plot() is display
    assert display.figure_ is not first
    for name in ("$pca$", "raw"):
        one, two = axes[name], display.embedding_axes_[name]
        assert one.figure is not two.figure
        np.testing.assert_array_equal(
            one.collections[0].get_offsets(), two.collections[0].get_offsets()
        )
    assert str(comparison) == before
    assert display.comparison is comparison


def test_methods_are_compared_and_drawn_in_one_step():
    display = ComparisonDisplay.from_methods("pca", X, Y, n_components=3, random_state=0)
    expected = compare(X, Y, methods="pca", n_components=3, random_state=0)
    np.testing.assert_array_equal(display.comparison.embeddings["pca"], expected.embeddings["pca"])
    assert display.comparison.settings["n_test"] == expected.settings["n_test"]
    (points,) = display.embedding_axes_["pca"].collections
    assert points.get_offsets().shape == (expected.settings["n_test"], 2)


@pytest.mark.parametrize("y", [None, X[:, 0]])
def test_without_classes_it_is_drawn_too(y, draw):
    display = ComparisonDisplay.from_methods("pca", X, y, n_components=1, random_state=0)
    draw(display.figure_)
    assert ("knn_r2" in display.bar_axes_) == (y is not None)
    (ax,) = display.embedding_axes_.values()
    codes = display.comparison.embeddings["pca"][:, 0]
    if y is None:
        assert sum(bar.get_height() for bar in ax.patches) == len(codes)
    else:
        expected = np.column_stack([codes, display.comparison.y_test])
        np.testing.assert_array_equal(ax.collections[0].get_offsets(), expected)


def test_an_unknown_method_is_an_error_without_a_figure():
    with pytest.raises(ValueError, match="no method 'tnse'"):
        ComparisonDisplay.from_methods(["tnse"], X, Y)
