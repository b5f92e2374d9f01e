"""The figure of a comparison: embeddings side by side, and bars below them."""

import math
import textwrap
from typing import Any, NamedTuple

import numpy as np

from skae._drawing import (
    BLUE,
    DARK,
    FRAME,
    GREY,
    PALE,
    PlottingError,
    color_scale,
    colors_of,
    in_lanes,
    legend_handles,
    literal,
    on_principal_axes,
    size_of_points,
)
from skae.comparison._table import COLUMNS, best_value, share_missing, spread, spread_text

PANEL_SIZE = 2.45  # inches
MAX_PANELS_PER_ROW = 4
MAX_PANEL_HEIGHT = 4.0  # inches
TITLE_HEIGHT = 0.4  # inches
MIN_WIDTH = 7.5  # inches
KEY_WIDTH = 1.0  # inches
BAR_HEIGHT = 0.24  # inches
BARS_WIDTH = 1.4  # inches, of the bars of one number
MIN_SECONDS = 1e-4  # shorter ones are drawn like this one

# What the bars show, as far as the comparison has it, and how it is called there.
BARS = {
    "reconstruction_r2": "held-out R²",
    "numbers_r2": "R² of numbers",
    "categories_r2": "R² of categories",
    "dates_r2": "R² of dates",
    "trustworthiness": "trustworthiness",
    "knn_accuracy": "kNN accuracy",
    "knn_r2": "kNN R² of target",
    "stability": "stability",
    "fit_seconds": "seconds to fit",
}
# The scores in the title of a panel.
SHORT = {
    "reconstruction_r2": "R²",
    "trustworthiness": "trust",
    "knn_accuracy": "kNN",
    "knn_r2": "kNN R²",
}


class Drawn(NamedTuple):
    """A figure, and the axes in it."""

    figure: Any
    embeddings: dict  # from the name of a method
    bars: dict  # from the name of a column


def draw(comparison, *, title=None, new_figure=None):
    """Draw a comparison in a new figure, by default one that pyplot does not know."""
    try:
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine
    except ImportError as error:
        raise PlottingError from error

    n_methods = len(comparison.rows)
    n_columns = min(n_methods, MAX_PANELS_PER_ROW)
    n_rows = math.ceil(n_methods / n_columns)
    key_width = 0.0 if comparison.y_test is None else KEY_WIDTH
    columns = [column for column in BARS if column in comparison.columns]
    width = max(n_columns * PANEL_SIZE + key_width, MIN_WIDTH, len(columns) * BARS_WIDTH)
    panel_height = min((width - key_width) / n_columns, MAX_PANEL_HEIGHT) + TITLE_HEIGHT
    heights = n_rows * panel_height, n_methods * BAR_HEIGHT + 0.95
    layout = ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.05)
    figure = (new_figure or Figure)(figsize=(width, sum(heights)), layout=layout)
    parts = figure.subfigures(2, 1, squeeze=False, height_ratios=heights, hspace=0.03)
    upper, lower = parts.ravel()
    if title is not None:
        figure.suptitle(literal(title), fontsize="x-large", fontweight="bold", color=DARK)

    if key_width:
        upper, key = upper.subfigures(1, 2, width_ratios=(width - key_width, key_width))
        _draw_key(key, comparison)
    panels = upper.subplots(n_rows, n_columns, squeeze=False).ravel()
    for row, ax in zip(comparison.rows, panels, strict=False):
        _draw_embedding(ax, row, comparison)
    for ax in panels[n_methods:]:
        ax.remove()

    bars = dict(zip(columns, lower.subplots(1, len(columns), sharey=True), strict=True))
    for column, ax in bars.items():
        _draw_bars(ax, column, comparison)
    lower.supxlabel(_caption(comparison), fontsize="x-small", color=GREY)
    names = [row["method"] for row in comparison.rows]
    return Drawn(figure, dict(zip(names, panels, strict=False)), bars)


def _draw_embedding(ax, row, comparison):
    """Draw the test rows as one method embeds them."""
    ax.set_title(literal(row["method"]), fontsize="medium", fontweight="bold", color=DARK, pad=16)
    ax.text(
        0.5, 1.02, _short_scores(row), transform=ax.transAxes, ha="center", va="bottom",
        fontsize="x-small", color=DARK,
    )  # fmt: skip
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_color(FRAME)
    if row["method"] not in comparison.embeddings:
        reason = textwrap.fill(literal("; ".join(row["notes"])), 30, max_lines=8)
        ax.text(
            0.5, 0.5, reason, transform=ax.transAxes, ha="center", va="center",
            fontsize="x-small", color=GREY,
        )  # fmt: skip
        return

    codes = comparison.embeddings[row["method"]]
    if codes.shape[1] == 1 and comparison.y_test is None:
        ax.hist(codes[:, 0], bins="auto", color=BLUE)
        return
    colors = colors_of(comparison.y_test, comparison.target_type)
    ax.scatter(*_plane(codes, comparison).T, **size_of_points(len(codes)), **colors.scatter)


