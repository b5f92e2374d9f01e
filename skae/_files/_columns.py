"""The columns of a table: how they are addressed, what each is for, what keeps them from it."""

import difflib
import re
import shlex
from typing import NamedTuple

import numpy as np

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


class Roles(NamedTuple):
    """Which columns are what, by position."""

    target: int | None
    features: list[int]
    unnamed: int | None  # one of the features, which goes if its values are those of an index


class Table(NamedTuple):
    """Rows, and an account of where they come from."""

    X: np.ndarray  # (n_samples, n_features)
    y: np.ndarray | None  # (n_samples,)
    target: str | None  # what the target is called
    form: list[str]  # what was made of the file
    remarks: list[str]  # what was made of its columns


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
        unnamed = None if wanted.keep_index else self._unnamed()
        return Roles(target, features, unnamed if unnamed in features else None)

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


def make_table(columns, roles, X, y, *, places, text, form, hint=""):
    """Return the features without an index, or raise an error that says what is wrong.

    Parameters
    ----------
    columns : Columns
    roles : Roles
    X : ndarray of shape (n_samples, len(roles.features))
        NaN where a value is missing or text.
    y : ndarray of shape (n_samples,) or None
    places : sequence of str
        Where in the file each row is.
    text : dict
        From the position of a column to its first cell that is text, and the place of it.
    form : list of str
        What was made of the file.
    hint : str
        What else may help if a column holds text.
    """
    features, remarks = roles.features, []
    if roles.unnamed is not None:
        at = features.index(roles.unnamed)
        if is_index(X[:, at], holds_text=roles.unnamed in text):
            X = np.delete(X, at, axis=1)
            features = [i for i in features if i != roles.unnamed]
            text = {i: found for i, found in text.items() if i != roles.unnamed}
            name = columns.describe(roles.unnamed)
            remarks.append(f"left out: the index, column {name} (--keep-index keeps it)")
    if not features:
        raise BadInput("there is no column of features beside the index")
    _check(columns, features, X, places, text, hint)
    counting = [features[j] for j in range(X.shape[1]) if counts_rows(X[:, j])]
    if counting:
        remarks.append(
            f"column {columns.describe_all(counting)} numbers the rows "
            f"({columns.option('--drop', counting)} leaves it out)"
        )
    target = None if roles.target is None else columns.describe(roles.target)
    return Table(X, y, target, form, remarks)


def is_index(values, holds_text):
    """Whether a column without a name tells rows apart and says nothing more of them.

    That is so for names of rows, for whole numbers that never repeat (a sample of rows keeps their
    numbers), and for runs of numbers that start again (tables one after the other).
    """
    if not np.isfinite(values).all():
        return holds_text and np.isnan(values).all()
    if (values != np.floor(values)).any():
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


def _check(columns, features, X, places, text, hint):
    """Raise an error that says which columns hold text, and where values lack or are infinite."""
    finite = np.isfinite(X)
    if finite.all():
        return
    lacking = np.isnan(X)
    lacking[:, [features.index(position) for position in text]] = False
    missing = _missing(columns, features, lacking, places) if lacking.any() else None
    if text:
        raise BadInput(_holds_text(columns, text) + hint + (f"; and {missing}" if missing else ""))
    if missing:
        drop = columns.option("--drop", [features[j] for j in np.flatnonzero(lacking.any(axis=0))])
        raise BadInput(f"{missing}; fill in what is missing, leave the rows out, or give {drop}")
    i, j = np.argwhere(~finite)[0]
    raise BadInput(
        f"a value is infinite in column {columns.describe(features[j])}, {places[i]}; correct it, "
        f"leave the row out, or give {columns.option('--drop', [features[j]])}"
    )


def _holds_text(columns, text):
    """Say which columns hold text, and what to do."""
    positions = sorted(text)
    cell, place = text[positions[0]]
    these, hold, them = ("columns", "hold", "them") if len(text) > 1 else ("column", "holds", "it")
    return (
        f"{these} {columns.describe_all(positions)} {hold} text (such as {cell!r}, {place}); leave "
        f"{them} out with {columns.option('--drop', positions)}, name one with --target or encode "
        "text as numbers"
    )


def _missing(columns, features, lacking, places):
    """Say how many values are missing, and where the first of them should be."""
    i, j = np.argwhere(lacking)[0]
    n_columns, n_rows = lacking.any(axis=0).sum(), lacking.any(axis=1).sum()
    column, rows = f"column {columns.describe(features[j])}", f"{n_rows} of {len(lacking)} rows"
    if lacking.sum() == 1:
        return f"a value is missing in {column}, {places[i]}"
    if n_columns == 1:
        return f"values are missing in {column} in {rows}, the first in {places[i]}"
    return (
        f"values are missing in {n_columns} columns and {rows}, the first in {column}, {places[i]}"
    )
