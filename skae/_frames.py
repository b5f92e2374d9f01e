"""Tables of pandas, polars and numpy: what their columns hold, and the same containers back.

The only module that knows pandas and polars as tables, and that only where one came in.
"""

import re
from collections.abc import Callable, Sequence
from importlib import import_module
from numbers import Integral, Number
from typing import Any, NamedTuple

import numpy as np

from ._labels import is_unlabeled
from ._table_values import MICROSECOND, Values, in_order, seconds_of

_MANY_WORDS = 20  # different ones, below which a column of words is a category however few rows
# Of types of dates: their units, in seconds, and which ones containers can show.
_UNITS = {"D": 86400.0, "s": 1.0, "ms": 1e-3, "us": MICROSECOND, "ns": MICROSECOND}
_FIRST_SECOND, _LAST_SECOND = -62135510400.0, 253402214400.0  # of the years 1 to 9999
_FARTHEST_OF_NANOSECONDS = 9.2e9  # seconds from 1970


class UnusableColumn(ValueError):
    """A column is none of numbers, categories or dates; `why` says so in a few words."""

    def __init__(self, message: str, why: str) -> None:
        super().__init__(message)
        self.why = why


class Type(NamedTuple):
    """The type of a column, by its name in its library and what the name does not say."""

    name: str
    categories: list | None = None
    ordered: bool = False
    of_categories: str = ""  # the name of their type
    unit: str | None = None  # of times
    zone: str | None = None


class Layout(NamedTuple):
    """What a table was like: its container, and its columns' names and types."""

    library: str  # "numpy", "pandas" or "polars"
    names: list
    types: list[Type]  # of numpy that of the array
    categorical: list[bool]  # whether the user says that a column is a category


_OF_ARROW = "[pyarrow]"
# Names of types of pandas that can be turned into them, and of polars.
_OF_PANDAS = re.compile(
    r"(u?int|UInt|Int)(8|16|32|64)|[fF]loat(32|64)|bool|boolean|object|str|string"
    r"|datetime64\[(s|ms|us|ns)(, [\w/+:-]+)?\]"
    r"|(u?int(8|16|32|64)|float|double|bool|string)\[pyarrow\]"
)
_OF_POLARS = (
    *("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64"),
    *("Float32", "Float64", "Boolean", "String", "Categorical", "Date", "Null"),
)


def _type_of_pandas(name: Any, kind: Any) -> Type:
    categories = getattr(kind, "categories", None)
    if categories is not None:
        inner = str(categories.dtype)
        if _OF_PANDAS.fullmatch(inner):
            return Type("category", categories.tolist(), bool(kind.ordered), inner)
    elif _OF_PANDAS.fullmatch(str(kind)):
        return Type(str(kind))
    raise _unknown_type(name, kind)


def _type_of_polars(name: Any, kind: Any) -> Type:
    import polars as pl

    if kind == pl.Enum:
        return Type("Enum", kind.categories.to_list())
    if kind == pl.Datetime:
        return Type("Datetime", unit=kind.time_unit, zone=kind.time_zone)
    if str(kind) in _OF_POLARS:
        return Type(str(kind))
    raise _unknown_type(name, kind)


def _in_pandas(kind: Type) -> Any:
    """Return the type of pandas that a name stands for."""
    import pandas as pd

    if kind.categories is not None:
        categories = pd.Index(kind.categories, dtype=kind.of_categories)
        return pd.CategoricalDtype(categories, ordered=kind.ordered)
    if not _OF_PANDAS.fullmatch(kind.name):  # from a file, which may say anything
        raise ValueError(f"{kind.name!r} is no type of a column.")
    if kind.name.endswith(_OF_ARROW):
        import pyarrow as pa

        return pd.ArrowDtype(pa.type_for_alias(kind.name.removesuffix(_OF_ARROW)))
    return pd.api.types.pandas_dtype(kind.name)


