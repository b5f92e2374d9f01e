"""InterpolationDisplay: the way from one row to another, through rows and through codes."""

from typing import Self

import numpy as np

from skae._drawing import COLORMAP, DARK
from skae.plotting._canvas import LARGEST_WIDTH, color_bar, one_axes, panels, put_title, tidy
from skae.plotting._estimators import checked_image_shape, decode, encode, rows_of
from skae.plotting._images import (
    as_images,
    centers,
    gap_between,
    mosaic,
    show,
    value_range,
)


class InterpolationDisplay:
    """A straight line between two rows, and a straight line between their codes, decoded.

    Halfway between two images lies a double exposure; halfway between two good codes lies a row
    that could be one of the data.

    Parameters
    ----------
    rows : ndarray of shape (n_steps, n_features)
        The straight line between the two rows.

    decoded : ndarray of shape (n_steps, n_features)
        What the straight line between their codes stands for.

    image_shape : tuple of int or dict, default=None
        (channels, height, width) or (height, width, channels) of rows that are images.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        One for images, with both lines; two for curves.

    figure_ : matplotlib Figure
        The figure that they are in.

    See Also
    --------
    ManifoldDisplay : Codes on a grid, decoded.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from skae.plotting import InterpolationDisplay
    >>> X = load_digits().data
    >>> pca = PCA(10).fit(X)
    >>> display = InterpolationDisplay.from_estimator(pca, X[:2], image_shape=(8, 8))
    >>> display.rows.shape, display.decoded.shape
    ((10, 64), (10, 64))
    >>> plt.close(display.figure_)
    """

    def __init__(self, rows, decoded, *, image_shape=None):
        self.rows = rows
        self.decoded = decoded
        self.image_shape = image_shape

    @classmethod
    def from_estimator(
        cls, estimator, X, *, n_steps=10, image_shape=None, ax=None, cmap=None
    ) -> Self:
        """Go from one row to another on both ways.

        Parameters
        ----------
        estimator : estimator
            Fitted, with `transform` and `inverse_transform`.

        X : array-like of shape (2, n_features)
            Where to start and where to end.

        n_steps : int, default=10
            Rows on each way with both ends, at least 2.

        image_shape : tuple of int or dict, default=None
            (height, width), (channels, height, width) or (height, width, channels) of rows that are
            images. None takes that of a convolutional estimator, and draws curves for others.

        ax : matplotlib Axes, default=None
            Where to draw; for curves it is divided. None makes a figure.

        cmap : str or matplotlib Colormap, default=None
            Of images with one channel ("gray"), or of the steps of curves ("viridis").

        Returns
        -------
        display : InterpolationDisplay
            What was drawn.

        Raises
        ------
        TypeError
            If the estimator can't transform rows, or not back.
        ValueError
            If X has not two rows, or if a parameter is out of its range.
        """
        ends = rows_of(X)
        if len(ends) != 2:
            raise ValueError(
                f"X has {len(ends)} rows, but a line has two ends: X[[0, 7]], for example."
            )
        if not n_steps >= 2:
            raise ValueError(f"n_steps={n_steps}, but a line has at least its two ends.")
        shape = checked_image_shape(estimator, image_shape, ends.shape[1])
        codes = encode(estimator, X)
        display = cls(
            _line(ends, int(n_steps)),
            decode(estimator, _line(codes, int(n_steps))),
            image_shape=shape,
        )
        return display.plot(ax=ax, cmap=cmap)

    def plot(self, ax=None, *, cmap=None) -> Self:
        """Draw what is stored; as often as wanted.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; for curves it is divided. None makes a figure.

        cmap : str or matplotlib Colormap, default=None
            Of images with one channel ("gray"), or of the steps of curves ("viridis").

        Returns
        -------
        display : InterpolationDisplay
            The object itself.
        """
        if self.image_shape is not None:
            self._draw_images(ax, cmap or "gray")
        else:
            self._draw_curves(ax, cmap or COLORMAP)
        self.figure_ = self.axes_[0].figure
        return self

    def _draw_images(self, ax, cmap):
        images = as_images(np.concatenate([self.rows, self.decoded]), self.image_shape)
        n_steps, (height, width) = len(self.rows), images.shape[1:3]
        gap = gap_between(images)
        inches = min(0.9 * n_steps + 1.2, LARGEST_WIDTH)
        ax = one_axes(ax, (inches, (inches - 1.2) / n_steps * 2.1 * height / width + 0.5))
        show(ax, mosaic(images, n_steps, gap), limits=value_range(self.rows), cmap=cmap)
        ax.set_yticks(centers(2, height, gap), ["in rows", "in codes"])
        shares = np.linspace(0, 1, n_steps)
        ax.set_xticks(centers(n_steps, width, gap), [f"{share:.0%}" for share in shares])
        self.axes_ = np.array([ax])

    def _draw_curves(self, ax, cmap):
        import matplotlib as mpl

        axes = panels(ax, 1, 2, figsize=(9, 3.2), sharex=True, sharey=True).ravel()
        colors = mpl.colormaps.get_cmap(cmap)(np.linspace(0, 1, len(self.rows)))
        titles = "in rows", "in codes"
        for panel, lines, title in zip(axes, (self.rows, self.decoded), titles, strict=True):
            for line, color in zip(lines, colors, strict=True):
                panel.plot(line, color=color, linewidth=1.2)
            put_title(panel, title)
            panel.set_xlabel("feature", color=DARK)
            tidy(panel)
        scale = mpl.cm.ScalarMappable(mpl.colors.Normalize(0, 1), cmap)
        color_bar(scale, list(axes), "share of the way")
        self.axes_ = axes


def _line(ends, n_steps):
    """Return points on the straight line between two ends, of shape (n_steps, n)."""
    share = np.linspace(0, 1, n_steps)[:, None]
    return (1 - share) * ends[0] + share * ends[1]
