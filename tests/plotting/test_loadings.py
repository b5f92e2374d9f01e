"""LoadingsDisplay, and loadings as arrows of a LatentSpaceDisplay."""

import numpy as np
import pytest
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae.inspection import loadings
from skae.plotting import LatentSpaceDisplay, LoadingsDisplay

X = load_wine(as_frame=True).data


@pytest.fixture(scope="module")
def pca():
    return make_pipeline(StandardScaler(), PCA(3)).fit(X)


def widths(ax):
    return [bar.get_width() for bar in ax.patches]


@pytest.mark.parametrize("direction", ["decoder", "encoder"])
def test_bars_are_the_strongest_columns(pca, direction):
    display = LoadingsDisplay.from_estimator(pca, X, direction=direction, n_shown=4, codes=[2, 0])
    found = loadings(pca, X, direction=direction)
    for ax, code in zip(display.axes_[0], (2, 0), strict=True):
        names, values = zip(*found.strongest(code, 4), strict=True)
        assert [label.get_text() for label in ax.get_yticklabels()] == [
            name if len(name) <= 24 else name[:23] + "…" for name in names
        ]
        np.testing.assert_allclose(widths(ax), values)
        assert str(code) in ax.get_title()


def test_lines_reach_as_far_as_rows_differ():
    x = np.linspace(-1, 1, 50)[:, None]
    curve = PCA(1).fit(np.hstack([x, -x]))
    found = loadings(curve, np.hstack([x, -x]))
    found.spread[:] = [[0.5, 0.25]]
    display = LoadingsDisplay(found).plot()
    (bars,) = display.axes_[0, 0].collections
    lengths = [np.ptp(segment[:, 0]) for segment in bars.get_segments()]
    np.testing.assert_allclose(lengths, 2 * found.standardized_spread[0])


def test_columns_of_one_name_have_bars_of_their_own():
    rows = np.random.RandomState(0).normal(size=(30, 3))
    found = loadings(PCA(1).fit(rows), rows)
    found.columns[:] = ["a", "a", "b"]
    bars = widths(LoadingsDisplay(found).plot().axes_[0, 0])
    np.testing.assert_allclose(sorted(bars), sorted(found.standardized[0]))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"n_shown": 0}, "n_shown=0 columns"),
        ({"codes": []}, "leave nothing to draw"),
        ({"codes": [3]}, "codes has 3, but there are the codes 0 to 2"),
        ({"codes": [-1]}, "codes has -1"),
    ],
)
def test_what_can_not_be_drawn_is_an_error(pca, how, message):
    with pytest.raises(ValueError, match=message):
        LoadingsDisplay.from_estimator(pca, X, **how)


def test_arrows_point_to_where_columns_grow(pca):
    two = make_pipeline(StandardScaler(), PCA(2)).fit(X)
    ax = LatentSpaceDisplay.from_estimator(two, X, arrows=5).ax_
    found = loadings(two, X)
    names = [text for text in ax.texts if text.get_text()]
    lengths = np.linalg.norm(found.standardized, axis=0)
    strongest = [found.columns[i] for i in np.argsort(-lengths)[:5]]
    assert [text.get_text().rstrip("…") for text in names] == [name[:23] for name in strongest]
    codes = two.transform(X)
    for text, name in zip(names, strongest, strict=True):
        way = (np.array(text.xy) - codes.mean(axis=0)) / np.ptp(codes, axis=0)
        expected = found.standardized[:, found.columns.index(name)]
        np.testing.assert_allclose(way, 0.45 * expected / lengths.max(), atol=1e-9)


def test_arrows_need_a_plane_and_loadings(pca):
    with pytest.raises(ValueError, match="there are 3 in 3 dimensions"):
        LatentSpaceDisplay.from_estimator(pca, X, arrows=2)
    with pytest.raises(ValueError, match="arrows=2, but there are no loadings"):
        LatentSpaceDisplay.from_predictions(np.eye(2), arrows=2)
    with pytest.raises(ValueError, match="arrows=-1, but a number"):
        LatentSpaceDisplay.from_predictions(np.eye(2), arrows=-1)
