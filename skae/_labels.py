"""Labels of rows, some of which may have none: as numbers, and what each class weighs."""

from dataclasses import dataclass, replace
from numbers import Real
from typing import ClassVar

import numpy as np
import scipy.sparse as sp
from sklearn.utils import assert_all_finite, check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

NO_LABEL = -1  # in the place of a class number


def has_columns(y) -> bool:
    """Whether a target has several columns, as an indicator matrix does."""
    shape = y.shape if hasattr(y, "shape") else np.asarray(y).shape
    return len(shape) == 2 and shape[1] > 1


def as_labels(y) -> np.ndarray:
    """Return labels as a column, or as a dense matrix if they have several.

    What is mixed in a list stays what it is: numpy would make text of a marker that is a number,
    if the labels are text.
    """
    if has_columns(y):
        return y.toarray() if sp.issparse(y) else np.asarray(y)
    if sp.issparse(y):
        y = y.toarray()
    if isinstance(y, list | tuple) and len({type(value) for value in y}) > 1:
        mixed = np.empty(len(y), dtype=object)
        mixed[:] = y
        y = mixed
    return column_or_1d(y, warn=True)


def kind_of_target(y: np.ndarray) -> str:
    """Return whether a target holds "classes" or is "continuous"."""
    if y.dtype.kind not in "iuf":
        return "classes"
    n_values = len(np.unique(y))
    few = n_values <= 20 and np.all(y == np.floor(y))
    repeated = y.dtype.kind != "f" and 5 * n_values <= len(y)
    return "classes" if few or repeated else "continuous"


def is_unlabeled(y: np.ndarray, marker) -> np.ndarray:
    """Whether each label is the marker; NaN is found as NaN, None or any other missing value.

    A row of an indicator matrix is unlabeled if all of its values are the marker.
    """
    if y.ndim == 2:
        marked = is_unlabeled(y.ravel(), marker).reshape(y.shape)
        n_marked = np.count_nonzero(marked, axis=1)
        partly = np.flatnonzero((n_marked > 0) & (n_marked < y.shape[1]))
        if len(partly):
            raise ValueError(
                f"Row {partly[0]} of y is {y[partly[0]].tolist()}, which is unlabeled={marker!r} "
                "for some labels and not for others. A row has all of its labels or none: mark "
                "the whole row, or leave out the labels that are not known."
            )
        return n_marked == y.shape[1]
    if marker is None:
        return np.zeros(len(y), dtype=bool)
    if marker != marker:  # NaN
        if y.dtype.kind in "iub":
            return np.zeros(len(y), dtype=bool)
        if y.dtype.kind == "f":
            return np.isnan(y)
        return np.array([_is_missing(value) for value in y.tolist()], dtype=bool)
    if y.dtype.kind in "iufb" and isinstance(marker, Real):
        return np.equal(y, np.asarray(marker))
    values = y.tolist()
    return np.array([not _is_missing(v) and bool(v == marker) for v in values], dtype=bool)


def _is_missing(value) -> bool:
    # Compared with itself, pandas.NA gives pandas.NA.
    return value is None or type(value).__name__ == "NAType" or value != value


def plain_labels(labels: np.ndarray) -> np.ndarray:
    """Return numbers among objects as numbers, as they are once no marker is among them."""
    if labels.dtype.kind != "O":
        return labels
    plain = np.asarray(labels.tolist())
    return plain.reshape(labels.shape) if plain.dtype.kind in "iufb" else labels


@dataclass(frozen=True)
class ClassNumbers:
    """Labels of rows that are of one class each, or have none."""

    classes: np.ndarray  # (n_classes,)
    values: np.ndarray  # (n_rows,) of int64, numbers of classes or NO_LABEL
    multilabel: ClassVar[bool] = False

    @property
    def numbers(self) -> np.ndarray:
        """The same number for rows whose labels are equal, or NO_LABEL."""
        return self.values

    @property
    def strata(self) -> np.ndarray:
        """What rows held out should have the same shares of, or NO_LABEL."""
        return self.values

    def of(self, rows: np.ndarray) -> "ClassNumbers":
        """Return the labels of some rows."""
        return replace(self, values=self.values[rows])

    def then(self, others: "ClassNumbers") -> "ClassNumbers":
        """Return these labels and those of other rows after them."""
        return replace(self, values=np.concatenate([self.values, others.values]))

    def weigh_rows(self, weight: np.ndarray, class_weight) -> np.ndarray:
        """Return what the label of each row counts, 0 for none.

        That is its weight times that of its class; "balanced" gives all classes the same sum.
        """
        labeled = self.values != NO_LABEL
        by_class = np.ones(len(self.classes))
        if isinstance(class_weight, str):  # "balanced"
            total = np.bincount(self.values[labeled], weight[labeled], minlength=len(by_class))
            present = total > 0
            by_class[present] = total.sum() / (present.sum() * total[present])
        elif class_weight is not None:
            by_class = _weights_by_name(class_weight, self.classes)
        return np.where(labeled, weight * by_class[self.values], 0.0)


