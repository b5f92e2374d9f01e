"""Several processes that train one network together: the only module that knows torch.distributed.

What they exchange is sums, of gradients and of losses. All else each of them computes for itself,
and it comes out the same.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import Any, NamedTuple

import torch
from torch import Tensor, distributed


class Share(NamedTuple):
    """What one of several processes has of a batch."""

    start: int
    stop: int
    n_rows: int  # of the batch

    @property
    def n_own(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class Processes:
    """The processes that train together, as one of them sees them.

    Attributes
    ----------
    number : int
        How many there are; 1 where nobody has started several.
    rank : int
        Which of them this one is, from 0.
    group : torch.distributed.ProcessGroup or None
        What they exchange sums by.
    """

    number: int = 1
    rank: int = 0
    group: Any = None

    @property
    def is_main(self) -> bool:
        """Whether this is the one that writes files."""
        return self.rank == 0

    @property
    def are_several(self) -> bool:
        """Whether there are others."""
        return self.number > 1

    def share_of(self, n_rows: int) -> Share:
        """Return which rows of a batch are those of this process."""
        start, stop = (n_rows * rank // self.number for rank in (self.rank, self.rank + 1))
        return Share(start, stop, n_rows)

    def sum(self, tensor: Tensor) -> Tensor:
        """Return the sum of what all processes have, in the place of the tensor."""
        if self.are_several:
            with self._says_who_is_lost():
                distributed.all_reduce(tensor, group=self.group)
        return tensor

    def first(self, value: Any) -> Any:
        """Return the value that the main process has."""
        return self._gathered(value if self.is_main else None)[0] if self.are_several else value

    def begin_alike(self, network: torch.nn.Module) -> None:
        """Let a network have the numbers that it has in the main process, to the last bit."""
        if self.are_several:
            source = distributed.get_global_rank(self.group, 0)
            with self._says_who_is_lost():
                for tensor in network.state_dict().values():
                    distributed.broadcast(tensor, source, group=self.group)

    def refuse_difference(self, what: str, value: str) -> None:
        """Raise an error, in all processes, if a value is not the same in all of them."""
        if not self.are_several:
            return
        values = self._gathered(value)
        for rank, other in enumerate(values):
            if other != values[0]:
                raise ValueError(
                    f"The {self.number} processes of data_parallel() do not have the same {what}: "
                    f"process 0 has {values[0]}, and process {rank} has {other}. Each of them has "
                    "to call fit with all rows, of which it trains on its share, with the same "
                    "parameters and the same random_state."
                )

    def _gathered(self, value: Any) -> list[Any]:
        values = [None] * self.number
        with self._says_who_is_lost():
            distributed.all_gather_object(values, value, group=self.group)
        return values

    @contextmanager
    def _says_who_is_lost(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            message = str(error).split("\n")[0]
            raise RuntimeError(
                f"Process {self.rank} of {self.number} can't reach the others, of which one has "
                f"probably ended: {message} Look for the first error of the others. A fit with a "
                "checkpoint goes on from its last epoch when it is started again."
            ) from error


class SharedBatches:
    """The part of each batch that is the share of one process.

    Parameters
    ----------
    batches : iterable of (Tensor, list of Tensor)
        Rows, (..., batch, n_columns), and a target, the second part of which is a weight for each
        row, (..., batch).
    processes : Processes
    """

    def __init__(self, batches: Any, processes: Processes) -> None:
        self.batches, self.processes = batches, processes
        self.share = Share(0, 0, 0)  # of the batch that has been given out last

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[tuple[Tensor, list[Tensor]]]:
        for Z, target in self.batches:
            weight = target[1]
            dim = weight.ndim - 1
            self.share = self.processes.share_of(weight.shape[dim])
            start, length = self.share.start, self.share.n_own
            yield Z.narrow(dim, start, length), [part.narrow(dim, start, length) for part in target]


def sum_gradients(processes: Processes, parameters: Sequence[Tensor], loss: Tensor) -> Tensor:
    """Let gradients be the sums of those of all processes, and return the sum of their losses."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = torch.cat([*(gradient.flatten() for gradient in gradients), loss.detach().reshape(1)])
    processes.sum(flat)
    *summed, total = flat.split([*(gradient.numel() for gradient in gradients), 1])
    for gradient, new in zip(gradients, summed, strict=True):
        gradient.copy_(new.view_as(gradient))
    return total


_TOGETHER: ContextVar[Processes] = ContextVar("_TOGETHER")


