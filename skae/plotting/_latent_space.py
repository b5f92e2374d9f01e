"""LatentSpaceDisplay: where the codes of rows are."""

from typing import Self

import numpy as np
from sklearn.utils import check_consistent_length

from skae._drawing import BLUE, DARK, GREY, literal, on_principal_axes, shortened
from skae.inspection import loadings, strongest
from skae.plotting._arrows import draw_arrows
from skae.plotting._canvas import one_axes, size_in_points, tidy
from skae.plotting._estimators import checked_image_shape, encode, numbers, rows_of
from skae.plotting._images import (
    COLOR_CHANNELS,
    as_images,
    need_image_shape,
    stick,
    value_range,
)
from skae.plotting._target import (
    against_target,
    date_ticks,
    draw_colored,
    frame_colors,
    legend_of,
    read_target,
    scale_of,
    split_off_target,
)

THUMBNAIL_WIDTH = 24.0  # points
LONGEST_NAME = 24  # characters of a column


class LatentSpaceDisplay:
    """Codes as points, colored by a label or by a value.

    One code is drawn against the value, in a lane for each class, or as a histogram; two codes in
    the plane, and three or more in space, by their first three principal axes. Columns may be drawn
    among two codes as arrows, a biplot [1]_.

    Parameters
    ----------
    codes : ndarray of shape (n_samples, n_components)
        The codes.

    y : array-like of shape (n_samples,), default=None
        What colors them.

    images : ndarray of shape (n_samples, height, width) or (n_samples, height, width, 3 or 4), \
            default=None
        Images of the rows, for thumbnails.

    loadings : skae.inspection.Loadings, default=None
        What columns do with the codes, for arrows.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes drawn in; of codes in space an Axes3D.

    figure_ : matplotlib Figure
        The figure that it is in.

    points_ : ndarray of shape (n_samples, 1), (n_samples, 2) or (n_samples, 3)
        Where the rows were drawn.

    See Also
    --------
    CodeEffectsDisplay : What each code stands for, column by column.
    LatentJointDisplay : The distribution of two codes.
    ManifoldDisplay : What lies between the codes of rows.
    skae.metrics.trustworthiness : How far neighbors can be believed.

    References
    ----------
    .. [1] Gabriel, K. R. (1971). The biplot graphic display of matrices with application to
       principal component analysis. Biometrika 58(3). :doi:`10.1093/biomet/58.3.453`

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from skae.plotting import LatentSpaceDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> display = LatentSpaceDisplay.from_estimator(PCA(2).fit(X), X, y)
    >>> display.points_.shape
    (1797, 2)
    >>> plt.close(display.figure_)
    """

    def __init__(self, codes, y=None, *, images=None, loadings=None):
        self.codes = codes
        self.y = y
        self.images = images
        self.loadings = loadings

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y=None,
        *,
        n_dimensions=None,
        thumbnails=0,
        arrows=0,
        image_shape=None,
        ax=None,
        cmap="gray",
    ) -> Self:
        """Encode rows and draw their codes.

        Parameters
        ----------
        estimator : estimator
            Fitted, with `transform`.

        X : {DataFrame, array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        y : array-like of shape (n_samples,) or str, default=None
            Labels, numbers or dates, which color the points. What `skae.compare` takes for classes
            has a color for each, in the order of a categorical type, and a scale of colors beyond
            ten classes. Rows whose y is missing are open circles. A str is the name of a column of
            X, which the estimator is given as well if it was fitted with it.

        n_dimensions : {1, 2, 3}, default=None
            How many of the codes are drawn: of more codes than these, their first principal axes.
            None takes all codes up to three.

        thumbnails : int, default=0
            How many images to draw in the plane, at most, in the place of points that are far
            enough apart.

        arrows : int, default=0
            How many columns to draw in the plane as arrows (a biplot), at most: those that
            change most with the codes, each to where it grows, as `skae.inspection.loadings` has it
            on average over rows. The estimator needs `inverse_transform` for them.

        image_shape : tuple of int or dict, default=None
            (height, width), (channels, height, width) or (height, width, channels) of rows that are
            images, for thumbnails. None takes that of a convolutional estimator.

        ax : matplotlib Axes, default=None
            Where to draw; in space an Axes3D (``projection="3d"``). None makes a figure.

        cmap : str or matplotlib Colormap, default="gray"
            Of thumbnails with one channel.

        Returns
        -------
        display : LatentSpaceDisplay
            What was drawn.

        Raises
        ------
        TypeError
            If the estimator can't transform rows.
        ValueError
            If a parameter is out of its range.
        """
        X, y = split_off_target(estimator, X, y)
        images = None
        if thumbnails:
            rows = rows_of(X)
            shape = checked_image_shape(estimator, image_shape, rows.shape[1])
            need_image_shape(shape, f"{cls.__name__} with thumbnails", "Or leave thumbnails=0.")
            images = as_images(rows, shape)
        return cls.from_predictions(
            encode(estimator, X),
            y,
            images=images,
            loadings=loadings(estimator, X) if arrows else None,
            n_dimensions=n_dimensions,
            thumbnails=thumbnails,
            arrows=arrows,
            ax=ax,
            cmap=cmap,
        )

    @classmethod
    def from_predictions(
        cls,
        codes,
        y=None,
        *,
        images=None,
        loadings=None,
        n_dimensions=None,
        thumbnails=0,
        arrows=0,
        ax=None,
        cmap="gray",
    ) -> Self:
        """Draw codes that you have.

        Parameters
        ----------
        codes : array-like of shape (n_samples, n_components)
            Codes, of any method.

        y : array-like of shape (n_samples,), default=None
            Labels, numbers or dates, which color the points. Rows whose y is missing are open
            circles.

        images : array-like of shape (n_samples, height, width) or \
                (n_samples, height, width, 3 or 4), default=None
            Images of the rows, for thumbnails.

        loadings : skae.inspection.Loadings, default=None
            What columns do with the codes, for arrows.

        n_dimensions : {1, 2, 3}, default=None
            How many of the codes are drawn: of more codes than these, their first principal axes.
            None takes all codes up to three.

        thumbnails : int, default=0
            How many images to draw in the plane, at most.

        arrows : int, default=0
            How many columns to draw in the plane as arrows, at most.

        ax : matplotlib Axes, default=None
            Where to draw; in space an Axes3D (``projection="3d"``). None makes a figure.

        cmap : str or matplotlib Colormap, default="gray"
            Of thumbnails with one channel.

        Returns
        -------
        display : LatentSpaceDisplay
            What was drawn.

        Raises
        ------
        ValueError
            If a parameter is out of its range, or the rows of two are not as many.
        """
        codes, target = numbers(codes), read_target(y)
        check_consistent_length(codes, None if target is None else target.numbers, images)
        if images is not None:
            images = np.asarray(images, dtype=float)
            if images.ndim != 3 and (images.ndim != 4 or images.shape[-1] not in COLOR_CHANNELS):
                raise ValueError(
                    f"images has shape {images.shape}, but images are (n_samples, height, width), "
                    "or (n_samples, height, width, 3), or 4 with opacity."
                )
        how = {"n_dimensions": n_dimensions, "thumbnails": thumbnails, "arrows": arrows}
        return cls(codes, y, images=images, loadings=loadings).plot(ax=ax, cmap=cmap, **how)

    def plot(self, ax=None, *, n_dimensions=None, thumbnails=0, arrows=0, cmap="gray") -> Self:
        """Draw what is stored; as often as wanted.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; in space an Axes3D (``projection="3d"``). None makes a figure.

        n_dimensions : {1, 2, 3}, default=None
            How many of the codes are drawn: of more codes than these, their first principal axes.
            None takes all codes up to three.

        thumbnails : int, default=0
            How many images to draw in the plane, at most.

        arrows : int, default=0
            How many columns to draw in the plane as arrows, at most.

        cmap : str or matplotlib Colormap, default="gray"
            Of thumbnails with one channel.

        Returns
        -------
        display : LatentSpaceDisplay
            The object itself.

        Raises
        ------
        ValueError
            If there are fewer codes than `n_dimensions`, no images for thumbnails, or no loadings
            for arrows.
        """
        n_codes = self.codes.shape[1]
        n_dimensions = min(n_codes, 3) if n_dimensions is None else n_dimensions
        if n_dimensions not in (1, 2, 3) or n_dimensions > n_codes:
            raise ValueError(
                f"n_dimensions={n_dimensions}, but it is 1, 2 or 3, and not more than the "
                f"{n_codes} numbers of a code."
            )
        n_dimensions = int(n_dimensions)
        if n_dimensions < 3 and hasattr(ax, "get_zlim"):
            raise ValueError(
                f"{n_dimensions} numbers of a code are drawn in the plane, but ax is in space; "
                "make it with plt.subplots(), or leave ax=None."
            )
        if not thumbnails >= 0:
            raise ValueError(f"thumbnails={thumbnails}, but a number of images is 0 or more.")
        if thumbnails and n_dimensions != 2:
            raise ValueError(
                f"thumbnails={thumbnails}, but images are drawn in the plane only; set "
                "n_dimensions=2."
            )
        if thumbnails and self.images is None:
            raise ValueError(f"thumbnails={thumbnails}, but there are no images to draw.")

        self._check_arrows(arrows, n_dimensions)
        target = read_target(self.y)
        reduced = n_codes > n_dimensions
        points = on_principal_axes(self.codes, n_dimensions) if reduced else self.codes
        names = [f"principal axis {i} of codes" if reduced else f"code {i}" for i in range(3)]
        if n_dimensions == 3:
            ax = self._draw_space(ax, points, names, target)
        elif n_dimensions == 2:
            ax = one_axes(ax, (6.4, 4.8))
            draw_colored(ax, points, target, n_panels=4)
            ax.set(xlabel=names[0], ylabel=names[1])
            tidy(ax)
        else:
            ax = self._draw_single(ax, points[:, 0], names[0], target)
        self.ax_, self.figure_, self.points_ = ax, ax.figure, points
        self._explain_colors(target)
        if thumbnails:
            self._draw_thumbnails(int(thumbnails), cmap, frame_colors(target, len(points)))
        if arrows:
            self._draw_arrows(int(arrows))
        return self

    def _check_arrows(self, arrows, n_dimensions):
        if not arrows >= 0:
            raise ValueError(f"arrows={arrows}, but a number of columns is 0 or more.")
        if arrows and (n_dimensions != 2 or self.codes.shape[1] != 2):
            raise ValueError(
                f"arrows={arrows}, but columns are drawn as arrows among two codes, and there are "
                f"{self.codes.shape[1]} in {n_dimensions} dimensions. LoadingsDisplay shows those "
                "of more."
            )
        if arrows and self.loadings is None:
            raise ValueError(
                f"arrows={arrows}, but there are no loadings; give those of "
                "skae.inspection.loadings."
            )

    def _draw_space(self, ax, points, names, target):
        ax = one_axes(ax, (6.8, 5.2), projection="3d")
        if not hasattr(ax, "get_zlim"):
            raise ValueError(
                "Three codes are drawn in space, but ax is flat: make it with "
                "plt.subplots(subplot_kw={'projection': '3d'}), or set n_dimensions=2."
            )
        draw_colored(ax, points, target, n_panels=4)
        ax.set(xlabel=names[0], ylabel=names[1], zlabel=names[2])
        for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
            axis.set_pane_color((1, 1, 1, 0))
            axis.label.set_color(DARK)
        ax.tick_params(labelsize="x-small", labelcolor=GREY, pad=0)
        ax.set_box_aspect(None, zoom=0.92)
        return ax

    def _draw_single(self, ax, codes, name, target):
        ax = one_axes(ax, (6.4, 3.6))
        ax.set_xlabel(name)
        tidy(ax)
        if target is None:
            ax.hist(codes, bins="auto", color=BLUE)
            ax.set_ylabel("rows")
            return ax
        if target.kind == "classes":
            ax.set_yticks([])
            ax.spines["left"].set_visible(False)
        else:
            ax.set_ylabel(literal(target.name or "target"))
        draw_colored(ax, against_target(codes, target), target, n_panels=4)
        if target.kind == "dates":
            date_ticks(ax.yaxis)
        return ax

    def _explain_colors(self, target):
        """Draw the legend, or the scale of colors, outside."""
        if target is None:
            return
        in_space = self.points_.shape[1] == 3
        has_scale = scale_of(target, self.ax_, shrink=0.7, pad=0.1 if in_space else 0.02)
        place = {"loc": "center left", "bbox_to_anchor": (1.02 if in_space else 1.0, 0.5)}
        if has_scale:
            place = {"loc": "lower right", "bbox_to_anchor": (1.0, 1.0)}
        handles = legend_of(target)
        if handles:
            title = None if has_scale or target.name is None else literal(target.name)
            self.ax_.legend(
                handles=handles, title=title, frameon=False, handletextpad=0.1, fontsize="small",
                title_fontsize="small", **place,
            )  # fmt: skip

    def _draw_arrows(self, n_most):
        """Draw columns from the mean code to where they grow, the longest over half of the way."""
        towards = self.loadings.standardized.T  # (n_features, 2)
        lengths = np.linalg.norm(towards, axis=1)
        center, reach = self.codes.mean(axis=0), np.ptp(self.codes, axis=0)
        chosen = strongest(lengths, n_most)
        ends = center + 0.45 * reach * towards[chosen] / (lengths.max() or 1.0)
        names = [shortened(str(self.loadings.columns[i]), LONGEST_NAME) for i in chosen]
        draw_arrows(self.ax_, center, ends, names)

    def _draw_thumbnails(self, n_most, cmap, colors):
        """Draw images of rows that are further from one another than an image is wide."""
        size = size_in_points(self.ax_)
        span = np.maximum(np.ptp(self.points_, axis=0), np.finfo(float).tiny)
        on_paper = (self.points_ - self.points_.min(axis=0)) / span
        on_paper *= 0.9 * size  # (n_samples, 2), in points
        chosen: list[int] = []
        for i in np.random.RandomState(0).permutation(len(on_paper)):
            if len(chosen) == n_most:
                break
            apart = np.abs(on_paper[chosen] - on_paper[i]).max(axis=1)
            if (apart > 1.15 * THUMBNAIL_WIDTH).all():
                chosen.append(i)
        limits = value_range(self.images)
        for i in chosen:
            stick(
                self.ax_, self.images[i], self.points_[i], limits=limits, cmap=cmap,
                width=THUMBNAIL_WIDTH, color=colors[i],
            )  # fmt: skip
