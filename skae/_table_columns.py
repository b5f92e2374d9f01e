"""The columns of a table as columns of a matrix, and back: what each kind of column becomes."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from ._level_embedding import EmbeddedColumn
from ._table_values import Values

_HEAVY = 0.5  # share of the sum of squares that the farthest hundredth of the rows has
_MOST = 300.0  # whose hyperbolic sine is a number of double precision, and times others, too
_MOST_INDICATORS = 64  # levels; those of more are points
_DAY = 86400.0  # seconds
# The cycles of a date, in seconds, by name; a year is that of the calendar's mean.
_CYCLES = {"year": 365.2425 * _DAY, "week": 7 * _DAY, "day": _DAY}


class NumberColumn:
    """A number, less its mean and divided by its standard deviation.

    Where a few rows have most of the variance, large deviations from the median count by their
    logarithm: the number is first the inverse hyperbolic sine of its deviation in typical ones.
    """

    kind = "number"
    levels = None

    def __init__(self, values: Values, weight: np.ndarray, say: float) -> None:
        self.name, self.say = values.name, say
        known = ~np.isnan(values.numbers) & (weight > 0)
        numbers, weight = values.numbers[known], weight[known]
        self.width = int(len(numbers) > 0)
        self.median, self.typical = 0.0, 0.0  # a deviation, above which others are large
        if _is_heavy(numbers, weight):
            self.median, self.typical = _median_and_deviation(numbers, weight)
        numbers = self._shortened(numbers)
        self.mean, self.scale = _mean_and_deviation(numbers, weight)
        self.scale /= np.sqrt(say)
        self.rounding = _variance_of_rounding(numbers / self.scale, weight)  # in the matrix

    @property
    def variance(self) -> float:
        """What the number has in the matrix, if it is no constant."""
        return self.say / max(self.width, 1)

    def _shortened(self, numbers: np.ndarray) -> np.ndarray:
        if not self.typical:
            return numbers
        return np.arcsinh((numbers - self.median) / self.typical)

    def encode(self, values: Values) -> np.ndarray:
        numbers = self._shortened(values.numbers)
        return ((numbers - self.mean) / self.scale)[:, None][:, : self.width]

    def decode(self, block: np.ndarray) -> np.ndarray:
        if not self.width:
            return np.full(len(block), np.nan)
        numbers = block[:, 0] * self.scale + self.mean
        if not self.typical:
            return numbers
        return np.sinh(np.clip(numbers, -_MOST, _MOST)) * self.typical + self.median

    def errors(self, true: np.ndarray, rebuilt: np.ndarray) -> np.ndarray:
        """Return the squared errors, in units of the number's variance, (n_rows,)."""
        return np.square(true[:, 0] - rebuilt[:, 0]) / self.variance

    def names(self) -> list[str]:
        """Return the names of the matrix's columns."""
        return [str(self.name)][: self.width]


class DateColumn(NumberColumn):
    """A point of time: a number, and beside it where it is in the cycles that the rows go through.

    Only the number is read when it is decoded.
    """

    kind = "date"

    def __init__(self, values: Values, weight: np.ndarray, say: float) -> None:
        super().__init__(values, weight, say)
        seconds = values.numbers[~np.isnan(values.numbers)]
        reach = np.ptp(seconds) if len(seconds) else 0.0
        whole_days = not np.any(seconds % _DAY)
        self.cycles = [
            period
            for name, period in _CYCLES.items()
            if reach > 2 * period and not (name == "day" and whole_days)
        ]
        self.width += 2 * len(self.cycles)
        self.scale *= np.sqrt(max(self.width, 1))
        self.rounding /= max(self.width, 1)

    def encode(self, values: Values) -> np.ndarray:
        number = super().encode(values)
        if not self.width:
            return number
        angles = 2 * np.pi * values.numbers[:, None] / np.array(self.cycles)  # (n_rows, n_cycles)
        # Sine and cosine have a variance of a half.
        part = np.sqrt(2 * self.say / self.width)
        return np.hstack([number, part * np.sin(angles), part * np.cos(angles)])

    def names(self) -> list[str]:
        places = range(1, len(self.cycles) + 1)
        return [
            *super().names(),
            *(f"{self.name} ({what} {i})" for what in ("sin", "cos") for i in places),
        ]


