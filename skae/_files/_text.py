"""Tables from lines of text: CSV and its many relatives.

A file of text does not say how it is written. What separates cells, which mark is the decimal one,
whether line 1 is a header and how letters are encoded are guessed from its beginning, and held
against every line after: a line that does not fit is an error, never a row less.
"""

import codecs
import csv
import gzip
import io
import re
import zlib
from array import array
from collections import Counter
from contextlib import contextmanager, suppress
from itertools import chain, islice
from typing import NamedTuple

import numpy as np

from skae._files._cells import (
    MISSING,
    MISSING_LABELS,
    NUMBERS,
    WITH_DECIMAL_COMMA,
    from_point,
    from_truth,
    kind_of,
)
from skae._files._columns import BadInput, Columns, check_target, make_table
from skae._files._words import Words
from skae._table_values import Values

# What may separate cells; where two do equally well, the first.
DELIMITERS: dict[str, str | None] = {
    "tab": "\t",
    "semicolon": ";",
    "comma": ",",
    "pipe": "|",
    "space": None,  # any white space, however much
}
DECIMALS = {"point": ".", "comma": ","}
# The first that all bytes make sense in. (In the last they always do.)
ENCODINGS = ("utf-8-sig", "cp1252", "latin-1")
SAMPLE = 100  # lines that guesses are made from

WORD = re.compile(r'"([^"]*)"|(\S+)')
# These may be thousands as well.
WITH_THREE_DIGITS = re.compile(r"\s*[+-]?[1-9]\d{0,2},\d{3}\s*")


class Form(NamedTuple):
    """How cells are written, where the user says so; None is for a guess."""

    header: bool | None = None
    delimiter: str | None = None  # a key of DELIMITERS
    decimal: str | None = None  # a key of DECIMALS
    encoding: str | None = None  # a name that Python knows


class Layout(NamedTuple):
    """What the beginning of a file says of all its lines."""

    names: list[str]  # of columns, "" for none
    header: bool
    ends_empty: bool  # whether each line ends in a delimiter with nothing behind it


def read_text(path, wanted, form):
    """Read columns of numbers, flags, words and dates, and a target."""
    try:
        encoding = _known_encoding(form.encoding) if form.encoding else _guess_encoding(path)
        return _read_lines(path, wanted, form._replace(encoding=encoding))
    except UnicodeError:
        raise BadInput(
            f"{str(path)!r} is not text in {encoding.removesuffix('-sig')}; give --encoding"
        ) from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise BadInput(f"{str(path)!r} is compressed, and broken") from None
    except csv.Error as error:
        raise BadInput(f"{str(path)!r} can't be read as a table: {error}") from None


def _read_lines(path, wanted, form):
    """Guess from the first lines what the user did not say, and read them all."""
    with _open_text(path, form.encoding) as file:
        lines = list(islice(file, SAMPLE))
        delimiter = form.delimiter or _guess_delimiter(lines)
        rows = split_rows(chain(lines, file), delimiter)
        head = list(islice(rows, SAMPLE))
        if not head:
            raise BadInput(f"{str(path)!r} is empty")
        decimal = form.decimal or _guess_decimal([cells for _, cells in head], delimiter)
        layout = lay_out(path, head, delimiter, decimal, form.header)
        columns = Columns(layout.names)
        roles = columns.assign(wanted)
        body = chain(head[layout.header :], rows)
        cells = _Cells(columns, roles, decimal, [row for _, row in head[layout.header :]])
        for line, row in body:
            cells.add(line, _fit(path, line, row, layout, delimiter))
    form = form._replace(delimiter=delimiter, decimal=decimal)
    words = _read_words(path, cells.with_text, form, layout)
    features = [
        words[i].as_feature(i, columns, decimal) if i in words else values
        for i, values in zip(roles.features, cells.values(), strict=True)
    ]
    return make_table(
        columns,
        roles,
        features,
        cells.labels(),
        places=cells.places,
        form=_account(head[0][0], layout, delimiter, decimal, form.encoding),
    )


