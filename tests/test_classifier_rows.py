"""The rows of a classifier's fit: what they count, and who sees which of them."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from skae._classifier_rows import classifier_rows, hold_out
from skae._holding_out import FitRows
from skae._labels import encode_labels
from skae.nn import Logistic, Softmax

X = np.random.RandomState(0).normal(size=(12, 3))
CLASSES = np.array([0, 1, 0, 1, 0, 1, 0, 1, -1, -1, -1, -1])
INDICATORS = np.where(CLASSES[:, None] < 0, -1, np.c_[CLASSES, 1 - CLASSES])


def labels_of(y, X=X):
    return encode_labels(y, X, np.ones(X.shape[0]), -1)


def some(y, *, held_out=(), class_weight=None, **how):
    everyone = np.arange(12)
    return classifier_rows(
        X,
        everyone,
        np.arange(1.0, 13.0),
        labels_of(y),
        class_weight,
        held_out=np.isin(everyone, held_out),
        **how,
    )


@pytest.mark.parametrize("y", [CLASSES, INDICATORS])
def test_each_stage_sees_its_rows(y):
    rows = some(y, held_out=[0, 1, 11])
    assert rows.to_encode().indices.tolist() == [2, 3, 4, 5, 6, 7, 8, 9, 10]
    assert rows.to_learn().indices.tolist() == [2, 3, 4, 5, 6, 7]
    assert rows.to_judge().indices.tolist() == [0, 1]
    joined = rows.to_join()
    assert joined.indices.tolist() == rows.to_encode().indices.tolist()
    assert joined.labeled.tolist() == [0, 1, 2, 3, 4, 5]
    np.testing.assert_array_equal(rows.to_learn().labels.numpy(), y[2:8])
    assert some(y).to_judge() is None
    assert some(y, held_out=range(8)).to_learn() is None


def test_rows_are_standardized_by_those_that_are_not_held_out():
    rows = some(CLASSES, held_out=[0, 1])
    weight = np.arange(3.0, 13.0)
    mean = np.average(X[2:], axis=0, weights=weight)
    np.testing.assert_allclose(rows.mean, mean)
    variance = np.average(np.square(X[2:] - mean), axis=0, weights=weight)
    assert rows.scale == pytest.approx(np.sqrt(variance.mean()))
    earlier = np.zeros(3), 2.0
    assert some(CLASSES, standardized=earlier)[-2:] == earlier
    constant = FitRows(np.ones((4, 2)), np.ones(4), shuffle=True)
    labels = labels_of([0, 1, 0, 1], np.ones((4, 2)))
    assert hold_out(constant, labels, None, None, 0).scale == 1.0


def test_labels_count_as_their_class_says():
    rows = some(CLASSES, class_weight={1: 10.0})
    assert isinstance(rows.outputs, Softmax)
    np.testing.assert_array_equal(rows.label_weight, [1, 20, 3, 40, 5, 60, 7, 80, 0, 0, 0, 0])
    rows = some(INDICATORS, class_weight={1: 10.0})
    assert isinstance(rows.outputs, Logistic)
    assert torch.equal(rows.outputs.weight, torch.tensor([[1.0, 10.0], [1.0, 10.0]]))
    np.testing.assert_array_equal(rows.label_weight, [*range(1, 9), 0, 0, 0, 0])


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_of_each_class_the_same_share_is_held_out(container):
    for y, n_wanted in ((CLASSES, [2, 2]), (INDICATORS, None)):
        labels = labels_of(y)
        rows = FitRows(container(X), np.ones(12), shuffle=True, labels=labels.numbers)
        split = hold_out(rows, labels, None, 0.5, 0)
        judged = split.to_judge().labels.numpy()
        assert len(judged) == 4
        assert np.count_nonzero(split.held_out) == 4
        if n_wanted is not None:
            assert np.bincount(judged).tolist() == n_wanted
        assert len(hold_out(rows, labels, None, None, 0).indices) == 12
        assert hold_out(rows, labels, None, None, 0).to_judge() is None


def test_rows_of_many_sets_of_labels_are_held_out_too():
    """No two rows have the same labels, so none could be held out by its set of them."""
    y = (np.arange(40)[:, None] >> np.arange(6)) & 1
    rows = np.random.RandomState(1).normal(size=(40, 2))
    labels = labels_of(y, rows)
    fit_rows = FitRows(rows, np.ones(40), shuffle=True, labels=labels.numbers)
    assert np.count_nonzero(hold_out(fit_rows, labels, None, 0.25, 0).held_out) == 10
