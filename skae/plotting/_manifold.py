"""ManifoldDisplay: the rows that codes stand for, code by code."""

from typing import Self

import numpy as np

from skae._drawing import DARK, literal
from skae.plotting._canvas import color_bar, one_axes, tidy
from skae.plotting._estimators import checked_image_shape, column_names, decode, encode, rows_of
from skae.plotting._images import (
    as_images,
    mosaic,
    need_image_shape,
    show,
    value_range,
)
from skae.plotting._plane import draw_points

N_POINTS_OF_CURVE = 500


class ManifoldDisplay:
    """What a decoder makes of codes that are evenly apart.

    Images are drawn on a grid of two codes, or along a single one. Of data in the plane with one
    code, the decoded curve is drawn over the data, colored by the code.

    Parameters
    ----------
    values : list of ndarray of shape (n_points,)
        The values of the code on the first axis, and of that on the second if there are two.

    decoded : ndarray of shape (n_points, n_features) or (n_points, n_points, n_features)
        The rows they stand for: along the first code, or for each value of the second code and
        then of the first.

    components : tuple of int
        The numbers of these codes, from 0.

    image_shape : tuple of int or dict, default=None
        (channels, height, width) or (height, width, channels) of rows that are images.

    limits : tuple of float, default=None
        Where the colors end: at the smallest and the largest value of rows that are images, and
        for a curve at two values of the code. None takes those of what is drawn.

    X : ndarray of shape (n_samples, 2), default=None
        Data in the plane, to draw under the curve.

    feature_names : list of str, default=None
        Names of the columns.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes drawn in.

    figure_ : matplotlib Figure
        The figure that it is in.

    See Also
    --------
    InterpolationDisplay : The way from one row to another.
    LatentSpaceDisplay : Where the codes of rows are.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from skae.plotting import ManifoldDisplay
    >>> X = load_digits().data
    >>> pca = PCA(2).fit(X)
    >>> display = ManifoldDisplay.from_estimator(pca, X, image_shape=(8, 8), n_points=12)
    >>> display.decoded.shape
    (12, 12, 64)
    >>> plt.close(display.figure_)
    """

    def __init__(
        self,
        values,
        decoded,
        *,
        components,
        image_shape=None,
        limits=None,
        X=None,
        feature_names=None,
    ):
        self.values = values
        self.decoded = decoded
        self.components = components
        self.image_shape = image_shape
        self.limits = limits
        self.X = X
        self.feature_names = feature_names

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        n_points=20,
        components=(0, 1),
        region=None,
        coverage=0.95,
        image_shape=None,
        ax=None,
        cmap=None,
    ) -> Self:
        """Decode codes and draw the rows they stand for.

        Parameters
        ----------
        estimator : estimator
            Fitted, with `transform` and `inverse_transform`.

        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, whose codes say what region is worth seeing. Codes that are not shown stay at
            their median.

        n_points : int, default=20
            Images along each axis. A curve has as many points as it needs.

        components : tuple of int, default=(0, 1)
            The codes on the axes, counted from 0: two, or one for a single line of images. Where
            there is only one code, it is taken.

        region : sequence of (float, float), default=None
            The smallest and the largest value of each of these codes. None takes it from X.

        coverage : float, default=0.95
            The share of the rows of X that the region covers along each axis, in (0, 1]; as many
            are left out on one side as on the other. The curve in the plane covers all.

        image_shape : tuple of int or dict, default=None
            (height, width), (channels, height, width) or (height, width, channels) of rows that are
            images. None takes that of a convolutional estimator.

        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure.

        cmap : str or matplotlib Colormap, default=None
            Of images with one channel ("gray"), or of the code along a curve ("viridis").

        Returns
        -------
        display : ManifoldDisplay
            What was drawn.

        Raises
        ------
        TypeError
            If the estimator can't transform rows, or not back.
        ValueError
            If a parameter is out of its range, or if rows are neither images nor in the plane.
        """
        codes = encode(estimator, X)
        rows = rows_of(X)
        n_features = rows.shape[1]
        shape = checked_image_shape(estimator, image_shape, n_features)
        components = _check_components(components, codes.shape[1])
        is_curve = shape is None and n_features == 2 and codes.shape[1] == 1
        if not is_curve:
            need_image_shape(
                shape, cls.__name__, "Only one code of data with two columns is drawn as a curve."
            )
        if not n_points >= 2:
            raise ValueError(f"n_points={n_points}, but at least 2 are needed.")
        region = _region(codes[:, components], region, 1.0 if is_curve else coverage)

        n_points = N_POINTS_OF_CURVE if is_curve else int(n_points)
        values = [np.linspace(low, high, n_points) for low, high in region]
        if is_curve:  # as finely as the codes lie
            inside = codes[(codes >= region[0][0]) & (codes <= region[0][1])]
            among = np.quantile(inside, np.linspace(0, 1, n_points)) if len(inside) else []
            values = [np.unique(np.concatenate([values[0], among]))]
        # The first code varies last: (n_points,) or (n_points, n_points), lines of the second.
        places = np.meshgrid(*values)
        grid = np.tile(np.median(codes, axis=0), (places[0].size, 1))
        for component, place in zip(components, places, strict=True):
            grid[:, component] = place.ravel()
        decoded = decode(estimator, grid).reshape(*places[0].shape, -1)
        display = cls(
            values,
            decoded,
            components=components,
            image_shape=shape,
            limits=_usual(codes) if is_curve else value_range(rows),
            X=rows if is_curve else None,
            feature_names=column_names(X, n_features),
        )
        return display.plot(ax=ax, cmap=cmap)

    def plot(self, ax=None, *, cmap=None) -> Self:
        """Draw what is stored; as often as wanted.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure.

        cmap : str or matplotlib Colormap, default=None
            Of images with one channel ("gray"), or of the code along a curve ("viridis").

        Returns
        -------
        display : ManifoldDisplay
            The object itself.
        """
        if self.image_shape is None:
            self._draw_curve(ax, cmap or "viridis")
        elif len(self.values) == 1:
            self._draw_line(ax, cmap or "gray")
        else:
            self._draw_grid(ax, cmap or "gray")
        self.figure_ = self.ax_.figure
        return self

    def _draw_curve(self, ax, cmap):
        """Draw the decoded points over the data, joined and colored by their code."""
        from matplotlib.collections import LineCollection

        ax = one_axes(ax, (6.2, 4.6))
        draw_points(ax, self.X)
        (values,) = self.values
        segments = np.stack([self.decoded[:-1], self.decoded[1:]], axis=1)
        curve = LineCollection(list(segments), cmap=cmap, linewidth=3, capstyle="round")
        curve.set_array((values[:-1] + values[1:]) / 2)
        if self.limits is not None:
            curve.set_clim(*self.limits)
        ax.add_collection(curve)
        color_bar(curve, ax, f"code {self.components[0]}", extend="both")
        ax.set(xlabel=literal(self.feature_names[0]), ylabel=literal(self.feature_names[1]))
        tidy(ax)
        self.ax_ = ax

    def _draw_line(self, ax, cmap):
        images = as_images(self.decoded, self.image_shape)
        n_images, height, width = images.shape[:3]
        self.ax_ = one_axes(ax, (9, 9 / n_images * height / width + 0.7))
        (values,) = self.values
        step = (values[1] - values[0]) / 2
        tall = 2 * step * height / width
        extent = values[0] - step, values[-1] + step, 0, tall
        canvas = mosaic(images, n_images, gap=0)
        show(self.ax_, canvas, limits=self._limits(), cmap=cmap, extent=extent)
        self.ax_.set_yticks([])
        self.ax_.set_xlabel(f"code {self.components[0]}", color=DARK)

    def _draw_grid(self, ax, cmap):
        n_lines, n_columns = self.decoded.shape[:2]
        lines = self.decoded[::-1].reshape(n_lines * n_columns, -1)  # large values at the top
        images = as_images(lines, self.image_shape)
        height, width = images.shape[1:3]
        self.ax_ = one_axes(ax, (7.0, 7.0 * n_lines * height / (n_columns * width) + 0.3))
        x, y = self.values
        dx, dy = (x[1] - x[0]) / 2, (y[1] - y[0]) / 2
        extent = x[0] - dx, x[-1] + dx, y[0] - dy, y[-1] + dy
        canvas = mosaic(images, n_columns, gap=0)
        show(self.ax_, canvas, limits=self._limits(), cmap=cmap, extent=extent)
        # Images keep their proportions, whatever the region's are.
        aspect = (extent[1] - extent[0]) / (extent[3] - extent[2])
        self.ax_.set_aspect(aspect * canvas.shape[0] / canvas.shape[1])
        self.ax_.set_xlabel(f"code {self.components[0]}", color=DARK)
        self.ax_.set_ylabel(f"code {self.components[1]}", color=DARK)

    def _limits(self):
        return self.limits or value_range(self.decoded)


