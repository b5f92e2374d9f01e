"""Tables of pandas, polars and numpy: each type read as what it is, and written as it was."""

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import polars.testing
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skae._frames import filled, is_plain, layout_of, read, with_index_of, without_zones, write

TIMES = [dt.datetime(2024, 2, 29, 12), dt.datetime(2025, 1, 1), dt.datetime(1969, 12, 31)]

# A column of pandas, its kind, and its levels.
PANDAS = {
    "float32": (pd.Series([1.5, 2.0, -1.0], dtype="float32"), "number", None),
    "int8": (pd.Series([1, 127, -128], dtype="int8"), "number", None),
    "uint64": (pd.Series([1, 2, 2**40], dtype="uint64"), "number", None),
    "Int64": (pd.Series([1, 5, 3], dtype="Int64"), "number", None),
    "Float64": (pd.Series([1.5, 5, 3], dtype="Float64"), "number", None),
    "bool": (pd.Series([True, False, True]), "category", [False, True]),
    "boolean": (pd.Series([True, False, True], dtype="boolean"), "category", [False, True]),
    "object": (pd.Series(["b", "a", "b"], dtype=object), "category", ["a", "b"]),
    "Arrow's numbers": (pd.Series([1, 5, 3], dtype="int64[pyarrow]"), "number", None),
    "Arrow's flags": (
        pd.Series([True, False, True], dtype="bool[pyarrow]"),
        "category",
        [False, True],
    ),
    "Arrow's words": (
        pd.Series(["b", "a", "b"], dtype=pd.ArrowDtype(pa.string())),
        "category",
        ["a", "b"],
    ),
    "string": (pd.Series(["b", "a", "b"], dtype="string"), "category", ["a", "b"]),
    "ordered": (
        pd.Series(pd.Categorical(["lo", "hi", "lo"], ["lo", "mid", "hi"], ordered=True)),
        "category",
        ["lo", "mid", "hi"],
    ),
    "numbered": (pd.Series(pd.Categorical([3, 1, 3])), "category", [1, 3]),
    "mixed": (pd.Series(["b", 1, "b"], dtype=object), "category", [1, "b"]),
    "flags": (pd.Series([True, False, True], dtype=object), "category", [False, True]),
    "ints among objects": (pd.Series([1, 2, 3], dtype=object), "number", None),
    "datetime": (pd.Series(TIMES), "date", None),
    "seconds": (pd.Series(TIMES).astype("datetime64[s]"), "date", None),
    "zone": (pd.Series(TIMES).dt.tz_localize("Asia/Tokyo"), "date", None),
}
POLARS = {
    "Float32": (pl.Series([1.5, 2.0, -1.0], dtype=pl.Float32), "number", None),
    "Int16": (pl.Series([1, 2, -3], dtype=pl.Int16), "number", None),
    "UInt8": (pl.Series([1, 2, 255], dtype=pl.UInt8), "number", None),
    "Boolean": (pl.Series([True, False, True]), "category", [False, True]),
    "String": (pl.Series(["b", "a", "b"]), "category", ["a", "b"]),
    "Categorical": (pl.Series(["b", "a", "b"], dtype=pl.Categorical), "category", ["a", "b"]),
    "Enum": (pl.Series(["b", "a", "b"], dtype=pl.Enum(["b", "c", "a"])), "category", [*"bca"]),
    "Date": (pl.Series([t.date() for t in TIMES]), "date", None),
    "Datetime": (pl.Series(TIMES, dtype=pl.Datetime("ms")), "date", None),
    "zone": (pl.Series(TIMES).dt.replace_time_zone("Asia/Tokyo"), "date", None),
}


TYPES = {"pandas": PANDAS, "polars": POLARS}


def read_one(column, library, categorical="from_dtype"):
    frame = pd.DataFrame({"a": column}) if library == "pandas" else pl.DataFrame({"a": column})
    layout = layout_of(frame, categorical)
    return frame, layout, read(frame, layout)


