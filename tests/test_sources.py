"""Rows of files and of arrays that are not in memory: the same rows, some at a time.

The oracle is the array that holds all of them.
"""

import copy
import os
import pickle
import subprocess
import sys
import tracemalloc
import warnings
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.model_selection import KFold, cross_val_score

from skae import (
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    ConvolutionalAutoencoderTransformer,
    VariationalAutoencoderTransformer,
    save,
)
from skae._checked_rows import validated_rows
from skae._holding_out import fit_rows
from skae._model_files import information
from skae._principal_axes import principal_axes
from skae._rows import (
    StandardizedRows,
    StreamedBatches,
    StreamedRows,
    known_scatter,
    mean_and_scale,
    standardized,
)
from skae._seeding import torch_generator
from skae._sources import RowChoice, RowSource, all_rows, bytes_of, source_of
from skae.datasets import open_rows

N, P = 1200, 5
NAMES = [f"x{i}" for i in range(P)]
TINY = "14kB"  # of which 145 rows are shuffled at one time


def curved_rows(n_rows=N, seed=0):
    random = np.random.RandomState(seed)
    t = random.uniform(-2, 2, size=(n_rows, 2))
    columns = [t[:, 0], t[:, 1], np.sin(2 * t[:, 0]), t[:, 0] * t[:, 1], np.cos(t[:, 1])]
    return np.column_stack(columns) + 0.05 * random.normal(size=(n_rows, P))


X = curved_rows()
WITH_HOLES = np.where(np.random.RandomState(1).uniform(size=X.shape) < 0.05, np.nan, X)


def in_chunks(rows, size=40):
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def quick(n_components=2, **how):
    default = {"hidden_layer_sizes": (16, 8), "init": "pca", "noise": None, "max_iter": 3}
    return AutoencoderTransformer(n_components, **{**default, "random_state": 0, **how})


def streamed(rows=X, size=40, memory=TINY):
    source = open_rows(in_chunks(rows, size), memory=memory)
    assert not source.fits
    return source


# What rows are read from


def npy_file(rows, folder):
    np.save(folder / "rows.npy", rows)
    return folder / "rows.npy"


def memory_map(rows, folder):
    return np.load(npy_file(rows, folder), mmap_mode="r")


def fortran_map(rows, folder):
    return memory_map(np.asfortranarray(rows), folder)


def parquet_file(rows, folder, name="rows.parquet", names=NAMES):
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pa.table(dict(zip(names, rows.T, strict=True)))
    parquet.write_table(table, folder / name, row_group_size=50)
    return folder / name


def parquet_folder(rows, folder):
    for number, part in enumerate(np.array_split(rows, 3)):
        parquet_file(part, folder, f"part-{number}.parquet")
    return folder


def parquet_dataset(rows, folder):
    dataset = pytest.importorskip("pyarrow.dataset")
    return dataset.dataset(parquet_folder(rows, folder))


def hdf5_file(rows, folder):
    h5py = pytest.importorskip("h5py")
    with h5py.File(folder / "rows.h5", "w") as file:
        file.create_dataset("X", data=rows, chunks=(50, P))
        file.create_dataset("y", data=np.arange(len(rows)))
    return folder / "rows.h5"


def hdf5_array(rows, folder):
    h5py = pytest.importorskip("h5py")
    return h5py.File(hdf5_file(rows, folder), "r")["X"]


def zarr_array(rows, folder):
    zarr = pytest.importorskip("zarr")
    array = zarr.open(
        str(folder / "rows.zarr"), mode="w", shape=rows.shape, chunks=(50, P), dtype=rows.dtype
    )
    array[:] = rows
    return array


def zarr_folder(rows, folder):
    zarr_array(rows, folder)
    return folder / "rows.zarr"


def dask_array(rows, folder):
    return pytest.importorskip("dask.array").from_array(rows, chunks=(50, P))


def chunks(rows, folder):
    return in_chunks(rows)


def sparse_chunks(rows, folder):
    return [sp.csr_array(rows[:700]), sp.csr_array(rows[700:])]


class Generated:
    """Chunks that are made when they are asked for."""

    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return -(-len(self.rows) // 50)

    def __getitem__(self, number):
        return self.rows[50 * number : 50 * (number + 1)].copy()


def own_sequence(rows, folder):
    return Generated(rows)


ENGINES = [
    npy_file,
    memory_map,
    fortran_map,
    parquet_file,
    parquet_folder,
    parquet_dataset,
    hdf5_file,
    hdf5_array,
    zarr_array,
    zarr_folder,
    dask_array,
    chunks,
    sparse_chunks,
    own_sequence,
]


@pytest.fixture(params=ENGINES, ids=lambda engine: engine.__name__)
def engine(request):
    return request.param


@pytest.fixture(scope="module")
def fitted():
    return quick().fit(X)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_source_has_the_rows_of_the_array(engine, dtype, tmp_path):
    rows = X.astype(dtype)
    key = "X" if engine is hdf5_file else None
    source = open_rows(engine(rows, tmp_path), memory="30kB", key=key)
    assert source.shape == rows.shape
    assert len(source) == N
    assert source.dtype == dtype
    assert np.array_equal(source[:], rows)
    assert np.array_equal(np.concatenate([*source.blocks()]), rows)
    some = np.random.RandomState(0).permutation(N)[:30]
    assert np.array_equal(source[some], rows[some])
    assert np.array_equal(source[100:7:-3], rows[100:7:-3])
    assert np.array_equal(source[rows[:, 0] > 0], rows[rows[:, 0] > 0])
    assert np.array_equal(source[-1], rows[-1])
    assert "read a block at a time" in repr(source)


def test_a_copy_of_a_source_reads_the_same_rows(engine, tmp_path):
    key = "X" if engine is hdf5_file else None
    names = [f"x{i}" for i in (3, 1)] if engine.__name__.startswith("parquet") else [3, 1]
    source = open_rows(engine(X, tmp_path), memory=TINY, key=key, columns=names)
    source[:100]
    for other in (copy.deepcopy(source), pickle.loads(pickle.dumps(source))):
        assert np.array_equal(other[:], X[:, [3, 1]])
        assert repr(other) == repr(source)


@pytest.mark.parametrize("part", [np.s_[100:900], np.s_[900:100:-2, 1:], np.s_[::3]])
@pytest.mark.parametrize("mode", ["r", "r+", "c"])
@pytest.mark.parametrize("offset", [0, 8, 20_000])
def test_a_copy_of_a_part_of_a_map_is_that_part(part, mode, offset, tmp_path):
    (tmp_path / "rows").write_bytes(bytes(offset) + X[:1000].tobytes())
    rows = np.memmap(tmp_path / "rows", X.dtype, mode, offset=offset, shape=(1000, P))[part]
    if mode == "c":
        rows[0] = 3.0
    source = open_rows(rows, memory="2kB")
    again = copy.deepcopy(copy.deepcopy(source))
    assert np.array_equal(again[:], rows)
    assert isinstance(again._engine.array.base, np.memmap) is (mode != "c")


def test_rows_to_hold_out_may_be_of_a_file(tmp_path):
    rows = open_rows(npy_file(X, tmp_path), columns=range(P))
    fits = [clone(quick(max_iter=1, validation_fraction=some)).fit(X) for some in (rows, X)]
    assert fits[0].validation_loss_curve_ == fits[1].validation_loss_curve_


@pytest.mark.parametrize("kind", [npy_file, parquet_file, own_sequence])
def test_threads_read_the_rows_that_they_ask_for(kind, tmp_path):
    source = open_rows(kind(X, tmp_path), memory="2kB")
    mapped = source.mapped(lambda rows: -rows)

    def is_right(seed):
        random = np.random.RandomState(seed)
        for start in random.randint(N - 40, size=20):
            rows = (source, mapped)[seed % 2][start : start + 40]
            if not np.array_equal(rows, (-1) ** seed * X[start : start + 40]):
                return False
        return True

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(is_right, range(8)))
    finally:
        sys.setswitchinterval(interval)


