"""Training with rows held out: the best epoch of the best of several candidates."""

from collections.abc import Sequence
from functools import partial
from math import ceil
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import t as student
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor, nn

from ._progress import Moment
from ._rows import StandardizedRows
from ._training import Entry, Run, TrainingSettings, alike, enough, session, unit_of
from ._warnings import warn
from .nn import RowLoss
from .noise import Noise

LEVEL = 0.01  # of the test of whether training is better than none
_LEAST_ROWS = 30  # held out, below which their mean loss is too far from normal to be tested

# The shares of all epochs at which the worst of several candidates leaves.
LEAVING = 0.3, 0.45, 0.6


class Candidate(NamedTuple):
    """One of the ways to train that rows held out choose from: a network for each fold."""

    parts: Sequence[tuple[nn.Module, RowLoss, StandardizedRows]]
    held_out: Sequence[StandardizedRows]
    noise: Noise | None = None  # in the place of that of the settings; not when epochs are judged
    seed: int | None = None  # in the place of that of the settings


class Validated(NamedTuple):
    """What training with validation found of a candidate."""

    loss_curve: list[float]  # (n_epochs,), the mean of all networks
    validation_loss_curve: list[float]  # (n_epochs + 1,): the first is the untrained network's
    best_iter: int  # 0 where no epoch was better than none


class Contest(NamedTuple):
    """Candidates for one place, and what the rows are that all of them are judged by."""

    candidates: Sequence[Candidate]
    groups: np.ndarray | None = None  # (n_validation,) of int: rows that belong together


def train_with_validation(
    contests: Sequence[Contest],
    settings: TrainingSettings,
    *,
    judge: RowLoss | None = None,
    label: str | None = None,
    keep_weights: bool = True,
) -> list[tuple[int, list[Validated]]]:
    """Train networks side by side, each with rows held out, and find the best epoch.

    A candidate of one part is a hold-out, one of several is the folds of a cross-validation: an
    epoch is judged by all validation rows together. Of several candidates, all judged by the same
    rows, the worst leaves at each of the shares `LEAVING` of all epochs (as in successive halving:
    Jamieson & Talwalkar 2016, arXiv:1502.07943). Several contests have nothing to do with one
    another, but for their epochs.

    The best epoch is left at 0, the untrained networks of the first candidate, unless it lowers
    their loss of the validation rows significantly (a paired t-test of the rows' losses,
    one-sided, at 1 % divided by the number of candidates; less than 30 rows prove nothing). Rows
    that belong together, by the numbers of their groups, count as one there: they do not err
    independently.

    With a ``judge``, an epoch is judged by this other loss of rows without noise, and the
    lowest one is the best, be it by little. The label is what a progress bar says.

    Returns
    -------
    list of tuple (chosen, validated), one for each contest
        The candidate of the lowest validation loss, or the first if no epoch is better than none;
        and what was found of each, a list of Validated.

    Notes
    -----
    With ``keep_weights``, the networks of the candidates chosen end with their weights at its best
    epoch. All others end with any.
    """
    candidates = [candidate for contest in contests for candidate in contest.candidates]
    networks = [network for network, *_ in candidates[0].parts]
    name = _described(label, len(contests[0].candidates), len(networks), len(contests))
    label = label or ("training" if len(networks) == 1 else "cross-validation")
    kept = settings.journal.training(name, settings.max_iter, _all_rows(candidates))
    if kept.has_ended:
        return kept.take(partial(_as_left, contests))
    with session(settings, networks, label, name, kept.n_epochs) as epochs:
        runs = _runs(candidates, settings, judge)
        losses = _by_candidate([run.validation_losses() for run in runs])
        fields, n_before = [], 0
        for contest in contests:
            fields.append(_Field(contest, n_before, losses, settings, judge))
            n_before += len(contest.candidates)
        races = {number: race for field in fields for number, race in field.races.items()}
        if keep_weights:
            for number, race in races.items():
                race.states = _states(runs, number)
        leaving = {ceil(share * settings.max_iter) for share in LEAVING}
        runs = kept.take(partial(_go_on, fields, runs)) or runs
        epoch = kept.n_epochs
        while epoch < settings.max_iter:
            epoch += 1
            epochs.begin()
            training = _by_candidate([run.epoch() for run in runs])
            losses = _by_candidate([run.validation_losses() for run in runs])
            stopped = any(run.stopped for run in runs)
            for field in fields:
                for number in sorted(field.running):
                    race = races[number]
                    better = race.note(float(training[number].mean()), losses[number])
                    if better and keep_weights:
                        race.states = _states(runs, number)
                    if race.is_over(settings, stopped):
                        field.running.discard(number)
            leader = fields[0].best  # whose numbers are those of the first contest
            best = races[leader]
            stopped |= epochs.end(
                partial(_moment, runs, list(fields[0].races.values()), leader),
                loss=best.curve[-1],
                validation=best.validation_curve[-1],
            )
            if epoch in leaving:
                for field in fields:
                    field.let_worst_leave()
            running = set().union(*(field.running for field in fields))
            if stopped or not running:
                break
            for run in runs:
                run.keep(running)
            runs = [run for run in runs if run.keys]
            kept.keep(epoch, partial(_state, fields, runs))
        for field in fields:
            for network, state in races[field.best].states:
                network.load_state_dict(state)
        for run in runs:
            run.close()
    found = [field.result(settings) for field in fields]
    kept.end(epoch, partial(_left, contests, found, keep_weights))
    return found


