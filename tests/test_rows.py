"""Rows: merged without a trace of order or storage, standardized, and each in one batch."""

import tracemalloc
from collections import Counter
from functools import reduce
from operator import xor

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from skae import _rows
from skae._rows import (
    Batches,
    PairedRows,
    PartlyLabeledRows,
    StandardizedRows,
    Units,
    beside,
    dense_chunks,
    fill_holes,
    has_holes,
    mean_and_scale,
    merge_equal_rows,
    reordered,
)
from skae._seeding import torch_generator

DTYPES = [np.float32, np.float64]
# Few enough that rows repeat, and what is hard to hash: both zeros, neighbours, extremes.
VALUES = [0.0, -0.0, 1.0, -1.0, 2.0, 3.0, 255.0, 0.1, 1 + 2.0**-20, 1e-30, -1e30]


@st.composite
def weighted_rows(draw):
    """Return a matrix with equal rows and a whole weight for each, not all of them zero."""
    dtype = draw(st.sampled_from(DTYPES))
    values = st.sampled_from([float(dtype(value)) for value in VALUES])
    pool = draw(arrays(dtype, (draw(st.integers(1, 4)), 3), elements=values))
    which = draw(st.lists(st.integers(0, len(pool) - 1), min_size=1, max_size=12))
    weight = draw(arrays(np.int64, len(which), elements=st.integers(0, 3)))
    weight[draw(st.integers(0, len(which) - 1))] += 1
    return pool[which], weight


def merged(X, weight):
    """Return the merged rows themselves, with minus zero as zero, and their weights."""
    indices, weight = merge_equal_rows(X, np.asarray(weight, dtype=np.float64))
    rows = X[indices]
    return (rows.toarray() if sp.issparse(rows) else rows) + 0.0, weight


def counted(rows, weight):
    """Return the total weight of each different row."""
    total = Counter()
    for row, w in zip(rows.tolist(), weight, strict=True):
        total[tuple(value + 0.0 for value in row)] += float(w)
    return {row: w for row, w in total.items() if w}


@given(weighted_rows())
def test_each_different_row_is_kept_once_with_its_total_weight(X_weight):
    X, weight = X_weight
    rows, total = merged(X, weight)
    assert counted(rows, total) == counted(X, weight)
    assert len(rows) == len(counted(X, weight))


@given(weighted_rows(), st.randoms(use_true_random=False))
def test_a_row_of_weight_two_is_two_rows_in_any_order(X_weight, random):
    X, weight = X_weight
    repeated = np.repeat(np.arange(len(X)), weight).tolist()
    random.shuffle(repeated)
    rows, total = merged(X, weight)
    rows_of_repeated, total_of_repeated = merged(X[repeated], np.ones(len(repeated)))
    np.testing.assert_array_equal(rows, rows_of_repeated)
    np.testing.assert_array_equal(total, total_of_repeated)


@given(weighted_rows(), st.sampled_from([sp.csr_array, sp.csr_matrix]))
def test_a_sparse_row_is_its_dense_twin(X_weight, container):
    X, weight = X_weight
    rows, total = merged(X, weight)
    sparse_rows, sparse_total = merged(container(X), weight)
    np.testing.assert_array_equal(rows, sparse_rows)
    np.testing.assert_array_equal(total, sparse_total)


def test_stored_zeros_change_nothing():
    X = np.array([[0.0, 1.0], [0.0, 1.0], [2.0, 0.0]])
    stored = sp.csr_array(
        (np.array([0.0, 1.0, 1.0, 2.0, -0.0]), [0, 1, 1, 0, 1], [0, 2, 3, 5]), shape=(3, 2)
    )
    weight = np.ones(3)
    for dense, sparse in zip(merged(X, weight), merged(stored, weight), strict=True):
        np.testing.assert_array_equal(dense, sparse)


def test_the_order_of_storage_changes_nothing():
    X = np.random.RandomState(0).randint(0, 2, size=(200, 5)).astype(float)
    weight = np.ones(len(X))
    for c, fortran in zip(merged(X, weight), merged(np.asfortranarray(X), weight), strict=True):
        np.testing.assert_array_equal(c, fortran)


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
@given(X_weight=weighted_rows())
def test_rows_of_equal_hash_stay_apart(container, X_weight):
    X, weight = X_weight
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_rows, "row_hashes", lambda X: np.zeros(X.shape[0], dtype=np.uint64))
        rows, total = merged(container(X), weight)
    assert counted(rows, total) == counted(X, weight)


