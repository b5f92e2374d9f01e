"""What colors the rows of a display: classes, numbers or dates, of which some may be missing."""

from datetime import date
from numbers import Number
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import column_or_1d

from skae._drawing import (
    FRAME,
    GREY,
    PALETTE,
    TargetColors,
    color_scale,
    colors_of,
    in_lanes,
    legend_handles,
    literal,
    size_of_points,
)
from skae._frames import layout_of, read
from skae._labels import as_labels, is_unlabeled, kind_of_target
from skae.plotting._canvas import color_bar
from skae.plotting._estimators import fitted

_DAY = 86400.0  # seconds
_BELOW = 0.08  # of the span of numbers, how far under them those are drawn that have none
_OPEN = {"facecolors": "none", "edgecolors": GREY}  # what no class looks like


class Target(NamedTuple):
    """What colors rows: of each a number, its days since 1970, or the place of its class."""

    kind: str  # "continuous", "dates" or "classes"
    numbers: np.ndarray  # (n_rows,), NaN where it is missing
    classes: list  # in their order; numbers are floats
    name: str | None

    @property
    def names(self) -> list[str]:
        """How classes are called."""
        return [f"{one:.15g}" if isinstance(one, float) else str(one) for one in self.classes]

    @property
    def missing(self) -> np.ndarray:
        """Which rows have none, (n_rows,)."""
        return np.isnan(self.numbers)


def read_target(y: Any) -> Target | None:
    """Return what colors rows; classes of a categorical type keep its order, others are sorted."""
    if y is None:
        return None
    name = getattr(y, "name", None)
    frame = _as_frame(y)
    # Words are classes even if each row has its own, of which a table makes no column.
    layout = layout_of(frame, None)._replace(names=["y"], categorical=[_has_words(frame)])
    (values,) = read(frame, layout)
    name = str(name) if isinstance(name, str) and name else None
    known = values.numbers[~np.isnan(values.numbers)]
    if values.kind == "date":
        return Target("dates", values.numbers / _DAY, [], name)
    if values.levels is None:
        whole = "int" in layout.types[0].name.lower()
        kind = kind_of_target(known.astype(int) if whole else known)
        if kind == "continuous":
            return Target(kind, values.numbers, [], name)
    used, places = np.unique(known, return_inverse=True)
    numbers = np.full(len(values.numbers), np.nan)
    numbers[~np.isnan(values.numbers)] = places
    levels = used.tolist() if values.levels is None else [values.levels[int(i)] for i in used]
    return Target("classes", numbers, levels, name)


def _has_words(frame: Any) -> bool:
    column = frame[:, 0] if isinstance(frame, np.ndarray) else frame["y"]
    values = np.empty(len(column), dtype=object)
    values[:] = list(column)
    known = values[~is_unlabeled(values, np.nan)]
    return any(not isinstance(one, Number | date | np.datetime64) for one in known)


def _as_frame(y: Any) -> Any:
    """Return labels as a table of a column "y", in the library that they came in."""
    if hasattr(y, "categories") and not hasattr(y, "to_frame"):  # pandas.Categorical
        import pandas as pd

        y = pd.Series(y)
    if hasattr(y, "cat") and hasattr(y.cat, "rename_categories"):
        y = y.cat.rename_categories(str)  # intervals, too, as pandas.cut makes them
    if hasattr(y, "to_frame"):
        return y.to_frame("y") if hasattr(y, "iloc") else y.rename("y").to_frame()
    return (as_labels(y) if isinstance(y, list | tuple) else column_or_1d(y))[:, None]


