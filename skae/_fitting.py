"""What the fits of all autoencoders have in common, step by step: rows, settings, best epoch.

Functions of an estimator take it as scikit-learn's validation does: for its parameters, by the
names that all estimators share.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from inspect import isroutine
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.base import BaseEstimator, is_classifier
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils._set_output import _safe_set_output
from torch import nn

from ._holding_out import FitRows, Split, evened, is_splitter
from ._journal import (
    described,
    digest,
    digest_of_state,
    journal_of_fit,
    keeping_journal,
)
from ._labels import known_class_numbers
from ._processes import processes_of_fit
from ._progress import (
    GivenRows,
    Moment,
    View,
    Watchable,
    fit_within,
    report_of_fit,
    reporting,
)
from ._racing import Candidate, Contest, Validated, train_with_validation
from ._rows import StandardizedRows
from ._seeding import draw_seed, global_torch_seed
from ._threads import single_thread
from ._training import (
    OWN_SQUARES_DECAY,
    PRECISIONS,
    SCHEDULES,
    SOLVERS,
    Entry,
    TrainingSettings,
    check_callbacks,
    check_net_params,
    resolve_device,
    train,
    train_each,
)
from ._value_files import package_versions
from .nn import RowLoss, asks_for_partners
from .noise import NOISES
from .penalty import PENALTIES

# Of the parameters that say how to train.
TRAINING_CONSTRAINTS: dict[str, list] = {
    "alpha": [Interval(Real, 0, None, closed="left")],
    "solver": [StrOptions(set(SOLVERS))],
    "learning_rate": [StrOptions(set(SCHEDULES))],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "max_iter": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "early_stopping": ["boolean"],
    "validation_fraction": [
        StrOptions({"auto"}),
        Interval(Real, 0, 1, closed="neither"),
        HasMethods("split"),
        "array-like",
        "sparse matrix",
    ],
    "n_iter_no_change": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="left")],
    "shuffle": ["boolean"],
    "warm_start": ["boolean"],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
    "checkpoint": [str, os.PathLike, tuple, None],
    "device": [StrOptions({"auto", "cpu", "cuda", "mps"})],
    "precision": [StrOptions(set(PRECISIONS))],
    "callbacks": [list, tuple, None],
    "net_params": [dict, None],
}

# Of the parameters that are parts.
NOISE_CONSTRAINT = [StrOptions(set(NOISES)), HasMethods("corrupt"), None]
PENALTY_CONSTRAINT = [StrOptions(set(PENALTIES)), HasMethods("penalize"), list, tuple, None]

# Rows from which on a choice among candidates, and large steps, cost more than they are worth.
MANY_ROWS = 10_000

LEAST_SCALE = 1e-30  # below, data count as constant: squares are zero in single precision

# The steps of the solver that max_iter="auto" aims at in each stage of a fit, and its least and
# most epochs. An average of weights needs fewer, as each epoch is as good as one at the end; so
# does fine-tuning, which starts near to where it ends, and so do layers that are trained on later.
_STEPS = {
    "last": (2000, 20, 300),
    "averaged": (1200, 20, 250),
    "fine-tuning": (1000, 20, 150),
    "early": (350, 8, 100),
}


class Start(NamedTuple):
    """A network before training, and the rows that it is to be trained on."""

    network: nn.Module
    loss: RowLoss
    rows: StandardizedRows


# ``build(indices, weight)`` returns the start of a training on some rows.
Build = Callable[[np.ndarray, np.ndarray], Start]


class Way(NamedTuple):
    """A way to fit: one of several that rows held out choose from."""

    build: Build
    noise: Any = None  # while training, in the place of that of the settings
    pretrains: bool = False  # whether building is a training, too

    def trained_by(self, settings: TrainingSettings) -> TrainingSettings:
        """Return the settings of a training in this way, where no rows are held out."""
        return replace(settings, noise=self.noise or settings.noise)


class Fitted(NamedTuple):
    """A trained network and how its training went."""

    start: Start
    loss_curve: list[float]  # (n_epochs,)
    validation_loss_curve: list[float] | None  # (n_epochs + 1,)
    best_iter: int
    measured: Any = None  # the sum of what was measured on rows held out, if anything was
    chosen: int = 0  # of the ways
    validated: Sequence[Validated] = ()  # what was found of each of them

    def shown_by(self, estimator: Any) -> Any:
        """Set the attributes that a fit of any kind sets, and return the network."""
        estimator.loss_curve_ = self.loss_curve
        estimator.validation_loss_curve_ = self.validation_loss_curve
        estimator.n_iter_, estimator.best_iter_ = len(self.loss_curve), self.best_iter
        return self.start.network.eval()


class OnlyWith:
    """An attribute that only some fits set; where it is missing, the error says which.

    Parameters
    ----------
    reason : str
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def __set_name__(self, owner, name) -> None:
        self.name = name

    def __get__(self, estimator, owner=None):
        # What a fit sets on the estimator itself comes before this.
        if estimator is None:
            return self
        raise AttributeError(
            f"{type(estimator).__name__} has no attribute {self.name!r}: {self.reason}"
        )


