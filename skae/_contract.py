"""What estimators and functions take from scikit-learn: its own, with types and links of ours."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
from sklearn import base

__all__ = [
    "BaseEstimator",
    "ClassifierMixin",
    "OutlierMixin",
    "TransformerMixin",
    "_fit_context",
    "available_if",
    "validate_params",
]


class BaseEstimator(base.BaseEstimator):
    """scikit-learn's, whose HTML leads to our reference: to the pages that autosummary writes."""

    _doc_link_module = "skae"
    _doc_link_template = (
        "https://skae.readthedocs.io/en/stable/generated/{estimator_module}.{estimator_name}.html"
    )

    def __getstate__(self) -> dict[str, Any]:
        """Return what copies have: all but a solver's moments, twice the size of the network."""
        state = dict(super().__getstate__())  # scikit-learn's may be the estimator's own
        state.pop("_solver_state", None)
        return state

    if TYPE_CHECKING:

        def get_params(self, deep: bool = True) -> dict[str, Any]: ...
        def set_params(self, **params: Any) -> Self: ...


# scikit-learn has no types, and a method behind an untyped decorator has none either, whatever
# its annotations say.
if TYPE_CHECKING:
    Function = TypeVar("Function", bound=Callable[..., Any])

    def _fit_context(*, prefer_skip_nested_validation: bool) -> Callable[[Function], Function]: ...
    def validate_params(
        parameter_constraints: dict[str, list], *, prefer_skip_nested_validation: bool
    ) -> Callable[[Function], Function]: ...
    def available_if(check: Callable[[Any], bool]) -> Callable[[Function], Function]: ...

    class TransformerMixin(base.TransformerMixin):
        def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> np.ndarray: ...
        def set_output(self, *, transform: str | None = None) -> Self: ...

    class ClassifierMixin(base.ClassifierMixin):
        def score(self, X: Any, y: Any, sample_weight: Any = None) -> float: ...

    class OutlierMixin(base.OutlierMixin):
        def fit_predict(self, X: Any, y: Any = None, **kwargs: Any) -> np.ndarray: ...
else:
    from sklearn.base import ClassifierMixin, OutlierMixin, TransformerMixin, _fit_context
    from sklearn.utils._param_validation import validate_params
    from sklearn.utils.metaestimators import available_if
