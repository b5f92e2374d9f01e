"""Training and applying networks: arrays in, arrays out. The only module that knows skorch."""

import copy
import dis
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from math import cos, pi
from typing import Any, NamedTuple

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, InputShapeSetter
from skorch.exceptions import SkorchException
from torch import Tensor, nn

from ._journal import Journal, digest
from ._processes import Processes, SharedBatches, sum_gradients
from ._progress import Epochs, Moment, Report, View, epochs_of
from ._rows import (
    Batches,
    BatchesSideBySide,
    RowsSideBySide,
    StandardizedRows,
    dense_chunks,
    places_among,
)
from ._seeding import torch_generator
from ._threads import single_thread
from .nn import (
    LossSideBySide,
    PenalizedLoss,
    RowLoss,
    fixed_draws,
    likeness,
    multiplications,
    part_of,
    random_layers,
    seed_layers,
    side_by_side,
    values_per_row,
)
from .noise import Noise, corrupted

SOLVERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": partial(torch.optim.AdamW, fused=True),
    "sgd": partial(torch.optim.SGD, momentum=0.9, nesterov=True),
    "nadam": partial(torch.optim.NAdam, decoupled_weight_decay=True),
    "radam": partial(torch.optim.RAdam, decoupled_weight_decay=True),
    "adamax": torch.optim.Adamax,
    "adagrad": torch.optim.Adagrad,
    "rmsprop": torch.optim.RMSprop,
}

# Those that divide by the root of an average of squares, and what is left of it after a step, as
# they have it themselves. That of "rmsprop" forgets ten times as fast.
_WITH_SQUARES = ("adam", "nadam", "radam")
OWN_SQUARES_DECAY = 0.999


def _one_cycle(progress: float, warm_up: float = 0.05) -> float:
    """Rise from a 25th along half a cosine, then fall to zero along the other half."""
    if progress < warm_up:
        return 0.04 + 0.96 * (1 - cos(pi * progress / warm_up)) / 2
    return (1 + cos(pi * (progress - warm_up) / (1 - warm_up))) / 2


# The share of learning_rate_init at a share of all steps.
SCHEDULES: dict[str, Callable[[float], float]] = {
    "averaged": lambda progress: _one_cycle(progress) if progress < 0.05 else 1.0,
    "constant": lambda progress: 1.0,
    "adaptive": lambda progress: 1.0,
    "cosine": lambda progress: (1 + cos(pi * progress)) / 2,
    "one_cycle": _one_cycle,
}

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}

_EVALUATION_BATCH = 1024  # rows
_APPLIED_VALUES = 2**19  # of the widest layer at one time, where a network is applied
_MAP_VALUES = 2**20  # of the largest feature map at one time, where nothing is trained
_OF_PARTNERS = 0xFA1  # which tells the seed of what is drawn for partners from others
_AVERAGED_STEPS = 32  # of an epoch, that an average of weights has or a few more

# A network of this many multiplications a batch trains as fast on one thread as on two.
_SMALL_WORK = 5e7

# skorch's words for what has a word of ours.
_OUR_WORDS = {
    "module": "encoder and decoder",
    "criterion": "loss",
    "optimizer": "solver",
    "lr": "learning_rate_init",
    "optimizer__lr": "learning_rate_init",
    "optimizer__weight_decay": "alpha",
    "optimizer__param_groups": "alpha",
    "callbacks__print_log": "verbose",
    "max_epochs": "max_iter",
    "batch_size": "batch_size",
    "iterator_train": "shuffle and batch_size",
    "dataset": "X in fit",
    "train_split": "validation_fraction",
    "callbacks": "callbacks",
    "warm_start": "warm_start",
    "verbose": "verbose",
    "device": "device",
}


@dataclass(frozen=True)
class TrainingSettings:
    """How to train: the estimators' parameters of these names, resolved."""

    solver: str
    learning_rate: str
    learning_rate_init: float
    alpha: float
    batch_size: int
    max_iter: int
    n_iter_no_change: int
    tol: float
    shuffle: bool
    device: str
    precision: str
    verbose: bool
    seed: int
    squares_decay: float = OWN_SQUARES_DECAY
    callbacks: Sequence[Callback] = ()
    net_params: dict[str, Any] = field(default_factory=dict)
    noise: Noise | None = None
    enough: float = -np.inf  # a training loss below which training ends
    report: Report = field(default_factory=Report)  # where the fit tells of what it does
    journal: Journal = field(default_factory=Journal)  # where it writes down how far it is
    view: View | None = None  # how scikit-learn's callbacks may look at an epoch
    processes: Processes = Processes()  # noqa: RUF009  (it is frozen)

    @property
    def shares_a_solver(self) -> bool:
        """Whether networks are trained as one like each by itself: a solver sees numbers only."""
        plain = all(name.startswith("optimizer__") for name in self.net_params)
        return plain and not self.callbacks and self.learning_rate != "adaptive"