@contextmanager
def or_as_before(estimator: BaseEstimator) -> Iterator[None]:
    """Undo all that a block changes of an estimator's attributes, if the block fails."""
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


@contextmanager
def fitting(
    estimator: BaseEstimator,
    X,
    y=None,
    sample_weight=None,
    *,
    judged: bool = False,
    whole: bool = True,
) -> Iterator[None]:
    """Keep a fit's journal, tell scikit-learn's callbacks, and undo what it changes if it fails.

    They may judge the fitted estimator by the training rows if these are all that there are. The
    journal, which only a whole fit has, is that of all fits of an autoencoder that it is made of.
    """
    if processes_of_fit().are_several and is_classifier(estimator):
        raise ValueError(
            f"{type(estimator).__name__} is not trained by several processes together. Fit it "
            "outside of data_parallel()."
        )
    trained = estimator
    while not hasattr(trained, "checkpoint") and getattr(trained, "autoencoder", None) is not None:
        trained = trained.autoencoder
    checkpoint = getattr(trained, "checkpoint", None) if whole else None
    validation = validation_set(estimator) if hasattr(estimator, "early_stopping") else None
    rows = GivenRows(X, y, sample_weight, validation)
    with (
        keeping_journal(checkpoint if isinstance(trained, Watchable) else None),
        reporting(estimator, rows) as report,
        or_as_before(estimator),
    ):
        yield
        report.close(judged=judged)


def structure_of(estimator: BaseEstimator, names: tuple[str, ...]) -> dict[str, str]:
    """Return the parameters that decide how a network is built, as text that can be compared."""
    values = {name: getattr(estimator, name) for name in names}
    return {name: _as_text(value) for name, value in values.items()}


def _as_text(value) -> str:
    value = value._asdict() if hasattr(value, "_asdict") else value
    if isinstance(value, dict):
        return ", ".join(f"{_as_text(key)}: {_as_text(which)}" for key, which in value.items())
    if isinstance(value, np.ndarray | list | tuple):
        return str(tuple(np.asarray(value).tolist()))
    if callable(value) and hasattr(value, "__qualname__"):  # a function, of whatever address
        return value.__qualname__
    return repr(value)


def refuse_other_structure(
    estimator: BaseEstimator, names: tuple[str, ...], before: dict[str, str]
) -> None:
    """Raise an error if a network that is to be trained on would have to be built anew."""
    for name, now in structure_of(estimator, names).items():
        if now != before[name]:
            raise ValueError(
                f"{name} was {before[name]} when the network was built and is {now} now, but "
                "training goes on with the network as it is. Set it back, or build another with "
                "warm_start=False and fit."
            )


def is_auto(value) -> bool:
    """Whether a parameter is left to the estimator."""
    return isinstance(value, str) and value == "auto"


def layer_sizes(sizes):
    """Return one number or several as a tuple of ints, each at least 1."""
    sizes = (sizes,) if isinstance(sizes, Integral) else tuple(sizes)
    for size in sizes:
        if not isinstance(size, Integral) or size < 1:
            raise ValueError(
                f"hidden_layer_sizes and decoder_layer_sizes must be positive integers; got "
                f"{size!r} in {sizes!r}."
            )
    return sizes


