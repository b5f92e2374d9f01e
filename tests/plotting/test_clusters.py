"""ClusterDisplay: k-means and Ward's method on blobs, and the images of what they found."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba
from matplotlib.offsetbox import AnnotationBbox
from scipy.cluster.hierarchy import linkage
from sklearn.base import BaseEstimator, ClusterMixin, TransformerMixin
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae._drawing import GREY, PALETTE
from skae.plotting import ClusterDisplay

CENTERS = np.array([[0, 0], [20, 0], [0, 20], [20, 20]])
SIZES = [40, 30, 20, 10]


@pytest.fixture(scope="module")
def blobs():
    """Codes in four groups of known sizes, and rows of 3 x 4 pixels that tell their number."""
    codes, group = make_blobs(SIZES, centers=CENTERS, cluster_std=1.0, random_state=0)
    return codes, np.arange(100)[:, None] * 12.0 + np.arange(12), group


@pytest.fixture
def display(blobs):
    codes, rows, group = blobs
    names = np.array(["$a$", "b", "c", "d"])
    return ClusterDisplay.from_predictions(codes, rows, names[group], image_shape=(3, 4))


def thumbnails(ax):
    return [artist for artist in ax.artists if isinstance(artist, AnnotationBbox)]


def test_the_silhouette_finds_the_number_of_groups_and_the_clusters_are_the_groups(display, blobs):
    codes, _, group = blobs
    np.testing.assert_array_equal(display.labels, group)  # the largest first
    assert list(display.silhouettes) == list(range(2, 11))
    assert max(display.silhouettes, key=display.silhouettes.get) == 4
    expected = silhouette_score(codes, group)
    assert display.silhouettes[4] == pytest.approx(expected)
    assert display.axes_[0].get_title() == f"4 clusters, silhouette {expected:.2f}"


@pytest.mark.parametrize("n_groups", [2, 3, 6])
def test_the_number_of_groups_is_found_whatever_it_is(n_groups):
    circle = np.exp(2j * np.pi * np.arange(n_groups) / n_groups) * 30
    centers = np.column_stack([circle.real, circle.imag, np.zeros(n_groups)])
    codes, group = make_blobs(90, centers=centers, random_state=1)
    display = ClusterDisplay.from_predictions(codes, np.ones((90, 4)), image_shape=(2, 2))
    assert len(display.images) == n_groups
    assert adjusted_rand_score(group, display.labels) == 1


def test_a_number_of_clusters_is_taken_as_it_is(blobs):
    codes, rows, _ = blobs
    display = ClusterDisplay.from_predictions(codes, rows, n_clusters=2, image_shape=(3, 4))
    expected = KMeans(2, n_init=10, random_state=0).fit_predict(codes)
    assert adjusted_rand_score(display.labels, expected) == 1
    assert display.silhouettes == {}
    assert display.axes_[0].get_title() == "2 clusters"
    sizes = np.bincount(display.labels)
    assert (np.diff(sizes) <= 0).all()


def test_the_lines_of_images_are_rows_of_their_cluster(display, blobs, tiles, draw):
    _, rows, group = blobs
    draw(display.figure_)
    upper, lower = display.axes_
    assert display.figure_.axes == [upper, lower]
    (shown,) = upper.images
    found = tiles(shown, 4, 12, (3, 4))
    for cluster, line in enumerate(found):
        n_shown = min(12, SIZES[cluster])
        numbers = line[:n_shown, 0, 0] / 12
        assert len(set(numbers)) == n_shown
        for number, image in zip(numbers.astype(int), line, strict=False):
            assert group[number] == cluster
            np.testing.assert_array_equal(image.ravel(), rows[number])
        assert np.isnan(line[n_shown:]).all()
        np.testing.assert_array_equal(display.images[cluster], line[:n_shown])
    assert shown.get_clim() == (rows.min(), rows.max())


def test_beside_each_cluster_are_its_size_and_most_frequent_class(display):
    labels = display.axes_[0].get_yticklabels()
    texts = [label.get_text() for label in labels]
    assert texts == [
        "40 rows\n100% are \\$a\\$",
        "30 rows\n100% are b",
        "20 rows\n100% are c",
        "10 rows\n100% are d",
    ]
    assert [label.get_color() for label in labels] == list(PALETTE[:4])
    assert [tick % 1 for tick in display.axes_[0].get_yticks()] == [0, 0, 0, 0]  # of three pixels


def test_the_share_of_the_most_frequent_class_is_a_share_of_the_cluster(blobs):
    codes, rows, _ = blobs
    y = np.where(np.arange(100) % 4 == 0, 7, 3)
    display = ClusterDisplay.from_predictions(codes, rows, y, n_clusters=1, image_shape=(3, 4))
    assert display.names == ["100 rows\n75% are 3"]
    display = ClusterDisplay.from_predictions(codes, rows, n_clusters=1, image_shape=(3, 4))
    assert display.names == ["100 rows"]


# The dendrogram


def test_the_dendrogram_is_of_wards_method_on_some_rows_of_each_cluster(display, blobs):
    codes, rows, group = blobs
    assert len(set(display.leaves.tolist())) == len(display.leaves) == 24
    shares = np.bincount(group[display.leaves])
    np.testing.assert_allclose(shares, 24 * np.array(SIZES) / 100, atol=1)
    expected = linkage(codes[display.leaves], "ward", optimal_ordering=True)
    np.testing.assert_array_equal(display.links, expected)
    np.testing.assert_array_equal(display.leaf_images.reshape(24, 12), rows[display.leaves])


def test_images_of_the_leaves_hang_in_the_order_of_the_dendrogram_in_the_color_of_their_cluster(
    display, blobs
):
    _, rows, group = blobs
    boxes = thumbnails(display.axes_[1])
    np.testing.assert_array_equal([box.xy for box in boxes], [(10 * i + 5, 0) for i in range(24)])
    numbers = [int(box.offsetbox.get_data()[0, 0] / 12) for box in boxes]
    assert sorted(numbers) == sorted(display.leaves.tolist())
    for number, box in zip(numbers, boxes, strict=True):
        np.testing.assert_array_equal(box.offsetbox.get_data().ravel(), rows[number])
        assert box.patch.get_edgecolor() == to_rgba(PALETTE[group[number]])
    # Groups this far apart are not mixed by the order.
    changes = np.count_nonzero(np.diff(group[numbers]))
    assert changes == 3


def test_a_link_has_the_color_of_its_cluster_and_is_grey_where_clusters_meet(display, blobs):
    group = blobs[2]
    lower = display.axes_[1]
    numbers = [int(box.offsetbox.get_data()[0, 0] / 12) for box in thumbnails(lower)]
    (lines,) = [c for c in lower.collections if isinstance(c, LineCollection)]
    segments, colors = lines.get_segments(), lines.get_colors()
    assert len(segments) == 23
    heights = sorted(segment[:, 1].max() for segment in segments)
    np.testing.assert_allclose(heights, display.links[:, 2])

    def leaves_below(x, y):
        """Clusters of the leaves that hang from a point, link by link."""
        if y == 0:
            return {group[numbers[int((x - 5) / 10)]]}
        below = [s for s in segments if s[1, 1] == y and (s[0, 0] + s[3, 0]) / 2 == x]
        return set().union(*(leaves_below(*end) for s in below for end in (s[0], s[3])))

    n_grey = 0
    for segment, color in zip(segments, colors, strict=True):
        clusters = leaves_below(*segment[0]) | leaves_below(*segment[3])
        expected = PALETTE[min(clusters)] if len(clusters) == 1 else GREY
        assert tuple(color) == to_rgba(expected)
        n_grey += len(clusters) > 1
    assert n_grey == 3
    assert lower.get_xlim() == (0, 240)
    assert lower.get_ylim()[0] == 0
    assert lower.get_ylim()[1] > display.links[-1, 2]


@pytest.mark.parametrize(("n_leaves", "expected"), [(2, 4), (4, 4), (9, 9), (1000, 100)])
def test_there_are_no_more_leaves_than_asked_for_but_one_of_each_cluster(blobs, n_leaves, expected):
    codes, rows, group = blobs
    display = ClusterDisplay.from_predictions(
        codes, rows, n_clusters=4, n_leaves=n_leaves, image_shape=(3, 4)
    )
    assert len(display.leaves) == expected
    assert set(group[display.leaves]) == {0, 1, 2, 3}


def test_shares_that_are_all_rounded_up_are_not_too_many_leaves():
    codes, _ = make_blobs([20] * 5, centers=20 * np.eye(5), random_state=0)
    display = ClusterDisplay.from_predictions(codes, np.ones((100, 4)), image_shape=(2, 2))
    assert len(display.images) == 5
    assert len(display.leaves) == 24


# Drawing


def test_drawing_again_gives_the_same(display, check_redrawing):
    check_redrawing(display)
    check_redrawing(display.plot(cmap="magma"), cmap="magma")
    assert display.axes_[0].images[0].get_cmap().name == "magma"


@pytest.mark.parametrize("in_part", [False, True])
def test_axes_that_are_given_are_divided(blobs, subplots, draw, in_part):
    codes, rows, _ = blobs
    figure, axes = subplots(1, 2, figsize=(9, 5))
    ax = figure.subfigures(1, 2)[0].subplots() if in_part else axes[1]
    display = ClusterDisplay.from_predictions(codes, rows, n_clusters=3, image_shape=(3, 4), ax=ax)
    draw(figure)
    assert display.axes_[0] in figure.axes
    assert not ax.axison
    with pytest.raises(ValueError, match="ax has been divided"):
        display.plot(ax=ax)


def test_images_in_color_are_drawn_in_color(blobs, tiles, draw):
    codes = blobs[0]
    rows = np.random.RandomState(0).uniform(size=(100, 3 * 2 * 4))
    display = ClusterDisplay.from_predictions(
        codes, rows, n_clusters=2, n_images=5, image_shape=(3, 2, 4)
    )
    draw(display.figure_)
    found = tiles(display.axes_[0].images[0], 2, 5, (2, 4))
    expected = (rows - rows.min()) / (rows.max() - rows.min())
    (number,) = np.flatnonzero(np.isclose(expected[:, 0], found[0, 0, 0, 0, 0]))
    np.testing.assert_allclose(found[0, 0], np.moveaxis(expected[number].reshape(3, 2, 4), 0, -1))


# What is given


def test_an_estimator_is_asked_for_codes(digits, convolutional):
    X, y = digits
    pipeline = make_pipeline(StandardScaler(), PCA(3)).set_output(transform="pandas")
    frame = pd.DataFrame(X).rename(columns=str)
    pipeline.fit(frame)
    display = ClusterDisplay.from_estimator(
        pipeline, frame, pd.Series(y), n_clusters=3, image_shape=(8, 8)
    )
    same = ClusterDisplay.from_predictions(
        pipeline.transform(frame).to_numpy(), X, y, n_clusters=3, image_shape=(8, 8)
    )
    np.testing.assert_array_equal(display.labels, same.labels)
    assert display.names == same.names
    # A convolutional estimator knows the shape of its images.
    display = ClusterDisplay.from_estimator(convolutional, X, n_clusters=2)
    assert display.leaf_images.shape[1:] == (8, 8)


class Grouped(ClusterMixin, TransformerMixin, BaseEstimator):
    """Codes are rows as they are; one in ten rows is in no cluster, and cluster 1 has no rows."""

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        return X[:, :2]

    def predict(self, X):
        numbers = np.arange(len(X))
        return np.where(numbers % 10 == 0, -1, 2 * (numbers % 3 == 0))


def test_a_clusterer_is_asked_for_its_own_clusters(blobs, draw):
    _, rows, _ = blobs
    estimator = Grouped().fit(rows)
    display = ClusterDisplay.from_estimator(estimator, rows, image_shape=(3, 4))
    draw(display.figure_)
    expected = estimator.predict(rows)
    np.testing.assert_array_equal(display.labels, expected)
    assert display.names == ["60 rows", "30 rows", "10 in none"]
    assert display.axes_[0].get_title() == "2 clusters"
    ticks = display.axes_[0].get_yticklabels()
    assert [tick.get_color() for tick in ticks] == [PALETTE[0], PALETTE[2], GREY]
    for cluster, images in zip((0, 2, -1), display.images, strict=True):
        assert set(expected[(images[:, 0, 0] / 12).astype(int)]) == {cluster}
    boxes = thumbnails(display.axes_[1])
    edges = {box.patch.get_edgecolor() for box in boxes}
    assert edges == {to_rgba(color) for color in (PALETTE[0], PALETTE[2], GREY)}
    assert (
        len(ClusterDisplay.from_estimator(estimator, rows, n_clusters=4, image_shape=(3, 4)).images)
        == 4
    )


def test_the_same_seed_gives_the_same_images_and_another_one_others(blobs):
    codes, rows, _ = blobs
    one, two, other = (
        ClusterDisplay.from_predictions(
            codes, rows, n_clusters=2, image_shape=(3, 4), random_state=seed
        )
        for seed in (1, 1, 2)
    )
    np.testing.assert_equal(one.images, two.images)
    assert not np.array_equal(one.leaves, other.leaves)


@pytest.mark.parametrize("n_rows", [3, 4, 5])
def test_few_rows_have_clusters_too(n_rows, draw):
    codes = np.random.RandomState(0).normal(size=(n_rows, 2))
    display = ClusterDisplay.from_predictions(codes, np.ones((n_rows, 4)), image_shape=(2, 2))
    draw(display.figure_)
    assert len(display.leaves) == n_rows
    assert 2 <= len(display.images) < n_rows


def test_equal_codes_are_one_cluster(draw):
    display = ClusterDisplay.from_predictions(
        np.ones((9, 2)), np.arange(36.0).reshape(9, 4), image_shape=(2, 2)
    )
    draw(display.figure_)
    assert len(display.images) == 1
    assert (display.links[:, 2] == 0).all()


def test_many_rows_are_judged_by_some_of_them(monkeypatch):
    from skae.plotting import _clusters

    judged = []

    def score(X, labels):
        judged.append(len(X))
        return silhouette_score(X[:50], labels[:50])

    monkeypatch.setattr(_clusters, "silhouette_score", score)
    codes, group = make_blobs(5000, centers=CENTERS, random_state=0)
    display = ClusterDisplay.from_predictions(codes, np.ones((5000, 4)), image_shape=(2, 2))
    assert set(judged) == {2000}
    assert adjusted_rand_score(display.labels, group) == 1


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"image_shape": None}, "ClusterDisplay draws rows as images: set image_shape"),
        ({"image_shape": (5, 5)}, "25 pixels, but rows have 12 features"),
        ({"n_clusters": 0}, "n_clusters=0, but 100 rows have 1 to 99"),
        ({"n_clusters": 100}, "n_clusters=100, but 100 rows have 1 to 99"),
        ({"n_images": 0}, "n_images=0, but at least 1 can be drawn"),
        ({"n_leaves": 1}, "n_leaves=1, but at least 2 can be drawn"),
        ({"y": np.arange(99)}, "inconsistent"),
        ({"y": np.where(np.arange(100) < 9, "a", None)}, "y contains NaN, or another missing"),
    ],
)
def test_a_bad_parameter_is_an_error(blobs, parameters, message):
    codes, rows, _ = blobs
    with pytest.raises(ValueError, match=message):
        ClusterDisplay.from_predictions(codes, rows, **{"image_shape": (3, 4), **parameters})


def test_two_rows_are_too_few():
    with pytest.raises(ValueError, match="There are 2 rows, but clusters need at least 3"):
        ClusterDisplay.from_predictions(np.eye(2), np.eye(2), image_shape=(1, 2))