class CategoryColumn:
    """A category: a column for each level, (indicator - f) / sqrt(f), f being its frequency."""

    kind = "category"

    def __init__(self, values: Values, weight: np.ndarray, say: float) -> None:
        self.name, self.say = values.name, say
        self.levels, self.frequency = values.counted(weight)
        self.scale = np.sqrt(say / self.frequency)

    @property
    def variance(self) -> float:
        """What the indicators of the levels have, all together."""
        return float(1 - np.square(self.frequency).sum())

    @property
    def width(self) -> int:
        return len(self.levels) if len(self.levels) > 1 else 0  # a constant tells nothing

    def encode(self, values: Values) -> np.ndarray:
        place = values.places(self.levels)
        indicator = (place[:, None] == np.arange(self.width)).astype(float)
        indicator[place < 0] = np.nan
        return (indicator - self.frequency[: self.width]) * self.scale[: self.width]

    def shares(self, block: np.ndarray) -> np.ndarray:
        """Return how probable the levels are, (n_rows, n_levels)."""
        if not self.width:
            return np.ones((len(block), len(self.levels)))
        shares = np.clip(block / self.scale + self.frequency, 0, None)
        total = shares.sum(axis=1, keepdims=True)
        return np.where(total > 0, shares / np.where(total > 0, total, 1), self.frequency)

    def decode(self, block: np.ndarray) -> np.ndarray:
        if not self.levels:
            return np.full(len(block), np.nan)
        return self.shares(block).argmax(axis=1).astype(float)

    def errors(self, true: np.ndarray, rebuilt: np.ndarray) -> np.ndarray:
        """Return the squared errors of the levels' probabilities, (n_rows,).

        Divided by what their frequencies alone have on average (Brier 1950,
        doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2).
        """
        squares = np.square(self.shares(rebuilt) - (true / self.scale + self.frequency))
        return squares.sum(axis=1) / self.variance

    def names(self) -> list[str]:
        return [f"{self.name}={level}" for level in self.levels[: self.width]]


Column = NumberColumn | CategoryColumn | EmbeddedColumn
KINDS: dict[str, Callable[..., Column]] = {
    "number": NumberColumn,
    "category": CategoryColumn,
    "date": DateColumn,
}


