"""LatentJointDisplay: how two codes are distributed, each and together."""

from typing import Self

import numpy as np
from scipy import stats
from sklearn.feature_selection import mutual_info_regression
from sklearn.utils import check_consistent_length

from skae._drawing import BLUE, DARK, GREY, is_constant, literal
from skae.plotting._canvas import panels, put_title, tidy
from skae.plotting._estimators import encode, numbers
from skae.plotting._target import (
    draw_colored,
    legend_of,
    read_target,
    scale_of,
    split_off_target,
)

MOST_FOR_MUTUAL_INFORMATION = 2000  # rows


class LatentJointDisplay:
    """The joint distribution of two codes, and that of each, beside a normal one.

    It shows whether codes are Gaussian, and whether they are independent. The lines are what they
    would be if they were Gaussian: the normal density with their mean and deviation, and the
    ellipses that would hold 50 % and 95 % of the rows.

    Parameters
    ----------
    codes : ndarray of shape (n_samples, 2)
        The two codes.

    components : tuple of int
        Their numbers, from 0.

    y : ndarray of shape (n_samples,), default=None
        Labels or values, which color the points.

    Attributes
    ----------
    ax_joint_, ax_marginal_x_, ax_marginal_y_ : matplotlib Axes
        The codes in the plane, and the histogram of each.

    figure_ : matplotlib Figure
        The figure that they are in.

    mean_ : ndarray of shape (2,)
        Means of the two codes.

    covariance_ : ndarray of shape (2, 2)
        Their covariance.

    skewness_, kurtosis_ : ndarray of shape (2,)
        Of each code; of a normal distribution both are 0 (it is the excess kurtosis).

    correlation_ : float
        Pearson's, of the two. NaN if a code is constant.

    mutual_information_ : float
        What one code tells of the other, in nats; estimated from the nearest neighbors of at most
        2000 rows [1]_. 0 if they are independent.

    See Also
    --------
    LatentSpaceDisplay : All codes in one figure.

    References
    ----------
    .. [1] Kraskov, A., Stögbauer, H. & Grassberger, P. (2004). Estimating mutual information.
       Physical Review E 69, 066138. :doi:`10.1103/PhysRevE.69.066138`

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from skae.plotting import LatentJointDisplay
    >>> X = load_digits().data
    >>> display = LatentJointDisplay.from_estimator(PCA(2).fit(X), X)
    >>> print(f"{abs(display.correlation_):.2f}")
    0.00
    >>> plt.close(display.figure_)
    """

    def __init__(self, codes, *, components, y=None):
        self.codes = codes
        self.components = components
        self.y = y

    @classmethod
    def from_estimator(cls, estimator, X, y=None, *, components=(0, 1), ax=None) -> Self:
        """Encode rows and draw the distribution of two of their codes.

        Parameters
        ----------
        estimator : estimator
            Fitted, with `transform`.

        X : {DataFrame, array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        y : array-like of shape (n_samples,) or str, default=None
            Labels, numbers or dates, which color the points; or the name of a column of X, as in
            `LatentSpaceDisplay`. Rows whose y is missing are open circles.

        components : tuple of int, default=(0, 1)
            The two codes, counted from 0.

        ax : matplotlib Axes, default=None
            Where to draw; it is divided. None makes a figure.

        Returns
        -------
        display : LatentJointDisplay
            What was drawn.

        Raises
        ------
        TypeError
            If the estimator can't transform rows.
        ValueError
            If there are no such codes, or fewer than three rows.
        """
        X, y = split_off_target(estimator, X, y)
        return cls.from_predictions(encode(estimator, X), y, components=components, ax=ax)

    @classmethod
    def from_predictions(cls, codes, y=None, *, components=(0, 1), ax=None) -> Self:
        """Draw the distribution of two of the codes that you have.

        Parameters
        ----------
        codes : array-like of shape (n_samples, n_components)
            Codes, of any method.

        y : array-like of shape (n_samples,), default=None
            Labels, numbers or dates, which color the points. Rows whose y is missing are open
            circles.

        components : tuple of int, default=(0, 1)
            The two codes, counted from 0.

        ax : matplotlib Axes, default=None
            Where to draw; it is divided. None makes a figure.

        Returns
        -------
        display : LatentJointDisplay
            What was drawn.

        Raises
        ------
        ValueError
            If there are no such codes, or fewer than three rows.
        """
        codes, target = numbers(codes), read_target(y)
        check_consistent_length(codes, None if target is None else target.numbers)
        chosen = np.ravel(components).tolist()
        whole = all(isinstance(number, int) for number in chosen)
        if not whole or len(set(chosen)) != 2 or not set(chosen) <= set(range(codes.shape[1])):
            raise ValueError(
                f"components={components!r}, but these are two different codes of the "
                f"{codes.shape[1]} that there are, counted from 0."
            )
        if len(codes) < 3:
            raise ValueError(f"There are {len(codes)} rows, but a distribution needs three.")
        return cls(codes[:, chosen], components=tuple(chosen), y=y).plot(ax=ax)

    def _measure(self):
        """Compute what is written beside the codes."""
        codes = self.codes
        mean, self.covariance_ = codes.mean(axis=0), np.cov(codes.T)
        constant = is_constant(codes)
        self.mean_ = np.where(constant, codes[0], mean)
        self.covariance_[constant] = self.covariance_[:, constant] = 0.0
        varied = np.where(constant, np.arange(len(codes))[:, None], codes)
        self.skewness_ = np.where(constant, np.nan, stats.skew(varied, axis=0))
        self.kurtosis_ = np.where(constant, np.nan, stats.kurtosis(varied, axis=0))
        self.correlation_, self.mutual_information_ = np.nan, 0.0
        if not constant.any():
            self.correlation_ = float(np.corrcoef(codes.T)[0, 1])
            some = np.random.RandomState(0).permutation(len(codes))[:MOST_FOR_MUTUAL_INFORMATION]
            n_neighbors = min(3, len(some) - 1)
            self.mutual_information_ = float(
                mutual_info_regression(
                    codes[some, :1], codes[some, 1], n_neighbors=n_neighbors, random_state=0
                )[0]
            )

    def plot(self, ax=None) -> Self:
        """Draw what is stored; as often as wanted.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; it is divided. None makes a figure.

        Returns
        -------
        display : LatentJointDisplay
            The object itself.
        """
        self._measure()
        axes = panels(
            ax, 2, 2, figsize=(5.6, 5.4), width_ratios=(4, 1), height_ratios=(1, 4)
        )  # fmt: skip
        joint, top, side, corner = axes[1, 0], axes[0, 0], axes[1, 1], axes[0, 1]
        corner.set_axis_off()
        top.sharex(joint)
        side.sharey(joint)
        for i, (marginal, orientation) in enumerate(((top, "vertical"), (side, "horizontal"))):
            self._draw_marginal(marginal, i, orientation)
        self._draw_joint(joint, corner)
        put_title(
            top, f"correlation {self.correlation_:.2f}, mutual information "
            f"{self.mutual_information_:.2f} nats", loc="left", pad=18,
        )  # fmt: skip
        self.ax_joint_, self.ax_marginal_x_, self.ax_marginal_y_ = joint, top, side
        self.figure_ = joint.figure
        return self

    def _draw_joint(self, ax, corner):
        target = read_target(self.y)
        draw_colored(ax, self.codes, target, n_panels=3)
        ellipses = self._draw_ellipses(ax)
        # As far as the points and the ellipses reach, whatever the tails of the densities.
        reach = np.concatenate([self.codes, ellipses])
        low, high = reach.min(axis=0), reach.max(axis=0)
        margin = 0.04 * np.where(np.diag(self.covariance_) > 0, high - low, 1.0)
        ax.set_xlim(low[0] - margin[0], high[0] + margin[0])
        ax.set_ylim(low[1] - margin[1], high[1] + margin[1])
        first, second = self.components
        ax.set(xlabel=f"code {first}", ylabel=f"code {second}")
        tidy(ax)
        if target is None:
            return
        has_scale = scale_of(target, corner, location="left", shrink=0.9, aspect=10)
        handles = legend_of(target)
        if handles:
            title = None if has_scale or target.name is None else literal(target.name)
            corner.legend(
                handles=handles, title=title, frameon=False, fontsize="x-small",
                title_fontsize="x-small", handletextpad=0.1, columnspacing=0.6, borderpad=0,
                loc="upper right" if has_scale else "center", ncols=1 + len(handles) // 6,
            )  # fmt: skip

    def _draw_ellipses(self, ax):
        """Draw where a normal distribution of this mean and covariance has 50 % and 95 %.

        Return the points of the larger one.
        """
        variances, axes = np.linalg.eigh(self.covariance_)
        angle = np.linspace(0, 2 * np.pi, 200)
        circle = np.stack([np.cos(angle), np.sin(angle)])  # (2, 200)
        for share, style in ((0.5, "-"), (0.95, "--")):
            radius = np.sqrt(np.maximum(variances, 0) * stats.chi2.ppf(share, df=2))
            ellipse = self.mean_[:, None] + axes @ (radius[:, None] * circle)
            ax.plot(*ellipse, color=DARK, linewidth=1.1, linestyle=style)
        return ellipse.T

    def _draw_marginal(self, ax, i, orientation):
        """Draw the histogram of a code, and the normal density of its mean and deviation."""
        codes, deviation = self.codes[:, i], np.sqrt(self.covariance_[i, i])
        n_bins = int(np.clip(np.sqrt(len(codes)), 8, 60))
        ax.hist(codes, bins=n_bins, density=True, color=BLUE, alpha=0.6, orientation=orientation)
        if deviation > 0:
            reach = 4 * deviation
            place = np.linspace(self.mean_[i] - reach, self.mean_[i] + reach, 200)
            density = stats.norm.pdf(place, self.mean_[i], deviation)
            line = (place, density) if orientation == "vertical" else (density, place)
            ax.plot(*line, color=DARK, linewidth=1.1)
        ax.spines[:].set_visible(False)
        text = f"skewness {self.skewness_[i]:.2f}, kurtosis {self.kurtosis_[i]:.2f}"
        if orientation == "vertical":
            ax.tick_params(left=False, labelleft=False, bottom=False, labelbottom=False)
            ax.text(0, 1.04, text, transform=ax.transAxes, fontsize="x-small", color=GREY)
        else:
            ax.tick_params(left=False, labelleft=False, bottom=False, labelbottom=False)
            ax.text(
                1.04, 1.0, text, transform=ax.transAxes, fontsize="x-small", color=GREY,
                rotation=-90, va="top",
            )  # fmt: skip
