"""What fitted autoencoders do with rows: encode, decode, and tell how well they know them."""

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils import column_or_1d
from sklearn.utils._set_output import _get_container_adapter
from sklearn.utils.validation import (
    _check_feature_names_in,
    _check_sample_weight,
    check_is_fitted,
)

from ._checked_rows import checked_codes, target_of, validated_rows
from ._contract import TransformerMixin
from ._rows import Units, beside, dense_chunks, fill_holes, has_holes, mean_and_scale, padded
from ._sources import RowSource, all_rows
from ._training import apply
from ._warnings import warn
from .nn import as_encoded


class ReconstructionMixin(TransformerMixin):
    """The methods of an estimator that has fitted an autoencoder.

    They need its parameters `device`, `missing` and `penalty`, and what its fit sets: ``module_``
    with an encoder and a decoder, ``mean_``, ``scale_`` and ``_n_features_out``.
    """

    _reads_sources = True  # rows of a source, a few at a time

    def transform(self, X) -> np.ndarray:
        """Encode rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training rows. With ``missing="mask"`` they may have
            missing values, which are encoded as the means of their columns; with "flag", beside
            flags that say so.

        Returns
        -------
        ndarray of shape (n_samples, n_components)
            Codes, in units of ``scale_``, in the dtype of X (float32 or float64).
        """
        check_is_fitted(self)
        return encoded(self, self._validate_rows(X))

    def inverse_transform(self, X) -> np.ndarray:
        """Decode codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Codes as `transform` returns them. Ordered codes may be cut: the columns that are
            left out count as zero.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Reconstructed rows in the units of the training rows.

        Raises
        ------
        ValueError
            If X has another number of columns than there are components.
        """
        check_is_fitted(self)
        X, n_codes = checked_codes(X), self._n_features_out
        if hasattr(self, "explained_variance_ratio_") and X.shape[1] < n_codes:
            X = padded(X, n_codes)
        if X.shape[1] != n_codes:
            raise ValueError(
                f"X has {X.shape[1]} features, but {type(self).__name__}.inverse_transform "
                f"expects codes with {n_codes}, as transform returns them."
            )
        return decoded(self, X)

    def impute(self, X) -> np.ndarray:
        """Fill missing values from the reconstruction.

        A hole is the mean of its column on the way into the network, as in training, and what
        the network reconstructs there is what it is filled with. Train with
        ``noise="masking"``: it teaches the network to tell a value from the others.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows in the units of the training rows; NaN is a missing value.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            X with a number for each missing value; all others are left as they are. A DataFrame
            if `set_output` says so.

        Raises
        ------
        ValueError
            If ``missing="error"``: the autoencoder then takes no missing values.
        TypeError
            If X is sparse.
        """
        check_is_fitted(self)
        given, X = X, holes_to_fill(self, X)
        missing = np.isnan(X)
        rebuilt = self._apply(_rebuild, X, after=Units(self.mean_, self.scale_).restore)
        return in_columns(self, np.where(missing, rebuilt, X), given)

    def score(self, X, y=None, sample_weight=None) -> float:
        """Return the share of the variance of X that its reconstruction explains.

        The same number for `sklearn.decomposition.PCA` is
        ``explained_variance_ratio_.sum()`` on the training rows, and
        `skae.metrics.reconstruction_r2` for any other transformer and any rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training rows, at least two. Missing values count neither
            as variance nor as error.

        y : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            What the rows should be rebuilt as, as in `fit`; the share is then that of y. Anything
            else that is not numbers in the shape of X is ignored.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative.

        Returns
        -------
        float
            R², at most 1 (a perfect reconstruction); 0 is as good as the mean of X.
        """
        check_is_fitted(self)
        X = self._validate_rows(X)
        target = target_of(X, y, allow_nan=self.missing != "error")
        pairs = X if target is None else beside(X, target)
        errors = self._apply(_squared_error, pairs)[:, 0]
        errors = errors.astype(np.float64)
        errors *= self.scale_**2
        return explained_share(errors, X if target is None else target, sample_weight)

    def score_samples(self, X) -> np.ndarray:
        """Return the negative squared error of each row's reconstruction.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Minus the sum over columns of the squared error, in the squared units of X; the
            lowest belong to the rows that the autoencoder knows least. The known values of a row
            count for its missing ones, each for as many more.

        Raises
        ------
        ValueError
            If X is not what is expected, or a row has no known value.
        """
        errors = self.reconstruction_error(X)
        return -errors / known_share(self._validate_rows(X))

    def reconstruction_error(self, X, *, per_feature=False) -> np.ndarray:
        """Return the squared error of each row's reconstruction, or of each of its values.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training rows.

        per_feature : bool or array-like of shape (n_features,), default=False
            Whether to return the error of each value, which tells the columns that make a row
            unusual, instead of their sum. Names of where the columns come from, such as that of the
            column that some of them encode as 0 and 1, sum them by these, in order of appearance.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_features)
            Squared errors, in the squared units of X. That of a missing value is 0. In the dtype
            of X, or float64 where float32 does not reach as far as the squares. Those of columns
            are a DataFrame if `set_output` says so.
        """
        check_is_fitted(self)
        given, X = X, self._validate_rows(X)
        errors = self._apply(
            _squared_error if per_feature is False else _squared_errors,
            X,
            after=lambda error: error.astype(np.float64) * self.scale_**2,
            result_dtype=dtype_of_squares(X, self.scale_),
        )
        return errors[:, 0] if per_feature is False else by_column(self, errors, given, per_feature)

    def _validate_rows(self, X):
        return validated_rows(self, X, reset=False, allow_nan=self.missing != "error")

    def _apply(self, function, X, **steps):
        """Apply a part of the network to rows, which are standardized before."""
        before = Units(self.mean_, self.scale_).standardize
        return apply(function, self.module_, X, device=self.device, before=before, **steps)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = self.missing != "error"
        several = self.penalty if isinstance(self.penalty, list | tuple) else [self.penalty]
        tags.target_tags.required = any(getattr(part, "needs_labels", False) for part in several)
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class ColumnsOut:
    """`set_output` for estimators that do not transform, but have values of columns to return."""

    def set_output(self, *, transform=None):
        """Choose what errors by column come in.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            "default" is an array. None changes nothing.

        Returns
        -------
        self : object
            The estimator itself.
        """
        if transform is not None:
            self._sklearn_output_config = {"transform": transform}
        return self


