"""LossCurveDisplay: how training went, and which epoch was kept."""

from typing import NamedTuple, Self

import numpy as np

from skae._drawing import BLUE, DARK, GREY, ORANGE, literal
from skae.plotting._canvas import panels, put_title, tidy
from skae.plotting._estimators import last_step

LOG_FROM = 20.0  # a curve that falls by more than this factor is drawn on a log scale


class LossCurve(NamedTuple):
    """What one stage of a training left."""

    name: str
    training: np.ndarray  # (n_epochs,), of epochs 1 to n_epochs
    validation: np.ndarray | None  # (n_epochs + 1,), the start first
    kept: int | None  # epochs after which the weights were kept
    validation_label: str = "rows held out"
    same_measure: bool = True  # whether both curves measure the same


class LossCurveDisplay:
    """Training and validation loss by epochs, a panel for each stage, and the epoch kept.

    Parameters
    ----------
    curves : list of LossCurve
        Named tuples of the ``name`` of a stage, its ``training`` losses, its ``validation`` losses
        (one more: the start first) or None, the number of epochs ``kept`` or None, the
        ``validation_label`` of the legend, and whether both have the ``same_measure``: else the
        validation has an axis of its own.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        One for each stage.

    figure_ : matplotlib Figure
        The figure that they are in.

    See Also
    --------
    sklearn.model_selection.LearningCurveDisplay : Scores by the number of rows.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_digits
    >>> from skae import AutoencoderTransformer
    >>> from skae.plotting import LossCurveDisplay
    >>> autoencoder = AutoencoderTransformer(
    ...     2, max_iter=5, validation_fraction=0.2, random_state=0
    ... ).fit(load_digits().data)
    >>> display = LossCurveDisplay.from_estimator(autoencoder)
    >>> len(display.curves[0].training), len(display.curves[0].validation)
    (5, 6)
    >>> plt.close(display.figure_)
    """

    def __init__(self, curves):
        self.curves = curves

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, log="auto") -> Self:
        """Draw the losses that a fit left.

        Parameters
        ----------
        estimator : estimator
            A fitted autoencoder or classifier of skae, or another estimator with a
            ``loss_curve_``, such as an MLPRegressor; or a Pipeline that ends in one.

        ax : matplotlib Axes, default=None
            Where to draw; it is divided if there are stages. None makes a figure.

        log : bool or "auto", default="auto"
            Whether losses are on a logarithmic scale. "auto": where all are positive and the
            largest is 20 times the smallest.

        Returns
        -------
        display : LossCurveDisplay
            What was drawn.

        Raises
        ------
        TypeError
            If the estimator keeps no losses.
        """
        last = last_step(estimator)
        if hasattr(last, "stages_"):
            curves = [_curve_of_stage(stage, last) for stage in last.stages_]
        elif hasattr(last, "loss_curve_"):
            layers = getattr(last, "pretraining_loss_curves_", [])
            curves = [
                LossCurve(f"layer {i}", np.asarray(losses, dtype=float), None, None)
                for i, losses in enumerate(layers, start=1)
            ]
            validation = getattr(last, "validation_loss_curve_", None)
            curves.append(
                LossCurve(
                    "whole network" if curves else "",
                    np.asarray(last.loss_curve_, dtype=float),
                    None if validation is None else np.asarray(validation, dtype=float),
                    getattr(last, "best_iter_", None),
                )
            )
        else:
            raise TypeError(
                f"{type(last).__name__} has no loss_curve_; give an estimator that is trained in "
                "epochs."
            )
        return cls(curves).plot(ax=ax, log=log)

    def plot(self, ax=None, *, log="auto") -> Self:
        """Draw what is stored; as often as wanted.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; it is divided if there are stages. None makes a figure.

        log : bool or "auto", default="auto"
            Whether losses are on a logarithmic scale. "auto": where all are positive and the
            largest is 20 times the smallest.

        Returns
        -------
        display : LossCurveDisplay
            The object itself.
        """
        n_stages = len(self.curves)
        size = (5.6, 3.6) if n_stages == 1 else (min(3.1 * n_stages, 13), 3.9)
        axes = panels(ax, 1, n_stages, figsize=size).ravel()
        for panel, curve in zip(axes, self.curves, strict=True):
            lines = _draw(panel, curve, log)
            # Narrow panels have no room for a legend among the curves.
            legend = panel.legend(handles=lines, frameon=False, fontsize="small")
            if n_stages > 1:
                legend.set_loc("upper center")
                legend.set_bbox_to_anchor((0.5, -0.22), panel.transAxes)
            put_title(panel, literal(curve.name))
        axes[0].set_ylabel("loss", color=DARK)
        self.axes_, self.figure_ = axes, axes[0].figure
        return self


def _curve_of_stage(stage, classifier):
    """Return the losses of a stage of a stack, whose rows held out may be judged by accuracy."""
    validation = stage.validation_loss_curve
    same = validation is None or classifier.scoring == "loss"
    return LossCurve(
        stage.name,
        np.asarray(stage.loss_curve, dtype=float),
        None if validation is None else np.asarray(validation, dtype=float),
        None if validation is None else stage.best_iter,
        "rows held out" if same else "held out: share wrong",
        same,
    )


def _draw(ax, curve, log):
    epochs = np.arange(1, len(curve.training) + 1)
    few = len(epochs) <= 12
    lines = ax.plot(
        epochs, curve.training, color=BLUE, marker="o" if few else None, markersize=3,
        label="training rows",
    )  # fmt: skip
    judged = ax if curve.same_measure else ax.twinx()
    values = curve.training
    if curve.validation is not None:
        lines += judged.plot(
            np.arange(len(curve.validation)), curve.validation, color=ORANGE, linestyle="--",
            marker="o" if few else None, markersize=3, label=curve.validation_label,
        )  # fmt: skip
        if curve.same_measure:
            values = np.concatenate([values, curve.validation])
    if curve.kept is not None:
        if curve.validation is not None:
            judged.plot(
                curve.kept, curve.validation[curve.kept], "o", color=ORANGE, markersize=8,
                markerfacecolor="white", markeredgewidth=1.8, zorder=4,
            )  # fmt: skip
        lines.append(
            ax.axvline(
                curve.kept, color=GREY, linewidth=0.9, linestyle=":",
                label=f"kept: epoch {curve.kept}",
            )
        )  # fmt: skip
    finite = values[np.isfinite(values)]
    if log == "auto":
        log = len(finite) and finite.min() > 0 and finite.max() >= LOG_FROM * finite.min()
    if log:
        ax.set_yscale("log")
    ax.set_xlabel("epoch", color=DARK)
    ax.xaxis.get_major_locator().set_params(integer=True)
    tidy(ax)
    if judged is not ax:
        tidy(judged)
        judged.spines["right"].set_visible(True)
        judged.spines["right"].set_color(ORANGE)
        judged.tick_params(color=ORANGE, labelcolor=ORANGE)
        judged.set_ylim(bottom=0)
    return lines