class Trained(NamedTuple):
    """What training on all rows leaves behind."""

    loss_curve: list[float]  # (n_epochs,)
    solver_state: dict[str, Any]  # of a training that a journal has replayed there is none


def resolve_device(device: str) -> str:
    """Return the device that ``"auto"`` stands for; refuse one that is not there."""
    available = {"cpu": True, "cuda": torch.cuda.is_available()}
    available["mps"] = torch.backends.mps.is_available()
    if device == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if available[name])
    if not available[device]:
        raise ValueError(
            f"device={device!r} is not available to torch on this machine; expected one of "
            f"{[name for name in available if available[name]]}. Use device='auto' to take "
            "the best there is."
        )
    return device


def check_net_params(net_params: dict[str, Any] | None) -> dict[str, Any]:
    """Refuse skorch's names for what the estimators name themselves."""
    for name in net_params or {}:
        if name in _OUR_WORDS:
            raise ValueError(
                f"net_params={net_params!r} sets {name!r}, which the parameter "
                f"{_OUR_WORDS[name]} of the estimator decides. Set that one instead."
            )
    return dict(net_params or {})


def check_callbacks(callbacks: Sequence[Callback] | None) -> tuple[Callback, ...]:
    """Refuse skorch's callback that would build the network anew."""
    for given in callbacks or ():
        callback = given[1] if isinstance(given, tuple) else given
        if isinstance(callback, InputShapeSetter):
            raise ValueError(
                f"callbacks={callbacks!r} has an InputShapeSetter, which builds the network for "
                "the number of columns of X. The estimator does so itself; leave it out."
            )
    return tuple(callbacks or ())


def train(
    network: nn.Module,
    loss: RowLoss,
    rows: StandardizedRows,
    settings: TrainingSettings,
    *,
    solver_state: dict[str, Any] | None = None,
    label: str = "training",
) -> Trained:
    """Train a network in place on all the rows for ``settings.max_iter`` epochs.

    ``solver_state`` is where an earlier training left the solver; the label is what a
    progress bar calls this one.
    """
    entries = [Entry(network, loss, rows, settings.noise)]
    (curve,), state = _train(entries, settings, label, solver_state)
    return Trained(curve, state)


def train_each(
    entries: Sequence["Entry"], settings: TrainingSettings
) -> dict[tuple[int, int], list[float]]:
    """Train networks in place, each on all its rows, as one where they are alike.

    Returns their loss curves, by their keys.
    """
    curves: dict[tuple[int, int], list[float]] = {}
    for some in alike(entries, settings):
        label = "training" if len(some) == 1 else f"{len(some)} trainings"
        of_some, _ = _train(some, settings, label)
        curves |= {entry.key: curve for entry, curve in zip(some, of_some, strict=True)}
    return curves


def alike(entries: Sequence["Entry"], settings: TrainingSettings) -> list[list["Entry"]]:
    """Return entries in groups that can be trained as one, in the order of their first ones."""
    together = len(entries) > 1 and settings.shares_a_solver
    groups: dict[Any, list[Entry]] = {}
    for entry in entries:
        kind = likeness(entry.network), likeness(entry.loss)
        sizes = len(entry.rows), 0 if entry.held_out is None else len(entry.held_out)
        # Layers that draw have one generator for all networks that are one.
        seed = entry.seed if random_layers(entry.network) else None
        key = (*kind, sizes, seed) if together and None not in kind else entry.key
        groups.setdefault(key, []).append(entry)
    return list(groups.values())


def _train(
    entries: list["Entry"],
    settings: TrainingSettings,
    label: str,
    solver_state: dict[str, Any] | None = None,
) -> tuple[list[list[float]], dict[str, Any]]:
    """Train networks as one on all their rows, and return their loss curves and the solver's state.

    Of a training that a journal has replayed there is no state.
    """
    all_rows, networks = [entry.rows for entry in entries], [entry.network for entry in entries]
    kept = settings.journal.training(label, settings.max_iter, all_rows)
    if kept.has_ended:
        return kept.take(partial(_as_left, networks)), {}
    curves: list[list[float]] = [[] for _ in entries]
    stopped = False
    with session(settings, networks[:1], label, n_before=kept.n_epochs) as epochs:
        run = Run(entries, settings)
        if solver_state is not None:
            run.net.optimizer_.load_state_dict(copy.deepcopy(solver_state))
        kept.take(partial(_go_on, run, curves))
        while (
            len(curves[0]) < settings.max_iter
            and not stopped
            and not all(enough(curve, settings) for curve in curves)
        ):
            epochs.begin()
            try:
                losses = [*run.epoch().values()]
            except (KeyError, SkorchException) as error:
                if "valid_loss" not in str(error):
                    raise
                raise ValueError(
                    "A callback asks for 'valid_loss', but all rows are trained on. Set "
                    "early_stopping=True and a number as validation_fraction to hold some out."
                ) from error
            for curve, loss in zip(curves, losses, strict=True):
                curve.append(loss)
            diverged = [loss for loss in losses if not np.isfinite(loss)]
            if diverged and not run.stopped:
                raise ValueError(
                    f"The training loss is {diverged[0]} after epoch {len(curves[0])}: training "
                    f"diverged with learning_rate_init={settings.learning_rate_init}. Lower "
                    "it, or scale X."
                )
            moment = partial(_moment, run, curves[0])
            stopped = epochs.end(moment, loss=float(np.mean(losses))) or run.stopped
            kept.keep(len(curves[0]), partial(_state, run, curves))
        run.give_back()
        run.close()
    kept.end(len(curves[0]), partial(_left, networks, curves))
    return curves, run.net.optimizer_.state_dict()


