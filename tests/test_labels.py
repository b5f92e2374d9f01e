"""Labels, some of which are missing: their class numbers, and what classes weigh."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_sample_weight

from skae._labels import NO_LABEL, encode_labels, is_unlabeled, plain_labels, weighted_by_class


def encoded(y, marker=None, classes=None, weight=None):
    n_rows = len(y)
    weight = np.ones(n_rows) if weight is None else np.asarray(weight, dtype=float)
    return encode_labels(y, np.zeros((n_rows, 1)), weight, marker, classes)


@pytest.mark.parametrize(
    ("y", "marker", "expected"),
    [
        ([0, 1, -1], None, [False, False, False]),
        ([0, 1, -1], -1, [False, False, True]),
        ([0.0, np.nan, 1.0], np.nan, [False, True, False]),
        ([0, 1], np.nan, [False, False]),
        (["a", "?"], "?", [False, True]),
        (["a", "b"], -1, [False, False]),
        ([0, 1], "?", [False, False]),
        (np.array(["a", None, np.nan, pd.NA], dtype=object), np.nan, [False, True, True, True]),
        (np.array(["a", None], dtype=object), -1, [False, False]),
        ([True, False], -1, [False, False]),
    ],
)
def test_the_marker_is_found_among_labels_of_any_type(y, marker, expected):
    assert is_unlabeled(np.asarray(y), marker).tolist() == expected


def test_numbers_among_objects_are_numbers():
    assert plain_labels(np.array([3, 1], dtype=object)).dtype.kind == "i"
    assert plain_labels(np.array(["a", "b"], dtype=object)).dtype.kind == "O"
    assert plain_labels(np.array([1.5])).dtype.kind == "f"


@given(st.lists(st.sampled_from([-1, 3, 5, 8]), min_size=4).filter(lambda y: len({*y} - {-1}) > 1))
def test_class_numbers_are_places_among_the_classes(y):
    classes, codes = encoded(y, -1)
    assert classes.tolist() == sorted({*y} - {-1})
    for label, code in zip(y, codes, strict=True):
        assert code == NO_LABEL if label == -1 else classes[code] == label


def test_rows_of_no_weight_add_no_class():
    classes, codes = encoded([0, 1, 2, 2], weight=[1, 1, 0, 0])
    assert classes.tolist() == [0, 1]
    assert codes.tolist() == [0, 1, NO_LABEL, NO_LABEL]


def test_known_classes_decide_the_numbers():
    classes, codes = encoded([2, 2, -1], -1, classes=np.array([0, 1, 2]))
    assert classes.tolist() == [0, 1, 2]
    assert codes.tolist() == [2, 2, NO_LABEL]
    with pytest.raises(ValueError, match=r"labels \[9\], which are not among the classes"):
        encoded([2, 9], classes=np.array([0, 1, 2]))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([0.0, np.nan], "unlabeled=np.nan"),
        ([0.0, np.inf], "contains infinity"),
        ([0.5, 1.25, 2.0], "Unknown label type"),
        ([1, 1], "a single class, 1"),
        ([[0, 1], [1, 0]], "1d array"),
        (["a", None, "b"], "unlabeled=np.nan"),
        (["a", 1, "b"], "mixes text and numbers"),
    ],
)
def test_what_is_no_class_is_refused(y, message):
    with pytest.raises(ValueError, match=message):
        encoded(y)


@given(st.lists(st.integers(0, 2), min_size=3), st.integers(0, 100))
def test_balanced_weights_are_those_of_scikit_learn(codes, seed):
    codes = np.array([*codes, 0, 1, 2])
    weight = np.ones(len(codes))
    ours = weighted_by_class(codes, weight, "balanced", np.arange(3))
    np.testing.assert_allclose(ours, compute_sample_weight("balanced", codes))
    # A weight is so many rows, and rows without a label count for nothing.
    more = np.random.RandomState(seed).randint(1, 4, len(codes))
    ours = weighted_by_class(np.append(codes, -1), np.append(more, 5.0), "balanced", np.arange(3))
    repeated = compute_sample_weight("balanced", np.repeat(codes, more))
    first = np.cumsum(more) - more
    np.testing.assert_allclose(ours[:-1] / more, repeated[first])
    assert ours[-1] == 0


def test_weights_by_name_are_those_of_the_classes():
    classes = np.array(["a", "b"])
    weight = weighted_by_class(
        np.array([0, 1, 1, -1]), np.array([1, 2, 3, 4.0]), {"b": 10}, classes
    )
    assert weight.tolist() == [1, 20, 30, 0]
    with pytest.raises(ValueError, match=r"names \['c'\], which are not among"):
        weighted_by_class(np.array([0, 1]), np.ones(2), {"c": 1}, classes)
    with pytest.raises(ValueError, match="not zero for all classes"):
        weighted_by_class(np.array([0, 1]), np.ones(2), {"a": 0, "b": 0}, classes)


@pytest.mark.parametrize("marker", [-1, np.nan])
def test_a_marker_in_a_list_of_text_stays_what_it_is(marker):
    classes, codes = encoded(["a", marker, "b"], marker)
    assert classes.tolist() == ["a", "b"]
    assert codes.tolist() == [0, NO_LABEL, 1]


def test_missing_values_of_pandas_are_no_class():
    y = pd.Series(["a", "b", pd.NA, "?"], dtype="string")
    with pytest.raises(ValueError, match="missing value, which is no class"):
        encoded(y, "?")
    assert encoded(y[:3], np.nan)[1].tolist() == [0, 1, NO_LABEL]