def _all_rows(candidates: Sequence[Candidate]) -> list[StandardizedRows]:
    return [
        some
        for one in candidates
        for rows in ([rows for _, _, rows in one.parts], one.held_out)
        for some in rows
    ]


def _state(fields: Sequence["_Field"], runs: Sequence[Run]) -> dict[str, Any]:
    """Return what an epoch leaves to the next one."""
    return {
        "fields": [[sorted(field.racing), sorted(field.running)] for field in fields],
        "races": [race.state() for field in fields for race in field.races.values()],
        "runs": [run.state() for run in runs],
    }


def _go_on(fields: Sequence["_Field"], runs: Sequence[Run], state: dict[str, Any]) -> list[Run]:
    """Go on from what `_state` has returned in another process, with the trainings that do."""
    for field, (racing, running) in zip(fields, state["fields"], strict=True):
        field.racing, field.running = set(racing), set(running)
    races = [race for field in fields for race in field.races.values()]
    for race, of_race in zip(races, state["races"], strict=True):
        race.load_state(of_race)
    for run in runs:
        run.keep(set().union(*(field.running for field in fields)))
    runs = [run for run in runs if run.keys]
    for run, of_run in zip(runs, state["runs"], strict=True):
        run.load_state(of_run)
    return runs


def _left(contests: Sequence[Contest], found, keep_weights: bool) -> dict[str, Any]:
    """Return what was found, and the networks that were chosen."""
    pairs = list(zip(contests, found, strict=True)) if keep_weights else []
    return {
        "found": [[chosen, [list(of_one) for of_one in several]] for chosen, several in found],
        "networks": [
            [dict(network.state_dict()) for network, *_ in contest.candidates[chosen].parts]
            for contest, (chosen, _) in pairs
        ],
    }


def _as_left(contests: Sequence[Contest], left: dict[str, Any]):
    """Let the networks be as they were, if they were kept, and return what was found."""
    found = []
    for chosen, several in left["found"]:
        found.append((chosen, [Validated(*of_one) for of_one in several]))
    for number, states in enumerate(left["networks"]):
        parts = contests[number].candidates[found[number][0]].parts
        for (network, *_), state in zip(parts, states, strict=True):
            network.load_state_dict(state)
            network.eval()
    return found


