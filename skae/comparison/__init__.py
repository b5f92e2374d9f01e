"""Methods side by side: the same rows, the same measures, one table and one figure."""

from skae.comparison._compare import compare
from skae.comparison._methods import DEFAULT_METHODS, METHODS
from skae.comparison._result import Comparison

__all__ = ["DEFAULT_METHODS", "METHODS", "Comparison", "compare"]
