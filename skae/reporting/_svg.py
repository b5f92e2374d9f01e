"""Pictures as SVG, in text: what is drawn, not in which colors, which the style sheet has.

Texts that come from the data are escaped here; numbers are rounded to what can be seen.
"""

from collections.abc import Sequence
from html import escape

import numpy as np

from skae.reporting._colors import N_STEPS
from skae.reporting._words import number_text

N_BINS = 24
MOST_BARS = 10


def svg(width: float, height: float, content: str, *, label: str, kind: str, more: str = "") -> str:
    """Return a picture; `label` is what is read out instead of it."""
    return (
        f'<svg class="{kind}" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{escape(label)}"{more}>{content}</svg>'
    )


def _n(number: float) -> str:
    """Return a coordinate, to a tenth of a unit."""
    return f"{number:.1f}".removesuffix(".0")


def bars(heights: Sequence[float] | np.ndarray, *, label: str, gap: float = 1.0) -> str:
    """Return bars side by side, the highest as high as the picture."""
    width, height = 120.0, 30.0
    heights = np.asarray(heights, dtype=float)
    step = width / max(len(heights), 1)
    top = heights.max() if len(heights) and heights.max() > 0 else 1.0
    path = "".join(
        f"M{_n(i * step)} {_n(height)}v{_n(-max(height * one / top, 0.6))}h{_n(step - gap)}"
        f"v{_n(max(height * one / top, 0.6))}z"
        for i, one in enumerate(heights)
        if one > 0
    )
    floor = f'<path class="axis" d="M0 {_n(height + 0.5)}h{_n(width)}"/>'
    content = f'{floor}<path class="bar" d="{path}"/>'
    return svg(width, height + 1, content, label=label, kind="bars")


def histogram(numbers: np.ndarray, *, label: str) -> str:
    """Return how often numbers are; those far out at either end are in the last bars."""
    low, high = np.quantile(numbers, [0.01, 0.99]) if len(numbers) else (0.0, 1.0)
    inner = numbers[(numbers >= low) & (numbers <= high)]
    few = np.unique(numbers)
    if len(few) <= N_BINS:
        return bars(np.bincount(np.searchsorted(few, numbers)), label=label)
    reach = np.ptp(numbers)
    if np.ptp(inner) * 4 > reach:  # no long tail
        low, high = numbers.min(), numbers.max()
    counts, _ = np.histogram(numbers.clip(low, high), bins=N_BINS, range=(low, high))
    return bars(counts, label=label, gap=0.5)


def share_bar(share: float, *, label: str) -> str:
    """Return a share as a bar in a frame."""
    filled = 46 * min(max(share, 0.0), 1.0)
    content = (
        f'<path class="track" d="M0 0h46v8H0z"/><path class="bar" d="M0 0h{_n(filled)}v8H0z"/>'
    )
    return svg(46, 8, content, label=label, kind="share")


class Frame:
    """Where points of the plane are in a picture.

    Parameters
    ----------
    points : ndarray of shape (n_points, 2)
    width, height : float
    margin : tuple of float
        Left, top, right and bottom.
    """

    def __init__(self, points, width, height, margin=(4.0, 4.0, 4.0, 4.0)):
        self.width, self.height, self.margin = width, height, margin
        left, top, right, bottom = margin
        self.low = points.min(axis=0) if len(points) else np.zeros(2)
        reach = np.ptp(points, axis=0) if len(points) else np.ones(2)
        self.reach = np.where(reach > 0, reach, 1.0)
        self.size = np.array([width - left - right, height - top - bottom])

    def place(self, points) -> np.ndarray:
        """Return the coordinates of points, (n_points, 2)."""
        x, y = ((np.asarray(points) - self.low) / self.reach * self.size).T
        left, top, _, _ = self.margin
        return np.column_stack([left + x, top + self.size[1] - y])


def circles(places: np.ndarray, classes: Sequence[str], radius: float) -> str:
    """Return a point for each row, of a class of color."""
    return "".join(
        f'<circle class="{color}" cx="{_n(x)}" cy="{_n(y)}" r="{radius:g}"/>'
        for (x, y), color in zip(places, classes, strict=True)
    )


def rings(places: np.ndarray, radius: float) -> str:
    """Return rings around points."""
    return "".join(
        f'<circle class="ring" cx="{_n(x)}" cy="{_n(y)}" r="{radius:g}"/>' for x, y in places
    )


def radius_of(n_points: int, area: float) -> float:
    """Return a radius at which that many points can be told apart."""
    return round(float(np.clip(np.sqrt(area / max(n_points, 1) * 0.03), 1.8, 5.0)), 1)


def ticks(low: float, high: float, most: int = 5) -> np.ndarray:
    """Return round numbers from low to high."""
    span = high - low
    step = 10.0 ** np.floor(np.log10(span / most))
    step *= next(factor for factor in (1, 2, 5, 10) if span / (step * factor) <= most)
    return np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step


