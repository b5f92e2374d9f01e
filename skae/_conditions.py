"""Conditions of a variational autoencoder: labels or numbers as columns, and codes given them."""

import numpy as np
import torch
from sklearn.utils import check_array, check_consistent_length, column_or_1d

from ._rows import beside


class LabelCondition:
    """Labels as conditions: a column for each class."""

    def __init__(self, y, weight, classes=None):
        try:
            self.classes = np.unique(y if classes is None else classes)
        except TypeError as error:
            kinds = sorted({type(label).__name__ for label in y})
            raise ValueError(f"y has labels of several types, {kinds}; give one type.") from error
        self.counts = np.zeros(len(self.classes))
        self.count(y, weight)

    def count(self, y, weight):
        """Count how often labels are there, by the weights of their rows."""
        self.counts = self.counts + weight @ self.encode(y)

    @property
    def shares(self):
        """How frequent each class is, (n_classes,)."""
        return self.counts / self.counts.sum()

    def encode(self, y):
        """Return an array of shape (n_samples, n_classes) of zeros and ones."""
        y = column_or_1d(y)
        numbers = {label: i for i, label in enumerate(self.classes.tolist())}
        unknown = sorted({label for label in y.tolist() if label not in numbers}, key=repr)
        if unknown:
            raise ValueError(
                f"y has the labels {unknown}, which were not there in fit; expected some of "
                f"{self.classes.tolist()}."
            )
        return np.eye(len(numbers))[[numbers[label] for label in y.tolist()]]

    def for_each(self, y, n_samples, generator):
        """Return one label for each row, if it is one for all or none."""
        if y is None:
            shares = torch.from_numpy(self.shares)
            return self.classes[torch.multinomial(shares, n_samples, True, generator=generator)]
        return np.full(n_samples, y) if np.ndim(y) == 0 else y

    def alternatives(self, n_samples):
        """Yield each label for all rows, and its share of the training rows."""
        for label, share in zip(self.classes, self.shares.tolist(), strict=True):
            yield np.full(n_samples, label), share


class NumberCondition:
    """Columns of numbers as conditions, standardized."""

    def __init__(self, y, weight):
        y = _numbers(y)
        self.mean = np.average(y, axis=0, weights=weight)
        self.scale = np.sqrt(np.average(np.square(y - self.mean), axis=0, weights=weight))
        self.scale[self.scale <= 1e-12 * np.abs(self.mean)] = 1.0

    def encode(self, y):
        """Return an array of shape (n_samples, n_columns)."""
        y = _numbers(y)
        if y.shape[1] != len(self.mean):
            raise ValueError(f"y has {y.shape[1]} columns, but {len(self.mean)} were there in fit.")
        return (y - self.mean) / self.scale

    def for_each(self, y, n_samples, generator):
        """Return one row of numbers for each row, if it is one for all."""
        if y is None:
            return None
        y = np.asarray(y)
        one_for_all = y.ndim == 0 or (y.ndim == 1 and len(self.mean) > 1)
        return np.tile(y, (n_samples, 1)) if one_for_all else y


def condition_of(y, weight, classes=None):
    """Return what turns y into columns, learnt from the rows that have a weight."""
    y, weight = _conditions_in(y)[weight > 0], weight[weight > 0]
    if classes is not None:
        return LabelCondition(y, weight, classes)
    is_label = y.ndim == 1 and y.dtype.kind != "f"
    return LabelCondition(y, weight) if is_label else NumberCondition(y, weight)


def count_labels(condition, y, weight) -> None:
    """Add more rows to what a condition knows of how frequent labels are."""
    if isinstance(condition, LabelCondition):
        condition.count(_conditions_in(y)[weight > 0], weight[weight > 0])


class CodesGivenCondition:
    """Where codes lie, given a condition: normal, about a mean that is linear in its columns.

    The prior of the codes is the same for all conditions, but what the encoder makes of rows is
    not, least of a rare class: codes that shall become rows of one condition are drawn here. The
    covariance is that of all conditions together, so that a class of few rows has one, too.

    Parameters
    ----------
    n_columns : int
        Of a condition.
    n_components : int
    """

    def __init__(self, n_columns: int, n_components: int) -> None:
        self.squares = np.zeros((n_columns + 1, n_columns + 1))
        self.products = np.zeros((n_columns + 1, n_components))
        self.scatter = np.zeros((n_components, n_components))

    def update(self, columns: np.ndarray, mean: np.ndarray, variance: np.ndarray, weight) -> None:
        """Take in rows: their conditions' columns, their codes, and the variances of these."""
        design = np.column_stack([np.ones(len(columns)), columns]) * np.sqrt(weight)[:, None]
        codes = mean * np.sqrt(weight)[:, None]
        self.squares += design.T @ design
        self.products += design.T @ codes
        self.scatter += codes.T @ codes + np.diag(weight @ variance)

    def draw(self, columns: np.ndarray, normal: np.ndarray) -> np.ndarray:
        """Return codes for conditions, (n_rows, n_components), from standard normal numbers."""
        slopes = np.linalg.pinv(self.squares, hermitian=True) @ self.products
        residual = (self.scatter - self.products.T @ slopes) / self.squares[0, 0]
        variances, directions = np.linalg.eigh(residual)
        deviations = directions * np.sqrt(np.maximum(variances, 0.0))
        return np.column_stack([np.ones(len(columns)), columns]) @ slopes + normal @ deviations.T


def _conditions_in(y):
    """Return y as an array of labels or numbers."""
    y = np.asarray(y)
    return y if y.ndim == 2 else column_or_1d(y)


def _numbers(y):
    y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
    return y.reshape(len(y), -1)


def conditioned(condition, X, y, weight):
    """Return X with the columns of a condition beside it, if there is one."""
    if condition is None:
        return X
    if y is None:
        raise ValueError("validation_fraction has rows without their condition. Give both: (X, y).")
    check_consistent_length(X, y)
    known = condition.encode(_conditions_in(y)[weight > 0])
    columns = np.zeros((X.shape[0], known.shape[1]))
    columns[weight > 0] = known
    return beside(X, columns)