def test_rows_are_taken_as_scikit_learn_does(tmp_path):
    source = open_rows(npy_file(X[:240], tmp_path), memory=TINY)
    folds = KFold(2)
    scores = cross_val_score(quick(max_iter=1), source, cv=folds)
    np.testing.assert_array_equal(scores, cross_val_score(quick(max_iter=1), X[:240], cv=folds))
    some = np.array([-2, 100], dtype=np.int8)
    assert np.array_equal(source[some, ...], X[:240][some])
    assert np.array_equal(source[np.array([200], dtype=np.uint8)], X[200:201])
    assert source[[]].shape == (0, P)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (np.s_[:, 0], "taken by one index"),
        (np.s_[1, 2, 3], "taken by one index"),
        (np.ones(N - 1, dtype=bool), rf"shape \({N - 1},\) is none of {N} rows; .* mask of shape"),
        ([0.5], "dtype float64"),
        (["a"], "whole numbers"),
        ([[1, 2]], r"shape \(1, 2\)"),
        ([N], f"not all of {N} rows"),
    ],
)
def test_what_is_no_index_of_rows_is_refused(index, message):
    with pytest.raises(IndexError, match=message):
        streamed()[index]


def test_what_fits_is_fitted_as_the_array_is_to_the_bit(engine, tmp_path, fitted):
    source = open_rows(engine(X, tmp_path), key="X" if engine is hdf5_file else None)
    assert source.fits
    other = quick().fit(source)
    codes = fitted.transform(X)
    assert np.array_equal(other.transform(source), codes)
    assert other.score(source) == fitted.score(X)


@pytest.mark.parametrize("kind", [parquet_file, hdf5_array, zarr_array, dask_array])
def test_what_does_not_fit_is_fitted_alike_from_whatever_it_is_read(kind, tmp_path):
    source, expected = open_rows(kind(X, tmp_path), memory="20kB"), streamed(X, 50, "20kB")
    assert not source.fits
    one, other = (quick().fit(rows) for rows in (source, expected))
    assert one.validation_loss_curve_ == other.validation_loss_curve_


@pytest.mark.parametrize("given", [memory_map, parquet_dataset, hdf5_array, zarr_array, dask_array])
def test_arrays_that_are_not_in_memory_are_taken_as_they_are(given, tmp_path, fitted):
    data = given(X, tmp_path)
    assert isinstance(source_of(data), RowSource)
    other = quick().fit(data)
    assert np.array_equal(other.transform(data), fitted.transform(X))


def test_a_large_memory_map_is_no_array(tmp_path, monkeypatch):
    rows = np.memmap(tmp_path / "rows", dtype=np.float32, mode="w+", shape=(10_000_000, 30))
    assert not source_of(rows).fits
    assert source_of(rows[:1000]).fits


def test_columns_are_taken_by_their_names_or_numbers(tmp_path):
    source = open_rows(parquet_file(X, tmp_path), columns=["x3", "x0"])
    assert source.feature_names == ["x3", "x0"]
    assert np.array_equal(source[:], X[:, [3, 0]])
    source = open_rows(in_chunks(X), columns=[3, -5])
    assert np.array_equal(source[:], X[:, [3, 0]])


def test_names_of_columns_are_learnt_and_held_against_those_of_new_rows(tmp_path):
    autoencoder = quick().fit(open_rows(parquet_file(X, tmp_path)))
    assert autoencoder.feature_names_in_.tolist() == NAMES
    other = parquet_file(X, tmp_path, "other.parquet", [*NAMES[:-1], "new"])
    for memory in ("1GB", "20kB"):
        with pytest.raises(ValueError, match="feature names should match"):
            autoencoder.transform(open_rows(other, memory=memory))
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        autoencoder.transform(streamed())


def test_integers_flags_and_nulls_of_parquet_are_numbers(tmp_path):
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = pa.table({"i": [1, None, 3], "b": [True, False, None], "f": [0.5, None, 2.0]})
    parquet.write_table(table, tmp_path / "mixed.parquet")
    rows = open_rows(tmp_path / "mixed.parquet")[:]
    nan = np.nan
    np.testing.assert_array_equal(rows, [[1, 1, 0.5], [nan, 0, nan], [3, nan, 2]])


