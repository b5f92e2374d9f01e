"""How rows are colored by a column: classes of color, whose values the style sheet has.

A category has a color of the palette for each of its levels. A number has a step of a scale from
pale to strong, which is linear, or has the same number of rows at each step where values lie close
together. Holes have neither.
"""

from typing import NamedTuple

import numpy as np

from skae._table_values import Values
from skae.reporting._words import counted, date_texts, level_text, number_text

N_COLORS = 10  # of the palette for categories
N_STEPS = 16  # of the scale for numbers and dates
_FEW = 10  # different numbers, which are told apart one by one
_TAIL = 0.02  # share of the rows beyond either end of a linear scale
_NARROW = 0.2  # of the scale, in which the middle half of the rows must not crowd


class Swatch(NamedTuple):
    """A color, and what has it."""

    color: str
    text: str


class Scale(NamedTuple):
    """The marks of a color bar, from its lower to its upper end, and how it is to be read."""

    marks: list[str]
    remark: str


class Coloring(NamedTuple):
    """What a column colors rows by."""

    scale: str  # "k", a palette, or "s", steps: with the number behind it, a class of color
    places: np.ndarray  # (n_rows,), -1 for holes
    legend: list[Swatch] | Scale
    n_holes: int


def coloring_of(values: Values) -> Coloring:
    """Return how rows are colored by a column."""
    known = ~np.isnan(values.numbers)
    numbers = values.numbers[known]
    some = _by_level(values, numbers) if values.levels is not None else _by_number(values, numbers)
    scale, of_known, legend = some
    places = np.full(len(known), -1)
    places[known] = of_known
    return Coloring(scale, places, legend, int(np.count_nonzero(~known)))


class LevelColors(NamedTuple):
    """The colors of a category's levels."""

    numbers: np.ndarray  # (n_levels,), of colors
    legend: list[Swatch]


def level_colors(values: Values) -> LevelColors:
    """Return a color for each level of a category; the rare ones share one if they are many."""
    levels = values.levels or []
    known = values.numbers[~np.isnan(values.numbers)].astype(int)
    counts = np.bincount(known, minlength=len(levels))
    order = [int(i) for i in np.argsort(-counts, kind="stable") if counts[i]]
    # In the order of the levels, unless some have to share a color.
    shown = sorted(order) if len(order) <= N_COLORS else order[: N_COLORS - 1]
    numbers = np.full(len(levels), N_COLORS - 1)
    numbers[shown] = range(len(shown))
    legend = [Swatch(f"k{i}", level_text(levels[level])) for i, level in enumerate(shown)]
    if len(order) > len(shown):
        others = counted(len(order) - len(shown), "other level")
        legend.append(Swatch(f"k{N_COLORS - 1}", others))
    return LevelColors(numbers, legend)


def _by_level(values: Values, numbers: np.ndarray):
    colors = level_colors(values)
    return "k", colors.numbers[numbers.astype(int)], colors.legend


def _by_number(values: Values, numbers: np.ndarray):
    different = np.unique(numbers)
    if len(different) <= _FEW:
        steps = np.rint(np.linspace(0, N_STEPS - 1, len(different))).astype(int)
        if len(different) == 1:
            steps[:] = N_STEPS // 2
        texts = _texts(values, different)
        legend = [Swatch(f"s{step}", text) for step, text in zip(steps, texts, strict=True)]
        return "s", steps[np.searchsorted(different, numbers)], legend
    low, q1, q3, high = np.quantile(numbers, [_TAIL, 0.25, 0.75, 1 - _TAIL])
    if q3 - q1 < _NARROW * (high - low) or high == low:
        edges = np.quantile(numbers, np.linspace(0, 1, N_STEPS + 1))
        places = np.searchsorted(edges[1:-1], numbers, side="right")
        marks = _texts(values, edges[[0, N_STEPS // 4, N_STEPS // 2, 3 * N_STEPS // 4, N_STEPS]])
        return "s", places, Scale(marks, "each color has about the same number of rows")
    places = ((numbers - low) / (high - low) * N_STEPS).astype(int).clip(0, N_STEPS - 1)
    marks = _texts(values, np.array([low, (low + high) / 2, high]))
    marks[0] = f"≤ {marks[0]}" if numbers.min() < low else marks[0]
    marks[-1] = f"≥ {marks[-1]}" if numbers.max() > high else marks[-1]
    return "s", places, Scale(marks, "")


def _texts(values: Values, numbers: np.ndarray) -> list[str]:
    return date_texts(numbers) if values.kind == "date" else [number_text(n) for n in numbers]