@pytest.mark.parametrize(
    ("library", "name"),
    [("pandas", name) for name in PANDAS] + [("polars", name) for name in POLARS],
)
def test_a_type_is_read_as_what_it_is_and_written_as_it_was(library, name):
    column, kind, levels = TYPES[library][name]
    frame, layout, (values,) = read_one(column, library)
    assert (values.name, values.kind, values.levels) == ("a", kind, levels)
    assert values.numbers.dtype == np.float64
    back = write([values], layout)
    if library == "pandas":
        pd.testing.assert_frame_equal(back, frame)
    else:
        polars.testing.assert_frame_equal(back, frame)


@pytest.mark.parametrize(
    ("library", "column"),
    [
        ("pandas", pd.Series([1.0, np.nan, 2.0])),
        ("pandas", pd.Series([1, pd.NA, 2], dtype="Int64")),
        ("pandas", pd.Series([True, pd.NA, False], dtype="boolean")),
        ("pandas", pd.Series([1.5, None, 2.0], dtype="double[pyarrow]")),
        ("pandas", pd.Series([1, None, 2], dtype="int8[pyarrow]")),
        ("pandas", pd.Series([True, None, False], dtype="bool[pyarrow]")),
        ("pandas", pd.Series(["a", None, "b"], dtype=pd.ArrowDtype(pa.string()))),
        ("pandas", pd.Series(["a", None, "b"], dtype=object)),
        ("pandas", pd.Series(["a", np.nan, "b"], dtype=object)),
        ("pandas", pd.Series(["a", pd.NA, "b"], dtype="string")),
        ("pandas", pd.Series(pd.Categorical(["a", None, "b"]))),
        ("pandas", pd.Series([TIMES[0], pd.NaT, TIMES[1]])),
        ("polars", pl.Series([1.0, None, 2.0])),
        ("polars", pl.Series([1.0, float("nan"), 2.0])),
        ("polars", pl.Series([1, None, 2])),
        ("polars", pl.Series([True, None, False])),
        ("polars", pl.Series(["a", None, "b"])),
        ("polars", pl.Series(["a", None, "b"], dtype=pl.Enum(["a", "b"]))),
        ("polars", pl.Series([TIMES[0], None, TIMES[1]])),
    ],
)
def test_a_hole_of_any_kind_is_a_hole_and_is_filled(library, column):
    frame, layout, (values,) = read_one(column, library)
    np.testing.assert_array_equal(np.isnan(values.numbers), [False, True, False])
    whole = values._replace(numbers=values.numbers[[0, 0, 2]])
    result = filled(frame, [whole], layout)
    (again,) = read(result, layout)
    np.testing.assert_array_equal(again.numbers, whole.numbers)
    assert again.levels == values.levels
    assert list(result.columns) == ["a"]


def test_an_array_is_read_by_its_type():
    numbers = np.array([[1.0, np.nan], [2.0, 3.0]])
    layout = layout_of(numbers, "from_dtype")
    assert [values.kind for values in read(numbers, layout)] == ["number", "number"]
    np.testing.assert_array_equal(write(read(numbers, layout), layout), numbers)
    layout = layout_of(numbers, [0])
    first, second = read(numbers, layout)
    assert (first.kind, first.levels, second.kind) == ("category", [1.0, 2.0], "number")
    objects = np.array([["a", 1], [None, 2], ["b", None]], dtype=object)
    layout = layout_of(objects, "from_dtype")
    word, number = read(objects, layout)
    assert (word.levels, number.kind) == (["a", "b"], "number")
    whole = [word._replace(numbers=np.zeros(3)), number._replace(numbers=np.ones(3))]
    assert filled(objects, whole, layout).tolist() == [["a", 1], ["a", 2], ["b", 1]]
    whole_numbers = np.arange(6).reshape(3, 2)
    layout = layout_of(whole_numbers, "from_dtype")
    rebuilt = [one._replace(numbers=one.numbers + 0.4) for one in read(whole_numbers, layout)]
    assert write(rebuilt, layout).dtype == whole_numbers.dtype
    np.testing.assert_array_equal(write(rebuilt, layout), whole_numbers)


