"""Rows of a table beside what they were rebuilt as: texts, in the colors of their errors."""

import math
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np

from skae._drawing import DARK, GREY, ORANGE, cut, literal
from skae._frames import objects_of
from skae._table_encoder import TableEncoder
from skae._table_estimators import codes_of, encoder_of
from skae.plotting._canvas import LARGEST_WIDTH, color_bar, panels, size_in_points
from skae.plotting._estimators import are_numbers

RULE = "#e6e9ed"
LARGEST_ERROR = 2.0  # that has a color of its own; 1 is that of a column's mean or frequencies
HOLE = "–"
LONGEST_VALUE, LONGEST_COLUMN = 16, 24  # characters
FONT = 8.0  # points, in a figure of its own
LINE, CHARACTER, GAP, BAR = 0.21, 0.07, 0.16, 0.9  # inches, with such letters
HEADER = 1.5  # inches, of what stands over a row


class RebuiltTable(NamedTuple):
    """A table, what it was rebuilt as, and how far that is from it."""

    names: list[str]
    originals: np.ndarray  # (n_rows, n_columns) of objects, None where one is missing
    reconstructions: np.ndarray  # (n_rows, n_columns) of objects
    column_errors: np.ndarray  # (n_rows, n_columns), NaN where one is missing
    errors: np.ndarray  # (n_rows,), their means by the columns' weights


def rebuilt_table(estimator: Any, X: Any) -> RebuiltTable | None:
    """Return what an estimator makes of a table; None if all columns are numbers."""
    encoder = encoder_of(estimator)
    if encoder is None or set(encoder.kinds_.values()) == {"number"}:
        return None
    found = codes_of(estimator, X)
    return _measured(encoder, found.X, np.asarray(found.decode(found.codes)))


def table_predicted(X: Any, X_reconstructed: Any) -> RebuiltTable | None:
    """Return a table and a reconstruction of it; None if all columns are numbers."""
    if are_numbers(X):
        return None
    encoder = TableEncoder().fit(X)
    if set(encoder.kinds_.values()) == {"number"}:
        return None
    rebuilt = encoder.transform(X_reconstructed)
    if len(rebuilt) != len(X):
        raise ValueError(
            f"X has {len(X)} rows, but X_reconstructed has {len(rebuilt)}; a reconstruction has "
            "the rows and the columns of what it reconstructs."
        )
    if np.isnan(rebuilt).any():
        raise ValueError(
            "X_reconstructed has missing values, or categories that are not in X; a reconstruction "
            "has a value for each of X."
        )
    return _measured(encoder, X, rebuilt)


def _measured(encoder: TableEncoder, X: Any, rebuilt: np.ndarray) -> RebuiltTable:
    """Return a table and what rows of the encoder's matrix stand for."""
    column_errors = encoder.column_errors(encoder.transform(X), rebuilt)
    known, weight = ~np.isnan(column_errors), encoder.column_weights_
    total = known @ weight
    errors = np.where(known, column_errors, 0.0) @ weight / np.where(total > 0, total, 1.0)
    names = list(encoder.kinds_)
    back = encoder.inverse_transform(rebuilt)
    return RebuiltTable(
        [str(name) for name in names], objects_of(X, names), objects_of(back, names), column_errors,
        errors,
    )  # fmt: skip


class _Texts(NamedTuple):
    """What is written, and how much room it takes, in inches."""

    names: list[str]
    originals: list[list[str]]
    reconstructions: list[list[str]]

    @property
    def height(self) -> float:
        """Of a line for each column, two over them and one under them."""
        return LINE * (len(self.names) + 3)

    @property
    def widths(self) -> tuple[float, float, float]:
        """Of the names, and of what is there and was rebuilt in a row."""
        of_cells = [[text for row in rows for text in row] for rows in self[1:]]
        first, second, third = (
            CHARACTER * max(map(len, some)) + GAP for some in (self.names, *of_cells)
        )
        return first, max(second, HEADER / 2), max(third, HEADER / 2)

    @property
    def n_side(self) -> int:
        """How many rows fit beside one another, as evenly as can be."""
        names, *row = self.widths
        most = max(1, int((LARGEST_WIDTH - BAR - names) / (sum(row) + GAP)))
        return math.ceil(len(self.originals) / math.ceil(len(self.originals) / most))


