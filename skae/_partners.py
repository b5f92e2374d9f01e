"""Partners: another row for each row of a batch, brought for parts that have asked for them.

A part asks by a method ``partners(rows, among)``, which says who may be whose partner, once for
the rows of a training and once for those held out; the batches then draw one for each row, anew
each time that it is seen. Partners are rows of the training only, and come as often as they weigh.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.base import clone
from sklearn.utils.validation import has_fit_parameter
from torch import Generator, Tensor

from ._rows import StandardizedRows, fill_holes, reordered, row_hashes
from ._seeding import torch_generator
from ._sources import RowSource
from .nn import PenalizedLoss, Penalty, ReconstructionLoss, asks_for_partners


class PartnerRows(NamedTuple):
    """Rows that are to have partners, or to be some, as a part is shown them.

    ``X`` is in its own units, with the mean of a column in the place of a missing value; if rows
    have targets, it is these. If the part has an attribute ``transformer`` that is not None, it is
    what a clone of that, fitted to the rows trained on, makes of them. ``labels`` are numbers of
    classes, -1 for none, and there are none if the part has no attribute ``needs_labels`` that is
    true. ``places`` are which of the rows of X in `fit` these are: of equal rows one is there, with
    the sum of their weights. ``stands_for`` is the way back: which of these each row of X is, or is
    equal to, -1 for none.
    """

    X: Any  # {ndarray, csr_array} of shape (n_rows, n_features)
    weight: np.ndarray  # (n_rows,)
    labels: np.ndarray | None  # (n_rows,) of int
    places: np.ndarray  # (n_rows,) of int
    stands_for: np.ndarray  # (n_samples,) of int


class Steps:
    """A step from each of some nodes to one of others, drawn by the shares of a sparse matrix.

    Parameters
    ----------
    shares : csr_array of shape (n_from, n_to)
        Not negative; the rows need not add up to 1.
    """

    def __init__(self, shares: sp.csr_array) -> None:
        shares.eliminate_zeros()
        shares.sum_duplicates()  # and so in order, whatever order they came in
        n_from = shares.shape[0]
        counts = np.diff(shares.indptr)
        node = np.repeat(np.arange(n_from), counts)
        total = np.bincount(node, weights=shares.data, minlength=n_from)
        passed = np.concatenate([[0.0], np.cumsum(shares.data / total[node])])
        # Those of node i lie between i and i + 1, so that one search is that of all nodes.
        passed = node + np.minimum(passed[1:] - passed[shares.indptr[node]], 1.0)
        self.passed = torch.from_numpy(passed)
        self.to = torch.from_numpy(shares.indices.astype(np.int64))
        self.first, self.last = (
            torch.from_numpy(ends.astype(np.int64))
            for ends in (shares.indptr[:-1], shares.indptr[1:])
        )

    def draw(self, nodes: Tensor, generator: Generator) -> Tensor:
        """Return where a step from each node leads to, or -1 if there is none, (n_nodes,)."""
        begin = nodes.clamp(min=0)
        number = torch.rand(len(nodes), generator=generator, dtype=torch.float64)
        place = torch.searchsorted(self.passed, begin + number, right=True)
        first, last = self.first[begin], self.last[begin]
        nowhere = (nodes < 0) | (first == last)
        place = torch.minimum(torch.maximum(place, first), last - 1)
        return torch.where(nowhere, -1, self.to[place.clamp(min=0)] if len(self.to) else -1)


class Partners:
    """What draws partners of some rows among those of a training, for one part.

    Parameters
    ----------
    part : penalty
        With a method `partners`.
    training : StandardizedRows
        Whom to draw from.
    labels : ndarray of int of shape (n_samples,) or None
        Of all rows of the fit.
    found : dict
        Walks, layouts and transformers that have been found before, as candidates of one fit have
        the same rows.
    rows : StandardizedRows, optional
        Those that are to have partners, if they are not those of the training.
    n_codes : int, optional
        How many numbers a row's place in the layout has; without it, none is asked for.
    seed : int
        Of the layout, and of a transformer that has none.
    """

    def __init__(
        self,
        part: Any,
        training: StandardizedRows,
        labels: np.ndarray | None,
        found: dict[Any, Any],
        rows: StandardizedRows | None = None,
        n_codes: int | None = None,
        seed: int = 0,
    ) -> None:
        self.part, self.training, self.labels, self.found = part, training, labels, found
        self.rows = training if rows is None else rows
        self.steps: list[Steps] | None = None
        self.n_codes = n_codes if hasattr(part, "layout") else None
        self.seed = seed
        self.aims: Tensor | None = None

    def of(self, others: StandardizedRows) -> "Partners":
        """Return what draws those of other rows."""
        return Partners(self.part, self.training, self.labels, self.found, others, seed=self.seed)

    def draw(self, index: Tensor | slice, generator: Generator) -> Tensor:
        """Return a partner of each row, (batch, n_features), as a network takes rows.

        A row that has none is its own. Behind it stands where the row is to lie, if that is known.
        """
        partner = self._step(torch.arange(len(self.rows))[index], generator)
        rows = self.training[partner.clamp(min=0)][0]
        alone = partner < 0
        if alone.any():
            rows[alone] = self.rows[index][0][alone]
        aims = self.layout()
        return rows if aims is None else torch.cat([rows, aims[index]], dim=1)

    def layout(self) -> Tensor | None:
        """Return where the rows are to lie, (n_rows, n_codes), found when it is first asked for."""
        if self.n_codes is not None:
            key = "layout", self.n_codes, *self._key()
            if key not in self.found:
                self.found[key] = self._lay_out()
            self.aims = self.found[key]
            self.n_codes = None
        return self.aims

    def _lay_out(self) -> Tensor | None:
        generator = torch_generator(self.seed)

        def draw(rows: Tensor, n_drawn: int) -> Tensor:
            again = rows.repeat_interleave(n_drawn)
            drawn = self._step(again, generator)
            return torch.where(drawn < 0, again, drawn).reshape(len(rows), n_drawn)

        weight = torch.from_numpy(self.rows.sample_weight)
        aims = self.part.layout(draw, weight, self.n_codes, generator)
        if aims is None:
            return None
        shape, expected = tuple(getattr(aims, "shape", ())), (len(self.rows), self.n_codes)
        if not isinstance(aims, Tensor) or shape != expected or not aims.isfinite().all():
            raise ValueError(
                f"{self.part!r} returned {type(aims).__name__} of shape {shape} as layout of "
                f"{len(self.rows)} rows; its method layout must return a torch tensor of finite "
                f"numbers of shape {expected}, or None."
            )
        return aims.float()

    def _step(self, rows: Tensor, generator: Generator) -> Tensor:
        """Return a partner of each of some rows, or -1 for one that has none, (batch,)."""
        for steps in self.walk():
            rows = steps.draw(rows, generator)
        return rows

    def walk(self) -> list[Steps]:
        """Return the steps from a row to its partner, which are found when they are first asked."""
        if self.steps is None:
            key = self._key()
            if key not in self.found:
                self.found[key] = self._find()
            self.steps = self.found[key]
        return self.steps

    def _key(self) -> tuple[bytes, ...]:
        arrays = (self.rows.indices, self.training.indices, self.training.sample_weight)
        return tuple(array.tobytes() for array in arrays)

    def _find(self) -> list[Steps]:
        among = self._shown(self.training)
        rows = among if self.rows is self.training else self._shown(self.rows)
        answer = self.part.partners(rows, among)
        shares = list(answer) if isinstance(answer, list | tuple) else [answer]
        _check(self.part, shares, len(rows.weight), len(among.weight))
        *before, last = [sp.csr_array(matrix, dtype=np.float64, copy=True) for matrix in shares]
        last.data *= among.weight[last.indices]
        if not before:
            here = np.repeat(rows.places, np.diff(last.indptr))
            last.data[here == among.places[last.indices]] = 0  # no row is its own
        return [Steps(matrix) for matrix in (*before, last)]

    def _transformer(self) -> Any:
        """Return the part's transformer, fitted to the rows of the training."""
        weight = self.training.sample_weight
        key = "transformer", self.training.indices.tobytes(), weight.tobytes()
        if key not in self.found:
            transformer = clone(self.part.transformer)
            for name, value in transformer.get_params().items():
                if name.split("__")[-1] == "random_state" and value is None:
                    transformer.set_params(**{name: self.seed})
            how = {}
            if has_fit_parameter(transformer, "sample_weight"):
                how["sample_weight"] = weight[weight > 0]
            self.found[key] = transformer.fit(self._values(self.training)[weight > 0], **how)
        return self.found[key]

    def _values(self, rows: StandardizedRows) -> Any:
        X = rows.X[rows.indices]
        # A target stands behind its row.
        X = fill_holes(X[:, X.shape[1] - len(rows.mean) :], rows.mean)
        columns = getattr(self.part, "columns_of_X", None)  # where layers have them otherwise
        return X if columns is None else reordered(X, columns)

    def _shown(self, rows: StandardizedRows) -> PartnerRows:
        X = self._values(rows)
        if getattr(self.part, "transformer", None) is not None:
            X = self._transformer().transform(X)
            X = X if sp.issparse(X) else np.asarray(X)
            values: Any = X.data if sp.issparse(X) else X
            finite = values.dtype.kind in "buif" and bool(np.isfinite(values).all())
            if X.ndim != 2 or X.shape[0] != len(rows) or not finite:
                raise ValueError(
                    f"transformer={self.part.transformer!r} made {type(X).__name__} of shape "
                    f"{X.shape} and dtype {X.dtype} of {len(rows)} rows ({finite=}); expected are "
                    "finite numbers, as many for each row. Give another transformer."
                )
        labels = self.labels if getattr(self.part, "needs_labels", False) else None
        return PartnerRows(
            X,
            rows.sample_weight,
            None if labels is None else labels[rows.indices],
            rows.indices,
            self._standing_for(rows),
        )

    def _standing_for(self, rows: StandardizedRows) -> np.ndarray:
        """Return which of some rows each row of X is or is equal to, -1 for none, (n_samples,)."""
        if "kinds" not in self.found:
            _, kinds = np.unique(row_hashes(rows.X), return_inverse=True)
            if self.labels is not None:  # by which rows differ, too
                labels = np.unique(self.labels, return_inverse=True)[1]
                _, kinds = np.unique(kinds * (1 + labels.max()) + labels, return_inverse=True)
            self.found["kinds"] = kinds
        kinds, everyone = self.found["kinds"], np.arange(len(rows))
        of_kind = np.full(len(kinds), -1)
        of_kind[kinds[rows.indices]] = everyone
        stands_for = of_kind[kinds]
        stands_for[rows.indices] = everyone
        return stands_for


