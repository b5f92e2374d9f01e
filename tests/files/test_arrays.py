"""Files of arrays and columns: .npy, .npz and .parquet."""

import os
import pickle
import re
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from sklearn.datasets import load_iris

from skae._files import BadInput, Form, Wanted, read_table

IRIS = load_iris(as_frame=True)
X, y = IRIS.data.to_numpy(), IRIS.target.to_numpy()
SPECIES = IRIS.target_names[y]


def read(path, target=None, drop=()):
    return read_table(path, Wanted(target, tuple(drop)), Form())


# .npy and .npz


def test_npy_is_rows_and_images_become_rows(tmp_path):
    path = tmp_path / "rows.npy"
    np.save(path, np.column_stack([X, y]))
    table = read(path, target="4")
    np.testing.assert_array_equal(table.X, X)
    np.testing.assert_array_equal(table.y, y)
    np.save(path, np.zeros((12, 2, 3), dtype=np.uint8))
    table = read(path)
    assert (table.X.shape, table.X.dtype) == ((12, 6), np.uint8)


def test_an_array_with_holes_is_a_table(tmp_path):
    path = tmp_path / "rows.npy"
    np.save(path, [[1, np.nan], [2, 3]])
    table = read(path)
    assert list(table.X.columns) == ["0", "1"]
    np.testing.assert_array_equal(table.X, [[1, np.nan], [2, 3]])


@pytest.mark.parametrize(
    ("arrays", "target", "called"),
    [
        ({"X": X, "y": SPECIES}, None, "'y'"),
        ({"data": X, "target": SPECIES}, None, "'target'"),
        ({"X": X, "species": SPECIES}, "species", "'species'"),
        ({"rows": np.column_stack([X, y])}, "4", "4"),
    ],
)
def test_npz_has_its_arrays_by_name(tmp_path, arrays, target, called):
    path = tmp_path / "rows.npz"
    np.savez(path, **arrays)
    table = read(path, target=target)
    np.testing.assert_array_equal(table.X, X)
    np.testing.assert_array_equal(table.y, y if target == "4" else SPECIES)
    assert table.target == called


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.full((20, 2), "a"), "numbers are needed"),
        (np.zeros(20), "rows and columns are needed"),
        (np.full((20, 2), np.nan), "no column of features .0: no values; 1: no values"),
    ],
)
def test_an_array_that_is_no_table_is_refused(tmp_path, array, words):
    np.save(tmp_path / "rows.npy", array)
    with pytest.raises(BadInput, match=words):
        read(tmp_path / "rows.npy")


