"""LatentSpaceDisplay: points where the codes are, in the colors of their target."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.offsetbox import AnnotationBbox
from scipy import sparse
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae._drawing import FRAME, PALETTE
from skae.plotting import LatentSpaceDisplay

N = 60
TARGETS = {
    "none": None,
    "classes": np.arange(N) % 3,
    "strings": np.array(["$a$", "b", "a name that is much too long"])[np.arange(N) % 3],
    "continuous": np.linspace(-2, 5, N),
    "many": np.arange(N) % 12,
}


@pytest.fixture(scope="module")
def codes():
    return np.random.RandomState(0).normal(size=(N, 5)) * [1, 4, 2, 3, 5]


def points_in(ax):
    """Return where the points of axes are, in the plane or in space."""
    (points,) = ax.collections
    in_space = hasattr(ax, "get_zlim")
    return np.column_stack(points._offsets3d) if in_space else np.asarray(points.get_offsets())


# Any codes with any target


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("n_codes", [1, 2, 3, 5])
def test_codes_of_any_size_and_targets_of_any_kind_are_drawn(codes, n_codes, name, draw):
    y = TARGETS[name]
    display = LatentSpaceDisplay.from_predictions(codes[:, :n_codes], y)
    if name not in ("classes", "many"):  # they look like others
        draw(display.figure_)
    scale = name in ("continuous", "many")
    assert len(display.figure_.axes) == 1 + scale
    assert display.figure_.axes[0] is display.ax_
    assert (display.ax_.name == "3d") == (n_codes >= 3)

    if n_codes == 1:
        np.testing.assert_array_equal(display.points_, codes[:, :1])
        if y is None:
            return
        drawn = points_in(display.ax_)
        np.testing.assert_array_equal(drawn[:, 0], codes[:, 0])
        if name == "continuous":
            np.testing.assert_array_equal(drawn[:, 1], y)
        else:  # lanes, which do not overlap
            order = [drawn[np.unique(y, return_inverse=True)[1] == i, 1] for i in range(3)]
            assert order[0].min() > order[1].max()
            assert order[1].min() > order[2].max()
        return
    expected = codes[:, :n_codes]
    if n_codes == 5:
        expected = PCA(3, svd_solver="full").fit_transform(codes)
        np.testing.assert_allclose(np.abs(display.points_), np.abs(expected), atol=1e-9)
    else:
        np.testing.assert_array_equal(display.points_, expected)
    np.testing.assert_array_equal(points_in(display.ax_), display.points_)


def test_a_single_code_without_target_is_a_histogram(codes):
    display = LatentSpaceDisplay.from_predictions(codes[:, :1])
    heights, edges = np.histogram(codes[:, 0], bins="auto")
    bars = display.ax_.patches
    assert [bar.get_height() for bar in bars] == heights.tolist()
    np.testing.assert_allclose([bar.get_x() for bar in bars], edges[:-1])
    assert display.ax_.get_ylabel() == "rows"


@pytest.mark.parametrize("n_codes", [1, 2, 3])
def test_classes_have_a_color_and_a_place_in_the_legend(codes, n_codes, draw):
    display = LatentSpaceDisplay.from_predictions(codes[:, :n_codes], TARGETS["strings"])
    draw(display.figure_)
    names = sorted(set(TARGETS["strings"]))
    legend = display.ax_.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == [
        r"\$a\$", "a name that i…", "b",
    ]  # fmt: skip
    assert [handle.get_color() for handle in legend.legend_handles] == list(PALETTE[:3])
    (points,) = display.ax_.collections
    colors = np.asarray(points.get_facecolors())[:, :3]
    if n_codes < 3:  # in space they are sorted by their depth when drawn
        expected = [to_rgb(PALETTE[names.index(label)]) for label in TARGETS["strings"]]
        np.testing.assert_allclose(colors, expected)


@pytest.mark.parametrize("name", ["continuous", "many"])
def test_numbers_and_many_classes_have_a_scale_of_colors(codes, name):
    y = TARGETS[name]
    display = LatentSpaceDisplay.from_predictions(codes[:, :2], y)
    (points,) = display.ax_.collections
    np.testing.assert_array_equal(points.get_array(), y)
    bar = display.figure_.axes[1]
    assert bar.get_ylim() == (y.min(), y.max())
    assert bar.get_ylabel() == {"continuous": "target", "many": "class"}[name]
    assert display.ax_.get_legend() is None


def test_axes_are_called_what_they_are(codes):
    plane = LatentSpaceDisplay.from_predictions(codes[:, :2]).ax_
    assert (plane.get_xlabel(), plane.get_ylabel()) == ("code 0", "code 1")
    space = LatentSpaceDisplay.from_predictions(codes).ax_
    assert space.get_zlabel() == "principal axis 2 of codes"


@pytest.mark.parametrize("n_dimensions", [1, 2, 3])
def test_fewer_dimensions_are_the_first_principal_axes(codes, n_dimensions):
    display = LatentSpaceDisplay.from_predictions(
        codes, TARGETS["classes"], n_dimensions=n_dimensions
    )
    expected = PCA(n_dimensions, svd_solver="full").fit_transform(codes)
    np.testing.assert_allclose(np.abs(display.points_), np.abs(expected), atol=1e-9)
    assert display.ax_.get_xlabel() == "principal axis 0 of codes"


@pytest.mark.parametrize(
    ("n_rows", "n_codes"), [(1, 1), (2, 1), (1, 2), (3, 2), (1, 3), (1, 5), (2, 5), (3, 5)]
)
def test_few_rows_are_drawn(codes, n_rows, n_codes, draw):
    display = LatentSpaceDisplay.from_predictions(
        codes[:n_rows, :n_codes], TARGETS["strings"][:n_rows]
    )
    draw(display.figure_)
    assert display.points_.shape == (n_rows, min(n_codes, 3))
    assert np.isfinite(display.points_).all()
    if n_codes == 5:  # what there are of principal axes keeps the distances
        for one in range(n_rows):
            distances = np.linalg.norm(display.points_ - display.points_[one], axis=1)
            expected = np.linalg.norm(codes[:n_rows] - codes[one], axis=1)
            np.testing.assert_allclose(distances, expected, atol=1e-9)


def test_twenty_thousand_rows_are_drawn(draw):
    codes = np.random.RandomState(0).normal(size=(20000, 2))
    display = LatentSpaceDisplay.from_predictions(codes, np.arange(20000) % 10)
    draw(display.figure_)
    np.testing.assert_array_equal(points_in(display.ax_), codes)


# Thumbnails


def thumbnails(ax):
    return [artist for artist in ax.artists if isinstance(artist, AnnotationBbox)]


@pytest.mark.parametrize("name", ["none", "classes", "continuous"])
def test_thumbnails_are_images_at_their_points(codes, name, draw):
    images = np.random.RandomState(0).uniform(size=(N, 3, 4))
    y = TARGETS[name]
    display = LatentSpaceDisplay.from_predictions(
        codes[:, :2], y, images=images, thumbnails=10, cmap="magma"
    )
    draw(display.figure_)
    boxes = thumbnails(display.ax_)
    assert len(boxes) == 10
    numbers = []
    for box in boxes:
        (number,) = np.flatnonzero((display.points_ == box.xy).all(axis=1))
        np.testing.assert_array_equal(box.offsetbox.get_data(), images[number])
        color = PALETTE[y[number]] if name == "classes" else FRAME
        assert box.patch.get_edgecolor() == to_rgba(color)
        numbers.append(number)
    assert len(set(numbers)) == 10


def test_thumbnails_do_not_cover_one_another(codes, draw):
    display = LatentSpaceDisplay.from_predictions(
        np.tile(codes[:, :2], (5, 1)), images=np.ones((5 * N, 4, 4)), thumbnails=1000
    )
    display.figure_.canvas.draw()
    boxes = [box.patch.get_window_extent() for box in thumbnails(display.ax_)]
    assert 20 < len(boxes) <= N  # equal codes are drawn once
    for i, one in enumerate(boxes):
        for other in boxes[:i]:
            overlap_x = min(one.x1, other.x1) - max(one.x0, other.x0)
            overlap_y = min(one.y1, other.y1) - max(one.y0, other.y0)
            assert min(overlap_x, overlap_y) < 3  # pixels, of the frames


def test_thumbnails_of_an_estimator_are_its_rows(digits, pca, convolutional, draw):
    X, y = digits
    display = LatentSpaceDisplay.from_estimator(
        pca, X, y, n_dimensions=2, thumbnails=3, image_shape=(4, 16)
    )
    draw(display.figure_)
    for box in thumbnails(display.ax_):
        (number,) = np.flatnonzero((display.points_ == box.xy).all(axis=1))
        np.testing.assert_array_equal(box.offsetbox.get_data(), X[number].reshape(4, 16))
    display = LatentSpaceDisplay.from_estimator(convolutional, X, thumbnails=3)
    assert display.images.shape == (150, 8, 8)


def test_thumbnails_may_have_colors(codes, draw):
    images = np.random.RandomState(0).uniform(size=(N, 2, 5, 3))
    display = LatentSpaceDisplay.from_predictions(codes[:, :2], images=images, thumbnails=4)
    draw(display.figure_)
    low, high = images.min(), images.max()
    for box in thumbnails(display.ax_):
        (number,) = np.flatnonzero((display.points_ == box.xy).all(axis=1))
        expected = (images[number] - low) / (high - low)
        np.testing.assert_allclose(box.offsetbox.get_data()[..., :3], expected)


def test_equal_codes_have_one_thumbnail(draw):
    display = LatentSpaceDisplay.from_predictions(
        np.ones((9, 2)), images=np.ones((9, 2, 2)), thumbnails=9
    )
    draw(display.figure_)
    assert len(thumbnails(display.ax_)) == 1


# Drawing


@pytest.mark.parametrize(
    ("n_dimensions", "name"), [(1, "none"), (1, "classes"), (2, "classes"), (3, "continuous")]
)
def test_drawing_again_gives_the_same(codes, n_dimensions, name, check_redrawing):
    display = LatentSpaceDisplay.from_predictions(codes, TARGETS[name], n_dimensions=n_dimensions)
    points = display.points_
    check_redrawing(display, n_dimensions=n_dimensions)
    np.testing.assert_array_equal(display.points_, points)


def test_the_images_stay_for_another_drawing(codes, check_redrawing):
    display = LatentSpaceDisplay.from_predictions(
        codes[:, :2], TARGETS["classes"], images=np.ones((N, 2, 2)), thumbnails=5
    )
    check_redrawing(display, thumbnails=5)
    assert not thumbnails(display.plot().ax_)


@pytest.mark.parametrize("in_part", [False, True])
def test_axes_that_are_given_are_drawn_in(codes, subplots, draw, in_part):
    figure, axes = subplots(1, 2, layout="constrained")
    ax = figure.subfigures(1, 2)[0].subplots() if in_part else axes[1]
    display = LatentSpaceDisplay.from_predictions(
        codes[:, :2], TARGETS["many"], images=np.ones((N, 2, 2)), thumbnails=3, ax=ax
    )
    draw(figure)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    np.testing.assert_array_equal(points_in(ax), codes[:, :2])
    assert len(thumbnails(ax)) == 3


def test_three_codes_need_axes_in_space(codes, subplots, draw):
    figure, ax = subplots(subplot_kw={"projection": "3d"})
    display = LatentSpaceDisplay.from_predictions(codes, ax=ax)
    draw(figure)
    assert display.ax_ is ax
    _, flat = subplots()
    with pytest.raises(ValueError, match=r"ax is flat: make it with .*'3d'.*n_dimensions=2"):
        LatentSpaceDisplay.from_predictions(codes, ax=flat)
    assert not flat.collections


# What is given


def test_any_transformer_of_any_rows_is_asked_for_codes(digits):
    X, y = digits
    frame = pd.DataFrame(X).rename(columns=str)
    pipeline = make_pipeline(StandardScaler(), PCA(2)).set_output(transform="pandas")
    search = GridSearchCV(pipeline, {"pca__n_components": [2]}, cv=2).fit(frame)
    display = LatentSpaceDisplay.from_estimator(search, frame, pd.Series(y))
    expected = search.best_estimator_.transform(frame).to_numpy()
    np.testing.assert_array_equal(points_in(display.ax_), expected)
    np.testing.assert_array_equal(display.y, y)

    svd = TruncatedSVD(2, random_state=0).fit(X)
    display = LatentSpaceDisplay.from_estimator(svd, sparse.csr_matrix(X))
    np.testing.assert_allclose(points_in(display.ax_), svd.transform(X))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_dimensions": 4}, "n_dimensions=4, but it is 1, 2 or 3"),
        ({"n_dimensions": 0}, "n_dimensions=0, but it is 1, 2 or 3"),
        ({"thumbnails": 5}, "thumbnails=5, but images are drawn in the plane only"),
        ({"thumbnails": -1}, "thumbnails=-1, but a number of images is 0 or more"),
        ({"thumbnails": 5, "n_dimensions": 2}, "thumbnails=5, but there are no images"),
        ({"images": np.ones((N, 4))}, r"images has shape \(60, 4\), but images are"),
        ({"images": np.ones((N, 4, 4, 2))}, r"images has shape \(60, 4, 4, 2\), but images are"),
        ({"images": np.ones((3, 4, 4))}, "inconsistent"),
        ({"y": np.ones(3)}, "inconsistent"),
        ({"y": np.where(np.arange(N) < 3, np.inf, 1.5)}, "column 'y' of X contains infinity"),
    ],
)
def test_a_bad_parameter_is_an_error(codes, parameters, message):
    with pytest.raises(ValueError, match=message):
        LatentSpaceDisplay.from_predictions(codes, **parameters)


def test_more_dimensions_than_codes_are_an_error(codes):
    with pytest.raises(ValueError, match="not more than the 2 numbers of a code"):
        LatentSpaceDisplay.from_predictions(codes[:, :2], n_dimensions=3)


def test_thumbnails_need_images(pca, digits):
    with pytest.raises(ValueError, match=r"with thumbnails draws rows as images.*thumbnails=0"):
        LatentSpaceDisplay.from_estimator(pca, digits[0], n_dimensions=2, thumbnails=5)
