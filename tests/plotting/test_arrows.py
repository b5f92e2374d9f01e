"""Arrows: where their names lie, once the figure is drawn."""

import numpy as np
import pytest

from skae.plotting._arrows import draw_arrows


def boxes_of_names(ax):
    return [text.get_window_extent() for text in ax.texts if text.get_text()]


def are_apart(boxes):
    return not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


@pytest.mark.parametrize("spread", [0.1, 1.0, np.pi])
def test_names_lie_within_the_axes_and_not_over_one_another_or_a_legend(subplots, draw, spread):
    figure, ax = subplots(figsize=(6.4, 4.8))
    ax.scatter(*np.random.RandomState(0).normal(size=(2, 50)), label="a class of rows")
    legend = ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    angles = np.linspace(-spread, spread, 9)
    ends = 2 * np.column_stack([np.cos(angles), np.sin(angles)])
    names = [f"a column of number {i}" for i in range(9)]
    draw_arrows(ax, np.zeros(2), ends, names)
    draw(figure)
    boxes = boxes_of_names(ax)
    assert [text.get_text() for text in ax.texts if text.get_text()] == names
    assert are_apart([*boxes, legend.get_window_extent()])
    for box, end in zip(boxes, ax.transData.transform(ends), strict=True):
        assert (box.min >= ax.bbox.min - 1).all()
        assert (box.max <= ax.bbox.max + 1).all()
        away = np.linalg.norm(np.clip(end, box.min, box.max) - end)
        assert away < 6 * box.height
    assert not any(box.contains(*ax.transData.transform((0, 0))) for box in boxes)


def test_a_name_is_beside_the_end_of_its_arrow_where_there_is_room(subplots, draw):
    figure, ax = subplots()
    ends = np.array([[1.0, 0.1], [-1.0, 0.1], [0.0, 0.0]])
    draw_arrows(ax, np.zeros(2), ends, ["right", "left", "$nowhere"])
    draw(figure)
    right, left, _ = boxes_of_names(ax)
    (x_right, y), (x_left, _), _ = ax.transData.transform(ends)
    assert x_right < right.x0 < x_right + 10
    assert x_left - 10 < left.x1 < x_left
    assert right.y0 < y < right.y1
