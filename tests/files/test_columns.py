"""Columns by their positions: how they are found again, and what becomes of them."""

import shlex
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skae._files._account import account_of
from skae._files._columns import BadInput, Columns, Wanted, counts_rows, is_index, make_table
from skae._frames import UnusableColumn, layout_of, read
from skae._table_values import Values

EVERYTHING = Wanted()


def table_of(names, X, wanted=EVERYTHING, others=()):
    """Return the table of columns whose rows are lines of a file, the first of them line 2.

    `others` are columns of other things than the numbers in X, by position.
    """
    X = np.asarray(X, dtype=float)
    columns = Columns(names)
    roles = columns.assign(wanted)
    places = [f"line {i + 2}" for i in range(len(X))]
    others = dict(others)
    features = [others.get(i, Values(names[i], "number", X[:, i])) for i in roles.features]
    return make_table(columns, roles, features, None, places=places, form=[])


def words(*places):
    """Return a column of words, by their places among its levels."""
    levels = [f"word {i}" for i in range(int(np.nanmax(places)) + 1)]
    return Values("words", "category", np.array(places, dtype=float), levels)


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


# Numbers that name levels


def test_numbers_that_are_codes_are_categories():
    table = table_of(["size", "region"], [[1, 3], [2, 7], [3, 3]], Wanted(categories=("region",)))
    assert [values.kind for values in table.columns] == ["number", "category"]
    assert table.columns[1].levels == [3.0, 7.0]
    assert table.X["region"].tolist() == [3.0, 7.0, 3.0]
    holes = table_of(["", "b"], [[5, 1], [np.nan, 2], [5, 4]], Wanted(categories=("0",)))
    np.testing.assert_array_equal(holes.columns[0].numbers, [0, np.nan, 0])


def test_what_is_a_category_anyway_may_be_named():
    wanted = Wanted(categories=("words",))
    table = table_of(["a", "words"], np.ones((4, 2)), wanted, [(1, words(0, 1, 1, 0))])
    assert table.columns[1].levels == ["word 0", "word 1"]


def test_an_index_that_is_named_as_a_category_is_kept():
    rows = [[i % 3, i] for i in range(30)]
    assert len(table_of(["", "b"], rows, Wanted(categories=("0",))).columns) == 2


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("b", r"column 'b' \(1\) has a new number in nearly each row"),
        ("day", r"column 'day' \(2\) has dates"),
        ("y", r"--categories has 'y' \(3\), which is no feature"),
        ("z", "--categories: there is no column 'z'"),
    ],
)
def test_what_is_no_category_is_refused(address, message):
    X = np.arange(160).reshape(40, 4) / 7
    wanted = Wanted(target="y", categories=(address,))
    others = [(2, Values("day", "date", np.arange(40.0)))]
    with pytest.raises(BadInput, match=message):
        table_of(["a", "b", "day", "y"], X, wanted, others)


def test_the_target_has_its_name_however_it_is_called():
    rows = np.arange(12).reshape(4, 3)
    for address in ("c", "2", "-1"):
        assert table_of(["a", "b", "c"], rows, Wanted(target=address)).target_name == "c"
    assert table_of(["a", "b", ""], rows, Wanted(target="2")).target_name is None


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
    assert is_index(np.array(values, dtype=float)) is index


def test_names_of_rows_are_an_index():
    X = [[0, 7], [0, 8], [0, 6]]
    for names in (words(0, 1, 2), UnusableColumn("new in each row", "90 different words")):
        table = table_of(["", "a"], X, others={0: names})
        np.testing.assert_array_equal(table.X, [[7], [8], [6]])
        assert table.remarks == ["left out: the index, column 0 (--keep-index keeps it)"]
    table = table_of(["", "a"], X, others={0: words(0, 1, 0)})
    assert list(table.X.columns) == ["(0)", "a"]


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


# Tables of other columns than numbers


