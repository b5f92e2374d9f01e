"""Columns by their positions: what is said of them, and how they are found again."""

import shlex

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skae._files._columns import BadInput, Columns, Wanted, counts_rows, is_index, make_table

EVERYTHING = Wanted()


def table_of(names, X, wanted=EVERYTHING, text=()):
    """Return the table of columns whose rows are lines of a file, the first of them line 2."""
    X = np.asarray(X, dtype=float)
    columns = Columns(names)
    roles = columns.assign(wanted)
    places = [f"line {i + 2}" for i in range(len(X))]
    X = X[:, roles.features]
    return make_table(columns, roles, X, None, places=places, text=dict(text), form=[])


# Addresses


def test_a_column_is_found_by_its_name_or_its_number():
    columns = Columns(["a", "b", "7", ""])
    assert [columns.find(address, "--target") for address in ("b", "1", "-3", "7", "3")] == [
        1, 1, 1, 2, 3,
    ]  # fmt: skip


def test_a_name_goes_before_a_number():
    assert Columns(["1", "0"]).find("0", "--target") == 1


def test_a_name_that_repeats_is_an_error_that_gives_the_numbers():
    with pytest.raises(BadInput, match=r"--drop: 2 columns are named 'x'; give .*, 0 or 2$"):
        Columns(["x", "y", "x"]).find("x", "--drop")
    # The numbers are names as well, but for those that count from the end.
    with pytest.raises(BadInput, match=r"2 columns are named '0'; give .*, -3 or 1$"):
        Columns(["0", "0", "y"]).find("0", "--drop")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (
            "lenght",
            r"no column 'lenght' \(did you mean 'length'\?\); the columns are 'length' \(0\)",
        ),
        ("2", r"no column '2'; the columns are 'length' \(0\), 1$"),
        ("²", "no column '²'"),
    ],
)
def test_a_column_that_is_not_there_is_an_error_that_says_which_are(address, words):
    with pytest.raises(BadInput, match=f"--target: there is {words}"):
        Columns(["length", ""]).find(address, "--target")


def test_columns_without_names_are_known_by_numbers():
    with pytest.raises(BadInput, match="no column 'a'; the columns have no names but numbers, 0"):
        Columns(["", ""]).find("a", "--target")


@given(st.lists(st.sampled_from(["", "a", "b", "a,b", " a", "-b", "0", "1", "-1"]), min_size=1))
def test_the_option_in_a_message_names_the_columns_that_are_meant(names):
    columns = Columns(names)
    # Where all numbers of a column are names of others, there is no way to say it.
    taken = set(names)
    free = [i for i in range(len(names)) if str(i) not in taken or str(i - len(names)) not in taken]
    (word,) = shlex.split(columns.option("--drop", free).replace("--drop ", "--drop=", 1))
    addresses = [address for address in word.removeprefix("--drop=").split(",") if free]
    assert [columns.find(address.strip(), "--drop") for address in addresses] == free


def test_a_target_that_is_dropped_is_an_error():
    with pytest.raises(BadInput, match=r"column 'b' \(1\) is both the target and dropped"):
        Columns(["a", "b"]).assign(Wanted(target="b", drop=("-1",)))


def test_no_features_are_an_error():
    with pytest.raises(BadInput, match="no column of features"):
        Columns(["a", "b"]).assign(Wanted(target="b", drop=("a",)))
    with pytest.raises(BadInput, match="no column of features beside the index"):
        table_of(["", "b"], [[0, 1], [1, 5]], Wanted(target="b"))


# An index


@pytest.mark.parametrize(
    ("values", "index"),
    [
        ([0, 1, 2, 3], True),
        ([1, 2, 3, 4], True),  # R
        ([17, 3, 5, 88], True),  # a sample of rows
        ([0, 1, 2, 0, 1], True),  # one table after the other
        ([4, 4, 4, 4], True),
        ([3, 1, 1, 2], False),  # counts
        ([0.5, 1, 2, 3], False),
        ([0, 1, np.nan, 3], False),
        ([np.nan, np.nan], False),  # nothing at all
    ],
)
def test_an_index_is_whole_numbers_that_do_not_repeat_or_run_on(values, index):
    assert is_index(np.array(values, dtype=float), holds_text=False) is index


