"""What tests of displays share, and what all of them check: a display changes nothing else."""

import copy
import functools
import io

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnnotationBbox
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from skae import AutoencoderTransformer, ConvolutionalAutoencoderTransformer, plotting

mpl.use("agg")

QUICK = {"max_iter": 2, "early_stopping": False, "random_state": 0}


# Global state


@pytest.fixture(autouse=True)
def figures(monkeypatch):
    """Fail if there are other figures than those expected, or if settings or seeds have changed.

    Expected is one figure for each `plot` without axes, none for others, and those of `subplots`.
    """
    expected = set()
    for name in plotting.__all__:
        display = getattr(plotting, name)
        monkeypatch.setattr(display, "plot", _watched(display.plot, expected))
    settings, random = dict(mpl.rcParams), np.random.get_state()[1:3]  # noqa: NPY002
    yield expected
    opened = set(plt.get_fignums())
    plt.close("all")
    assert opened == expected
    assert dict(mpl.rcParams) == settings
    np.testing.assert_equal(np.random.get_state()[1:3], random)  # noqa: NPY002


def _watched(plot, expected):
    """Return `plot` of a display that opens its own figure, or none."""

    @functools.wraps(plot)
    def watched(self, *args, **kwargs):
        before = set(plt.get_fignums())
        result = plot(self, *args, **kwargs)
        opened = set(plt.get_fignums()) - before
        if kwargs.get("ax", args[0] if args else None) is None:
            assert opened == {self.figure_.number}
        else:
            assert not opened
        expected.update(opened)
        return result

    return watched


@pytest.fixture
def subplots(figures):
    """Return `plt.subplots`, whose figures are expected."""

    def make(*args, **kwargs):
        figure, axes = plt.subplots(*args, **kwargs)
        figures.add(figure.number)
        return figure, axes

    return make


# Data and estimators


@pytest.fixture(scope="session")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:150], y[:150]


@pytest.fixture(scope="session")
def pca(digits):
    return PCA(5).fit(digits[0])


@pytest.fixture(scope="session")
def autoencoder(digits):
    return AutoencoderTransformer(2, hidden_layer_sizes=(8,), **QUICK).fit(digits[0])


@pytest.fixture(scope="session")
def convolutional(digits):
    """Two levels, the first one without pooling."""
    return ConvolutionalAutoencoderTransformer(
        2, image_shape=(8, 8), channels=(3, 6), pool_size=(1, 2), **QUICK
    ).fit(digits[0])


# What is in a figure


@pytest.fixture
def draw():
    """Return a function that draws a figure, so that whatever fails or warns in drawing does."""
    return lambda figure: figure.canvas.draw()


@pytest.fixture
def tiles():
    """Return a function that cuts a mosaic that is shown into its images.

    They have the shape (n_lines, n_columns, height, width), or (..., 3) in colors. What is
    between them has to be missing, and equally wide.
    """

    def cut(shown, n_lines, n_columns, size):
        canvas = np.ma.filled(np.ma.array(shown.get_array(), dtype=float), np.nan)
        if canvas.ndim == 3:  # with an opacity
            assert np.isin(canvas[..., 3], [0, 1]).all()
            canvas = np.where(canvas[..., 3:] == 1, canvas[..., :3], np.nan)
        between = canvas.copy()
        gaps = {
            (length - n * side) / (n - 1)
            for length, n, side in zip(canvas.shape, (n_lines, n_columns), size, strict=False)
            if n > 1
        }
        assert len(gaps) <= 1
        gap = int(gaps.pop()) if gaps else 0
        height, width = size
        assert canvas.shape[:2] == (
            n_lines * (height + gap) - gap,
            n_columns * (width + gap) - gap,
        )
        found = np.empty((n_lines, n_columns, height, width, *canvas.shape[2:]))
        for i in range(n_lines):
            for j in range(n_columns):
                down, right = i * (height + gap), j * (width + gap)
                place = slice(down, down + height), slice(right, right + width)
                found[i, j] = canvas[place]
                between[place] = np.nan
        assert np.isnan(between).all()
        return found

    return cut


def _of_artist(artist):
    """Return what an artist shows."""
    if isinstance(artist, AxesImage):
        return [artist.get_array(), *artist.get_clim(), *artist.get_extent()]
    if isinstance(artist, PathCollection):
        return [artist.get_offsets(), artist.get_array(), artist.get_facecolors()]
    if isinstance(artist, LineCollection):
        return [*artist.get_segments(), artist.get_array(), artist.get_colors()]
    if isinstance(artist, Line2D):
        return [artist.get_xydata(), artist.get_color(), artist.get_linestyle()]
    if isinstance(artist, Rectangle):
        return [artist.get_bbox().bounds, artist.get_facecolor()]
    if isinstance(artist, AnnotationBbox):
        return [artist.xy, artist.offsetbox.get_data()]
    if isinstance(artist, Text):
        return [artist.get_text(), artist.get_color()]
    return []


def _contents(figure):
    """Return all that is drawn in a figure, axes by axes."""
    return [
        [ax.get_xlabel(), ax.get_ylabel(), ax.get_xlim(), ax.get_ylim(), ax.get_xscale()]
        + [_of_artist(artist) for artist in ax.get_children()]
        + [[label.get_text() for label in axis.get_ticklabels()] for axis in (ax.xaxis, ax.yaxis)]
        for ax in figure.axes
    ]


def _stored(display):
    return {name: value for name, value in vars(display).items() if not name.endswith("_")}


@pytest.fixture
def check_redrawing():
    """Return a function that draws a display again, and sees the same, and the same numbers.

    It saves both figures as files, before it looks at them: the labels of an Axes3D have no place
    before that.
    """

    def check(display, **how):
        before, first = copy.deepcopy(_stored(display)), display.figure_
        assert display.plot(**how) is display
        assert display.figure_ is not first
        assert len(first.axes) > 0
        for figure in (first, display.figure_):
            file = io.BytesIO()
            figure.savefig(file, dpi=40)
            assert file.getvalue()
        np.testing.assert_equal(_contents(display.figure_), _contents(first))
        np.testing.assert_equal(_stored(display), before)

    return check
