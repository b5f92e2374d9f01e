"""Parts of the user's, on rows whose columns are in another order than that of X.

A fit to images with their channels last is one to the same images with their channels first, bit
for bit: the order of different rows, the start and what noise draws follow from the columns'
order. What the user's own losses, noises and penalties are given is in the order of X.
"""

from torch import Generator, Tensor, nn

from ._fitting import checked_part
from .nn import PenalizedBatch, asks_for_partners


def on_columns_of_X(part, order: Tensor):
    """Return a part such that it sees the columns of X, if it is of the user's making.

    Parameters
    ----------
    part : part, callable, str or None
        A loss, a noise or a penalty.
    order : Tensor of int of shape (n_features,)
        Which columns of X come first, second, and so on where the part is used.
    """
    if part is None or isinstance(part, str | dict) or type(part).__module__.startswith("skae."):
        return part
    kind = ModuleOnX if isinstance(part, nn.Module) else PartOnX
    return kind(checked_part(part), order)


class PartOnX:
    """A user's loss, noise or penalty, on rows in another order: it sees them in that of X.

    A code that is a map is as the layers see it.
    """

    def __init__(self, part, order: Tensor) -> None:
        self.part = part
        self.order = order
        self.back = order.argsort()
        if asks_for_partners(part):
            self.partners, self.columns_of_X = part.partners, self.back.numpy()
            self.needs_labels = getattr(part, "needs_labels", False)
            self.transformer = getattr(part, "transformer", None)
            if hasattr(part, "layout"):
                self.layout = part.layout

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
                partners=None if batch.partners is None else batch.partners[:, self.back],
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
