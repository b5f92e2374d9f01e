"""The way back through pipelines: past imputers, which have no inverse and need none."""

from typing import Any

from sklearn.pipeline import Pipeline


def without_imputers(estimator: Any) -> Any:
    """Return a fitted pipeline without its imputers, and another estimator as it is."""
    if not isinstance(estimator, Pipeline):
        return estimator
    steps = [(name, step) for name, step in estimator.steps if not _is_imputer(step)]
    return Pipeline(steps) if 0 < len(steps) < len(estimator.steps) else estimator


def _is_imputer(step: Any) -> bool:
    one = type(step)
    return one.__module__.startswith("sklearn.impute.") and one.__name__.endswith("Imputer")
