"""What a fit tells while it goes on: the bar of ``verbose``, and scikit-learn's own callbacks.

To callbacks of `sklearn.callback` a fit is a tree of tasks: the fit, its stages, and the epochs of
each. Older versions of scikit-learn have none, and nothing is told. skorch's callbacks, which the
estimators take as a parameter, are another matter.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
import scipy.sparse as sp
from sklearn.utils import _safe_indexing
from sklearn.utils._set_output import _safe_set_output
from sklearn.utils.validation import _num_samples
from torch import nn
from tqdm.auto import tqdm

from ._contract import BaseEstimator
from ._rows import StandardizedRows
from ._seeding import global_torch_state
from ._sources import RowChoice, RowSource, source_of

try:
    from sklearn.callback import CallbackSupportMixin, ProgressBar
except ImportError:  # scikit-learn < 1.9
    CallbackSupportMixin = ProgressBar = type("Nothing", (), {})

# A line of 80 columns, losses and all.
_BAR = "{desc} {n_fmt}/{total_fmt} |{bar:6}| {elapsed}<{remaining}{postfix}"


class Watchable(CallbackSupportMixin, BaseEstimator):
    """An estimator whose fits scikit-learn's callbacks may watch."""

    if TYPE_CHECKING:

        def set_callbacks(self, *callbacks: Any) -> Self: ...


class GivenRows(NamedTuple):
    """The rows of a fit as the user gave them."""

    X: Any
    y: Any = None
    sample_weight: Any = None
    validation: tuple[Any, Any] | None = None  # X and y to hold out, counted after those above

    def all(self) -> dict[str, Any]:
        """Return what is trained on, by the names that callbacks have for it."""
        weight = self.sample_weight
        metadata = None if weight is None else {"sample_weight": weight}
        return {"X": self.X, "y": self.y, "metadata": metadata}

    def some(self, rows: StandardizedRows) -> dict[str, Any]:
        """Return the same of some rows.

        Equal rows that a fit has merged are themselves again; weights of another kind stay weights.
        Where there is no y, rows are to be rebuilt as they are. Training rows of a source that
        memory does not hold are the source itself.
        """
        source = None if isinstance(self.X, np.ndarray) else source_of(self.X)
        X, y = self.X if source is None else source, self.y
        n_rows = _num_samples(X)
        indices, weight, metadata = rows.indices, rows.sample_weight, None
        if isinstance(indices, RowChoice):
            return {**self.all(), "X": X, "y": X if y is None else y}
        if self.validation is not None and indices.min() >= n_rows:
            (X, y), indices = self.validation, indices - n_rows
        if np.array_equal(weight, np.floor(weight)) and weight.sum() <= _num_samples(X):
            indices = np.repeat(indices, weight.astype(int))
        else:
            metadata = {"sample_weight": weight}
        X = _taken(X, indices)
        return {"X": X, "y": X if y is None else _taken(y, indices), "metadata": metadata}


def _taken(X, indices: np.ndarray):
    if isinstance(X, RowSource):
        return X[indices]
    return _safe_indexing(X.tocsr() if sp.issparse(X) else X, indices)


class Moment(NamedTuple):
    """A network as it is after an epoch of its training."""

    network: nn.Module  # a copy, on the CPU
    loss_curve: list[float]  # (n_epochs,), up to now
    validation_loss_curve: list[float] | None = None
    candidate: int = 0
    fold: int = 0
    validated: Sequence[Any] = ()  # what was found of each candidate so far

    @property
    def n_epochs(self) -> int:
        return len(self.loss_curve)


class View(NamedTuple):
    """How an epoch can be looked at: as a fitted estimator, and by which rows it is judged."""

    # ``keep(estimator, moment)`` sets fitted attributes as if the fit had ended at the moment.
    keep: Callable[[Any, Moment], None]
    rows: Callable[[int], StandardizedRows]  # of a fold: those held out, if there are any


class Report:
    """A task of a fit, of which callbacks are told; silent if there are none.

    Parameters
    ----------
    estimator : estimator, optional
        The one that is fitted.
    context : sklearn.callback.CallbackContext, optional
        What callbacks know the task by.
    rows : GivenRows, optional
    is_open : bool
        Whether the task has begun.
    """

    def __init__(self, estimator=None, context=None, rows=None, *, is_open=False) -> None:
        self.estimator, self.context, self.rows = estimator, context, rows
        self.is_open = is_open
        self.is_heard = context is not None and hasattr(estimator, "_skl_callbacks")

    @property
    def is_drawn(self) -> bool:
        """Whether scikit-learn draws bars, be it for what this fit is a part of."""
        context, callbacks = self.context, []
        while context is not None:
            callbacks += context._callbacks
            context = context.parent
        return any(isinstance(callback, ProgressBar) for callback in callbacks)

    def open(self, n_parts: int | None = None) -> None:
        """Begin the task of a whole fit if it has not, with how many parts it has at most."""
        if self.context is None or self.is_open:
            return
        self.is_open, self.context.max_subtasks = True, n_parts
        self.begin(self.context, **self.rows.all())

    def close(self, *, judged: bool) -> None:
        """End it, and let callbacks judge the fitted estimator by the training rows or not."""
        if self.context is not None:
            self.open()
            what = self.rows.all()
            if judged:
                y = self.rows.X if self.rows.y is None else self.rows.y
                what |= {"y": y, "reconstruction_attributes": {}}
            self.end(self.context, **what)

    @contextmanager
    def part(self, name: str, n_parts: int) -> Iterator["Report"]:
        """Begin a part of the task, and end it."""
        if not self.is_heard:
            yield self
            return
        self.open()
        context = self.context.subcontext(task_name=name, max_subtasks=n_parts)
        self.begin(context)
        yield Report(self.estimator, context, self.rows, is_open=True)
        self.end(context)

    def begin(self, context, **what) -> None:
        if self.is_heard:
            with global_torch_state():
                context.call_on_fit_task_begin(estimator=self.estimator, **what)

    def end(self, context, **what) -> bool:
        """Tell of an end, and return whether a callback wants what goes on to stop."""
        if not self.is_heard:
            return False
        with global_torch_state():
            return context.call_on_fit_task_end(estimator=self.estimator, **what)


