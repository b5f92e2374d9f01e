"""The columns of a table: how they are addressed, what each is for, what keeps them from it."""

import difflib
import re
import shlex
from typing import Any, NamedTuple

import numpy as np

from skae._frames import UnusableColumn, as_category, frame_of, is_of_flags, tells_rows_apart
from skae._sources import DEFAULT_MEMORY
from skae._table_values import Values

# Names that pandas gives to an index without a name, in CSV files read and written again and in
# Parquet.
NAMES_OF_AN_INDEX = re.compile(r"|Unnamed: 0|__index_level_\d+__")
LISTED = 10  # the most columns that a message lists


class BadInput(ValueError):
    """What the user gave can't be used; the message says why and what to do."""


class Wanted(NamedTuple):
    """Which columns are what, in the words of the user."""

    target: str | None = None  # a name or a number
    drop: tuple[str, ...] = ()  # names or numbers
    keep_index: bool = False
    categories: tuple[str, ...] = ()  # names or numbers, of columns whose numbers name levels
    memory: int | str = DEFAULT_MEMORY  # that rows may take, beyond which some of them are read


class Roles(NamedTuple):
    """Which columns are what, by position."""

    target: int | None
    features: list[int]
    unnamed: int | None  # one of the features, which goes if its values are those of an index
    categories: frozenset[int] = frozenset()  # of the features, those whose numbers name levels


class Table(NamedTuple):
    """Rows, and an account of where they come from."""

    X: Any  # (n_samples, n_features): an array of numbers or, of other columns, a DataFrame
    y: np.ndarray | None  # (n_samples,)
    target: str | None  # what the target is called
    form: list[str]  # what was made of the file
    remarks: list[str]  # what was made of its columns
    columns: list[Values]  # what the columns of X hold
    left_out: dict[str, str]  # from a column that is no feature to why
    target_name: str | None = None  # where it has one


class Columns:
    """Columns by their positions, from 0; a name is a way to say one, if it has one of its own.

    Parameters
    ----------
    names : list of str
        "" where a column has no name.
    """

    def __init__(self, names):
        self.names = names

    def __len__(self):
        return len(self.names)

    def describe(self, position):
        """Return how messages call a column: by its name and its number."""
        name = self.names[position]
        return f"{name!r} ({position})" if name else str(position)

    def label(self, position):
        """Return what a column is called where its number does not matter, unlike any other."""
        name = self.names[position]
        if not any(self.names):
            return str(position)
        return name if self.names.count(name) == 1 and name else f"{name} ({position})".strip()

    def describe_all(self, positions):
        """Return how messages call several columns."""
        positions = list(positions)
        text = ", ".join(map(self.describe, positions[:LISTED]))
        n_more = len(positions) - LISTED
        return f"{text} and {n_more} more" if n_more > 0 else text

    def option(self, name, positions):
        """Return an option of the command line that names these columns and no others."""
        addresses = ",".join(map(self.address, positions))
        separator = "=" if addresses.startswith("-") else " "
        return f"{name}{separator}{shlex.quote(addresses)}"

    def address(self, position):
        """Return a name or, where that means more than one column, a number that finds this one."""
        candidates = [self.names[position], str(position), str(position - len(self))]
        for address in candidates:
            in_a_list = "," not in address and address == address.strip()
            if in_a_list and self._positions(address) == [position]:
                return address
        return str(position)

    def _positions(self, address):
        """Return the columns of this name or, if there are none, the one of this number."""
        named = [i for i, name in enumerate(self.names) if name and name == address]
        if named or not re.fullmatch(r"-?[0-9]+", address):
            return named
        number = int(address)
        return [number % len(self)] if -len(self) <= number < len(self) else []

    def find(self, address, option):
        """Return the position of the column that an option names."""
        found = self._positions(address.strip())
        if len(found) == 1:
            return found[0]
        if found:
            numbers = " or ".join(map(self.address, found))
            raise BadInput(
                f"{option}: {len(found)} columns are named {address!r}; give the number of one, "
                f"{numbers}"
            )
        if any(self.names):
            known = f"the columns are {self.describe_all(range(len(self)))}"
        else:
            known = f"the columns have no names but numbers, 0 to {len(self) - 1}"
        raise BadInput(
            f"{option}: there is no column {address!r}{suggestion(address, self.names)}; {known}"
        )

    def assign(self, wanted):
        """Return what each column is for."""
        target = None if wanted.target is None else self.find(wanted.target, "--target")
        dropped = {self.find(address, "--drop") for address in wanted.drop}
        if target in dropped:
            raise BadInput(f"column {self.describe(target)} is both the target and dropped")
        features = [i for i in range(len(self)) if i != target and i not in dropped]
        if not features:
            raise BadInput("there is no column of features")
        named = wanted.categories
        categories = frozenset(self.find(address, "--categories") for address in named)
        if idle := categories - {*features}:
            raise BadInput(
                f"--categories has {self.describe_all(sorted(idle))}, which is no feature; leave "
                "it out there"
            )
        unnamed = None if wanted.keep_index else self._unnamed()
        unnamed = unnamed if unnamed in {*features} - categories else None
        return Roles(target, features, unnamed, categories)

    def _unnamed(self):
        """Return the column that pandas or R may have written beside the table's own."""
        if not any(self.names):  # of a file without a header no column has a name
            return None
        for position, name in enumerate(self.names):
            if NAMES_OF_AN_INDEX.fullmatch(name) and (position == 0 or name.startswith("__")):
                return position
        return None