class _Field:
    """The candidates of a contest, by their numbers among those of all contests."""

    def __init__(self, contest: Contest, n_before: int, losses, settings, judge) -> None:
        first = contest.candidates[0]
        self.first, self.groups, self.judged = n_before, contest.groups, judge is not None
        self.weight = np.concatenate([rows.sample_weight for rows in first.held_out])
        unit = unit_of(judge or first.parts[0][1], losses[n_before], self.weight)
        numbers = range(n_before, n_before + len(contest.candidates))
        self.races = {i: _Race(losses[i], self.weight, settings.tol * unit) for i in numbers}
        self.racing, self.running = set(numbers), set(numbers)

    @property
    def best(self) -> int:
        return min(sorted(self.racing), key=lambda number: self.races[number].lowest)

    def let_worst_leave(self) -> None:
        if len(self.racing) > 1:
            self.racing.discard(max(self.racing, key=lambda number: self.races[number].lowest))
            self.running &= self.racing

    def result(self, settings: TrainingSettings) -> tuple[int, list[Validated]]:
        """Return which candidate is chosen, and what was found of each."""
        chosen, start = self.best, self.races[self.first].start
        best = self.races[chosen]
        if best.diverged:
            _warn_of_divergence(best, settings)
        level = LEVEL / len(self.races)  # each might be the one that is better by chance
        better = is_proven(start - best.best, self.weight, self.groups, level)
        if not self.judged and not better:
            chosen = self.first
            self.races[chosen].best_iter = 0
        return chosen - self.first, [race.result for race in self.races.values()]


def _described(label: str | None, n_candidates: int, n_folds: int, n_contests: int) -> str:
    """Return what callbacks know a training by: what it is for, or how many networks it has."""
    numbers = {"candidates": n_candidates, "folds": n_folds, "fits": n_contests}
    several = [f"{number} {what}" for what, number in numbers.items() if number > 1]
    return label or " in ".join(several) or "training"


def _moment(runs: Sequence[Run], races: Sequence["_Race"], candidate: int, fold: int) -> Moment:
    key = candidate, fold
    network = next(run.network_of(key) for run in runs if key in run.keys)
    now = [race.result for race in races]
    return Moment(network, *now[candidate][:2], candidate, fold, now)


# What a race knows beside its start.
_OF_A_RACE = ("best", "curve", "validation_curve", "best_iter", "waited", "goal", "diverged")


class _Race:
    """How a candidate does, epoch by epoch."""

    def __init__(self, start: np.ndarray, weight: np.ndarray, tol: float) -> None:
        self.start = self.best = start  # (n_validation,), losses of the rows held out
        self.weight = weight
        self.tol = tol
        self.curve: list[float] = []
        self.validation_curve = [float(np.average(start, weights=weight))]
        self.best_iter, self.waited = 0, 0
        self.goal = self.validation_curve[0] - tol
        self.diverged = False
        self.states: list[tuple[nn.Module, dict[str, Tensor]]] = []  # at the best epoch

    @property
    def lowest(self) -> float:
        return self.validation_curve[self.best_iter]

    def state(self) -> dict[str, Any]:
        """Return what is known beside the start."""
        states = [state for _, state in self.states]
        return {**{name: getattr(self, name) for name in _OF_A_RACE}, "states": states}

    def load_state(self, state: dict[str, Any]) -> None:
        states = zip(self.states, state["states"], strict=True)
        self.states = [(network, known) for (network, _), known in states]
        vars(self).update({name: state[name] for name in _OF_A_RACE})

    @property
    def result(self) -> Validated:
        return Validated(list(self.curve), list(self.validation_curve), self.best_iter)

    def note(self, loss: float, losses: np.ndarray) -> bool:
        """Note an epoch, and say whether it is the best one so far."""
        self.curve.append(loss)
        self.validation_curve.append(float(np.average(losses, weights=self.weight)))
        self.waited += 1
        if self.validation_curve[-1] < self.goal:
            self.goal, self.waited = self.validation_curve[-1] - self.tol, 0
        better = self.validation_curve[-1] < self.lowest
        if better:
            self.best, self.best_iter = losses, len(self.curve)
        return better

    def is_over(self, settings: TrainingSettings, stopped: bool) -> bool:
        """Whether the training has diverged, waited long enough for progress, or has learnt all.

        The loss of an epoch that a callback has cut short may be no number.
        """
        loss = 0.0 if stopped else self.curve[-1]
        self.diverged = not np.isfinite([loss, self.validation_curve[-1]]).all()
        has_waited = self.waited >= settings.n_iter_no_change
        return self.diverged or has_waited or enough(self.curve, settings)


