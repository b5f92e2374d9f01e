"""Where a display draws: new axes, or those it is given, whole or divided into panels."""

from typing import Any

import numpy as np

from skae._drawing import DARK, FRAME, GREY, import_pyplot

LARGEST_WIDTH = 12.0  # inches
HEIGHTS = 1.2, 12.0  # of a single axes with its labels, in inches


def one_axes(ax, figsize=None, **subplot: Any):
    """Return the axes given, or new ones in a figure of pyplot."""
    if ax is not None:
        import_pyplot()
        return ax
    if figsize is not None:
        figsize = figsize[0], float(np.clip(figsize[1], *HEIGHTS))
    _, ax = import_pyplot().subplots(figsize=figsize, layout="constrained", subplot_kw=subplot)
    return ax


def panels(ax, n_rows, n_columns, *, figsize, sharex=False, sharey=False, **ratios: Any):
    """Return axes of shape (n_rows, n_columns), in a new figure or in the place of `ax`."""
    if ax is None:
        _, axes = import_pyplot().subplots(
            n_rows, n_columns, figsize=figsize, layout="constrained", squeeze=False,
            sharex=sharex, sharey=sharey, gridspec_kw=ratios,
        )  # fmt: skip
        return axes
    place = ax.get_subplotspec()
    if place is None:
        raise ValueError(
            "This display divides its axes into panels, and ax has no place in a grid that could "
            "be divided. Make it with plt.subplots or Figure.subplots, or leave ax=None."
        )
    if not ax.axison:
        raise ValueError(
            "ax has been divided by another display, and would be drawn over. Give axes of their "
            "own to each, or leave ax=None for a new figure."
        )
    ax.set_axis_off()
    grid = place.subgridspec(n_rows, n_columns, **ratios)
    return grid.subplots(sharex=sharex, sharey=sharey, squeeze=False)


def tidy(ax):
    """Take off what nobody reads: two sides of the frame, and black."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(FRAME)
    ax.tick_params(labelsize="small", color=FRAME, labelcolor=GREY)
    ax.xaxis.label.set_color(DARK)
    ax.yaxis.label.set_color(DARK)


def size_in_points(ax):
    """Return width and height of axes, before a layout changes them."""
    return ax.bbox.size * 72 / ax.figure.dpi


def color_bar(shown, ax, label, **how: Any):
    """Draw what the colors of an artist mean, beside axes."""
    figure = np.ravel(ax)[0].figure
    bar = figure.colorbar(shown, ax=ax, **{"shrink": 0.8, "pad": 0.02} | how)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize="small", labelcolor=GREY)
    bar.set_label(label, fontsize="small", color=DARK)
    return bar


def put_title(ax, title, **how: Any):
    """Write a title in the style of all displays."""
    ax.set_title(title, fontsize="medium", color=DARK, **how)


def spread_over(n_items, n_places):
    """Return positions of `n_places` items, from the first to the last, evenly apart."""
    return np.linspace(0, n_items - 1, min(n_places, n_items)).round().astype(int)
