"""Where rows at hand are to lie, so that neighbors are near: codes moved one by one, no network."""

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
import torch
from torch import Generator, Tensor

_VISITS = 60  # of each row
_DRAWN = 15  # neighbors, in each visit
_BATCH = 1024  # rows, which are one another's others
_STEP = 10.0  # of a code, at first; it falls to zero
_FEW_ROWS = 6000  # of more rows steps are longer, as the way is: with the root of their number
_LONGEST = 4.0  # that one gradient moves a code, times the step
_WEAKEST = 0.5  # repulsion at first, while groups find their places
_SMOOTHINGS = 300  # along the graph, of what codes start as
_EDGE = 1e-12  # of a weight, or a mean, that is divided by


def laid_out(
    draw: Callable[[Tensor, int], Tensor],
    weight: Tensor,
    n_components: int,
    *,
    repulsion: float,
    generator: Generator,
) -> Tensor:
    """Return codes such that each row is near to its neighbors and apart from all else.

    They are moved down the gradient of the loss of `skae.penalty.NeighborPreservation`, in which
    each row is drawn to several neighbors at a time, which cost next to nothing where no network
    has to encode them. What t-SNE calls early exaggeration is here a repulsion that is weak at
    first. Codes start from the smoothest functions on the graph of neighbors, as in Laplacian
    eigenmaps (Belkin & Niyogi 2003, doi:10.1162/089976603321780317).

    Parameters
    ----------
    draw : callable
        ``draw(rows, n)`` draws n neighbors of each row, (batch, n), from the rows' numbers, as
        often as they weigh; the row itself stands for none.
    weight : Tensor of shape (n_rows,)
        Not negative.
    n_components : int
    repulsion : float
        For how many rows all others count beside the one neighbor.
    generator : torch.Generator

    Returns
    -------
    Tensor of shape (n_rows, n_components), float32
        Centered.
    """
    n_rows = len(weight)
    code = _smoothest(draw(torch.arange(n_rows), _DRAWN), n_components, generator)
    weight = (weight / weight.mean()).float()
    n_batches = -(-n_rows // _BATCH)
    n_steps = _VISITS * n_batches
    longest = _STEP * max(1.0, n_rows / _FEW_ROWS) ** 0.5
    weakest = min(_WEAKEST, repulsion)
    for step in range(n_steps):
        if step % n_batches == 0:
            batches = torch.randperm(n_rows, generator=generator).tensor_split(n_batches)
        progress = step / n_steps
        now = weakest * (repulsion / weakest) ** min(1.0, 2 * progress)
        rows = batches[step % n_batches]
        neighbors = draw(rows, _DRAWN)
        own, theirs = _gradients(code, rows, neighbors, weight, now)
        size = longest * (1 - progress)
        code.index_add_(0, rows, own.clamp_(-_LONGEST, _LONGEST), alpha=-size)
        code.index_add_(0, neighbors.flatten(), theirs.clamp_(-_LONGEST, _LONGEST), alpha=-size)
    return code - (code * weight[:, None]).mean(dim=0)


def _gradients(code, rows, neighbors, weight, repulsion: float) -> tuple[Tensor, Tensor]:
    """Return gradients by the codes of rows and of their neighbors, each for one unit of weight.

    Of a row i and each neighbor j, the loss is log(1 + repulsion * mean_i * (1 + d_ij²)), in which
    mean_i is that of 1 / (1 + d_ik²) over the other rows k.
    """
    of_rows, own = code[rows], weight[rows]
    centered = of_rows - of_rows.mean(dim=0)  # as differences of small numbers are exact
    nearness = 1 / (1 + squared_distances(of_rows))  # (batch, batch)
    nearness.fill_diagonal_(0)
    others = (own.sum() - own).clamp(min=_EDGE)
    mean = (nearness @ own / others).clamp(min=_EDGE)  # (batch,)
    to_neighbor = of_rows[:, None] - code[neighbors]  # (batch, n_drawn, n_components)
    distance = 1 + to_neighbor.square().sum(dim=2)
    odds = repulsion * mean[:, None] * distance
    share = odds / (1 + odds)  # (batch, n_drawn)
    pull = (2 * share / distance / neighbors.shape[1])[..., None] * to_neighbor
    push = share.mean(dim=1) / mean / others
    between = nearness.square_() * (push[:, None] + push) * own
    repelled = 2 * (between.sum(dim=1, keepdim=True) * centered - between @ centered)
    ratio = own[:, None] / weight[neighbors].clamp(min=_EDGE)  # of a row that is its own, pull is 0
    return pull.sum(dim=1) - repelled, (-ratio[..., None] * pull).flatten(end_dim=1)


def squared_distances(code: Tensor) -> Tensor:
    """Return the squared distances of all codes from one another, (..., n_codes, n_codes)."""
    code = code - code.mean(dim=-2, keepdim=True)  # as differences of small numbers are exact
    squares = code.square().sum(dim=-1)
    return (squares[..., None] + squares[..., None, :] - 2 * code @ code.mT).clamp(min=0)


def _smoothest(neighbors: Tensor, n_components: int, generator: Generator) -> Tensor:
    """Return functions on a graph that change least along it, (n_rows, n_components), of scale 1.

    They are found by subspace iteration from random ones, which leaves no two rows alike, be they
    in parts of the graph that nothing connects.
    """
    n_rows, n_drawn = neighbors.shape
    start = torch.randn(n_rows, min(n_components + 5, n_rows - 1), generator=generator)
    edges = np.repeat(np.arange(n_rows), n_drawn), neighbors.flatten().numpy()
    graph = sp.csr_array((np.ones(len(edges[0]), dtype=np.float32), edges), shape=(n_rows, n_rows))
    graph = graph + graph.T + sp.csr_array(sp.eye(n_rows, dtype=np.float32))
    root = np.sqrt(graph.sum(axis=1))
    scaled = sp.csr_array(sp.diags(1 / root))
    step = 0.5 * scaled @ graph @ scaled
    functions = np.column_stack([root, start.numpy()]).astype(np.float32)
    for number in range(_SMOOTHINGS):
        if number % 5 == 0:
            functions = np.linalg.qr(functions)[0]
        functions = 0.5 * functions + step @ functions
    functions = np.linalg.qr(functions)[0]
    _, turn = np.linalg.eigh(functions.T @ (step @ functions))
    smoothest = (functions @ turn)[:, ::-1][:, 1 : 1 + n_components] / root[:, None]
    smoothest -= smoothest.mean(axis=0)
    spread = smoothest.std(axis=0)
    result = np.zeros((n_rows, n_components), dtype=np.float32)
    result[:, : smoothest.shape[1]] = smoothest / np.where(spread > 0, spread, 1)
    return torch.from_numpy(result)
