"""CodeEffectsDisplay: what each code stands for, column by column."""

from typing import Self

import numpy as np

from skae._code_effects import code_effects
from skae._drawing import BLUE, DARK, GREY, PALE, PALETTE, shortened
from skae.plotting._canvas import LARGEST_WIDTH, panels, tidy
from skae.plotting._target import date_ticks

MOST_CODES = 5  # side by side, if it is not said which
MOST_LEVELS = 6  # with a color of their own
LONGEST_NAME = 24  # characters of a column or a level


class CodeEffectsDisplay:
    """How columns change along each code, while the others stay as they are.

    A code goes over its range, from the 5th to the 95th percentile of the rows; what is decoded is
    averaged over rows, whose other codes are their own (partial dependence [1]_). Numbers and dates
    are lines in their own units, categories the probabilities of their levels, one on top of the
    other. Above each panel stands how far it goes: the variance along the code, in units of the
    variance of the column.

    Parameters
    ----------
    effects : list of records
        One for each code and column, with the fields

        - code : its number, from 0;
        - column : the name of the column;
        - kind : "number", "date" or "category";
        - grid : the values of the code, of shape (n_steps,);
        - decoded : the column along them, of shape (n_steps,), or of a category the probabilities
          of its levels, (n_steps, n_levels);
        - levels : of a category, else None;
        - share : the variance along the code, as a share of the column's.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (n_columns, n_codes)
        A line of panels for each column drawn, in the order of `columns_`.

    columns_ : list
        Names of the columns drawn, those first that codes have the largest effects on.

    figure_ : matplotlib Figure
        The figure that they are in.

    See Also
    --------
    ManifoldDisplay : The same for images.
    sklearn.inspection.PartialDependenceDisplay : The effects of features on a prediction.

    References
    ----------
    .. [1] Friedman, J. H. (2001). Greedy function approximation: a gradient boosting machine.
       Annals of Statistics 29. :doi:`10.1214/aos/1013203451`

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skae.plotting import CodeEffectsDisplay
    >>> X = load_wine(as_frame=True).data
    >>> pca = make_pipeline(StandardScaler(), PCA(2)).fit(X)
    >>> display = CodeEffectsDisplay.from_estimator(pca, X, n_shown=3)
    >>> display.columns_
    ['flavanoids', 'total_phenols', 'color_intensity']
    >>> plt.close(display.figure_)
    """

    def __init__(self, effects):
        self.effects = effects

    @classmethod
    def from_estimator(cls, estimator, X, *, n_shown=6, codes=None, n_steps=25, ax=None) -> Self:
        """Decode along each code and draw what becomes of the columns.

        Parameters
        ----------
        estimator : estimator
            Fitted: a `TableAutoencoderTransformer`, a pipeline that ends in one or begins with a
            `TableEncoder`, or whatever has `transform` and `inverse_transform` for rows of numbers.

        X : {DataFrame, array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, whose codes are moved. Decoded columns are averaged over 200 of them at most.

        n_shown : int, default=6
            How many columns to draw, at most: those with the largest effects.

        codes : array-like of int, default=None
            Which codes, counted from 0. None takes the five with the largest effects.

        n_steps : int, default=25
            In how many steps a code goes over its range.

        ax : matplotlib Axes, default=None
            Where to draw; it is divided. None makes a figure.

        Returns
        -------
        display : CodeEffectsDisplay
            What was drawn.

        Raises
        ------
        TypeError
            If the estimator can't transform rows, or not back, or if columns are no numbers and no
            part of it knows what they are.
        ValueError
            If a parameter is out of its range.
        """
        if not n_steps >= 2:
            raise ValueError(f"n_steps={n_steps}, but a line has two points or more.")
        effects = code_effects(estimator, X, n_steps=int(n_steps))
        return cls(effects).plot(ax=ax, n_shown=n_shown, codes=codes)

    def plot(self, ax=None, *, n_shown=6, codes=None) -> Self:
        """Draw what is stored; as often as wanted.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; it is divided. None makes a figure.

        n_shown : int, default=6
            How many columns to draw, at most: those with the largest effects.

        codes : array-like of int, default=None
            Which codes, counted from 0. None takes the five with the largest effects.

        Returns
        -------
        display : CodeEffectsDisplay
            The object itself.

        Raises
        ------
        ValueError
            If a parameter is out of its range.
        """
        if not n_shown >= 1:
            raise ValueError(f"n_shown={n_shown}, but at least one column is to be shown.")
        by_place = {(one.code, one.column): one for one in self.effects}
        columns = list(dict.fromkeys(one.column for one in self.effects))
        n_codes = 1 + max(one.code for one in self.effects)
        shares = np.array([[by_place[i, name].share for i in range(n_codes)] for name in columns])
        chosen = _chosen(codes, shares)
        order = np.argsort(-shares[:, chosen].max(axis=1), kind="stable")[: int(n_shown)]
        self.columns_ = [columns[i] for i in order]

        size = min(2.3 * len(chosen) + 2.0, LARGEST_WIDTH), 1.25 * len(order) + 0.6
        axes = panels(ax, len(order), len(chosen), figsize=size)
        for i, (line, name) in enumerate(zip(axes, self.columns_, strict=True)):
            effects = [by_place[code, name] for code in chosen]
            draw = _draw_levels if effects[0].kind == "category" else _draw_numbers
            draw(line, effects)
            for panel, effect in zip(line, effects, strict=True):
                panel.set_xlim(*_reach(effect.grid))
                tidy(panel)
                unit = " of variance" if i == 0 else ""
                text = f"{effect.share:.2f}{unit}"
                panel.set_title(text, loc="right", fontsize="x-small", color=GREY)
                panel.tick_params(labelbottom=False)
            line[0].set_title(
                shortened(str(name), LONGEST_NAME), loc="left", fontsize="small", color=DARK
            )
        for panel, code in zip(axes[-1], chosen, strict=True):
            panel.set_xlabel(f"code {code}", fontsize="small")
            panel.tick_params(labelbottom=True)
        self.axes_, self.figure_ = axes, axes.flat[0].figure
        return self