def suggestion(name, names):
    """Return a question that offers the name that is nearest, if one is near."""
    close = difflib.get_close_matches(name, [name for name in names if name], n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def make_table(columns, roles, features, y, *, places, form):
    """Return the features without an index; a DataFrame if not all are numbers that are there.

    Parameters
    ----------
    columns : Columns
    roles : Roles
    features : list of Values or UnusableColumn
        What each of ``roles.features`` holds, or why it can't be one.
    y : ndarray of shape (n_samples,) or None
    places : sequence of str
        Where in the file each row is.
    form : list of str
        What was made of the file.
    """
    found = dict(zip(roles.features, features, strict=True))
    remarks = []
    if roles.unnamed is not None and _is_index(found[roles.unnamed]):
        del found[roles.unnamed]
        name = columns.describe(roles.unnamed)
        remarks.append(f"left out: the index, column {name} (--keep-index keeps it)")
    if not found:
        raise BadInput("there is no column of features beside the index")
    left_out = {i: str(why) for i, one in found.items() if (why := _why_no_feature(one))}
    used = {
        i: _as_category(columns, i, values) if i in roles.categories else values
        for i, values in found.items()
        if i not in left_out
    }
    if not used:
        whys = "; ".join(f"{columns.describe(i)}: {why}" for i, why in left_out.items())
        raise BadInput(f"there is no column of features ({whys})")
    _check_finite(columns, used, places)
    counting = [i for i, values in used.items() if counts_rows(values.numbers)]
    if counting:
        remarks.append(
            f"column {columns.describe_all(counting)} numbers the rows "
            f"({columns.option('--drop', counting)} leaves it out)"
        )
    target = None if roles.target is None else columns.describe(roles.target)
    target_name = None if roles.target is None else columns.names[roles.target] or None
    named = [values._replace(name=columns.label(i)) for i, values in used.items()]
    why_not = {columns.label(i): why for i, why in left_out.items()}
    if all(_is_plain(values) for values in named):
        X = np.column_stack([values.numbers for values in named])
        return Table(X, y, target, form, remarks, named, why_not, target_name)
    try:
        X = frame_of(named)
    except ImportError as error:
        names = [i for i, values in used.items() if not _is_plain(values)]
        raise BadInput(
            f"{error}; or leave {columns.describe_all(names)} out: "
            f"{columns.option('--drop', names)}"
        ) from None
    return Table(X, y, target, form, remarks, named, why_not, target_name)


def _as_category(columns, i, values):
    """Return a column as a category, whose numbers are the names of its levels."""
    if values.kind == "category":
        return values
    category = as_category(values.name, values.numbers)
    n_known = int((~np.isnan(category.numbers)).sum())
    if values.kind == "date" or tells_rows_apart(len(category.levels or []), n_known):
        what = "dates" if values.kind == "date" else "a new number in nearly each row"
        raise BadInput(
            f"--categories: column {columns.describe(i)} has {what}, of which no category can be "
            "made; leave it out there"
        )
    return category


def _is_plain(values):
    """Whether a column is numbers, or flags, which are 0 and 1, all of them there."""
    is_numbers = values.kind == "number" or is_of_flags(values)
    return is_numbers and not np.isnan(values.numbers).any()


def _why_no_feature(column):
    """Return why a column can't be a feature; None if it can."""
    if isinstance(column, UnusableColumn):
        return column.why
    return "no values" if len(column.numbers) and np.isnan(column.numbers).all() else None


def _is_index(column):
    """Whether a column without a name is an index: names of rows, or their numbers."""
    if isinstance(column, UnusableColumn):
        return True  # of words that are new in nearly each row
    if column.kind == "number" or is_of_flags(column):
        return is_index(column.numbers)
    known = column.numbers[~np.isnan(column.numbers)]
    n_different = len(np.unique(known))
    return n_different == len(known) or tells_rows_apart(n_different, len(known))


def is_index(values):
    """Whether numbers of a column without a name tell rows apart and say nothing more of them.

    That is so for whole numbers that never repeat (a sample of rows keeps their numbers), and for
    runs of numbers that start again (tables one after the other).
    """
    if not np.isfinite(values).all() or (values != np.floor(values)).any():
        return False
    steps_or_restarts = (np.diff(values) == 1) | (values[1:] == values[:1])
    return len(np.unique(values)) == len(values) or bool(steps_or_restarts.all())


def counts_rows(values):
    """Whether values are 0, 1, 2, ... or 1, 2, 3, ..."""
    n_samples = len(values)
    if n_samples < 3 or values.dtype.kind == "b" or values[0] not in (0, 1):
        return False
    return values[-1] == values[0] + n_samples - 1 and bool((np.diff(values) == 1).all())


def check_target(columns, target, labels, is_missing, places):
    """Raise an error that says where the first label is missing."""
    for label, place in zip(labels, places, strict=True):
        if is_missing(label):
            raise BadInput(
                f"a value is missing in the target {columns.describe(target)}, {place}; leave the "
                "row out"
            )


def _check_finite(columns, used, places):
    """Raise an error that says where a value is infinite."""
    for i, values in used.items():
        infinite = np.flatnonzero(np.isinf(values.numbers))
        if len(infinite):
            raise BadInput(
                f"a value is infinite in column {columns.describe(i)}, {places[infinite[0]]}; "
                f"correct it, leave the row out, or give {columns.option('--drop', [i])}"
            )