def _usual(codes):
    """Return where the colors of a curve end: a few far codes would leave one for all others."""
    low, high = np.quantile(codes, [0.02, 0.98])
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _check_components(components, n_components):
    """Return the numbers of one or two codes that exist."""
    components = np.ravel(components).tolist()
    if n_components == 1 and components == [0, 1]:  # the default
        components = [0]
    valid = all(isinstance(c, int) and 0 <= c < n_components for c in components)
    if not valid or len(components) not in (1, 2) or len(set(components)) < len(components):
        raise ValueError(
            f"components={components}, but codes have the numbers 0 to {n_components - 1}, of "
            "which one or two different ones can be shown."
        )
    return components


def _region(codes, region, coverage):
    """Return the smallest and the largest value of each code."""
    if region is None:
        if not 0 < coverage <= 1:
            raise ValueError(f"coverage={coverage}, but a share of the rows lies in (0, 1].")
        left_out = (1 - coverage) / 2
        ends = np.quantile(codes, [left_out, 1 - left_out], axis=0).T
        flat = ends[:, 1] <= ends[:, 0]  # a code that is the same for all rows
        ends[flat] += [-0.5, 0.5]
        return ends
    ends = np.asarray(region, dtype=float)
    if ends.ndim == 1 and codes.shape[1] == 1:
        ends = ends[None]
    if ends.shape != (codes.shape[1], 2) or not (ends[:, 0] < ends[:, 1]).all():
        raise ValueError(
            f"region={region!r}, but the {codes.shape[1]} codes shown each need a smallest and a "
            "largest value, such as [(-2, 2), (-1, 1)]."
        )
    return ends
