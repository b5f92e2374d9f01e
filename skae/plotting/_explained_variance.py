"""ExplainedVarianceDisplay: what codes explain by their number, beside PCA's."""

from typing import Self

import numpy as np

from skae._drawing import BLUE, DARK, GREY, ORANGE
from skae.plotting._canvas import one_axes, tidy
from skae.plotting._estimators import last_step

FEW = 30  # numbers of codes, up to which each has a point


class ExplainedVarianceDisplay:
    """The explained share of variance by the number of codes, beside that of PCA's.

    Parameters
    ----------
    n_components : array-like of int of shape (n_numbers,)
        Numbers of codes, ascending.

    r2 : array-like of shape (n_numbers,)
        The share that as many codes explain.

    r2_error : array-like of shape (n_numbers,), default=None
        Standard errors of these shares, drawn as a band of two on either side.

    pca_r2 : array-like of shape (n_numbers,), default=None
        The share that as many principal components explain.

    chosen : int, default=None
        A number of codes to mark.

    name : str, default="autoencoder"
        What the codes are of, for the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What was drawn in.

    figure_ : matplotlib Figure
        The figure that it is in.

    See Also
    --------
    skae.AutoencoderTransformer : Chooses a number with ``n_components="auto"``.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np
    >>> from skae import AutoencoderTransformer
    >>> from skae.plotting import ExplainedVarianceDisplay
    >>> random = np.random.default_rng(0)
    >>> X = random.normal(size=(200, 2)) @ random.normal(size=(2, 6))
    >>> X += random.normal(scale=0.1, size=X.shape)
    >>> autoencoder = AutoencoderTransformer("auto", max_iter=10, random_state=0)
    >>> autoencoder.fit(X).n_components_
    2
    >>> display = ExplainedVarianceDisplay.from_estimator(autoencoder)
    >>> display.chosen
    2
    >>> plt.close(display.figure_)
    """

    def __init__(
        self, n_components, r2, *, r2_error=None, pca_r2=None, chosen=None, name="autoencoder"
    ):
        self.n_components, self.r2 = np.asarray(n_components), np.asarray(r2)
        self.r2_error = None if r2_error is None else np.asarray(r2_error)
        self.pca_r2 = None if pca_r2 is None else np.asarray(pca_r2)
        self.chosen, self.name = chosen, name

    @classmethod
    def from_estimator(cls, estimator, *, ax=None) -> Self:
        """Draw what a fit has found.

        Parameters
        ----------
        estimator : estimator
            A fitted autoencoder with ``n_components="auto"``, which knows PCA's shares, too; or
            another estimator with an ``explained_variance_ratio_``, such as one with ordered codes
            or PCA; or a Pipeline that ends in one.

        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure.

        Returns
        -------
        display : ExplainedVarianceDisplay
            What was drawn.

        Raises
        ------
        TypeError
            If the estimator does not know what each number of codes explains.
        """
        last = last_step(estimator)
        last = getattr(last, "autoencoder_", last)  # that of a table
        if hasattr(last, "components_curve_"):
            curve = dict(last.components_curve_)
            display = cls(
                curve.pop("n_components"), curve.pop("r2"), **curve, chosen=last.n_components_
            )
        elif hasattr(last, "explained_variance_ratio_"):
            r2 = np.cumsum(last.explained_variance_ratio_)
            display = cls(np.arange(1, len(r2) + 1), r2, name=type(last).__name__)
        else:
            raise TypeError(
                f"{type(last).__name__} does not know what each number of codes explains. Fit an "
                "autoencoder with n_components='auto' or ordered=True."
            )
        return display.plot(ax=ax)

    def plot(self, ax=None) -> Self:
        """Draw what is stored; as often as wanted.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure.

        Returns
        -------
        display : ExplainedVarianceDisplay
            The object itself.
        """
        ax = one_axes(ax, (5.6, 3.6))
        how = {"marker": "o" if len(self.n_components) <= FEW else None, "markersize": 3}
        if self.pca_r2 is not None:
            ax.plot(
                self.n_components, self.pca_r2, color=ORANGE, linestyle="--", label="PCA", **how
            )
        ax.plot(self.n_components, self.r2, color=BLUE, label=self.name, **how)
        if self.r2_error is not None:
            band = 2 * self.r2_error
            ax.fill_between(
                self.n_components, self.r2 - band, self.r2 + band, color=BLUE, alpha=0.2,
                linewidth=0,
            )  # fmt: skip
        if self.chosen is not None:
            label = f"chosen: {self.chosen}"
            ax.axvline(self.chosen, color=GREY, linewidth=0.9, linestyle=":", label=label)
        ax.set_ylim(bottom=0)
        ax.set_xlabel("number of codes", color=DARK)
        ax.set_ylabel("explained share of variance", color=DARK)
        ax.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        tidy(ax)
        ax.legend(frameon=False, fontsize="small", loc="lower right")
        self.ax_, self.figure_ = ax, ax.figure
        return self
