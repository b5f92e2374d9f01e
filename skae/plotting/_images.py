"""Rows as images, and many images as one."""

import math

import numpy as np

from skae._drawing import GREY
from skae.nn import ChannelsLast, read_image_shape

COLOR_CHANNELS = 3, 4  # red, green and blue, and opacity


def check_image_shape(image_shape, n_features):
    """Return what `read_image_shape` does, or None for rows that are no images."""
    if image_shape is None:
        return None
    shape = read_image_shape(image_shape)
    if not is_drawable(shape):
        raise ValueError(
            f"image_shape={image_shape!r} has {shape.channels} channels; drawn are images of one "
            "channel or of 3 (red, green and blue) or 4 (and opacity)."
        )
    if math.prod(shape) != n_features:
        raise ValueError(
            f"image_shape={image_shape!r} stands for {math.prod(shape)} pixels, but rows have "
            f"{n_features} features."
        )
    return shape


def is_drawable(shape):
    """Return whether images of a shape have one channel, or those of a color."""
    return shape.channels in (1, *COLOR_CHANNELS)


def need_image_shape(shape, display, instead):
    """Raise an error if rows are no images, where nothing else can be drawn."""
    if shape is None:
        raise ValueError(
            f"{display} draws rows as images: set image_shape=(height, width), (channels, height, "
            f"width) or (height, width, channels). {instead}"
        )


def channels_of(rows, shape):
    """Return the channels of images, (n_samples, channels, height, width)."""
    shape = read_image_shape(shape)
    images = np.asarray(rows, dtype=float).reshape(-1, *shape)
    return np.moveaxis(images, -1, 1) if isinstance(shape, ChannelsLast) else images


def as_images(rows, shape):
    """Return images, (n_samples, height, width), or (n_samples, height, width, 3 or 4) in color."""
    images = channels_of(rows, shape)
    return images[:, 0] if images.shape[1] == 1 else np.moveaxis(images, 1, -1)


def value_range(rows):
    """Return the smallest and the largest value of rows, for the ends of their colors."""
    known = np.ravel(rows)[np.isfinite(np.ravel(rows))]
    if not len(known):
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def gap_between(images):
    """Return how many pixels of white part images of that size."""
    return max(1, round(0.08 * min(images.shape[1:3])))


def mosaic(images, n_columns, gap):
    """Return images as one, line by line; what is between them is missing (NaN)."""
    n_images, height, width = images.shape[:3]
    n_rows = math.ceil(n_images / n_columns)
    size = n_rows * (height + gap) - gap, n_columns * (width + gap) - gap
    canvas = np.full((*size, *images.shape[3:]), np.nan)
    for i, image in enumerate(images):
        top, left = (i // n_columns) * (height + gap), (i % n_columns) * (width + gap)
        canvas[top : top + height, left : left + width] = image
    return canvas


def centers(n_images, size, gap):
    """Return where the middle of each image of a mosaic is, in pixels along one side."""
    return np.arange(n_images) * (size + gap) + (size - 1) / 2


def pixels(canvas, limits):
    """Return what `imshow` takes: numbers, or red, green, blue and opacity of a color image."""
    if canvas.ndim == 2:
        return np.ma.masked_invalid(canvas)
    low, high = limits
    values = np.clip((canvas - low) / (high - low), 0, 1)
    known = np.isfinite(values).all(axis=-1, keepdims=True)
    values = np.where(known, values, 0)
    return values if values.shape[-1] == 4 else np.concatenate([values, known], axis=-1)


def show(ax, canvas, *, limits, cmap, extent=None):
    """Draw one image, or a mosaic, without axes."""
    shown = ax.imshow(
        pixels(canvas, limits), cmap=cmap, vmin=limits[0], vmax=limits[1], extent=extent,
        interpolation="nearest",
    )  # fmt: skip
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0, labelsize="small", labelcolor=GREY)
    if extent is None:
        ax.set(xticks=[], yticks=[])
    return shown


def stick(ax, image, xy, *, limits, cmap, width, color=None, hang=False):
    """Draw a small image at a point of the axes, as wide as `width` points on paper.

    With `hang` it hangs from the point, else the point is its middle.
    """
    from matplotlib.colors import Normalize
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    picture = OffsetImage(
        pixels(image, limits), zoom=width / image.shape[1], cmap=cmap,
        norm=Normalize(*limits), interpolation="nearest",
    )  # fmt: skip
    box = AnnotationBbox(
        picture, xy, frameon=color is not None, pad=0.08, box_alignment=(0.5, 1.0 if hang else 0.5),
        bboxprops={"edgecolor": color, "linewidth": 1.2} if color is not None else {},
        annotation_clip=False,
    )  # fmt: skip
    ax.add_artist(box)
    return box
