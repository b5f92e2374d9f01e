"""OutlierDisplay: why rows are unusual."""

from typing import Self

import numpy as np
from sklearn.utils import _safe_indexing

from skae._drawing import BLUE, DARK, GREY, literal, shortened
from skae._explanations import OutlierExplanation
from skae.inspection import explain_outliers
from skae.plotting._canvas import LARGEST_WIDTH, panels, put_title, tidy
from skae.plotting._estimators import fitted
from skae.plotting._table_rows import text_of

LONGEST_NAME = 24  # characters of a column
LEAST = 1e-6  # probability that is told


class OutlierDisplay:
    """The columns that make rows unusual, what they are, and what was expected of them.

    A panel for each row, the most unusual first. Its bars are the parts of columns in what is
    unusual; beside each stand the value and, in brackets, what the autoencoders that have not seen
    the row make of it. Over the panel stands how probable the row is by each view: its errors
    (surface), its distance from other codes, and the tails of its columns.

    Parameters
    ----------
    explanation : OutlierExplanation
        What `AutoencoderOutlierDetector.explain` or `inspection.explain_outliers` tells of the
        rows, the most unusual first.

    rows : ndarray of int of shape (n_samples,), default=None
        What the rows are called; None numbers them from 0.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (1, n_shown)
        A panel for each row drawn.

    figure_ : matplotlib Figure
        The figure that they are in.

    See Also
    --------
    skae.AutoencoderOutlierDetector.explain : The numbers.
    skae.inspection.explain_outliers : Those of a pipeline, by the columns of its table.
    ReconstructionDisplay : Rows beside what they are rebuilt as.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_wine
    >>> from skae import AutoencoderOutlierDetector
    >>> from skae.plotting import OutlierDisplay
    >>> X = load_wine(as_frame=True).data
    >>> X.loc[3, "ash"] = 9.0
    >>> detector = AutoencoderOutlierDetector(random_state=0).fit(X)
    >>> display = OutlierDisplay.from_estimator(detector, X, n_shown=2)
    >>> display.axes_[0, 0].get_title(loc="left").split(chr(10))[0]
    'row 3'
    >>> plt.close(display.figure_)
    """

    def __init__(self, explanation: OutlierExplanation, rows=None):
        self.explanation = explanation
        self.rows = rows

    @classmethod
    def from_estimator(cls, detector, X, *, n_shown=3, n_columns=5, ax=None) -> Self:
        """Explain the most unusual rows and draw what is found.

        Parameters
        ----------
        detector : AutoencoderOutlierDetector or Pipeline
            Fitted, with ``criterion="combined"``. Behind a `TableEncoder`, bars stand for columns
            of the table.

        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows, of which the most unusual are explained.

        n_shown : int, default=3
            How many rows to draw, at most.

        n_columns : int, default=5
            How many columns of each, at most.

        ax : matplotlib Axes, default=None
            Where to draw; it is divided. None makes a figure.

        Returns
        -------
        display : OutlierDisplay
            What was drawn.

        Raises
        ------
        ValueError
            If the detector has another criterion, or nothing is to be shown.
        """
        if not n_shown >= 1:
            raise ValueError(f"n_shown={n_shown}, but some rows are needed: 1 or more.")
        detector = fitted(detector, "score_samples")
        order = np.argsort(detector.score_samples(X), kind="stable")[: int(n_shown)]
        explanation = explain_outliers(detector, _safe_indexing(X, order))
        return cls(explanation, order).plot(ax=ax, n_columns=n_columns)

    def plot(self, ax=None, *, n_columns=5) -> Self:
        """Draw what is stored; as often as wanted.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; it is divided. None makes a figure.

        n_columns : int, default=5
            How many columns of each row, at most.

        Returns
        -------
        display : OutlierDisplay
            The object itself.

        Raises
        ------
        ValueError
            If no column is to be shown.
        """
        if not n_columns >= 1:
            raise ValueError(f"n_columns={n_columns}, but some columns are needed: 1 or more.")
        n_rows, n_features = self.explanation.values.shape
        names = np.arange(n_rows) if self.rows is None else self.rows
        places = self.explanation.top_columns(min(int(n_columns), n_features))
        size = min(LARGEST_WIDTH, 0.6 + 3.9 * n_rows), 1.5 + 0.42 * places.shape[1]
        axes = panels(ax, 1, n_rows, figsize=size)
        for i, axis in enumerate(axes[0]):
            self._draw(axis, i, names[i], places[i])
        self.axes_, self.figure_ = axes, axes[0, 0].figure
        return self

    def _draw(self, ax, i, name, places):
        found = self.explanation
        total = found.contributions[i].sum()
        shares = found.contributions[i, places] / (total if total > 0 else 1.0)
        heights = np.arange(len(places))
        ax.barh(heights, shares, height=0.55, color=BLUE)
        for height, share, j in zip(heights, shares, places, strict=True):
            value = found.values[i, j]
            there = "missing" if value is None or value != value else text_of(value)
            text = f"{there} ({text_of(found.expected[i, j])})"
            ax.annotate(
                literal(text), (share, height), xytext=(4, 0), textcoords="offset points",
                va="center", fontsize="small", color=DARK,
            )  # fmt: skip
        labels = [shortened(str(found.feature_names[j]), LONGEST_NAME) for j in places]
        ax.set_yticks(heights, labels)
        ax.invert_yaxis()
        ax.set_xlim(0, 1.55 * max(shares.max(), 0.1))
        ax.set_xticks([tick for tick in (0, 0.25, 0.5, 0.75, 1) if tick <= max(shares.max(), 0.25)])
        ax.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        ax.set_xlabel("part in what is unusual", fontsize="small")
        put_title(ax, f"row {name}\n", loc="left")
        told = ", ".join(f"{view} {_odds(values[i])}" for view, values in found.views.items())
        ax.text(0, 1.02, told, transform=ax.transAxes, fontsize="x-small", color=GREY)
        tidy(ax)


def _odds(surprise: float) -> str:
    """Return how probable minus a logarithm says that something is, as one in so many."""
    probability = np.exp(-surprise)
    if probability < LEAST:
        return f"< 1 in {1 / LEAST:,.0f}"
    return f"1 in {1 / probability:,.0f}"
