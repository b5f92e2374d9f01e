"""WeightsDisplay: what the units of the first layer look for."""

import math
from typing import Self

import numpy as np

from skae._drawing import DARK, literal
from skae.nn import MapShape
from skae.plotting._canvas import LARGEST_WIDTH, color_bar, one_axes
from skae.plotting._estimators import checked_image_shape, first_weights, last_step
from skae.plotting._images import channels_of, gap_between, mosaic, show

COLORMAP = "RdBu_r"  # white is no weight; red and blue stay apart for the color-blind
MOST_NAMES = 40  # of features


class WeightsDisplay:
    """The weights of each unit of the first layer, as an image or as a line of a table.

    Of an autoencoder these are the weights of the encoder's first hidden layer (of its nonlinear
    path, with ``init="pca"``), of a convolutional one its filters, and of PCA and its relatives
    the ``components_``. One scale of colors for all, with zero in its middle.

    Parameters
    ----------
    weights : ndarray of shape (n_shown, n_features)
        A row for each unit.

    units : ndarray of shape (n_shown,)
        The numbers of the units, from 0.

    image_shape : tuple of int or dict, default=None
        (channels, height, width) or (height, width, channels), if the features are pixels. Channels
        are drawn side by side.

    feature_names : list of str, default=None
        Names of the features, written under a table of at most 40.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes drawn in.

    figure_ : matplotlib Figure
        The figure that it is in.

    limit_ : float
        The weight at either end of the colors: all but one in a hundred are smaller.

    See Also
    --------
    FeatureMapsDisplay : What a convolution makes of images.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from skae.plotting import WeightsDisplay
    >>> pca = PCA(10).fit(load_digits().data)
    >>> display = WeightsDisplay.from_estimator(pca, image_shape=(8, 8))
    >>> display.weights.shape
    (10, 64)
    >>> plt.close(display.figure_)
    """

    def __init__(self, weights, units, *, image_shape=None, feature_names=None):
        self.weights = weights
        self.units = units
        self.image_shape = image_shape
        self.feature_names = feature_names

    @classmethod
    def from_estimator(
        cls, estimator, *, n_units=64, image_shape=None, ax=None, cmap=COLORMAP, colorbar=True
    ) -> Self:
        """Draw the weights of the first layer.

        Parameters
        ----------
        estimator : estimator
            Fitted: an autoencoder, a classifier with a stack of them, whatever has
            ``components_`` or ``coefs_``, or a Pipeline that ends in one of these.

        n_units : int, default=64
            How many units to show, at most: of more, those with the largest weights (by the
            root of the sum of their squares), in the order of the layer.

        image_shape : tuple of int or dict, default=None
            (height, width), (channels, height, width) or (height, width, channels) of rows that are
            images. None takes the features for columns of a table; filters of a convolution are
            images in any case.

        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure.

        cmap : str or matplotlib Colormap, default="RdBu_r"
            Of the weights, with the color of zero in its middle.

        colorbar : bool, default=True
            Whether to draw the scale of the colors.

        Returns
        -------
        display : WeightsDisplay
            What was drawn.

        Raises
        ------
        TypeError
            If the estimator has no weights.
        ValueError
            If a parameter is out of its range, or `image_shape` does not fit the weights.
        """
        if not n_units >= 1:
            raise ValueError(f"n_units={n_units}, but at least one unit is to be shown.")
        weights = first_weights(estimator)
        if weights.ndim == 4:  # filters, whatever the number of channels that they look at
            shape = MapShape(*weights.shape[1:])
            weights = weights.reshape(len(weights), -1)
        else:
            shape = checked_image_shape(estimator, image_shape, weights.shape[1])
        norms = np.linalg.norm(weights, axis=1)
        # Rounded, so that components of equal norm keep their order.
        norms = (norms / (norms.max() or 1.0)).round(6)
        units = np.sort(np.argsort(-norms, kind="stable")[: int(n_units)])
        display = cls(
            weights[units],
            units,
            image_shape=shape,
            feature_names=getattr(last_step(estimator), "feature_names_in_", None),
        )
        return display.plot(ax=ax, cmap=cmap, colorbar=colorbar)

    def plot(self, ax=None, *, cmap=COLORMAP, colorbar=True) -> Self:
        """Draw what is stored; as often as wanted.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure.

        cmap : str or matplotlib Colormap, default="RdBu_r"
            Of the weights, with the color of zero in its middle.

        colorbar : bool, default=True
            Whether to draw the scale of the colors.

        Returns
        -------
        display : WeightsDisplay
            The object itself.
        """
        self.limit_ = float(np.quantile(np.abs(self.weights), 0.99)) or 1.0
        if self.image_shape is not None:
            self._draw_images(ax, cmap)
        else:
            self._draw_table(ax, cmap)
        self.figure_ = self.ax_.figure
        if colorbar:
            color_bar(self.ax_.images[-1], self.ax_, "weight", extend="both", shrink=0.7)
        return self

    def _draw_images(self, ax, cmap):
        weights = channels_of(self.weights, self.image_shape)
        # The channels of a unit beside one another: a weight has a sign, and no color has.
        images = np.concatenate(
            np.moveaxis(weights, 1, 0),
            axis=2,
        )
        n_images, height, width = images.shape
        n_columns = min(n_images, max(1, math.ceil(math.sqrt(1.8 * n_images * height / width))))
        n_lines = math.ceil(n_images / n_columns)
        inches = min(0.85 * n_columns + 1.2, LARGEST_WIDTH)
        self.ax_ = one_axes(
            ax, (inches, (inches - 1.2) / n_columns * n_lines * height / width + 0.2)
        )
        limits = -self.limit_, self.limit_
        canvas = mosaic(images, n_columns, gap_between(images))
        show(self.ax_, canvas, limits=limits, cmap=cmap)

    def _draw_table(self, ax, cmap):
        n_units, n_features = self.weights.shape
        named = self.feature_names is not None and n_features <= MOST_NAMES
        size = min(0.25 * n_features + 2.5, 9), min(0.22 * n_units + 1.2, 9) + 1.3 * named
        self.ax_ = one_axes(ax, size)
        self.ax_.imshow(
            self.weights, cmap=cmap, vmin=-self.limit_, vmax=self.limit_, aspect="auto",
            interpolation="nearest",
        )  # fmt: skip
        if named:
            names = [literal(str(name)) for name in self.feature_names]
            self.ax_.set_xticks(range(n_features), names, rotation=90)
        else:
            self.ax_.set_xlabel("feature", fontsize="small", color=DARK)
        self.ax_.set_ylabel("unit", fontsize="small", color=DARK)
        if n_units <= MOST_NAMES:
            self.ax_.set_yticks(range(n_units), self.units)
        self.ax_.tick_params(labelsize="small")
