"""LoadingsDisplay: the columns that each code is made of."""

from typing import Self

import numpy as np

from skae._drawing import BLUE, DARK, GREY, ORANGE, shortened
from skae.inspection import Loadings, loadings, strongest
from skae.plotting._canvas import LARGEST_WIDTH, panels, put_title, tidy

MOST_CODES = 5  # side by side, if it is not said which
LONGEST_NAME = 24  # characters of a column


class LoadingsDisplay:
    """The columns that go most with each code, as bars, with how they differ between rows.

    A bar is the mean derivative over rows, in standard deviations of code and column, so that
    columns of different units can be compared; the line across its end reaches as far as its
    standard deviation over rows. A line that is longer than its bar says that the column does not
    follow the code in one direction: `CodeEffectsDisplay` shows what it does.

    Parameters
    ----------
    loadings : skae.inspection.Loadings
        What is drawn.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (1, n_codes)
        A panel for each code drawn.

    figure_ : matplotlib Figure
        The figure that they are in.

    See Also
    --------
    CodeEffectsDisplay : What columns do all along each code.
    LatentSpaceDisplay : The strongest columns as arrows among the codes of rows.
    WeightsDisplay : The weights of a layer, as images.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skae.plotting import LoadingsDisplay
    >>> X = load_wine(as_frame=True).data
    >>> pca = make_pipeline(StandardScaler(), PCA(2)).fit(X)
    >>> display = LoadingsDisplay.from_estimator(pca, X, n_shown=3)
    >>> [label.get_text() for label in display.axes_[0, 0].get_yticklabels()]
    ['flavanoids', 'total_phenols', 'od280/od315_of_diluted_…']
    >>> plt.close(display.figure_)
    """

    def __init__(self, loadings: Loadings):
        self.loadings = loadings

    @classmethod
    def from_estimator(
        cls, estimator, X, *, direction="decoder", n_shown=8, codes=None, ax=None
    ) -> Self:
        """Take the derivatives of an estimator and draw the strongest.

        Parameters
        ----------
        estimator : estimator
            Fitted, as `skae.inspection.loadings` takes it.

        X : {DataFrame, array-like, sparse matrix} of shape (n_samples, n_features)
            Rows at whose codes derivatives are taken.

        direction : {"decoder", "encoder"}, default="decoder"
            How rebuilt columns change with codes, or codes with columns.

        n_shown : int, default=8
            How many columns of each code, at most.

        codes : array-like of int, default=None
            Which codes, counted from 0. None takes the first five.

        ax : matplotlib Axes, default=None
            Where to draw; it is divided. None makes a figure.

        Returns
        -------
        display : LoadingsDisplay
            What was drawn.

        Raises
        ------
        TypeError
            If the estimator has no way to codes, or back from them.
        ValueError
            If a parameter is out of its range.
        """
        found = loadings(estimator, X, direction=direction)
        return cls(found).plot(ax=ax, n_shown=n_shown, codes=codes)

    def plot(self, ax=None, *, n_shown=8, codes=None) -> Self:
        """Draw what is stored; as often as wanted.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; it is divided. None makes a figure.

        n_shown : int, default=8
            How many columns of each code, at most.

        codes : array-like of int, default=None
            Which codes, counted from 0. None takes the first five.

        Returns
        -------
        display : LoadingsDisplay
            The object itself.

        Raises
        ------
        ValueError
            If there is no such code, or nothing is to be shown.
        """
        n_codes = len(self.loadings.mean)
        codes = range(min(n_codes, MOST_CODES)) if codes is None else list(codes)
        if not n_shown >= 1 or not len(codes):
            raise ValueError(f"n_shown={n_shown} columns of codes={codes} leave nothing to draw.")
        for code in codes:
            if not 0 <= code < n_codes:
                raise ValueError(f"codes has {code}, but there are the codes 0 to {n_codes - 1}.")
        n_shown = min(int(n_shown), len(self.loadings.columns))
        size = min(LARGEST_WIDTH, 1 + 3.4 * len(codes)), 1.0 + 0.28 * n_shown
        axes = panels(ax, 1, len(codes), figsize=size)
        for code, axis in zip(codes, axes[0], strict=True):
            self._draw(axis, code, n_shown)
        self.axes_, self.figure_ = axes, axes[0, 0].figure
        return self

    def _draw(self, ax, code, n_shown):
        places = strongest(self.loadings.standardized[code], n_shown)
        names = [shortened(str(self.loadings.columns[i]), LONGEST_NAME) for i in places]
        values = self.loadings.standardized[code, places]
        spread = self.loadings.standardized_spread[code, places]
        heights = np.arange(len(places))
        ax.barh(heights, values, color=[BLUE if value >= 0 else ORANGE for value in values])
        ax.errorbar(
            values, heights, xerr=spread, fmt="none", ecolor=DARK, elinewidth=0.8, capsize=2
        )  # fmt: skip
        ax.set_yticks(heights, names)
        ax.invert_yaxis()
        ax.axvline(0, color=GREY, linewidth=0.8)
        of_decoder = self.loadings.direction == "decoder"
        put_title(ax, f"columns along code {code}" if of_decoder else f"code {code} along columns")
        ax.set_xlabel("standard deviations", fontsize="small")
        tidy(ax)
