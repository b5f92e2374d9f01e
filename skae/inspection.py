"""What codes are made of, and what makes rows unusual.

Codes are made of columns by the derivatives between the two, averaged over rows. The answer of PCA
to "which columns is axis 1 made of?" is its loadings. Those of a nonlinear method differ from row
to row; their mean says the same, and their spread where the mean hides a curve.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import OneToOneFeatureMixin
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from ._explanations import OutlierExplanation
from ._frames import like
from ._rows import places_among
from ._table_estimators import codes_of, encoder_of
from ._table_explanations import of_table

__all__ = ["Loadings", "explain_outliers", "loadings"]

_DIRECTIONS = ("decoder", "encoder")
_STEP = 1e-3  # of a difference, in standard deviations
_VALUES_AT_ONCE = 2**22


@dataclass(frozen=True, eq=False)
class Loadings:
    """How codes and columns change with one another, on average over rows.

    Parameters
    ----------
    mean : ndarray of shape (n_components, n_features)
        Of the decoder, by how many of its units a column changes with one unit of a code; of the
        encoder, by how much a code changes with one unit of a column.

    spread : ndarray of shape (n_components, n_features)
        The standard deviation over rows. Where it is larger than the mean, a straight line says
        little: `skae.plotting.CodeEffectsDisplay` shows the curve.

    code_deviation : ndarray of shape (n_components,)
        Standard deviation of each code.

    column_deviation : ndarray of shape (n_features,)
        Standard deviation of each column.

    columns : list
        Names of the columns; numbers where they have none.

    direction : {"decoder", "encoder"}
        Whose derivatives they are.

    See Also
    --------
    loadings : What makes them.
    skae.plotting.LoadingsDisplay : The strongest of them, as a figure.
    """

    mean: np.ndarray
    spread: np.ndarray
    code_deviation: np.ndarray
    column_deviation: np.ndarray
    columns: list[Any]
    direction: str

    @property
    def standardized(self) -> np.ndarray:
        """The means in standard deviations of codes and columns, (n_components, n_features).

        Columns of different units can be compared by them, and codes of different ranges. A column
        that is constant has 0.
        """
        return self.mean * self._units

    @property
    def standardized_spread(self) -> np.ndarray:
        """The spread in standard deviations of codes and columns, (n_components, n_features)."""
        return self.spread * self._units

    @property
    def _units(self) -> np.ndarray:
        """What derivatives are multiplied by, (n_components, n_features)."""
        codes, columns = self.code_deviation[:, None], self.column_deviation[None]
        above, below = (codes, columns) if self.direction == "decoder" else (columns, codes)
        return np.divide(above, below, out=np.zeros_like(self.mean), where=below > 0)

    def strongest(self, code: int, n_columns: int = 5) -> list[tuple[Any, float]]:
        """Return the columns that go most with a code, with their standardized means.

        Parameters
        ----------
        code : int
            Its number, from 0.

        n_columns : int, default=5
            How many, at most.

        Returns
        -------
        list of (name, float)
            The strongest first, whatever the sign.
        """
        values = self.standardized[code]
        return [(self.columns[i], float(values[i])) for i in strongest(values, n_columns)]


def strongest(values: np.ndarray, n_shown: int) -> np.ndarray:
    """Return where the largest of some numbers are, the largest first, whatever their sign."""
    return np.argsort(-np.abs(values), kind="stable")[:n_shown]


def loadings(estimator, X, *, direction="decoder", max_samples=1000) -> Loadings:
    """Return which columns codes are made of: mean derivatives, and how they differ between rows.

    For `sklearn.decomposition.PCA` they are ``components_``, in both directions and for all rows
    alike. For a pipeline the derivatives go through all of its steps, so they are in the units of
    its input.

    Parameters
    ----------
    estimator : estimator
        Fitted, with `transform` and, for the decoder, `inverse_transform`: an autoencoder, PCA, a
        pipeline of such steps, or a search over them. Of a `TableAutoencoderTransformer` or a
        pipeline that begins with a `TableEncoder`, columns are those of the encoder's matrix.

    X : {DataFrame, array-like, sparse matrix} of shape (n_samples, n_features)
        Rows at whose codes derivatives are taken. Those of the encoder by a column are taken at the
        rows that have a value there.

    direction : {"decoder", "encoder"}, default="decoder"
        "decoder": how the rebuilt columns change with each code, the others held. "encoder": how
        each code changes with the columns. The two tell different things where columns go
        together: all of them follow a code, though it may be computed from a few.

    max_samples : int, default=1000
        Of more rows than these, some at even steps are taken.

    Returns
    -------
    loadings : Loadings
        Means and spreads, of shape (n_components, n_features).

    Raises
    ------
    TypeError
        If the estimator has no way to codes, or back from them.
    ValueError
        If a parameter is out of its range, or columns of words are to be changed by a little.

    See Also
    --------
    skae.plotting.LoadingsDisplay : The strongest of them, as a figure.
    skae.plotting.CodeEffectsDisplay : What columns do all along each code.

    Notes
    -----
    Derivatives are central differences, a thousandth of a standard deviation to both sides, in
    double precision. So nothing has to be known of the estimator, and of one that is smooth they
    are right to some six digits.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skae.inspection import loadings
    >>> X = load_wine(as_frame=True).data
    >>> pca = make_pipeline(StandardScaler(), PCA(2)).fit(X)
    >>> for name, value in loadings(pca, X).strongest(0, 3):
    ...     print(f"{name} {value:.2f}")
    flavanoids 0.92
    total_phenols 0.86
    od280/od315_of_diluted_wines 0.82
    """
    if direction not in _DIRECTIONS:
        raise ValueError(f"direction={direction!r}, but it is one of {_DIRECTIONS}.")
    if not max_samples >= 1:
        raise ValueError(f"max_samples={max_samples}, but some rows are needed: 1 or more.")
    if direction == "encoder":
        codes, function, rows, columns = _encoder_of(estimator, X)
        start = rows
    else:
        codes, decode, X, encoder = codes_of(estimator, X)
        rows = _numbers(X) if encoder is None else encoder.transform(X)
        columns = _names(X, rows) if encoder is None else [*encoder.get_feature_names_out()]
        function, start = decode, np.asarray(codes, dtype=np.float64)
    some = start[places_among(len(start), int(max_samples))]
    mean, spread = _derivatives(function, some, np.nanstd(start, axis=0))
    if direction == "encoder":
        mean, spread = mean.T, spread.T
    deviations = codes.std(axis=0), np.nanstd(rows, axis=0)
    return Loadings(mean, spread, *deviations, columns, direction)


def _encoder_of(estimator, X) -> tuple[np.ndarray, Callable, np.ndarray, list]:
    """Return codes, the way to them from rows of numbers, these rows, and names of columns."""
    if not hasattr(estimator, "transform"):
        raise TypeError(f"{type(estimator).__name__} has no transform, so there are no codes.")
    rows = _numbers(X)

    def encode(rows):
        return np.asarray(estimator.transform(like(X, rows)), dtype=np.float64)

    return encode(rows), encode, rows, _names(X, rows)


def _numbers(X) -> np.ndarray:
    """Return rows as an array in double precision, holes as NaN."""
    try:
        return check_array(
            X.toarray() if issparse(X) else X, dtype=np.float64, ensure_all_finite="allow-nan"
        )
    except ValueError as error:
        raise ValueError(
            f"Derivatives are those of columns of numbers: {error} Of a table with other columns, "
            "those of the decoder are known if the estimator takes the table as it is."
        ) from error


def _names(X, rows: np.ndarray) -> list:
    return list(getattr(X, "columns", range(rows.shape[1])))


def _derivatives(function: Callable, start: np.ndarray, deviation: np.ndarray):
    """Return mean and deviation over rows of a function's derivatives, (n_in, n_out) each.

    A hole can't be moved, so that its row does not count.
    """
    is_hole = np.isnan(start)
    deviation = np.where(np.isfinite(deviation) & (deviation > 0), deviation, 1.0)
    means, spreads = [], []
    n_out = np.asarray(function(start[:1])).shape[1]
    n_at_once = max(1, _VALUES_AT_ONCE // (len(start) * max(n_out, start.shape[1])) // 2)
    for first in range(0, start.shape[1], n_at_once):
        which = range(first, min(first + n_at_once, start.shape[1]))
        moved = np.tile(start, (2 * len(which), 1, 1))  # (2 * n_which, n_rows, n_in)
        for place, i in enumerate(which):
            moved[2 * place, :, i] += _STEP * deviation[i]
            moved[2 * place + 1, :, i] -= _STEP * deviation[i]
        ends = np.asarray(function(moved.reshape(-1, start.shape[1])), dtype=np.float64)
        ends = ends.reshape(len(which), 2, len(start), n_out)
        width = 2 * _STEP * deviation[list(which)]
        slopes = (ends[:, 0] - ends[:, 1]) / width[:, None, None]  # (n_which, n_rows, n_out)
        if is_hole.any():
            holes = np.broadcast_to(is_hole.T[list(which), :, None], slopes.shape)
            slopes = np.ma.masked_array(slopes, holes)
        means.append(np.ma.filled(slopes.mean(axis=1), np.nan))
        spreads.append(np.ma.filled(slopes.std(axis=1), np.nan))
    return np.concatenate(means), np.concatenate(spreads)


def explain_outliers(estimator, X) -> OutlierExplanation:
    """Tell what makes rows unusual, by the columns and in the units that they have in X.

    Parameters
    ----------
    estimator : AutoencoderOutlierDetector or Pipeline
        Fitted: a detector, or a pipeline that ends in one. Behind a `TableEncoder`, columns are
        those of the table: a category is one column. Behind steps that change each column by
        itself and back, as a `sklearn.preprocessing.StandardScaler` does, they are those of X.
        Behind others they are what the detector sees.

    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Rows as the estimator takes them, such as those that `predict` calls outliers.

    Returns
    -------
    OutlierExplanation
        What each view says, what each column contributes, and what was expected: of a table the
        level of a category, a number in its units, a date.

    Raises
    ------
    TypeError
        If the estimator, or the last step of a pipeline, explains no rows.
    ValueError
        If X is not what is expected, or the detector's criterion is not "combined".

    See Also
    --------
    skae.AutoencoderOutlierDetector.explain : The same for a detector alone.
    skae.plotting.OutlierDisplay : The most unusual rows, as a figure.

    Examples
    --------
    >>> import pandas
    >>> from sklearn.pipeline import make_pipeline
    >>> from skae import AutoencoderOutlierDetector, TableEncoder
    >>> from skae.inspection import explain_outliers
    >>> table = pandas.DataFrame({"size": [1, 2, 8, 9] * 25, "name": [*"SSLL"] * 25})
    >>> table.loc[[7, 30], "name"] = "S", "L"
    >>> finding = make_pipeline(TableEncoder(), AutoencoderOutlierDetector(random_state=0))
    >>> why = explain_outliers(finding.fit(table), table.loc[[7]])
    >>> why.rows(1)[0]["column"]
    'name'
    """
    check_is_fitted(estimator)
    estimator = getattr(estimator, "best_estimator_", estimator)
    steps = [step for _, step in estimator.steps] if isinstance(estimator, Pipeline) else []
    *before, detector = [one for one in steps if one not in (None, "passthrough")] or [estimator]
    if not hasattr(detector, "explain"):
        raise TypeError(
            f"{type(detector).__name__} has no explain; give an AutoencoderOutlierDetector, or a "
            "pipeline that ends in one."
        )
    inputs = [X]
    for step in before:
        inputs.append(step.transform(inputs[-1]))
    explanation = detector.explain(inputs.pop())
    encoder = encoder_of(estimator) if before else None
    changed = before if encoder is None else before[1:]
    if not all(_is_reversible(step) for step in changed):
        return explanation
    expected = explanation.expected
    for step, given in zip(reversed(changed), reversed(inputs), strict=False):
        expected = np.asarray(step.inverse_transform(like(given, expected)))
    explanation = replace(explanation, expected=expected)
    if encoder is not None:
        return of_table(explanation, encoder, X)
    if not changed:
        return explanation
    rows = _numbers(X)
    names = np.array(getattr(X, "columns", explanation.feature_names), dtype=object)
    return replace(explanation, values=rows, feature_names=names)


def _is_reversible(step) -> bool:
    """Whether a step changes each column by itself, and back."""
    return isinstance(step, OneToOneFeatureMixin) and hasattr(step, "inverse_transform")
