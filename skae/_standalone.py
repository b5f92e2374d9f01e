"""Methods of fitted estimators as torch modules, with all that stands around the network.

A module takes what the method takes, as a tensor, and returns what the method returns. Rows are
standardized and brought back in double precision, as the estimators do it; the network between is
in single precision. Where a method would refuse a row, the module returns NaN for it.
"""

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn

from ._autoencoder import AutoencoderTransformer
from ._conditions import LabelCondition
from ._imputer import AutoencoderImputer
from ._outliers import AutoencoderOutlierDetector
from ._stacked import StackedAutoencoderClassifier
from ._variational import VariationalAutoencoderTransformer
from ._views import TYPICAL, CodeNeighbors
from .nn import knows_missing


class Network(nn.Module):
    """A fitted encoder and decoder, for rows in double precision."""

    mean: Tensor  # (n_features,)
    scale: Tensor  # ()

    def __init__(self, estimator) -> None:
        super().__init__()
        self.module = copy.deepcopy(estimator.module_).cpu().float().eval()
        self.register_buffer("mean", torch.as_tensor(estimator.mean_, dtype=torch.float64))
        self.register_buffer("scale", torch.as_tensor(estimator.scale_, dtype=torch.float64))
        self.takes_nan = estimator.missing != "error"

    def standardize(self, X: Tensor) -> Tensor:
        """Return standardized rows in single precision, as the encoder takes them."""
        Z = ((X.double() - self.mean) / self.scale).float()
        fills = self.takes_nan and not knows_missing(self.module.encoder)
        return torch.where(Z.isnan(), 0.0, Z) if fills else Z

    def encode(self, X: Tensor) -> Tensor:
        return self.module.encoder.from_standardized(self.standardize(X))

    def decode(self, codes: Tensor) -> Tensor:
        decoder = self.module.decoder
        if decoder.activation is not None:
            return decoder(codes.float())
        return decoder.body(codes.float()).double() * self.scale + self.mean


class Method(nn.Module):
    """A method of an estimator: rows in, and beside them what else it takes.

    ``result`` is what it does with rows that it takes. Rows that are not finite come out as NaN,
    but for missing values where the estimator takes them.
    """

    takes_nan = False

    def forward(self, X: Tensor, y: Tensor | None = None) -> Tensor:
        dtype = X.dtype
        if not X.is_floating_point():  # integers, which are exact in double precision only
            X, dtype = X.double(), torch.float32
        result = self.result(X, y)
        return torch.where(self.is_known(X, y), result, torch.nan).to(dtype)

    def result(self, X: Tensor, y: Tensor | None = None) -> Tensor:
        """Return what the method returns, in any precision."""
        raise NotImplementedError

    def is_known(self, X: Tensor, y: Tensor | None = None) -> Tensor:
        """Return which rows the method takes, (batch, 1)."""
        known = ~X.isinf() if self.takes_nan else X.isfinite()
        return known.all(dim=1, keepdim=True)


class Transform(Method):
    """Codes of rows, or the means of their distributions."""

    def __init__(self, estimator) -> None:
        super().__init__()
        self.network = Network(estimator)
        self.takes_nan = self.network.takes_nan

    def result(self, X: Tensor, y: Tensor | None = None) -> Tensor:
        return self.network.encode(X)


class Condition(nn.Module):
    """What a decoder takes beside the code: nothing, labels as class numbers, or numbers."""

    mean: Tensor  # (n_columns,)
    scale: Tensor  # (n_columns,)

    def __init__(self, estimator) -> None:
        super().__init__()
        self.condition = getattr(estimator, "_condition", None)
        if self.condition is not None and not isinstance(self.condition, LabelCondition):
            self.register_buffer("mean", torch.as_tensor(self.condition.mean))
            self.register_buffer("scale", torch.as_tensor(self.condition.scale))

    def forward(self, codes: Tensor, y: Tensor | None) -> Tensor:
        """Return codes with the columns of their condition after them."""
        if self.condition is None:
            return codes
        assert y is not None
        if isinstance(self.condition, LabelCondition):
            columns = y == torch.arange(len(self.condition.classes))  # (batch, n_classes)
        else:
            columns = (y.double() - self.mean) / self.scale
        return torch.cat([codes.float(), columns.float()], dim=1)

    def is_known(self, y: Tensor | None) -> Tensor | bool:
        """Return which conditions are numbers, or of the classes of the fit, (batch, 1)."""
        if self.condition is None:
            return True
        assert y is not None
        if isinstance(self.condition, LabelCondition):
            return y >= 0
        return y.isfinite().all(dim=1, keepdim=True)


