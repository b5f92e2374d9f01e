"""What was made of the columns of a file, in a few lines."""

import textwrap

import numpy as np

from skae._files._columns import LISTED
from skae._frames import is_of_flags

WIDTH = 100  # columns of a terminal that lines fill
_JOINT = "\N{NO-BREAK SPACE}"  # where a line is not to end


def account_of(table):
    """Return a paragraph for each kind of columns, one for holes, and one for what was left out.

    Of numbers without holes nothing has to be said.
    """
    numbers, categories, dates = [], [], []
    holes: list[tuple[int, str]] = []
    for values in [] if isinstance(table.X, np.ndarray) else table.columns:
        if values.kind == "number":
            numbers.append(values.name)
        elif values.kind == "date":
            dates.append(values.name)
        else:
            n_levels = len(values.levels)
            what = f"{n_levels} level{'s' if n_levels > 1 else ''}"
            what = "flag" if is_of_flags(values) else what
            categories.append(f"{values.name} ({what})".replace(" ", _JOINT))
        if n_missing := np.isnan(values.numbers).sum():
            holes.append((n_missing, values.name))
    left_out = [f"{name} ({why})" for name, why in table.left_out.items()]
    lines = {
        "numbers": numbers,
        "categories": categories,
        "dates": dates,
        "holes": [
            f"{n} in {name}".replace(" ", _JOINT)
            for n, name in sorted(holes, key=lambda hole: -hole[0])
        ],
        "left out": left_out,
    }
    return [
        textwrap.fill(
            f"{title}: {_listed(items)}", WIDTH, initial_indent="  ", subsequent_indent="    "
        ).replace(_JOINT, " ")
        for title, items in lines.items()
        if items
    ]


def _listed(items):
    n_more = len(items) - LISTED
    return ", ".join(items[:LISTED]) + (f" and {n_more} more" if n_more > 0 else "")