_OF_THIS_FIT: ContextVar[Report] = ContextVar("_OF_THIS_FIT")


def report_of_fit() -> Report:
    """Return what the fit that goes on reports to."""
    return _OF_THIS_FIT.get(Report())


@contextmanager
def reporting(estimator: Any, rows: GivenRows) -> Iterator[Report]:
    """Give the fit of an estimator something to report to."""
    context = None
    if hasattr(estimator, "_init_callback_context"):
        context = estimator._init_callback_context()
    token = _OF_THIS_FIT.set(Report(estimator, context, rows))
    try:
        yield _OF_THIS_FIT.get()
    finally:
        _OF_THIS_FIT.reset(token)


def fit_within(name: str, n_parts: int, estimator: Any, X, **beside) -> None:
    """Fit an estimator as one of the parts of another's fit, such that its output is arrays."""
    report = report_of_fit()
    if report.context is None:
        estimator.fit(X, **beside)
    else:
        report.open(n_parts)
        context = report.context.subcontext(task_name=name)
        with context.propagate_callback_context(estimator):
            report.begin(context)
            estimator.fit(X, **beside)
            report.end(context)
    _safe_set_output(estimator, transform="default")


class Epochs:
    """The epochs of a training, each with a begin and an end that are told.

    Parameters
    ----------
    report : Report
        Its parts are the epochs of each fold.
    view : View or None
        How they can be looked at, if they can.
    n_folds : int
    bar : tqdm or None
        That of ``verbose``.
    """

    def __init__(self, report: Report, view: View | None, n_folds: int, bar: tqdm | None) -> None:
        self.report, self.view, self.bar = report, view, bar
        self.names = ["epoch"]
        if n_folds > 1:
            self.names = [f"epoch of fold {fold}" for fold in range(1, n_folds + 1)]
        self.contexts: list[Any] = []

    def begin(self) -> None:
        if self.report.is_heard:
            self.contexts = [self.report.context.subcontext(task_name=n) for n in self.names]
            for context in self.contexts:
                self.report.begin(context)

    def end(self, moment: Callable[[int], Moment], **losses: float) -> bool:
        """Tell of the end of an epoch, and return whether training shall end with it.

        ``moment(fold)`` is how the network of a fold is; the losses are what the bar shows.
        """
        if self.bar is not None:
            shown = {name: f"{loss:.4g}" for name, loss in losses.items()}
            self.bar.set_postfix(shown, refresh=False)
            self.bar.update()
        stops = False
        for fold, context in enumerate(self.contexts):
            stops |= self.report.end(context, **self._look(moment, fold))
        return stops

    def _look(self, moment, fold) -> dict[str, Any]:
        """Return what callbacks may look at: functions, for those that do."""
        view, report = self.view, self.report
        if view is None:
            return {}

        def attributes():
            fitted = copy.copy(report.estimator)
            before = vars(fitted).copy()
            view.keep(fitted, moment(fold))
            after = vars(fitted).items()
            return {name: value for name, value in after if before.get(name, fitted) is not value}

        given = cache(lambda: report.rows.some(view.rows(fold)))
        found = {name: lambda name=name: given()[name] for name in ("X", "y", "metadata")}
        return {**found, "reconstruction_attributes": attributes}


@contextmanager
def epochs_of(
    report: Report,
    label: str,
    max_iter: int,
    *,
    n_before=0,
    name=None,
    n_folds=1,
    view=None,
    verbose=False,
) -> Iterator[Epochs]:
    """Tell of a training: its label, or another name, and how many epochs it has at most.

    Those before are of a fit that was interrupted.
    """
    with report.part(name or label, max_iter * n_folds) as part:
        if not verbose:  # even a bar that is not shown starts a thread
            yield Epochs(part, view, n_folds, None)
            return
        with tqdm(total=max_iter, initial=n_before, desc=label, bar_format=_BAR) as bar:
            yield Epochs(part, view, n_folds, bar)