def processes_of_fit() -> Processes:
    """Return the processes that the fit which goes on is shared by."""
    return _TOGETHER.get(Processes())


@contextmanager
def data_parallel(group=None) -> Iterator[Processes]:
    """Let autoencoders be fitted by several processes together, each on its share of the rows.

    A script that is started by ``torchrun``, ``accelerate launch`` or whatever else starts several
    processes of one script and sets the variables that `torch.distributed` reads, runs once in each
    of them. Within this block, all of them train one network: of each batch, each takes its share,
    and gradients are summed before each step. All of them end with the same fitted estimator, that
    of a single process to rounding. Started by ``python``, the script does the same by itself.

    Parameters
    ----------
    group : torch.distributed.ProcessGroup, default=None
        The processes that train together, where these are not all. By default all processes of
        `torch.distributed`, as ``accelerate.Accelerator()`` or
        ``torch.distributed.init_process_group()`` has made it known; if nobody has, and the script
        was started as several processes, it is done here and undone at the end of the block.

    Yields
    ------
    processes : Processes
        ``processes.is_main`` is whether this process is the one to write files,
        ``processes.number`` how many there are, and ``processes.rank`` which this one is, from 0.

    Raises
    ------
    ValueError
        If this process is not one of the group. In `fit`: if the processes do not have the same
        rows or parameters, or the estimator has what sees a batch as a whole, such as batch
        normalization, `KLSparsity` or callbacks.

    RuntimeError
        In `fit`, if another process has ended.

    See Also
    --------
    AutoencoderTransformer : With ``checkpoint``, it goes on where the processes were interrupted.

    Notes
    -----
    Each process calls `fit` with all rows; rows of a file are best opened by
    `skae.datasets.open_rows`. A batch has ``batch_size`` rows for all processes together, so their
    number does not change what is learnt. Orders, noise and the start are drawn and computed in
    each process likewise, rows held out are judged in turns and their losses summed, so that all
    processes decide alike.

    Outside of such a block, fits know nothing of other processes, be there a process group or not.
    Calls within it other than `fit` and `partial_fit` are those of each process by itself. Workers
    of ``n_jobs`` are no part of it.

    Gradients are summed within the step as `torch.nn.parallel.DistributedDataParallel` does [1]_,
    but weighted by the rows of each share, and of networks side by side in one message.

    References
    ----------
    .. [1] Li, S. et al. (2020). PyTorch distributed: experiences on accelerating data parallel
       training. PVLDB 13(12), 3005-3018. :arxiv:`2006.15704`

    Examples
    --------
    As this example is run by a single process, it has nobody to share its rows with.

    >>> from sklearn.datasets import load_iris
    >>> from skae import AutoencoderTransformer, data_parallel
    >>> X, _ = load_iris(return_X_y=True)
    >>> with data_parallel() as processes:
    ...     autoencoder = AutoencoderTransformer(2, max_iter=5, random_state=0).fit(X)
    >>> processes.number, processes.is_main
    (1, True)
    """
    with _initialized():
        token = _TOGETHER.set(_processes_of(group))
        try:
            yield _TOGETHER.get()
        finally:
            _TOGETHER.reset(token)


def _processes_of(group: Any) -> Processes:
    if not (distributed.is_available() and distributed.is_initialized()):
        return Processes()
    group = distributed.group.WORLD if group is None else group
    rank, number = distributed.get_rank(group), distributed.get_world_size(group)
    if rank < 0:
        raise ValueError(
            f"group={group!r} does not have this process, {distributed.get_rank()} of "
            f"{distributed.get_world_size()}. Only its members may enter data_parallel(group)."
        )
    return Processes(number, rank, group)


@contextmanager
def _initialized() -> Iterator[None]:
    """Make the processes known to one another, if there are several and nobody has done it."""
    started = int(os.environ.get("WORLD_SIZE", 1)) > 1
    if not started or not distributed.is_available() or distributed.is_initialized():
        yield
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
    store, rank, number = _meeting_place()
    distributed.init_process_group(store=store, rank=rank, world_size=number)
    try:
        yield
    finally:
        distributed.destroy_process_group()


@cache
def _launched() -> tuple[Any, int, int]:
    """Return where the processes of a launcher find one another, their rank and their number."""
    return next(distributed.rendezvous("env://"))


_blocks = count()


def _meeting_place() -> tuple[Any, int, int]:
    """Return the same with a place of its own for each block: what the last one left is there."""
    store, rank, number = _launched()
    return distributed.PrefixStore(f"data_parallel/{next(_blocks)}", store), rank, number
