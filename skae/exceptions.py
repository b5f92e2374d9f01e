"""Warnings of skae, by which `warnings.filterwarnings` can tell them from others."""

__all__ = ["DependentRowsWarning", "IdleParameterWarning"]


class DependentRowsWarning(UserWarning):
    """Rows that are held out look like copies of rows that are trained on.

    Learning them by heart then looks like progress. Say which rows belong together with
    ``groups`` in `fit`, or hold rows out by a splitter of scikit-learn as
    ``validation_fraction``.
    """


class IdleParameterWarning(UserWarning):
    """Parameters are set that have no effect beside the others.

    The fit goes on, so that a grid may have such combinations; for those,
    ``warnings.simplefilter("ignore", IdleParameterWarning)`` leaves them unsaid.
    """