@pytest.mark.parametrize("dtype", DTYPES)
def test_hashes_tell_rows_apart(dtype):
    bits = np.unpackbits(np.arange(2**16, dtype=">u2").view(np.uint8)).reshape(-1, 16)
    for X in (bits, bits / 16, np.eye(16, dtype=int)[:, ::-1] * 255):
        assert len(np.unique(_rows.row_hashes(np.asarray(X, dtype=dtype)))) == len(X)


@pytest.mark.parametrize(("dtype", "bits", "shifts"), [("f4", "u4", [23]), ("f8", "u8", [32, 52])])
@pytest.mark.parametrize("container", [np.asarray, np.asfortranarray, sp.csr_array])
def test_a_hash_is_a_sum_of_products_of_whole_numbers(dtype, bits, shifts, container):
    # The order of the rows of a fit, and so its result, follows from the hashes.
    X = np.random.RandomState(0).normal(size=(1000, 100)).astype(dtype)  # more than one chunk
    X[::3, ::7], X[1::3, ::7], X[5] = 0.0, -0.0, -np.inf
    multipliers = np.random.RandomState(0).randint(1, 2**62, size=100, dtype=np.uint64)
    hashes = []
    for row in X.tolist():
        whole = [int(n) for n in (np.array(row, dtype) + np.array(0, dtype)).view(bits)]
        mixed = [reduce(xor, (n >> shift for shift in (0, *shifts))) for n in whole]
        products = (m * (2 * int(k) + 1) for m, k in zip(mixed, multipliers, strict=True))
        hashes.append(sum(products) % 2**64)
    np.testing.assert_array_equal(_rows.row_hashes(container(X)), np.array(hashes, dtype=np.uint64))


def test_many_equal_rows_are_merged_a_few_at_a_time():
    X = np.zeros((1000, 2**15))
    X[::2, 0] = 1
    assert sorted(merge_equal_rows(X, np.ones(1000))[1]) == [500, 500]


def test_dense_chunks_are_the_rows_in_order():
    X = np.random.RandomState(0).normal(size=(50, 7)).astype(np.float32)
    indices = np.random.RandomState(1).permutation(50)[:30]
    for matrix in (X, sp.csr_array(X)):
        chunks = list(dense_chunks(matrix, indices, n_values=20))
        assert all(rows.size <= 20 for _, rows in chunks)
        np.testing.assert_array_equal(np.concatenate([rows for _, rows in chunks]), X[indices])
        assert [i for chunk, _ in chunks for i in range(30)[chunk]] == list(range(30))


# The mean and the scale


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("container", [np.asarray, np.asfortranarray, sp.csr_array])
def test_mean_and_scale_are_those_of_weighted_rows(dtype, container):
    random = np.random.RandomState(0)
    X = (random.normal(size=(90, 4000)) * 3 + 2).astype(dtype)  # more than one chunk
    indices, weight = np.arange(0, 90, 3), random.uniform(size=30)
    mean, scale = mean_and_scale(container(X), indices, weight)
    rows = X[indices].astype(np.float64)
    expected = np.average(rows, axis=0, weights=weight)
    variance = np.average((rows - expected) ** 2, axis=0, weights=weight)
    precision = 4 * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(mean, expected, rtol=precision, atol=10 * precision)
    assert scale == pytest.approx(np.sqrt(variance.mean()), rel=10 * precision)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [0.0, 0.1, -7.3, 1e8 + 0.1, 1e-8])
def test_constant_columns_have_no_scale(dtype, value):
    X = np.full((1000, 3), value, dtype=dtype)
    mean, scale = mean_and_scale(X, np.arange(1000), np.random.RandomState(0).uniform(size=1000))
    np.testing.assert_allclose(mean, X[0], rtol=1e-12)
    assert scale == 0


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_small_spread_far_from_zero_is_seen(dtype):
    spread = np.random.RandomState(0).normal(size=(500, 3))
    X = (spread * 10.0 + 1e5).astype(dtype)
    scale = mean_and_scale(X, np.arange(500), np.ones(500))[1]
    assert scale == pytest.approx(np.sqrt(X.astype(float).var(axis=0).mean()), rel=1e-6)