class InverseTransform(Method):
    """Rows from codes."""

    def __init__(self, estimator) -> None:
        super().__init__()
        self.network = Network(estimator)
        self.condition = Condition(estimator)

    def result(self, X: Tensor, y: Tensor | None = None) -> Tensor:
        return self.network.decode(self.condition(X, y))

    def is_known(self, X: Tensor, y: Tensor | None = None) -> Tensor:
        return super().is_known(X) & self.condition.is_known(y)


class Reconstruct(InverseTransform):
    """Rows from their own codes."""

    def __init__(self, estimator) -> None:
        super().__init__(estimator)
        self.takes_nan = self.network.takes_nan

    def result(self, X: Tensor, y: Tensor | None = None) -> Tensor:
        return super().result(self.network.encode(X), y)


class Impute(Method):
    """Rows whose missing values are the mean of their reconstructions by autoencoders."""

    takes_nan = True

    def __init__(self, *autoencoders) -> None:
        super().__init__()
        self.parts = nn.ModuleList([Reconstruct(autoencoder) for autoencoder in autoencoders])
        self.condition = Condition(autoencoders[0])

    def result(self, X: Tensor, y: Tensor | None = None) -> Tensor:
        rebuilt = torch.stack([part(X, y) for part in self.parts]).mean(dim=0)
        return torch.where(X.isnan(), rebuilt, X)

    def is_known(self, X: Tensor, y: Tensor | None = None) -> Tensor:
        return super().is_known(X) & self.condition.is_known(y)


