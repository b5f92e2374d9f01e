"""The command line: what it prints and writes, and one line for whatever it can't use."""

import csv
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris

import skae
from skae.__main__ import main, read_data

IRIS = load_iris()
X, y = IRIS.data, IRIS.target
NAMES = ["length", "width", "petal length", "petal width"]
SPECIES = IRIS.target_names[y]


def write_csv(path, rows, delimiter=","):
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return str(path)


@pytest.fixture
def flowers(tmp_path):
    """Iris with a header, an identifier in front and the species as text at the end."""
    rows = [["id", *NAMES, "species"]]
    rows += [[f"f{i}", *X[i], SPECIES[i]] for i in range(len(X))]
    return write_csv(tmp_path / "flowers.csv", rows)


def run(capsys, *arguments):
    """Return the exit status and what was written to the standard output and error."""
    try:
        status = main([str(argument) for argument in arguments])
    except SystemExit as stop:
        status = stop.code
    return status, *capsys.readouterr()


# What comes out


def test_compare_prints_the_table_and_writes_three_files(capsys, tmp_path, flowers):
    output = tmp_path / "new" / "results"
    status, out, err = run(
        capsys, "compare", flowers, "--target", "species", "--drop", "id",
        "--methods", "pca,isomap", "--output", output, "--seed", 3,
    )  # fmt: skip
    assert (status, err) == (0, "")
    assert "pca" in out
    assert "trust-" in out
    assert {file.name for file in output.iterdir()} == {
        "comparison.png",
        "comparison.csv",
        "comparison.json",
    }
    assert (output / "comparison.png").read_bytes().startswith(b"\x89PNG")
    content = json.loads((output / "comparison.json").read_text(encoding="utf-8"))
    with open(output / "comparison.csv", newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert [row["method"] for row in content["rows"]] == ["pca", "isomap"]
    assert [line["method"] for line in lines] == ["pca", "isomap"]
    assert content["settings"]["n_features"] == 4
    assert content["settings"]["seed"] == 3
    assert content["target_type"] == "classes"


def test_compare_gives_the_numbers_of_the_python_call(capsys, tmp_path):
    run(capsys, "compare", "iris", "--methods", "pca", "--output", tmp_path, "--n-components", 1)
    (row,) = json.loads((tmp_path / "comparison.json").read_text(encoding="utf-8"))["rows"]
    from skae.comparison import compare

    (expected,) = compare(X, y, methods="pca", n_components=1, random_state=0).rows
    for column in ("reconstruction_r2", "trustworthiness", "continuity", "knn_accuracy"):
        assert row[column] == pytest.approx(expected[column])


def test_if_every_method_fails_the_status_is_1(capsys, tmp_path):
    status, out, err = run(
        capsys, "compare", "iris", "--methods", "pca", "--n-components", 9, "--output", tmp_path
    )
    assert (status, err) == (1, "")
    assert "failed: ValueError: n_components=9" in out


def test_without_matplotlib_the_figure_is_left_out(capsys, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    status, _, err = run(capsys, "compare", "iris", "--methods", "pca", "--output", tmp_path)
    assert status == 0
    assert "pip install 'skae[plot]'" in err
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "comparison.csv",
        "comparison.json",
    ]


@pytest.mark.parametrize("arguments", [["--help"], ["compare", "--help"]])
def test_help_shows_an_example(capsys, arguments):
    status, out, err = run(capsys, *arguments)
    assert (status, err) == (0, "")
    assert "skae compare cells.csv --target type" in out
    assert max(map(len, out.splitlines())) <= 100


def test_version(capsys):
    assert run(capsys, "--version") == (0, f"skae {skae.__version__}\n", "")


def test_methods_and_data_sets_are_listed(capsys):
    from skae.comparison import DEFAULT_METHODS, METHODS
    from skae.datasets import BUILT_IN

    status, out, _ = run(capsys, "methods")
    assert status == 0
    *lines, empty, legend = out.splitlines()
    assert [line.split()[0] for line in lines] == list(METHODS)
    starred = [line.split()[0] for line in lines if line.split()[1] == "*"]
    assert starred == list(DEFAULT_METHODS)
    assert (empty, legend[:2]) == ("", "* ")
    assert max(map(len, lines)) <= 100
    status, out, _ = run(capsys, "datasets")
    assert status == 0
    assert out.split() == list(BUILT_IN)


def test_the_package_runs_as_a_module():
    command = [sys.executable, "-m", "skae", "compare", "no-such-file.csv"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("skae: error: there is no file 'no-such-file.csv'")
    assert len(done.stderr.splitlines()) == 1


def test_an_interruption_is_status_130_without_a_traceback(capsys, monkeypatch, tmp_path):
    def interrupted(self, X, y=None):
        raise KeyboardInterrupt

    monkeypatch.setattr("sklearn.decomposition.PCA.fit", interrupted)
    status, _, err = run(capsys, "compare", "iris", "--methods", "pca", "--output", tmp_path)
    assert (status, err) == (130, "skae: interrupted\n")


# What goes in


def test_csv_is_read_with_its_header(flowers):
    data = read_data(flowers, target="species", drop=["id"])
    np.testing.assert_array_equal(data.X, X)
    np.testing.assert_array_equal(data.y, SPECIES)
    assert data.title == "flowers"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_without_a_header_has_numbered_columns(tmp_path, delimiter):
    path = write_csv(tmp_path / "rows.csv", np.column_stack([X, y]), delimiter)
    for target in ("4", "-1"):
        data = read_data(path, target=target)
        np.testing.assert_array_equal(data.X, X)
        np.testing.assert_array_equal(data.y, y)
    assert read_data(path, drop=["0", "1"]).X.shape == (150, 3)
    assert read_data(path).y is None


def test_csv_may_have_quotes_blank_lines_and_a_byte_order_mark(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text('"a, b",c\n1,2\n\n"3",4\n', encoding="utf-8-sig")
    np.testing.assert_array_equal(read_data(str(path), target="a, b").X, [[2], [4]])


@pytest.mark.parametrize(
    ("cells", "dtype"), [(["1", "2"], "i"), (["1", "2.5"], "f"), (["1", "two"], "U")]
)
def test_a_target_in_csv_is_whole_numbers_numbers_or_text(tmp_path, cells, dtype):
    path = write_csv(tmp_path / "rows.csv", [["a", "t"], [0, cells[0]], [1, cells[1]]])
    assert read_data(path, target="t").y.dtype.kind == dtype


def test_npy_is_rows_and_images_become_rows(tmp_path):
    path = str(tmp_path / "rows.npy")
    np.save(path, np.column_stack([X, y]))
    data = read_data(path, target="4")
    np.testing.assert_array_equal(data.X, X)
    np.testing.assert_array_equal(data.y, y)
    np.save(path, np.zeros((12, 2, 3), dtype=np.uint8))
    assert read_data(path).X.shape == (12, 6)


@pytest.mark.parametrize(
    ("arrays", "target"),
    [
        ({"X": X, "y": SPECIES}, None),
        ({"data": X, "target": SPECIES}, None),
        ({"X": X, "species": SPECIES}, "species"),
        ({"rows": np.column_stack([X, y])}, "4"),
    ],
)
def test_npz_has_its_arrays_by_name(tmp_path, arrays, target):
    path = str(tmp_path / "rows.npz")
    np.savez(path, **arrays)
    data = read_data(path, target=target)
    np.testing.assert_array_equal(data.X, X)
    assert (data.y == (y if target == "4" else SPECIES)).all()


@pytest.mark.parametrize("absent", ["pandas", "polars"])
def test_parquet_is_read_by_polars_or_pandas(tmp_path, monkeypatch, absent):
    path = str(tmp_path / "rows.parquet")
    pd.DataFrame(X, columns=NAMES).assign(species=SPECIES).to_parquet(path)
    monkeypatch.setitem(sys.modules, absent, None)
    data = read_data(path, target="species")
    np.testing.assert_array_equal(data.X, X)
    np.testing.assert_array_equal(data.y, SPECIES)


def test_built_in_classes_have_their_names():
    assert set(read_data("iris").y) == set(IRIS.target_names)
    assert read_data("digits").y.dtype.kind == "i"
    assert read_data("diabetes").y.dtype.kind == "f"


# What can't be used


@pytest.fixture(scope="module")
def bad_folder(tmp_path_factory):
    """Files that something is wrong with."""
    folder = tmp_path_factory.mktemp("bad")
    numbers = [["length", "width"], *[["5.1", "3.5"]] * 20]
    species = [["length", "width", "species"], *[["5.1", "3.5", "setosa"]] * 20]
    for name, rows in {
        "good": species,
        "texts": [["a", "b", "c"], *[["x", "y", "1"]] * 20],
        "hole": [*numbers, ["", "1"]],
        "nan": [*numbers, ["1", "nan"]],
        "inf": [*numbers, ["inf", "1"]],
        "unlabeled": [*species, ["1", "2", ""]],
        "ragged": [*numbers, ["1"]],
        "row": numbers[:2],
        "header": numbers[:1],
        "empty": [],
    }.items():
        write_csv(folder / f"{name}.csv", rows)
    (folder / "latin.csv").write_bytes("größe,b\n1,2\n".encode("latin-1"))
    for name in ("broken.npz", "broken.npy", "broken.parquet", "sheet.xlsx"):
        (folder / name).write_bytes(b"nothing of the kind")
    np.save(folder / "flat.npy", np.zeros(20))
    np.save(folder / "text.npy", np.full((20, 2), "a"))
    np.save(folder / "objects.npy", np.full((20, 2), None), allow_pickle=True)
    np.save(folder / "nan.npy", np.full((20, 2), np.nan))
    np.savez(folder / "names.npz", a=X, b=y)
    np.savez(folder / "short.npz", X=X, y=y[1:])
    pd.DataFrame({"a": [1.0, None] * 10, "b": 1}).to_parquet(folder / "hole.parquet")
    pd.DataFrame({"a": ["x", "y"] * 10, "b": 1}).to_parquet(folder / "text.parquet")
    return folder


@pytest.mark.parametrize(
    ("command", "words"),
    [
        # what is not there
        ("none.csv", "there is no file 'none.csv', nor a built-in data set"),
        ("digist", "(did you mean 'digits'?); built-in are digits, iris"),
        (".", "is not a file"),
        ("sheet.xlsx", "ends in .csv, .tsv, .npy, .npz, .parquet"),
        # lines of text
        ("good.csv", "column 'species' holds text (such as 'setosa', line 2); leave it out with"),
        ("texts.csv", "columns 'a', 'b' hold text (such as 'x', line 2); leave"),
        ("hole.csv", "a value is missing in column 'length', line 22"),
        ("nan.csv", "a value is missing in column 'width', line 22"),
        ("inf.csv", "a value is infinite in column 'length', line 22"),
        ("unlabeled.csv --target species", "missing in the target 'species', line 22"),
        ("ragged.csv", "line 22 of 'ragged.csv' has 1 cells, but the first line has 2"),
        ("row.csv", "1 sample(s)"),
        ("header.csv", "0 sample(s)"),
        ("empty.csv", "'empty.csv' is empty"),
        ("latin.csv", "is not text in UTF-8"),
        # columns
        ("good.csv --target spcies", "--target: there is no column 'spcies' (did you mean 'sp"),
        ("good.csv --drop 7", "--drop: there is no column '7'; the columns are length, width, sp"),
        ("good.csv --target species --drop species", "both the target and dropped"),
        ("good.csv --target species", "y has the same value in all rows (setosa)"),
        ("good.csv --drop length,width,species", "no column of features"),
        ("iris --target species", "'iris' has its own target"),
        # arrays
        ("broken.npy", "is no .npy file of numbers"),
        ("broken.npz", "is no .npz file of arrays"),
        ("objects.npy", "is no .npy file of numbers"),
        ("text.npy", "numbers are needed"),
        ("flat.npy", "rows and columns are needed"),
        ("nan.npy", "a value is missing in column '0', row 0"),
        ("names.npz", "has the arrays a, b, but none is named X or data"),
        ("short.npz", "the target has shape (149,), but X has shape (150, 4)"),
        ("broken.parquet", "can't be read as Parquet"),
        ("hole.parquet", "a value is missing in column 'a', row 1"),
        ("text.parquet", "column 'a' holds text (such as 'x', row 0)"),
        # parameters
        ("iris --methods pca,tnse", "There is no method 'tnse'. Did you mean 'tsne'?"),
        ("iris --n-components 0", "The 'n_components' parameter of compare must be"),
        ("iris --test-size 1.5", "The 'test_size' parameter of compare must be"),
        ("iris --seed -1", "The 'random_state' parameter of compare must be"),
        ("iris --seed one", "argument --seed: invalid int value: 'one' (skae compare --help"),
        ("iris --seeds 1", "unrecognized arguments: --seeds 1"),
        ("iris --output empty.csv", "File exists: 'empty.csv'"),
    ],
)
def test_bad_input_is_one_line_and_status_2(capsys, monkeypatch, bad_folder, command, words):
    monkeypatch.chdir(bad_folder)
    before = set(bad_folder.iterdir())
    status, out, err = run(capsys, "compare", *command.split())
    assert (status, out) == (2, "")
    assert words in err
    assert len(err.splitlines()) == 1
    assert set(bad_folder.iterdir()) == before


def test_no_command_is_one_line_and_status_2(capsys):
    status, out, err = run(capsys)
    assert (status, out) == (2, "")
    assert (
        err == "skae: error: the following arguments are required: COMMAND (skae --help explains)\n"
    )