def _warn_of_divergence(race: _Race, settings: TrainingSettings) -> None:
    warn(
        f"The training loss is {race.curve[-1]} and the validation loss "
        f"{race.validation_curve[-1]} after epoch {len(race.curve)}: training diverged with "
        f"learning_rate_init={settings.learning_rate_init} "
        f"and ends there; epoch {race.best_iter} is kept. Lower it, or scale X.",
        ConvergenceWarning,
    )


def is_proven(
    gain: np.ndarray, weight: np.ndarray, groups: np.ndarray | None = None, level: float = LEVEL
) -> bool:
    """Whether enough rows were held out to say that their mean gain is above zero, and it is.

    Parameters
    ----------
    gain, weight : ndarray of shape (n_validation,)
    groups : ndarray of int of shape (n_validation,), optional
        Which rows belong together.
    level : float
        Of the test, which is one-sided.
    """
    return len(weight) >= _LEAST_ROWS and _is_better(gain, weight, groups, level)


def _is_better(
    gain: np.ndarray, weight: np.ndarray, groups: np.ndarray | None = None, level: float = LEVEL
) -> bool:
    """Whether the weighted mean gain of the rows is above zero beyond its own scatter.

    With groups, it is the scatter of their means.
    """
    if groups is not None:
        total = np.bincount(groups, weights=weight * gain)
        weight = np.bincount(groups, weights=weight)
        total, weight = total[weight > 0], weight[weight > 0]
        gain = total / weight
    mean = np.average(gain, weights=weight)
    n_effective = weight.sum() ** 2 / (weight**2).sum()
    if n_effective < 2:
        return False
    error = np.sqrt(np.average((gain - mean) ** 2, weights=weight) / (n_effective - 1))
    return bool(mean > student.ppf(1 - level, n_effective - 1) * error)


def _runs(
    candidates: Sequence[Candidate], settings: TrainingSettings, judge: RowLoss | None
) -> list[Run]:
    """Return trainings of all networks, of several at once where they can stand side by side."""
    entries = [
        Entry(*part, candidate.noise or settings.noise, held_out, (i, fold), candidate.seed)
        for i, candidate in enumerate(candidates)
        for fold, (part, held_out) in enumerate(
            zip(candidate.parts, candidate.held_out, strict=True)
        )
    ]
    groups = alike(entries, settings) if judge is None else [[entry] for entry in entries]
    return [Run(some, settings, judge, private=len(entries) > 1) for some in groups]


def _states(runs: Sequence[Run], candidate: int) -> list[tuple[nn.Module, dict[str, Tensor]]]:
    """Return the networks of a candidate, and copies of their numbers as they are now."""
    return [state for run in runs for state in run.states(candidate)]


def _by_candidate(results: Sequence[dict[tuple[int, int], Any]]) -> dict[int, np.ndarray]:
    """Return what networks have, one after the other for each candidate, in the order of folds."""
    everything = sorted(item for result in results for item in result.items())
    found: dict[int, list] = {}
    for (candidate, _), values in everything:
        found.setdefault(candidate, []).append(values)
    return {candidate: np.hstack(values) for candidate, values in found.items()}
