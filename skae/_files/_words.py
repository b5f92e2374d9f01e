"""Columns of a text file that are not of numbers alone: categories, dates, or numbers with a flaw.

What is a flaw is an error that says where, as a number must not become a word without notice.
"""

import re
from array import array
from datetime import UTC, datetime

import numpy as np

from skae._files._cells import (
    MISSING,
    MISSING_LABELS,
    WITH_DECIMAL_COMMA,
    is_number_otherwise,
    kind_of,
)
from skae._files._columns import BadInput
from skae._frames import UnusableColumn, tells_rows_apart
from skae._table_values import Values

# A day, with or without a time of it and a zone.
DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d+)?)?(Z|[+-]\d\d:?\d\d)?)?")
MANY_NUMBERS = 20  # different ones; fewer may be categories, of which some are words
SHOWN = 30  # characters of a cell in a message


class Words:
    """The cells of a column, each different one once."""

    def __init__(self):
        self._places = {}  # from a word to its place among the different ones
        self._codes = array("q")
        self._lines = []  # where each different one comes first

    def add(self, cell, line):
        """Add a cell."""
        word = cell.strip()
        place = self._places.setdefault(word, len(self._places))
        if place == len(self._lines):
            self._lines.append(line)
        self._codes.append(place)

    def as_feature(self, position, columns, decimal):
        """Return what the column holds, or why it can't be a feature.

        Raises
        ------
        BadInput
            If the column is one of numbers, but for some cells.
        """
        codes = np.frombuffer(self._codes, dtype=np.int64)
        words = list(self._places)
        counts = np.bincount(codes, minlength=len(words))
        missing = np.array([word.lower() in MISSING_LABELS for word in words])
        known = [word for word, lacks in zip(words, missing, strict=True) if not lacks]
        name = columns.label(position)
        dates = [word for word in known if word.lower() not in MISSING]
        if (seconds := _seconds(dates)) is not None:
            numbers = np.array([seconds.get(word, np.nan) for word in words])[codes]
            return Values(name, "date", numbers)

        self._check(position, columns, dict(zip(words, counts, strict=True)), known, decimal)
        n_known = int(counts[~missing].sum())
        if tells_rows_apart(len(known), n_known):
            why = f"{len(known)} different words in {n_known} rows, such as {_short(known[0])}"
            return UnusableColumn(f"The column {name!r} has {why}.", why)
        levels = sorted(known)
        places = {level: place for place, level in enumerate(levels)}
        return Values(
            name,
            "category",
            np.array([places.get(word, np.nan) for word in words], dtype=float)[codes],
            levels,
        )

    def _check(self, position, columns, counts, known, decimal):
        """Raise an error if the words are numbers, or likely to be some."""
        numbers = [word for word in known if kind_of(word, decimal) == "number"]
        otherwise = [word for word in known if is_number_otherwise(word, decimal)]
        others = [word for word in known if word not in {*numbers, *otherwise}]
        n_numbers, n_otherwise, n_others = (
            sum(counts[word] for word in some) for some in (numbers, otherwise, others)
        )
        if n_otherwise and n_numbers + n_otherwise > n_others:
            some, hint = otherwise[0], ""
            if decimal == "point" and any(map(WITH_DECIMAL_COMMA.fullmatch, otherwise)):
                hint = " (if commas are decimal ones, give --decimal comma)"
        elif n_numbers > n_others and len(numbers) > MANY_NUMBERS:
            some, hint = others[0], ""
        else:
            return
        line = self._lines[self._places[some]]
        raise BadInput(
            f"column {columns.describe(position)} is one of numbers, but holds text (such as "
            f"{_short(some)}, line {line}); correct it, leave the row out, or leave the column out "
            f"with {columns.option('--drop', [position])}{hint}"
        )


def _short(word):
    return repr(word if len(word) <= SHOWN else word[: SHOWN - 3] + "...")


def _seconds(words):
    """Return the seconds of dates, from the words for them; None if not all are dates."""
    if not words or not all(map(DATE.fullmatch, words)):
        return None
    try:
        dates = {word: datetime.fromisoformat(word) for word in words}
    except ValueError:  # as the 30th of February
        return None
    return {
        word: date.replace(tzinfo=date.tzinfo or UTC).timestamp() for word, date in dates.items()
    }