def _chosen(codes, shares):
    """Return the codes to draw."""
    n_codes = shares.shape[1]
    if codes is None:
        return np.sort(np.argsort(-shares.sum(axis=0), kind="stable")[:MOST_CODES])
    chosen = np.ravel(codes)
    are_codes = chosen.dtype.kind in "iu" and np.isin(chosen, range(n_codes)).all()
    if not are_codes or not len(chosen):
        raise ValueError(
            f"codes={codes!r}, but these are numbers of the {n_codes} codes that there are, "
            "counted from 0."
        )
    return chosen


def _reach(grid):
    """Return limits of an axis, of a code that is constant around it."""
    return (grid[0], grid[-1]) if grid[-1] > grid[0] else (grid[0] - 0.5, grid[0] + 0.5)


def _draw_numbers(line, effects):
    """Draw a number or a date along each code, on a common scale."""
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    reach = np.concatenate([effect.decoded for effect in effects])
    low, high = reach.min(), reach.max()
    margin = 0.08 * (high - low)
    for i, (panel, effect) in enumerate(zip(line, effects, strict=True)):
        panel.plot(effect.grid, effect.decoded, color=BLUE, linewidth=1.6)
        if high > low:
            panel.set_ylim(low - margin, high + margin)
        if effect.kind == "date":
            date_ticks(panel.yaxis)
        else:
            panel.yaxis.set_major_locator(MaxNLocator(3))
            panel.yaxis.set_major_formatter(StrMethodFormatter("{x:,.6g}"))
        panel.tick_params(labelleft=i == 0)


def _draw_levels(line, effects):
    """Draw the probabilities of a category's levels along each code, one on top of the other."""
    n_levels = len(effects[0].levels)
    shown = np.arange(n_levels)
    if n_levels > MOST_LEVELS:  # those that change most
        change = sum(effect.decoded.var(axis=0) for effect in effects)
        shown = np.sort(np.argsort(-change, kind="stable")[: MOST_LEVELS - 1])
    names = [shortened(str(effects[0].levels[i]), LONGEST_NAME) for i in shown]
    colors = list(PALETTE[: len(shown)])
    if len(shown) < n_levels:
        names.append(f"{n_levels - len(shown)} others")
        colors.append(PALE)
    for i, (panel, effect) in enumerate(zip(line, effects, strict=True)):
        parts = effect.decoded[:, shown].T
        if len(shown) < n_levels:
            parts = np.vstack([parts, 1 - parts.sum(axis=0)])
        areas = panel.stackplot(effect.grid, parts, colors=colors, linewidth=0)
        panel.set_ylim(0, 1)
        panel.set_yticks([0, 0.5, 1], ["0", "", "1"])
        panel.tick_params(labelleft=i == 0)
    line[-1].legend(
        areas[::-1], names[::-1], loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False,
        fontsize="x-small", handlelength=0.8, handleheight=0.8, borderaxespad=0.4,
        labelspacing=0.25, labelcolor=DARK,
    )  # fmt: skip
