"""What is held out: shares, folds, whole groups, the user's splits and rows, and near-copies."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import datasets
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.model_selection import GroupKFold, KFold, PredefinedSplit, TimeSeriesSplit

from skae._holding_out import FitRows, _near_copies, folds
from skae.exceptions import DependentRowsWarning

X = np.random.RandomState(0).normal(size=(120, 5))
GROUPS = np.repeat(np.arange(12), 10)


def fit_rows(X=X, weight=None, **options):
    weight = np.ones(X.shape[0]) if weight is None else weight
    return FitRows(X, weight, **{"shuffle": True} | options)


def sides(split):
    return set(split.training.indices.tolist()), set(split.validation.indices.tolist())


# Shares, folds and groups


@settings(max_examples=50, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 20), min_size=2, max_size=12),
    how=st.one_of(st.just("auto"), st.floats(0.05, 0.9)),
    seed=st.integers(0, 5),
)
def test_groups_are_on_one_side_and_each_side_has_some(sizes, how, seed):
    groups = np.repeat([f"group {i}" for i in range(len(sizes))], sizes)
    rows = np.arange(len(groups), dtype=float)[:, None]
    splits = fit_rows(rows, groups=groups).splits(how, seed)
    for split in splits:
        training, validation = sides(split)
        assert training
        assert validation
        assert not {groups[i] for i in training} & {groups[i] for i in validation}
        assert training | validation == set(range(len(groups)))
        assert len(set(split.groups)) == len({groups[i] for i in validation})
    if how == "auto":
        assert len(splits) == min(5, len(sizes))
        held_out = [i for split in splits for i in split.validation.indices]
        assert sorted(held_out) == list(range(len(groups)))


@settings(max_examples=50, deadline=None)
@given(n_rows=st.integers(2, 60), n_wanted=st.floats(0.5, 60))
def test_of_rows_as_many_are_held_out_as_of_groups_of_one(n_rows, n_wanted):
    rows, share = X[:n_rows], min(n_wanted / n_rows, 0.99)
    counts = {
        len(fit_rows(rows, groups=groups).splits(share, 0)[0].validation.indices)
        for groups in (None, np.arange(n_rows))
    }
    assert counts == {min(range(1, n_rows), key=lambda count: abs(count - share * n_rows))}


def test_a_share_of_groups_is_met_as_nearly_as_they_allow():
    (split,) = fit_rows(groups=GROUPS).splits(0.25, 0)
    assert len(split.validation.indices) == 30


def test_the_order_of_rows_and_the_names_of_groups_do_not_matter():
    order = np.random.RandomState(1).permutation(len(X))
    (one,) = fit_rows(groups=GROUPS).splits(0.3, 0)
    (other,) = fit_rows(X[order], groups=GROUPS[order] * 2.5).splits(0.3, 0)
    np.testing.assert_array_equal(X[one.validation.indices], X[order][other.validation.indices])


def test_equal_rows_of_one_group_are_one_and_of_two_groups_two():
    twice = np.concatenate([X, X])
    same = fit_rows(twice, groups=np.concatenate([GROUPS, GROUPS]))
    assert len(same) == len(X)
    assert (same.weight == 2).all()
    assert len(fit_rows(twice, groups=np.concatenate([GROUPS, GROUPS + 12]))) == 2 * len(X)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (np.zeros(120), "groups has one value for all 120 rows"),
        (np.where(np.arange(120) == 3, np.nan, 1.0), "missing value, for row 3"),
        (np.array([1, "a"] * 60, dtype=object), "several types"),
        (GROUPS[:50], "inconsistent numbers of samples"),
    ],
)
def test_groups_that_tell_nothing_are_refused(groups, message):
    with pytest.raises(ValueError, match=message):
        fit_rows(groups=groups).splits("auto", 0)


# What the user decides


def test_a_splitter_sees_the_rows_as_they_were_given():
    splits = fit_rows().splits(TimeSeriesSplit(3), 0)
    expected = list(TimeSeriesSplit(3).split(X))
    for split, (training, validation) in zip(splits, expected, strict=True):
        assert sides(split) == (set(training.tolist()), set(validation.tolist()))


def test_a_splitter_is_given_groups_and_targets():
    class Splitter:
        def split(self, X, y, groups):
            assert y == "targets"
            return GroupKFold(3).split(X, groups=groups)

    splits = fit_rows(groups=GROUPS, y="targets").splits(Splitter(), 0)
    assert len(splits) == 3
    assert all(len(set(split.groups)) == 4 for split in splits)


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_rows_of_a_splitter_are_merged_and_those_of_no_weight_left_out(container):
    weight = np.ones(240)
    weight[3] = 0
    twice = container(np.concatenate([X, X]))
    fold = np.tile(np.arange(120) % 2, 2)
    first, second = fit_rows(twice, weight).splits(PredefinedSplit(fold), 0)
    assert len(first.training.indices) == len(first.validation.indices) == 60
    assert (first.validation.weight == 2).all()
    assert sorted(second.validation.weight) == [1] + [2] * 59


@pytest.mark.parametrize(
    ("splitter", "message"),
    [
        (PredefinedSplit(np.full(120, -1)), "has no split"),
        (PredefinedSplit(np.where(np.arange(120) < 60, 0, -1)), "none of which has a positive"),
    ],
)
def test_a_splitter_that_leaves_nothing_is_refused(splitter, message):
    weight = np.where(np.arange(120) < 60, 1.0, 0.0)
    with pytest.raises(ValueError, match=message):
        fit_rows(weight=weight).splits(splitter, 0)


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_given_rows_are_held_out_and_all_others_trained_on(container):
    new = np.random.RandomState(1).normal(size=(7, 5))
    rows = fit_rows(container(X), validation=container(np.concatenate([new, new])))
    (split,) = rows.splits("anything", 0)
    assert len(split.training.indices) == 120
    held_out = rows.X[split.validation.indices]
    held_out = held_out.toarray() if sp.issparse(held_out) else held_out
    assert {tuple(row) for row in held_out} == {tuple(row) for row in new}
    assert (split.validation.weight == 2).all()


# Classes


@settings(max_examples=50, deadline=None)
@given(
    counts=st.lists(st.integers(2, 30), min_size=2, max_size=5),
    share=st.floats(0.1, 0.8),
    seed=st.integers(0, 5),
)
def test_of_each_class_the_same_share_is_held_out(counts, share, seed):
    labels = np.repeat(np.arange(len(counts)), counts)
    rows = np.arange(len(labels), dtype=float)[:, None]
    fitted = fit_rows(rows, shuffle=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DependentRowsWarning)  # a single column, in its order
        split = fitted.split_by_class(share, seed, labels)
    held_out = np.bincount(labels[split.validation.indices], minlength=len(counts))
    expected = [min(round(share * count), count - 1) for count in counts]
    if any(expected):
        assert held_out.tolist() == expected
    else:
        assert held_out.sum() == 1
    assert not set.intersection(*sides(split))


def test_groups_are_held_out_whole_and_leave_each_class_some_rows():
    labels = np.where(np.arange(120) % 10 < 4, -1, GROUPS % 3)  # four rows of a group have none
    split = fit_rows(shuffle=False, groups=GROUPS).split_by_class(0.3, 0, labels)
    training, validation = (GROUPS[list(side)] for side in sides(split))
    assert not set(training) & set(validation)
    assert len(validation) == 10 * len(set(validation))  # those without a label, too
    assert set(labels[list(sides(split)[0])]) == {-1, 0, 1, 2}


# Folds that hold each row out


def test_folds_by_number_group_and_splitter():
    weight, everyone = np.ones(120), np.arange(120)
    held_out = folds(4, X, weight, everyone, None, 0)
    assert (held_out.sum(axis=0) == 1).all()
    assert (held_out.sum(axis=1) == 30).all()
    held_out = folds(4, X, weight, everyone, GROUPS, 0)
    assert (held_out.sum(axis=0) == 1).all()
    for fold in held_out:
        assert len(set(GROUPS[fold]) & set(GROUPS[~fold])) == 0
    held_out = folds(KFold(4), X, weight, everyone, None, 0)
    assert held_out[0].tolist() == [True] * 30 + [False] * 90


def test_a_copy_of_a_row_that_is_trained_on_is_not_held_out():
    twice = np.concatenate([X, X])
    with pytest.raises(ValueError, match="holds 120 of 120 different rows out of no fold"):
        folds(PredefinedSplit(np.repeat([0, 1], 120)), twice, np.ones(240), np.arange(120), None, 0)


def test_folds_that_never_hold_a_row_out_are_refused():
    with pytest.raises(ValueError, match=r"of 120 different rows out of no fold .* row 0 of X"):
        folds(TimeSeriesSplit(3), X, np.ones(120), np.arange(120), None, 0)


# Near-copies


def walk(n_rows, width=20):
    steps = np.random.RandomState(0).normal(size=n_rows + width)
    return np.lib.stride_tricks.sliding_window_view(np.cumsum(steps), width)[:n_rows]


def repeated(noise):
    subjects = np.random.RandomState(0).normal(size=(20, 30))
    return np.repeat(subjects, 15, axis=0) + noise * np.random.RandomState(1).normal(size=(300, 30))


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        (walk(300), "nearest to the row before or after"),
        (repeated(0.05), "3 times nearer to a few others"),
        (repeated(0.05)[np.random.RandomState(2).permutation(300)], "3 times nearer"),
        (sp.csr_array(repeated(0.05)), "3 times nearer"),
        (
            np.where(np.random.RandomState(3).uniform(size=(300, 20)) < 0.01, np.nan, walk(300)),
            "be",
        ),
    ],
    ids=["windows", "measurements", "shuffled", "sparse", "holes"],
)
def test_near_copies_are_warned_of(rows, what):
    with pytest.warns(DependentRowsWarning, match=what):
        fit_rows(rows).splits("auto", 0)


@pytest.mark.parametrize("options", [{"groups": np.repeat(np.arange(20), 15)}, {}])
def test_who_says_what_belongs_together_is_not_warned(options):
    rows = fit_rows(repeated(0.05), **options)
    rows.splits("auto" if options else KFold(), 0)


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize(
    "rows",
    [
        *(getattr(datasets, f"load_{name}")().data for name in ("iris", "wine", "digits")),
        datasets.load_breast_cancer().data,
        datasets.load_diabetes().data,
        datasets.make_swiss_roll(500, random_state=0)[0],
        datasets.make_blobs(300, centers=3, random_state=0)[0],
        np.random.RandomState(0).normal(size=(300, 1)),
        np.random.RandomState(0).randint(0, 3, size=(300, 4)).astype(float),
    ],
    ids=["iris", "wine", "digits", "cancer", "diabetes", "roll", "blobs", "one column", "counts"],
)
def test_independent_rows_are_not_warned_of(rows, scaled):
    rows = rows / rows.std(axis=0).clip(min=1e-9) if scaled else rows
    fit_rows(rows).splits("auto", 0)


@pytest.mark.parametrize("n_numbers", [0, 2])
def test_rows_of_one_kind_are_no_near_copies(n_numbers):
    for seed in range(10):
        random = np.random.RandomState(seed)
        kinds = [np.eye(n)[random.randint(n, size=150)] for n in (3, 2, 6)]
        numbers = random.normal(size=(150, n_numbers))
        rows = np.hstack([numbers, *(3 * kind for kind in kinds)])
        assert _near_copies(rows, np.arange(150))[0] < 0.3


@pytest.mark.parametrize("n_copied", [60, 100, 150, 300])
def test_near_copies_are_counted_by_all_distances_where_they_are_many(n_copied):
    rows = 1e6 + np.random.RandomState(0).normal(size=(600, 20))
    rows[300 : 300 + n_copied] = rows[:n_copied] + 1e-3  # none beside its copy
    rows = rows[np.random.RandomState(1).permutation(600)]
    looked_at = np.linspace(0, 599, 300).astype(int)
    distance = euclidean_distances(rows - rows.mean(axis=0))
    nearest = np.sort(distance + np.diag(np.full(600, np.inf)))[looked_at, :65]
    expected = (nearest[:, 1:] > 3 * nearest[:, :-1]).any(axis=1).mean()
    share, _ = _near_copies(rows, np.arange(600))
    assert (share > 0.5) == (expected > 0.5)
    if expected > 0.3:
        assert share == expected
