"""ReconstructionDisplay: rows, and what is left of them after the code."""

import math
from typing import Self

import numpy as np

from skae._drawing import BLUE, DARK, GREY, ORANGE, PALE, is_constant, literal
from skae.plotting._canvas import LARGEST_WIDTH, one_axes, panels, put_title, spread_over, tidy
from skae.plotting._estimators import column_names, decode, encode, image_shape_in, numbers, rows_of
from skae.plotting._images import (
    as_images,
    centers,
    check_image_shape,
    gap_between,
    mosaic,
    show,
    value_range,
)
from skae.plotting._table_rows import draw_table_rows, rebuilt_table, table_predicted

FEWEST_TO_SCALE = 10  # rows; bars of fewer are drawn in the units of X
MOST_BARS = 40  # features; the rows of wider tables are drawn as curves

# The rows to show, of all in the order of their errors.
SELECTIONS = {
    "spread": spread_over,
    "best": lambda n_rows, n_shown: np.arange(min(n_shown, n_rows)),
    "worst": lambda n_rows, n_shown: np.arange(n_rows)[::-1][:n_shown],
}


class ReconstructionDisplay:
    """Rows beside their reconstructions: as images, as curves, or as bars for each feature.

    Rows of a table, of which some columns are words, flags or dates, are texts: what is there, and
    what it was rebuilt as, in the color of the column's error. Beside a hole stands what it would
    be filled with.

    Use `from_estimator` for whatever has `transform` and `inverse_transform`, and
    `from_predictions` for reconstructions that you have.

    Parameters
    ----------
    originals : ndarray of shape (n_shown, n_features)
        The rows shown; of a table objects, None for what is missing.

    reconstructions : ndarray of shape (n_shown, n_features)
        What they were reconstructed as.

    errors : ndarray of shape (n_shown,)
        Squared error of each, summed over the features, in the squared units of X; of a table the
        mean of its columns' errors.

    indices : ndarray of shape (n_shown,)
        Where the rows are in X.

    n_samples : int
        Number of the rows that they were chosen from.

    image_shape : tuple of int or dict, default=None
        (channels, height, width) or (height, width, channels) of rows that are images.

    feature_names : list of str, default=None
        Names of the columns.

    center, scale : ndarray of shape (n_features,), default=None
        Means and standard deviations of the columns of X, in whose units bars are drawn. None
        draws them in the units of X, as for less than ten rows.

    column_errors : ndarray of shape (n_shown, n_features), default=None
        Of a table the error of each column, as `TableEncoder.column_errors` has it: 1 is that of
        its mean or frequencies. NaN for what is missing.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        One for all images; of curves and bars one for each row shown; of a table one for as many
        rows as are side by side.

    figure_ : matplotlib Figure
        The figure that they are in.

    See Also
    --------
    InterpolationDisplay : What lies between two rows.
    skae.metrics.reconstruction_error_samples : The errors alone.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from skae.plotting import ReconstructionDisplay
    >>> X = load_digits().data
    >>> pca = PCA(10).fit(X)
    >>> display = ReconstructionDisplay.from_estimator(pca, X, image_shape=(8, 8))
    >>> len(display.errors)
    8
    >>> plt.close(display.figure_)
    """

    def __init__(
        self,
        originals,
        reconstructions,
        errors,
        indices,
        *,
        n_samples,
        image_shape=None,
        feature_names=None,
        center=None,
        scale=None,
        column_errors=None,
    ):
        self.originals = originals
        self.reconstructions = reconstructions
        self.errors = errors
        self.indices = indices
        self.n_samples = n_samples
        self.image_shape = image_shape
        self.feature_names = feature_names
        self.center = center
        self.scale = scale
        self.column_errors = column_errors

    @classmethod
    def from_estimator(
        cls, estimator, X, *, n_shown=8, select="spread", image_shape=None, ax=None, cmap="gray"
    ) -> Self:
        """Reconstruct rows and draw some of them.

        Parameters
        ----------
        estimator : estimator
            Fitted, with `transform` and `inverse_transform`.

        X : {DataFrame, array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training rows, best of all others than these.

        n_shown : int, default=8
            How many rows to show, at most, if `select` is no positions.

        select : {"spread", "best", "worst"} or array-like of int, default="spread"
            Which rows: evenly apart in the order of their errors, from the best to the worst;
            those with the smallest or with the largest errors; or those at some positions.

        image_shape : tuple of int or dict, default=None
            (height, width), (channels, height, width) or (height, width, channels) of rows that are
            images. None takes that of a convolutional estimator, and draws bars or curves for
            others.

        ax : matplotlib Axes, default=None
            Where to draw; for curves and bars it is divided. None makes a figure.

        cmap : str or matplotlib Colormap, default="gray"
            Of images with one channel.

        Returns
        -------
        display : ReconstructionDisplay
            What was drawn.

        Raises
        ------
        TypeError
            If the estimator can't transform rows, or not back.
        ValueError
            If a parameter is out of its range, or `image_shape` does not fit the rows.
        """
        rebuilt = rebuilt_table(estimator, X)
        if rebuilt is not None:
            return cls._of_table(rebuilt, n_shown=n_shown, select=select, ax=ax)
        rebuilt = decode(estimator, encode(estimator, X))
        return cls.from_predictions(
            X,
            rebuilt,
            n_shown=n_shown,
            select=select,
            image_shape=image_shape_in(estimator, image_shape, rebuilt.shape[1]),
            ax=ax,
            cmap=cmap,
        )

    @classmethod
    def from_predictions(
        cls,
        X,
        X_reconstructed,
        *,
        n_shown=8,
        select="spread",
        image_shape=None,
        ax=None,
        cmap="gray",
    ) -> Self:
        """Draw some rows and their reconstructions.

        Parameters
        ----------
        X : {DataFrame, array-like, sparse matrix} of shape (n_samples, n_features)
            What was reconstructed. A missing value counts as no error.

        X_reconstructed : {DataFrame, array-like} of shape (n_samples, n_features)
            The reconstructions, in the units of X; of a table one of the same columns. Its errors
            are measured in units of the columns of X.

        n_shown : int, default=8
            How many rows to show, at most, if `select` is no positions.

        select : {"spread", "best", "worst"} or array-like of int, default="spread"
            Which rows: evenly apart in the order of their errors, from the best to the worst;
            those with the smallest or with the largest errors; or those at some positions.

        image_shape : tuple of int or dict, default=None
            (height, width), (channels, height, width) or (height, width, channels) of rows that are
            images.

        ax : matplotlib Axes, default=None
            Where to draw; for curves and bars it is divided. None makes a figure.

        cmap : str or matplotlib Colormap, default="gray"
            Of images with one channel.

        Returns
        -------
        display : ReconstructionDisplay
            What was drawn.

        Raises
        ------
        ValueError
            If the shapes differ, a parameter is out of its range, or `image_shape` does not fit.
        """
        table = table_predicted(X, X_reconstructed)
        if table is not None:
            return cls._of_table(table, n_shown=n_shown, select=select, ax=ax)
        rows, rebuilt = rows_of(X), numbers(X_reconstructed)
        if rows.shape != rebuilt.shape:
            raise ValueError(
                f"X has shape {rows.shape}, but X_reconstructed has shape {rebuilt.shape}; a "
                "reconstruction has the rows and the columns of what it reconstructs."
            )
        errors = np.nansum((rows - rebuilt) ** 2, axis=1)
        shown = _selected(select, errors, n_shown)
        known = np.ma.masked_invalid(rows)  # a column may have no value at all
        # Few rows tell no deviation, and rounding is none.
        units = {"center": None, "scale": None}
        if len(rows) >= FEWEST_TO_SCALE:
            center, scale = known.mean(axis=0).filled(0.0), known.std(axis=0).filled(0.0)
            scale[is_constant(known.filled(center))] = 1.0
            units = {"center": center, "scale": scale}
        display = cls(
            rows[shown],
            rebuilt[shown],
            errors[shown],
            shown,
            n_samples=len(rows),
            image_shape=check_image_shape(image_shape, rows.shape[1]),
            feature_names=column_names(X, rows.shape[1]),
            **units,
        )
        return display.plot(ax=ax, cmap=cmap)

    @classmethod
    def _of_table(cls, table, *, n_shown, select, ax):
        """Draw some rows of a table and their reconstructions."""
        shown = _selected(select, table.errors, n_shown)
        display = cls(
            table.originals[shown],
            table.reconstructions[shown],
            table.errors[shown],
            shown,
            n_samples=len(table.errors),
            feature_names=table.names,
            column_errors=table.column_errors[shown],
        )
        return display.plot(ax=ax)

    def plot(self, ax=None, *, cmap="gray") -> Self:
        """Draw what is stored; as often as wanted.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; for curves and bars it is divided. None makes a figure.

        cmap : str or matplotlib Colormap, default="gray"
            Of images with one channel.

        Returns
        -------
        display : ReconstructionDisplay
            The object itself.
        """
        if self.column_errors is not None:
            titles = [self._title(i) for i in range(len(self.errors))]
            self.axes_ = draw_table_rows(
                self.feature_names, self.originals, self.reconstructions, self.column_errors,
                titles, ax,
            )  # fmt: skip
        elif self.image_shape is not None:
            self._draw_images(ax, cmap)
        elif self.originals.shape[1] <= MOST_BARS:
            self._draw_bars(ax)
        else:
            self._draw_curves(ax)
        self.figure_ = self.axes_.flat[0].figure
        return self

    def _draw_images(self, ax, cmap):
        """Draw a line of rows over a line of reconstructions."""
        originals = as_images(self.originals, self.image_shape)
        pairs = np.concatenate([originals, as_images(self.reconstructions, self.image_shape)])
        n_shown, (height, width) = len(originals), originals.shape[1:3]
        gap = gap_between(originals)
        inches = min(1.1 * n_shown + 1.2, LARGEST_WIDTH)
        ax = one_axes(ax, (inches, (inches - 1.2) / n_shown * 2.1 * height / width + 0.6))
        limits = value_range(self.originals)
        show(ax, mosaic(pairs, n_shown, gap), limits=limits, cmap=cmap)
        ax.set_yticks(centers(2, height, gap), ["row", "rebuilt"])
        texts = [f"{error:.3g}" for error in self.errors]
        ax.set_xticks(centers(n_shown, width, gap), texts)
        ax.set_xlabel("squared error", color=DARK, fontsize="small")
        self.axes_ = np.array([ax])

    def _draw_bars(self, ax):
        """Draw a panel for each row: bars up to its values, points at the reconstruction."""
        n_shown, n_features = self.originals.shape
        n_columns = min(n_shown, 4)
        n_lines = math.ceil(n_shown / n_columns)
        size = 2.3 * n_columns + 1.2, n_lines * (0.19 * max(n_features, 5) + 0.8)
        axes = panels(ax, n_lines, n_columns, figsize=size, sharex=True, sharey=True)
        places = np.arange(n_features)
        values, rebuilt = self._scaled(self.originals), self._scaled(self.reconstructions)
        for i, panel in enumerate(axes.flat[:n_shown]):
            panel.barh(places, values[i], height=0.75, color=PALE, label="row")
            panel.hlines(places, values[i], rebuilt[i], color=ORANGE, linewidth=1.2)
            panel.plot(rebuilt[i], places, "o", color=ORANGE, markersize=3.5, label="rebuilt")
            panel.axvline(0, color=GREY, linewidth=0.6)
            put_title(panel, self._title(i))
            tidy(panel)
        first = axes.flat[0]
        first.set_ylim(n_features - 0.4, -0.6)
        names = self.feature_names or [str(place) for place in places]
        first.set_yticks(places, [literal(name) for name in names])
        units = "standard deviations" if self.scale is not None else "value"
        self._finish_panels(axes, n_shown, units)

    def _draw_curves(self, ax):
        """Draw a panel for each row, with its values in the order of the columns."""
        n_shown = len(self.originals)
        n_columns = min(n_shown, 2)
        n_lines = math.ceil(n_shown / n_columns)
        size = 4.5 * n_columns, 1.5 * n_lines + 0.6
        axes = panels(ax, n_lines, n_columns, figsize=size, sharex=True, sharey=True)
        for i, panel in enumerate(axes.flat[:n_shown]):
            panel.plot(self.originals[i], color=GREY, linewidth=1.2, label="row")
            panel.plot(self.reconstructions[i], color=BLUE, linewidth=1.2, label="rebuilt")
            put_title(panel, self._title(i))
            tidy(panel)
        self._finish_panels(axes, n_shown, "feature")

    def _finish_panels(self, axes, n_shown, label):
        for panel in axes.flat[n_shown:]:
            panel.set_visible(False)
        for panel in axes.flat[max(n_shown - axes.shape[1], 0) : n_shown]:
            panel.set_xlabel(label, fontsize="small")
            panel.tick_params(labelbottom=True)
        axes.flat[0].legend(frameon=False, fontsize="small", loc="best")
        self.axes_ = axes.ravel()[:n_shown]

    def _scaled(self, rows):
        return rows if self.scale is None else (rows - self.center) / self.scale

    def _title(self, i):
        return f"row {self.indices[i]}: error {self.errors[i]:.3g}"


def _selected(select, errors, n_shown):
    """Return the positions of the rows to show."""
    if not n_shown >= 1:
        raise ValueError(f"n_shown={n_shown}, but at least one row is to be shown.")
    if isinstance(select, str):
        if select not in SELECTIONS:
            raise ValueError(
                f"select={select!r} is none of {', '.join(map(repr, SELECTIONS))}; positions of "
                "rows can be given, too."
            )
        return np.argsort(errors, kind="stable")[SELECTIONS[select](len(errors), int(n_shown))]
    chosen = np.ravel(select)
    if chosen.dtype.kind not in "iu" or not len(chosen):
        raise ValueError(f"select={select!r}, but positions of rows are whole numbers.")
    outside = chosen[(chosen < -len(errors)) | (chosen >= len(errors))]
    if len(outside):
        raise ValueError(f"select has {outside[0]}, but there are {len(errors)} rows.")
    return chosen % len(errors)
