"""What all figures share: their colors, how a target is colored, and the way to matplotlib."""

from typing import NamedTuple

import numpy as np

# Ten colors that stay apart in a scatter plot under the common color vision deficiencies:
# M. A. Petroff, "Accessible color sequences for data visualization", arXiv:2107.02270.
PALETTE = (
    "#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6",
    "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd",
)  # fmt: skip
COLORMAP = "viridis"  # for continuous targets, and for more classes than the palette has
GREY, DARK, BLUE, PALE, FRAME = "#7b818b", "#30343b", "#3f90da", "#b7c3d0", "#d0d4da"
ORANGE = "#e76300"

LONGEST_NAME = 14  # characters of a class in a legend


class PlottingError(ImportError):
    """matplotlib is not there."""

    def __init__(self):
        super().__init__("Plotting needs matplotlib; install it with: pip install 'skae[plot]'")


def import_pyplot():
    """Return matplotlib.pyplot, or say what to install."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise PlottingError from error
    return plt


class TargetColors(NamedTuple):
    """How rows are colored by their target."""

    scatter: dict  # what `scatter` takes
    names: list[str] | None  # of the classes, in the order of the palette; None for numbers
    title: str


def colors_of(y, target_type):
    """Return how rows are colored; all alike without a target."""
    if y is None:
        return TargetColors({"color": BLUE}, None, "")
    if target_type == "continuous":
        return TargetColors({"c": y, "cmap": COLORMAP}, None, "target")
    classes, numbers = np.unique(y, return_inverse=True)
    if len(classes) > len(PALETTE):
        if classes.dtype.kind in "iuf":
            return TargetColors({"c": y, "cmap": COLORMAP}, None, "class")
        return TargetColors({"c": numbers, "cmap": COLORMAP}, None, "class, by order")
    return TargetColors({"c": np.array(PALETTE)[numbers]}, [str(name) for name in classes], "class")


def legend_handles(names):
    """Return a point of its color for the name of each class."""
    from matplotlib.lines import Line2D

    return [
        Line2D([], [], marker="o", linestyle="", color=color, label=shortened(name))
        for color, name in zip(PALETTE, names, strict=False)
    ]


def color_scale(colors):
    """Return what a color bar shows."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    values = colors.scatter["c"]
    return ScalarMappable(Normalize(values.min(), values.max()), colors.scatter["cmap"])


def is_constant(rows):
    """Return whether each column is constant, but for rounding."""
    tiny = 20 * np.finfo(rows.dtype).eps * np.abs(rows).max(axis=0)
    return np.ptp(rows, axis=0) <= tiny


def size_of_points(n_samples, n_panels=1):
    """Return size and opacity at which that many points can be told apart.

    They lie in axes as large as that many panels of a comparison.
    """
    return {
        "s": np.clip(6000 * n_panels / n_samples, 2 + n_panels, 20 + 4 * n_panels),
        "alpha": np.clip(400 * n_panels / n_samples, 0.4, 0.85),
        "linewidths": 0,
    }


def on_principal_axes(codes, n_dimensions):
    """Return codes by their first principal axes.

    Few rows have fewer axes than that; along the others they are all alike.
    """
    centered = codes - codes.mean(axis=0)
    _, _, axes = np.linalg.svd(centered, full_matrices=False)
    points = centered @ axes[:n_dimensions].T
    return np.pad(points, [(0, 0), (0, n_dimensions - points.shape[1])])


def in_lanes(codes, classes):
    """Return numbers as points in the plane: a lane for each class, its rows spread a little."""
    _, lane = np.unique(classes, return_inverse=True)
    spread = np.random.RandomState(0).uniform(-0.35, 0.35, size=len(codes))
    return np.column_stack([codes, -lane + spread])


def literal(text):
    """Return text that matplotlib does not take for a formula."""
    return text.replace("$", r"\$")


def cut(text, longest):
    """Return text of so many characters at most."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def shortened(name, longest=LONGEST_NAME):
    """Return a name cut to so many characters; without more said, to what fits into a legend."""
    return literal(cut(name, longest))