def _read_words(path, positions, form, layout):
    """Read the columns again that are not of numbers alone, and return their words."""
    words = {position: Words() for position in positions}
    if not words:
        return words
    with _open_text(path, form.encoding) as file:
        rows = islice(split_rows(file, form.delimiter), int(layout.header), None)
        for line, row in rows:
            cells = _fit(path, line, row, layout, form.delimiter)
            for position, some in words.items():
                some.add(cells[position], line)
    return words


# Bytes to lines


@contextmanager
def _open_bytes(path):
    """Open a file, compressed by gzip or not: its first bytes say which, not its name."""
    with open(path, "rb") as file:
        if file.peek(2)[:2] == b"\x1f\x8b":
            with gzip.open(file) as unpacked:
                yield unpacked
        else:
            yield file


@contextmanager
def _open_text(path, encoding):
    with _open_bytes(path) as file, io.TextIOWrapper(file, encoding, newline="") as text:
        yield text


def _known_encoding(name):
    """Return the name that Python has for an encoding, with or without the mark of UTF-8."""
    try:
        known = codecs.lookup(name).name
        "".encode(known)  # fails for what is an encoding, but not one of text
    except (LookupError, TypeError):
        raise BadInput(f"--encoding: there is none for text that is called {name!r}") from None
    return "utf-8-sig" if known == "utf-8" else known


def _guess_encoding(path):
    """Return the first encoding that fits all of the file."""
    with _open_bytes(path) as file:
        start = file.read(2)
    if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "utf-16"
    return next(encoding for encoding in ENCODINGS if _decodes(path, encoding))


def _decodes(path, encoding):
    """Whether all bytes make sense in an encoding; text has none that are zero in any."""
    decoder = codecs.getincrementaldecoder(encoding)()
    with _open_bytes(path) as file:
        while block := file.read(1 << 20):
            if b"\0" in block:
                raise BadInput(
                    f"{str(path)!r} is of no known kind: it is not text, and its name does not "
                    "end in .npy, .npz or .parquet (of a spreadsheet, save a sheet as CSV)"
                )
            try:
                decoder.decode(block)
            except UnicodeDecodeError:
                return False
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


# Lines to cells


def split_rows(lines, delimiter):
    """Yield the number of each line that is not blank, and its cells."""
    separator = DELIMITERS[delimiter]
    if separator is None:
        for number, line in enumerate(lines, start=1):
            if words := WORD.findall(line):
                yield number, [quoted or word for quoted, word in words]
        return
    # Strict, so that a quote which is never closed does not swallow the lines after it.
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True)
    for cells in reader:
        if len(cells) > 1 or "".join(cells).strip():
            yield reader.line_num, cells


def _guess_delimiter(lines):
    """Return what splits most of the lines into equally many cells, most of them numbers.

    First come those that leave no other of them in a cell of text.
    """
    scores = {}
    for delimiter in DELIMITERS:
        rows: list[list[str]] = []
        with suppress(csv.Error):  # the sample may end within a quoted cell
            for _, cells in split_rows(lines, delimiter):
                rows.append(cells)
        width = _usual_width(rows)
        if width > 1:
            even = [row for row in rows if len(row) == width]
            cells, n_cells = [cell for row in even for cell in row], sum(map(len, rows))
            texts = list(filter(_is_text, cells))
            others = {mark for mark in DELIMITERS.values() if mark} - {DELIMITERS[delimiter]}
            n_hiding = sum(not others.isdisjoint(text) for text in texts)
            n_values = len(cells) - len(texts)
            scores[delimiter] = (-n_hiding / n_cells, n_values / n_cells, len(even) / len(rows))
    return max(scores, key=lambda delimiter: scores[delimiter], default="comma")


def _is_text(cell):
    return all(kind_of(cell, decimal) == "text" for decimal in DECIMALS)


