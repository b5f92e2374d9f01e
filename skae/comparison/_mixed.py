"""Tables of numbers, categories and dates in a comparison: one matrix for all methods.

It is that of a `TableEncoder` fitted to the training rows. Behind it rows are arrays, as they are
in any comparison; what a method rebuilds is measured by the columns of the table.
"""

import warnings
from typing import Any, NamedTuple

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import _safe_indexing, check_array

from skae._frames import layout_of, library_of, read
from skae._table_scores import NO_ERROR, share, summed_errors
from skae.comparison._refusals import RowKind, says_it_takes_holes, takes_tables
from skae.exceptions import UnknownCategoryWarning

# The column of a comparison that has the R² of the columns of a kind.
SCORES = {"number": "numbers_r2", "category": "categories_r2", "date": "dates_r2"}

FILLED = "holes: the means of columns and the frequencies of levels in their place"


class Contents(NamedTuple):
    """What the columns of a table hold."""

    kinds: dict  # from the name of a column to "number", "category" or "date"
    missing: np.ndarray  # (n_rows, n_columns)


class Given(NamedTuple):
    """What a method is given of a table."""

    X_train: Any
    X_test: Any
    kind: RowKind
    steps: list  # of a pipeline, that make it of the table
    notes: list


def contents_of(X):
    """Return what the columns of a table hold; raise an error that names one of no kind."""
    table = read(X, layout_of(X, "from_dtype"))
    kinds = {values.name: values.kind for values in table}
    return Contents(kinds, np.column_stack([np.isnan(values.numbers) for values in table]))


class MixedTable:
    """The training and the test rows of a table, as they are and as a matrix.

    Parameters
    ----------
    X : DataFrame of shape (n_samples, n_columns)
    contents : Contents
    train, test : ndarray of int
        The positions of rows.
    """

    def __init__(self, X, contents, train, test):
        from skae._table_encoder import TableEncoder

        self.kinds = contents.kinds
        self.X_train, self.X_test = _safe_indexing(X, train), _safe_indexing(X, test)
        # Named, so that they are categories in the training rows, too, however few those are.
        categories = [name for name, kind in self.kinds.items() if kind == "category"]
        self.encoder = TableEncoder(categories).fit(self.X_train)
        self.matrix_train = _encode(self.encoder, self.X_train)
        self.matrix_test = _encode(self.encoder, self.X_test)
        errors = self.encoder.column_errors(self.matrix_test, self.matrix_test)
        self.n_unknown = int((np.isnan(errors) & ~contents.missing[test]).sum())
        self.has_holes = any(np.isnan(X).any() for X in (self.matrix_train, self.matrix_test))
        self.scores = self._scores()

    def given_to(self, estimator):
        """Return the rows for a method: the table, or the matrix, without holes if need be."""
        as_it_is = RowKind(has_holes=self.has_holes, is_sparse=False)
        if takes_tables(estimator):
            return Given(self.X_train, self.X_test, as_it_is, [], [])
        steps = [("table", self.encoder)]
        if says_it_takes_holes(estimator):
            return Given(self.matrix_train, self.matrix_test, as_it_is, steps, [])
        filler = FunctionTransformer(np.nan_to_num, feature_names_out="one-to-one")
        X_train, X_test = np.nan_to_num(self.matrix_train), self.without_holes()
        notes = [FILLED] if self.has_holes else []
        kind = RowKind(has_holes=False, is_sparse=False)
        return Given(X_train, X_test, kind, [*steps, ("holes", filler)], notes)

    def without_holes(self):
        """Return the matrix of the test rows with means and frequencies for missing values."""
        return np.nan_to_num(self.matrix_test)

    def _scores(self):
        """Return the columns of a comparison for the kinds that vary, if there are several."""
        constant = self._errors(self.encoder, self.matrix_test, self.matrix_test)[1]
        varying = {kind for kind, one in zip(self.kinds.values(), constant, strict=True) if one}
        return [SCORES[kind] for kind in SCORES if kind in varying] if len(varying) > 1 else []

    def settings(self):
        """Return what is told of the columns: their kinds, and levels of no training row."""
        kinds = {str(name): kind for name, kind in self.kinds.items()}
        return {"kinds": kinds, "n_unknown": self.n_unknown}

    def score(self, encoder, rebuilt):
        """Return the shares of the test rows, and of their columns of each kind, explained.

        `rebuilt` is the matrix of an encoder (None is that of this table), or a table.
        """
        encoder = encoder or self.encoder
        matrix = _encode(encoder, self.X_test)
        if self._is_table(rebuilt):
            rebuilt = _encode(encoder, rebuilt)
        rebuilt = check_array(rebuilt, input_name="the reconstruction")
        if rebuilt.shape != matrix.shape:
            raise ValueError(
                f"the reconstruction has shape {rebuilt.shape}, but the matrix of the table has "
                f"{matrix.shape}"
            )
        errors, constant = self._errors(encoder, matrix, rebuilt)
        kinds = np.array(list(self.kinds.values()))
        parts = {name: kinds == kind for kind, name in SCORES.items() if name in self.scores}
        parts["reconstruction_r2"] = np.full(len(kinds), True)
        return {name: share(errors[of].sum(), constant[of].sum()) for name, of in parts.items()}

    def _is_table(self, X):
        """Tell whether rows are a table like this one, and not a matrix of it."""
        if library_of(X) != "numpy":
            return set(X.columns) == set(self.kinds)
        return np.asarray(X).dtype.kind in "OUSbM"

    def _errors(self, encoder, matrix, rebuilt):
        """Return the errors of columns, and those of their means and frequencies; 0 is rounding."""
        errors, constant = summed_errors(encoder, matrix, rebuilt, np.ones(len(matrix)))
        return errors, np.where(constant > NO_ERROR, constant, 0.0)


def ends_of(estimator):
    """Return the encoder that a fitted method has of its own, if any, and what is behind it.

    What is behind gives back the encoder's matrix, where levels have probabilities, and no table.
    """
    from skae._table_encoder import TableEncoder
    from skae._tables import TableAutoencoderTransformer

    if isinstance(estimator, TableAutoencoderTransformer):
        return estimator.encoder_, estimator.autoencoder_
    is_pipeline = isinstance(estimator, Pipeline) and len(estimator) > 1
    if is_pipeline and isinstance(estimator[0], TableEncoder):
        return estimator[0], estimator[1:]
    return None, estimator


def as_pipeline(estimator, steps):
    """Return a fitted method behind the steps that make its rows of a table."""
    return Pipeline([*steps, ("method", estimator)]) if steps else estimator


def _encode(encoder, X):
    """Return the matrix of rows, in which levels that are new count as missing without a word."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnknownCategoryWarning)
        return np.asarray(encoder.transform(X))  # whatever the user's output is set to
