"""Fits to the columns of X in another order, after which all is in that of X again.

A fit to images with their channels last is one to the same images with their channels first, bit
for bit: the order of different rows, the start and what noise draws follow from the columns'
order. What users see is in the order of X: the network, its means, and what their own losses,
noises and penalties are given.
"""

from collections.abc import Callable

from torch import Generator, Tensor, nn

from ._fitting import check_rows, checked_part, refuse_other_structure, structure_of
from ._rows import reordered
from .nn import PenalizedBatch


def fit_reordered(
    estimator,
    fit: Callable,
    X,
    sample_weight,
    order: Tensor,
    parameters: dict,
    *,
    resumed: bool,
):
    """Fit an autoencoder with other parameters to the columns of X in another order.

    All that is kept of the fit is in the order of X but ``module_``, which is for the columns in
    their new order: a `ReorderedNetwork` around it is the one for X.

    Parameters
    ----------
    estimator : AutoencoderTransformer
    fit : callable
        ``fit(estimator, X, sample_weight)`` fits it in place.
    X, sample_weight
        As in `fit`, not yet checked.
    order : Tensor of int of shape (n_features,)
        Which columns of X come first, second, and so on.
    parameters : dict
        Those of the estimator that describe the columns, for their new order.
    resumed : bool
        Whether the fit goes on from the last one.
    """
    estimator._check_combination()
    if resumed:
        refuse_other_structure(estimator, estimator._structural, estimator._structure)
    holes = estimator.missing == "mask"
    X, weight = check_rows(estimator, X, sample_weight, reset=not resumed, allow_nan=holes)
    groups = estimator._column_groups()
    estimator._check_data(X if weight.all() else X[weight > 0], groups)

    twin = object.__new__(type(estimator))
    vars(twin).update(vars(estimator))
    names = vars(twin).pop("feature_names_in_", None)  # that X has no longer
    vars(twin).update(parameters, **_parts_on_columns_of_X(estimator, groups, order))
    if resumed:
        twin.module_, twin.mean_ = estimator.module_.without(), estimator.mean_[order]
        twin._structure = structure_of(twin, twin._structural)
    fit(twin, reordered(X, order.numpy()), weight)

    given = estimator.get_params(deep=False)
    vars(estimator).clear()
    vars(estimator).update(vars(twin), **given)
    if names is not None:
        estimator.feature_names_in_ = names
    estimator.mean_ = twin.mean_[order.argsort()]
    estimator._structure = structure_of(estimator, estimator._structural)
    return estimator


def _parts_on_columns_of_X(estimator, groups, order: Tensor) -> dict:
    """Return the parts of an autoencoder such that those of the user's see the columns of X."""
    loss = estimator.loss
    if groups is not None:
        back = order.argsort().numpy()
        pairs = zip(groups.losses, groups.columns, strict=True)
        loss = {one: back[which] for one, which in pairs}
    elif not isinstance(loss, str):
        loss = (ModuleOnX if isinstance(loss, nn.Module) else PartOnX)(loss, order)
    penalty = estimator.penalty
    if isinstance(penalty, list | tuple):
        penalty = [_on_X(part, "penalize", order) for part in penalty]
    else:
        penalty = _on_X(penalty, "penalize", order)
    return {"loss": loss, "penalty": penalty, "noise": _on_X(estimator.noise, "corrupt", order)}


def _on_X(part, method: str, order: Tensor):
    """Return a part that sees the columns of X, if it is of the user's making."""
    if not hasattr(part, method) or type(part).__module__.startswith("skae."):
        return part
    return PartOnX(checked_part(part), order)


class PartOnX:
    """A user's loss, noise or penalty, on rows in another order: it sees them in that of X.

    A code that is a map is as the layers see it.
    """

    def __init__(self, part, order: Tensor) -> None:
        self.part = part
        self.order = order
        self.back = order.argsort()

    def __call__(self, reconstruction: Tensor, X: Tensor) -> Tensor:
        result = self.part(reconstruction[:, self.back], X[:, self.back])
        of_values = getattr(result, "shape", None) == X.shape
        return result[:, self.order] if of_values else result

    def corrupt(self, rows: Tensor, generator: Generator) -> Tensor:
        corrupted = self.part.corrupt(rows[:, self.back], generator)
        as_asked = getattr(corrupted, "shape", None) == rows.shape
        return corrupted[:, self.order] if as_asked else corrupted

    def penalize(self, batch: PenalizedBatch) -> Tensor:
        return self.part.penalize(
            batch._replace(
                reconstruction=batch.reconstruction[:, self.back],
                rows=batch.rows[:, self.back],
                encode=lambda rows: batch.encode(rows[:, self.order]),
            )
        )

    def __repr__(self) -> str:
        return repr(self.part)


class ModuleOnX(nn.Module):
    """A user's loss that is a module, likewise."""

    def __init__(self, part: nn.Module, order: Tensor) -> None:
        super().__init__()
        self.part = part
        self.order = order

    def forward(self, reconstruction: Tensor, X: Tensor) -> Tensor:
        return PartOnX(self.part, self.order)(reconstruction, X)


def as_given(part):
    """Return a part as the user gave it."""
    return part.part if isinstance(part, PartOnX | ModuleOnX) else part