def _usual_width(rows):
    """Return the number of cells that most rows have."""
    return Counter(map(len, rows)).most_common(1)[0][0] if rows else 0


def _fit(path, line, row, layout, delimiter):
    """Return the cells of a line, one for each column."""
    if layout.ends_empty and len(row) == len(layout.names) + 1 and not row[-1].strip():
        row = row[:-1]
    if len(row) != len(layout.names):
        splits = "white space" if delimiter == "space" else f"each {delimiter}"
        n_cells = "1 cell" if len(row) == 1 else f"{len(row)} cells"
        raise BadInput(
            f"line {line} of {str(path)!r} has {n_cells}, but other lines have "
            f"{len(layout.names)}; complete it (or, if cells do not end at {splits}, give "
            "--delimiter)"
        )
    return row


# Cells to numbers


def _usual_kind(cells, decimal):
    """Return what most cells of a column are that are there."""
    kinds = Counter(kind_of(cell, decimal) for cell in cells)
    del kinds["missing"]
    return kinds.most_common(1)[0][0] if kinds else "missing"


def _guess_decimal(rows, delimiter):
    """Return "comma" where more numbers have a comma in them than a point.

    Commas that all have three digits behind them may mark thousands, so they prove nothing. And
    where cells end at commas, a comma within quotes does.
    """
    if delimiter == "comma":
        return "point"
    cells = [cell for row in rows for cell in row]
    commas = [cell for cell in cells if WITH_DECIMAL_COMMA.fullmatch(cell)]
    n_points = sum("." in cell and kind_of(cell, "point") == "number" for cell in cells)
    clear = not all(WITH_THREE_DIGITS.fullmatch(cell) for cell in commas)
    return "comma" if len(commas) > n_points and clear else "point"


class _Cells:
    """The cells of all lines, as numbers as they come; columns with text are remembered."""

    def __init__(self, columns, roles, decimal, sample):
        self._columns, self._roles, self._decimal = columns, roles, decimal
        self._values, self._labels, self._lines = array("d"), [], []
        self.with_text = set()  # positions of columns
        number = float if decimal == "point" else NUMBERS[decimal]
        self._parsers = [
            (i, from_truth if self._is_truth(i, sample) else number) for i in roles.features
        ]

    def _is_truth(self, position, sample):
        cells = [row[position] for row in sample if position < len(row)]
        return _usual_kind(cells, self._decimal) == "truth"

    def add(self, line, row):
        """Add the cells of a line."""
        self._lines.append(line)
        if self._roles.target is not None:
            self._labels.append(row[self._roles.target].strip())
        try:
            if "_" in "".join(row):
                raise ValueError
            self._values.extend([parse(row[i]) for i, parse in self._parsers])
        except (ValueError, KeyError):
            self._values.extend([self._parse(row[i], i, parse) for i, parse in self._parsers])

    def _parse(self, cell, position, parse):
        """Return the number in a cell or, where it has none, NaN."""
        try:
            return (from_point if parse is float else parse)(cell)
        except (ValueError, KeyError):
            if cell.strip().lower() not in MISSING:
                self.with_text.add(position)
            return np.nan

    @property
    def places(self):
        """Where each row is."""
        return [f"line {line}" for line in self._lines]

    def values(self):
        """Return what each of the features holds, as far as it is numbers or flags."""
        numbers = np.frombuffer(self._values).reshape(-1, len(self._parsers))
        return [
            Values(self._columns.label(i), "category", numbers[:, j], [False, True])
            if parse is from_truth
            else Values(self._columns.label(i), "number", numbers[:, j])
            for j, (i, parse) in enumerate(self._parsers)
        ]

    def labels(self):
        """Return the target as whole numbers, as numbers or as text: the first that it is."""
        if self._roles.target is None:
            return None
        labels = self._labels
        present = [label for label in labels if label.lower() not in MISSING]
        numbers = all(kind_of(label, self._decimal) == "number" for label in present)
        missing = MISSING if numbers and present else MISSING_LABELS
        check_target(
            self._columns,
            self._roles.target,
            labels,
            lambda label: label.lower() in missing,
            self.places,
        )
        if not numbers:
            return np.array(labels)
        try:
            return np.array([int(label) for label in labels], dtype=np.int64)
        except (ValueError, OverflowError):
            return np.array([NUMBERS[self._decimal](label) for label in labels])