def in_columns(estimator, values, X, names=None):
    """Return values of the columns of X, or of other names, as `set_output` asks for them."""
    adapter = _get_container_adapter("transform", estimator)
    if adapter is None:
        return values
    names = _check_feature_names_in(estimator) if names is None else np.array(names, dtype=object)
    return adapter.create_container(values, X, columns=names)


def by_column(estimator, errors, X, per_feature):
    """Return the errors of the columns of X, or their sums by where the columns come from."""
    if per_feature is True:
        return in_columns(estimator, errors, X)
    sources = column_or_1d(per_feature)
    if len(sources) != errors.shape[1]:
        raise ValueError(
            f"per_feature has {len(sources)} names, but X has {errors.shape[1]} columns; give "
            "True, or for each column the name of where it comes from."
        )
    names = list(dict.fromkeys(sources.tolist()))
    belongs = np.array([[source == name for name in names] for source in sources.tolist()])
    return in_columns(estimator, errors @ belongs.astype(errors.dtype), X, names)


def holes_to_fill(estimator, X):
    """Return rows whose missing values shall be filled, if that can be done."""
    if estimator.missing == "error":
        raise ValueError(
            f"missing={estimator.missing!r}, but impute needs an autoencoder that knows of missing "
            "values. Fit one with missing='mask'."
        )
    refuse_sparse(X, "impute")
    return validated_rows(estimator, X, reset=False, allow_nan=True)


def dtype_of_squares(X, scale):
    """Return the dtype of X, or float64 where squares of some thousand scales are too large."""
    return X.dtype if (1e4 * scale) ** 2 < float(np.finfo(X.dtype).max) else np.float64


def refuse_sparse(X, who):
    """Raise an error if X is sparse, whose missing values are zeros and no holes."""
    if sp.issparse(X):
        raise TypeError(f"X is sparse, but {who} takes dense rows: give X.toarray().")


def known_share(X):
    """Return the share of the values of each row that are not missing; refuse rows without any."""
    share = np.ones(X.shape[0])
    if isinstance(X, RowSource) and has_holes(X):
        for chunk, rows in dense_chunks(X, None):
            share[chunk] = 1 - np.isnan(rows).mean(axis=1)
    elif not sp.issparse(X) and not isinstance(X, RowSource):
        share = 1 - np.isnan(X).mean(axis=1)
    empty = np.flatnonzero(share == 0)
    if len(empty):
        raise ValueError(
            f"X has no known value in row {empty[0]}, so nothing tells how unusual it is. "
            "Leave such rows out."
        )
    return share


def encoded(estimator, X):
    """Return the codes of validated rows, by the encoder of a fitted network."""
    return apply(
        _encode if estimator.missing == "error" else _encode_with_holes,
        estimator.module_,
        X,
        device=estimator.device,
        before=Units(estimator.mean_, estimator.scale_).standardize,
    )


def decoded(estimator, codes):
    """Return the rows that validated codes stand for, by the decoder of a fitted network."""
    module, device = estimator.module_, estimator.device
    if module.decoder.activation is not None:
        return apply(_decode, module, codes, device=device)
    restore = Units(estimator.mean_, estimator.scale_).restore
    return apply(_decode_standardized, module, codes, device=device, after=restore)


def explained_share(errors, X, sample_weight):
    """Return the R² of rows from their squared errors, as `score` does, and for it."""
    weight = np.broadcast_to(1.0, X.shape[:1])
    if sample_weight is not None:
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    if X.shape[0] < 2:
        warn(
            "R² is not defined for a single row, which has no variance.",
            UndefinedMetricWarning,
        )
        return float("nan")
    everyone = all_rows(X)
    if has_holes(X):
        X = fill_holes(X, mean_and_scale(X, everyone, weight)[0])
    _, scale = mean_and_scale(X, everyone, weight)
    variance = scale**2 * X.shape[1]
    error = float(np.average(errors, weights=weight))
    if variance == 0:
        return float(np.isclose(error, 0))
    return 1 - error / variance


def _encode(network, Z):
    return network.encoder.from_standardized(Z)


def _encode_with_holes(network, Z):
    return _encode(network, _as_encoded(network, Z))


def _decode(network, code):
    return network.decoder(code)


def _decode_standardized(network, code):
    return network.decoder.body(code)


def _rebuild(network, Z):
    return network(_as_encoded(network, Z)).reconstruction


def _squared_errors(network, Z):
    n_features = len(network.encoder.standardize.mean)
    target = Z[:, -n_features:]  # beside the rows, or themselves
    errors = (_rebuild(network, Z[:, :n_features]) - target).square()
    return errors.masked_fill(target.isnan(), 0.0) if _has_nan(target) else errors


def _squared_error(network, Z):
    return _squared_errors(network, Z).sum(dim=1, keepdim=True)


def _as_encoded(network, Z):
    """Return standardized rows as the encoder takes them, which knows what stands for a hole."""
    return as_encoded(network.encoder, Z) if _has_nan(Z) else Z


def _has_nan(Z):
    """Whether there are missing values, by what costs a tenth of looking at each."""
    return bool(Z.sum().isnan())