def test_a_constant_column_far_from_zero_does_not_hide_the_others():
    X = np.random.RandomState(0).normal(size=(500, 3)).astype(np.float32)
    X[:, 0] = 1e8
    scale = mean_and_scale(X, np.arange(500), np.ones(500))[1]
    assert scale == pytest.approx(np.sqrt(X.astype(float).var(axis=0).mean()), rel=1e-6)


# Standardized rows


@pytest.fixture
def X():
    return np.random.RandomState(0).poisson(0.5, size=(37, 6)).astype(np.float64)


def standardized(X, indices=None, weight=None):
    indices = np.arange(X.shape[0]) if indices is None else indices
    weight = np.ones(len(indices)) if weight is None else weight
    return StandardizedRows(X, indices, weight, *mean_and_scale(X, indices, weight))


def test_standardized_rows_have_mean_zero_and_unit_mean_variance(X):
    Z = standardized(X)[:][0].double().numpy()
    np.testing.assert_allclose(Z.mean(axis=0), 0, atol=1e-7)
    assert Z.var(axis=0).mean() == pytest.approx(1, abs=1e-6)


def test_weights_are_scaled_to_a_mean_of_one(X):
    weight = np.random.RandomState(0).uniform(1, 9, size=len(X))
    rows = standardized(X, weight=weight)
    np.testing.assert_allclose(rows.weight, weight / weight.mean(), rtol=1e-6)


@pytest.mark.parametrize("index", [slice(3, 9), torch.tensor([5, 0, 5, 11])], ids=["slice", "list"])
def test_sparse_batches_are_the_dense_ones_to_the_last_bit(X, index):
    indices = np.random.RandomState(1).permutation(len(X))[:12]
    weight = np.arange(1.0, 13.0)
    dense = standardized(X, indices, weight)
    sparse = standardized(sp.csr_array(X), indices, weight)
    assert len(dense) == len(sparse) == 12
    for rows in (dense, sparse):
        Z, (target, row_weight) = rows[index]
        assert Z.dtype == row_weight.dtype == torch.float32
        assert torch.equal(Z, dense[index][0])
        assert target is Z
        assert torch.equal(row_weight, dense.weight[index])


def test_rows_far_from_zero_are_standardized_in_double_precision():
    X = np.random.RandomState(0).normal(size=(20, 3)) + 1e9
    Z = standardized(X)[:][0].numpy()
    np.testing.assert_allclose(Z, (X - X.mean(axis=0)) / np.sqrt(X.var(axis=0).mean()), atol=1e-6)


def sparse_rows(n_rows, n_features):
    """Return rows of one number each."""
    columns = np.random.RandomState(0).randint(n_features, size=n_rows)
    return sp.csr_array((np.ones(n_rows), columns, np.arange(n_rows + 1)), (n_rows, n_features))


def test_sparse_rows_are_never_dense_all_at_once():
    X = sparse_rows(3000, 2000)
    tracemalloc.start()
    indices, weight = merge_equal_rows(X, np.ones(3000))
    rows = standardized(X, indices, weight)
    for _ in Batches(rows, 32, torch_generator(0)):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3000 * 2000 * 8 / 4


@pytest.mark.parametrize("share", [0, 0.1], ids=["complete", "with holes"])
def test_rows_in_single_precision_are_standardized_batch_by_batch_to_the_same_bits(
    X, share, monkeypatch
):
    X = X.astype(np.float32)
    X[np.random.RandomState(1).uniform(size=X.shape) < share] = np.nan
    indices = np.random.RandomState(2).permutation(len(X))[:30]
    at_once = [rows for rows, _ in Batches(standardized(X, indices), 4, torch_generator(0))]
    monkeypatch.setattr(_rows, "_COPIED_VALUES", 0)
    by_batch = standardized(X, indices)
    assert by_batch._by_batch()
    for expected, (rows, (target, _)) in zip(
        at_once, Batches(by_batch, 4, torch_generator(0)), strict=True
    ):
        assert torch.equal(rows, expected)
        assert torch.equal(torch.isnan(target), target != rows)
    for other in (X.astype(np.float64), np.asfortranarray(X)):
        assert not standardized(other, indices)._by_batch()


