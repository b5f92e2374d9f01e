"""Values of a table as the words of a page, whatever container they came in."""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np

from skae._table_values import Values

MISSING = "missing"
LONGEST = 60  # characters of a value or a name
_DAY = 86400.0  # seconds
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Texts(NamedTuple):
    """The different texts of a column, and which of them each row has."""

    texts: list[str]
    places: np.ndarray  # (n_rows,), -1 where missing


def shortened(thing: Any, longest: int = LONGEST) -> str:
    """Return a text that fits into a line."""
    text = " ".join(str(thing).split())
    text = text.encode("utf-8", "replace").decode()  # halves of surrogate pairs can't be written
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def number_text(number: float) -> str:
    """Return a number as it is read: whole ones whole, others to four digits."""
    number = float(number)
    if number == round(number) and abs(number) < 1e15:
        return str(int(number))
    return f"{number:.0f}" if 1e4 <= abs(number) < 1e15 else f"{number:.4g}"


def level_text(level: Any) -> str:
    """Return what a level of a category is called."""
    if isinstance(level, float):
        return number_text(level)
    return shortened(level) or "(empty)"


def date_texts(seconds: np.ndarray) -> list[str]:
    """Return points of time as days, or to the minute or second where they are not whole days."""
    seconds = np.rint(seconds)
    whole = not np.any(seconds % _DAY)
    form = "%Y-%m-%d" if whole else "%Y-%m-%d %H:%M" if not np.any(seconds % 60) else "%F %T"
    return [_date_text(one, form) for one in seconds.tolist()]


def _date_text(seconds: float, form: str) -> str:
    try:
        return (_EPOCH + timedelta(seconds=seconds)).strftime(form)
    except OverflowError:  # what a model expects may lie beyond the year 9999
        return f"year {1970 + seconds / (365.2425 * _DAY):.0f}"


def texts_of(values: Values) -> Texts:
    """Return the texts of a column's values, each different one once."""
    known = ~np.isnan(values.numbers)
    different, inverse = np.unique(values.numbers[known], return_inverse=True)
    if values.levels is not None:
        texts = [level_text(values.levels[int(place)]) for place in different]
    elif values.kind == "date":
        texts = date_texts(different)
    else:
        texts = [number_text(number) for number in different]
    places = np.full(len(values.numbers), -1)
    places[known] = inverse
    return Texts(texts, places)


def text_in(texts: Texts, row: int) -> str:
    """Return the text of one row's value."""
    place = texts.places[row]
    return MISSING if place < 0 else texts.texts[place]


def percent(share: float) -> str:
    """Return a share in percent; one that is not nothing is not shown as nothing."""
    if 0 < share < 0.005:
        return "<1%"
    if 0.995 <= share < 1:
        return ">99%"
    return f"{share:.0%}"


def counted(count: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun."""
    return f"{count} {one if count == 1 else many or one + 's'}"