class PredictProba(Method):
    """Probabilities of classes, and before them what is decided by them."""

    def __init__(self, classifier) -> None:
        super().__init__()
        self.network = Network(classifier)
        self.takes_nan = self.network.takes_nan
        self.outputs = classifier._outputs

    def forward(self, X: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        probabilities = super().forward(X)
        return self.outputs.decide(probabilities), probabilities

    def result(self, X: Tensor, y: Tensor | None = None) -> Tensor:
        logits = self.network.module.head(self.network.encode(X))
        return self.outputs.probabilities(logits).clamp(min=torch.finfo(torch.float32).tiny)


class DecisionFunction(Method):
    """How far rows are above the threshold, and before it -1 for outliers and 1 for the others.

    Each row is a new one, which no autoencoder has seen. Those that the detector was fitted to
    would be judged by fewer of them.
    """

    offset: Tensor

    def __init__(self, detector) -> None:
        super().__init__()
        self.takes_nan = detector._takes_nan()
        n_features = detector.n_features_in_
        self.is_combined = detector.criterion == "combined"
        spaces = rows = [None] * len(detector.autoencoders_)
        if self.is_combined:
            spaces, rows = detector._views.neighbors, detector._views.rows
        if detector.criterion == "mahalanobis":
            spaces = detector._code_spaces
        error_scale = np.ones(n_features)
        if detector.criterion != "squared_error":
            error_scale = detector.error_scale_ * n_features
        if self.is_combined:
            self.columns = Deviations(detector._views.columns)
            self.tails = nn.ModuleList(LogProbability(tail) for tail in detector._views.tails)
        parts = zip(detector.autoencoders_, rows, spaces, strict=True)
        self.folds = nn.ModuleList(Fold(*of_fold, error_scale) for of_fold in parts)
        holes = detector._holes
        self.comparable = None if holes is None else ComparableScores(holes, n_features)
        self.register_buffer("offset", torch.as_tensor(detector.offset_, dtype=torch.float64))

    def forward(self, X: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        scores = super().forward(X)
        return torch.where(scores < 0, -1, 1), scores

    def result(self, X: Tensor, y: Tensor | None = None) -> Tensor:
        # The mean errors of the folds, and how far rows and codes are from others if that counts.
        errors, *distances = torch.stack([fold(X) for fold in self.folds]).mean(dim=0)
        scores = -errors
        if self.is_combined:
            measured = [errors, *distances, self.columns(X)]
            pairs = zip(self.tails, measured, strict=True)
            surface, *others = (-tail(of_one) for tail, of_one in pairs)
            excess = [(one - TYPICAL).clamp(min=0.0).square() for one in others]
            scores = -sum(excess, surface.square()).sqrt()
        elif distances:
            scores = scores - distances[0] / X.shape[1]
        if self.comparable is not None:
            scores = self.comparable(scores, n_known(X))
        return scores - self.offset

    def is_known(self, X: Tensor, y: Tensor | None = None) -> Tensor:
        return super().is_known(X) & (n_known(X) > 0)


def n_known(X: Tensor) -> Tensor:
    """Return how many values of rows are not missing, (batch, 1)."""
    return (~X.isnan()).sum(dim=1, keepdim=True)


class Fold(nn.Module):
    """What is unusual about rows for one of the detector's autoencoders, (1 to 3, batch, 1).

    The error of each column, divided by ``error_scale``, and how far the row and its code are from
    the others if it is known where those lie.
    """

    error_scale: Tensor  # (n_features,)

    def __init__(self, autoencoder, rows, space, error_scale: np.ndarray) -> None:
        super().__init__()
        self.network = Network(autoencoder)
        self.rows = None if rows is None else RowDistance(rows)
        self.distance = None if space is None else _distance(space)
        self.register_buffer("error_scale", torch.as_tensor(error_scale))

    def forward(self, X: Tensor) -> Tensor:
        Z, decoder = self.network.standardize(X), self.network.module.decoder
        codes = self.network.module.encoder.from_standardized(Z)
        rebuilt = decoder.to_standardized(decoder.preactivation(codes))
        errors = (rebuilt - Z).square().double() * self.network.scale.square() / self.error_scale
        errors = torch.where(X.isnan(), 0.0, errors).sum(dim=1, keepdim=True)
        errors = errors * X.shape[1] / n_known(X)  # the known values count for the others
        views = [errors]
        if self.rows is not None:
            views.append(self.rows(X))
        if self.distance is not None:
            views.append(self.distance(codes.double()))
        return torch.stack(views)


class RowDistance(nn.Module):
    """How far rows are from the nearest of some, (batch, 1)."""

    references: Tensor  # (n_references, n_features)
    middle: Tensor  # (n_features,)

    def __init__(self, rows) -> None:
        super().__init__()
        references = rows.references
        references = references.toarray() if sp.issparse(references) else references
        self.register_buffer("references", torch.as_tensor(references, dtype=torch.float64))
        self.register_buffer("middle", torch.as_tensor(rows.middle, dtype=torch.float64))

    def forward(self, X: Tensor) -> Tensor:
        known = (~X.isnan()).double()
        Z = torch.where(X.isnan(), 0.0, X.double() - self.middle)
        squares = Z.square().sum(dim=1, keepdim=True) - 2 * Z @ self.references.T
        squares = (squares + known @ self.references.square().T).amin(dim=1, keepdim=True)
        # The known values count for the others.
        return (squares.clamp(min=0.0) * X.shape[1] / n_known(X)).sqrt()


class Whitening(nn.Module):
    """Codes with the mean 0 and the variance 1, uncorrelated."""

    mean: Tensor
    whitening: Tensor

    def __init__(self, space) -> None:
        super().__init__()
        self.register_buffer("mean", torch.as_tensor(space.mean, dtype=torch.float64))
        self.register_buffer("whitening", torch.as_tensor(space.whitening, dtype=torch.float64))

    def forward(self, codes: Tensor) -> Tensor:
        return (codes - self.mean) @ self.whitening


class MahalanobisDistance(Whitening):
    """How far codes are from the mean code, squared, (batch, 1)."""

    def forward(self, codes: Tensor) -> Tensor:
        return super().forward(codes).square().sum(dim=1, keepdim=True)


class NeighborDistance(Whitening):
    """How far codes are from the farthest of their neighbors, (batch, 1)."""

    references: Tensor  # (n_references, n_components)
    weight: Tensor  # (n_references,)

    def __init__(self, neighbors) -> None:
        super().__init__(neighbors.space)
        self.wanted = neighbors.wanted * (1 - 1e-9)
        self.register_buffer("references", torch.as_tensor(neighbors.references))
        self.register_buffer("weight", torch.as_tensor(neighbors.weight))

    def forward(self, codes: Tensor) -> Tensor:
        difference = super().forward(codes)[:, None] - self.references
        squares, order = difference.square().sum(dim=2).sort(dim=1)
        reached = self.weight[order].cumsum(dim=1) >= self.wanted
        first = reached.to(torch.int64).argmax(dim=1, keepdim=True)
        return squares.gather(1, first).sqrt()


def _distance(space) -> nn.Module:
    return (NeighborDistance if isinstance(space, CodeNeighbors) else MahalanobisDistance)(space)


class Deviations(nn.Module):
    """How far the values of rows are from the medians of their columns, (batch, 1)."""

    middle: Tensor
    spread: Tensor

    def __init__(self, columns) -> None:
        super().__init__()
        self.register_buffer("middle", torch.as_tensor(columns.middle))
        self.register_buffer("spread", torch.as_tensor(columns.spread))

    def forward(self, X: Tensor) -> Tensor:
        far = ((X.double() - self.middle).abs() / self.spread).log1p()
        far = torch.where(X.isnan(), 0.0, far).sum(dim=1, keepdim=True)
        return far * X.shape[1] / n_known(X)


class LogProbability(nn.Module):
    """How probable it is that a row is at least as unusual in one view, as a logarithm."""

    knots: Tensor
    log_probability: Tensor

    def __init__(self, tail) -> None:
        super().__init__()
        self.slope = tail.slope
        self.register_buffer("knots", torch.as_tensor(tail.knots))
        self.register_buffer("log_probability", torch.as_tensor(tail.log_probability))

    def forward(self, measured: Tensor) -> Tensor:
        measured = measured.clamp(min=torch.finfo(torch.float64).tiny).log()
        last = len(self.knots) - 1
        place = ((measured >= self.knots).sum(dim=1, keepdim=True) - 1).clamp(0, last - 1)
        left, right = self.knots[place], self.knots[place + 1]
        width = right - left
        share = torch.where(width > 0, (measured - left) / width, 1.0).clamp(0.0, 1.0)
        lower, upper = self.log_probability[place], self.log_probability[place + 1]
        beyond = (measured - self.knots[last]).clamp(min=0.0)
        return lower + share * (upper - lower) - self.slope * beyond


class ComparableScores(nn.Module):
    """What scores would be if all values were known, by the number of those that are."""

    middle: Tensor  # (n_features + 1,)
    spread: Tensor  # (n_features + 1,)

    def __init__(self, holes, n_features: int) -> None:
        super().__init__()
        share = np.arange(n_features + 1) / n_features
        for name in ("middle", "spread"):
            values = np.interp(share, holes.share, getattr(holes, name))
            self.register_buffer(name, torch.as_tensor(values))

    def forward(self, scores: Tensor, n_known: Tensor) -> Tensor:
        moved = (scores - self.middle[n_known]) / self.spread[n_known]
        return self.middle[-1] + moved * self.spread[-1]


class Part(NamedTuple):
    """A method that can stand alone."""

    module: Callable[[Any], nn.Module]  # of the estimator
    n_in: int  # columns of what it takes
    n_out: int  # columns of what it gives
    takes_condition: bool = False  # beside codes or rows


def parts_of(estimator) -> dict[str, Part]:
    """Return what can be taken out of a fitted estimator, the usual one first; or say why not."""
    n_features = estimator.n_features_in_
    if isinstance(estimator, AutoencoderOutlierDetector):
        if estimator.criterion == "log_likelihood":
            raise ValueError(
                "criterion='log_likelihood' is an average over draws of codes, which stays in "
                "Python. With one of the other criteria, a detector is exported whole."
            )
        for autoencoder in estimator.autoencoders_:
            _refuse_strange(estimator, autoencoder)
        return {"decision_function": Part(DecisionFunction, n_features, 1)}
    if isinstance(estimator, AutoencoderImputer):
        if estimator.encoder_ is not None:
            raise ValueError(
                "An AutoencoderImputer that was fitted to a table stays in Python, as words and "
                "dates do. One of rows of numbers can be exported."
            )
        for autoencoder in estimator.autoencoders_:
            _refuse_strange(estimator, autoencoder)
        impute = Part(lambda imputer: Impute(*imputer.autoencoders_), n_features, n_features)
        return {"transform": impute}
    n_codes = estimator._n_features_out
    conditional = getattr(estimator, "_condition", None) is not None
    parts = {"transform": Part(Transform, n_features, n_codes)}
    if isinstance(estimator, StackedAutoencoderClassifier):
        parts = {"predict_proba": Part(PredictProba, n_features, len(estimator.classes_)), **parts}
    if hasattr(estimator, "inverse_transform"):
        parts["inverse_transform"] = Part(InverseTransform, n_codes, n_features, conditional)
        parts["reconstruct"] = Part(Reconstruct, n_features, n_features, conditional)
    if hasattr(estimator, "impute") and estimator.missing != "error":
        parts["impute"] = Part(Impute, n_features, n_features, conditional)
    return parts


def _refuse_strange(estimator, autoencoder) -> None:
    """Refuse autoencoders within an estimator that are not skae's, or need a condition."""
    kinds = (AutoencoderTransformer, VariationalAutoencoderTransformer)
    if not isinstance(autoencoder, kinds) or getattr(autoencoder, "_condition", None) is not None:
        names = [kind.__name__ for kind in kinds]
        raise ValueError(
            f"{type(estimator).__name__} can be exported if its autoencoder is one of {names} or "
            f"derived from them, without a condition; it is {autoencoder!r}."
        )