@pytest.mark.parametrize(
    ("fitted", "column", "expected"),
    [
        (
            pd.Series(pd.Categorical([*"xyzx"])),
            pd.Series(pd.Categorical(["x", None, "x", None])),
            pd.Series(pd.Categorical([*"xyxx"], ["x", "y"])),
        ),
        (
            pd.Series([*"xyzx"]),
            pd.Series(pd.Categorical(["z", None, "x", None], ["z", "x"])),
            pd.Series(pd.Categorical([*"zyxx"], ["z", "x", "y"])),
        ),
        (
            pd.Series([1.0, 2.4, 3.0, 4.6]),
            pd.Series([1, None, 3, None], dtype="Int64"),
            pd.Series([1, 2, 3, 5], dtype="Int64"),
        ),
        (
            pd.Series([1.0, 2.5, 3.0, 4.0]),
            pd.Series([1, None, 3, None], dtype="float32"),
            pd.Series([1, 2.5, 3, 4], dtype="float32"),
        ),
        (
            pl.Series([*"xyzx"], dtype=pl.Enum([*"xyz"])),
            pl.Series(["x", None, "x", None], dtype=pl.Enum(["x"])),
            pl.Series([*"xyxx"], dtype=pl.Enum(["x", "y"])),
        ),
        (
            pl.Series([1.0, 2.4, 3.0, 4.6]),
            pl.Series([1, None, 3, None], dtype=pl.Int32),
            pl.Series([1, 2, 3, 5], dtype=pl.Int32),
        ),
        (
            pl.Series([1.0, 2.5, 3.0, 4.0]),
            pl.Series([1, None, 3, None], dtype=pl.Float32),
            pl.Series([1, 2.5, 3, 4], dtype=pl.Float32),
        ),
        (pl.Series([*"xyzx"]), pl.Series([None] * 4), pl.Series([*"xyzx"])),
    ],
)
def test_holes_are_filled_in_the_types_that_a_table_has(fitted, column, expected):
    library = "pandas" if isinstance(column, pd.Series) else "polars"
    _, layout, values = read_one(fitted, library)
    frame, _, _ = read_one(column, library)
    result = filled(frame, values, layout)["a"]
    if library == "pandas":
        pd.testing.assert_series_equal(result, expected, check_names=False)
    else:
        pl.testing.assert_series_equal(result, expected, check_names=False)


def test_what_a_table_has_beside_its_values_stays():
    names = pd.MultiIndex.from_tuples([("a", 1), ("a", 2)], names=["kind", "number"])
    table = pd.DataFrame([[1.0, np.nan], [2.0, 3.0]], index=[7, 7], columns=names)
    layout = layout_of(table, "from_dtype")
    whole = [one._replace(numbers=np.ones(2)) for one in read(table, layout)]
    result = filled(table, whole, layout)
    pd.testing.assert_frame_equal(result, table.fillna(1.0))
    assert np.isnan(table.iloc[0, 1])


@pytest.mark.parametrize(
    "column",
    [
        pl.Series([dt.date(2024, 2, 28), dt.date(2024, 3, 1)]),
        pd.Series(TIMES).astype("datetime64[s]"),
        np.array(["2024-02-28", "1969-01-01"], dtype="datetime64[D]"),
    ],
)
def test_dates_are_the_nearest_that_their_type_can_hold(column):
    is_array = isinstance(column, np.ndarray)
    library = "pandas" if isinstance(column, pd.Series) else "polars"
    if is_array:
        frame = column[:, None]
        layout = layout_of(frame, "from_dtype")
        (values,) = read(frame, layout)
    else:
        frame, layout, (values,) = read_one(column, library)
    half = 0.45 * (1.0 if library == "pandas" and not is_array else 86400.0)
    for away in (-half, half):
        rebuilt = write([values._replace(numbers=values.numbers + away)], layout)
        (again,) = read(rebuilt, layout)
        np.testing.assert_array_equal(again.numbers, values.numbers)


@pytest.mark.parametrize("kind", ["datetime64[ns]", "datetime64[us]", "datetime64[us, Asia/Tokyo]"])
def test_dates_far_out_are_the_last_that_there_are(kind):
    _, layout, (values,) = read_one(pd.Series(TIMES).astype("datetime64[us]"), "pandas")
    layout = layout._replace(types=[layout.types[0]._replace(name=kind)])
    column = write([values._replace(numbers=np.array([-1e15, 0.0, 1e15]))], layout)["a"]
    assert column.notna().all()
    assert column.is_monotonic_increasing


