"""The command line: what it prints and writes, and one line for whatever it can't use."""

import csv
import json
import re
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
    assert "trustwor-" in out
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


def test_repeats_are_those_of_the_python_call(capsys, tmp_path):
    arguments = ("compare", "iris", "--methods", "pca", "--repeats", 2, "--output", tmp_path)
    _, out, _ = run(capsys, *arguments)
    assert "Means of 2 splits and seeds" in " ".join(out.split())
    (row,) = json.loads((tmp_path / "comparison.json").read_text(encoding="utf-8"))["rows"]
    assert row["stability"] == 1
    assert row["reconstruction_r2_std"] > 0


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
    *lines, empty, legend, _ = out.splitlines()
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


@pytest.mark.parametrize(
    ("arguments", "account"),
    [
        (
            "labeled.csv --target species",
            "labeled.csv: 150 rows of 4 features; header in line 1; target 'species' (5) "
            "(3 classes); left out: the index, column 0 (--keep-index keeps it)",
        ),
        ("words.data --target -1", "words.data: 150 rows of 4 features; no header; "
         "target 4 (3 classes)"),
        ("measured.csv.gz --target 0", "measured.csv.gz: 150 rows of 3 features; "
         "header in line 1; target 'length' (0) (continuous)"),
        ("german.txt --drop length", "german.txt: 150 rows of 3 features; header in line 1; "
         "semicolons between cells; decimal comma"),
        ("words.data --drop 4 --header", "words.data: 149 rows of 4 features; header in line 1"),
        (
            "labeled.csv --drop species --keep-index",
            "labeled.csv: 150 rows of 5 features; header in line 1; column 0 numbers the rows "
            "(--drop 0 leaves it out)",
        ),
        ("rows.npz", "rows.npz: 150 rows of 4 features; target 'y' (3 classes)"),
    ],
)  # fmt: skip
def test_the_first_line_says_what_was_made_of_a_file(
    capsys, monkeypatch, tmp_path, arguments, account
):
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame(X, columns=NAMES)
    labeled = frame.assign(species=SPECIES)
    labeled.to_csv("labeled.csv")
    labeled.to_csv("words.data", index=False, header=False)
    frame.to_csv("measured.csv.gz", index=False)
    frame.to_csv("german.txt", index=False, sep=";", decimal=",")
    np.savez("rows.npz", X=X, y=SPECIES)
    status, out, err = run(capsys, "compare", *arguments.split(), "--methods", "pca")
    assert (status, err) == (0, "")
    first, second = out.splitlines()[:2]
    assert first == account
    # The rows that are compared are those that were announced.
    assert second.startswith(account.split(": ")[1].split(";")[0])


@pytest.fixture
def people(tmp_path):
    """Numbers, words, flags, dates and names, with holes."""
    path = tmp_path / "people.csv"
    lines = [
        f"{'' if i % 10 == 3 else i % 7},{'?' if i == 5 else 'SML'[i % 3]},{i % 4 == 0},"
        f"2024-01-{i % 28 + 1:02},name {i},{'ab'[i % 2]}"
        for i in range(60)
    ]
    path.write_text("\n".join(["age,size,ill,day,name,sex", *lines, ""]), encoding="utf-8")
    return path


def test_the_first_lines_say_what_the_columns_of_a_table_are(capsys, tmp_path, people):
    status, out, err = run(
        capsys, "compare", people, "--target", "sex", "--methods", "famd", "--output", tmp_path
    )
    assert (status, err) == (0, "")
    assert out.splitlines()[:7] == [
        "people.csv: 60 rows of 4 columns; header in line 1; target 'sex' (5) (2 classes)",
        "  numbers: age",
        "  categories: size (3 levels), ill (flag)",
        "  dates: day",
        "  holes: 6 in age, 1 in size",
        "  left out: name (60 different words in 60 rows, such as 'name 0')",
        "60 rows of 4 columns (1 number, 2 categories, 1 date; 7 values missing), 2 components: 45 "
        "rows to",
    ]