def validation_set(estimator: BaseEstimator) -> tuple[Any, Any] | None:
    """Return X and y of the rows that are held out, if the user gives them."""
    given = estimator.validation_fraction
    if not estimator.early_stopping or isinstance(given, str | Real) or is_splitter(given):
        return None
    return given if isinstance(given, tuple) and len(given) == 2 else (given, None)


def part_of(value, names: dict[str, Callable], parameter: str):
    """Return the part that a name stands for, or the part given, with its own parameters checked.

    Examples of a part are a noise and a penalty.
    """
    if not isinstance(value, str):
        return checked_part(value)
    if value not in names:
        raise ValueError(f"{parameter}={value!r} is not known; expected one of {sorted(names)}.")
    return names[value]()


def checked_part(part):
    """Return a part, if its own parameters are as it wants them."""
    if isinstance(part, type):
        raise ValueError(f"{part.__name__} is a class; give an instance of it: {part.__name__}().")
    if hasattr(part, "_parameter_constraints"):  # a part of the user's may have none
        part._validate_params()
    return part


def penalties_of(penalty, *, with_partners: bool = True) -> list:
    """Return the penalties that the parameter of this name gives, none or several.

    Those that ask for partners are refused where the batches bring none.
    """
    several = penalty if isinstance(penalty, list | tuple) else [penalty]
    parts = [part_of(value, PENALTIES, "penalty") for value in several if value is not None]
    for part in parts:
        if not hasattr(part, "penalize"):
            raise ValueError(
                f"penalty={penalty!r} has {part!r}, which has no method penalize. Give names "
                f"from {sorted(PENALTIES)}, or parts of skae.penalty."
            )
        if asks_for_partners(part) and not with_partners:
            raise ValueError(
                f"penalty={penalty!r} has {part!r}, which asks for a partner of each row, but "
                "layers that are trained one by one have none. Use it with an autoencoder."
            )
    return parts


def labels_for(penalty, y, X, validation: tuple[Any, Any] | None) -> dict[str, np.ndarray | None]:
    """Return the labels that y gives to penalties that need some, as `FitRows` takes them.

    Parameters
    ----------
    penalty : part, str, sequence of these or None
    y : array-like of shape (n_samples,) or None
        Some may have no label.
    X : {ndarray, csr_array} of shape (n_samples, n_columns)
    validation : tuple (X, y) or None
        Rows to hold out, if the user gives them.
    """
    needing = [part for part in penalties_of(penalty) if getattr(part, "needs_labels", False)]
    if not needing:
        return {}
    classes, labels = known_class_numbers(y, X)
    if not len(classes):
        raise ValueError(
            f"{needing[0]!r} needs labels, but y has none. Give fit a y with the class of each "
            "row, or of some of them: None, NaN or -1 stand for no label."
        )
    if validation is None:
        return {"labels": labels}
    held_out, of_held_out = validation
    return {
        "labels": labels,
        "validation_labels": known_class_numbers(of_held_out, held_out, classes)[1],
    }