@dataclass(frozen=True)
class Indicators:
    """Labels of rows that have any of several, or of which nothing is known."""

    classes: np.ndarray  # (n_classes,), the numbers of the columns
    values: np.ndarray  # (n_rows, n_classes) of float32, 1 for a label that a row has
    numbers: np.ndarray  # (n_rows,), the same for rows whose labels are equal, or NO_LABEL
    multilabel: ClassVar[bool] = True

    @property
    def strata(self) -> np.ndarray:
        """One for all: most rows may have a set of labels that no other has."""
        return np.where(self.numbers == NO_LABEL, NO_LABEL, 0)

    def of(self, rows: np.ndarray) -> "Indicators":
        """Return the labels of some rows."""
        return replace(self, values=self.values[rows], numbers=self.numbers[rows])

    def then(self, others: "Indicators") -> "Indicators":
        """Return these labels and those of other rows after them."""
        values = np.concatenate([self.values, others.values])
        unlabeled = np.concatenate([self.numbers, others.numbers]) == NO_LABEL
        return replace(self, values=values, numbers=_numbers_of_sets(values, unlabeled))

    def weigh_rows(self, weight: np.ndarray, class_weight) -> np.ndarray:
        """Return what the labels of each row count together, 0 for none."""
        return np.where(self.numbers == NO_LABEL, 0.0, weight)

    def weigh_classes(self, weight: np.ndarray, class_weight) -> np.ndarray:
        """Return what each class counts for rows without it and for rows with it.

        "balanced" gives both of them the same sum.

        Returns
        -------
        ndarray of shape (2, n_classes)
        """
        if not isinstance(class_weight, str):
            by_class = _weights_by_name(class_weight or {}, self.classes)
            return np.stack([by_class, by_class])
        count = self.weigh_rows(weight, None)
        present = count @ self.values.astype(np.float64)
        total = np.stack([count.sum() - present, present])
        told_apart = (total > 0).all(axis=0)  # others are learnt whatever they weigh
        return np.where(told_apart, count.sum() / np.where(told_apart, 2 * total, 1), 1.0)


def _weights_by_name(class_weight: dict, classes: np.ndarray) -> np.ndarray:
    known = classes.tolist()
    strange = [label for label in class_weight if label not in known]
    if strange:
        raise ValueError(
            f"class_weight={class_weight!r} names {strange}, which are not among the classes "
            f"{known}."
        )
    by_class = np.array([float(class_weight.get(label, 1.0)) for label in known])
    if (by_class < 0).any() or not by_class.any():
        raise ValueError(
            f"class_weight={class_weight!r} must not be negative, and not zero for all classes."
        )
    return by_class


def encode_labels(
    y,
    X,
    weight: np.ndarray,
    marker,
    classes: np.ndarray | None = None,
    multilabel: bool | None = None,
) -> ClassNumbers | Indicators:
    """Return the classes and what each row is told to be.

    Parameters
    ----------
    y : {array-like, sparse matrix} of shape (n_samples,) or (n_samples, n_labels)
    X : {ndarray, csr_array} of shape (n_samples, n_features)
    weight : ndarray of shape (n_samples,)
        Rows of no weight add no class.
    marker : scalar or None
        What stands for no label; None if all rows have one.
    classes : ndarray of shape (n_classes,), optional
        The classes there are, if they are known.
    multilabel : bool, optional
        Whether y has to be an indicator matrix, if that is known.
    """
    y = as_labels(y)
    check_consistent_length(X, y)
    if multilabel is not None and multilabel != (y.ndim == 2):
        kinds = {False: "one label for each row", True: "an indicator matrix"}
        raise ValueError(
            f"y has shape {y.shape}, but {kinds[multilabel]} is expected, as in the rows that the "
            "classifier was first trained on."
        )
    unlabeled = is_unlabeled(y, marker)
    if is_unlabeled(y[~unlabeled].ravel(), np.nan).any():
        raise ValueError(
            "Input y contains NaN, or another missing value, which is no class. If it stands for "
            "rows without a label, say so: unlabeled=np.nan."
        )
    labels = plain_labels(y[~unlabeled])
    if y.ndim == 2:
        return _indicators(labels, unlabeled, weight, classes)
    return _class_numbers(labels, unlabeled, weight, marker, classes)


