"""Labels of rows, some of which may have none: as class numbers, and what each class weighs."""

import numpy as np
from sklearn.utils import assert_all_finite, check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

NO_LABEL = -1  # in the place of a class number


def as_labels(y) -> np.ndarray:
    """Return labels as a column; what is mixed in a list stays what it is.

    numpy would make text of a marker that is a number, if the labels are text.
    """
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
    """Whether each label is the marker; NaN is found as NaN, None or any other missing value."""
    if marker is None:
        return np.zeros(len(y), dtype=bool)
    if marker != marker:  # NaN
        if y.dtype.kind in "iub":
            return np.zeros(len(y), dtype=bool)
        if y.dtype.kind == "f":
            return np.isnan(y)
        return np.array([_is_missing(value) for value in y.tolist()], dtype=bool)
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
    return plain if plain.dtype.kind in "iufb" else labels


def encode_labels(y, X, weight: np.ndarray, marker, classes: np.ndarray | None = None):
    """Return the classes and the class number of each row, `NO_LABEL` where it has none.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
    X : {ndarray, csr_array} of shape (n_samples, n_features)
    weight : ndarray of shape (n_samples,)
        Rows of no weight add no class.
    marker : scalar or None
        What stands for no label; None if all rows have one.
    classes : ndarray of shape (n_classes,), optional
        The classes there are, if they are known.
    """
    y = as_labels(y)
    check_consistent_length(X, y)
    unlabeled = is_unlabeled(y, marker)
    if is_unlabeled(y[~unlabeled], np.nan).any():
        raise ValueError(
            "Input y contains NaN, or another missing value, which is no class. If it stands for "
            "rows without a label, say so: unlabeled=np.nan."
        )
    labels = plain_labels(y[~unlabeled])
    if len(labels):
        if len({isinstance(label, str) for label in labels.tolist()}) > 1:
            raise ValueError(
                f"y mixes text and numbers, {labels.tolist()[:5]}, which can't be sorted. Make "
                "all labels text, or mark those that stand for no label: unlabeled=..."
            )
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
    codes = np.full(len(y), NO_LABEL)
    # A label of no weight may be in no class, and takes no part.
    codes[np.flatnonzero(~unlabeled)[weighty]] = np.searchsorted(classes, labels[weighty])
    return classes, codes


def weighted_by_class(
    codes: np.ndarray, weight: np.ndarray, class_weight, classes: np.ndarray
) -> np.ndarray:
    """Return the weights of rows, times those of their classes, and 0 for rows without a label.

    "balanced" gives all classes the same sum.
    """
    labeled = codes != NO_LABEL
    by_class = np.ones(len(classes))
    if isinstance(class_weight, str):  # "balanced"
        total = np.bincount(codes[labeled], weight[labeled], minlength=len(classes))
        present = total > 0
        by_class[present] = total.sum() / (present.sum() * total[present])
    elif class_weight is not None:
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
    return np.where(labeled, weight * by_class[codes], 0.0)
