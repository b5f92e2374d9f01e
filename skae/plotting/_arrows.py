"""Arrows in a plane, with names that lie within the axes and not over one another."""

import numpy as np

from skae._drawing import DARK

_GAP = 3.0  # between an arrow and its name, in points
_WIDEST = 0.4  # of the axes, that is made free for a name
_ALONG = np.linspace(0, 1, 40)[:, None, None]  # an arrow, where names lie over it
_STEPS = [step / 2 for step in sorted(range(-16, 17), key=abs)]  # in heights of a name


def draw_arrows(ax, start, ends, names):
    """Draw arrows from one point, and widen the axes until their names have room.

    Parameters
    ----------
    ax : matplotlib Axes
    start : ndarray of shape (2,)
    ends : ndarray of shape (n_arrows, 2)
        The most important ones first, whose names come to lie nearest to them.
    names : sequence of str
    """
    from matplotlib.patheffects import withStroke

    for end in ends:
        ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": DARK, "shrinkA": 0})
    halo = [withStroke(linewidth=2.5, foreground="white")]
    texts = [
        ax.annotate(
            name,
            end,
            (0, 0),
            textcoords="offset points",
            color=DARK,
            fontsize="small",
            va="bottom",
            path_effects=halo,
            in_layout=False,
            annotation_clip=False,
        )
        for name, end in zip(names, ends, strict=True)
    ]
    ax.figure.figure.draw_without_rendering()  # sizes are known behind the layout only
    sizes = np.array([text.get_window_extent().size for text in texts])  # (n_arrows, 2)
    points = ax.figure.dpi / 72
    _widen(ax, start, ends, sizes + 2 * _GAP * points)
    ends, start = ax.transData.transform(ends), ax.transData.transform(start)
    corners = _corners(ax.bbox, start, ends, sizes, _GAP * points)
    for text, offset in zip(texts, (corners - ends) / points, strict=True):
        text.xyann = tuple(offset)


def _widen(ax, start, ends, sizes):
    """Make room for a name beside each arrow, on the side that it points to."""
    shares = np.minimum(sizes / ax.bbox.size, _WIDEST)
    before, after = shares.copy(), shares.copy()
    is_right = ends[:, 0] >= start[0]
    before[is_right, 0], after[~is_right, 0] = 0, 0
    for axis, bounds, set_bounds in (
        (0, ax.get_xbound(), ax.set_xbound),
        (1, ax.get_ybound(), ax.set_ybound),
    ):
        low, high = bounds
        for _ in range(30):  # as names take more of the units the wider the axes are
            width = high - low
            low = min(bounds[0], (ends - before * width)[:, axis].min())
            high = max(bounds[1], (ends + after * width)[:, axis].max())
        set_bounds(low, high)


def _corners(box, start, ends, sizes, gap):
    """Return where names are written, their lower left corners in pixels, (n_arrows, 2)."""
    arrows = (start + _ALONG * (ends - start)).reshape(-1, 2)
    corners = np.empty_like(ends)
    for i, (end, size) in enumerate(zip(ends, sizes, strict=True)):
        width, height = size
        beside = gap if end[0] >= start[0] else -gap - width
        tried = np.array(
            [
                *((beside, (step - 0.5) * height) for step in _STEPS),
                (-width / 2, gap),
                (-width / 2, -gap - height),
            ]
        )
        tried = np.clip(end + tried, box.min, np.maximum(box.min, box.max - size))
        away = np.abs(np.clip(end, tried, tried + size) - end).max(axis=1) / height
        over_names = _overlap(tried, size, corners[:i], sizes[:i]).sum(axis=1)
        over_arrows = _overlap(tried, size, arrows, 0.0).sum(axis=1)
        cost = 100 * over_names + over_arrows + 4 * away
        corners[i] = tried[cost.round(3).argmin()]  # the first of those that are as good
    return corners


def _overlap(corners, size, others, sizes):
    """Return whether boxes of one size lie over other boxes, (n_corners, n_others)."""
    low, high = corners[:, None], corners[:, None] + size
    return ((low < others + sizes) & (others < high)).all(axis=2)
