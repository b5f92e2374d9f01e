"""ClusterDisplay: groups among codes, images of each, and how groups come together."""

from typing import Self

import numpy as np
from scipy.cluster.hierarchy import dendrogram, linkage
from sklearn.base import is_clusterer
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score
from sklearn.utils import check_consistent_length, check_random_state

from skae._drawing import DARK, FRAME, GREY, PALETTE, literal
from skae.plotting._canvas import LARGEST_WIDTH, panels, put_title, size_in_points
from skae.plotting._estimators import (
    encode,
    fitted,
    image_shape_in,
    numbers,
    rows_of,
    target_of,
)
from skae.plotting._images import (
    as_images,
    centers,
    check_image_shape,
    gap_between,
    mosaic,
    need_image_shape,
    show,
    stick,
    value_range,
)

MOST_CLUSTERS = 10
MOST_TO_JUDGE = 2000  # rows, that the number of clusters is chosen by


class ClusterDisplay:
    """Clusters of codes with images of each, and a dendrogram whose leaves are images.

    The clusters are those of an estimator that has found some, or of k-means, whose number, if it
    is not given, is the one of the largest silhouette [1]_. The dendrogram joins some of the rows,
    of each cluster as many as its share, by Ward's method: its distance is that of the codes for
    two rows, and grows with the number of rows that come together.

    Parameters
    ----------
    labels : ndarray of shape (n_samples,)
        The cluster of each row, from 0: of k-means the largest first, of an estimator as it numbers
        them, with -1 for a row that is in none.

    images : list of ndarray of shape (n_images, height, width) or (n_images, height, width, 3 or 4)
        Images of each cluster that has rows; of rows that are in none, at the end.

    leaves : ndarray of shape (n_leaves,)
        Where the rows of the dendrogram are in X.

    leaf_images : ndarray of shape (n_leaves, height, width) or (n_leaves, height, width, 3 or 4)
        Their images.

    links : ndarray of shape (n_leaves - 1, 4)
        How they come together, as `scipy.cluster.hierarchy.linkage` returns it.

    names : list of str
        What is written beside each cluster.

    limits : tuple of float
        The smallest and the largest value of the rows, for their colors.

    silhouettes : dict
        From each number of clusters tried to its silhouette; empty if it was given.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (2,)
        The images, and the dendrogram.

    figure_ : matplotlib Figure
        The figure that they are in.

    See Also
    --------
    LatentSpaceDisplay : Where the codes are.
    sklearn.cluster.KMeans : What finds the clusters.

    References
    ----------
    .. [1] Rousseeuw, P. (1987). Silhouettes: a graphical aid to the interpretation and validation
       of cluster analysis. Journal of Computational and Applied Mathematics 20, 53-65.
       :doi:`10.1016/0377-0427(87)90125-7`

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from skae.plotting import ClusterDisplay
    >>> X, y = load_digits(n_class=2, return_X_y=True)
    >>> display = ClusterDisplay.from_estimator(
    ...     PCA(2).fit(X), X, y, n_clusters=2, image_shape=(8, 8)
    ... )
    >>> len(display.images)
    2
    >>> plt.close(display.figure_)
    """

    def __init__(
        self, labels, images, leaves, leaf_images, links, *, names, limits, silhouettes=None
    ):
        self.labels = labels
        self.images = images
        self.leaves = leaves
        self.leaf_images = leaf_images
        self.links = links
        self.names = names
        self.limits = limits
        self.silhouettes = silhouettes or {}

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y=None,
        *,
        n_clusters=None,
        n_images=12,
        n_leaves=24,
        image_shape=None,
        random_state=0,
        ax=None,
        cmap="gray",
    ) -> Self:
        """Encode rows that are images, cluster their codes and draw them.

        Parameters
        ----------
        estimator : estimator
            Fitted, with `transform`; its own clusters are drawn if it is a clusterer, as
            `skae.cluster.AutoencoderClustering` is.

        X : array-like of shape (n_samples, n_features)
            Images as rows, at least three.

        y : array-like of shape (n_samples,), default=None
            Classes of the rows. They do not change the clusters; beside each is written which
            class is most frequent there, and its share.

        n_clusters : int, default=None
            How many clusters k-means finds. None takes those of a clusterer, and else the number
            from 2 to 10 with the largest silhouette, of at most 2000 rows.

        n_images : int, default=12
            Images of each cluster, at most; drawn at random.

        n_leaves : int, default=24
            Leaves of the dendrogram, at most, but one of each cluster.

        image_shape : tuple of int or dict, default=None
            (height, width), (channels, height, width) or (height, width, channels) of the rows.
            None takes that of a convolutional estimator.

        random_state : int, RandomState instance or None, default=0
            Decides where k-means starts, which rows the number of clusters is chosen by, and which
            images and leaves are drawn.

        ax : matplotlib Axes, default=None
            Where to draw; it is divided. None makes a figure.

        cmap : str or matplotlib Colormap, default="gray"
            Of images with one channel.

        Returns
        -------
        display : ClusterDisplay
            What was drawn.

        Raises
        ------
        TypeError
            If the estimator can't transform rows.
        ValueError
            If a parameter is out of its range, or rows are no images.
        """
        rows, own = rows_of(X), None
        if n_clusters is None and is_clusterer(estimator):
            own = np.asarray(fitted(estimator, "predict").predict(X))
        return cls._of(
            encode(estimator, X),
            rows,
            y,
            own,
            n_clusters=n_clusters,
            n_images=n_images,
            n_leaves=n_leaves,
            image_shape=image_shape_in(estimator, image_shape, rows.shape[1]),
            random_state=random_state,
            ax=ax,
            cmap=cmap,
        )

    @classmethod
    def from_predictions(
        cls,
        codes,
        X,
        y=None,
        *,
        n_clusters=None,
        n_images=12,
        n_leaves=24,
        image_shape=None,
        random_state=0,
        ax=None,
        cmap="gray",
    ) -> Self:
        """Cluster codes that you have and draw the images they belong to.

        Parameters
        ----------
        codes : array-like of shape (n_samples, n_components)
            Codes, of any method.

        X : array-like of shape (n_samples, n_features)
            Images as rows, at least three.

        y : array-like of shape (n_samples,), default=None
            Classes of the rows, which do not change the clusters.

        n_clusters : int, default=None
            How many clusters. None takes the number from 2 to 10 with the largest silhouette.

        n_images : int, default=12
            Images of each cluster, at most; drawn at random.

        n_leaves : int, default=24
            Leaves of the dendrogram, at most, but one of each cluster.

        image_shape : tuple of int or dict, default=None
            (height, width), (channels, height, width) or (height, width, channels) of the rows.

        random_state : int, RandomState instance or None, default=0
            Decides where k-means starts, which rows the number of clusters is chosen by, and which
            images and leaves are drawn.

        ax : matplotlib Axes, default=None
            Where to draw; it is divided. None makes a figure.

        cmap : str or matplotlib Colormap, default="gray"
            Of images with one channel.

        Returns
        -------
        display : ClusterDisplay
            What was drawn.

        Raises
        ------
        ValueError
            If a parameter is out of its range, or rows are no images.
        """
        return cls._of(
            codes,
            X,
            y,
            None,
            n_clusters=n_clusters,
            n_images=n_images,
            n_leaves=n_leaves,
            image_shape=image_shape,
            random_state=random_state,
            ax=ax,
            cmap=cmap,
        )

    @classmethod
    def _of(
        cls, codes, X, y, labels, *, n_clusters, n_images, n_leaves, image_shape, random_state,
        ax, cmap,
    ) -> Self:  # fmt: skip
        """Draw clusters that are known, or that k-means finds."""
        codes, rows, y = numbers(codes), rows_of(X), target_of(y)
        check_consistent_length(codes, rows, y)
        shape = check_image_shape(image_shape, rows.shape[1])
        need_image_shape(shape, cls.__name__, "LatentSpaceDisplay shows codes of other rows.")
        if len(codes) < 3:
            raise ValueError(f"There are {len(codes)} rows, but clusters need at least 3.")
        most = len(codes) - 1
        if n_clusters is not None and not 1 <= n_clusters <= most:
            raise ValueError(f"n_clusters={n_clusters}, but {len(codes)} rows have 1 to {most}.")
        for name, number, least in (("n_images", n_images, 1), ("n_leaves", n_leaves, 2)):
            if not number >= least:
                raise ValueError(f"{name}={number}, but at least {least} can be drawn.")

        random = check_random_state(random_state)
        silhouettes = None
        if labels is None:
            labels, silhouettes = _clusters(codes, n_clusters, random)
        order = random.permutation(len(codes))
        members = [order[labels[order] == cluster] for cluster in _found(labels)]
        shown = [np.sort(rows_of_cluster[: int(n_images)]) for rows_of_cluster in members]
        leaves = _leaves(members, min(int(n_leaves), len(codes)))
        display = cls(
            labels,
            [as_images(rows[some], shape) for some in shown],
            leaves,
            as_images(rows[leaves], shape),
            linkage(codes[leaves], method="ward", optimal_ordering=True),
            names=[_describe(some, y, labels) for some in members],
            limits=value_range(rows),
            silhouettes=silhouettes,
        )
        return display.plot(ax=ax, cmap=cmap)

    def plot(self, ax=None, *, cmap="gray") -> Self:
        """Draw what is stored; as often as wanted.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; it is divided. None makes a figure.

        cmap : str or matplotlib Colormap, default="gray"
            Of images with one channel.

        Returns
        -------
        display : ClusterDisplay
            The object itself.
        """
        n_clusters = len(self.images)
        height, width = self.leaf_images.shape[1:3]
        size = min(0.36 * len(self.leaves) + 0.6, LARGEST_WIDTH), 0.62 * n_clusters + 3.2
        ratios = 0.62 * n_clusters + 0.3, 2.6
        upper, lower = panels(ax, 2, 1, figsize=size, height_ratios=ratios)[:, 0]
        self._draw_images(upper, cmap, height, width)
        self._draw_dendrogram(lower, cmap)
        self.axes_, self.figure_ = np.array([upper, lower]), upper.figure
        return self

    def _draw_images(self, ax, cmap, height, width):
        """Draw a line of images for each cluster."""
        n_columns = max(len(images) for images in self.images)
        blank = np.full_like(self.leaf_images[0], np.nan)
        lines = [
            np.concatenate([images, np.repeat(blank[None], n_columns - len(images), axis=0)])
            for images in self.images
        ]
        canvas = np.concatenate(lines)
        gap = gap_between(canvas)
        show(ax, mosaic(canvas, n_columns, gap), limits=self.limits, cmap=cmap)
        ax.set_yticks(centers(len(self.images), height, gap), self.names)
        found = _found(self.labels)
        for cluster, label in zip(found, ax.get_yticklabels(), strict=True):
            label.set_color(_color(cluster))
            label.set_fontweight("bold")
        n_clusters = np.count_nonzero(found >= 0)
        title = "1 cluster" if n_clusters == 1 else f"{n_clusters} clusters"
        if self.silhouettes:
            title += f", silhouette {max(self.silhouettes.values()):.2f}"
        put_title(ax, title)

    def _draw_dendrogram(self, ax, cmap):
        """Draw how the leaves come together, and the leaves under it."""
        from matplotlib.collections import LineCollection

        colors = _colors_of_links(self.links, self.labels[self.leaves])
        drawn = dendrogram(self.links, no_plot=True, link_color_func=colors.__getitem__)
        lines = [
            np.column_stack(line) for line in zip(drawn["icoord"], drawn["dcoord"], strict=True)
        ]
        ax.add_collection(LineCollection(lines, colors=drawn["color_list"]))
        ax.set_xlim(0, 10 * len(self.leaves))
        ax.set_ylim(0, 1.05 * self.links[:, 2].max() or 1.0)  # 0 if all codes are the same
        ax.spines[["top", "right", "bottom"]].set_visible(False)
        ax.spines["left"].set_color(FRAME)
        ax.tick_params(bottom=False, labelbottom=False, labelsize="x-small", labelcolor=GREY)
        ax.set_ylabel("Ward distance", fontsize="small", color=DARK)
        n_leaves = len(self.leaves)
        wide = size_in_points(ax)[0] / n_leaves
        for position, leaf in enumerate(drawn["leaves"]):
            stick(
                ax, self.leaf_images[leaf], (10 * position + 5, 0), limits=self.limits, cmap=cmap,
                width=0.85 * wide, color=_color(self.labels[self.leaves[leaf]]), hang=True,
            )  # fmt: skip