def test_a_file_of_words_gives_the_numbers_of_the_python_call(capsys, tmp_path, people):
    from skae.comparison import compare

    run(capsys, "compare", people, "--target", "sex", "--methods", "famd", "--output", tmp_path)
    (row,) = json.loads((tmp_path / "comparison.json").read_text(encoding="utf-8"))["rows"]
    frame = pd.read_csv(people, na_values="?", parse_dates=["day"]).drop(columns="name")
    (expected,) = compare(frame, "sex", methods="famd", random_state=0).rows
    for column in ("reconstruction_r2", "numbers_r2", "categories_r2", "dates_r2", "knn_accuracy"):
        assert row[column] == pytest.approx(expected[column])


def test_of_a_file_that_memory_can_not_hold_a_sample_is_compared(capsys, tmp_path):
    path = tmp_path / "big.parquet"
    rows = np.random.RandomState(0).normal(size=(5000, 4)) @ np.ones((4, 4))
    pd.DataFrame(rows, columns=list("abcd")).to_parquet(path, row_group_size=500)
    arguments = ("compare", path, "--memory", "6400", "--methods", "pca", "--output", tmp_path)
    status, printed, _ = run(capsys, *arguments)
    assert status == 0
    told, *_ = printed.splitlines()
    assert re.fullmatch(
        r"big\.parquet: 1\d\d rows of 4 features; a random sample of its 5,000 rows, since all are "
        r"more than 6\.4 kB \(--memory takes more\)",
        told,
    )
    status, _, error = run(capsys, "compare", path, "--memory", "much")
    assert (status, error) == (
        2,
        "skae: error: memory='much' is no number of bytes; give one, or text such as '500MB' or "
        "'2GiB'.\n",
    )


@pytest.mark.filterwarnings("default")
def test_an_option_without_effect_is_said_in_a_line(capsys, tmp_path, people):
    status, _, err = run(
        capsys, "compare", people, "--standardize", "--methods", "famd", "--output", tmp_path
    )
    assert status == 0
    assert err.startswith("skae: standardize=True has no effect, because all columns of a table")
    assert len(err.splitlines()) == 1


def test_nothing_is_made_of_a_built_in_data_set(capsys, tmp_path):
    _, out, _ = run(capsys, "compare", "iris", "--methods", "pca", "--output", tmp_path)
    assert out.startswith("150 rows of 4 features, 2 components")
    assert read_data("iris").account is None


def test_the_figure_has_the_name_of_the_file_for_a_title(tmp_path):
    for name in ("rows.csv", "rows.csv.gz", "rows.data", "rows"):
        (tmp_path / name).write_text("1,2\n3,5\n", encoding="utf-8")
        assert read_data(str(tmp_path / name)).title == "rows"


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
        "flaw": [*numbers, ["5,1", "1"]],
        "inf": [*numbers, ["inf", "1"]],
        "unlabeled": [*species, ["1", "2", ""]],
        "ragged": [*numbers, ["1"]],
        "twice": [["x", "x", "y"], *[["5.1", "3.5", "1"]] * 20, ["?", "1", "2"]],
        "row": numbers[:2],
        "header": numbers[:1],
        "empty": [],
    }.items():
        write_csv(folder / f"{name}.csv", rows)
    for name in ("broken.npz", "broken.npy", "broken.parquet"):
        (folder / name).write_bytes(b"nothing of the kind")
    (folder / "sheet.xlsx").write_bytes(b"PK\x03\x04\x14\x00")
    np.save(folder / "flat.npy", np.zeros(20))
    np.save(folder / "text.npy", np.full((20, 2), "a"))
    np.save(folder / "objects.npy", np.full((20, 2), None), allow_pickle=True)
    np.save(folder / "nan.npy", np.full((20, 2), np.nan))
    np.savez(folder / "names.npz", a=X, b=y)
    np.savez(folder / "short.npz", X=X, y=y[1:])
    pd.DataFrame({"a": map(str, range(30))}).to_parquet(folder / "names.parquet")
    return folder


