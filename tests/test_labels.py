"""Labels, some of which are missing: their class numbers, and what classes weigh."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_sample_weight

from skae._labels import (
    NO_LABEL,
    ClassNumbers,
    encode_labels,
    has_columns,
    has_minus_one_beside_counts,
    is_unlabeled,
    plain_labels,
)


def labels_of(y, marker=None, classes=None, weight=None, multilabel=None):
    n_rows = y.shape[0] if hasattr(y, "shape") else len(y)
    weight = np.ones(n_rows) if weight is None else np.asarray(weight, dtype=float)
    return encode_labels(y, np.zeros((n_rows, 1)), weight, marker, classes, multilabel)


def encoded(*y, **how):
    """Return classes and class numbers."""
    labels = labels_of(*y, **how)
    return labels.classes, labels.numbers


def weighted_by_class(numbers, weight, class_weight, classes):
    return ClassNumbers(classes, numbers).weigh_rows(weight, class_weight)


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


# Several labels for each row


INDICATORS = np.array([[1, 0, 1], [0, 0, 0], [1, 0, 1], [0, 1, 1]])


@pytest.mark.parametrize(
    "y",
    [
        INDICATORS,
        INDICATORS.astype(float),
        INDICATORS.astype(bool),
        INDICATORS.astype(object),
        INDICATORS.tolist(),
        list(INDICATORS),
        sp.csr_array(INDICATORS),
        sp.csc_matrix(INDICATORS),
        pd.DataFrame(INDICATORS, columns=list("abc")),
    ],
)
def test_an_indicator_matrix_of_any_kind_is_one(y):
    assert has_columns(y)
    labels = labels_of(y)
    assert labels.multilabel
    assert labels.classes.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(labels.values, INDICATORS)
    # Rows are told apart by their sets of labels.
    assert labels.numbers[0] == labels.numbers[2]
    assert len(set(labels.numbers.tolist())) == 3
    assert labels.strata.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    "y", [[0, 1], ["a", "b"], np.array([[0], [1]]), sp.csr_array([[0], [1]]), pd.Series([0, 1])]
)
def test_a_single_column_is_none(y):
    assert not has_columns(y)


def test_a_row_of_the_marker_has_no_labels():
    for marker in (-1, np.nan):
        y = INDICATORS.astype(float)
        y[1] = marker
        labels = labels_of(y, marker)
        assert labels.numbers[1] == labels.strata[1] == NO_LABEL
        assert labels.weigh_rows(np.array([1, 2, 3, 4.0]), None).tolist() == [1, 0, 3, 4]
        assert not labels.values[1].any()
        y[2, 0] = marker
        with pytest.raises(ValueError, match=r"Row 2 of y is .*some labels and not for others"):
            labels_of(y, marker)


@pytest.mark.parametrize(
    ("y", "how", "message"),
    [
        ([[0, 2], [1, 0]], {}, r"values \[0, 2, 1\], but an indicator matrix has 1"),
        ([[0, 1], [-1, -1]], {}, "unlabeled=-1"),
        ([["a", "b"], ["b", "a"]], {}, "several columns with the values"),
        ([[0, 1], [np.nan, np.nan]], {}, "unlabeled=np.nan"),
        ([[-1, -1], [-1, -1]], {"marker": -1}, "y has no label in 2 rows"),
        ([[0, 1], [1, 0]], {"classes": np.arange(3)}, r"matrix of 2 columns.*\[0, 1, 2\] are"),
        ([[0, 1], [1, 0]], {"multilabel": False}, "one label for each row is expected"),
        ([0, 1], {"multilabel": True}, "an indicator matrix is expected"),
    ],
)
def test_what_is_no_indicator_matrix_is_refused(y, how, message):
    with pytest.raises(ValueError, match=message):
        labels_of(y, **how)


def test_rows_of_a_validation_set_come_after_the_others():
    first, second = labels_of(INDICATORS), labels_of(INDICATORS[[3, 3]] * 1.0)
    both = first.then(second)
    np.testing.assert_array_equal(both.values, INDICATORS[[0, 1, 2, 3, 3, 3]])
    assert both.numbers[3] == both.numbers[4] == both.numbers[5] != both.numbers[0]
    np.testing.assert_array_equal(both.of(np.array([4, 0])).values, INDICATORS[[3, 0]])
    numbers = ClassNumbers(np.arange(2), np.array([0, 1]))
    assert numbers.then(numbers).of(np.array([3, 0])).values.tolist() == [1, 0]


@given(st.integers(0, 100))
def test_balanced_weights_of_labels_are_those_of_scikit_learn(seed):
    """For each label, those of a classifier of this label alone."""
    random = np.random.RandomState(seed)
    y = np.r_[[[0, 1, 1], [1, 0, 1]], random.randint(0, 2, (9, 3)) | [0, 0, 1]]
    more = random.randint(1, 4, len(y))
    weight = labels_of(y).weigh_classes(more.astype(float), "balanced")
    assert weight.shape == (2, 3)
    for label in range(2):
        repeated = np.repeat(y[:, label], more)
        expected = compute_sample_weight("balanced", repeated)
        np.testing.assert_allclose(weight[repeated, label], expected)
    assert weight[:, 2].tolist() == [1, 1]  # there is no row without this label


def test_weights_of_labels_by_name():
    labels = labels_of(INDICATORS)
    assert labels.weigh_classes(np.ones(4), {1: 5}).tolist() == [[1, 5, 1], [1, 5, 1]]
    assert labels.weigh_classes(np.ones(4), None).tolist() == [[1, 1, 1], [1, 1, 1]]
    with pytest.raises(ValueError, match=r"names \[3\], which are not among the classes \[0, 1, 2"):
        labels.weigh_classes(np.ones(4), {3: 1})


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ([-1, 0, 1], True),
        ([-1, 0, 1, 2], True),
        ([-1, 1], False),
        ([-1, 0], False),
        ([0, 1], False),
        ([-2, -1, 0, 1], False),
        (["-1", "0", "1"], False),
    ],
)
def test_minus_one_is_noticed_beside_classes_that_count_from_zero(classes, expected):
    assert has_minus_one_beside_counts(np.array(classes)) == expected