def test_rows_are_saved_as_a_file_from_which_any_can_be_read(tmp_path):
    streamed().save(tmp_path / "rows.npy")
    assert np.array_equal(np.load(tmp_path / "rows.npy"), X)
    assert open_rows(tmp_path / "rows.npy").shape == X.shape


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [(1000, 1000), ("1GB", 10**9), ("1.5 MiB", 3 * 2**19), ("2k", 2000), ("12b", 12)],
)
def test_memory_is_a_number_of_bytes_or_text(text, n_bytes):
    assert bytes_of(text) == n_bytes


@pytest.mark.parametrize("memory", ["much", "1.2.3MB", "", 0, -1, None, True])
def test_memory_that_is_no_number_of_bytes_is_refused(memory):
    with pytest.raises(ValueError, match="no number of bytes"):
        open_rows(in_chunks(X), memory=memory)


# Some of the rows, and what they sum up to


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_choice_of_rows_knows_their_places(share, monkeypatch):
    monkeypatch.setattr("skae._sources._source._SEGMENT", 16)
    mask = np.random.RandomState(0).uniform(size=100) < share
    choice, indices = RowChoice(100, mask), np.flatnonzero(mask)
    assert len(choice) == len(indices)
    assert np.array_equal(choice[:], indices)
    assert np.array_equal(choice[3:11], indices[3:11])
    assert np.array_equal(choice.between(7, 60), indices[(indices >= 7) & (indices < 60)])
    assert [choice.place_of(i) for i in range(100)] == [
        int((indices < i).sum()) for i in range(100)
    ]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("far", [0.0, 1e4])
def test_one_look_at_the_rows_gives_their_moments_and_axes(dtype, far):
    rows = (X + far).astype(dtype)
    mask = np.random.RandomState(0).uniform(size=N) < 0.7
    indices, weight = np.flatnonzero(mask), np.random.RandomState(1).uniform(0.5, 2, mask.sum())
    source, choice = streamed(rows), RowChoice(N, mask)
    expected = mean_and_scale(rows, indices, weight)
    mean, scale = mean_and_scale(source, choice, weight, scatter=True)
    tolerance = 1e-10 if dtype == np.float64 else 1e-7
    np.testing.assert_allclose(mean, expected[0], rtol=1e-6 if dtype == np.float32 else 1e-13)
    rounding = far * float(np.finfo(dtype).eps)
    assert scale == pytest.approx(expected[1], rel=max(10 * tolerance, rounding))
    axes = principal_axes(source, choice, weight, mean, 3)
    expected_axes = principal_axes(rows, indices, weight, expected[0], 3)
    near = max(100 * tolerance, 20 * rounding)
    np.testing.assert_allclose(axes, expected_axes, atol=near)
    assert known_scatter(source, choice, weight) is not None
    assert known_scatter(source, choice, weight.copy()) is None


def test_the_start_at_pca_takes_two_looks_at_the_rows():
    looks = []

    class Counted(Generated):
        def __getitem__(self, number):
            looks.append(number)
            return super().__getitem__(number)

    source = open_rows(Counted(X), memory="20kB")
    source.survey()
    looks.clear()
    rows = all_rows(source)
    weight = np.ones(N)
    mean, _ = mean_and_scale(source, rows, weight, scatter=True)
    principal_axes(source, rows, weight, mean, 2)
    assert looks == [*range(24)]


def test_without_training_it_is_pca():
    autoencoder = quick(early_stopping=False, learning_rate_init=1e-12, max_iter=1)
    codes = autoencoder.fit(streamed()).transform(X)
    expected = PCA(2).fit_transform(X) / autoencoder.scale_
    signs = np.sign((codes * expected).sum(axis=0))
    np.testing.assert_allclose(codes * signs, expected, atol=1e-5)


# Batches


def batches_of(rows, size, seed):
    return [*rows.batches(size, torch_generator(seed))]


def stream(rows=X, size=40, memory=TINY, weight=None):
    source = streamed(rows, size, memory)
    weight = np.broadcast_to(1.0, N) if weight is None else weight
    return StreamedRows(source, all_rows(source), weight, rows.mean(axis=0), 1.5)


@pytest.mark.parametrize("size", [1, 7, 32, 500])
def test_each_row_is_in_one_batch_of_an_epoch_and_batches_have_like_sizes(size):
    weight = np.random.RandomState(0).uniform(0.5, 2, N)
    rows = stream(weight=weight)
    batches = batches_of(rows, size, 0)
    expected = StandardizedRows(X, np.arange(N), weight, rows.mean, rows.scale)
    sizes = [len(Z) for Z, _ in batches]
    assert len(sizes) == len(expected.batches(size))
    assert max(sizes) - min(sizes) <= 1
    Z = torch.cat([Z for Z, _ in batches])
    weights = torch.cat([of_rows for _, (_, of_rows) in batches])
    order, expected_order = np.lexsort(Z.T.numpy()), np.lexsort(expected[:][0].T.numpy())
    assert torch.equal(Z[order], expected[:][0][expected_order])
    assert torch.equal(weights[order], expected.weight[expected_order])