@pytest.mark.parametrize(
    ("command", "words"),
    [
        # what is not there
        ("none.csv", "there is no file 'none.csv', nor a built-in data set"),
        ("digist", "(did you mean 'digits'?); built-in are digits, iris"),
        (".", "is not a file"),
        ("sheet.xlsx", "'sheet.xlsx' is of no known kind: it is not text, and its name does not"),
        # lines of text
        ("flaw.csv", "'length' (0) is one of numbers, but holds text (such as '5,1', line 22)"),
        ("inf.csv", "a value is infinite in column 'length' (0), line 22"),
        ("unlabeled.csv --target species", "missing in the target 'species' (2), line 22"),
        ("ragged.csv", "line 22 of 'ragged.csv' has 1 cell, but other lines have 2"),
        ("empty.csv", "'empty.csv' is empty"),
        ("twice.csv --drop x", "--drop: 2 columns are named 'x'; give the number of one, 0 or 1"),
        # columns
        ("good.csv --target spcies", "--target: there is no column 'spcies' (did you mean 'sp"),
        ("good.csv --drop 7", "--drop: there is no column '7'; the columns are 'length' (0)"),
        ("good.csv --target species --drop species", "both the target and dropped"),
        ("good.csv --drop length,width,species", "no column of features"),
        ("iris --target species", "'iris' has its own target"),
        ("iris --no-header", "options about columns and text are for files"),
        ("flat.npy --delimiter tab", "are for files of text"),
        ("good.csv --delimiter dot", "argument --delimiter: invalid choice: 'dot'"),
        # arrays
        ("broken.npy", "is no .npy file of numbers"),
        ("broken.npz", "is no .npz file of arrays"),
        ("objects.npy", "is no .npy file of numbers"),
        ("text.npy", "numbers are needed"),
        ("flat.npy", "rows and columns are needed"),
        ("nan.npy", "there is no column of features (0: no values; 1: no values)"),
        ("names.npz", "has the arrays a, b, but none is named X or data"),
        ("short.npz", "the target has shape (149,), but X has shape (150, 4)"),
        ("broken.parquet", "can't be read as Parquet"),
        ("names.parquet", "there is no column of features ('a' (0): 30 different words in 30 rows"),
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


@pytest.mark.parametrize(
    ("command", "account", "words"),
    [
        ("row.csv", "1 row of 2 features; header in line 1", "1 sample(s)"),
        ("header.csv", "0 rows of 2 features; header in line 1", "0 sample(s)"),
        (
            "good.csv --target species",
            "20 rows of 2 features; header in line 1; target 'species' (2) (1 class)",
            "y has the same value in all rows (setosa)",
        ),
    ],
)
def test_rows_that_can_not_be_compared_are_refused_after_what_was_made_of_the_file(
    capsys, monkeypatch, tmp_path, bad_folder, command, account, words
):
    monkeypatch.chdir(bad_folder)
    status, out, err = run(capsys, "compare", *command.split(), "--output", tmp_path)
    assert (status, out) == (2, f"{command.split()[0]}: {account}\n")
    assert words in err
    assert len(err.splitlines()) == 1


def test_no_command_is_one_line_and_status_2(capsys):
    status, out, err = run(capsys)
    assert (status, out) == (2, "")
    assert (
        err == "skae: error: the following arguments are required: COMMAND (skae --help explains)\n"
    )


# A page


@pytest.mark.slow
def test_report_writes_a_page_about_a_table(capsys, tmp_path, flowers, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, err = run(
        capsys, "report", flowers, "--target", "species", "--label", "id", "--methods", ""
    )
    assert (status, err) == (0, "")
    assert out.startswith("flowers.csv: 150 rows of 4 features")
    assert "Written to flowers.html, which holds values of 150 rows" in out
    page = (tmp_path / "flowers.html").read_text(encoding="utf-8")
    assert "<title>flowers</title>" in page
    assert '<option value="0" selected>species (target)</option>' in page
    assert '<option value="4">petal width</option>' in page
    assert '"labels":["f0","f1",' in page
    assert "<p>flowers.csv: 150 rows of 4 features" in page


def test_a_column_of_names_that_is_not_there_is_named_by_its_option(capsys, flowers):
    status, _, err = run(capsys, "report", flowers, "--label", "ID")
    assert status == 2
    assert err.startswith("skae: error: --label: there is no column 'ID'")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--output", "."], "'.' is a folder"),
        (["--max-rows", "3"], "max_rows=3"),
        (["--drop", "petal length (cm)"], "options about columns and text are for files"),
    ],
)
def test_report_refuses_in_a_line_what_it_can_not_use(capsys, arguments, message):
    status, _, err = run(capsys, "report", "iris", *arguments)
    assert status == 2
    assert message in err
    assert err.count("\n") == 1