def test_names_of_rows_are_an_index():
    assert is_index(np.full(3, np.nan), holds_text=True)
    assert not is_index(np.array([1, np.nan]), holds_text=True)


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "__index_level_0__"])
def test_an_index_is_no_feature(name):
    table = table_of([name, "a"], [[0, 7], [1, 8], [2, 6]])
    np.testing.assert_array_equal(table.X, [[7], [8], [6]])
    assert table.remarks[0].startswith("left out: the index, column ")


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (["", "a"], Wanted(keep_index=True)),
        (["a", ""], Wanted()),  # not the first
        (["", ""], Wanted()),  # of no columns there are names
        (["a", "b"], Wanted()),  # a name of its own
    ],
)
def test_what_only_looks_like_an_index_stays(names, wanted):
    X = [[0, 7], [1, 8], [2, 6]]
    table = table_of(names, X, wanted)
    np.testing.assert_array_equal(table.X, X)
    assert not any("left out" in remark for remark in table.remarks)


def test_a_first_column_without_a_name_whose_values_are_no_index_is_a_feature():
    assert table_of(["", "a"], [[0.5, 7], [1, 8], [2, 6]]).X.shape == (3, 2)


def test_an_index_may_be_the_target_or_dropped():
    assert table_of(["", "a", "b"], [[0, 7, 1], [1, 8, 1]], Wanted(target="0")).remarks == []
    assert table_of(["", "a", "b"], [[0, 7, 1], [1, 8, 1]], Wanted(drop=("0",))).remarks == []


@pytest.mark.parametrize(
    ("values", "counts"),
    [([0, 1, 2], True), ([1, 2, 3], True), ([2, 3, 4], False), ([0, 1], False)],
)
def test_a_column_that_numbers_the_rows_is_noticed(values, counts):
    assert counts_rows(np.array(values)) is counts


def test_a_feature_that_numbers_the_rows_is_pointed_out():
    table = table_of(["id", "a"], [[1, 7], [2, 8], [3, 6]])
    assert table.X.shape == (3, 2)
    assert table.remarks == ["column 'id' (0) numbers the rows (--drop id leaves it out)"]


# What keeps columns from being features


def test_columns_of_text_are_named_with_a_way_out():
    nan = np.nan
    text = {0: ("red", "line 2"), 2: ("low", "line 3")}
    with pytest.raises(BadInput) as error:
        table_of(["x", "y", "x"], [[nan, 1, 5], [nan, 2, nan]], text=text)
    assert str(error.value) == (
        "columns 'x' (0), 'x' (2) hold text (such as 'red', line 2); leave them out with "
        "--drop 0,2, name one with --target or encode text as numbers"
    )


def test_values_that_are_missing_beside_text_are_named_too():
    nan = np.nan
    with pytest.raises(BadInput, match=r"; and a value is missing in column 'y' \(1\), line 3$"):
        table_of(["x", "y"], [[nan, 1], [nan, nan]], text={0: ("red", "line 2")})


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (
            [[1, 2, 3], [4, np.nan, 6]],
            r"a value is missing in column 'x' \(1\), line 3; fill .* 1$",
        ),
        (
            [[1, 2, np.nan], [4, 5, 6], [1, 2, np.nan]],
            r"values are missing in column 'y' \(2\) in 2 of 3 rows, the first in line 2; .* y$",
        ),
        (
            [[1, 2, 3], [4, np.nan, 6], [np.nan, 5, 6]],
            r"in 2 columns and 2 of 3 rows, the first in column 'x' \(1\), line 3; .* 0,1$",
        ),
        ([[1, 2, 3], [4, 5, np.inf]], r"a value is infinite in column 'y' \(2\), line 3; .* y$"),
    ],
)
def test_a_value_that_lacks_is_named_by_column_and_line(X, words):
    with pytest.raises(BadInput, match=words):
        table_of(["x", "x", "y"], X)


def test_a_message_lists_no_more_columns_than_one_reads():
    columns = Columns([f"c{i}" for i in range(99)])
    assert columns.describe_all(range(99)).endswith("'c9' (9) and 89 more")