def _check(part: Any, shares: Sequence[Any], n_rows: int, n_among: int) -> None:
    """Raise an error for what is no walk from rows to partners."""
    is_sparse = bool(shares) and all(sp.issparse(matrix) for matrix in shares)
    shapes = [tuple(getattr(matrix, "shape", ())) for matrix in shares]
    ends = [n for shape in shapes for n in shape]
    leads = is_sparse and (ends[0], ends[-1]) == (n_rows, n_among) and ends[1:-1:2] == ends[2:-1:2]
    if not leads:
        kinds = [type(matrix).__name__ for matrix in shares]
        raise ValueError(
            f"{part!r} returned {kinds} of shapes {shapes} as partners of {n_rows} rows among "
            f"{n_among}; its method partners must return a sparse matrix of shape "
            f"({n_rows}, {n_among}) with what each may be drawn with, or several to walk along."
        )
    if any((matrix.data < 0).any() or not np.isfinite(matrix.data).all() for matrix in shares):
        raise ValueError(
            f"{part!r} returned negative or infinite shares of partners; they must be numbers from "
            "0 on."
        )


def penalized(
    loss: ReconstructionLoss,
    penalties: Sequence[Penalty],
    encode: Callable[[Tensor], Tensor],
    rows: StandardizedRows,
    fit: Any,
    n_codes: int | None,
    seed: int,
) -> ReconstructionLoss:
    """Return a loss plus penalties, and have the batches bring the partners that they ask for.

    Parameters
    ----------
    loss : ReconstructionLoss
    penalties : sequence of Penalty
    encode : callable
        The encoder, as a function of standardized rows.
    rows : StandardizedRows
        Those of the training.
    fit : FitRows
        All rows of the fit, with their labels, and what has been found of them before.
    n_codes : int or None
        Of how many codes rows have a layout; None where codes are there already, or are a map.
    seed : int
        Of the layout.
    """
    asking = [part for part in penalties if asks_for_partners(part)]
    if asking and isinstance(rows.X, RowSource):
        rows.X.refuse_whole(f"have partners, which {asking[0]!r} looks for among all rows")
    rows.partners = [
        Partners(
            part, rows, fit.labels, fit.found.setdefault(number, {}), n_codes=n_codes, seed=seed
        )
        for number, part in enumerate(asking)
    ]
    return PenalizedLoss(loss, penalties, encode) if penalties else loss