def split_off_target(estimator: Any, X: Any, y: Any) -> tuple[Any, Any]:
    """Return the rows for an estimator, and y: of a name that column, which X keeps if known."""
    if not isinstance(y, str):
        return X, y
    names = list(getattr(X, "columns", []))
    if y not in names:
        raise ValueError(
            f"y={y!r} is no column of X ({type(X).__name__}), which has {names or 'no names'}; "
            "give one of them, or the values of y."
        )
    estimator = fitted(estimator)
    known = getattr(estimator, "feature_names_in_", None)
    n_known = getattr(estimator, "n_features_in_", None)
    is_feature = n_known == len(names) if known is None else y in known
    return (X if is_feature else X[[name for name in names if name != y]]), X[y]


def target_colors(target: Target | None) -> TargetColors:
    """Return how the rows whose target is known are colored."""
    if target is None:
        return colors_of(None, None)
    known = target.numbers[~target.missing]
    if target.kind == "classes":
        colors = colors_of(known.astype(int), "classes")
        if colors.names is not None:
            return colors._replace(names=target.names, title=target.name or "")
        if isinstance(target.classes[0], float):
            values = np.array(target.classes)[known.astype(int)]
            return colors_of(values, "continuous")._replace(title=target.name or "class")
        return colors._replace(title=f"{target.name or 'class'}, by order")
    return colors_of(known, "continuous")._replace(title=target.name or "target")


def frame_colors(target: Target | None, n_rows: int) -> list[str]:
    """Return the color of each row's class, that of a frame where it has none."""
    if target is None or target_colors(target).names is None:
        return [FRAME] * n_rows
    return [FRAME if np.isnan(place) else PALETTE[int(place)] for place in target.numbers]


def draw_colored(ax: Any, points: np.ndarray, target: Target | None, **how: Any) -> None:
    """Draw rows as points in the plane or in space, those without a target as open circles."""
    missing = np.zeros(len(points), dtype=bool) if target is None else target.missing
    size = size_of_points(len(points), **how)
    flat = {"depthshade": False} if hasattr(ax, "get_zlim") else {}
    if missing.any():
        ax.scatter(*points[missing].T, **{**size, **_OPEN, **flat, "linewidths": 0.7})
    if not missing.all():
        ax.scatter(*points[~missing].T, **size, **flat, **target_colors(target).scatter)


def against_target(codes: np.ndarray, target: Target) -> np.ndarray:
    """Return one code as points in the plane: over its target, or in a lane for each class.

    Rows without a target are in a lane under the others.
    """
    missing, numbers = target.missing, target.numbers
    if target.kind == "classes":
        return in_lanes(codes, np.where(missing, len(target.classes), numbers))
    known = numbers[~missing] if not missing.all() else np.zeros(1)
    below = known.min() - _BELOW * (np.ptp(known) or 1.0)
    return np.column_stack([codes, np.where(missing, below, numbers)])


def legend_of(target: Target) -> list:
    """Return what a legend has: the classes that have a color of their own, and what is missing."""
    names = target_colors(target).names
    handles = [] if names is None else legend_handles(names)
    if target.missing.any():
        handles.append(_open_circle(f"missing ({np.count_nonzero(target.missing)})"))
    return handles


def _open_circle(label: str) -> Any:
    from matplotlib.lines import Line2D

    circle = Line2D([], [], marker="o", linestyle="", label=label)
    circle.set(markerfacecolor="none", markeredgecolor=GREY)
    return circle


def scale_of(target: Target, ax: Any, **how: Any) -> bool:
    """Draw the scale of colors beside axes, if the target has one; return whether it has."""
    colors = target_colors(target)
    if colors.names is not None or target.missing.all():
        return False
    bar = color_bar(color_scale(colors), ax, literal(colors.title), **how)
    if target.kind == "dates":
        date_ticks(bar.ax.yaxis)
    return True


def date_ticks(axis: Any) -> None:
    """Write numbers of days along an axis as dates."""
    from matplotlib.dates import AutoDateFormatter, AutoDateLocator

    locator = AutoDateLocator(minticks=2, maxticks=5)
    axis.set_major_locator(locator)
    axis.set_major_formatter(AutoDateFormatter(locator))
