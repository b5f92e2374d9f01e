"""What all figures share: colors of targets, sizes of points, and texts that stay texts."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import colors as mpl_colors
from matplotlib.mathtext import MathTextParser
from matplotlib.text import Text
from sklearn.decomposition import PCA

from skae import _drawing
from skae._drawing import (
    COLORMAP,
    LONGEST_NAME,
    PALETTE,
    PlottingError,
    color_scale,
    colors_of,
    import_pyplot,
    in_lanes,
    is_constant,
    legend_handles,
    literal,
    on_principal_axes,
    size_of_points,
)

# The way to matplotlib


def test_pyplot_is_the_one_of_matplotlib():
    from matplotlib import pyplot

    assert import_pyplot() is pyplot


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(PlottingError, match=r"pip install 'skae\[plot\]'"):
        import_pyplot()
    assert issubclass(PlottingError, ImportError)


# Colors


def test_the_palette_is_colors_that_all_differ():
    assert len({mpl_colors.to_rgb(color) for color in PALETTE}) == len(PALETTE) == 10
    assert not set(map(mpl_colors.to_rgb, PALETTE)) & {(1.0, 1.0, 1.0), (0.0, 0.0, 0.0)}


def test_without_a_target_all_points_are_alike():
    colors = colors_of(None, None)
    assert colors.scatter == {"color": _drawing.BLUE}
    assert colors.names is None


@pytest.mark.parametrize(
    "y", [np.array([3, 1, 3, 2]), np.array(["c", "a", "c", "b"]), np.array([True, False])]
)
def test_classes_have_the_colors_of_the_palette_in_the_order_of_their_names(y):
    colors = colors_of(y, "classes")
    classes = sorted(set(y.tolist()))
    expected = [PALETTE[classes.index(label)] for label in y.tolist()]
    assert colors.scatter["c"].tolist() == expected
    assert colors.names == [str(label) for label in classes]


@pytest.mark.parametrize(("n_classes", "has_names"), [(10, True), (11, False)])
def test_more_classes_than_colors_are_on_a_scale(n_classes, has_names):
    y = np.array([f"{number:02}" for number in range(n_classes)])[::-1]
    colors = colors_of(y, "classes")
    assert (colors.names is not None) == has_names
    if not has_names:
        np.testing.assert_array_equal(colors.scatter["c"], np.arange(n_classes)[::-1])
        assert colors.scatter["cmap"] == COLORMAP
        assert colors.title == "class, by order"


def test_the_scale_of_many_classes_has_their_numbers():
    years = 2001 + np.arange(60) % 15
    colors = colors_of(years, "classes")
    np.testing.assert_array_equal(colors.scatter["c"], years)
    assert colors.title == "class"


def test_what_differs_by_rounding_is_constant():
    rows = np.column_stack([np.full(30, 0.1), np.full(30, 0.1) * (1 + 1e-6 * np.arange(30))])
    rows[3, 0] = np.nextafter(0.1, 1)
    assert is_constant(rows).tolist() == [True, False]


def test_numbers_are_on_a_scale_from_the_smallest_to_the_largest():
    y = np.array([0.5, -2.0, 7.25])
    colors = colors_of(y, "continuous")
    np.testing.assert_array_equal(colors.scatter["c"], y)
    scale = color_scale(colors)
    assert (scale.norm.vmin, scale.norm.vmax) == (-2.0, 7.25)
    assert scale.get_cmap().name == COLORMAP
    assert colors.title == "target"


def test_the_legend_has_a_point_of_its_color_for_each_class():
    handles = legend_handles(["one", "$two$", "x" * 40])
    assert [handle.get_color() for handle in handles] == list(PALETTE[:3])
    one, two, long = (handle.get_label() for handle in handles)
    assert one == "one"
    assert two == r"\$two\$"
    assert len(long) == LONGEST_NAME
    assert long == "x" * (LONGEST_NAME - 1) + "…"


# Points


@given(st.integers(1, 10**6), st.integers(1, 9))
def test_points_are_smaller_and_paler_the_more_there_are_and_always_visible(n_samples, n_panels):
    few, many = size_of_points(n_samples, n_panels), size_of_points(2 * n_samples, n_panels)
    assert 0 < many["s"] <= few["s"] < 100
    assert 0.4 <= many["alpha"] <= few["alpha"] < 1


@pytest.mark.parametrize("n_dimensions", [1, 2, 3])
def test_codes_on_their_principal_axes_are_those_of_pca(n_dimensions):
    codes = np.random.RandomState(0).normal(size=(40, 5)) * [1, 5, 2, 9, 3] + 7
    before = codes.copy()
    points = on_principal_axes(codes, n_dimensions)
    expected = PCA(n_dimensions, svd_solver="full").fit_transform(codes)
    np.testing.assert_allclose(np.abs(points), np.abs(expected), atol=1e-9)
    np.testing.assert_array_equal(codes, before)


def test_each_class_has_a_lane_and_no_two_lanes_touch():
    codes = np.linspace(-3, 5, 60)
    classes = np.array(["b", "a", "c"])[np.arange(60) % 3]
    points = in_lanes(codes, classes)
    np.testing.assert_array_equal(points[:, 0], codes)
    ends = [(points[classes == name, 1].min(), points[classes == name, 1].max()) for name in "abc"]
    (a_low, _), (b_low, b_high), (_, c_high) = ends
    assert a_low > b_high
    assert b_low > c_high
    assert b_high > b_low
    np.testing.assert_array_equal(points, in_lanes(codes, classes))


# Texts


@given(st.text(alphabet="a$ b{}_^", max_size=12))
def test_no_text_becomes_a_formula(text):
    shown, is_formula = Text()._preprocess_math(literal(text))
    assert not is_formula
    assert shown == text


def test_the_text_would_be_a_formula_otherwise():
    assert Text()._preprocess_math("$a$") == ("$a$", True)
    with pytest.raises(ValueError, match="frac"):
        MathTextParser("agg").parse("$\\frac$")
