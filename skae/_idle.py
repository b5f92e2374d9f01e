"""Parameters that have nothing to do beside the others: one warning, and the fit goes on.

The rule, for all estimators. What *contradicts* other parameters is an error: both can't be had.
What is merely *idle*, as ``n_iter_no_change`` is where no rows are held out, is no error, as a grid
over several parameters has such combinations; a fit warns of all of them at once, by a category
that a filter can name. scikit-learn does so too (``l1_ratio`` of its `LogisticRegression`).
"""

import inspect
from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any

from ._warnings import warn
from .exceptions import IdleParameterWarning


def refuse_contradiction(estimator: Any, name: str, reason: str) -> None:
    """Raise an error if a parameter that others exclude is set."""
    if _is_set(estimator, name):
        raise ValueError(
            f"{name}={getattr(estimator, name)!r} can't be had, because {reason}. Leave it at its "
            f"default {_default(estimator, name)!r}."
        )


def warn_of_idle(estimator: Any, idle: Iterable[tuple[str, Sequence[str]]]) -> None:
    """Warn, once, of the parameters that are set and have nothing to do.

    Parameters
    ----------
    estimator : estimator
    idle : iterable of (str, sequence of str)
        Reasons, and the names of the parameters that they hold for.
    """
    found, told = [], set()
    for reason, names in idle:
        these = [name for name in names if name not in told and _is_set(estimator, name)]
        told.update(these)
        if these:
            values = " and ".join(f"{name}={getattr(estimator, name)!r}" for name in these)
            found.append(
                f"{values} {'has' if len(these) == 1 else 'have'} no effect, because {reason}"
            )
    if found:
        warn("; ".join(found) + ".", IdleParameterWarning)


def idle_settings(
    estimator: Any, *, ends_by_tol: bool = False
) -> Iterable[tuple[str, Sequence[str]]]:
    """Yield what is idle of the parameters of the training that all estimators share.

    ``ends_by_tol`` says whether a training ends when its loss is below ``tol``.
    """
    if not estimator.early_stopping:
        held_out = [name for name in _OF_ROWS_HELD_OUT if hasattr(estimator, name)]
        yield "early_stopping=False holds no rows out", held_out
        if estimator.learning_rate != "adaptive" and not ends_by_tol:
            yield "nothing waits for the loss to fall", ["tol"]


_OF_ROWS_HELD_OUT = ("validation_fraction", "n_iter_no_change", "scoring")


def _default(estimator: Any, name: str) -> Any:
    return inspect.signature(type(estimator)).parameters[name].default


def _is_set(estimator: Any, name: str) -> bool:
    """Whether a parameter is other than its default, as far as can be told."""
    value, default = getattr(estimator, name), _default(estimator, name)
    if isinstance(default, tuple):
        try:
            return tuple(value) != default
        except (TypeError, ValueError):
            return True
    if isinstance(value, str | Real) and isinstance(default, str | Real):
        return bool(value != default)
    return value is not default