def test_many_rows_in_single_precision_are_not_copied():
    X = np.random.RandomState(0).normal(size=(90_000, 50)).astype(np.float32)
    tracemalloc.start()
    rows = standardized(X, np.arange(len(X)), np.ones(len(X)))
    for _ in Batches(rows, 256, torch_generator(0)):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < X.nbytes / 2


# Batches


class Numbered:
    """Rows that are their own numbers."""

    def __init__(self, n_rows, n_columns=1):
        self.n_rows = n_rows
        self.X = np.empty((n_rows, n_columns))

    def __len__(self):
        return self.n_rows

    def __getitem__(self, index):
        numbers = torch.arange(self.n_rows)[index]
        return numbers, [-numbers]


def cut_of(batches):
    """Return the numbers of each batch, whose targets are minus these."""
    cut = []
    for numbers, (target,) in batches:
        assert torch.equal(numbers, -target)
        cut.append(numbers)
    return cut


@given(
    st.integers(1, 60),
    st.integers(1, 70),
    st.sampled_from([1, 10_000, 200_000]),
    st.sampled_from([None, 0, 1]),
)
@settings(max_examples=200)
def test_every_row_is_in_one_batch_of_like_sizes(n_rows, batch_size, n_columns, seed):
    generator = None if seed is None else torch_generator(seed)
    batches = Batches(Numbered(n_rows, n_columns), batch_size, generator)
    for _ in range(2):  # epochs
        cut = cut_of(batches)
        assert len(cut) == len(batches)
        assert sorted(torch.cat(cut).tolist()) == list(range(n_rows))
        sizes = [len(batch) for batch in cut]
        assert max(sizes) <= min(sizes) + 1
        assert max(sizes) <= batch_size + (n_rows % batch_size == 1)
        if n_rows > 1 and batch_size > 1:
            assert all(len(batch) > 1 for batch in cut)
        if seed is None:
            assert torch.cat(cut).tolist() == list(range(n_rows))


def test_a_seed_decides_the_order_and_each_epoch_has_its_own():
    def epochs(seed):
        batches = Batches(Numbered(50), 8, torch_generator(seed))
        return [torch.cat(cut_of(batches)).tolist() for _ in range(3)]

    assert epochs(0) == epochs(0)
    assert epochs(0) != epochs(1)
    assert len({tuple(epoch) for epoch in epochs(0)}) == 3


# Rows with holes


def with_holes(X, share=0.3, seed=0):
    X = np.array(X, dtype=float)
    X[np.random.RandomState(seed).uniform(size=X.shape) < share] = np.nan
    return X


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [np.nan, -np.nan, np.inf, -np.inf, 0.0])
def test_a_hole_is_nan_and_nothing_else(dtype, value):
    X = np.arange(60, dtype=dtype).reshape(12, 5)
    for where in [(0, 0), (7, 3), (11, 4)]:
        rows = X.copy()
        rows[where] = value
        for layout in (rows, np.asfortranarray(rows), rows[:, ::-1]):
            assert has_holes(layout) == np.isnan(value)
    assert not has_holes(X[:0])
    assert not has_holes(sp.csr_array(X))


def test_equal_rows_with_the_same_holes_are_merged():
    X = with_holes(np.random.RandomState(0).normal(size=(30, 4)))
    weight = np.random.RandomState(1).randint(1, 4, size=30)
    repeated = np.repeat(X, weight, axis=0)
    other_nan = np.array([0x7FF8000000000001], dtype=np.uint64).view(np.float64)
    repeated[::2][np.isnan(repeated[::2])] = other_nan
    indices, merged = merge_equal_rows(repeated, np.ones(len(repeated)))
    expected, expected_weight = merge_equal_rows(X, weight.astype(float))
    np.testing.assert_array_equal(repeated[indices], X[expected])
    np.testing.assert_array_equal(merged, expected_weight)


def test_means_and_scale_are_those_of_the_values_that_are_there():
    X = with_holes(np.random.RandomState(0).normal(size=(50, 4)) * [1, 2, 3, 4] + 5)
    weight = np.random.RandomState(1).uniform(size=50)
    mean, scale = mean_and_scale(X, np.arange(50), weight)
    for column, values in enumerate(X.T):
        there = ~np.isnan(values)
        assert mean[column] == pytest.approx(np.average(values[there], weights=weight[there]))
    variances = [
        np.average((values[there] - m) ** 2, weights=weight[there])
        for values, m in zip(X.T, mean, strict=True)
        for there in [~np.isnan(values)]
    ]
    assert scale == pytest.approx(np.sqrt(np.mean(variances)))