def _state(run: "Run", curves: list[list[float]]) -> dict[str, Any]:
    return {"curves": curves, "run": run.state()}


def _go_on(run: "Run", curves: list[list[float]], state: dict[str, Any]) -> None:
    """Go on from what `_state` has returned in another process."""
    run.load_state(state["run"])
    for curve, known in zip(curves, state["curves"], strict=True):
        curve += known


def _left(networks: list[nn.Module], curves: list[list[float]]) -> dict[str, Any]:
    return {"curves": curves, "networks": [dict(network.state_dict()) for network in networks]}


def _as_left(networks: list[nn.Module], left: dict[str, Any]) -> list[list[float]]:
    for network, state in zip(networks, left["networks"], strict=True):
        network.load_state_dict(state)
        network.eval()
    return left["curves"]


def _moment(run, curve, fold) -> Moment:
    return Moment(run.network_of((0, fold)), list(curve))


def enough(curve: list[float], settings: TrainingSettings) -> bool:
    return bool(curve) and curve[-1] < settings.enough


def unit_of(loss: RowLoss, losses: np.ndarray, weight: np.ndarray) -> float:
    """Return what a fall of a loss is measured by, from the losses of some rows at the start.

    Losses of standardized rows have a unit. One of the user's, or a log-density, may be of any
    size and sign: its unit is the rows' standard deviation, which no constant changes.
    """
    if not loss.has_own_unit:
        return 1.0
    return float(
        np.sqrt(np.average((losses - np.average(losses, weights=weight)) ** 2, weights=weight))
    )


class Entry(NamedTuple):
    """A network that is trained, by itself or as one with others."""

    network: nn.Module
    loss: RowLoss
    rows: StandardizedRows
    noise: Noise | None
    held_out: StandardizedRows | None = None
    key: tuple[int, int] = (0, 0)  # candidate and fold
    seed: int | None = None  # in the place of that of the settings