def _in_polars(kind: Type) -> Any:
    """Return the type of polars that a name stands for."""
    import polars as pl

    if kind.name == "Enum":
        return pl.Enum(kind.categories or [])
    if kind.name == "Datetime":
        return pl.Datetime(kind.unit or "us", kind.zone)  # type: ignore[arg-type]
    return {name: getattr(pl, name) for name in _OF_POLARS}[kind.name]


def library_of(X: Any) -> str:
    """Return the library that a container comes from."""
    if hasattr(X, "iloc") and hasattr(X, "columns"):
        return "pandas"
    if hasattr(X, "get_columns") and hasattr(X, "schema"):
        return "polars"
    return "numpy"


def is_plain(X: Any) -> bool:
    """Whether rows need no reading: an array, or columns of numbers and flags without holes."""
    library = library_of(X)
    if library == "pandas":
        return all(_is_plain_in_pandas(X.iloc[:, i]) for i in range(X.shape[1]))
    if library == "polars":
        return all(map(_is_plain_in_polars, X.get_columns()))
    return True


def is_mixed(X: Any) -> bool:
    """Whether a DataFrame has a column of anything but numbers, or an array has words."""
    library = library_of(X)
    if library == "numpy":
        X = np.asarray(X)
        values = X.ravel().tolist() if X.dtype.kind == "O" else []
        return any(isinstance(value, str) for value in values)
    if library == "pandas":
        return not all(_holds_numbers(X.iloc[:, i]) for i in range(X.shape[1]))
    return library == "polars" and not all(kind.is_numeric() for kind in X.dtypes)


def _holds_numbers(column: Any) -> bool:
    import pandas as pd

    if pd.api.types.is_object_dtype(column.dtype):
        values = [value for value in column.tolist() if not is_missing(value)]
        return all(isinstance(one, Number) and not isinstance(one, bool) for one in values)
    kind = column.dtype
    return bool(pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind))


def _is_plain_in_pandas(column: Any) -> bool:
    import pandas as pd

    if pd.api.types.is_object_dtype(column.dtype):
        return not any(
            is_missing(value) or not isinstance(value, Number) for value in column.tolist()
        )
    return bool(pd.api.types.is_numeric_dtype(column.dtype) and not column.isna().any())


def _is_plain_in_polars(column: Any) -> bool:
    import polars as pl

    kind = column.dtype
    if not (kind.is_numeric() or kind == pl.Boolean) or column.null_count():
        return False
    return not (kind.is_float() and column.is_nan().any())


def layout_of(X: Any, categorical_features: Any) -> Layout:
    """Return the layout of a table, with what the user says of its columns checked."""
    library = library_of(X)
    if library == "numpy":
        names = [f"x{i}" for i in range(X.shape[1])]
        types = [Type(str(X.dtype))] * X.shape[1]
    else:
        names = list(X.columns)
        type_of = _type_of_pandas if library == "pandas" else _type_of_polars
        types = [type_of(*pair) for pair in zip(names, X.dtypes, strict=True)]
    _check_names(names)
    return Layout(library, names, types, _categorical(categorical_features, names))


