"""Estimators of tables: where their encoder is, and the way from codes to its matrix.

A table may be behind a `TableAutoencoderTransformer`, a pipeline that ends in one, or a pipeline
that begins with a `TableEncoder`. Of all others, codes stand for rows of numbers.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from ._inverse import without_imputers
from ._table_encoder import TableEncoder


class CodesOf(NamedTuple):
    """Codes of rows, and the way back."""

    codes: np.ndarray  # (n_samples, n_components)
    decode: Callable[[np.ndarray], Any]  # from codes to rows of numbers, or of the encoder's matrix
    X: Any  # the rows, in which the columns are that are decoded
    encoder: TableEncoder | None  # of a table


def codes_of(estimator: Any, X: Any) -> CodesOf:
    """Return codes of rows and the way back, of a fitted estimator or the best one of a search."""
    check_is_fitted(estimator)
    estimator = getattr(estimator, "best_estimator_", estimator)
    encoder = encoder_of(estimator)
    if isinstance(estimator, Pipeline) and encoder not in (None, estimator.steps[0][1]):
        for _, step in estimator.steps[:-1]:
            X = X if step in (None, "passthrough") else step.transform(X)
        estimator = estimator.steps[-1][1]
    way_back = without_imputers(estimator)
    for method, way in (("transform", estimator), ("inverse_transform", way_back)):
        if not hasattr(way, method):
            raise TypeError(
                f"{type(estimator).__name__} has no {method}, without which there is nothing to "
                "decode from codes; give an estimator that has it (a Pipeline has it if all of its "
                "steps do)."
            )
    decode = way_back.inverse_transform
    if encoder is not None:
        of_pipeline = isinstance(estimator, Pipeline)
        decode = (estimator[1:] if of_pipeline else estimator.autoencoder_).inverse_transform
    return CodesOf(np.asarray(estimator.transform(X)), decode, X, encoder)


def encoder_of(estimator: Any) -> TableEncoder | None:
    """Return the encoder of a fitted estimator that takes a table, or of the best of a search."""
    estimator = getattr(estimator, "best_estimator_", estimator)
    steps = [step for _, step in estimator.steps] if isinstance(estimator, Pipeline) else []
    if steps and isinstance(steps[0], TableEncoder):
        return steps[0]
    encoder = getattr((steps or [estimator])[-1], "encoder_", None)
    return encoder if isinstance(encoder, TableEncoder) else None
