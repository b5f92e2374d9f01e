"""What colors rows: targets of all types, in their order, with holes."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from matplotlib.colors import to_rgb
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline

from skae import TableEncoder
from skae._drawing import FRAME, GREY, PALETTE
from skae.plotting import LatentJointDisplay, LatentSpaceDisplay
from skae.plotting._target import frame_colors, read_target, split_off_target

N = 30
SIZES = np.array([*"SML"])[np.arange(N) % 3]
HOLES = np.arange(N) % 5 == 0
DATES = np.datetime64("2020-01-01") + np.arange(N) * np.timedelta64(1, "D")


def with_holes(values):
    values = np.asarray(values, dtype=object)
    values[HOLES] = None
    return values.tolist()


ORDER = [*"SML", "XL"]
# Of each target the kind, and the classes in order.
TARGETS = {
    "list": (with_holes(SIZES), "classes", [*"LMS"]),
    "objects": (np.array(with_holes(SIZES), dtype=object), "classes", [*"LMS"]),
    "categorical": (pd.Categorical(with_holes(SIZES), ORDER), "classes", [*"SML"]),
    "series": (pd.Series(pd.Categorical(with_holes(SIZES), ORDER)), "classes", [*"SML"]),
    "strings": (pd.Series(with_holes(SIZES), dtype="string"), "classes", [*"LMS"]),
    "enum": (pl.Series("y", with_holes(SIZES), dtype=pl.Enum(ORDER)), "classes", [*"SML"]),
    "polars": (pl.Series("y", with_holes(SIZES)), "classes", [*"LMS"]),
    "flags": (pd.Series(with_holes(SIZES == "S"), dtype="boolean"), "classes", ["False", "True"]),
    "intervals": (
        pd.cut(pd.Series(np.where(HOLES, np.nan, np.arange(N))), [-1, 9, 99]),
        "classes",
        ["(-1, 9]", "(9, 99]"],
    ),
    "integers": (pd.Series(with_holes(np.arange(N) % 3), dtype="Int64"), "classes", [*"012"]),
    "floats": (np.where(HOLES, np.nan, np.arange(N) % 3), "classes", [*"012"]),
    "decimals": (pd.Series(with_holes(np.arange(N) / 7), dtype="Float64"), "continuous", []),
    "numbers": (np.where(HOLES, np.nan, np.arange(N) / 7), "continuous", []),
    "dates": (pd.Series(DATES).where(~HOLES), "dates", []),
    "dates of numpy": (np.where(HOLES, np.datetime64("NaT"), DATES), "dates", []),
    "dates of polars": (pl.Series("y", with_holes(DATES.tolist())), "dates", []),
}


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_is_read_with_its_order_and_its_holes(name):
    y, kind, names = TARGETS[name]
    target = read_target(y)
    assert (target.kind, target.names) == (kind, names)
    np.testing.assert_array_equal(target.missing, HOLES)
    if kind == "dates":
        np.testing.assert_allclose(target.numbers[1:3], [18263, 18264])
    elif kind == "continuous":
        np.testing.assert_array_equal(target.numbers, TARGETS["numbers"][0])
    elif len(names) == 3 and names[0] in "SL":
        found = [None if np.isnan(i) else names[int(i)] for i in target.numbers]
        assert found == with_holes(SIZES)


def test_a_target_without_any_value_and_one_that_differs_in_each_row_are_drawn(draw):
    codes = np.random.RandomState(0).normal(size=(N, 2))
    nothing = LatentSpaceDisplay.from_predictions(codes, [None] * N)
    draw(nothing.figure_)
    assert [text.get_text() for text in nothing.ax_.get_legend().get_texts()] == ["missing (30)"]
    words = LatentSpaceDisplay.from_predictions(codes, [f"word {i:02}" for i in range(N)])
    (points,) = words.ax_.collections
    np.testing.assert_array_equal(points.get_array(), np.arange(N))
    assert words.figure_.axes[1].get_ylabel() == "class, by order"


@pytest.mark.parametrize("n_codes", [1, 2, 3])
@pytest.mark.parametrize("name", ["series", "numbers", "dates"])
def test_rows_whose_target_is_missing_are_open_circles_and_said(
    n_codes, name, draw, check_redrawing
):
    codes = np.random.RandomState(0).normal(size=(N, n_codes))
    y = TARGETS[name][0]
    y = y.rename("$ of it") if isinstance(y, pd.Series) else y
    display = LatentSpaceDisplay.from_predictions(codes, y)
    draw(display.figure_)
    open_ones, others = display.ax_.collections
    np.testing.assert_allclose(open_ones.get_edgecolors()[0, :3], to_rgb(GREY))
    if n_codes < 3:
        assert len(open_ones.get_offsets()) == 6
        assert len(others.get_offsets()) == 24
        np.testing.assert_array_equal(open_ones.get_offsets()[:, 0], codes[HOLES, 0])
    if n_codes == 1:
        assert open_ones.get_offsets()[:, 1].max() < others.get_offsets()[:, 1].min()
    legend = display.ax_.get_legend()
    names = [*"SML"] if name == "series" else []
    assert [text.get_text() for text in legend.get_texts()] == [*names, "missing (6)"]
    if name == "series":
        assert legend.get_title().get_text() == r"\$ of it"
    if name == "dates":
        bar = display.figure_.axes[1]
        draw(display.figure_)
        assert "2020-01-15" in " ".join(label.get_text() for label in bar.get_yticklabels())
    if name == "dates" and n_codes == 2:
        check_redrawing(LatentSpaceDisplay(codes, y.to_numpy()).plot())


def test_thumbnails_of_rows_without_a_class_have_a_plain_frame():
    target = read_target(["b", None, "a"])
    assert frame_colors(target, 3) == [PALETTE[1], FRAME, PALETTE[0]]
    assert frame_colors(None, 2) == [FRAME] * 2
    assert frame_colors(read_target([0.5, 1.5]), 2) == [FRAME] * 2


@pytest.mark.parametrize("name", ["series", "numbers"])
def test_the_joint_distribution_is_colored_in_the_same_way(name, draw):
    codes = np.random.RandomState(0).normal(size=(N, 2))
    display = LatentJointDisplay.from_predictions(codes, TARGETS[name][0])
    draw(display.figure_)
    assert [len(points.get_offsets()) for points in display.ax_joint_.collections] == [6, 24]
    legends = [ax.get_legend() for ax in display.figure_.axes if ax.get_legend() is not None]
    assert legends[0].get_texts()[-1].get_text() == "missing (6)"


# A column by its name


# Of scikit-learn, which asks polars for names in ways that polars no longer likes.
@pytest.mark.filterwarnings("ignore:Support for the dataframe interchange:DeprecationWarning")
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_name_is_that_of_a_column_which_the_estimator_keeps_if_it_knows_it(library):
    table = pd.DataFrame({"size": SIZES, "a": np.arange(N) % 7, "b": np.arange(N) % 4})
    table = table if library == "pandas" else pl.from_pandas(table)
    whole = make_pipeline(TableEncoder(), PCA(2)).fit(table)
    part = PCA(1).fit(table[["a", "b"]])
    nameless = PCA(1).fit(np.asarray(table[["a", "b"]]))
    with_name = LatentSpaceDisplay.from_estimator(whole, table, "size")
    given = LatentSpaceDisplay.from_estimator(whole, table, table["size"])
    np.testing.assert_array_equal(with_name.codes, given.codes)
    assert with_name.ax_.get_legend().get_title().get_text() == "size"
    for estimator, names in ((whole, [*table.columns]), (part, ["a", "b"]), (nameless, ["a", "b"])):
        X, y = split_off_target(estimator, table, "size")
        assert list(X.columns) == names
        assert list(y) == SIZES.tolist()
    joint = LatentJointDisplay.from_estimator(whole, table, "size")
    np.testing.assert_array_equal(joint.codes, given.codes)


def test_a_name_that_is_no_column_is_an_error():
    X = np.arange(8.0).reshape(4, 2)
    pca = PCA(1).fit(X)
    with pytest.raises(ValueError, match=r"y='size' is no column of X .*'a', 'b'"):
        LatentSpaceDisplay.from_estimator(pca, pd.DataFrame(X, columns=[*"ab"]), "size")
    with pytest.raises(ValueError, match=r"no column of X \(ndarray\), which has no names"):
        LatentSpaceDisplay.from_estimator(pca, X, "size")