class TableColumns:
    """The columns of a table, one after the other in a matrix.

    Parameters
    ----------
    table : sequence of Values
    weight : ndarray of shape (n_rows,)
    say : sequence of float
        What each column counts.
    """

    def __init__(self, table: Sequence[Values], weight, say: Sequence[float]) -> None:
        self.columns = [
            KINDS[values.kind](values, weight, part)
            for values, part in zip(table, say, strict=True)
        ]
        self._embed(table, weight)

    def _embed(self, table: Sequence[Values], weight) -> None:
        """Let categories of many levels be points, where other columns tell levels apart."""
        many = [column.width > _MOST_INDICATORS and bool(column.levels) for column in self.columns]
        few = [i for i, is_many in enumerate(many) if not is_many and self.columns[i].width]
        if not any(many) or not few:
            return
        others = np.nan_to_num(np.hstack([self.columns[i].encode(table[i]) for i in few]))
        for i, column in enumerate(self.columns):
            if many[i]:
                embedded = EmbeddedColumn(table[i], weight, column.say, others)
                if embedded.width:
                    self.columns[i] = embedded

    @property
    def n_columns(self) -> int:
        """Number of columns of the matrix."""
        return sum(column.width for column in self.columns)

    @property
    def places(self) -> list[slice]:
        """Where the columns of the table are in the matrix."""
        stops = np.cumsum([0, *(column.width for column in self.columns)]).tolist()
        return [slice(*pair) for pair in pairwise(stops)]

    def encode(self, table: Sequence[Values]) -> np.ndarray:
        """Return the matrix of a table, (n_rows, n_columns), with NaN where values are missing."""
        pairs = zip(self.columns, table, strict=True)
        return np.hstack([column.encode(values) for column, values in pairs])

    def decode(self, matrix: np.ndarray) -> list[Values]:
        """Return the table that is nearest to the rows of a matrix."""
        matrix = matrix.astype(np.float64, copy=False)
        return [
            Values(column.name, column.kind, column.decode(matrix[:, place]), column.levels)
            for column, place in zip(self.columns, self.places, strict=True)
        ]

    def unknown(self, table: Sequence[Values]) -> dict[str, list]:
        """Return the levels of categories that are not known, by the names of the columns."""
        found = {}
        for column, values in zip(self.columns, table, strict=True):
            if values.levels is not None and column.levels is not None:
                used = np.unique(values.numbers[~np.isnan(values.numbers)]).astype(int)
                known = set(column.levels)
                new = [values.levels[i] for i in used if values.levels[i] not in known]
                if new:
                    found[column.name] = new
        return found

    def by_column(self, X: np.ndarray, X_rebuilt: np.ndarray) -> np.ndarray:
        """Return the squared errors of the table's columns, (n_rows, n_table_columns).

        NaN where the value is missing.
        """
        errors = np.zeros((len(X), len(self.columns)))
        for i, (column, place) in enumerate(zip(self.columns, self.places, strict=True)):
            if column.width:
                errors[:, i] = column.errors(X[:, place], X_rebuilt[:, place])
        return errors


def _mean_and_deviation(numbers: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    if not len(numbers):
        return 0.0, 1.0
    unit = _power_of_two(numbers)
    mean = np.average(numbers / unit, weights=weight)
    deviation = np.sqrt(np.average((numbers / unit - mean) ** 2, weights=weight))
    return float(mean * unit), float(deviation * unit) if deviation > 1e-12 * abs(mean) else 1.0


def _power_of_two(numbers: np.ndarray) -> float:
    """Return what numbers are divided by so that their squares are numbers, without rounding."""
    return float(np.ldexp(1.0, int(np.frexp(np.abs(numbers).max())[1]) - 1))


def _variance_of_rounding(numbers: np.ndarray, weight: np.ndarray) -> float:
    """Return the variance within what is nearer to a number than to other ones, of typical rows."""
    different, place = np.unique(numbers, return_inverse=True)
    if len(different) < 2:
        return 0.0
    gaps = np.diff(different)
    widths = (np.append(gaps[:1], gaps) + np.append(gaps, gaps[-1:])) / 2
    return _median(widths[place], weight) ** 2 / 12


def _is_heavy(numbers: np.ndarray, weight: np.ndarray) -> bool:
    """Whether a hundredth of the rows, the farthest from the median, has most of the variance."""
    if not len(numbers):
        return False
    away = numbers - _median(numbers, weight)
    squares = np.square(away / _power_of_two(away))
    order = np.argsort(-squares)
    squares, weight = squares[order], weight[order]
    before = np.cumsum(weight) - weight
    far = np.clip(weight.sum() / 100 - before, 0, weight)  # (n_rows,), the last of them in part
    return bool(far @ squares > _HEAVY * (weight @ squares))


def _median_and_deviation(numbers: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """Return the median of numbers and that of their deviations from it, but for those of none."""
    median = _median(numbers, weight)
    deviation = np.abs(numbers - median)
    some = deviation > 0
    return median, _median(deviation[some], weight[some])


def _median(numbers: np.ndarray, weight: np.ndarray) -> float:
    order = np.argsort(numbers)
    share = np.cumsum(weight[order])
    return float(numbers[order][np.searchsorted(share, share[-1] / 2)])
