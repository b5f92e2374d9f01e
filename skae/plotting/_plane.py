"""Data in the plane: two columns, and the points that lie under a curve or a field."""

from skae._drawing import GREY, size_of_points


def two_columns(X, display):
    """Return data in the plane, or say that it is not."""
    if X.shape[1] != 2:
        raise ValueError(
            f"X has {X.shape[1]} columns, but {display} draws data in the plane, which has two."
        )
    return X


def draw_points(ax, X):
    """Draw data in the plane, as a background."""
    ax.scatter(*X.T, color=GREY, **{**size_of_points(len(X), n_panels=4), "alpha": 0.35}, zorder=0)