def _color(cluster):
    return PALETTE[cluster % len(PALETTE)] if cluster >= 0 else GREY


def _found(labels):
    """Return the clusters that have rows, in order, and at the end -1 if some are in none."""
    found = np.unique(labels)
    return np.roll(found, -np.count_nonzero(found < 0))


def _clusters(codes, n_clusters, random):
    """Return the cluster of each row, the largest first, and the silhouettes looked at."""
    silhouettes = {}
    if n_clusters is None:
        some = codes[random.permutation(len(codes))[:MOST_TO_JUDGE]]
        n_different = len(np.unique(some, axis=0))
        for number in range(2, min(MOST_CLUSTERS, n_different - 1, len(some) - 1) + 1):
            labels = KMeans(number, n_init=5, random_state=random).fit_predict(some)
            silhouettes[number] = float(silhouette_score(some, labels))
        n_clusters = max(silhouettes, key=silhouettes.__getitem__) if silhouettes else 1
    labels = KMeans(n_clusters, n_init=10, random_state=random).fit_predict(codes)
    found, labels, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    rank = np.empty(len(found), dtype=int)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(found))
    return rank[labels], silhouettes


def _leaves(members, n_leaves):
    """Return rows of all clusters, of each as many as its share, and at least one."""
    n_rows = sum(len(rows) for rows in members)
    numbers_of_leaves = [max(1, round(n_leaves * len(rows) / n_rows)) for rows in members]
    while sum(numbers_of_leaves) > max(n_leaves, len(members)):  # all were rounded up
        numbers_of_leaves[int(np.argmax(numbers_of_leaves))] -= 1
    return np.concatenate(
        [rows[:number] for rows, number in zip(members, numbers_of_leaves, strict=True)]
    )


def _describe(rows, y, labels):
    """Return the number of rows of a cluster, and its most frequent class."""
    text = f"{len(rows)} rows" if labels[rows[0]] >= 0 else f"{len(rows)} in none"
    if y is None:
        return text
    classes, counts = np.unique(y[rows], return_counts=True)
    most = counts.argmax()
    return f"{text}\n{counts[most] / len(rows):.0%} are {literal(str(classes[most]))}"


def _colors_of_links(links, clusters):
    """Return the color of each link: its cluster's if all leaves below are of one."""
    n_leaves = len(clusters)
    below: dict[int, set] = {leaf: {int(cluster)} for leaf, cluster in enumerate(clusters)}
    colors = {}
    for i, (left, right, *_) in enumerate(links):
        both = below[int(left)] | below[int(right)]
        below[n_leaves + i] = both
        colors[n_leaves + i] = _color(next(iter(both))) if len(both) == 1 else GREY
    return colors
