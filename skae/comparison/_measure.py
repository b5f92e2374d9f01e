"""Measuring one method: seconds, the rows rebuilt, neighborhoods and labels in its embedding."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import SparseEfficiencyWarning, csr_matrix
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold
from sklearn.neighbors import KNeighborsRegressor
from sklearn.utils import _safe_indexing, check_array

from skae._inverse import without_imputers
from skae.comparison._methods import (
    embeds_new_rows,
    is_scalable,
    needs_target,
)
from skae.comparison._mixed import MixedTable, as_pipeline, ends_of
from skae.comparison._refusals import RowKind, needs_spmatrix, refusal
from skae.metrics import (
    code_agreement,
    continuity,
    knn_accuracy,
    linear_probe_accuracy,
    reconstruction_r2_scorer,
    trustworthiness,
)

# Warnings that say nothing about what a method found.
UNINFORMATIVE = (DeprecationWarning, PendingDeprecationWarning, SparseEfficiencyWarning)


class Rows(NamedTuple):
    """The rows that all methods share, dense or CSR; of a table, its matrix."""

    X_train: Any  # (n_train, n_features)
    y_train: np.ndarray | None  # (n_train,)
    X_test: Any  # (n_test, n_features)
    y_test: np.ndarray | None  # (n_test,)
    X_filled: Any  # X_test without holes, where neighbors are looked for
    subsample: np.ndarray  # positions in X_train: what methods that do not scale are fitted on
    kind: RowKind
    table: MixedTable | None = None


class Embedding(NamedTuple):
    """What a method makes of the rows."""

    estimator: object
    codes: np.ndarray  # (n_test, n_components)
    labeled_codes: np.ndarray | None  # (n_subsample, n_components); None: can't embed new rows
    seconds: dict


@dataclass
class Measurement:
    """One row of the table, with what it was measured on."""

    estimator: object | None
    codes: np.ndarray | None
    scores: dict
    notes: list
    ranked: bool

    def numbers(self):
        """Return it without the fitted estimator and its codes."""
        return replace(self, estimator=None, codes=None)


def _knn_r2(X_train, y_train, X_test, y_test, *, n_neighbors):
    """R² of the mean target of the nearest training rows."""
    model = KNeighborsRegressor(n_neighbors=n_neighbors)
    return model.fit(X_train, y_train).score(X_test, y_test)


def _linear_r2(X_train, y_train, X_test, y_test):
    """R² of a linear regression on the codes."""
    return LinearRegression().fit(X_train, y_train).score(X_test, y_test)


# How well the codes tell the target: by their neighbors, and by a linear model.
PROBES: dict[str | None, dict[str, Callable[..., float]]] = {
    None: {},
    "classes": {"knn_accuracy": knn_accuracy, "linear_accuracy": linear_probe_accuracy},
    "continuous": {"knn_r2": _knn_r2, "linear_r2": _linear_r2},
}


def _probes(target_type, n_neighbors):
    """Return the probes of a kind of target, told how many neighbors to ask."""
    return {
        column: partial(probe, n_neighbors=n_neighbors) if column.startswith("knn") else probe
        for column, probe in PROBES[target_type].items()
    }


def measure(build, rows, *, target_type, n_neighbors, random_state):
    """Fit a method and score it; what fails ends in the notes.

    `build` returns the unfitted estimator. Nothing that the method raises (but an interruption
    by the user) or warns of gets out of here.
    """
    result = Measurement(estimator=None, codes=None, scores={}, notes=[], ranked=True)
    with warnings.catch_warnings(record=True, action="always") as caught:
        try:
            _measure(result, build(), rows, target_type, n_neighbors, random_state)
        except Exception as error:
            result.notes.append(f"failed: {_reason(error)}")
    informative = (w.message for w in caught if not issubclass(w.category, UNINFORMATIVE))
    result.notes.extend(_first_sentence(message) for message in informative)
    result.notes = list(dict.fromkeys(result.notes))
    return result


def _measure(result, estimator, rows, target_type, n_neighbors, random_state):
    """Fill in `result` step by step, so that a failure leaves what came before it."""
    rows, steps = _as_given(estimator, rows, result.notes)
    if reason := refusal(estimator, rows.kind):
        result.notes.append(reason)
        return
    result.ranked = embeds_new_rows(estimator)
    embedding = _embed(estimator, rows, result.notes)
    result.estimator, result.codes = as_pipeline(embedding.estimator, steps), embedding.codes
    result.scores.update(embedding.seconds)

    def score(column, function, *args, **kwargs):
        """Add the score, or those in a dictionary, or a note that says why there is none."""
        try:
            found = function(*args, **kwargs)
            scores = found if isinstance(found, dict) else {column: found}
            scores = {name: float(value) for name, value in scores.items()}
        except Exception as error:
            result.notes.append(f"no {column}: {_reason(error)}")
        else:
            result.scores.update(
                {name: value if np.isfinite(value) else None for name, value in scores.items()}
            )

    decoder = without_imputers(embedding.estimator)
    if hasattr(decoder, "inverse_transform"):
        rebuild = _rebuild if rows.table is None else _rebuild_table
        score("reconstruction_r2", rebuild, decoder, embedding.codes, rows, result.scores)
    for function in (trustworthiness, continuity):
        score(function.__name__, function, rows.X_filled, embedding.codes, n_neighbors=n_neighbors)
    for column, probe in _probes(target_type, n_neighbors).items():
        score(column, _probe_labels, probe, embedding, rows, random_state)


def stability_of(result, build, rows):
    """Return how far another fit finds the codes of the test rows that a first one has found.

    None where it fails, or where there are no codes. `build` returns an unfitted estimator with
    another seed.
    """
    if result.codes is None:
        return None
    with warnings.catch_warnings(action="ignore"):  # which are those of the first fit
        try:
            estimator = build()
            given, _ = _as_given(estimator, rows, [])
            agreement = code_agreement(result.codes, _embed(estimator, given, []).codes)
        except Exception as error:
            result.notes.append(f"no stability: {_reason(error)}")
            return None
    return round(agreement, 9) if np.isfinite(agreement) else None  # the rest is rounding


def _as_given(estimator, rows, notes):
    """Return the rows as an estimator takes them, and the steps before it that make a matrix."""
    steps = []
    if rows.table is not None:
        X_train, X_test, kind, steps, some = rows.table.given_to(estimator)
        rows = rows._replace(X_train=X_train, X_test=X_test, kind=kind)
        notes.extend(some)
    if rows.kind.is_sparse and needs_spmatrix(estimator):
        rows = rows._replace(X_train=csr_matrix(rows.X_train), X_test=csr_matrix(rows.X_test))
    return rows, steps


def _embed(estimator, rows, notes):
    """Embed the test rows by a fit to the training rows, or to themselves if need be."""
    embed = _embed_new_rows if embeds_new_rows(estimator) else _embed_the_test_rows
    return embed(estimator, rows, notes)


def _embed_new_rows(estimator, rows, notes):
    """Fit on the training rows, as many as the method bears, and embed the test rows."""
    X, y = rows.X_train, rows.y_train
    if not is_scalable(estimator) and len(rows.subsample) < X.shape[0]:
        notes.append(f"fitted on {len(rows.subsample)} of {X.shape[0]} training rows")
        X, y = _safe_indexing(X, rows.subsample), None if y is None else y[rows.subsample]

    # A target is for methods that ask for it: one that merely accepts it would peek.
    target = [y] if needs_target(estimator) else []
    estimator, fit_seconds = _timed(estimator.fit, X, *target)
    codes, transform_seconds = _timed(estimator.transform, rows.X_test)
    labeled_codes = estimator.transform(_safe_indexing(rows.X_train, rows.subsample))
    return Embedding(
        estimator,
        _check_codes(codes),
        _check_codes(labeled_codes),
        {"fit_seconds": fit_seconds, "transform_seconds": transform_seconds},
    )


def _embed_the_test_rows(estimator, rows, notes):
    """Embed the test rows by a method that can embed only what it is fitted on."""
    if not hasattr(estimator, "fit_transform"):
        raise TypeError(f"{type(estimator).__name__} has neither transform nor fit_transform")
    notes.append(
        "embedded the test rows themselves, as it can't embed new ones: not ranked, and labels "
        "are cross-validated among these rows"
    )
    codes, seconds = _timed(estimator.fit_transform, rows.X_test)
    return Embedding(estimator, _check_codes(codes), None, {"fit_seconds": seconds})


class _TimedInverse:
    """A fitted method as a scorer sees it: the codes it has made, and their inverse with a clock.

    The scorer asks for all rows at once or, where those of X are sparse, for some at a time.
    """

    def __init__(self, decoder, codes):
        self.decoder = decoder
        self.codes = codes
        self.seconds = 0.0

    def transform(self, X):
        return self.codes

    def inverse_transform(self, codes):
        rows, seconds = _timed(self.decoder.inverse_transform, codes)
        self.seconds += seconds
        return rows


def _rebuild(decoder, codes, rows, scores):
    """Return the R² of the test rows rebuilt from their codes, and note the seconds it took."""
    inverse = _TimedInverse(decoder, codes)
    r2 = reconstruction_r2_scorer(inverse, rows.X_test)
    scores["inverse_seconds"] = inverse.seconds
    return r2


def _rebuild_table(decoder, codes, rows, scores):
    """Return the shares of the test rows of a table rebuilt, and note the seconds it took."""
    encoder, decoder = ends_of(decoder)
    rebuilt, scores["inverse_seconds"] = _timed(decoder.inverse_transform, codes)
    return rows.table.score(encoder, rebuilt)


def _probe_labels(probe, embedding, rows, random_state):
    """Return how well the codes of the test rows tell their target."""
    codes = embedding.codes
    if embedding.labeled_codes is not None:
        y_labeled = rows.y_train[rows.subsample]
        return probe(embedding.labeled_codes, y_labeled, codes, rows.y_test)

    folds = KFold(min(5, len(codes)), shuffle=True, random_state=random_state).split(codes)
    return np.mean([probe(codes[i], rows.y_test[i], codes[j], rows.y_test[j]) for i, j in folds])


def _check_codes(codes):
    """Return the codes as a finite array, whatever they came in, and keep nothing else alive."""
    if hasattr(codes, "toarray"):
        codes = codes.toarray()
    return check_array(codes, copy=True, input_name="the embedding")


def _timed(function, *args):
    """Return what the function returns, and the seconds it took."""
    start = perf_counter()
    result = function(*args)
    return result, perf_counter() - start


def _reason(error):
    """Return the kind of an error and the first line of its message."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _first_sentence(message):
    """Return the first sentence of a warning."""
    return " ".join(str(message).split()).split(". ")[0].rstrip(".")