class Harm:
    """What a pickle runs when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("name", ["rows.npy", "rows.npz", "pickle.npy", "pickle.csv"])
def test_a_pickle_in_a_file_of_data_is_refused_and_not_run(name, tmp_path):
    path, trace = tmp_path / name, tmp_path / "trace"
    if name.startswith("rows"):
        write = np.save if name.endswith("npy") else np.savez
        write(path, np.array([[Harm(trace)]], dtype=object))
    else:
        path.write_bytes(pickle.dumps(Harm(trace)))
    with pytest.raises(BadInput, match=name):
        read(path)
    assert not trace.exists()


@pytest.mark.parametrize("name", ["rows.npy", "rows.npz", "rows.parquet"])
def test_options_of_text_are_an_error_for_arrays(tmp_path, name):
    with pytest.raises(BadInput, match=r"--header, .* and --encoding are for files of text"):
        read_table(tmp_path / name, Wanted(), Form(header=True))


# .parquet


@pytest.fixture(params=["polars", "pandas"])
def read_by(request, monkeypatch):
    """Return a function that reads with one of the libraries, as if the other were not there."""
    absent = {"polars": "pandas", "pandas": "polars"}[request.param]

    def read_by(path, **wanted):
        monkeypatch.setitem(sys.modules, absent, None)
        return read(path, **wanted)

    return read_by


def test_parquet_is_read_by_polars_or_pandas(tmp_path, read_by):
    path = tmp_path / "rows.parquet"
    frame = IRIS.data.assign(flag=y > 0, species=SPECIES)
    frame.to_parquet(path)
    table = read_by(path, target="species")
    np.testing.assert_array_equal(table.X, np.column_stack([X, y > 0]))
    np.testing.assert_array_equal(table.y, SPECIES)
    assert table.target == "'species' (5)"


def test_an_index_in_parquet_is_no_feature(tmp_path, read_by):
    path = tmp_path / "rows.parquet"
    IRIS.data.sample(50, random_state=0).to_parquet(path)
    assert read_by(path).X.shape == (50, 4)


def test_names_that_repeat_in_parquet_are_more_than_the_reader_takes(tmp_path):
    path = tmp_path / "rows.parquet"
    columns = [pa.array([1.0, 2.0]), pa.array([3.0, None]), pa.array([5.0, 6.0])]
    pyarrow.parquet.write_table(pa.Table.from_arrays(columns, ["x", "x", "y"]), path)
    with pytest.raises(BadInput, match=r"can't be read as Parquet by polars: .*'x'"):
        read(path)


def test_a_reader_that_loses_columns_of_one_name_is_not_used(tmp_path, monkeypatch):
    path = tmp_path / "rows.parquet"
    IRIS.data.to_parquet(path)
    monkeypatch.setattr("polars.__version__", "1.40.1")
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(BadInput, match=r"needs polars 1.41 or newer"):
        read(path)


@pytest.mark.parametrize(
    ("column", "kind", "numbers"),
    [
        ([1.0, None], "number", [1, np.nan]),
        (pd.array([1, None], dtype="Int64"), "number", [1, np.nan]),
        (pd.array([True, None], dtype="boolean"), "category", [1, np.nan]),
        ([None, "x"], "category", [np.nan, 0]),
        (pd.Categorical(["x", "y"]), "category", [0, 1]),
        (pd.to_datetime(["1970-01-01", "1970-01-02"]), "date", [0, 86400]),
    ],
)
def test_a_column_of_parquet_may_have_holes_words_flags_and_dates(
    tmp_path, read_by, column, kind, numbers
):
    path = tmp_path / "rows.parquet"
    pd.DataFrame({"a": column, "b": 1}).to_parquet(path)
    table = read_by(path)
    assert table.columns[0].kind == kind
    np.testing.assert_array_equal(table.columns[0].numbers, numbers)
    assert list(table.X.columns) == ["a", "b"]


@pytest.mark.parametrize(
    ("column", "why"),
    [
        ([f"name {i}" for i in range(30)], "30 different words in 30 rows"),
        (pd.to_timedelta(range(30), unit="h"), "of the type "),
        ([[i] for i in range(30)], "of the type |holds "),
    ],
)
def test_a_column_of_parquet_that_can_not_be_a_feature_is_left_out(tmp_path, read_by, column, why):
    path = tmp_path / "rows.parquet"
    pd.DataFrame({"a": column, "b": range(2, 32)}).to_parquet(path)
    table = read_by(path)
    assert re.search(why, table.left_out["a"])
    np.testing.assert_array_equal(table.X, np.arange(2.0, 32)[:, None])


def test_an_infinite_number_in_parquet_is_named(tmp_path, read_by):
    path = tmp_path / "rows.parquet"
    pd.DataFrame({"a": [1, np.inf], "b": 1}).to_parquet(path)
    with pytest.raises(BadInput, match=r"a value is infinite in column 'a' \(0\), row 1"):
        read_by(path)


def test_a_label_that_is_missing_in_parquet_is_no_class(tmp_path, read_by):
    path = tmp_path / "rows.parquet"
    pd.DataFrame({"a": [1, 2], "kind": ["x", None]}).to_parquet(path)
    with pytest.raises(BadInput, match=r"missing in the target 'kind' \(1\), row 1"):
        read_by(path, target="kind")


def test_without_a_reader_of_parquet_the_message_says_what_to_install(tmp_path, monkeypatch):
    for library in ("polars", "pandas"):
        monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(BadInput, match="pip install --upgrade polars"):
        read(tmp_path / "rows.parquet")


# Files with more rows than memory may hold


def numbered_rows(n_rows=3000):
    random = np.random.RandomState(0)
    return np.column_stack([np.arange(n_rows), random.normal(size=(n_rows, 3))])


def written(rows, folder, ending):
    path = folder / f"rows{ending}"
    if ending == ".npy":
        np.save(path, rows)
    else:
        frame = pd.DataFrame(rows, columns=list("nabc")).astype({"n": int})
        frame.assign(word=np.where(rows[:, 1] > 0, "yes", "no")).to_parquet(path, row_group_size=70)
    return path


@pytest.mark.parametrize("ending", [".npy", ".parquet"])
@pytest.mark.parametrize("reader", ["polars", "pandas"])
def test_of_a_large_file_rows_from_all_over_it_are_read(tmp_path, monkeypatch, ending, reader):
    if reader == "pandas":
        monkeypatch.setitem(sys.modules, "polars", None)
    rows = numbered_rows()
    path = written(rows, tmp_path, ending)
    target = "0" if ending == ".npy" else "n"
    table = read_table(path, Wanted(target, memory="10kB"), Form())
    n_rows = len(table.X)
    assert 100 < n_rows <= 10_000 // (8 * (4 if ending == ".npy" else 5))
    assert "a random sample of its 3,000 rows" in table.form[-1]
    numbers = table.y.astype(int)
    assert len(set(numbers)) == n_rows
    assert numbers.min() < 100
    assert numbers.max() > 2900
    columns = table.X if ending == ".npy" else table.X[["a", "b", "c"]]
    np.testing.assert_array_equal(np.asarray(columns), rows[numbers, 1:])
    again = read_table(path, Wanted(target, memory="10kB"), Form())
    np.testing.assert_array_equal(again.y, table.y)


@pytest.mark.parametrize("ending", [".npy", ".parquet"])
def test_a_file_that_fits_is_read_whole(tmp_path, ending):
    table = read_table(written(numbered_rows(), tmp_path, ending), Wanted(), Form())
    assert len(table.X) == 3000
    assert table.form == []