def _plane(codes, comparison):
    """Return the codes as points in the plane."""
    if codes.shape[1] == 2:
        return codes
    if codes.shape[1] > 2:
        return on_principal_axes(codes, 2)
    if comparison.target_type == "continuous":
        return np.column_stack([codes[:, 0], comparison.y_test])
    return in_lanes(codes[:, 0], comparison.y_test)


def _short_scores(row):
    """Return the scores in the title of a panel."""
    texts = [
        f"{name} {COLUMNS[column].text(row[column])}"
        for column, name in SHORT.items()
        if row.get(column) is not None
    ]
    return "   ".join(texts)


def _draw_key(figure, comparison):
    """Say what the colors mean: a legend of classes, or a color bar."""
    colors = colors_of(comparison.y_test, comparison.target_type)
    if colors.names is None:
        bar = figure.colorbar(color_scale(colors), cax=figure.add_axes((0.05, 0.2, 0.15, 0.6)))
        bar.outline.set_visible(False)
        bar.ax.tick_params(labelsize="small", colors=DARK)
        bar.ax.set_title(colors.title, fontsize="small", color=DARK, loc="left")
        return
    figure.legend(
        handles=legend_handles(colors.names), loc="center left", frameon=False, fontsize="small",
        handletextpad=0.1, borderpad=0, handlelength=1.2,
    )  # fmt: skip


def _draw_bars(ax, column, comparison):
    """Draw one number of all methods, the best one in blue."""
    values = [row[column] for row in comparison.rows]
    names = [row["method"] for row in comparison.rows]
    spreads = [row.get(spread(column)) for row in comparison.rows]
    best = best_value(comparison, column)
    present = [value for value in values if value is not None]
    if column.endswith("seconds"):
        present = [max(value, MIN_SECONDS) for value in present] or [1.0]
        left = 10 ** math.floor(math.log10(min(present)) - 0.1)
        right = max(present)
        ax.set_xscale("log")
        ax.set_xlim(left, right * (right / left) ** 0.3)
        ax.minorticks_off()
    else:
        left = 0.0
        room = 1.3 if not any(spreads) else 1.6  # for what is written beside the bars
        ax.set_xlim(left, room * max([1e-3, *present]))

    for i, (name, value) in enumerate(zip(names, values, strict=True)):
        end = left
        if value is not None:
            end = max(value, left)
            unranked = name in comparison.unranked
            ax.barh(
                i, end - left, left=left, height=0.72, linewidth=0, edgecolor="white",
                color=BLUE if value == best and not unranked else PALE,
                hatch="////" if unranked else None,
            )  # fmt: skip
        text = "n/a" if value is None else COLUMNS[column].text(value)
        deviation = spreads[i]
        if value is not None and deviation is not None and not column.endswith("seconds"):
            ax.plot([max(left, value - deviation), value + deviation], [i, i], color=DARK, lw=1)
            text, end = text + spread_text(comparison.rows[i], column), value + deviation
        ax.annotate(
            text, (end, i), xytext=(3, 0),
            textcoords="offset points", va="center", fontsize="x-small",
            color=GREY if value is None else DARK,
        )  # fmt: skip
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.set_yticks(range(len(names)), [literal(name) for name in names], fontsize="small")
    ax.tick_params(axis="y", length=0)
    ax.tick_params(axis="x", labelsize="x-small", colors=GREY)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.spines["bottom"].set_color(FRAME)
    ax.set_title(BARS[column], fontsize="small", fontweight="bold", color=DARK, loc="left")


def _caption(comparison):
    """Return what the reader of the figure has to know."""
    s = comparison.settings
    caption = f"{s['n_train']} rows to fit, {s['n_test']} held-out rows shown and measured"
    if s["n_missing"]:
        caption += f"; {share_missing(comparison)} of the values missing"
    if "repeats" in s:
        caption += f"; means of {s['repeats']} splits and seeds, lines: standard deviations"
    if comparison.unranked:
        caption += "; hatched: fitted on the held-out rows themselves"
    return f"{caption}; blue: best"