def test_batches_mix_rows_from_all_over_the_set():
    place = np.repeat(np.arange(N, dtype=float)[:, None], P, axis=1)
    rows = stream(place)
    for Z, _ in batches_of(rows, 60, 0)[:-1]:
        place = Z[:, 0] * 1.5 + (N - 1) / 2
        assert len(torch.unique(place // 40)) >= 3  # of 30 blocks
        assert place.max() - place.min() > 300


def test_epochs_have_other_orders_and_a_seed_has_the_same():
    rows = stream()
    batches = rows.batches(32, torch_generator(0))
    first, second = (torch.cat([Z for Z, _ in batches]) for _ in range(2))
    assert not torch.equal(first, second)
    again = torch.cat([Z for Z, _ in rows.batches(32, torch_generator(0))])
    assert torch.equal(first, again)


def test_one_block_in_one_buffer_is_the_order_of_an_array():
    source = open_rows(X, memory="1GB")
    weight = np.ones(N)
    how = all_rows(source), weight, X.mean(axis=0), 1.5
    streamed_batches = batches_of(StreamedRows(source, *how), 32, 0)
    array_batches = batches_of(StandardizedRows(X, np.arange(N), *how[1:]), 32, 0)
    for (Z, target), (expected, expected_target) in zip(
        streamed_batches, array_batches, strict=True
    ):
        assert torch.equal(Z, expected)
        assert torch.equal(target[1], expected_target[1])


def test_without_shuffling_rows_come_in_their_order():
    rows = stream()
    Z = torch.cat([Z for Z, _ in rows.batches(32)])
    assert torch.equal(Z, StandardizedRows(X, np.arange(N), np.ones(N), rows.mean, 1.5)[:][0])


def test_what_fits_in_single_precision_is_read_once():
    source = open_rows(in_chunks(X), memory="80kB")
    assert not source.fits
    rows = standardized(source, all_rows(source), np.ones(N), np.zeros(P), 1.0)
    assert type(rows) is StandardizedRows
    source = streamed()
    rows = standardized(source, all_rows(source), np.ones(N), np.zeros(P), 1.0)
    assert type(rows) is StreamedRows
    assert isinstance(rows.batches(8, torch_generator(0)), StreamedBatches)


# What is held out


def test_equal_rows_are_on_one_side():
    rows = np.tile(X[:300], (4, 1))
    (split,) = fit_rows(streamed(rows, memory="90kB"), np.broadcast_to(1.0, N)).splits(0.2, 0)
    held_out = np.zeros(N, dtype=bool)
    held_out[split.validation.indices] = True
    assert np.array_equal(
        np.sort(np.r_[split.training.indices[:], split.validation.indices]), np.arange(N)
    )
    assert (held_out.reshape(4, 300) == held_out[:300]).all()
    assert 0.1 * N < held_out.sum() < 0.3 * N


def test_groups_are_held_out_as_one_and_rows_of_no_weight_not_at_all():
    groups, weight = np.arange(N) % 60, np.where(np.arange(N) % 5, 1.0, 0.0)
    (split,) = fit_rows(streamed(memory="90kB"), weight, groups=groups).splits(0.2, 0)
    training, validation = split.training.indices[:], split.validation.indices
    assert not set(groups[training]) & set(groups[validation])
    assert np.array_equal(np.sort(np.r_[training, validation]), np.flatnonzero(weight))
    assert np.array_equal(split.groups, groups[validation])


@pytest.mark.parametrize("seed", range(5))
def test_few_groups_are_held_out_as_in_memory_within_the_bound(seed):
    groups = np.arange(N) % 8
    source = streamed(memory="20kB")  # of which 56 rows may be held out, of groups of 150
    (split,) = fit_rows(source, np.broadcast_to(1.0, N), groups=groups).splits("auto", seed)
    training, validation = split.training.indices[:], split.validation.indices
    assert len(validation) == len(set(validation)) == source.n_held_out
    assert len({*groups[validation]}) == 1
    assert len(training) == N - 150
    assert not set(groups[training]) & set(groups[validation])


def test_groups_are_held_out_until_the_share_is_reached():
    weight, groups = np.where(np.arange(N) % 2, 1.0, 0.0), np.arange(N) % 40
    for seed in range(5):
        (split,) = fit_rows(streamed(memory="90kB"), weight, groups=groups).splits(0.25, seed)
        assert len(split.validation.indices) == 150
        assert len({*split.groups}) == 5


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kinds", [2, 8, 300])
def test_few_different_rows_are_held_out_within_the_bound(kinds, seed):
    rows = X[np.arange(N) % kinds]
    source = streamed(rows, memory="20kB")
    (split,) = fit_rows(source, np.broadcast_to(1.0, N)).splits("auto", seed)
    training, validation = rows[split.training.indices[:]], rows[split.validation.indices]
    assert 1 < len(validation) <= source.n_held_out == 56
    assert len(training) >= N / 2
    assert not {*training[:, 0]} & {*validation[:, 0]}


@pytest.mark.parametrize("weighed", [True, False])
def test_many_equal_rows_are_left_to_train_on(weighed):
    rows = X.copy()
    rows[np.arange(N) % 4 > 0] = 1.0
    weight = np.where(np.arange(N) % 5, 1.0, 0.0) if weighed else np.broadcast_to(1.0, N)
    source, seed = streamed(rows), 20  # of which the hash of the equal rows is below the share
    (split,) = fit_rows(source, weight).splits("auto", seed)
    validation = split.validation.indices
    assert 10 < len(validation) <= source.n_held_out
    assert (rows[validation] != 1.0).all()
    assert weight[validation].all()


def test_another_seed_holds_out_other_rows():
    rows = fit_rows(streamed(), np.broadcast_to(1.0, N))
    one, other = (rows.splits("auto", seed)[0].validation.indices for seed in (0, 1))
    assert not np.array_equal(one, other)


def test_no_more_rows_are_held_out_than_memory_has_room_for():
    source = streamed()
    (split,) = fit_rows(source, np.broadcast_to(1.0, N)).splits("auto", 0)
    assert len(split.validation.indices) <= source.n_held_out
    with pytest.raises(ValueError, match="which stay in memory, but 39 are as many"):
        quick(validation_fraction=0.3).fit(source)


# Fits


@pytest.mark.slow
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"early_stopping": False},
        {"init": "random"},
        {"loss": "huber"},
        {"noise": "gaussian", "penalty": "l1"},
        {"ordered": True},
        {"n_components": 0.8},
        {"latent_activation": "tanh"},
        {"shuffle": False},
        {"normalization": "batch", "early_stopping": False},
    ],
    ids=str,
)
def test_a_fit_to_a_source_explains_what_one_to_the_array_does(how):
    how = {"max_iter": 6, **how}
    of_array, of_source = quick(**how).fit(X), quick(**how).fit(streamed(memory="28kB"))
    assert of_source.score(X) == pytest.approx(of_array.score(X), abs=0.05)
    np.testing.assert_allclose(of_source.mean_, of_array.mean_, atol=0.02)


def test_log_losses_take_values_that_rounding_took_outside():
    rows = (X - X.min(axis=0)) / np.ptp(X, axis=0) * (1 + 1e-15)
    autoencoder = quick(loss="log_loss").fit(streamed(rows))
    assert autoencoder.score(rows) > 0.3
    with pytest.raises(ValueError, match="expects them in"):
        quick(loss="log_loss").fit(streamed(2 * rows))


