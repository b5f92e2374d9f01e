"""Rows as they are given: scikit-learn's validation, with the ways out that skae knows."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.utils import check_array
from sklearn.utils.validation import (
    _check_feature_names,
    _check_n_features,
    _check_sample_weight,
    validate_data,
)

from ._rows import canonical
from ._sources import RowSource, source_of
from .nn import read_image_shape

DTYPES = [np.float64, np.float32]  # that are kept; others become the first


def validated_rows(estimator: BaseEstimator, X, *, reset: bool, allow_nan: bool = False, **how):
    """Return rows, dense or sparse, as scikit-learn's validation does.

    What is read from elsewhere is an array if it fits into memory, else a source, which estimators
    that have ``_reads_sources`` know what to do with.
    """
    source = source_of(X)
    if source is None:
        _refuse_unopened(X)
    if source is not None and not (isinstance(X, np.ndarray) and source.fits):
        return _rows_of_source(estimator, source, reset=reset, allow_nan=allow_nan, **how)
    with says_way_out(X, estimator):
        return validate_data(
            estimator,
            X,
            accept_sparse="csr",
            dtype=DTYPES,
            reset=reset,
            ensure_all_finite="allow-nan" if allow_nan and not sp.issparse(X) else True,
            **how,
        )


def _refuse_unopened(X) -> None:
    """Raise an error for what `open_rows` makes rows of: a path, or a sequence of chunks."""
    if isinstance(X, str | os.PathLike):
        raise ValueError(
            f"X is the path {os.fspath(X)!r}; open it as rows: skae.datasets.open_rows(X)."
        )
    if isinstance(X, Sequence) and not hasattr(X, "shape"):
        if len(X) and getattr(X[0], "ndim", 0) == 2:
            raise ValueError(
                f"X is a {type(X).__name__} of {len(X)} arrays with rows and columns. If these are "
                "chunks of rows, open them: skae.datasets.open_rows(X). If each is a sample, make "
                "it a row: np.reshape(X, (len(X), -1))."
            )
    elif _is_sequence(X):
        raise ValueError(
            f"X is {type(X).__name__}, which has a length and items but is no array. If the items "
            "are chunks of rows, open it: skae.datasets.open_rows(X). Else give an array: "
            "numpy.array([X[i] for i in range(len(X))])."
        )


def _is_sequence(X) -> bool:
    """Whether this has items by their numbers, and nothing that makes an array of it."""
    has_items = hasattr(X, "__len__") and hasattr(X, "__getitem__")
    arrays = ("shape", "dtype", "columns", "__array__", "__array_interface__", "__dlpack__")
    return has_items and not isinstance(X, Mapping) and not any(hasattr(X, a) for a in arrays)


def _rows_of_source(estimator, source: RowSource, *, reset: bool, allow_nan: bool, **how):
    """Return the rows of a source, as an array if all of them may be in memory."""
    who = type(estimator).__name__
    if not getattr(estimator, "_reads_sources", False):
        source.refuse_whole(f"be fitted or given to {who}")
    _check_feature_names(estimator, source.header, reset=reset)
    _check_n_features(estimator, source, reset=reset)
    with says_way_out(source, estimator):
        if not source.fits:
            source.check(allow_nan=allow_nan)
            return source
        finite = "allow-nan" if allow_nan else True
        return check_array(np.asarray(source), dtype=DTYPES, ensure_all_finite=finite, **how)


def checked_codes(X):
    """Return codes as an array, or as the source that they are too many for."""
    source = source_of(X)
    if source is None:
        _refuse_unopened(X)
    if source is not None and not source.fits:
        source.check(allow_nan=False)
        return source
    with says_way_out(X):
        X = X if source is None or isinstance(X, np.ndarray) else np.asarray(source)
        return check_array(X, dtype=DTYPES, input_name="X")


@contextmanager
def says_way_out(X, estimator: BaseEstimator | None = None) -> Iterator[None]:
    """Say in an error of scikit-learn what to do with an estimator of skae.

    With an array that is no table, with words, and with missing values.
    """
    try:
        yield
    except ValueError as error:
        message, *_ = str(error).split("\n")
        inner = getattr(estimator, "autoencoder", None)
        missing = getattr(estimator, "missing", getattr(inner, "missing", None))
        if "contains NaN" in message and missing is not None:
            where = "missing" if inner is None else "autoencoder__missing"
            way_out = f"With {where}='mask' it takes missing values, and learns from the others."
            if missing != "error":
                way_out = "It takes missing values in dense rows: X.toarray()."
            raise ValueError(f"{message}\n{type(estimator).__name__}: {way_out}") from error
        if message.startswith("could not convert string to float"):
            name = "..." if estimator is None else f"{type(estimator).__name__}(...)"
            raise ValueError(
                f"{message}\nX has words, as tables do. Put a TableEncoder before it: "
                f"make_pipeline(TableEncoder(), {name})."
            ) from error
        if not message.startswith("Found array with dim"):
            raise
        shape = np.shape(X)
        advice = f"X has shape {shape}; make each of its {shape[0]} samples a row: "
        advice += "X.reshape(len(X), -1)"
        if hasattr(estimator, "image_shape"):
            advice += f", and set {_image_shapes(shape[1:])}"
        raise ValueError(f"{error}\n{advice}.") from error


def _image_shapes(shape: tuple[int, ...]) -> str:
    """Return what to set for arrays of samples of a shape."""
    if len(shape) == 2:
        first, last = shape
        image = {"height": first, "width": last}
        return (
            f"image_shape={image} for images of {first} by {last} pixels, "
            f"{{'length': {first}, 'channels': {last}}} for series of {first} times, or "
            f"{{'channels': {first}, 'length': {last}}} for series of {last}"
        )
    if len(shape) != 3:
        return "image_shape to channels, height and width of the images"
    try:
        if read_image_shape(shape).channels in (1, 3, 4):
            return f"image_shape={shape}"
    except ValueError:  # that may be meant in two ways
        pass
    orders = [("channels", "height", "width"), ("height", "width", "channels")]
    return " or ".join(f"image_shape={dict(zip(names, shape, strict=True))}" for names in orders)


def check_rows(estimator: BaseEstimator, X, sample_weight, *, reset: bool, allow_nan: bool = False):
    """Return training rows and their weights as arrays."""
    X = validated_rows(
        estimator,
        X,
        reset=reset,
        allow_nan=allow_nan,
        ensure_min_samples=2 if reset else 1,
    )
    weight = np.broadcast_to(1.0, X.shape[:1])  # which takes no memory
    if sample_weight is not None or not isinstance(X, RowSource):
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    if np.count_nonzero(weight) < min(2, X.shape[0]):
        raise ValueError(
            f"sample_weight is positive for {np.count_nonzero(weight)} of {len(weight)} "
            f"rows, but {type(estimator).__name__} needs at least two rows to fit."
        )
    X = canonical(X)
    if allow_nan and reset and not sp.issparse(X):
        if isinstance(X, RowSource):
            empty = np.flatnonzero(X.survey().n_known == 0)
        else:
            empty = np.flatnonzero(np.isnan(X[weight > 0]).all(axis=0))
        if len(empty):
            raise ValueError(
                f"X has no value in column {empty[0]}, so nothing can be learnt about it. Remove "
                f"the columns without a value: {empty.tolist()}."
            )
    return X, weight


def target_of(X, y, *, allow_nan: bool = False):
    """Return y as the rows that X is to be rebuilt as, if it can only mean that, or None.

    It does if it has the shape of X and holds numbers that are not those of X. Any other y is
    ignored, as scikit-learn's transformers do.
    """
    if isinstance(X, RowSource) or isinstance(y, RowSource):
        _refuse_target_of_source(X, y)
        return None
    try:
        y = y if sp.issparse(y) else np.asarray(y)
    except ValueError:  # lists of different lengths
        return None
    if y.shape != X.shape:
        return None
    if y.dtype.kind not in "biuf":
        return None
    y = check_array(
        y,
        accept_sparse="csr",
        dtype=X.dtype,
        ensure_all_finite="allow-nan" if allow_nan and not sp.issparse(y) else True,
        input_name="y",
    )
    if sp.issparse(X) or sp.issparse(y):
        same = abs(sp.csr_array(X) - sp.csr_array(y)).sum() == 0
    else:
        same = np.array_equal(X, y, equal_nan=True)
    return None if same else y


def _refuse_target_of_source(X, y) -> None:
    """Raise an error if rows of a source are to be rebuilt as others."""
    if getattr(y, "shape", None) == X.shape:
        raise ValueError(
            f"y has the shape of X, {X.shape}, as rows have that others are to be rebuilt as; rows "
            "that are read a block at a time are rebuilt as themselves. Fit such pairs as arrays, "
            "or call partial_fit with some of them at a time."
        )


def refuse_target(estimator: BaseEstimator, X, y) -> None:
    """Raise an error if y is what the rows of X are to be rebuilt as, which is not done here."""
    if target_of(X, y, allow_nan=True) is not None:
        raise ValueError(
            f"y has numbers in the shape of X, {X.shape}, as clean rows to learn from noisy ones "
            f"have, but {type(estimator).__name__} does not learn from pairs. Use "
            "AutoencoderTransformer, or leave y out."
        )
