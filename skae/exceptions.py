"""Warnings of skae, by which `warnings.filterwarnings` can tell them from others."""

__all__ = ["DependentRowsWarning"]


class DependentRowsWarning(UserWarning):
    """Rows that are held out look like copies of rows that are trained on.

    Learning them by heart then looks like progress. Say which rows belong together with
    ``groups`` in `fit`, or hold rows out by a splitter of scikit-learn as
    ``validation_fraction``.
    """