# The first line


def lay_out(path, head, delimiter, decimal, header):
    """Return the names of the columns, and what else holds for all lines."""
    first, below = head[0][1], [cells for _, cells in head[1:]]
    width = _usual_width(below) or len(first)
    even = [row for row in below if len(row) == width]
    ends_empty = bool(even) and width > 1 and not any(row[-1].strip() for row in even)
    if ends_empty and len(first) == width and first[-1].strip():
        ends_empty = False  # a column of no values, but with a name
    if ends_empty:
        width -= 1
        even = [row[:-1] for row in even]
        first = first[:width]
    elif len(first) == width - 1 and delimiter in ("space", "tab"):
        first = ["", *first]  # as R's write.table does: no name above the names of rows
    elif len(first) == width + 1 and first[0] == "#":
        first = first[1:]  # as numpy.savetxt does
    named = _guess_header(path, head[0][0], first, even, decimal) if header is None else header
    if named and len(first) == width:
        return Layout([cell.strip() for cell in first], True, ends_empty)
    if named and header:
        return Layout([cell.strip() for cell in head[0][1]], True, ends_empty)
    return Layout([""] * width, False, ends_empty)


def _guess_header(path, line, first, below, decimal):
    """Whether the first line differs in kind from those below, column by column."""
    kinds = [kind_of(cell, decimal) for cell in first]
    if not below:
        return "text" in kinds
    columns = list(zip(*below, strict=True))
    usual = [_usual_kind(column, decimal) for column in columns]
    values = [i for i, kind in enumerate(usual[: len(first)]) if kind in ("number", "truth")]
    above = [first[i].strip() for i in values if kinds[i] == "text"]
    alike = [first[i].strip() for i in values if kinds[i] == usual[i]]
    if alike and (_counts(first) or _is_a_scale(first, below, decimal)):
        return True
    if above and len(alike) >= len(above):
        raise BadInput(
            f"line {line} of {str(path)!r} may be a header ({above[0]!r} stands above values) or a "
            f"row ({alike[0]!r} does, too, and is one); say --header or --no-header"
        )
    if above or alike:
        return bool(above)
    # Text above text: a name is not among what it names.
    return not any(cell in column for cell, column in zip(first, columns, strict=False))


def _counts(names):
    """Whether names are those that pandas gives to columns without any, after its index."""
    return not names[0].strip() and names[1:] == [str(i) for i in range(len(names) - 1)]


def _is_a_scale(first, below, decimal):
    """Whether the numbers of the first line rise evenly, as names (years) do, and no others."""
    return _rises_evenly(first, decimal) and not any(_rises_evenly(row, decimal) for row in below)


def _rises_evenly(row, decimal):
    numbers = [NUMBERS[decimal](cell) for cell in row if kind_of(cell, decimal) == "number"]
    with np.errstate(over="ignore", invalid="ignore"):
        steps = np.diff(numbers)
        return len(numbers) > 3 and steps[0] > 0 and bool(np.allclose(steps, steps[0]))


# What is said of it


def _account(line, layout, delimiter, decimal, encoding):
    """Return what was made of a file, but for what goes without saying."""
    account = [f"header in line {line}" if layout.header else "no header"]
    if delimiter == "space":
        account.append("white space between cells")
    elif delimiter in ("semicolon", "pipe"):
        account.append(f"{delimiter}s between cells")
    if decimal == "comma":
        account.append("decimal comma")
    if encoding not in ("utf-8-sig", "utf-16"):
        account.append(f"text in {encoding}")
    if layout.ends_empty:
        account.append("left out: the last column, which is empty")
    return account