def _check_names(names: list) -> None:
    twice = sorted({str(name) for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"X has several columns of the names {twice}. Give each its own name.")


def _categorical(given: Any, names: list) -> list[bool]:
    """Return which columns are named as categories: names, places, or a mask."""
    if given is None or (isinstance(given, str) and given == "from_dtype"):
        return [False] * len(names)
    given = [given] if isinstance(given, str) else list(given)
    if given and all(isinstance(which, bool | np.bool_) for which in given):
        if len(given) != len(names):
            raise ValueError(
                f"categorical_features is a mask of {len(given)} columns, but X has {len(names)}."
            )
        return [bool(which) for which in given]
    result = [False] * len(names)
    for which in given:
        if which in names:
            place = names.index(which)
        elif isinstance(which, Integral) and -len(names) <= int(which) < len(names):
            place = int(which)
        else:
            raise ValueError(
                f"categorical_features has {which!r}, but X has the columns {names}. Give names, "
                "places or a mask."
            )
        result[place] = True
    return result


def without_zones(X: Any) -> Any:
    """Return a table whose dates are what clocks of their time zones show."""
    library = library_of(X)
    if library == "pandas":
        zoned = [name for name in X.columns if getattr(X[name].dtype, "tz", None) is not None]
        result = X.copy(deep=False)
        for name in zoned:
            result[name] = X[name].dt.tz_localize(None)
        return result
    if library == "polars":
        zoned = [name for name, kind in X.schema.items() if getattr(kind, "time_zone", None)]
        return X.with_columns(X[name].dt.replace_time_zone(None) for name in zoned)
    return X


def read(X: Any, layout: Layout) -> list[Values]:
    """Return what the columns of a table hold, in the order of a layout."""
    library = library_of(X)
    if library == "numpy":
        if X.shape[1] != len(layout.names):
            raise ValueError(
                f"X has {X.shape[1]} columns, but the table that was fitted has "
                f"{len(layout.names)}: {layout.names}."
            )
        columns = list(X.T)
    else:
        names = list(X.columns)
        _check_names(names)
        lacking = [name for name in layout.names if name not in names]
        more = [name for name in names if name not in layout.names]
        if lacking or more:
            raise ValueError(
                f"X lacks the columns {lacking} and has the columns {more} beyond those that were "
                f"fitted, {layout.names}. Give the same columns, in any order."
            )
        columns = [X[name] for name in layout.names]
        for name, column, kind in zip(layout.names, columns, layout.types, strict=True):
            _check_zone(name, column.dtype, kind)
    pairs = zip(layout.names, columns, layout.categorical, strict=True)
    return [_check_finite(_READERS[library](name, column, cat)) for name, column, cat in pairs]


def _check_zone(name: Any, dtype: Any, fitted: Type) -> None:
    """Refuse dates with a time zone where those of `fit` have none, and the other way round."""
    zone = getattr(dtype, "tz", None) or getattr(dtype, "time_zone", None)
    is_date = str(dtype).startswith(("datetime64", "Datetime"))
    if is_date and fitted.name.startswith(("datetime64", "Datetime")):
        had = fitted.zone is not None or "," in fitted.name
        if had != (zone is not None):
            raise ValueError(
                f"The column {name!r} of X has dates of the type {dtype}, but it had "
                f"{'a' if had else 'no'} time zone in fit, so that they can't be compared. "
                "Convert it to the type that it had."
            )


def _of_numpy(name: Any, column: np.ndarray, category: bool) -> Values:
    if column.dtype.kind == "b":
        return Values(name, "category", column.astype(float), [False, True])
    if column.dtype.kind == "M":
        if category:
            raise ValueError(
                f"categorical_features names the column {name!r} of X, which holds dates. Leave it "
                "out there, or convert its dates to words."
            )
        return Values(name, "date", seconds_of(column))
    if column.dtype.kind in "OUS":
        return _of_objects(name, column.tolist(), category)
    return _of_numbers(name, column.astype(np.float64), category)


def _check_finite(values: Values) -> Values:
    """Return a column, or raise an error if it has infinite numbers, or levels."""
    levels = [level for level in values.levels or [] if isinstance(level, float)]
    if np.isinf(values.numbers).any() or np.isinf(levels).any():
        raise ValueError(
            f"The column {values.name!r} of X contains infinity. Give finite numbers; NaN is a "
            "missing value."
        )
    return values


def _of_numbers(name: Any, numbers: np.ndarray, category: bool) -> Values:
    return as_category(name, numbers) if category else Values(name, "number", numbers)


def as_category(name: Any, numbers: np.ndarray) -> Values:
    """Return what a column holds whose numbers are names of levels."""
    known = ~np.isnan(numbers)
    levels, place = np.unique(numbers[known], return_inverse=True)
    result = np.full(len(numbers), np.nan)
    result[known] = place
    return Values(name, "category", result, levels.tolist())


def _of_objects(name: Any, values: list, category: bool) -> Values:
    """Return words, flags, or numbers among objects."""
    missing = np.array([is_missing(value) for value in values], dtype=bool)
    known = [value for value, lacks in zip(values, missing, strict=True) if not lacks]
    flags = all(isinstance(value, bool | np.bool_) for value in known)
    if known and not flags and not category and all(isinstance(value, Number) for value in known):
        numbers = np.full(len(values), np.nan)
        if any(isinstance(value, complex | np.complexfloating) for value in known):
            raise ValueError(f"The column {name!r} of X has complex numbers.")
        try:
            numbers[~missing] = [float(value) for value in known]
        except OverflowError as error:
            raise ValueError(
                f"The column {name!r} of X has integers beyond the numbers of double precision. "
                "Give smaller ones, or words."
            ) from error
        return _of_numbers(name, numbers, category)
    try:
        different = set(known)
    except TypeError as error:
        kinds = sorted({type(value).__name__ for value in known})
        raise UnusableColumn(
            f"The column {name!r} of X holds {kinds}. Give numbers, words, flags or dates, or "
            "leave it out.",
            f"it holds {kinds}",
        ) from error
    if not category and tells_rows_apart(len(different), len(known)):
        raise UnusableColumn(
            f"The column {name!r} of X has {len(different)} different words in {len(known)} rows, "
            "so it says which row it is and not of what kind. Leave it out, or name it in "
            "categorical_features if its words are categories all the same.",
            f"{len(different)} different words in {len(known)} rows",
        )
    levels = sorted(different, key=in_order)
    places = {level: i for i, level in enumerate(levels)}
    numbers = np.array([np.nan if m else places[v] for v, m in zip(values, missing, strict=True)])
    return Values(name, "category", numbers.astype(float), levels)


def tells_rows_apart(n_different: int, n_known: int) -> bool:
    """Whether so many different words in so many rows say which row it is, and not of what kind."""
    return n_different > max(_MANY_WORDS, n_known / 2)


def is_missing(value: Any) -> bool:
    """Whether a cell holds nothing: None, NaN, NA, NaT."""
    if value is None:
        return True
    try:
        return bool(value != value)
    except TypeError:  # pandas.NA is neither
        return True
    except ValueError:  # an array in a cell
        return False


def _of_pandas(name: Any, column: Any, category: bool) -> Values:
    import pandas as pd

    kind = column.dtype
    if isinstance(kind, pd.CategoricalDtype):
        codes = column.cat.codes.to_numpy()
        return Values(
            name, "category", np.where(codes < 0, np.nan, codes), kind.categories.tolist()
        )
    if pd.api.types.is_bool_dtype(kind):
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
        return Values(name, "category", numbers, [False, True])
    if pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_complex_dtype(kind):
        return _of_numbers(name, column.to_numpy(dtype=np.float64, na_value=np.nan), category)
    if pd.api.types.is_datetime64_any_dtype(kind):
        zone = getattr(kind, "tz", None)
        plain = column.dt.tz_convert("UTC").dt.tz_localize(None) if zone is not None else column
        return _of_numpy(name, plain.to_numpy(dtype="datetime64[us]"), category)
    words = pd.api.types.is_object_dtype(kind) or pd.api.types.is_string_dtype(kind)
    if words or str(kind) == f"string{_OF_ARROW}":
        return _of_objects(name, column.tolist(), category)
    raise _unknown_type(name, kind)


def _of_polars(name: Any, column: Any, category: bool) -> Values:
    import polars as pl

    kind = column.dtype
    if kind == pl.Boolean:
        return Values(name, "category", column.cast(pl.Float64).to_numpy(), [False, True])
    if kind == pl.Enum:
        levels = kind.categories.to_list()
        place = {level: i for i, level in enumerate(levels)}
        numbers = [np.nan if value is None else place[value] for value in column.to_list()]
        return Values(name, "category", np.array(numbers, dtype=float), levels)
    if kind.is_numeric():
        return _of_numbers(name, column.cast(pl.Float64).to_numpy().copy(), category)
    if kind in (pl.Date, pl.Datetime):
        if getattr(kind, "time_zone", None) is not None:
            column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return _of_numpy(name, column.cast(pl.Datetime("us")).to_numpy(), category)
    if kind in (pl.String, pl.Categorical):
        return _of_objects(name, column.to_list(), category)
    if kind == pl.Null:
        return Values(name, "number", np.full(len(column), np.nan))
    raise _unknown_type(name, kind)


def _unknown_type(name, kind) -> UnusableColumn:
    inner = getattr(getattr(kind, "categories", None), "dtype", None)
    kind = kind if inner is None else f"{kind} of {inner}"
    return UnusableColumn(
        f"The column {name!r} of X has the type {kind}; expected numbers, words, categories, flags "
        "or dates. Convert it, or leave it out.",
        f"of the type {kind}",
    )


_READERS: dict[str, Callable[[Any, Any, bool], Values]] = {
    "numpy": _of_numpy,
    "pandas": _of_pandas,
    "polars": _of_polars,
}


def read_column(name: str, column: Any) -> Values:
    """Return what a column of pandas or polars holds, whose name in its table may be another."""
    return _READERS["pandas" if hasattr(column, "iloc") else "polars"](name, column, False)


def is_of_flags(values: Values) -> bool:
    """Whether a column holds True and False."""
    levels = values.levels or []
    return levels == [False, True] and all(isinstance(level, bool | np.bool_) for level in levels)


def frame_of(table: Sequence[Values]) -> Any:
    """Return columns as a DataFrame of pandas or, where that is not installed, of polars."""
    for library, types in _TYPES.items():
        try:
            import_module(library)
        except ImportError:
            continue
        names = [values.name for values in table]
        return write(table, Layout(library, names, [types(values) for values in table], []))
    raise ImportError(
        "columns of words or dates, or with missing values, need pandas or polars: "
        "pip install pandas"
    )


def _type_in_pandas(values: Values) -> Type:
    if is_of_flags(values):
        return Type("boolean")
    if values.kind == "category":
        return Type("category", values.levels, of_categories="object")
    return Type({"number": "float64", "date": "datetime64[us]"}[values.kind])


def _type_in_polars(values: Values) -> Type:
    if is_of_flags(values):
        return Type("Boolean")
    if values.kind == "category":
        return Type("Enum", values.levels)
    return Type("Float64") if values.kind == "number" else Type("Datetime", unit="us")


_TYPES = {"pandas": _type_in_pandas, "polars": _type_in_polars}


def write(table: Sequence[Values], layout: Layout) -> Any:
    """Return a table in the container and the types of a layout."""
    return _WRITERS[layout.library](table, layout)


def objects_of(X: Any, names: list) -> np.ndarray:
    """Return the values of a table's columns as objects, (n_rows, n_columns), None for a hole."""
    is_array = library_of(X) == "numpy"
    X = np.asarray(X) if is_array else X
    if is_array and X.dtype.kind == "M":
        X = X.astype("datetime64[us]")  # those of nanoseconds are integers as objects
    result = np.empty((len(X), len(names)), dtype=object)
    for i, name in enumerate(names):
        result[:, i] = X[:, i].tolist() if is_array else list(X[name])
        result[is_unlabeled(result[:, i], np.nan), i] = None
    return result


def with_index_of(X: Any, table: Any) -> Any:
    """Return a table with the index of the rows that it was made of, if both have one."""
    if library_of(X) != "pandas" or library_of(table) != "pandas":
        return table
    return table.set_axis(X.index, axis=0)


def like(X: Any, rows: np.ndarray) -> Any:
    """Return rows of numbers in the kind of container that others are in, with its columns."""
    library = library_of(X)
    if library == "pandas":
        return type(X)(rows, columns=X.columns)
    return type(X)(rows, schema=X.columns) if library == "polars" else rows


def filled(X: Any, table: Sequence[Values], layout: Layout) -> Any:
    """Return X with what a table has in the place of values that are missing, in the types of X.

    Parameters
    ----------
    X : DataFrame or ndarray
    table : sequence of Values
        Its columns, in the order of a layout.
    layout : Layout
        Of the table that was fitted.
    """
    library = library_of(X)
    if library != "numpy" and layout.library != library:
        raise ValueError(
            f"X comes from {library}, but what was fitted from {layout.library}, whose types "
            "its holes would be filled with. Give a table of the same library."
        )
    if library == "numpy":
        return _filled_array(np.asarray(X), write(table, layout))
    of_fit = dict(zip(layout.names, zip(table, layout.types, strict=True), strict=True))
    own = layout_of(X, None)
    names, types, fills = [], [], []
    for name, kind in zip(own.names, own.types, strict=True):
        holes = _HOLES[library](X[name])
        if holes.any():
            values, fitted = of_fit[name]
            if values.levels is not None:  # some of which the type need not have
                values = values._replace(numbers=np.where(holes, values.numbers, np.nan))
            names.append(name)
            types.append(_with_levels(fitted if kind.name == "Null" else kind, values))
            fills.append(values)
    if not names:
        return X.copy() if library == "pandas" else X.clone()
    given = with_index_of(X, write(fills, own._replace(names=names, types=types)))
    return _FILLED[library](X, given)


def _with_levels(kind: Type, values: Values) -> Type:
    """Return the type of a column, with the levels that it holds among its categories."""
    if kind.categories is None or values.levels is None:
        return kind
    used = np.unique(values.numbers[~np.isnan(values.numbers)]).astype(int)
    more = [values.levels[i] for i in used if values.levels[i] not in kind.categories]
    return kind._replace(categories=[*kind.categories, *more])


def _filled_array(X: np.ndarray, given: np.ndarray) -> np.ndarray:
    if X.dtype.kind in "US":
        return X.copy()
    missing = np.vectorize(is_missing, otypes=[bool])(X) if X.dtype == object else np.isnan(X)
    return np.where(missing, given, X)


def _holes_in_pandas(column: Any) -> np.ndarray:
    return column.isna().to_numpy()


def _holes_in_polars(column: Any) -> np.ndarray:
    return (column.fill_nan(None) if column.dtype.is_float() else column).is_null().to_numpy()


_HOLES: dict[str, Callable[[Any], np.ndarray]] = {
    "pandas": _holes_in_pandas,
    "polars": _holes_in_polars,
}


def _filled_in_pandas(X: Any, given: Any) -> Any:
    result = X.copy()
    for name in given.columns:
        result[name] = X[name].astype(given[name].dtype).where(X[name].notna(), given[name])
    return result


def _filled_in_polars(X: Any, given: Any) -> Any:
    columns = []
    for fill in given.get_columns():
        known = X[fill.name]
        known = known.fill_nan(None) if known.dtype.is_float() else known
        columns.append(known.cast(fill.dtype).zip_with(known.is_not_null(), fill))
    return X.with_columns(columns)


_FILLED: dict[str, Callable[[Any, Any], Any]] = {
    "pandas": _filled_in_pandas,
    "polars": _filled_in_polars,
}


def _objects(values: Values) -> list:
    """Return the words of a category, None where one is missing."""
    levels = values.levels or []
    return [None if np.isnan(place) else levels[int(place)] for place in values.numbers]


def _whole(numbers: np.ndarray, kind: Any) -> np.ndarray:
    """Return the nearest numbers that a type of whole numbers can hold."""
    limits = np.iinfo(kind)
    # The largest integers of 64 bits are no numbers of double precision.
    most = float(limits.max) if limits.bits < 64 else np.nextafter(float(limits.max), 0)
    return np.clip(np.rint(numbers), float(limits.min), most).astype(kind)


def _dates(values: Values, unit: str = "us") -> np.ndarray:
    """Return dates to the nearest of a unit, within what its types can hold."""
    first, last = _FIRST_SECOND, _LAST_SECOND
    if unit == "ns":
        first, last = -_FARTHEST_OF_NANOSECONDS, _FARTHEST_OF_NANOSECONDS
    dates = np.full(len(values.numbers), np.datetime64("NaT"), dtype="datetime64[us]")
    known = ~np.isnan(values.numbers)
    steps = np.rint(np.clip(values.numbers[known], first, last) / _UNITS[unit])
    dates[known] = steps.astype("int64") * round(_UNITS[unit] / MICROSECOND)
    return dates


def _to_numpy(table, layout):
    kind = np.dtype(layout.types[0].name)
    columns = []
    for values in table:
        column: Any = values.numbers
        if values.levels is not None:
            column = np.empty(len(values.numbers), dtype=object)
            column[:] = _objects(values)
        elif values.kind == "date":
            column = _dates(values, _unit_of(kind))
        elif kind.kind in "iu":
            column = _whole(values.numbers, kind)
        columns.append(column)
    return np.column_stack(columns).astype(kind, copy=False)


def _unit_of(kind: Any) -> str:
    """Return the unit of a type of dates of numpy or pandas."""
    unit = getattr(kind, "unit", None)
    if unit is None:
        unit = np.datetime_data(kind)[0] if getattr(kind, "kind", "") == "M" else "us"
    return unit if unit in _UNITS else "us"


def _to_pandas(table, layout):
    import pandas as pd

    columns = []
    for values, kind in zip(table, map(_in_pandas, layout.types), strict=True):
        if values.levels is not None or np.isnan(values.numbers).all():
            column = pd.Series(_objects(values), dtype=kind)
        elif values.kind == "date":
            column = pd.Series(_dates(values, _unit_of(kind)))
            if getattr(kind, "tz", None) is not None:
                column = column.dt.tz_localize("UTC").dt.tz_convert(kind.tz)
            column = column.astype(kind)
        elif pd.api.types.is_integer_dtype(kind):
            numpy_kind = getattr(kind, "numpy_dtype", kind)
            column = pd.Series(_whole(values.numbers, numpy_kind), dtype=kind)
        else:
            column = pd.Series(values.numbers).astype(kind)
        columns.append(column)
    return pd.DataFrame(dict(zip(layout.names, columns, strict=True)))


def _to_polars(table, layout):
    import polars as pl

    columns = []
    for values, kind in zip(table, map(_in_polars, layout.types), strict=True):
        if values.levels is not None or np.isnan(values.numbers).all():
            column = pl.Series(values.name, _objects(values), dtype=kind, strict=False)
        elif values.kind == "date":
            unit = "D" if kind == pl.Date else getattr(kind, "time_unit", "us")
            column = pl.Series(values.name, _dates(values, unit))
            if getattr(kind, "time_zone", None) is not None:
                column = column.dt.replace_time_zone("UTC").dt.convert_time_zone(kind.time_zone)
            column = column.cast(kind)
        elif kind.is_integer():
            limits = {True: "int", False: "uint"}[kind.is_signed_integer()]
            width = pl.Series([0], dtype=kind).estimated_size() * 8
            column = pl.Series(values.name, _whole(values.numbers, f"{limits}{width}"), dtype=kind)
        else:
            column = pl.Series(values.name, values.numbers).cast(kind)
        columns.append(column)
    return pl.DataFrame(columns)


_WRITERS: dict[str, Callable[[Sequence[Values], Layout], Any]] = {
    "numpy": _to_numpy,
    "pandas": _to_pandas,
    "polars": _to_polars,
}