def test_a_hole_is_the_mean_in_a_batch_and_nan_in_its_target():
    X = with_holes(np.random.RandomState(0).normal(size=(10, 3)))
    mean, scale = mean_and_scale(X, np.arange(10), np.ones(10))
    rows = StandardizedRows(X, np.arange(10), np.ones(10), mean, scale)
    Z, (target, _) = rows[slice(None)]
    np.testing.assert_array_equal(target.isnan().numpy(), np.isnan(X))
    assert (Z[target.isnan()] == 0).all()
    np.testing.assert_array_equal(Z[~target.isnan()], target[~target.isnan()])
    np.testing.assert_allclose(fill_holes(X, mean), np.where(np.isnan(X), mean, X))


def test_corruption_is_of_the_batch_and_not_of_its_target():
    X = np.random.RandomState(0).normal(size=(10, 3))
    rows = StandardizedRows(X, np.arange(10), np.ones(10), np.zeros(3), 1.0)
    batches = list(Batches(rows, 4, corrupt=lambda Z: Z + 1))
    for Z, (target, _) in batches:
        torch.testing.assert_close(Z, target + 1)
    np.testing.assert_allclose(torch.cat([t for _, (t, _) in batches]), X, rtol=1e-6)


def test_others_are_standardized_alike():
    X = np.random.RandomState(0).normal(size=(10, 3))
    rows = StandardizedRows(X, np.arange(5), np.ones(5), np.ones(3), 2.0)
    others = rows.others(np.array([7, 8]), np.array([1.0, 3.0]))
    Z, (_, weight) = others[slice(None)]
    np.testing.assert_allclose(Z, (X[[7, 8]] - 1) / 2, rtol=1e-6)
    np.testing.assert_allclose(weight, [0.5, 1.5])


def test_rows_far_beyond_those_that_the_scale_comes_from_stay_finite():
    X = np.array([[1.0], [1e-45], [-1.0]])
    rows = StandardizedRows(X, np.arange(3), np.ones(3), np.zeros(1), 1e-45)
    Z, _ = rows[slice(None)]
    assert torch.isfinite(Z.square()).all()
    np.testing.assert_allclose(Z[1], 1)


FAR, NEAR = np.array([1e6 + 0.3, -0.1, 0.0]), np.array([0.5, 2.0, 1.0])


@pytest.mark.parametrize("units", [Units(FAR, 0.7), Units(NEAR, 3.0)])
@pytest.mark.parametrize("n_times", [1, 2])
def test_single_precision_loses_no_more_than_its_rounding(units, n_times):
    mean = np.tile(units.mean, n_times)
    rows = np.random.default_rng(0).normal(mean, units.scale, (50, 3 * n_times))
    rows = rows.astype(np.float32)
    expected = (rows.astype(float) - mean) / units.scale
    Z = units.standardize(rows)
    assert Z.dtype == np.float32
    np.testing.assert_allclose(Z, expected, rtol=1e-6, atol=1e-7)
    if n_times == 1:
        restored = units.restore(Z)
        assert restored.dtype == np.float32
        np.testing.assert_allclose(
            restored, Z.astype(float) * units.scale + units.mean, rtol=3e-7, atol=1e-7
        )


@pytest.mark.parametrize("dtype", DTYPES)
def test_how_rows_lie_in_memory_changes_no_bit(dtype):
    rows = np.random.default_rng(0).normal(FAR, 0.7, (50, 3)).astype(dtype)
    mean, scale = FAR.astype(dtype), dtype(0.7)
    expected = rows - mean
    if dtype == np.float32:
        expected -= (FAR - mean).astype(dtype)
    expected /= scale
    frozen = rows.copy()
    frozen.flags.writeable = False
    within = np.zeros(50, dtype=[("first", np.int8), ("rows", dtype, 3)])  # not aligned
    within["rows"] = rows
    twice = np.repeat(rows, 2, axis=0)[::2]
    for same in (rows, np.asfortranarray(rows), rows[::-1].copy()[::-1], frozen, twice):
        np.testing.assert_array_equal(Units(FAR, 0.7).standardize(same), expected)
    np.testing.assert_array_equal(Units(FAR, 0.7).standardize(within["rows"]), expected)
    for single in (rows[::-1][-1:], within["rows"][:1]):  # numpy calls any single row contiguous
        np.testing.assert_array_equal(Units(FAR, 0.7).standardize(single), expected[:1])
    mean = FAR.copy()
    mean.flags.writeable = False  # as of a model that is mapped from a file
    units = Units(mean, 0.7)
    np.testing.assert_array_equal(units.standardize(rows), expected)
    np.testing.assert_allclose(units.restore(expected), rows, rtol=1e-6)