def test_missing_values_are_masked():
    of_array = quick(missing="mask", max_iter=10).fit(WITH_HOLES)
    of_source = quick(missing="mask", max_iter=10).fit(streamed(WITH_HOLES))
    assert of_source.score(WITH_HOLES) == pytest.approx(of_array.score(WITH_HOLES), abs=0.03)
    source = streamed(WITH_HOLES)
    assert of_source.score(source) == pytest.approx(of_source.score(WITH_HOLES))
    np.testing.assert_allclose(of_source.score_samples(source), of_source.score_samples(WITH_HOLES))


def test_rows_of_no_weight_do_not_count():
    weight = np.where(np.arange(N) < 600, 1.0, 0.0)
    rows = np.concatenate([X[:600], 100 * X[600:]])
    one = quick(early_stopping=False).fit(streamed(rows), sample_weight=weight)
    np.testing.assert_allclose(one.mean_, X[:600].mean(axis=0))
    assert one.score(streamed(rows), sample_weight=weight) == pytest.approx(one.score(X[:600]))


def test_rows_of_the_users_are_held_out():
    new = curved_rows(200, seed=1)
    autoencoder = quick(validation_fraction=new, max_iter=10).fit(streamed())
    np.testing.assert_allclose(autoencoder.mean_, X.mean(axis=0))
    assert autoencoder.best_iter_ > 0


def test_methods_give_what_they_give_for_the_array(fitted):
    source = streamed()
    for name in ("transform", "reconstruction_error", "score_samples"):
        method = getattr(fitted, name)
        assert np.array_equal(method(source), method(X))
    assert np.array_equal(
        fitted.reconstruction_error(source, per_feature=True),
        fitted.reconstruction_error(X, per_feature=True),
    )
    assert fitted.score(source) == pytest.approx(fitted.score(X))
    codes = fitted.transform(X)
    of_codes = open_rows(in_chunks(codes), memory="8kB")
    assert np.array_equal(fitted.inverse_transform(of_codes), fitted.inverse_transform(codes))


def test_partial_fit_takes_an_epoch_of_a_source():
    autoencoder = quick().partial_fit(streamed())
    score = autoencoder.score(X)
    for _ in range(5):
        autoencoder.partial_fit(streamed())
    assert autoencoder.score(X) > score
    assert autoencoder.n_iter_ == 6


def test_a_fit_goes_on_from_another():
    autoencoder = quick(warm_start=True, early_stopping=False).fit(streamed())
    score = autoencoder.score(X)
    assert autoencoder.fit(streamed()).score(X) > score


def test_convolutions_learn_from_a_source_of_images_with_channels_last():
    random = np.random.RandomState(0)
    images = random.uniform(size=(300, 4 * 4 * 3))
    convolutional = ConvolutionalAutoencoderTransformer(
        2,
        image_shape={"height": 4, "width": 4, "channels": 3},
        channels=2,
        max_iter=1,
        init="pca",
        noise=None,
        random_state=0,
    )
    source = open_rows(in_chunks(images, 20), memory="70kB")
    assert not source.fits
    assert convolutional.fit(source).transform(source).shape == (300, 2)


def test_the_same_seed_gives_the_same_file(tmp_path):
    for number in range(2):
        save(quick().fit(streamed()), tmp_path / f"{number}.skae")
    assert (tmp_path / "0.skae").read_bytes() == (tmp_path / "1.skae").read_bytes()