def _indicators(labels, unlabeled, weight, classes) -> Indicators:
    """Return the labels of an indicator matrix, of which the rows that are labeled are given."""
    if labels.dtype.kind not in "biuf" or not np.isin(labels, (0, 1)).all():
        raise ValueError(
            f"y has several columns with the values {_first_values(labels)}, but an indicator "
            "matrix has 1 for a label that a row has and 0 for one that it has not. For one class "
            "of several in each row, give a single column; rows whose labels are not known have "
            "the same marker everywhere: unlabeled=-1."
        )
    columns = np.arange(labels.shape[1])
    if classes is not None and not np.array_equal(classes, columns):
        raise ValueError(
            f"y is an indicator matrix of {len(columns)} columns, whose classes are 0 to "
            f"{len(columns) - 1}, but {classes.tolist()} are expected."
        )
    if classes is None and not weight[~unlabeled].any():
        raise ValueError(f"y has no label in {np.count_nonzero(weight)} rows of positive weight.")
    values = np.zeros((len(unlabeled), len(columns)), dtype=np.float32)
    values[~unlabeled] = labels
    return Indicators(columns, values, _numbers_of_sets(values, unlabeled))


def _first_values(labels) -> list:
    return list(dict.fromkeys(labels.ravel().tolist()))[:5]


def _numbers_of_sets(values: np.ndarray, unlabeled: np.ndarray) -> np.ndarray:
    numbers = np.unique(values, axis=0, return_inverse=True)[1].reshape(-1)
    return np.where(unlabeled, NO_LABEL, numbers)


def _class_numbers(labels, unlabeled, weight, marker, classes) -> ClassNumbers:
    """Return the labels of a column, of which those of the rows that are labeled are given."""
    if len(labels):
        if len({isinstance(label, str) for label in labels.tolist()}) > 1:
            raise ValueError(f"{_mixed(labels)}: unlabeled=...")
        assert_all_finite(labels, input_name="y")
        check_classification_targets(labels)
    weighty = weight[~unlabeled] > 0
    found = np.unique(labels[weighty])
    if classes is None:
        classes = found
    strange = found[~np.isin(found, classes)]
    if len(strange):
        raise ValueError(
            f"y has the labels {strange.tolist()}, which are not among the classes "
            f"{classes.tolist()}. All classes must be known from the start."
        )
    if len(classes) < 2:
        seen = "no label" if not len(classes) else f"a single class, {classes.tolist()[0]!r}"
        raise ValueError(
            f"y has {seen} in {np.count_nonzero(weight)} rows of positive weight, but a classifier "
            f"needs at least two classes. Rows marked unlabeled={marker!r} count for none."
        )
    numbers = np.full(len(unlabeled), NO_LABEL, dtype=np.int64)
    # A label of no weight may be in no class, and takes no part.
    numbers[np.flatnonzero(~unlabeled)[weighty]] = np.searchsorted(classes, labels[weighty])
    return ClassNumbers(classes, numbers)


def known_class_numbers(y, X, classes: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes and the number of each row's, for a y that need not be known everywhere.

    Unknown are what is missing (NaN, None) and, among numbers, -1, as for scikit-learn's
    semi-supervised estimators. With the classes given, all others are unknown, too.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or None
    X : {ndarray, csr_array} of shape (n_samples, n_features)
    classes : ndarray of shape (n_classes,), optional
    """
    numbers = np.full(len(X) if isinstance(X, list) else X.shape[0], NO_LABEL, dtype=np.int64)
    y = as_labels([None] * len(numbers) if y is None else y)
    check_consistent_length(X, y)
    if y.ndim == 2:
        raise ValueError(
            f"y has shape {y.shape}, but one label for each row is expected, where a penalty asks "
            "for labels."
        )
    known = np.flatnonzero(~is_unlabeled(y, np.nan))
    labels = plain_labels(y[known])
    if labels.dtype.kind in "if":
        known, labels = known[labels != NO_LABEL], labels[labels != NO_LABEL]
    if len(labels):
        if len({isinstance(label, str) for label in labels.tolist()}) > 1:
            raise ValueError(f"{_mixed(labels)} by None.")
        check_classification_targets(labels)
    classes = np.unique(labels) if classes is None else classes
    among = np.isin(labels, classes)
    numbers[known[among]] = np.searchsorted(classes, labels[among])
    return classes, numbers


def _mixed(labels: np.ndarray) -> str:
    """Return the message for labels that have no order."""
    return (
        f"y mixes text and numbers, {labels.tolist()[:5]}, which can't be sorted. Make all labels "
        "text, or mark those that stand for no label"
    )


def has_minus_one_beside_counts(classes: np.ndarray) -> bool:
    """Whether -1 is among classes that else count from zero, as semi-supervised labels have it."""
    return classes.dtype.kind in "iu" and classes[:3].tolist() == [-1, 0, 1]