@pytest.mark.parametrize(("mean", "scale"), [(0.0, 1e-40), (3e38, 1e37), (0.0, 1e35)])
def test_units_beyond_single_precision_are_those_of_double(mean, scale):
    rows = (mean + scale * np.array([[-1.0, 0.5], [2.0, 1.0]])).astype(np.float32)
    units = Units(np.full(2, mean), scale)
    Z = units.standardize(rows)
    np.testing.assert_array_equal(Z, (rows.astype(float) - mean) / scale)
    np.testing.assert_array_equal(units.restore(Z), Z * scale + mean)
    single = np.float32([[0.5, -2.0]])
    np.testing.assert_array_equal(units.restore(single), single.astype(float) * scale + mean)


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_columns_are_reordered_and_rows_stay_together_in_memory(container):
    X = np.random.RandomState(0).poisson(0.7, size=(6, 5)).astype(float)
    columns = np.array([3, 0, 4, 1, 2])
    found = reordered(container(X), columns)
    if sp.issparse(found):
        assert found.has_sorted_indices
        found = found.toarray()
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, X[:, columns])


def test_rows_differ_if_their_labels_do():
    X = np.array([[1.0], [1.0], [1.0], [2.0]])
    labels = np.array([0, 1, 0, -1])
    for container in (np.asarray, sp.csr_array):
        indices, weight = merge_equal_rows(container(X), np.ones(4), labels)
        kept = sorted(zip(X[indices, 0], labels[indices], weight, strict=True))
        assert kept == [(1.0, 0, 2.0), (1.0, 1, 1.0), (2.0, -1, 1.0)]


def partly_labeled(n_rows, n_labeled, label_weight=None):
    """Return rows whose only value is their number, of which the first ones have a label."""
    X = np.arange(n_rows, dtype=np.float64)[:, None]
    labels = np.where(np.arange(n_rows) < n_labeled, np.arange(n_rows) % 2, -1)
    weight = np.ones(n_rows)
    label_weight = np.where(labels >= 0, 1.0, 0.0) if label_weight is None else label_weight
    everyone = np.arange(n_rows)
    return PartlyLabeledRows(X, everyone, weight, np.zeros(1), 1.0, labels, label_weight)


