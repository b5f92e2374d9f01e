"""A detector in a stream: networks that go on training, and the rows that say what is typical."""

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Any, NamedTuple, Self

import numpy as np
import scipy.sparse as sp
from sklearn.utils import _safe_indexing

from ._checked_rows import check_rows, refuse_target
from ._contract import _fit_context, available_if
from ._fitting import fitting
from ._holding_out import FoldsOfRows
from ._outlier_scores import OutlierScores
from ._reconstruction import known_share

_MOST_ROWS = 2048  # that are kept


class KeptRows(NamedTuple):
    """Rows that were held out from some network each, the older the fewer.

    A biased reservoir [1]_: with a probability that is the same for all, a new row takes the place
    of a random one. So each is as likely to have left after as many rows, and half of those kept
    are no older than the half-life.

    Parameters
    ----------
    X : {ndarray, csr_array} of shape (n_rows, n_features)
    weight : ndarray of shape (n_rows,)
    held_out : ndarray of bool of shape (n_autoencoders, n_rows)
    folds : FoldsOfRows
        Of the rows that the detector was fitted to, which stay known.
    n_seen : int
        Rows that came, with those.
    seed : int

    References
    ----------
    .. [1] Aggarwal, C. C. (2006). On biased reservoir sampling in the presence of stream evolution.
       VLDB, 607-618.
    """

    X: Any
    weight: np.ndarray
    held_out: np.ndarray
    folds: FoldsOfRows
    n_seen: int
    seed: int

    @classmethod
    def of(cls, X, weight, held_out, folds: FoldsOfRows, half_life: float, seed: int) -> "KeptRows":
        """Keep some of the rows of a fit, all of which are of the present."""
        kept = cls(X, weight, held_out, folds, X.shape[0], seed)
        return kept._some(kept._random().permutation(X.shape[0])[: n_kept(half_life)])

    def then(self, X, weight: np.ndarray, held_out: np.ndarray, half_life: float) -> "KeptRows":
        """Return what is left when rows have come, in this order."""
        random, most = self._random(), n_kept(half_life)
        places = random.permutation(len(self.weight))[:most].tolist()
        chance = most * np.log(2) / half_life  # at most 1
        for i in np.flatnonzero(random.uniform(size=len(weight)) < chance).tolist():
            row = len(self.weight) + i
            if random.uniform() < len(places) / most:
                places[random.randint(len(places))] = row
            else:
                places.append(row)
        X = X.astype(self.X.dtype, copy=False)
        stack = partial(sp.vstack, format="csr") if sp.issparse(self.X) else np.concatenate
        every = self._replace(
            X=stack([self.X, X]),
            weight=np.concatenate([self.weight, weight]),
            held_out=np.concatenate([self.held_out, held_out], axis=1),
            n_seen=self.n_seen + len(weight),
        )
        return every._some(np.array(places))

    def _some(self, places: np.ndarray) -> "KeptRows":
        return self._replace(
            X=self.X[places], weight=self.weight[places], held_out=self.held_out[:, places]
        )

    def _random(self) -> np.random.RandomState:
        return np.random.RandomState((self.seed + self.n_seen) % 2**32)


def n_kept(half_life: float) -> int:
    """Return how many rows are kept, at most: those that count as much as all with their weights.

    The weights that halve after a half-life sum up to as many.
    """
    return min(_MOST_ROWS, int(np.ceil(half_life / np.log(2))))