@pytest.mark.parametrize("zoned_at_first", [False, True])
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_dates_with_and_without_a_zone_are_not_mixed(zoned_at_first, library):
    plain = pd.Series(TIMES) if library == "pandas" else pl.Series(TIMES)
    zoned = (
        plain.dt.tz_localize("UTC") if library == "pandas" else plain.dt.replace_time_zone("UTC")
    )
    pair = (zoned, plain) if zoned_at_first else (plain, zoned)
    (_, layout, _), (frame, _, _) = (read_one(column, library) for column in pair)
    with pytest.raises(ValueError, match=r"column 'a'.*time zone in fit"):
        read(frame, layout)


def test_dates_are_no_categories():
    table = pd.DataFrame({"a": TIMES})
    with pytest.raises(ValueError, match="column 'a' of X, which holds dates"):
        read(table, layout_of(table, ["a"]))


@pytest.mark.parametrize(
    ("values", "message"), [([10**400, 1], "double precision"), ([np.complex128(1j), 1], "complex")]
)
def test_numbers_that_no_column_can_hold_are_refused(values, message):
    table = pd.DataFrame({"a": pd.Series(values, dtype=object)})
    with pytest.raises(ValueError, match=message):
        read(table, layout_of(table, "from_dtype"))


def test_a_type_of_categories_that_can_not_be_read_is_named():
    table = pd.DataFrame({"a": pd.cut([1.0, 2.0, 3.0], 2)})
    with pytest.raises(ValueError, match="category of interval"):
        layout_of(table, "from_dtype")


def test_without_their_zone_dates_are_local():
    zoned = pd.Series(TIMES).dt.tz_localize("Asia/Tokyo")
    table = pd.DataFrame({"a": zoned, "b": [1, 2, 3]})
    pd.testing.assert_series_equal(without_zones(table)["a"], pd.Series(TIMES), check_names=False)
    assert str(table["a"].dtype).endswith("Tokyo]")
    frame = pl.DataFrame({"a": pl.Series(TIMES).dt.replace_time_zone("Asia/Tokyo")})
    assert without_zones(frame)["a"].to_list() == TIMES


@pytest.mark.parametrize(
    ("which", "expected"),
    [("b", [1]), (["b"], [1]), ([1], [1]), ([-1], [2]), ([False, True, False], [1]), (None, [])],
)
def test_columns_are_named_as_categories_by_names_places_or_a_mask(which, expected):
    frame = pd.DataFrame({"a": [1, 2], "b": [1, 2], "c": [1, 2]})
    assert np.flatnonzero(layout_of(frame, which).categorical).tolist() == expected


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), r"several columns of the names \['a'\]"),
        (pd.DataFrame({"a": [[1], [2]]}), r"'a' of X holds \['list'\]"),
        (pd.DataFrame({"a": [1j, 2j]}), "'a' of X has the type complex128"),
        (pd.DataFrame({"a": [1.0, np.inf]}), "'a' of X contains infinity"),
        (pd.DataFrame({"a": pd.to_timedelta([1, 2])}), "has the type timedelta64"),
        (pl.DataFrame({"a": [[1], [2]]}), "has the type List"),
        (
            pd.DataFrame({"a": [f"person {i}" for i in range(50)]}),
            r"'a' of X has 50 different words in 50 rows.*Leave it out, or name it in cat",
        ),
    ],
)
def test_what_is_no_column_is_refused_by_name(frame, message):
    with pytest.raises(ValueError, match=message):
        read(frame, layout_of(frame, "from_dtype"))


def test_other_columns_are_refused_and_another_order_is_not():
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    layout = layout_of(frame, None)
    assert [values.name for values in read(frame[["b", "a"]], layout)] == ["a", "b"]
    with pytest.raises(ValueError, match=r"lacks the columns \['b'\] and has the columns \['c'\]"):
        read(frame.rename(columns={"b": "c"}), layout)
    with pytest.raises(ValueError, match="X has 3 columns, but the table that was fitted has 2"):
        read(np.zeros((2, 3)), layout)
    with pytest.raises(ValueError, match="categorical_features has 'z', but X has the columns"):
        layout_of(frame, ["z"])
    with pytest.raises(ValueError, match="is a mask of 3 columns, but X has 2"):
        layout_of(frame, [True, False, True])


