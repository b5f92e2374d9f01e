"""What a fit chooses by rows held out, where its parameters are "auto": start, noise and widths."""

import copy
import sys
from collections.abc import Sequence
from functools import partial
from numbers import Integral
from typing import Any

from ._fitting import MANY_ROWS, Way, is_auto
from ._racing import Validated
from .noise import GaussianNoise

# Noise that is undone or none: levels between add little to these two.
_NOISE = GaussianNoise(0.4)

# Of a table with more, wide networks several times over would take gigabytes.
_MOST_VALUES = 10**7

# The first hidden layer, by the rows that there are at least. The second has half as many units.
_WIDTHS = {0: 64, 500: 128, 5000: 256}


# The parameters that may be "auto".
CHOSEN = "init", "noise", "hidden_layer_sizes"

# What stands in the place of "auto", by the names of the parameters.
Choice = dict[str, Any]


def choices(estimator: Any, n_rows: int | None, n_features: int) -> list[Choice]:
    """Return what a fit has to choose from; the first is the plainest, and starts at PCA if it may.

    Parameters
    ----------
    estimator : estimator
        With the parameters ``init``, ``noise`` and ``hidden_layer_sizes``.
    n_rows : int or None
        None is a stream of rows, of which none are held out.
    n_features : int
    """
    sizes = estimator.hidden_layer_sizes
    if is_auto(sizes):
        sizes = widths(n_rows)
    # Callbacks see one training, which is that of the network that is kept.
    has_choice = estimator.early_stopping and not estimator.callbacks
    if n_rows is None or n_rows > MANY_ROWS or n_rows * n_features > _MOST_VALUES:
        has_choice = False
    number = isinstance(estimator.n_components, Integral | str)  # else a share, by PCA
    inits = _values(estimator.init, ["pca", "random"] if has_choice and number else ["pca"])
    noises = _values(estimator.noise, [None, _NOISE] if has_choice else [None])
    return [
        {"init": init, "noise": noise, "hidden_layer_sizes": sizes}
        for init in inits
        for noise in noises
    ]


def ways(estimator: Any, some: Sequence[Choice], *given) -> list[Way]:
    """Return the ways to fit that belong to choices, from the estimator's method ``_start``."""
    result = []
    for choice in some:
        chosen = copy.copy(estimator)
        vars(chosen).update(choice)
        noise = choice.get("noise") if is_auto(estimator.noise) else None
        pretrains = getattr(estimator, "pretrain", False)
        result.append(Way(partial(chosen._start, *given), noise, pretrains))
    return result


def widths(n_rows: int | None) -> tuple[int, int]:
    """Return the sizes of two hidden layers for some rows, or for a stream of them."""
    first = max(width for least, width in _WIDTHS.items() if n_rows is None or n_rows >= least)
    return first, first // 2


def _values(given, of_auto: list) -> list:
    return of_auto if is_auto(given) else [given]


def tell(some: Sequence[Choice], chosen: int, n_epochs: int) -> None:
    """Say on the standard error, as a progress bar does, what was chosen, if there was a choice."""
    if len(some) == 1:
        return
    what = ", ".join(f"{name}={value!r}" for name, value in some[chosen].items())
    print(f"chosen: {what}, {n_epochs} epochs", file=sys.stderr)


def table(some: Sequence[Choice], validated: Sequence[Validated]) -> dict[str, list]:
    """Return candidates and how they did as columns, as scikit-learn's ``cv_results_`` are."""
    return {
        **{f"param_{name}": [choice[name] for choice in some] for name in some[0]},
        "n_iter": [len(result.loss_curve) for result in validated],
        "best_iter": [result.best_iter for result in validated],
        "validation_loss": [min(result.validation_loss_curve) for result in validated],
        "validation_loss_curve": [result.validation_loss_curve for result in validated],
    }
