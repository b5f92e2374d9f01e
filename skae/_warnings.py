"""Warnings that point to the line of the user's that led to them."""

import os
import sys
import warnings

import joblib
import sklearn

# Whose lines are not the user's.
_PACKAGES = tuple(
    os.path.dirname(file) + os.sep for file in (__file__, sklearn.__file__, joblib.__file__)
)


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the nearest line that is neither of skae nor of scikit-learn and joblib."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGES):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