KILLED = """
import os, signal, sys
import numpy as np
from skae import AutoencoderTransformer
from skae.datasets import open_rows

class Deadly:
    n_asked = 0

    def __len__(self):
        return 24

    def __getitem__(self, number):
        self.n_asked += 1
        if self.n_asked > int(sys.argv[3]):
            os.kill(os.getpid(), signal.SIGKILL)
        return X[50 * number : 50 * (number + 1)]

X = np.load(sys.argv[1])
AutoencoderTransformer(
    2,
    hidden_layer_sizes=(16, 8),
    init="pca",
    noise=None,
    early_stopping=False,
    max_iter=8,
    random_state=0,
    checkpoint=(sys.argv[2], 0),
).fit(open_rows(Deadly(), memory="20kB"))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_fit_that_is_killed_in_the_middle_of_an_epoch_is_gone_on_with(tmp_path):
    journal, n_asked = tmp_path / "fit.skae", []

    class Counted(Generated):
        def __getitem__(self, number):
            n_asked.append(number)
            return super().__getitem__(number)

    source = open_rows(Counted(X), memory="20kB")
    how = {"max_iter": 8, "early_stopping": False}
    expected = quick(**how).fit(source)
    middle = len(n_asked) - 3 * 24 - 12  # of the fourth epoch, after a look for the journal
    call = [sys.executable, "-c", KILLED, str(npy_file(X, tmp_path)), str(journal), str(middle)]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == -9, done.stderr
    assert "epoch 3 of 8" in information(journal)
    again = quick(**how, checkpoint=(str(journal), 0)).fit(source)
    assert not journal.exists()
    assert again.loss_curve_ == expected.loss_curve_
    assert np.array_equal(again.transform(X), expected.transform(X))


# What is refused


def text_column(folder):
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = pa.table({"a": [1.0, 2.0], "name": ["x", "y"], "day": pa.array([0, 1], pa.date32())})
    parquet.write_table(table, folder / "text.parquet")
    return folder / "text.parquet"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda _: open_rows(X.tolist()), ValueError, "Chunk 0 has shape"),
        (lambda _: open_rows([X[:9], X[:9, :3]]), ValueError, "Chunk 1 has 3 columns, but chunk 0"),
        (lambda _: open_rows([]), ValueError, "sequence of chunks is empty"),
        (lambda _: open_rows([X[:0]]), ValueError, "nothing to read"),
        (lambda _: open_rows(["a"]), ValueError, "Chunk 0 has shape"),
        (lambda _: open_rows([np.array([["a"]])]), ValueError, "numbers are needed"),
        (
            lambda _: open_rows(sp.csr_array(X)),
            ValueError,
            "sparse matrices are fitted as they are",
        ),
        (lambda _: open_rows(open_rows([X])), ValueError, "is open already"),
        (lambda _: open_rows("nowhere.npy"), FileNotFoundError, "no file 'nowhere.npy'"),
        (lambda _: open_rows(__file__), ValueError, "no ending that is known"),
        (lambda _: open_rows(X, columns=["a"]), ValueError, "columns without names"),
        (lambda _: open_rows(X, columns=[P]), ValueError, "has 5 columns without names"),
        (
            lambda folder: open_rows(text_column(folder)),
            ValueError,
            r"no numbers: 'name' \(string\), 'day' \(date32\[day\]\). Leave .* columns=\['a'\]",
        ),
        (
            lambda folder: open_rows(text_column(folder), columns=["b"]),
            ValueError,
            r"no column 'b'; it has \['a', 'name', 'day'\]",
        ),
    ],
)
def test_what_is_no_rows_of_numbers_is_refused(call, error, message, tmp_path):
    with pytest.raises(error, match=message):
        call(tmp_path)


@pytest.mark.parametrize(
    ("value", "message"),
    [(np.nan, "NaN: the first is in row 700, column 3"), (np.inf, "infinity: the first is in row")],
)
def test_what_can_not_be_learnt_from_is_named_by_its_row(value, message):
    rows = X.copy()
    rows[700, 3] = rows[900, 1] = value
    with pytest.raises(ValueError, match=message):
        quick().fit(streamed(rows))


def test_a_column_without_a_value_is_refused():
    holes = X.copy()
    holes[:, 2] = np.nan
    with pytest.raises(ValueError, match="X has no value in column 2"):
        quick(missing="mask").fit(streamed(holes))


@pytest.mark.parametrize(
    ("how", "given", "message"),
    [
        ({}, {"y": X + 1}, "rebuilt as themselves"),
        ({}, {"sample_weight": np.ones(3)}, "sample_weight"),
        ({"validation_fraction": streamed()}, {}, "too large to be held out"),
        ({"penalty": "neighbors"}, {}, "too large to have partners, which NeighborPreservation"),
        ({"pretrain": True}, {}, "pretrain=True keeps the codes"),
    ],
)
def test_what_needs_all_rows_at_once_is_refused(how, given, message):
    with pytest.raises(ValueError, match=message):
        quick(**how).fit(streamed(), **given)


def test_rows_to_hold_out_of_an_array_have_to_fit():
    with pytest.raises(ValueError, match="too large to be held out"):
        quick(validation_fraction=streamed()).fit(X)


def test_frames_of_dask_are_not_gathered():
    dd, pd = pytest.importorskip("dask.dataframe"), pytest.importorskip("pandas")
    frame = dd.from_pandas(pd.DataFrame(X, columns=NAMES), npartitions=3)
    for call in (quick().fit, open_rows):
        with pytest.raises(ValueError, match=r"to_dask_array\(\s*lengths=True\).*map_partitions"):
            call(frame)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (str, "X is the path '.*rows.npy'; open it"),
        (lambda path: path, "X is the path '.*rows.npy'; open it"),
        (lambda _: [X[:500], X[500:1000]], "a list of 2 arrays .* are chunks of rows, open them"),
        (lambda _: (sp.csr_array(X), sp.csr_array(X)), "a tuple of 2 arrays"),
        (lambda _: Generated(X), "X is Generated, which has a length and items but is no array"),
    ],
)
def test_what_is_to_be_opened_is_not_taken_for_rows(given, message, fitted, tmp_path):
    rows = given(npy_file(X, tmp_path))
    for call in (quick().fit, fitted.transform, fitted.score, fitted.inverse_transform):
        with pytest.raises(ValueError, match=rf"{message}.*skae\.datasets\.open_rows\(X\)"):
            call(rows)


def test_lists_of_rows_are_rows(fitted):
    codes = fitted.transform(X[:9])
    tensors = [torch.from_numpy(x) for x in X[:9]]
    for rows in (X[:9].tolist(), list(X[:9]), tuple(X[:9]), deque(X[:9]), tensors, X[:9].data):
        np.testing.assert_array_equal(fitted.transform(rows), codes)


def test_splitters_are_refused():
    with pytest.raises(ValueError, match="held out by a hash of each"):
        quick(validation_fraction=KFold(3)).fit(streamed())


def test_rows_that_are_all_equal_can_not_be_held_out():
    with pytest.raises(ValueError, match=r"equal rows .* go together"):
        quick().fit(streamed(np.ones((N, P))))


@pytest.mark.parametrize(
    "estimator",
    [
        VariationalAutoencoderTransformer(2, max_iter=1),
        AutoencoderOutlierDetector(quick(max_iter=1)),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_estimators_that_need_all_rows_take_a_source_that_fits(estimator):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        clone(estimator).fit(open_rows(in_chunks(X)))
    with pytest.raises(
        ValueError, match=f"too large to be fitted or given to {type(estimator).__name__}"
    ):
        clone(estimator).fit(streamed())


def test_rows_of_a_source_of_other_columns_are_refused(fitted):
    with pytest.raises(
        ValueError, match="X has 4 features, but AutoencoderTransformer is expecting 5"
    ):
        fitted.transform(streamed(X[:, :4]))


def test_pieces_that_are_too_large_to_be_mixed_are_refused_in_training_only(tmp_path):
    source = open_rows([X[:600], X[600:]], memory=TINY)
    with pytest.raises(ValueError, match=r"pieces of up to 600 rows, .*Allow at least"):
        quick().fit(source)
    assert np.array_equal(source[:], X)
    assert quick().fit(X).transform(source).shape == (N, 2)


def test_too_many_columns_for_a_scatter_matrix_are_refused():
    wide = np.random.RandomState(0).normal(size=(40, 2500)).astype(np.float32)
    source = open_rows(in_chunks(wide, 2), memory="400kB")
    with pytest.raises(ValueError, match="whose scatter matrix takes 50,000,000 bytes"):
        quick(early_stopping=False).fit(source)


@pytest.mark.parametrize("kind", [npy_file, parquet_file])
def test_a_file_that_changes_is_noticed(kind, tmp_path):
    path = kind(X, tmp_path)
    source = open_rows(path, memory=TINY)
    source[0]
    os.utime(path, ns=(0, 0))
    with pytest.raises(ValueError, match="has changed since it was opened"):
        source[N - 1]


@pytest.mark.parametrize("kind", [memory_map, hdf5_file, hdf5_array])
def test_a_file_that_changes_is_noticed_behind_an_array(kind, tmp_path):
    source = open_rows(kind(X, tmp_path), memory=TINY, key="X" if kind is hdf5_file else None)
    source[0]
    (path,) = tmp_path.iterdir()
    os.utime(path, ns=(0, 0))
    with pytest.raises(ValueError, match=r"rows\.\w+' has changed since it was opened"):
        source[N - 1]


def test_a_map_without_a_file_is_read(tmp_path):
    rows = memory_map(X, tmp_path)
    (tmp_path / "rows.npy").unlink()
    source = open_rows(rows, memory=TINY)
    assert np.array_equal(source[:], X)
    assert np.array_equal(copy.deepcopy(source)[:], X)


def test_chunks_that_change_are_noticed():
    rows = in_chunks(X)
    source = open_rows(rows, memory=TINY)
    rows[3] = rows[3][:-1]
    with pytest.raises(ValueError, match="Chunk 3 has 39 rows, and had 40"):
        source[:]


def test_a_missing_package_is_named(monkeypatch, tmp_path):
    (tmp_path / "rows.h5").touch()
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r"Reading HDF5 needs h5py.*pip install 'skae\[scale\]'"):
        open_rows(tmp_path / "rows.h5")


def test_the_array_of_hdf5_is_named(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "two.h5", "w") as file:
        file["a"], file["b"] = X, X[:, :2]
    assert open_rows(tmp_path / "two.h5", key="b").shape == (N, 2)
    with pytest.raises(ValueError, match=r"has the arrays of rows \['a', 'b'\]"):
        open_rows(tmp_path / "two.h5")


def test_the_arrays_of_a_group_are_named(tmp_path):
    h5py, zarr = pytest.importorskip("h5py"), pytest.importorskip("zarr")
    with h5py.File(tmp_path / "group.h5", "w") as file:
        file["days/a"], file["days/b"], file["days/c"] = X, X[:, :2], X[:, 0]
    root = zarr.open_group(str(tmp_path / "group.zarr"), mode="w")
    root["days/a"] = X
    root["days/b"] = X[:, :2]
    for path in (tmp_path / "group.h5", tmp_path / "group.zarr"):
        for key in ("days", "nothing", None):
            with pytest.raises(ValueError, match=r"arrays of rows \['days/a', 'days/b'\]"):
                open_rows(path, key=key)
        assert np.array_equal(open_rows(path, key="days/a")[:], X)
    with h5py.File(tmp_path / "group.h5") as file:
        for call in (open_rows, quick().fit):
            for given in (file, root):
                with pytest.raises(ValueError, match=r"no array .* \['days/a', 'days/b'\];"):
                    call(given)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_chunks_with_names_have_the_same_in_the_same_order(library):
    frames = pytest.importorskip(library)
    one = frames.DataFrame({"a": X[:500, 0], "b": X[:500, 1]})
    assert np.array_equal(open_rows([one, one])[500:], X[:500, :2])
    with pytest.raises(ValueError, match=r"Chunk 1 has the columns \['b', 'a'\], but chunk 0 has"):
        open_rows([one, one[["b", "a"]]])
    with pytest.raises(ValueError, match=r"Chunk 1 has the columns None"):
        open_rows([one, X[:, :2]])


def test_integers_of_a_memory_map_are_read_as_float64(tmp_path):
    pixels = np.random.RandomState(0).randint(0, 255, size=(500, 4), dtype=np.uint8)
    source = open_rows(npy_file(pixels, tmp_path), memory="9kB")
    assert source.dtype == np.float64
    assert np.array_equal(source[:], pixels)
    assert np.array_equal(validated_rows(quick(), source, reset=True)[3:7], pixels[3:7])


# Files of Parquet that are several, or parts of them


def written_by_pandas(folder, name="rows.parquet", **how):
    pd, _ = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    frame = pd.DataFrame(X[:100, :3], columns=["a", "b", "c"], **how)
    frame.to_parquet(folder / name)
    return frame


@pytest.mark.parametrize("memory", ["1GB", "2kB"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop(columns="b"), r"1.parquet' has 0 columns 'b'.*\['a', 'c'\]"),
        (
            lambda frame: frame.assign(b="x"),
            r"'b' of .*1.parquet' is no number \((large_)?string\), but .* one .* \(double\)",
        ),
    ],
)
def test_a_file_of_other_columns_than_the_first_is_refused(change, message, memory, tmp_path):
    change(written_by_pandas(tmp_path, "0.parquet")).to_parquet(tmp_path / "1.parquet")
    with pytest.raises(ValueError, match=message):
        open_rows(tmp_path, memory=memory)
    assert np.array_equal(open_rows(tmp_path, columns=["c"])[100:], X[:100, 2:3])


@pytest.mark.parametrize("memory", ["1GB", "2kB"])
def test_files_of_several_types_of_numbers_are_read_in_the_larger(memory, tmp_path):
    frame = written_by_pandas(tmp_path, "1.parquet")
    frame.astype("float32").to_parquet(tmp_path / "0.parquet")
    frame.assign(a=None, b=range(100)).to_parquet(tmp_path / "2.parquet")
    rows = open_rows(tmp_path, memory=memory)
    assert rows.dtype == np.float64
    assert np.array_equal(rows[100:200], frame)
    assert np.isnan(rows[200:][:, 0]).all()
    assert np.array_equal(rows[200:][:, 1], range(100))


@pytest.mark.parametrize("memory", ["1GB", "2kB"])
def test_the_value_of_a_partition_is_that_of_all_its_rows(memory, tmp_path):
    pa, dataset = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.dataset")
    table = pa.table({"year": np.repeat([2020, 2021], 50), "a": X[:100, 0], "b": X[:100, 1]})
    dataset.write_dataset(
        table, tmp_path, format="parquet", partitioning=["year"], partitioning_flavor="hive"
    )
    rows = open_rows(
        dataset.dataset(tmp_path, partitioning="hive"), columns=["year", "b"], memory=memory
    )
    assert np.array_equal(rows[:], np.column_stack([table["year"], table["b"]]))
    assert np.array_equal(rows[[99, 3]], [[2021, X[99, 1]], [2020, X[3, 1]]])


@pytest.mark.parametrize("memory", ["1GB", "300"])
def test_large_integers_are_rounded_beside_nulls_as_without(memory, tmp_path):
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = pa.table({"a": pa.array([2**60 + 1, None] * 30), "b": pa.array([2**60 + 1] * 60)})
    parquet.write_table(table, tmp_path / "large.parquet")
    rows = open_rows(tmp_path / "large.parquet", memory=memory)[:]
    assert (rows[::2, 0] == rows[::2, 1]).all()


def test_a_part_of_a_file_is_read_and_a_filter_refused(tmp_path):
    dataset = pytest.importorskip("pyarrow.dataset")
    whole = dataset.dataset(parquet_file(X, tmp_path))
    (file,) = whole.get_fragments()
    how = whole.schema, whole.format, whole.filesystem
    some = dataset.FileSystemDataset([file.subset(row_group_ids=[1, 3])], *how)
    assert np.array_equal(open_rows(some)[:], np.concatenate([X[50:100], X[150:200]]))
    with pytest.raises(ValueError, match="has a filter"):
        quick().fit(whole.filter(dataset.field("x0") > 0))


@pytest.mark.parametrize("name", ["__index_level_0__", "day"])
def test_the_index_of_a_frame_is_no_column_unless_it_is_asked_for(name, tmp_path):
    pd = pytest.importorskip("pandas")
    index = pd.Index(np.arange(100.0)[::-1], name=None if name.startswith("_") else name)
    written_by_pandas(tmp_path, index=index)
    rows = open_rows(tmp_path / "rows.parquet")
    assert rows.feature_names == ["a", "b", "c"]
    asked_for = open_rows(tmp_path / "rows.parquet", columns=[name, "a"])
    assert np.array_equal(asked_for[:], np.column_stack([index, X[:100, 0]]))


# Memory

LIMITED = """
import resource, sys
import numpy as np
from skae import AutoencoderTransformer
from skae.datasets import open_rows