def draw_table_rows(names, originals, reconstructions, column_errors, titles, ax=None):
    """Draw rows side by side, a line for each column: its value, and what it was rebuilt as.

    Return the axes: one for as many rows as fit beside one another.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    texts = _Texts(
        [cut(name, LONGEST_COLUMN) for name in names],
        [[text_of(value) for value in row] for row in originals],
        [[text_of(value) for value in row] for row in reconstructions],
    )
    n_rows, n_side, height = len(originals), texts.n_side, texts.height
    n_blocks = math.ceil(n_rows / n_side)
    width = texts.widths[0] + n_side * (sum(texts.widths[1:]) + GAP)
    axes = panels(ax, n_blocks, 1, figsize=(width + BAR, n_blocks * height + 0.2)).ravel()
    room = size_in_points(axes[0]) / 72 if ax is not None else (width, height)
    font = FONT * min(1.0, room[0] / width, room[1] / height)
    map_of_errors = LinearSegmentedColormap.from_list("errors", ["white", ORANGE])
    colors = ScalarMappable(Normalize(0, LARGEST_ERROR), map_of_errors)
    for block, panel in enumerate(axes):
        panel.set(xlim=(0, width), ylim=(height / LINE - 2, -2), xticks=[], yticks=[])
        panel.spines[:].set_visible(False)
        for line, name in enumerate(texts.names):
            _write(panel, 0, line, name, font, color=DARK)
            panel.axhline(line + 0.5, color=RULE, linewidth=0.6, zorder=1.5)
        for place in range(n_side):
            row = block * n_side + place
            if row < n_rows:
                left = texts.widths[0] + place * (width - texts.widths[0]) / n_side
                _draw_row(panel, left, texts, row, column_errors[row], titles[row], font, colors)
    if np.isnan(column_errors).any():
        note = f"{HOLE} is missing; beside it stands what it would be filled with."
        _write(axes[-1], 0, len(names) + 0.4, note, font * 0.9, color=GREY)
    color_bar(colors, axes.tolist(), "error of the column", extend="max", shrink=0.6, aspect=14)
    return axes


def _draw_row(panel, left, texts, row, errors, title, font, colors):
    """Write a row from a place on, a line for each column."""
    from matplotlib.patches import Rectangle

    middle, right = left + texts.widths[1], left + sum(texts.widths[1:])
    _write(panel, left, -1.4, title, font, color=DARK, fontweight="bold")
    _write(panel, left, -0.8, "row", font * 0.9, color=GREY)
    _write(panel, middle, -0.8, "rebuilt", font * 0.9, color=GREY)
    pairs = zip(texts.originals[row], texts.reconstructions[row], errors, strict=True)
    for line, (original, rebuilt, error) in enumerate(pairs):
        is_hole = np.isnan(error)
        if not is_hole:
            cell = (middle - GAP / 2, line - 0.5), right - middle, 1.0
            color = colors.to_rgba(min(error, LARGEST_ERROR))
            panel.add_patch(Rectangle(*cell, facecolor=color, edgecolor="none"))
        _write(panel, left, line, original, font, color=DARK)
        style = {"color": GREY, "fontstyle": "italic"} if is_hole else {"color": DARK}
        _write(panel, middle, line, rebuilt, font, **style)


def _write(panel: Any, x: float, y: float, text: str, size: float, **how: Any) -> None:
    panel.text(x, y, literal(text), fontsize=size, va="center", ha="left", **how)


def text_of(value: Any) -> str:
    """Return a value as it is written in a cell."""
    if value is None:
        return HOLE
    if isinstance(value, datetime):
        is_day = value.time() == datetime.min.time()
        return f"{value:%Y-%m-%d}" if is_day else f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1e4 else f"{value:.4g}"
    return cut(str(value), LONGEST_VALUE)