def test_a_word_in_each_row_may_be_named_a_category():
    frame = pd.DataFrame({"a": [f"person {i}" for i in range(50)]})
    (values,) = read(frame, layout_of(frame, ["a"]))
    assert len(values.levels) == 50


def test_whole_numbers_are_the_nearest_that_their_type_can_hold():
    frame = pd.DataFrame({"a": pd.Series([1, 2, 3], dtype="uint8"), "b": [1, 2, 2**62]})
    layout = layout_of(frame, None)
    a, b = read(frame, layout)
    far = [
        a._replace(numbers=np.array([-3.0, 2.6, 300.0])),
        b._replace(numbers=np.array([0.4, 1e30, -1e30])),
    ]
    result = write(far, layout)
    assert result["a"].tolist() == [0, 3, 255]
    assert result["b"].dtype == np.int64
    assert (result["b"].iloc[1] > 2**62, result["b"].iloc[2]) == (True, -(2**63))


def test_rows_keep_their_index():
    table = pd.DataFrame({"a": [1, 2]})
    assert with_index_of(table.set_axis(["x", "y"]), table).index.tolist() == ["x", "y"]
    assert with_index_of(np.zeros(2), table) is table


COLUMNS = st.one_of(
    st.tuples(st.just("float"), st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=4)),
    st.tuples(st.just("int"), st.lists(st.integers(-(2**40), 2**40), min_size=4, max_size=4)),
    st.tuples(st.just("bool"), st.lists(st.booleans(), min_size=4, max_size=4)),
    st.tuples(st.just("word"), st.lists(st.sampled_from("abc"), min_size=4, max_size=4)),
    st.tuples(st.just("category"), st.lists(st.sampled_from("abc"), min_size=4, max_size=4)),
    st.tuples(
        st.just("date"),
        st.lists(
            st.datetimes(dt.datetime(1800, 1, 1), dt.datetime(2200, 1, 1)), min_size=4, max_size=4
        ),
    ),
)


def series(kind, values):
    if kind == "category":
        return pd.Series(pd.Categorical(values, categories=[*"cab"]))
    return pd.Series(values)


@given(st.lists(COLUMNS, min_size=1, max_size=5))
@settings(deadline=None, max_examples=50)
def test_any_table_is_written_as_it_was(columns):
    frame = pd.DataFrame({f"c{i}": series(*column) for i, column in enumerate(columns)})
    layout = layout_of(frame, "from_dtype")
    back = write(read(frame, layout), layout)
    pd.testing.assert_series_equal(back.dtypes, frame.dtypes)
    for name in frame:
        if frame[name].dtype.kind == "M":
            assert (back[name] - frame[name]).abs().max() <= pd.Timedelta("2us")
        else:
            pd.testing.assert_series_equal(back[name], frame[name])


@pytest.mark.parametrize("library", [pd, pl])
@pytest.mark.parametrize(
    ("column", "plain"),
    [
        ([1, 2], True),
        ([1.5, 2.5], True),
        ([True, False], True),
        ([1.0, None], False),
        ([1.0, np.nan], False),
        ([True, None], False),
        (["a", "b"], False),
        ([TIMES[0]] * 2, False),
    ],
)
def test_plain_columns_are_numbers_and_flags_without_holes(library, column, plain):
    assert is_plain(library.DataFrame({"a": [1, 2], "b": column})) is plain
    if library is pd:
        twice = pd.concat([pd.Series([1, 2]), pd.Series(column)], axis=1, keys=["a", "a"])
        assert is_plain(twice) is plain


def test_what_has_no_columns_with_types_is_plain():
    assert is_plain([[1, 2]])
    assert is_plain(np.array([["a"]]))
    assert is_plain(pd.DataFrame({"a": np.array([1, 2.5], dtype=object)}))
