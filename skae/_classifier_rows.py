"""The rows of a classifier's fit: what their labels count, which are held out, who sees which."""

from typing import Any, NamedTuple

import numpy as np
import torch

from ._fitting import LEAST_SCALE
from ._holding_out import FitRows
from ._labels import NO_LABEL, ClassNumbers, Indicators
from ._rows import LabeledRows, PartlyLabeledRows, StandardizedRows, mean_and_scale
from .nn import Logistic, Outputs, Softmax


class ClassifierRows(NamedTuple):
    """What a fit learns from: rows that differ, in their values or in their labels."""

    X: Any  # {ndarray, csr_array} of shape (n_samples, n_features)
    indices: np.ndarray  # (n_rows,), which rows of X
    weight: np.ndarray  # (n_rows,)
    label_weight: np.ndarray  # (n_rows,), 0 without a label
    labels: ClassNumbers | Indicators  # of n_rows
    outputs: Outputs  # what the logits of a network for these labels stand for
    held_out: np.ndarray  # (n_rows,) of bool
    mean: np.ndarray  # (n_features,)
    scale: float

    def to_encode(self) -> StandardizedRows:
        """Return the rows that are not held out, with or without a label."""
        these = ~self.held_out
        return StandardizedRows(
            self.X, self.indices[these], self.weight[these], self.mean, self.scale
        )

    def to_join(self) -> PartlyLabeledRows:
        """Return the same rows with the labels that some of them have."""
        these = ~self.held_out
        which = self.indices[these], self.weight[these]
        labels = self.labels.values[these], self.label_weight[these]
        return PartlyLabeledRows(self.X, *which, self.mean, self.scale, *labels)

    def to_learn(self) -> LabeledRows | None:
        """Return those of them whose label counts, if there are any."""
        return self._labeled(~self.held_out & (self.label_weight > 0))

    def to_judge(self) -> LabeledRows | None:
        """Return the rows held out, if there are any."""
        return self._labeled(self.held_out & (self.label_weight > 0))

    def _labeled(self, these: np.ndarray) -> LabeledRows | None:
        if not these.any():
            return None
        which = self.indices[these], self.label_weight[these]
        return LabeledRows(self.X, *which, self.mean, self.scale, self.labels.values[these])


def classifier_rows(
    X,
    indices: np.ndarray,
    weight: np.ndarray,
    labels: ClassNumbers | Indicators,
    class_weight,
    *,
    held_out: np.ndarray | None = None,
    standardized: tuple[np.ndarray, float] | None = None,
) -> ClassifierRows:
    """Return some rows of X for a fit.

    Parameters
    ----------
    X : {ndarray, csr_array} of shape (n_samples, n_features)
    indices, weight : ndarray of shape (n_rows,)
    labels : ClassNumbers or Indicators
        Of all rows of X.
    class_weight : dict, "balanced" or None
    held_out : ndarray of bool of shape (n_rows,), optional
        None of them are without it.
    standardized : mean and scale, optional
        Those of an earlier fit, which is gone on with.
    """
    labels = labels.of(indices)
    outputs: Outputs = Softmax()
    if isinstance(labels, Indicators):
        by_class = labels.weigh_classes(weight, class_weight)
        outputs = Logistic(torch.from_numpy(by_class.astype(np.float32)))
    label_weight = labels.weigh_rows(weight, class_weight)
    if held_out is None:
        held_out = np.zeros(len(indices), dtype=bool)
    if standardized is None:
        mean, scale = mean_and_scale(X, indices[~held_out], weight[~held_out])
        standardized = mean, scale if scale > LEAST_SCALE else 1.0  # constant columns need none
    return ClassifierRows(
        X, indices, weight, label_weight, labels, outputs, held_out, *standardized
    )


def hold_out(
    rows: FitRows,
    labels: ClassNumbers | Indicators,
    class_weight,
    how,
    seed: int,
    standardized: tuple[np.ndarray, float] | None = None,
) -> ClassifierRows:
    """Return the rows of a fit, some of them held out: of each class the same share.

    Parameters
    ----------
    rows : FitRows
    labels, class_weight, standardized
        As in `classifier_rows`.
    how : float, splitter, rows or None
        The classifier's ``validation_fraction``; None holds no rows out.
    seed : int
    """
    if how is None:
        which = rows.X, rows.indices, rows.weight
        return classifier_rows(*which, labels, class_weight, standardized=standardized)
    known = labels.of(rows.indices)
    counts = known.weigh_rows(rows.weight, class_weight) > 0
    split = rows.split_by_class(how, seed, np.where(counts, known.strata, NO_LABEL))
    indices, weight = (np.concatenate(both) for both in zip(*split[:2], strict=True))
    held_out = np.arange(len(indices)) >= len(split.training.indices)
    result = classifier_rows(
        rows.X,
        indices,
        weight,
        labels,
        class_weight,
        held_out=held_out,
        standardized=standardized,
    )
    for side, name in ((~held_out, "to train on"), (held_out, "held out")):
        if not result.label_weight[side].any():
            raise ValueError(
                f"None of the {np.count_nonzero(side)} rows {name} has a label that "
                "counts. Give another validation_fraction, or set early_stopping=False."
            )
    return result