def training_settings(
    estimator: BaseEstimator,
    n_rows: int,
    noise=None,
    *,
    max_iter=None,
    learning_rate_init=None,
    stage: str = "last",
    largest_batch: int = 256,
) -> TrainingSettings:
    """Resolve what is "auto" and gather what training needs to know.

    For a stage of a fit that has its own ``max_iter`` and ``learning_rate_init``, these take the
    place of the estimator's. "auto" stands for fewer epochs in a stage that is not the last, or
    that starts near to where it ends.
    """
    averaged = estimator.learning_rate == "averaged"
    batch_size = estimator.batch_size
    if batch_size == "auto":
        batch_size = int(np.clip(n_rows // (20 if averaged else 40), 32, largest_batch))
    batch_size = min(batch_size, n_rows)
    report, processes = report_of_fit(), processes_of_fit()
    max_iter = estimator.max_iter if max_iter is None else max_iter
    if max_iter == "auto":
        n_steps, least, most = _STEPS["averaged" if averaged and stage == "last" else stage]
        max_iter = int(np.clip(np.ceil(n_steps * batch_size / n_rows), least, most))
    if is_auto(estimator.batch_size) and _has_levels(estimator):
        batch_size = min(2 * batch_size, largest_batch, n_rows)
    n_iter_no_change = estimator.n_iter_no_change
    if n_iter_no_change == "auto":
        n_iter_no_change = max(10, max_iter // (8 if averaged else 6))
    return TrainingSettings(
        solver=estimator.solver,
        learning_rate=estimator.learning_rate,
        learning_rate_init=learning_rate_init
        or first_step(estimator.learning_rate_init, estimator.learning_rate, n_rows),
        alpha=estimator.alpha,
        batch_size=batch_size,
        max_iter=max_iter,
        n_iter_no_change=n_iter_no_change,
        tol=estimator.tol,
        shuffle=estimator.shuffle,
        device=resolve_device(estimator.device),
        precision=estimator.precision,
        verbose=bool(estimator.verbose) and not report.is_drawn and processes.is_main,
        seed=fit_seed(estimator.random_state),
        squares_decay=_squares_decay(estimator, batch_size / n_rows),
        callbacks=check_callbacks(estimator.callbacks),
        net_params=check_net_params(estimator.net_params),
        noise=None if noise is None or is_auto(noise) else part_of(noise, NOISES, "noise"),
        report=report,
        journal=journal_of_fit(),
        processes=processes,
    )


def _has_levels(estimator: BaseEstimator) -> bool:
    """Whether an estimator learns a table's levels, and rows held out say when to stop.

    It does so as well in half as many steps of twice the rows.
    """
    return estimator.early_stopping and hasattr(getattr(estimator, "loss", None), "output")


def _squares_decay(estimator: Any, share_of_rows: float) -> float:
    """Return what is left after a step of the squares of gradients that a solver averages.

    While the step stays large, a row far out that comes once an epoch throws weights off their way
    if such an average has nearly forgotten it, or if it is one of thousands of steps, in which a
    row counts for nothing (Wortsman et al. 2023, arXiv 2304.13013). Where rows are held out, an
    epoch before that is kept; else the average is of about one epoch.
    """
    if estimator.early_stopping or estimator.learning_rate != "averaged":
        return OWN_SQUARES_DECAY
    return float(np.clip(1 - share_of_rows, 0.95, OWN_SQUARES_DECAY))


def of_one_call(settings: TrainingSettings, step: float) -> TrainingSettings:
    """Return the settings of a call of `partial_fit`: one epoch of a stream, with a step."""
    return replace(
        settings,
        learning_rate="constant",
        learning_rate_init=step,
        squares_decay=OWN_SQUARES_DECAY,
        max_iter=1,
    )


def first_step(given, learning_rate: str, n_rows: int) -> float:
    """Return the largest step of a training. An average of weights can do with larger ones."""
    if not is_auto(given):
        return given
    if learning_rate != "averaged":
        return 0.003
    return 0.008 if n_rows <= MANY_ROWS else 0.004


def recognize(estimator: Any, rows: FitRows, labels: np.ndarray | None = None) -> None:
    """Tell the journal of a fit, if there is one, what is fitted to which rows.

    An error says what is other than in the fit that has begun the journal, or what of the fit a
    journal can't hold.
    """
    journal = journal_of_fit()
    if journal.path is None:
        return
    _refuse_what_is_not_kept(estimator)
    X, parts = rows.X, estimator._parts()
    values = digest(X, rows.given_weight, rows.indices, rows.weight, rows.keys, rows.groups, labels)
    fit = {
        "estimator": type(estimator).__name__,
        "versions": ", ".join(f"{name} {number}" for name, number in package_versions().items()),
        "rows": f"{X.shape[0]} of {X.shape[1]} columns, {X.dtype}, {values}",
        "device": resolve_device(estimator.device),
    }
    parameters = estimator.get_params(deep=False)
    if validation_set(estimator) is not None:
        del parameters["validation_fraction"]  # which is among the rows
    if not isinstance(estimator.random_state, Integral):
        del parameters["random_state"]  # what has been drawn is known
    if estimator.warm_start and hasattr(estimator, "module_"):
        fit["module_"] = digest_of_state(estimator.module_)
    fit |= {name: described(of) for name, of in parameters.items() if name not in _NO_EFFECT}
    journal.recognize(fit, draws_globally=not are_own(parts))


# What changes nothing of what is fitted.
_NO_EFFECT = ("callbacks", "checkpoint", "device", "verbose")


def _refuse_what_is_not_kept(estimator: Any) -> None:
    """Raise an error for objects of the user's whose state a journal can't hold."""
    refusal = None
    if estimator.callbacks:
        refusal = f"callbacks={estimator.callbacks!r}, whose state is in themselves"
    for name in estimator.net_params or {}:
        if not name.startswith("optimizer__"):
            refusal = f"net_params={estimator.net_params!r}: {name!r} is no parameter of a solver"
    parts = {
        name: estimator.get_params(deep=False).get(name)
        for name in ("noise", "pretrain_noise", "penalty", "loss", "joint", *_WITHIN_NETWORKS)
    }
    for name, given in parts.items():
        given = list(given.values()) if isinstance(given, dict) else given
        for part in given if isinstance(given, list | tuple) else [given]:
            stateless = are_own([part]) or isroutine(part) or isinstance(part, type | partial)
            is_module = isinstance(part, nn.Module)
            is_kept = is_module and (name in _WITHIN_NETWORKS or not part.state_dict())
            if not (stateless or is_kept):
                refusal = f"{name}={part!r}, which may change while it is used"
    if refusal is not None:
        raise ValueError(
            f"checkpoint={estimator.checkpoint!r} does not go with {refusal}. A fit could not go "
            "on as if it had not been interrupted. Of the user's, it may have functions, and "
            "layers whose state is in their state_dict. Leave one of the two out."
        )


# The user's modules in them have their state in that of the network.
_WITHIN_NETWORKS = ("latent_activation", "encoder", "decoder")


@contextmanager
def undisturbed(parts: Sequence[Any], seed: int) -> Iterator[None]:
    """Train whatever mode torch is in, and let parts of the user's draw reproducible numbers.

    Those take them from torch's global generator; the parts of skae draw from their own.
    """
    own_seed = nullcontext() if are_own(parts) else global_torch_seed(seed)
    with single_thread(False), torch.inference_mode(False), own_seed:
        yield


def fit_seed(random_state) -> int:
    """Return the seed of a fit, without moving numpy's global generator."""
    return processes_of_fit().first(journal_of_fit().seed(lambda: _drawn_seed(random_state)))


def _drawn_seed(random_state) -> int:
    if random_state is None:
        return int(np.random.default_rng().integers(2**31))
    return draw_seed(random_state)


def keep_nothing(estimator: Any, fitted: Fitted) -> None:
    """Set no attributes, where only the rows and settings of a fit are wanted."""


class Fit(NamedTuple):
    """A fit up to its training, and what is to be done with the network that comes of it."""

    estimator: Any  # which says what to hold out, and what may be of the user's making
    ways: Sequence[Way]
    rows: FitRows  # to train on
    settings: TrainingSettings
    # ``keep(estimator, fitted)`` sets fitted attributes; of a copy, for those who look at an epoch.
    keep: Callable[[Any, Fitted], None] = keep_nothing
    resumed: bool = False  # whether an earlier training is gone on with; there is none then
    # Applied to a trained network and rows that it was not trained on, if there are any; what
    # several folds give is added up.
    measure: Callable[[nn.Module, StandardizedRows], np.ndarray] | None = None

    @property
    def pretrains(self) -> bool:
        return any(way.pretrains for way in self.ways)


def fit_each(estimators: Sequence[Any], given: Sequence[dict[str, Any]], name: str) -> None:
    """Fit estimators, alike but for rows or seeds, side by side if they can be; output is arrays.

    Parameters
    ----------
    estimators : sequence of estimators
    given : sequence of dict
        The arguments of each one's `fit`.
    name : str
        What one of them is called where progress is told.
    """
    pairs = list(zip(estimators, given, strict=True))
    if len(pairs) == 1 or not all(_fits_beside_others(estimator) for estimator in estimators):
        for estimator, arguments in pairs:
            fit_within(name, len(pairs), estimator, **arguments)
        return
    fits = []
    for estimator, arguments in pairs:
        estimator._validate_params()
        fits.append(estimator._to_fit(**arguments))
    carry_out(fits)
    for estimator in estimators:
        _safe_set_output(estimator, transform="default")


def _fits_beside_others(estimator: Any) -> bool:
    """Whether a fit can be one with others.

    Callbacks see one training, parts of the user's draw from a generator that is shared, and an
    estimator of the user's may have a fit of its own.
    """
    if getattr(estimator, "callbacks", True) or hasattr(estimator, "_skl_callbacks"):
        return False
    return hasattr(estimator, "_to_fit") and are_own([estimator, *estimator._parts()])


def are_own(parts: Sequence[Any]) -> bool:
    """Whether all parts are of skae, whose parts draw from generators of their own."""
    given = [part for part in parts if part is not None and not isinstance(part, str)]
    return all(type(part).__module__.startswith("skae.") for part in given)


def carry_out(fits: Sequence[Fit]) -> None:
    """Train what one fit asks for, or several that are alike but for rows or seeds, side by side.

    Of one without rows held out, there is nothing to choose by, and the first of its ways is taken;
    so is its start where no training is better than none.
    """
    first = fits[0]
    for fit in fits:
        recognize(fit.estimator, fit.rows)
    with undisturbed(first.estimator._parts(), first.settings.seed):
        if first.estimator.early_stopping and min(len(fit.rows) for fit in fits) > 1:
            fitted = _with_validation(fits, first.settings)
        else:
            first.settings.report.open(len(fits) * (1 + first.pretrains))
            fitted = _without_validation(fits)
        for fit, result in zip(fits, fitted, strict=True):
            fit.keep(fit.estimator, result)


def _without_validation(fits: Sequence[Fit]) -> list[Fitted]:
    """Train networks on all rows, by the first of their ways."""
    starts = [fit.ways[0].build(fit.rows.indices, fit.rows.weight) for fit in fits]
    alone = [Candidate([start], [start.rows]) for start in starts]  # judged by what they learn
    # What settings are follows from the number of rows.
    groups: dict[int, list[Entry]] = {}
    for number, (fit, start) in enumerate(zip(fits, starts, strict=True)):
        noise = fit.ways[0].trained_by(fit.settings).noise
        entry = Entry(*start, noise, key=(number, 0), seed=fit.settings.seed)
        groups.setdefault(len(fit.rows), []).append(entry)
    curves: dict[tuple[int, int], list[float]] = {}
    for entries in groups.values():
        settings = fits[entries[0].key[0]].settings
        if len(fits) == 1:
            settings = replace(settings, view=_view(fits[0], alone))
        curves |= train_each(entries, settings)
    result = []
    for number, (fit, start, candidate) in enumerate(zip(fits, starts, alone, strict=True)):
        curve = curves[number, 0]
        result.append(Fitted(start, curve, None, len(curve), _measured(fit, candidate)))
    return result


def _with_validation(fits: Sequence[Fit], settings: TrainingSettings) -> list[Fitted]:
    """Train networks as many epochs as rows not trained on confirm."""
    how = fits[0].estimator.validation_fraction  # "auto" for few rows is a cross-validation
    splits = [fit.rows.splits(how, fit.settings.seed, folds=not fit.resumed) for fit in fits]
    even = iter(evened([split for some in splits for split in some]))
    splits = [[next(even) for _ in some] for some in splits]
    again = [
        len(some) > 1 or fit.rows.has_folds(how, folds=not fit.resumed)
        for fit, some in zip(fits, splits, strict=True)
    ]
    n_networks = sum(len(fit.ways) * len(some) for fit, some in zip(fits, splits, strict=True))
    n_pretrained = fits[0].pretrains * (n_networks + len(fits))
    settings.report.open(1 + sum(again) + n_pretrained)
    contests = [_contest(*pair) for pair in zip(fits, splits, strict=True)]
    # Of the starts, which are kept if nothing is better.
    measured = [_measured(fit, one.candidates[0]) for fit, one in zip(fits, contests, strict=True)]
    found = train_with_validation(
        contests,
        # Several fits at once are no fitted estimator that could be looked at.
        replace(settings, view=_view(fits[0], contests[0].candidates) if len(fits) == 1 else None),
        keep_weights=not all(again) or any(fit.measure is not None for fit in fits),
    )
    return [
        _finished(*of_fit, settings)
        for of_fit in zip(fits, contests, found, measured, again, strict=True)
    ]


def _contest(fit: Fit, splits: Sequence[Split]) -> Contest:
    """Return the candidates of a fit: its ways, with a network for each split."""
    given_groups = [split.groups for split in splits if split.groups is not None]
    groups = np.concatenate(given_groups) if given_groups else None
    seed = fit.settings.seed
    return Contest([_candidate(way, splits)._replace(seed=seed) for way in fit.ways], groups)


def _finished(fit, contest, found, measured, again, settings) -> Fitted:
    """Return the network that rows held out have chosen, trained on all rows if need be."""
    chosen, validated = found
    way, candidate = fit.ways[chosen], contest.candidates[chosen]
    curve, validation_curve, best_iter = validated[chosen]
    start = Start(*candidate.parts[0])
    if best_iter > 0:
        measured = _measured(fit, candidate)
    if again or best_iter == 0:
        start = way.build(fit.rows.indices, fit.rows.weight)
    if again and best_iter > 0:
        how = replace(way.trained_by(settings), max_iter=best_iter, seed=fit.settings.seed)
        train(*start, how, label="last training")
    return Fitted(start, curve, validation_curve, best_iter, measured, chosen, validated)


def _measured(fit: Fit, candidate: Candidate) -> Any:
    """Return the sum of what is measured of a candidate's networks, if anything is."""
    if fit.measure is None:
        return None
    pairs = zip(candidate.parts, candidate.held_out, strict=True)
    return sum(fit.measure(network, rows) for (network, *_), rows in pairs)


class Measured(NamedTuple):
    """What was measured of rows that a network was not trained on."""

    measured: Any
    split: Split


def held_out_by_best(
    fit: Fit, measure: Callable[[nn.Module, StandardizedRows], Any]
) -> list[Measured]:
    """Train the ways of a fit, keep none, and measure the best one, for each split of the rows.

    ``measure(network, held_out)`` is applied to a network and the rows held out.
    """
    recognize(fit.estimator, fit.rows)
    settings = replace(fit.settings, callbacks=())
    with undisturbed(fit.estimator._parts(), settings.seed):
        how = fit.estimator.validation_fraction
        splits = evened(fit.rows.splits(how, settings.seed))
        contest = _contest(fit, splits)
        ((chosen, _),) = train_with_validation([contest], settings, label="number of codes")
        candidate = contest.candidates[chosen]
        several = zip(candidate.parts, candidate.held_out, splits, strict=True)
        return [Measured(measure(network, rows), split) for (network, *_), rows, split in several]


def _view(fit: Fit, candidates: Sequence[Candidate]) -> View:
    """Return how to look at the epochs of some candidates."""

    def look(estimator, moment: Moment) -> None:
        candidate, fold = candidates[moment.candidate], moment.fold
        start = Start(*candidate.parts[fold])._replace(network=moment.network)
        measured = None
        if fit.measure is not None:
            measured = fit.measure(start.network, candidate.held_out[fold])
        curves = moment.loss_curve, moment.validation_loss_curve
        chosen = moment.candidate, moment.validated
        fit.keep(estimator, Fitted(start, *curves, moment.n_epochs, measured, *chosen))

    return View(look, lambda fold: candidates[0].held_out[fold])


def _candidate(way: Way, splits: Sequence[Split]) -> Candidate:
    """Return the networks of a way to fit, one for each split, and the rows they are judged by."""
    starts = [way.build(*split.training) for split in splits]
    pairs = zip(starts, splits, strict=True)
    held_out = [start.rows.others(*split.validation) for start, split in pairs]
    return Candidate(starts, held_out, way.noise)
