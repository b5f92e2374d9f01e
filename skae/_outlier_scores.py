"""Scores of rows by the autoencoders that have not seen them, and what these are typically."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import get_tags

from ._calibration import (
    ERROR_VALUES,
    CodeSpace,
    HoleCalibration,
    TypicalScores,
    by_others,
    error_scale,
    errors_of_others,
    share_below,
    threshold,
    trained_on,
)
from ._contract import BaseEstimator
from ._holding_out import FoldsOfRows
from ._rows import chunks, known_values
from ._views import Views


class OutlierScores(BaseEstimator):
    """A detector's scores, by its autoencoders and its criterion."""

    autoencoder: Any
    criterion: str
    contamination: Any
    autoencoders_: list[Any]
    _folds: FoldsOfRows

    def _calibrate(self, X, weight: np.ndarray, held_out: np.ndarray, seed: int) -> None:
        """Learn what rows score that are each held out by some autoencoder, and the threshold."""
        autoencoders = self.autoencoders_
        for of_a_criterion in ("error_scale_", "_code_spaces", "_views"):
            self.__dict__.pop(of_a_criterion, None)
        if self.criterion != "log_likelihood":
            scale = error_scale(autoencoders, X, weight, held_out)
            if self.criterion != "squared_error":
                self.error_scale_ = scale
        if self.criterion == "mahalanobis":
            self._code_spaces = [
                CodeSpace.of(autoencoder.transform(X[kept]), weight[kept])
                for autoencoder, kept in zip(autoencoders, trained_on(held_out), strict=True)
            ]
        known, scores = known_values(X), None
        if self.criterion == "combined":
            errors = self._total_errors(X, known, held_out)
            self._views, scores = Views.of(autoencoders, X, weight, held_out, errors)
        may_have_holes = self._takes_nan() and not sp.issparse(X)
        self._holes = None
        if may_have_holes:
            self._holes = HoleCalibration.of_others(
                self._raw_scores, autoencoders, X, held_out, share_below(self.contamination), seed
            )
        if scores is None:
            scores = self._raw_scores(X, known, held_out)
        scores = self._comparable(scores, known)
        self._typical = TypicalScores.of(scores, weight)
        self.offset_ = threshold(scores, weight, self.contamination)

    def _scores(self, X):
        known = known_values(X)
        return self._comparable(self._raw_scores(X, known, self._folds.unseen(X)), known)

    def _comparable(self, scores, known):
        """Return scores as if all values were known."""
        if self._holes is None:
            return scores
        return self._holes.comparable(scores, known.mean(axis=1))

    def _raw_scores(self, X, known, unseen):
        """Return scores by the errors of known values, whatever their number."""
        if self.criterion == "log_likelihood":
            return by_others(_log_likelihood, self.autoencoders_, X, unseen)
        errors = self._total_errors(X, known, unseen)
        if self.criterion == "combined":
            return self._views.scores(self.autoencoders_, X, known, unseen, errors)
        if self.criterion == "mahalanobis":
            pairs = list(zip(self.autoencoders_, self._code_spaces, strict=True))
            errors += by_others(_squared_distance, pairs, X, unseen) / X.shape[1]
        return -errors

    def _total_errors(self, X, known, unseen):
        """Return the error of each row, (n_samples,)."""
        errors = np.empty(X.shape[0])
        for chunk in chunks(X.shape[0], X.shape[1], ERROR_VALUES):
            of_values = self._errors(X[chunk], known[chunk], unseen[:, chunk])
            errors[chunk] = of_values.sum(axis=1)
        return errors

    def _errors(self, X, known, unseen):
        """Return the error of each value, (n_samples, n_features)."""
        errors = errors_of_others(self.autoencoders_, X, known, unseen)
        if hasattr(self, "error_scale_"):
            errors /= self.error_scale_ * X.shape[1]
        return errors

    def _takes_nan(self):
        return self.autoencoder is None or get_tags(self.autoencoder).input_tags.allow_nan


def _log_likelihood(autoencoder, rows) -> np.ndarray:
    return autoencoder.score_samples(rows)


def _squared_distance(pair, rows) -> np.ndarray:
    autoencoder, space = pair
    return space.squared_distance(autoencoder.transform(rows))