def test_numbers_and_flags_without_holes_are_an_array():
    flags = Values("flag", "category", np.array([0.0, 1.0, 1.0]), [False, True])
    table = table_of(["a", "flag"], [[5, 0], [7, 1], [6, 1]], others={1: flags})
    np.testing.assert_array_equal(table.X, [[5, 0], [7, 1], [6, 1]])
    assert [values.kind for values in table.columns] == ["number", "category"]


@pytest.mark.parametrize("absent", ["pandas", "polars", None])
def test_words_dates_and_holes_make_a_dataframe(monkeypatch, absent):
    if absent:
        monkeypatch.setitem(sys.modules, absent, None)
    day = Values("day", "date", np.array([0.0, 86400.5, np.nan]))
    flag = Values("flag", "category", np.array([1.0, np.nan, 0.0]), [False, True])
    X = [[1, 0, 0, 0], [np.nan, 0, 0, 0], [3, 0, 0, 0]]
    others = {1: words(1, np.nan, 0), 2: day, 3: flag}
    table = table_of(["x", "x", "day", ""], X, others=others)
    assert table.X.shape == (3, 4)
    assert list(table.X.columns) == ["x (0)", "x (1)", "day", "(3)"]
    assert type(table.X).__module__.split(".")[0] == ("polars" if absent == "pandas" else "pandas")
    for values, expected in zip(
        read(table.X, layout_of(table.X, None)), table.columns, strict=True
    ):
        assert values._replace(numbers=None) == expected._replace(numbers=None)
        np.testing.assert_allclose(values.numbers, expected.numbers)


def test_without_pandas_and_polars_the_message_says_what_to_install_or_leave_out(monkeypatch):
    for library in ("pandas", "polars"):
        monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(BadInput, match=r"pip install pandas; or leave 'w' \(1\) out: --drop w"):
        table_of(["a", "w"], [[1, 0], [2, 0]], others={1: words(0, 1)})
    assert table_of(["a", "w"], [[1, 0], [2, 0]], Wanted(drop=("w",))).X.shape == (2, 1)


def test_a_column_that_can_not_be_a_feature_is_left_out_with_a_remark():
    nothing = Values("b", "number", np.full(3, np.nan))
    names = UnusableColumn("", "99 different words in 99 rows")
    table = table_of(["a", "b", "c"], [[1, 0, 0], [5, 0, 0], [2, 0, 0]],
                     others={1: nothing, 2: names})  # fmt: skip
    np.testing.assert_array_equal(table.X, [[1], [5], [2]])
    assert table.left_out == {"b": "no values", "c": "99 different words in 99 rows"}
    assert account_of(table) == ["  left out: b (no values), c (99 different words in 99 rows)"]
    with pytest.raises(BadInput, match=r"no column of features \('c' \(0\): 99 different words"):
        table_of(["c"], [[0]], others={0: names})


def test_a_value_that_is_infinite_is_named_by_column_and_line():
    with pytest.raises(BadInput, match=r"infinite in column 'y' \(2\), line 3; .* y$"):
        table_of(["x", "x", "y"], [[1, 2, 3], [4, 5, np.inf]])


def test_the_account_of_a_table_has_a_line_for_each_kind_and_one_for_holes():
    X = np.ones((3, 14))
    X[0, 1], X[:2, 2] = np.nan, np.nan
    others = {12: words(0, 1, np.nan), 13: Values("d", "date", np.arange(3.0))}
    account = account_of(table_of([f"c{i}" for i in range(14)], X, others=others))
    assert account == [
        "  numbers: c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 and 2 more",
        "  categories: c12 (2 levels)",
        "  dates: c13",
        "  holes: 2 in c2, 1 in c1, 1 in c12",
    ]


def test_a_message_lists_no_more_columns_than_one_reads():
    columns = Columns([f"c{i}" for i in range(99)])
    assert columns.describe_all(range(99)).endswith("'c9' (9) and 89 more")
