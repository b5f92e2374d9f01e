"""Errors and warnings of skae, by which they can be told from others."""

__all__ = [
    "DependentRowsWarning",
    "IdleParameterWarning",
    "MarkerAmongClassesWarning",
    "ModelFileError",
    "UnknownCategoryWarning",
]


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


class MarkerAmongClassesWarning(UserWarning):
    """-1 is taken as a class, beside others that count from zero.

    scikit-learn's semi-supervised estimators mark rows without a label by -1; here they are
    marked as ``unlabeled`` says, which is None by default, for no marker.
    """


class ModelFileError(ValueError):
    """A file is not one that `skae.save` has written, or no longer, or by a newer version.

    The message names the file and the reason. A file that is not there, or can't be read, is an
    OSError, as for any other.
    """


class UnknownCategoryWarning(UserWarning):
    """A table has categories that were not seen in `fit`, which count as missing values."""