def now():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmData")) * 1024

path, memory, limit = sys.argv[1], sys.argv[2], int(sys.argv[3])
estimator = AutoencoderTransformer(
    2, hidden_layer_sizes=(8,), max_iter=1, batch_size=1024, random_state=0
)
some = open_rows(path, memory=memory)[:2000]
warmed = open_rows([some[i : i + 50] for i in range(0, 2000, 50)], memory="300kB")
estimator.fit(warmed).transform(warmed)
X = open_rows(path, memory=memory)
limit += now()
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
estimator.fit(X)
print(estimator.transform(X).shape)
try:
    X[:]
except MemoryError:
    print("the limit holds")
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA")
@pytest.mark.parametrize("kind", ["npy", "parquet"])
def test_a_fit_takes_a_quarter_of_the_memory_of_its_rows(kind, tmp_path):
    random = np.random.RandomState(0)
    rows = np.resize(random.normal(size=(4001, 80)), (200_000, 80))
    if kind == "npy":
        np.save(tmp_path / "rows.npy", rows)
    else:
        pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        table = pa.table({f"x{i}": rows[:, i] for i in range(80)})
        how = {"row_group_size": 1500, "use_dictionary": False, "compression": "none"}
        parquet.write_table(table, tmp_path / "rows.parquet", **how)
    call = [sys.executable, "-c", LIMITED, str(tmp_path / f"rows.{kind}"), "10MB"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*call, str(rows.nbytes // 4)], capture_output=True, text=True, env=environment, check=False
    )
    assert done.stdout == "(200000, 2)\nthe limit holds\n", done.stderr


# Blocks of Dask


class CountingStore:
    """What blocks are stored in, which only counts them."""

    def __init__(self):
        self.n_rows = []

    def __setitem__(self, place, block):
        self.n_rows.append(len(block))


def test_blocks_of_dask_are_transformed_one_by_one_and_none_is_gathered():
    da = pytest.importorskip("dask.array")
    n_blocks, n_rows = 30, 4000
    autoencoder = quick().fit(X)
    made = []

    def block(block_id):
        made.append(block_id)
        return np.full((n_rows, P), block_id[0] / n_blocks)

    rows = da.map_blocks(
        block, chunks=((n_rows,) * n_blocks, (P,)), dtype=float, meta=np.empty((0, P))
    )
    codes = rows.map_blocks(
        autoencoder.transform, chunks=(rows.chunks[0], (2,)), meta=np.empty((0, 2))
    )
    assert codes.shape == (n_blocks * n_rows, 2)
    assert made == []
    store = CountingStore()
    codes[:9].compute(scheduler="synchronous")  # which imports what it needs
    tracemalloc.start()
    codes.store(store, scheduler="synchronous", lock=False)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert store.n_rows == [n_rows] * n_blocks
    assert peak < n_blocks * n_rows * P * 8 / 5
    first = codes[:n_rows].compute(scheduler="synchronous")
    np.testing.assert_array_equal(first, autoencoder.transform(np.zeros((n_rows, P))))


def test_partitions_of_a_dask_frame_are_transformed_to_frames():
    dd = pytest.importorskip("dask.dataframe")
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(X, columns=NAMES)
    autoencoder = quick(max_iter=1).set_output(transform="pandas").fit(table)
    frame = dd.from_pandas(table, npartitions=3)
    codes = frame.map_partitions(autoencoder.transform, meta=autoencoder.transform(table[:1]))
    pd.testing.assert_frame_equal(codes.compute(), autoencoder.transform(table))


def test_a_chunk_of_which_parts_are_read_is_asked_for_once():
    asked = []

    class Asked:
        def __len__(self):
            return 2

        def __getitem__(self, number):
            asked.append(number)
            return X[number * 500 : (number + 1) * 500]

    rows = open_rows(Asked(), memory=X[:500].nbytes)
    assert rows.n_blocks > 4
    asked.clear()
    assert np.array_equal(np.concatenate([*rows.blocks()]), X[:1000])
    assert asked == [0, 1]


def test_a_chunk_of_dask_of_which_parts_are_read_is_computed_once():
    dask = pytest.importorskip("dask.array")
    computed = []

    def of_chunk(block):
        computed.append(len(block))
        return block

    array = dask.from_array(X[:1000], chunks=(500, -1)).map_blocks(
        of_chunk, dtype=X.dtype, meta=np.empty((0, 0))
    )
    rows = open_rows(array, memory=X[:500].nbytes)
    assert rows.n_blocks > 4
    assert np.array_equal(np.concatenate([*rows.blocks()]), X[:1000])
    assert computed == [500, 500]