class Run:
    """One network in training, or several as one: a skorch net that is asked for one epoch."""

    def __init__(self, entries, settings, judge=None, *, private=False) -> None:
        # Each fold of a cross-validation has its own copies of the user's callbacks, which
        # themselves see the one training that the fitted network comes from.
        callbacks = copy.deepcopy(settings.callbacks) if private else settings.callbacks
        self.entries: list[Entry] = list(entries)
        self.alone = len(entries) == 1
        seeds = [settings.seed if entry.seed is None else entry.seed for entry in entries]
        seeded = list(zip(entries, seeds, strict=True))
        self.how: dict[str, list] = {
            "generator": [torch_generator(seed) if settings.shuffle else None for seed in seeds],
            "corrupt": [_corruption(entry.noise, seed, entry.rows) for entry, seed in seeded],
            "draw": [
                torch_generator(seed ^ _OF_PARTNERS) if entry.rows.partners else None
                for entry, seed in seeded
            ],
        }
        watch, network, loss = None, entries[0].network, entries[0].loss
        if not self.alone:
            network = side_by_side([entry.network for entry in entries])
            loss = LossSideBySide(side_by_side([entry.loss for entry in entries]), network)
        self.network = network
        seed_layers(network, seeds[0], settings.device)
        if entries[0].held_out is not None:
            watch = _Validation([entry.held_out for entry in entries], seeds, settings, judge)
        self.watch = watch
        n_batches = len(self.rows.batches(settings.batch_size, **self._how()))
        self.shared = None
        if settings.processes.are_several:
            _refuse_what_is_not_shared(self.entries, settings, len(self.rows) // n_batches)
            settings.processes.begin_alike(network)
            self.shared = _Shared(settings.processes)
        self.average = _Average(n_batches) if settings.learning_rate == "averaged" else None
        self.stopped = False
        self.schedule = _Schedule(settings, n_batches, watch)
        self.net = NeuralNet(
            network if settings.precision == "float32" else _Autocast(network, settings),
            criterion=loss,
            optimizer=SOLVERS[settings.solver],
            optimizer__lr=settings.learning_rate_init,
            **_weight_decay(settings.alpha),
            **_moments(settings),
            max_epochs=settings.max_iter,
            batch_size=settings.batch_size,
            iterator_train=self._batches,
            train_split=None,
            callbacks=[
                *([] if self.shared is None else [("shared", self.shared)]),
                *([] if self.average is None else [("average", self.average)]),
                *([] if watch is None else [("validation", watch)]),
                ("schedule", self.schedule),
                *callbacks,
            ],
            callbacks__print_log=None,
            verbose=0,
            device=settings.device,
            **settings.net_params,
        ).initialize()
        self.net.notify("on_train_begin", X=self.rows, y=None)

    @property
    def keys(self) -> list[tuple[int, int]]:
        return [entry.key for entry in self.entries]

    @property
    def rows(self) -> StandardizedRows | RowsSideBySide:
        if self.alone:
            return self.entries[0].rows
        return RowsSideBySide([entry.rows for entry in self.entries])

    def _how(self) -> dict[str, Any]:
        return {name: one[0] for name, one in self.how.items()} if self.alone else self.how

    def _batches(self, rows, batch_size: int):
        batches = rows.batches(batch_size, **self._how())
        return batches if self.shared is None else self.shared.of(batches)

    def epoch(self) -> dict[tuple[int, int], float]:
        """Train for one epoch and return the mean training losses."""
        try:
            self.net.fit_loop(self.rows, epochs=1)
        except KeyboardInterrupt as interrupt:
            # A callback stops training with the same exception that Ctrl-C raises.
            if not _came_from_callback(interrupt):
                raise
            self.stopped = True
        if self.alone:
            return {self.entries[0].key: self._mean_loss()}
        means = self.net.criterion_.take_means().tolist()
        return dict(zip(self.keys, means, strict=True))

    def _mean_loss(self) -> float:
        epoch = self.net.history[-1]
        if "train_loss" in epoch:
            return float(epoch["train_loss"])
        # A callback has ended training within the epoch, perhaps before its first batch.
        batches = [batch for batch in epoch["batches"] if "train_batch_size" in batch]
        if not batches:
            return float("nan")
        losses = [batch["train_loss"] for batch in batches]
        return float(np.average(losses, weights=[b["train_batch_size"] for b in batches]))

    def validation_losses(self) -> dict[tuple[int, int], np.ndarray]:
        """Return the losses of the rows held out, after the last epoch."""
        assert self.watch is not None
        return dict(zip(self.keys, self.watch.losses_, strict=True))

    def states(self, candidate: int) -> list[tuple[nn.Module, dict[str, Tensor]]]:
        """Return the networks of a candidate, and copies of their numbers as they are now."""
        result = []
        for place, entry in enumerate(self.entries):
            if entry.key[0] == candidate:
                copies = {name: tensor.clone() for name, tensor in self._numbers(place).items()}
                result.append((entry.network, copies))
        return result

    def network_of(self, key: tuple[int, int]) -> nn.Module:
        """Return a copy of one of the networks as it is now, on the CPU."""
        place = self.keys.index(key)
        network = copy.deepcopy(self.entries[place].network)
        network.load_state_dict(self._numbers(place))
        return network.cpu().eval()

    def _numbers(self, place: int) -> dict[str, Tensor]:
        """Return the numbers of one of the networks, which are still in training."""
        network = self.entries[place].network
        own = network.state_dict()
        return own if self.alone else own | part_of(self.network, place, network)

    def state(self) -> dict[str, Any]:
        """Return what an epoch leaves to the next one, beside what is there before the first."""
        return {
            "network": dict(self.net.module_.state_dict()),
            "solver": self.net.optimizer_.state_dict()["state"],
            "average": None if self.average is None else self.average.state(),
            "schedule": self.schedule.state(),
            "generators": [generator.get_state() for generator in self._generators()],
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from what `state` has returned in another process."""
        self.net.module_.load_state_dict(state["network"])
        solver = self.net.optimizer_
        solver.load_state_dict({**solver.state_dict(), "state": state["solver"]})
        if self.average is not None:
            self.average.load_state(state["average"])
        self.schedule.load_state(state["schedule"])
        for generator, drawn in zip(self._generators(), state["generators"], strict=True):
            generator.set_state(drawn)

    def _generators(self) -> list[torch.Generator]:
        """Return all that draws: orders of rows, partners, noise, and layers, which share one."""
        layers = random_layers(self.network)
        corrupt = [noise.generator for noise in self.how["corrupt"] if noise is not None]
        drawn = [*self.how["generator"], *self.how["draw"]]
        drawn = [generator for generator in drawn if generator is not None]
        return [*drawn, *corrupt, *(layer.generator for layer in layers[:1])]

    def keep(self, candidates: set[int]) -> None:
        """Go on with the networks of some candidates only."""
        places = [i for i, entry in enumerate(self.entries) if entry.key[0] in candidates]
        if len(places) == len(self.entries):
            return
        if not places:
            self.close()
            return
        index = torch.tensor(places, device=self.net.device)
        kept: dict[int, Tensor] = {}  # by the identity of what it is a part of
        for part in (self.net.module_, self.net.criterion_):
            for module in part.modules():
                for tensors in (module._parameters, module._buffers):
                    tensors.update(_parts_of(tensors, index, kept))
        solver = self.net.optimizer_
        state = solver.state.copy()
        solver.state.clear()
        for group in solver.param_groups:
            for before in group["params"]:
                of_one = state.get(before, {})
                solver.state[kept[id(before)]] = {
                    name: value[index] if isinstance(value, Tensor) and value.ndim else value
                    for name, value in of_one.items()
                }
            group["params"] = [kept[id(before)] for before in group["params"]]
        if self.average is not None:
            self.average.shown_ = [kept[id(tensor)] for tensor in self.average.shown_]
            self.average.other_ = [tensor[index] for tensor in self.average.other_]
        lists: list[list] = [self.entries, *self.how.values()]
        for several in lists if self.watch is None else [*lists, *self.watch.lists]:
            several[:] = [several[place] for place in places]

    def close(self) -> None:
        if self.average is not None:
            self.average.show()
        self.net.notify("on_train_end", X=self.rows, y=None)
        if self.alone:
            self.entries[0].network.to("cpu").eval().zero_grad()
        self.entries = []

    def give_back(self) -> None:
        """Let networks that were trained as one have the numbers that they have now."""
        for place, entry in enumerate([] if self.alone else self.entries):
            entry.network.load_state_dict(self._numbers(place))
            entry.network.eval()


class _Corruption:
    """A noise with a generator of its own, other than that of the rows' order."""

    def __init__(self, noise: Noise, seed: int, shows_holes: bool) -> None:
        self.noise, self.generator = noise, torch_generator(seed ^ 0x5EED)
        self.shows_holes = shows_holes

    def __call__(self, rows: Tensor) -> Tensor:
        noise = self.noise
        given = rows.clone()  # the rows are the target too
        result = corrupted(noise, given, self.generator, shows_holes=self.shows_holes)
        if not isinstance(result, Tensor) or result.shape != rows.shape:
            shape = tuple(getattr(result, "shape", ()))
            raise ValueError(
                f"{noise!r} turned a batch of shape {tuple(rows.shape)} into "
                f"{type(result).__name__} of shape {shape}; its method corrupt must return a "
                "torch tensor of the same shape."
            )
        return result.to(rows.dtype)


def _corruption(noise: Noise | None, seed: int, rows: StandardizedRows) -> _Corruption | None:
    return None if noise is None else _Corruption(noise, seed, rows.shows_holes)


# What a ladder has beside its weights.
_OF_LADDERS = ("*.shift", "*.gain", "*.curves")


def _weight_decay(alpha: float) -> dict[str, Any]:
    """Return skorch's words for a weight decay of the correction: towards PCA, not to zero."""
    if alpha == 0:
        return {"optimizer__weight_decay": 0.0}  # one group of parameters, for speed
    return {
        "optimizer__weight_decay": alpha,
        "optimizer__param_groups": [
            (name, {"weight_decay": 0.0})
            for name in ("*.linear_path.*", "*bias", "*noise_log_variance", *_OF_LADDERS)
        ],
    }


def _moments(settings: TrainingSettings) -> dict[str, Any]:
    """Return skorch's words for what a solver remembers of gradients and of their squares."""
    if settings.solver not in _WITH_SQUARES or "optimizer__betas" in settings.net_params:
        return {}
    return {"optimizer__betas": (0.9, settings.squares_decay)}


def _came_from_callback(interrupt: KeyboardInterrupt) -> bool:
    """Whether a callback raised it: a raise statement below `notify`.

    Ctrl-C surfaces between statements, be it within a callback.
    """
    trace, notified, raised = interrupt.__traceback__, False, False
    while trace is not None:
        code = trace.tb_frame.f_code
        notified |= code is NeuralNet.notify.__code__
        raised = dis.opname[code.co_code[trace.tb_lasti]] == "RAISE_VARARGS"
        trace = trace.tb_next
    return notified and raised


def _parts_of(
    tensors: dict[str, Tensor | None], index: Tensor, kept: dict[int, Tensor]
) -> dict[str, Tensor]:
    """Return what some of the networks have of tensors, but for those that all networks share."""
    parts = {}
    for name, tensor in tensors.items():
        if tensor is None or not tensor.is_floating_point():
            continue
        if id(tensor) not in kept:
            part = tensor.detach()[index]
            is_learnt = isinstance(tensor, nn.Parameter)
            kept[id(tensor)] = nn.Parameter(part, tensor.requires_grad) if is_learnt else part
        parts[name] = kept[id(tensor)]
    return parts


class _Shared(Callback):
    """Train with the shares that several processes have of each batch as with the whole batches.

    The loss of a share counts as it has rows, and gradients are the sums of those of all shares
    before a step. What is recorded of a batch is what the whole of it has.
    """

    def __init__(self, processes: Processes) -> None:
        self.processes = processes

    def of(self, batches: Any) -> SharedBatches:
        """Return the shares of batches that the next epoch is trained with."""
        self.batches_ = SharedBatches(batches, self.processes)
        return self.batches_

    def on_train_begin(self, net, **kwargs) -> None:
        self.layers_ = random_layers(net.module_)
        self.hook_ = net.criterion_.register_forward_hook(self._share_of_loss)

    def on_train_end(self, net, **kwargs) -> None:
        self.hook_.remove()

    def on_batch_begin(self, net, training=False, **kwargs) -> None:
        if training:
            share = self.batches_.share
            for layer in self.layers_:
                layer.share = share.start, share.n_rows

    def _share_of_loss(self, criterion, given, loss: Tensor) -> Tensor:
        share = self.batches_.share
        self.loss_ = loss * (share.n_own / share.n_rows)
        return self.loss_

    def on_grad_computed(self, net, **kwargs) -> None:
        groups = net.optimizer_.param_groups
        parameters = [parameter for group in groups for parameter in group["params"]]
        self.loss_ = sum_gradients(self.processes, parameters, self.loss_)

    def on_batch_end(self, net, training=False, **kwargs) -> None:
        if training:
            net.history.record_batch("train_loss", self.loss_.item())
            net.history.record_batch("train_batch_size", self.batches_.share.n_rows)
            for layer in self.layers_:
                del layer.share

    def on_epoch_end(self, net, **kwargs) -> None:
        if isinstance(net.criterion_, LossSideBySide):
            net.criterion_.gather(self.processes.sum)


def _refuse_what_is_not_shared(entries, settings: TrainingSettings, least_batch: int) -> None:
    """Raise an error for what several processes can't train as one would."""
    number, refusal = settings.processes.number, None
    if settings.callbacks or settings.report.is_heard:
        refusal = (
            "callbacks, which see one process and may end it before the others. Leave them out"
        )
    for entry in entries:
        for module in [*entry.network.modules(), *entry.loss.modules()]:
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                refusal = "batch normalization, which sees a batch as a whole. Use 'layer'"
            for part in module.penalties if isinstance(module, PenalizedLoss) else ():
                if not getattr(part, "by_row", False):
                    refusal = (
                        f"{part!r}, which sees a batch as a whole, as far as is known. Take "
                        "another penalty, or say by_row = True in the class of yours if what it "
                        "returns for a row depends on that row alone"
                    )
    if refusal is not None:
        raise ValueError(f"{number} processes together do not train with {refusal}.")
    if least_batch < number:
        raise ValueError(
            f"{number} processes can't share batches of {least_batch} rows "
            f"(batch_size={settings.batch_size}): each needs one at least."
        )
    rows = [some for entry in entries for some in (entry.rows, entry.held_out) if some is not None]
    settings.processes.refuse_difference("rows", "; ".join(map(_recognized, rows)))


def _recognized(rows: StandardizedRows) -> str:
    """Return what rows are recognized by: which they are, and in which units."""
    center = round(float(np.linalg.norm(rows.mean)) / rows.scale, 6)
    which = digest(rows.indices, rows.sample_weight)
    return f"{len(rows)} rows ({which}, center {center}, scale {rows.scale:.9g})"


class _Average(Callback):
    """Keep an average of the weights that a training goes through, and show it between epochs.

    A training whose step does not fall ends anywhere around an optimum; the average of its weights
    is as near as if the step had fallen, after any epoch. Its window grows with the training:
    polynomial-decay averaging, Shamir & Zhang 2013, arXiv:1212.1824. Of an epoch of many steps it
    takes every other one, or fewer, as an average costs a good part of what a step does.

    Parameters
    ----------
    n_batches : int
        Steps of an epoch.
    """

    window = 8  # one part in this many of all steps so far

    def __init__(self, n_batches: int) -> None:
        self.every = max(1, n_batches // _AVERAGED_STEPS)

    def on_train_begin(self, net, **kwargs) -> None:
        named = [*net.module_.named_parameters(), *net.module_.named_buffers()]
        # Buffers that are learnt are the statistics of a batch normalization.
        self.shown_ = [t for name, t in named if t.requires_grad or "running_" in name]
        self.other_ = [tensor.detach().clone() for tensor in self.shown_]
        self.n_steps_, self.is_shown_ = 0, False

    def on_epoch_begin(self, net, **kwargs) -> None:
        if self.is_shown_:
            self._exchange()

    def on_batch_end(self, net, training=False, **kwargs) -> None:
        if training:
            self.n_steps_ += 1
            n_averaged, rest = divmod(self.n_steps_, self.every)
            if rest:
                return
            share = (self.window + 1) / (self.window + n_averaged)
            torch._foreach_lerp_(self.other_, [tensor.data for tensor in self.shown_], share)

    def on_epoch_end(self, net, **kwargs) -> None:
        self.show()

    def state(self) -> dict[str, Any]:
        return {"other": self.other_, "n_steps": self.n_steps_, "is_shown": self.is_shown_}

    def load_state(self, state: dict[str, Any]) -> None:
        for tensor, other in zip(self.other_, state["other"], strict=True):
            tensor.copy_(other)
        self.n_steps_, self.is_shown_ = state["n_steps"], state["is_shown"]

    def show(self) -> None:
        """Let the network be the average until the next epoch."""
        if not self.is_shown_:
            self._exchange()

    def _exchange(self) -> None:
        for shown, other in zip(self.shown_, self.other_, strict=True):
            shown.data, other.data = other.data, shown.data
        self.is_shown_ = not self.is_shown_


class _Validation(Callback):
    """Record the loss of rows that are not trained on, by skorch's names for it."""

    def __init__(
        self,
        parts: Sequence[StandardizedRows],
        seeds: Sequence[int],
        settings: TrainingSettings,
        judge: RowLoss | None = None,
    ) -> None:
        self.parts = list(parts)
        self.alone = len(self.parts) == 1  # what stood side by side does so to the last
        self.seeds, self.processes = list(seeds), settings.processes
        self.noise = settings.noise if judge is None else None
        self.judge = judge

    @property
    def lists(self) -> list[list]:
        """What there is of each network, in lists."""
        return [self.parts, self.seeds]

    def on_train_begin(self, net, **kwargs) -> None:
        self.losses_ = self._evaluate(net)  # (n_networks, n_rows)
        self.lowest_ = np.inf

    def on_epoch_end(self, net, **kwargs) -> None:
        self.losses_ = self._evaluate(net)
        if not self.alone:
            return
        loss = float(np.average(self.losses_[0], weights=self.parts[0].sample_weight))
        net.history.record("valid_loss", loss)
        net.history.record("valid_loss_best", loss < self.lowest_)
        self.lowest_ = min(loss, self.lowest_)

    def unit(self, net) -> float:
        """Return what a fall of the loss is measured by."""
        loss = net.criterion_ if self.judge is None else self.judge
        return unit_of(loss, self.losses_[0], self.parts[0].sample_weight)

    def _evaluate(self, net) -> np.ndarray:
        net.module_.eval()
        n_rows = min(_EVALUATION_BATCH, _rows_at_once(net.module_))
        losses = []
        loss = net.criterion_ if self.judge is None else self.judge
        # What is drawn is the same in each epoch, so that epochs can be compared.
        batches = [
            Batches(
                part,
                n_rows,
                corrupt=_corruption(self.noise, seed, part),
                draw=torch_generator(seed ^ _OF_PARTNERS),
            )
            for part, seed in zip(self.parts, self.seeds, strict=True)
        ]
        several: Any = batches[0] if self.alone else BatchesSideBySide(batches)
        # Processes take turns, but where what is drawn for a batch depends on those before.
        turns = Processes() if random_layers(net.module_) else self.processes
        with torch.no_grad(), fixed_draws(net.module_, self.seeds[0], net.device):
            for number, (Z, (target, weight, *more)) in enumerate(several):
                if number % turns.number != turns.rank:
                    losses.append(torch.zeros_like(weight))
                    continue
                Z, target, *more = (tensor.to(net.device) for tensor in (Z, target, *more))
                losses.append(loss.rows(net.module_(Z), target, *more).cpu())
        of_all = torch.cat(losses, dim=-1).double()
        if turns.are_several:
            of_all = turns.sum(of_all.to(net.device)).cpu()
        return of_all.numpy().reshape(len(batches), -1)


class _Schedule(Callback):
    """Set the learning rate before each batch, or lower it when the loss no longer falls."""

    def __init__(
        self, settings: TrainingSettings, n_batches: int, watch: _Validation | None
    ) -> None:
        self.settings = settings
        self.n_steps = settings.max_iter * n_batches
        self.watch = watch

    def initialize(self):
        self.step_ = 0
        self.rate_ = self.settings.learning_rate_init
        self.goal_, self.waited_ = np.inf, 0
        return self

    def state(self) -> list[Any]:
        return [self.step_, self.rate_, self.goal_, self.waited_]

    def load_state(self, state: list[Any]) -> None:
        self.step_, self.rate_, self.goal_, self.waited_ = state

    def on_train_begin(self, net, X=None, **kwargs) -> None:
        unit = 1.0
        if net.criterion_.has_own_unit:
            watch = self.watch
            if watch is None:
                some = places_among(len(X), _EVALUATION_BATCH)
                parts = [
                    rows.others(rows.indices[some], rows.sample_weight[some])
                    for rows in ([X] if isinstance(X, StandardizedRows) else X.parts)
                ]
                watch = _Validation(parts, [self.settings.seed] * len(parts), self.settings)
                watch.on_train_begin(net)
            unit = watch.unit(net)
        self.tol_ = self.settings.tol * unit
        # What adaptive solvers add to a gradient, so that they do not divide by zero.
        if unit > 0 and "optimizer__eps" not in self.settings.net_params:
            for group in net.optimizer_.param_groups:
                if "eps" in group:
                    group["eps"] *= unit

    def on_batch_begin(self, net, training=False, **kwargs) -> None:
        if training:
            progress = min(self.step_ / self.n_steps, 1.0)
            rate = self.rate_ * SCHEDULES[self.settings.learning_rate](progress)
            for group in net.optimizer_.param_groups:
                group["lr"] = rate
            net.criterion_.progress = progress
            self.step_ += 1

    def on_epoch_end(self, net, **kwargs) -> None:
        if self.settings.learning_rate != "adaptive":
            return
        epoch = net.history[-1]
        loss = epoch.get("valid_loss", epoch["train_loss"])
        self.waited_ += 1
        if loss < self.goal_:
            self.goal_, self.waited_ = loss - self.tol_, 0
        if self.waited_ == 2:
            self.rate_, self.waited_ = self.rate_ / 5, 0


class _Autocast(nn.Module):
    """Run a network's matrix products in a shorter floating-point type."""

    def __init__(self, network: nn.Module, settings: TrainingSettings) -> None:
        super().__init__()
        self.network = network
        self.device, self.dtype = settings.device, PRECISIONS[settings.precision]

    def forward(self, Z: Tensor):
        with torch.autocast(self.device, self.dtype):
            output = self.network(Z)
            return type(output)(*(field.float() for field in output))


@contextmanager
def session(settings, networks, label, name=None, n_before=0) -> Iterator[Epochs]:
    """Hold what training borrows: threads, and a line of the terminal.

    The networks are those of the folds; the name is what callbacks know the training by, if it is
    not the label; epochs before are those of a fit that was interrupted.
    """
    work = multiplications(networks[0]) * settings.batch_size
    small = settings.device == "cpu" and work < _SMALL_WORK
    told = epochs_of(
        settings.report,
        label,
        settings.max_iter,
        n_before=n_before,
        name=name,
        n_folds=len(networks),
        view=settings.view,
        verbose=settings.verbose,
    )
    with single_thread(small), told as epochs:
        yield epochs


def _rows_at_once(network: nn.Module) -> int:
    """Return how many rows a network takes without a feature map of too many values."""
    return max(1, _MAP_VALUES // values_per_row(network))


def evaluate(
    function: Callable[[nn.Module, Tensor, Tensor], Tensor],
    network: nn.Module,
    rows: StandardizedRows,
) -> Tensor:
    """Apply a function of a network to training rows, some at a time, and train nothing.

    ``function(network, Z, target)`` returns one row for each row of a batch; the target has NaN
    where a value is missing. The network is left in evaluation mode.
    """
    n_rows = min(_EVALUATION_BATCH, _rows_at_once(network))
    small = multiplications(network) * n_rows < _SMALL_WORK
    network.eval()
    with single_thread(small), torch.no_grad():
        batches = Batches(rows, n_rows)
        return torch.cat([function(network, Z, target) for Z, (target, _) in batches])


def apply(
    function: Callable[[nn.Module, Tensor], Tensor],
    network: nn.Module,
    X,
    *,
    device: str,
    before: Callable[[np.ndarray], np.ndarray] = lambda rows: rows,
    after: Callable[[np.ndarray], np.ndarray] = lambda rows: rows,
    result_dtype: Any = None,
) -> np.ndarray:
    """Apply a part of a network to X, some rows at a time, in the precision of X.

    Parameters
    ----------
    function : callable
        ``function(network, batch)`` returns one row for each row of the batch.
    network : torch.nn.Module
        Left as it is; where the precision or the device is another, a copy is used.
    X : {ndarray, csr_array} of shape (n_samples, n_in)
    device : str
        As the estimators take it. The CPU stands in for one that is not there any more.
    before, after : callable
        What happens to the rows in double precision on their way in and out.
    result_dtype : dtype, optional
        Of the result, if not that of X.

    Returns
    -------
    ndarray of shape (n_samples, n_out) and the dtype of X
    """
    try:
        device = resolve_device(device)
    except ValueError:  # there was one when the network was trained
        device = "cpu"
    dtype = torch.float64 if X.dtype == np.float64 and device != "mps" else torch.float32
    parameter = next(iter(network.parameters()), torch.empty(0))
    work = multiplications(network) * X.shape[0]
    widths = [layer.out_features for layer in network.modules() if isinstance(layer, nn.Linear)]
    n_rows = min(_APPLIED_VALUES // max(X.shape[1], *widths, 1), _rows_at_once(network))
    result = None  # one array from the start: small ones, each kept, would leave memory in pieces
    with single_thread(work < _SMALL_WORK), torch.inference_mode():
        if network.training or (parameter.dtype, parameter.device.type) != (dtype, device):
            network = copy.deepcopy(network).to(device, dtype).eval()
        for chunk, rows in dense_chunks(X, None, max(1, n_rows) * X.shape[1]):
            rows = before(rows)
            rows = rows if rows.flags.writeable else rows.copy()  # of which torch would warn
            batch = torch.from_numpy(rows).to(device, dtype)
            part = after(function(network, batch).cpu().numpy())
            if result is None:
                result = np.empty((X.shape[0], *part.shape[1:]), dtype=result_dtype or X.dtype)
            result[chunk] = part
    assert result is not None  # X has rows
    return result
