"""Values in [0, 1]: what rounding takes outside is inside, and what is outside is refused."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import MinMaxScaler

from skae._unit_interval import ROUNDING, lies_in_unit_interval, to_unit_interval

WORDS = {"reason": "loss='log_loss'", "otherwise": "use another loss"}


def checked(X, weight=None, **options):
    return to_unit_interval(X, np.ones(X.shape[0]) if weight is None else weight, **WORDS | options)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("load", [load_breast_cancer, load_wine, load_iris])
def test_what_a_scaler_gives_is_inside(load, dtype):
    outside = 0
    for seed in range(20):
        X, _ = train_test_split(load().data.astype(dtype), random_state=seed)
        scaled = MinMaxScaler().fit_transform(X)
        outside += scaled.max() > 1
        inside = checked(scaled)
        assert inside.min() >= 0
        assert inside.max() <= 1
        np.testing.assert_array_equal(inside, scaled.clip(0, 1))
    assert outside or (load is load_iris and dtype is np.float64)  # or nothing was shown


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_message_has_digits_enough_to_be_true(dtype):
    above = dtype(1 + 2 * ROUNDING * np.finfo(dtype).eps)
    with pytest.raises(ValueError, match=f"from 0.0 to {above}, but loss='log_loss' expects") as e:
        checked(np.array([[0, above]], dtype=dtype))
    assert "Scale X (sklearn.preprocessing.MinMaxScaler), or use another loss." in str(e.value)
    assert "to 1," not in str(e.value)


def test_rows_inside_are_returned_as_they_are_and_others_copied():
    inside = np.array([[0.0, 0.5], [np.nan, 1.0]])
    assert checked(inside) is inside
    outside = np.array([[0.0, 1 + 1e-15]])
    assert checked(outside) is not outside
    assert outside.max() > 1


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_only_the_columns_that_are_meant_and_rows_that_count_matter(container):
    X = container(np.array([[0.5, 7.0, 1 + 1e-15], [9.0, 3.0, 0.25]]))
    result = checked(X, np.array([1.0, 0.0]), columns=np.array([0, 2]))
    result = result.toarray() if sp.issparse(result) else result
    np.testing.assert_array_equal(result[0], [0.5, 7.0, 1.0])
    with pytest.raises(ValueError, match=r"from 0.25 to 9.0"):
        checked(X, columns=np.array([0, 2]))


@pytest.mark.parametrize(
    ("X", "inside"),
    [
        (np.full((2, 2), np.nan), True),
        (np.array([[np.nan, 2.0]]), False),
        (np.array([[np.nan, 0.5]]), True),
        (sp.csr_array((2, 3)), True),
        (sp.csr_array(np.array([[0, 2.0]])), False),
        (sp.csr_array(np.array([[0.5, 0.7]])), True),
        (np.array([[-1e-17, 0.0]]), True),
        (np.array([[-0.1, 0.0]]), False),
    ],
)
def test_holes_and_sparse_zeros(X, inside):
    assert lies_in_unit_interval(X) is inside
