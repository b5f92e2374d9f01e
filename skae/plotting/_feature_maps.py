"""FeatureMapsDisplay: what a convolution makes of an image."""

import math
from typing import Self

import numpy as np

from skae.plotting._canvas import color_bar, panels, put_title
from skae.plotting._estimators import (
    as_last_step_sees,
    checked_image_shape,
    maps_in,
    module_of,
    rows_of,
)
from skae.plotting._images import (
    as_images,
    gap_between,
    mosaic,
    need_image_shape,
    show,
    value_range,
)

MOST_INPUTS = 10  # drawn one above the other


class FeatureMapsDisplay:
    """The maps of one convolution of the encoder, each beside the image that it comes from.

    A map is what one filter finds in an image, place by place, after the activation and before
    it is pooled. One scale of colors for all maps.

    Parameters
    ----------
    inputs : ndarray of shape (n_samples, n_features)
        The images, as rows.

    maps : ndarray of shape (n_samples, n_shown, height, width)
        The maps of each.

    filters : ndarray of shape (n_shown,)
        The numbers of the filters, from 0.

    image_shape : tuple of int or dict
        (channels, height, width) or (height, width, channels) of the images.

    layer : int
        The number of the convolution, from 0.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (n_samples, 2)
        An image and its maps on each line.

    figure_ : matplotlib Figure
        The figure that they are in.

    See Also
    --------
    WeightsDisplay : The filters themselves.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_digits
    >>> from skae import ConvolutionalAutoencoderTransformer
    >>> from skae.plotting import FeatureMapsDisplay
    >>> X = load_digits().data
    >>> autoencoder = ConvolutionalAutoencoderTransformer(
    ...     8, channels=(6, 12), max_iter=2, validation_fraction=0.1, random_state=0
    ... ).fit(X)
    >>> display = FeatureMapsDisplay.from_estimator(autoencoder, X[:2])
    >>> display.maps.shape
    (2, 6, 8, 8)
    >>> plt.close(display.figure_)
    """

    def __init__(self, inputs, maps, filters, *, image_shape, layer):
        self.inputs = inputs
        self.maps = maps
        self.filters = filters
        self.image_shape = image_shape
        self.layer = layer

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        layer=0,
        n_maps=16,
        image_shape=None,
        ax=None,
        cmap="viridis",
        image_cmap="gray",
    ) -> Self:
        """Draw the maps of some images.

        Parameters
        ----------
        estimator : estimator
            A fitted ConvolutionalAutoencoderTransformer, another autoencoder with a convolution in
            its encoder, or a Pipeline that ends in one.

        X : array-like of shape (n_samples, n_features)
            The images as rows, ten at most.

        layer : int, default=0
            The convolution of the encoder, counted from 0.

        n_maps : int, default=16
            How many maps to show, at most: of more, those that vary most over these images.

        image_shape : tuple of int or dict, default=None
            (height, width), (channels, height, width) or (height, width, channels) of the rows.
            None takes that of the estimator.

        ax : matplotlib Axes, default=None
            Where to draw; it is divided. None makes a figure.

        cmap : str or matplotlib Colormap, default="viridis"
            Of the maps.

        image_cmap : str or matplotlib Colormap, default="gray"
            Of images with one channel.

        Returns
        -------
        display : FeatureMapsDisplay
            What was drawn.

        Raises
        ------
        TypeError
            If the estimator has no convolution.
        ValueError
            If a parameter is out of its range.
        """
        rows = rows_of(X)
        if len(rows) > MOST_INPUTS:
            raise ValueError(
                f"X has {len(rows)} rows, but at most {MOST_INPUTS} images can be shown with their "
                f"maps; choose some, X[:{MOST_INPUTS}] for example."
            )
        if not n_maps >= 1:
            raise ValueError(f"n_maps={n_maps}, but at least one map is to be shown.")
        shape = checked_image_shape(estimator, image_shape, rows.shape[1])
        need_image_shape(shape, cls.__name__, "Only images have feature maps.")
        encoder = module_of(estimator, "feature maps").encoder
        maps = maps_in(encoder, as_last_step_sees(estimator, X), layer)
        variances = maps.var(axis=(0, 2, 3))
        filters = np.sort(np.argsort(-variances, kind="stable")[: int(n_maps)])
        display = cls(rows, maps[:, filters], filters, image_shape=shape, layer=layer)
        return display.plot(ax=ax, cmap=cmap, image_cmap=image_cmap)

    def plot(self, ax=None, *, cmap="viridis", image_cmap="gray") -> Self:
        """Draw what is stored; as often as wanted.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; it is divided. None makes a figure.

        cmap : str or matplotlib Colormap, default="viridis"
            Of the maps.

        image_cmap : str or matplotlib Colormap, default="gray"
            Of images with one channel.

        Returns
        -------
        display : FeatureMapsDisplay
            The object itself.
        """
        images = as_images(self.inputs, self.image_shape)
        n_samples, n_maps, height, width = self.maps.shape
        n_lines = 1 if n_maps <= 4 else 2
        n_columns = math.ceil(n_maps / n_lines)
        line = 1.0 * n_lines * height / width
        size = line + 1.0 * n_columns + 0.8, (line + 0.15) * n_samples + 0.3
        ratios = [n_lines * images.shape[2] / images.shape[1], n_columns * width / height]
        axes = panels(ax, n_samples, 2, figsize=size, width_ratios=ratios)
        limits = value_range(self.maps)
        for image, maps, (left, right) in zip(images, self.maps, axes, strict=True):
            show(left, image, limits=value_range(self.inputs), cmap=image_cmap)
            canvas = mosaic(maps, n_columns, gap_between(maps))
            shown = show(right, canvas, limits=limits, cmap=cmap)
        put_title(axes[0, 0], "image")
        put_title(axes[0, 1], f"{n_maps} maps of convolution {self.layer}")
        self.axes_, self.figure_ = axes, axes[0, 0].figure
        color_bar(shown, list(axes[:, 1]), "activation", pad=0.01)
        return self