class OutlierStream(OutlierScores):
    """What a detector learns from rows that come after others."""

    half_life: Any
    _kept: KeptRows
    _fit: Callable[..., Self]

    def _keep_rows(self, X, weight: np.ndarray, held_out: np.ndarray, seed: int) -> None:
        """Keep what `partial_fit` goes on from."""
        self.__dict__.pop("_kept", None)
        if self.half_life is not None:
            self._kept = KeptRows.of(X, weight, held_out, self._folds, self.half_life, seed)

    @available_if(lambda self: self.half_life is not None)
    @_fit_context(prefer_skip_nested_validation=False)
    def partial_fit(self, X, y=None, sample_weight=None) -> Self:
        """Go on with rows that come after others, and forget old ones.

        Each row is held out from one of the autoencoders for good, and the others are trained on it
        for one epoch. What is typical, and with it the threshold and p-values, is then found anew
        from rows that were kept, each by an autoencoder that has never seen it; half of what counts
        is no older than `half_life` rows. Networks forget as fast as training goes on.

        To judge rows by what came before them, call `predict` or `score_p_values` first. The first
        call of all is a `fit`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The next rows, one or more, in the order in which they came.

        y : Ignored
            Not used, present for API consistency by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or X is not what is expected, if the detector was fitted without
            `half_life`, or if its autoencoder has no `partial_fit`.
        """
        with fitting(self, X, y, sample_weight, whole=False):
            return self._go_on(X, y, sample_weight)

    def _go_on(self, X, y, sample_weight):
        if not hasattr(self, "autoencoders_"):
            return self._fit(X, y, sample_weight, None)
        self._check_that_it_can_go_on()
        given = X
        X, weight = check_rows(self, X, sample_weight, reset=False, allow_nan=self._takes_nan())
        refuse_target(self, X, y)
        known_share(X)  # refuses rows without any known value
        counts = np.flatnonzero(weight)
        rows = _safe_indexing(given if hasattr(self, "feature_names_in_") else X, counts)
        X, weight = X[counts], weight[counts]
        held_out = self._folds.to_hold_out(X)
        trained_on = map(np.flatnonzero, ~held_out)
        self.autoencoders_ = [
            self._trained(autoencoder, _safe_indexing(rows, some), weight[some])
            for autoencoder, some in zip(self.autoencoders_, trained_on, strict=True)
        ]
        self._kept = kept = self._kept.then(X, weight, held_out, self.half_life)
        self._folds = kept.folds.joined(kept.X, kept.held_out).joined(X, held_out)
        self._calibrate(kept.X, kept.weight, kept.held_out, kept.seed)
        return self

    def _check_that_it_can_go_on(self) -> None:
        if not hasattr(self, "_kept"):
            raise ValueError(
                f"half_life={self.half_life!r} was set after fit, which has kept no rows to go on "
                "from. Fit again, or call partial_fit from the first rows on."
            )
        if not hasattr(self.autoencoders_[0], "partial_fit"):
            raise ValueError(
                f"partial_fit goes on training autoencoder={self.autoencoder!r}, which has no "
                "partial_fit. Give one that has it, or fit again."
            )

    def _trained(self, autoencoder, rows, weight: np.ndarray):
        """Return a copy of an autoencoder that is trained on rows, if there are any."""
        if not len(weight):
            return autoencoder
        result = deepcopy(autoencoder)
        result.__dict__.update(_solver_state_of(autoencoder))
        if hasattr(self, "feature_names_in_"):
            result.feature_names_in_ = self.feature_names_in_
        result.partial_fit(rows, sample_weight=weight)
        # Columns are checked here, as in fit.
        vars(result).pop("feature_names_in_", None)
        return result

    def __getstate__(self):
        state = super().__getstate__()
        if "_kept" in state:  # and so the stream goes on
            state["_solver_states"] = [_solver_state_of(one) for one in self.autoencoders_]
        return state

    def __setstate__(self, state):
        states = state.pop("_solver_states", [])
        super().__setstate__(state)
        for autoencoder, solver_state in zip(state.get("autoencoders_", []), states, strict=False):
            autoencoder.__dict__.update(solver_state)


def _solver_state_of(autoencoder) -> dict[str, Any]:
    """Return the moments of an autoencoder's solver, which its own copies and pickles leave out."""
    return {name: v for name, v in vars(autoencoder).items() if name == "_solver_state"}