def axes_of(frame: Frame, names: tuple[str, str]) -> str:
    """Return a frame with ticks, and the names of its axes."""
    left, top, right, bottom = frame.margin
    x1, y1 = frame.width - right + 4, frame.height - bottom + 4
    x0, y0 = left - 4, top - 4
    parts = [f'<path class="axis" d="M{_n(x0)} {_n(y0)}V{_n(y1)}H{_n(x1)}"/>']
    high = frame.low + frame.reach
    for x in ticks(frame.low[0], high[0]):
        at = frame.place(np.array([[x, frame.low[1]]]))[0, 0]
        parts.append(f'<path class="axis" d="M{_n(at)} {_n(y1)}v4"/>')
        parts.append(f'<text x="{_n(at)}" y="{_n(y1 + 17)}" class="mid">{number_text(x)}</text>')
    for y in ticks(frame.low[1], high[1]):
        at = frame.place(np.array([[frame.low[0], y]]))[0, 1]
        parts.append(f'<path class="axis" d="M{_n(x0)} {_n(at)}h-4"/>')
        parts.append(f'<text x="{_n(x0 - 7)}" y="{_n(at + 4)}" class="end">{number_text(y)}</text>')
    parts.append(
        f'<text x="{_n((x0 + x1) / 2)}" y="{_n(frame.height - 3)}" class="mid name">'
        f"{escape(names[0])}</text>"
    )
    middle = (y0 + y1) / 2
    parts.append(
        f'<text transform="translate(12 {_n(middle)}) rotate(-90)" class="mid name">'
        f"{escape(names[1])}</text>"
    )
    return "".join(parts)


def line(x: np.ndarray, y: np.ndarray, *, label: str, texts: tuple[str, str, str, str]) -> str:
    """Return a small plot of a line, with the ends of both axes: x from, to, y from, to."""
    left = 12 + 6.5 * max(len(text) for text in texts[2:])
    frame = Frame(np.column_stack([x, y]), 200, 96, (left, 12, 6, 28))
    places = frame.place(np.column_stack([x, y]))
    path = "M" + "L".join(f"{_n(a)} {_n(b)}" for a, b in places)
    content = (
        f'<path class="axis" d="M{_n(left - 4)} 8V72H198"/><path class="line" d="{path}"/>'
        f'<text x="{_n(left - 8)}" y="16" class="end">{escape(texts[3])}</text>'
        f'<text x="{_n(left - 8)}" y="72" class="end">{escape(texts[2])}</text>'
        f"{_ends(texts, left)}"
    )
    return svg(200, 96, content, label=label, kind="effect")


def stack(x: np.ndarray, shares: np.ndarray, colors: Sequence[str], *, label: str, ends) -> str:
    """Return a small plot of shares, (n_steps, n_levels), that add up to one."""
    edges = np.hstack([np.zeros((len(x), 1)), np.cumsum(shares, axis=1)])
    at = 4 + (x - x[0]) / ((x[-1] - x[0]) or 1.0) * 192
    parts = []
    for i, color in enumerate(colors):
        lower, upper = 72 - 64 * edges[:, i], 72 - 64 * edges[:, i + 1]
        there = "L".join(f"{_n(a)} {_n(b)}" for a, b in zip(at, upper, strict=True))
        back = "L".join(f"{_n(a)} {_n(b)}" for a, b in zip(at[::-1], lower[::-1], strict=True))
        parts.append(f'<path class="{color}" d="M{there}L{back}z"/>')
    return svg(200, 96, "".join(parts) + _ends(ends, 4), label=label, kind="effect")


def _ends(texts, left: float) -> str:
    return (
        f'<text x="{_n(left)}" y="88">{escape(texts[0])}</text>'
        f'<text x="196" y="88" class="end">{escape(texts[1])}</text>'
    )


def color_bar(marks: Sequence[str]) -> str:
    """Return the scale of numbers, with marks at equal distances, as many as there is room for."""
    width = 240.0
    while len(marks) > 2 and sum(7 * len(text) + 8 for text in marks) > width:
        marks = marks[::2] if len(marks) > 3 else [marks[0], marks[-1]]
    steps = "".join(
        f'<path class="s{i}" d="M{_n(4 + i * width / N_STEPS)} 0h{_n(width / N_STEPS + 0.3)}v12h-'
        f'{_n(width / N_STEPS + 0.3)}z"/>'
        for i in range(N_STEPS)
    )
    places = np.linspace(4, 4 + width, len(marks))
    anchors = ["", *["mid"] * (len(marks) - 2), "end"]
    words = "".join(
        f'<text x="{_n(x)}" y="26" class="{anchor}">{escape(text)}</text>'
        for x, anchor, text in zip(places, anchors, marks, strict=True)
    )
    label = f"Color bar from {marks[0]} to {marks[-1]}"
    return svg(width + 8, 30, steps + words, label=label, kind="scale")


def swatch(color: str) -> str:
    """Return a dot of a color, beside its name in a legend."""
    return (
        '<svg class="swatch" viewBox="0 0 12 12" aria-hidden="true">'
        f'<circle class="{color}" cx="6" cy="6" r="5"/></svg>'
    )
