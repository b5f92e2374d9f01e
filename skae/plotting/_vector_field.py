"""VectorFieldDisplay: where a reconstruction moves the points of a plane."""

from typing import Self

import numpy as np

from skae._drawing import literal
from skae.plotting._canvas import color_bar, one_axes, tidy
from skae.plotting._estimators import column_names, decode, encode, rows_of
from skae.plotting._plane import draw_points, two_columns

MARGIN = 0.15  # of the data's extent, on each side


class VectorFieldDisplay:
    """The field of the reconstruction minus the point, over data with two columns.

    Of an autoencoder with many codes that is trained to undo a little Gaussian noise, of variance
    s², it is about s² times the gradient of the log density [1]_: it points to where the data is
    dense, and vanishes on its ridges.

    Parameters
    ----------
    x, y : ndarray of shape (n_points,)
        The columns and the lines of the grid, in the units of X.

    field : ndarray of shape (n_points, n_points, 2)
        The reconstruction minus the point, for each line and column.

    X : ndarray of shape (n_samples, 2)
        The data.

    feature_names : list of str
        Names of the two columns.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes drawn in.

    figure_ : matplotlib Figure
        The figure that it is in.

    See Also
    --------
    ManifoldDisplay : The curve that points are moved to.

    References
    ----------
    .. [1] Alain, G. & Bengio, Y. (2014). What regularized auto-encoders learn from the
       data-generating distribution. :arxiv:`1211.4246`

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.decomposition import PCA
    >>> from skae.datasets import make_noisy_curve
    >>> from skae.plotting import VectorFieldDisplay
    >>> X, _ = make_noisy_curve(200, random_state=0)
    >>> display = VectorFieldDisplay.from_estimator(PCA(1).fit(X), X)
    >>> display.field.shape
    (30, 30, 2)
    >>> plt.close(display.figure_)
    """

    def __init__(self, x, y, field, X, *, feature_names):
        self.x = x
        self.y = y
        self.field = field
        self.X = X
        self.feature_names = feature_names

    @classmethod
    def from_estimator(cls, estimator, X, *, n_points=30, ax=None, cmap="viridis") -> Self:
        """Reconstruct the points of a grid and draw where they go.

        Parameters
        ----------
        estimator : estimator
            Fitted, with `transform` and `inverse_transform`.

        X : array-like of shape (n_samples, 2)
            The data, drawn as points; the grid reaches a little beyond.

        n_points : int, default=30
            Lines and columns of the grid, at least 2.

        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure.

        cmap : str or matplotlib Colormap, default="viridis"
            Of the lengths of the steps.

        Returns
        -------
        display : VectorFieldDisplay
            What was drawn.

        Raises
        ------
        TypeError
            If the estimator can't transform rows, or not back.
        ValueError
            If X has not two columns, or a parameter is out of its range.
        """
        points = two_columns(rows_of(X), cls.__name__)
        if not n_points >= 2:
            raise ValueError(f"n_points={n_points}, but a grid has at least 2 lines.")
        low, high = np.nanmin(points, axis=0), np.nanmax(points, axis=0)
        reach = MARGIN * np.where(high > low, high - low, 1.0)
        x, y = np.linspace(low - reach, high + reach, int(n_points)).T
        grid = np.stack(np.meshgrid(x, y), axis=-1)  # (n_points, n_points, 2)
        flat = grid.reshape(-1, 2)
        field = (decode(estimator, encode(estimator, _like(X, flat))) - flat).reshape(grid.shape)
        names = column_names(X, 2)
        return cls(x, y, field, points, feature_names=names).plot(ax=ax, cmap=cmap)

    def plot(self, ax=None, *, cmap="viridis") -> Self:
        """Draw what is stored; as often as wanted.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure.

        cmap : str or matplotlib Colormap, default="viridis"
            Of the lengths of the steps.

        Returns
        -------
        display : VectorFieldDisplay
            The object itself.
        """
        ax = one_axes(ax, (6.2, 4.6))
        draw_points(ax, self.X)
        length = np.linalg.norm(self.field, axis=-1)
        streams = ax.streamplot(
            self.x, self.y, self.field[..., 0], self.field[..., 1], color=length, cmap=cmap,
            density=1.4, linewidth=0.9, arrowsize=0.8,
        )  # fmt: skip
        color_bar(streams.lines, ax, "length of the step")
        ax.set(
            xlabel=literal(self.feature_names[0]), ylabel=literal(self.feature_names[1]),
            xlim=(self.x[0], self.x[-1]), ylim=(self.y[0], self.y[-1]),
        )  # fmt: skip
        tidy(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _like(X, rows):
    """Return rows in the form that X has, a DataFrame with its columns or an array."""
    return type(X)(dict(zip(X.columns, rows.T, strict=True))) if hasattr(X, "columns") else rows