@given(
    n_rows=st.integers(3, 40),
    n_labeled=st.integers(2, 40),
    batch_size=st.integers(1, 20),
    seed=st.integers(0, 99),
)
def test_a_joint_batch_is_some_rows_and_some_labelled_ones(n_rows, n_labeled, batch_size, seed):
    n_labeled = min(n_rows, n_labeled)
    rows = partly_labeled(n_rows, n_labeled)
    batches = list(rows.batches(batch_size, torch_generator(seed)))
    assert len(batches) == len(rows.batches(batch_size))
    seen, seen_for_labels = [], Counter()
    for (Z, is_extra), (labels, label_weight, weight) in batches:
        numbers = Z[:, 0].long()
        assert torch.equal(is_extra, is_extra.sort().values)  # those for their labels come last
        assert torch.equal(labels, rows.labels[numbers])
        seen += numbers[~is_extra].tolist()
        assert weight[is_extra].sum() == 0
        assert weight[~is_extra].all()
        counted = numbers[label_weight > 0].tolist()
        seen_for_labels.update(counted)
        assert all(number < n_labeled for number in counted)
        if n_labeled < n_rows:
            assert counted == numbers[is_extra].tolist()
            assert len(counted) == min(n_labeled, max(2, batch_size // 2))
    assert sorted(seen) == list(range(n_rows))
    # Labelled rows come in rounds: none comes twice more often than another.
    counts = [seen_for_labels[number] for number in range(n_labeled)]
    assert max(counts) - min(counts) <= 1


def test_where_all_rows_are_labelled_each_counts_for_both():
    rows = partly_labeled(10, 10)
    for (_, is_extra), (_, label_weight, weight) in rows.batches(4):
        assert not is_extra.any()
        assert label_weight.all()
        assert weight.all()


def test_labels_of_no_weight_are_not_learnt():
    rows = partly_labeled(6, 4, label_weight=np.array([3.0, 0.0, 1.0, 0.0, 0.0, 0.0]))
    assert rows.labeled.tolist() == [0, 2]
    assert rows.label_weight.tolist() == [1.5, 0.0, 0.5, 0.0, 0.0, 0.0]


def test_a_joint_batch_has_its_holes_as_it_is_a_target():
    rows = partly_labeled(6, 2)
    X = np.c_[rows.X, np.where(rows.X % 2 == 0, np.nan, 1.0)]
    holes = PartlyLabeledRows(
        X, rows.indices, rows.sample_weight, np.zeros(2), 1.0, rows.labels.numpy(), np.ones(6)
    )
    for corrupt in (None, lambda batch: batch + 100):
        for (Z, _), _ in holes.batches(3, torch_generator(0), corrupt):
            assert torch.equal(Z[:, 1].isnan(), Z[:, 0] % 2 == 0)
            assert Z[:, 0].isfinite().all()


def test_corruption_of_a_joint_batch_is_of_its_rows():
    rows = partly_labeled(6, 2)
    for (Z, is_extra), (labels, *_) in rows.batches(3, corrupt=lambda batch: batch + 100):
        assert (Z >= 100).all()
        assert len(labels) == len(is_extra) == len(Z)


def paired(noise):
    """Rows with noise and their targets, all standardized already, and an epoch of batches."""
    targets = np.random.RandomState(0).normal(size=noise.shape)
    n_rows, n_features = noise.shape
    rows = PairedRows(
        beside(targets + noise, targets),
        np.arange(n_rows),
        np.ones(n_rows),
        np.zeros(n_features),
        1.0,
    )
    Z, T = zip(
        *((Z, target) for Z, (target, _) in rows.batches(50, torch_generator(0))), strict=True
    )
    return rows, torch.cat(Z).numpy(), torch.cat(T).numpy()


@pytest.mark.parametrize("shared", [False, True])
def test_a_batch_of_pairs_has_each_residual_once_and_by_column_if_columns_are_independent(shared):
    random = np.random.RandomState(1)
    noise = random.normal(size=(400, 6)) + shared * random.normal(size=(400, 1))
    rows, Z, targets = paired(noise)
    assert rows.by_column is not shared
    left = Z - targets  # the new residuals, and what regression tells, which is next to nothing
    for column in range(6):
        np.testing.assert_allclose(np.sort(left[:, column]), np.sort(noise[:, column]), atol=0.5)
    distance = np.abs(left[:, None] - noise).max(axis=2).min(axis=1)  # to any row's own noise
    assert (np.median(distance) < 0.3) == shared


def test_differences_that_follow_from_the_target_stay():
    targets = np.random.RandomState(0).normal(size=(400, 6))
    rows = PairedRows(
        beside(np.roll(targets, 1, axis=1), targets), np.arange(400), np.ones(400), np.zeros(6), 1.0
    )
    for Z, (target, _) in rows.batches(50, torch_generator(0)):
        torch.testing.assert_close(Z, target.roll(1, dims=1), atol=1e-3, rtol=0)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("noise", "independent"),
    [
        (lambda random: random.normal(size=(500, 20)), True),
        (lambda random: random.standard_t(4, size=(500, 20)) * np.linspace(0.01, 1, 20), True),
        (lambda random: random.normal(size=(500, 20)) * (np.arange(20) > 5), True),
        (lambda random: random.normal(size=(500, 20)).cumsum(axis=1), False),
        (lambda random: random.normal(size=(500, 20)) * random.uniform(size=(500, 1)), False),
        (lambda random: random.normal(size=(40, 20)), False),  # too few rows to tell
        (lambda random: random.normal(size=(500, 1)), False),
        (lambda random: np.zeros((500, 20)), False),
    ],
)
def test_columns_of_noise_are_told_to_be_independent(noise, independent, seed):
    residual = noise(np.random.RandomState(seed))
    assert _rows._are_independent(residual) == independent
