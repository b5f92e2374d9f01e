"""What fits tell scikit-learn's own callbacks, and that nothing is told, or changed, without.

Callbacks here follow the protocol of `sklearn.callback`, which older versions do not have.
"""

import pickle
from functools import cache
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback
from torch import nn

import skae
from skae import (
    AutoencoderImputer,
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    ConvolutionalAutoencoderTransformer,
    StackedAutoencoderClassifier,
    VariationalAutoencoderTransformer,
)
from skae._progress import report_of_fit
from skae._training import Run
from skae.datasets import open_rows
from skae.metrics import reconstruction_r2_scorer

HAS_CALLBACKS = find_spec("sklearn.callback") is not None
with_callbacks = pytest.mark.skipif(
    not HAS_CALLBACKS, reason="scikit-learn has callbacks of its own from 1.9 on"
)
if HAS_CALLBACKS:
    from sklearn.callback import CallbackContext, ProgressBar, ScoringMonitor

X, LABELS = load_iris(return_X_y=True)
X_TRAIN, X_OTHER = X[::2], X[1::2]


def quick(n_components=2, **how):
    """Return an autoencoder that has nothing to choose."""
    default = {"hidden_layer_sizes": 8, "init": "pca", "noise": None, "max_iter": 3}
    return AutoencoderTransformer(n_components, **{**default, "random_state": 0, **how})


def quick_classifier(**how):
    counts = {"pretrain_max_iter": 2, "softmax_max_iter": 2, "max_iter": 3}
    return StackedAutoencoderClassifier((6, 3), **{**counts, "random_state": 0, **how})


def path_of(context):
    return (*(path_of(context.parent) if context.parent else ()), context.task_id)


class Told(NamedTuple):
    """What a callback was told."""

    what: str
    path: tuple[int, ...]
    task: str
    n_parts: int | None
    estimator: str


class Recording:
    """Records the tasks that it is told of, and does something at each."""

    def __init__(self, then=lambda told: None):
        self.told, self.then = [], then

    def _note(self, what, context):
        names = context.task_name, context.max_subtasks, context.estimator_name
        self.told.append(Told(what, path_of(context), *names))
        return self.then(self.told[-1])

    def setup(self, estimator, context):
        self._note("setup", context)

    def teardown(self, estimator, context):
        self._note("teardown", context)

    def on_fit_task_begin(self, estimator, context):
        self._note("begin", context)

    def on_fit_task_end(self, estimator, context):
        return self._note("end", context)


class Everywhere(Recording):
    """The same for the estimators that one is made of, too."""

    max_propagation_depth = None


class Judging(Everywhere):
    """Records what it may judge the epochs by."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_fit_task_end(
        self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None
    ):
        self._note("end", context)
        if fitted_estimator is not None:
            self.seen.append((self.told[-1], fitted_estimator, X, y, metadata or {}))

    @property
    def epochs(self):
        return [seen for seen in self.seen if seen[0].task.startswith("epoch")]


def watched(estimator, *rows, callback=None, **how):
    callback = callback or Everywhere()
    estimator.set_callbacks(callback).fit(*rows, **how)
    return callback


def tasks(recording, depth):
    return [
        told.task for told in recording.told if told.what == "begin" and depth == len(told.path)
    ]


# The tree of tasks

FITS = {
    "hold-out": (quick(validation_fraction=0.2), [X]),
    "folds": (quick(), [X]),
    "all rows": (quick(early_stopping=False), [X]),
    "candidates": (AutoencoderTransformer(2, max_iter=4, random_state=0), [X]),
    "pretraining": (quick(pretrain=True, early_stopping=False), [X]),
    "pretraining of folds": (quick(pretrain=True), [X]),
    "ordered": (quick(ordered=True), [X]),
    "a share": (quick(0.9, validation_fraction=0.2), [X]),
    "clean targets": (quick(validation_fraction=0.2), [X, X + 0.1]),
    "holes": (quick(missing="mask"), [np.where(X > 6, np.nan, X)]),
    "batch statistics": (quick(normalization="batch", validation_fraction=0.2), [X]),
    "variational": (VariationalAutoencoderTransformer(2, max_iter=2, random_state=0), [X]),
    "conditional": (
        VariationalAutoencoderTransformer(2, conditional=True, max_iter=2, random_state=0),
        [X, LABELS],
    ),
    "convolutional": (
        ConvolutionalAutoencoderTransformer(1, channels=2, max_iter=2, random_state=0),
        [X],
    ),
    "channels last": (
        ConvolutionalAutoencoderTransformer(
            image_shape={"height": 2, "width": 2, "channels": 1},
            channels=2,
            max_iter=2,
            random_state=0,
        ),
        [X],
    ),
    "classifier": (quick_classifier(), [X, LABELS]),
    "classifier, rows held out": (quick_classifier(early_stopping=True), [X, LABELS]),
    "classifier, weighed": (quick_classifier(class_weight="balanced"), [X[:120], LABELS[:120]]),
    "ladder": (
        StackedAutoencoderClassifier(4, joint="ladder", max_iter=3, random_state=0),
        [X, LABELS],
    ),
    "no fine-tuning": (
        StackedAutoencoderClassifier(4, fine_tune=False, softmax_max_iter=3, random_state=0),
        [X, LABELS],
    ),
    "detector": (AutoencoderOutlierDetector(quick()), [X]),
    # Fits with callbacks of skorch are not one with others.
    "detector, in turn": (AutoencoderOutlierDetector(quick(callbacks=[Callback()])), [X]),
    "imputer": (AutoencoderImputer(quick(missing="mask", early_stopping=False)), [X]),
    "imputer of one": (
        AutoencoderImputer(quick(missing="mask", early_stopping=False), n_estimators=1),
        [X],
    ),
}


@cache
def judged(name):
    """Fit an estimator and return it, and what a callback was told and shown."""
    estimator, rows = FITS[name]
    estimator = clone(estimator)
    return estimator, watched(estimator, *rows, callback=Judging())


@with_callbacks
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", FITS)
def test_every_task_that_begins_ends_within_the_one_that_it_is_a_part_of(name):
    _, recording = judged(name)
    assert [told.what for told in recording.told][:2] == ["setup", "begin"]
    assert [told.what for told in recording.told][-2:] == ["end", "teardown"]
    running, n_parts = set(), {}
    for told in recording.told[1:-1]:
        if told.what == "begin":
            assert told.path not in {*running, *n_parts}
            assert not told.path[:-1] or told.path[:-1] in running
            running.add(told.path)
            n_parts[told.path] = told.n_parts
        else:
            running.remove(told.path)
            assert not any(path[:-1] == told.path for path in running)
    assert not running
    for path, most in n_parts.items():
        found = [other[-1] for other in n_parts if other[:-1] == path]
        assert found == [*range(len(found))]
        assert most is not None
        assert len(found) <= most


@with_callbacks
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", [name for name in FITS if name not in ("detector", "imputer")])
def test_what_an_epoch_leaves_can_judge_rows_as_any_fitted_estimator_does(name):
    estimator, judging = judged(name)
    if name in ("detector, in turn", "imputer of one"):
        assert {seen[1].__class__ for seen in judging.epochs} == {AutoencoderTransformer}
    assert judging.epochs
    for _, fitted, some, y, metadata in judging.epochs:
        assert np.isfinite(fitted.score(some, y, **metadata))
        assert fitted is not estimator
        assert fitted.module_ is not getattr(estimator, "module_", None)
        assert fitted.n_iter_ == len(fitted.loss_curve_) > 0
        assert "_solver_state" not in vars(fitted)


@with_callbacks
@pytest.mark.parametrize(
    ("name", "epochs"),
    [("detector", {"epoch of fold 1", "epoch of fold 5"}), ("imputer", {"epoch"})],
)
def test_fits_that_are_one_have_epochs_that_nothing_can_be_judged_by(name, epochs):
    _, judging = judged(name)
    assert not judging.epochs
    assert {told.task for told in judging.told} >= epochs


@with_callbacks
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("name", "stages"),
    {
        "hold-out": ["training"],
        "folds": ["5 folds", "last training"],
        "all rows": ["training"],
        "candidates": ["4 candidates in 5 folds"],
        "pretraining": ["pretraining", "training"],
        "classifier": ["pretraining", "softmax layer", "fine-tuning"],
        "ladder": ["joint training"],
        "no fine-tuning": ["pretraining", "softmax layer"],
        "detector": ["5 folds in 3 fits", *["last training"] * 3],
        "detector, in turn": ["fit"] * 3,
        "imputer": ["3 trainings"],
        "imputer of one": ["fit"],
    }.items(),
)
def test_stages_are_told_by_their_names_and_how_many_there_are_at_most(name, stages):
    _, recording = judged(name)
    found = tasks(recording, 2)
    assert found in (stages, stages[:1])  # where no epoch is better than none, none is the last
    most = {"candidates": 2, "imputer": 3}.get(name, len(stages))
    assert recording.told[1].n_parts == most


@with_callbacks
@pytest.mark.parametrize(("how", "n_folds"), [({}, 5), ({"validation_fraction": 0.2}, 1)])
def test_every_epoch_of_every_fold_is_told(how, n_folds):
    estimator = quick(max_iter=6, **how)
    recording = watched(estimator, X)
    epochs = [told for told in recording.told if told.path[:2] == (0, 0) and len(told.path) == 3]
    assert len(epochs) == 2 * n_folds * estimator.n_iter_
    names = [f"epoch of fold {i + 1}" for i in range(n_folds)] if n_folds > 1 else ["epoch"]
    # All networks train side by side: those of an epoch begin, and then they end.
    order = [(what, name) for what in ("begin", "end") for name in names]
    assert [(told.what, told.task) for told in epochs] == order * estimator.n_iter_
    stage = next(told for told in recording.told if len(told.path) == 2)
    assert stage.n_parts == 6 * n_folds
    last = [told for told in recording.told if told.what == "begin" and told.path[:2] == (0, 1)]
    assert len(last) == (1 + estimator.best_iter_ if n_folds > 1 and estimator.best_iter_ else 0)


@with_callbacks
def test_layers_that_are_pretrained_are_tasks_of_their_own():
    recording = watched(quick_classifier(), X, LABELS)
    assert tasks(recording, 3)[:2] == ["layer 1 of 2", "layer 2 of 2"]
    assert tasks(recording, 4) == ["epoch"] * 4


@with_callbacks
def test_a_batch_of_a_stream_is_a_fit_with_an_epoch():
    for estimator in (quick(), VariationalAutoencoderTransformer(2), quick_classifier()):
        judging = Judging()
        estimator.set_callbacks(judging)
        known = (
            {"classes": [0, 1, 2]} if isinstance(estimator, StackedAutoencoderClassifier) else {}
        )
        estimator.partial_fit(X, LABELS, **known)
        judging.told, judging.seen = [], []
        estimator.partial_fit(X, LABELS)
        assert [len(told.path) for told in judging.told if told.what == "begin"] == [1, 2, 3]
        ((_, fitted, some, y, _),) = judging.seen
        assert fitted.score(some, y) == estimator.score(X, LABELS)


@with_callbacks
def test_within_pipelines_and_searches_tasks_are_parts_of_theirs():
    pipeline = make_pipeline(StandardScaler(), quick(validation_fraction=0.2))
    recording = watched(pipeline, X)
    assert tasks(recording, 2) == ["fit", "fit"]
    assert tasks(recording, 3) == ["training"]
    assert tasks(recording, 4) == ["epoch"] * 3
    pipeline.set_callbacks()
    search = GridSearchCV(pipeline, {"autoencodertransformer__n_components": [1, 2]}, cv=2)
    recording = watched(search, X)
    # Two candidates in two splits, and once more.
    assert tasks(recording, 5).count("training") == 4
    assert tasks(recording, 6) == ["epoch"] * 12
    assert [told.what for told in recording.told].count("setup") == 1


@with_callbacks
def test_callbacks_of_the_autoencoder_see_the_detector_that_it_is_a_part_of():
    recording = Recording()
    inner = quick(early_stopping=False).set_callbacks(recording)
    AutoencoderOutlierDetector(inner).fit(X)
    assert {told.path[:1] for told in recording.told} == {(0,)}
    begun = [told.path for told in recording.told if told.task == "training"]
    assert begun[::2] == [(0, 0, 0), (0, 1, 0), (0, 2, 0)]


# What epochs are judged by


@with_callbacks
def test_monitored_scores_are_those_of_rows_held_out():
    how = {"learning_rate": "constant", "learning_rate_init": 0.003}
    monitor = ScoringMonitor(scoring={"r2": reconstruction_r2_scorer})
    given = quick(validation_fraction=X_OTHER, **how).set_callbacks(monitor)
    given.fit(X_TRAIN)
    by_hand = [
        quick(early_stopping=False, max_iter=n, **how).fit(X_TRAIN).score(X_OTHER)
        for n in (1, 2, 3)
    ]
    logged = [row["r2"] for row in monitor.get_logs().data]
    np.testing.assert_allclose(logged, by_hand, rtol=1e-6)
    assert len({*by_hand}) == 3


@with_callbacks
def test_folds_are_judged_each_by_its_own_rows_as_the_fit_judges_them():
    estimator = quick(hidden_layer_sizes=(8, 4))
    judging = watched(estimator, X, callback=Judging())
    for epoch in range(estimator.n_iter_):
        folds = judging.epochs[5 * epoch : 5 * epoch + 5]
        held_out = np.concatenate([some for _, _, some, _, _ in folds])
        np.testing.assert_array_equal(np.sort(held_out, axis=0), np.sort(X, axis=0))
        losses = [
            fitted.reconstruction_error(some) / fitted.scale_**2 / X.shape[1]
            for _, fitted, some, _, _ in folds
        ]
        loss = np.concatenate(losses).mean()
        assert loss == pytest.approx(estimator.validation_loss_curve_[epoch + 1], rel=1e-5)


@with_callbacks
def test_of_several_candidates_the_one_that_is_ahead_is_judged():
    estimator = AutoencoderTransformer(2, max_iter=4, random_state=0)
    judging = watched(estimator, X, callback=Judging())
    curves = np.array(estimator.candidates_["validation_loss_curve"][:1])
    assert curves.shape[1] == 5  # of the first candidate, which is not left
    for epoch in range(1, 5):
        (_, fitted, *_) = judging.epochs[5 * (epoch - 1)]
        so_far = fitted.candidates_["validation_loss_curve"]
        ahead = int(np.argmin([min(curve) for curve in so_far if len(curve) == epoch + 1]))
        assert fitted.validation_loss_curve_ == so_far[ahead]
        assert fitted.n_iter_ == epoch


@with_callbacks
@pytest.mark.parametrize("kind", ["accuracy", "loss"])
def test_a_classifier_is_judged_by_labels_that_it_has_not_seen(kind):
    estimator = quick_classifier(early_stopping=True, scoring=kind)
    monitor = ScoringMonitor(scoring=["accuracy"])
    judging = Judging()
    estimator.set_callbacks(monitor, judging).fit(X, LABELS)
    n_softmax = len(estimator.stages_[2].loss_curve)
    scores = [row["accuracy"] for row in monitor.get_logs().data]
    if kind == "accuracy":
        wrong = [1 - np.array(stage.validation_loss_curve[1:]) for stage in estimator.stages_[2:]]
        np.testing.assert_allclose(scores, np.concatenate(wrong), rtol=1e-6)
    assert len(scores) == n_softmax + estimator.n_iter_
    (_, fitted, some, y, _) = judging.seen[n_softmax - 1]  # after the softmax layer
    assert np.mean(fitted.predict(some) == y) == scores[n_softmax - 1]


@with_callbacks
def test_training_rows_are_what_is_left_to_judge_by_without_others():
    judging = watched(quick(early_stopping=False), X, LABELS, callback=Judging())
    assert [told.task for told, *_ in judging.seen] == ["epoch"] * 3 + ["fit"]
    for _, _, some, y, metadata in judging.seen[:-1]:
        np.testing.assert_array_equal(np.sort(some, axis=0), np.sort(X, axis=0))
        np.testing.assert_array_equal(np.sort(y), LABELS)
        assert metadata == {}
    judging = watched(quick(), X, callback=Judging())
    assert {told.path[:2] for told, *_ in judging.seen} == {(0, 0)}  # not the last training


@with_callbacks
@pytest.mark.parametrize("weight", [None, np.tile([1.0, 0.0, 1.5], 50)])
@pytest.mark.parametrize("early_stopping", [True, False])
def test_rows_of_a_source_are_judged_by_without_all_of_them_in_memory(early_stopping, weight):
    rows = open_rows(np.split(X, 15), memory="4kB")
    assert not rows.fits

    def scores(fitted, X, y=None, **how):
        return {"r2": fitted.score(X, **how)}

    estimator, judging = quick(early_stopping=early_stopping), Judging()
    monitor = ScoringMonitor(scoring=scores)
    estimator.set_callbacks(monitor, judging).fit(rows, sample_weight=weight)
    assert len(monitor.get_logs().data) == (3 if early_stopping else 4)  # with the whole fit
    for _, fitted, some, y, metadata in judging.seen[:3]:
        assert y is some
        assert isinstance(some, np.ndarray if early_stopping else type(rows))
        assert len(some) < 60 or not early_stopping
        assert np.isfinite(fitted.score(some, **metadata))


@with_callbacks
@pytest.mark.parametrize("weighed", [True, False])
def test_equal_rows_are_themselves_again_and_weights_stay_weights(weighed):
    some = np.concatenate([X, X[:40]])
    weight = np.linspace(0.5, 1.5, len(some)) if weighed else None
    judging = watched(quick(), some, None, weight, callback=Judging())
    folds = judging.epochs[:5]
    if weighed:
        total = sum(metadata["sample_weight"].sum() for *_, metadata in folds)
        assert total == pytest.approx(weight.sum())
    else:
        assert sum(len(of_fold) for _, _, of_fold, _, _ in folds) == len(some)
        assert all(metadata == {} for *_, metadata in folds)


@with_callbacks
@pytest.mark.parametrize("container", [pd.DataFrame, sp.csr_array, sp.coo_array, np.ndarray.tolist])
def test_rows_come_as_they_were_given(container):
    if container is pd.DataFrame:
        given = pd.DataFrame(X, columns=["a", "b", "c", "d"])
        others = pd.DataFrame(X_OTHER, columns=given.columns)
    else:
        given, others = container(X), container(X_OTHER)
    judging = watched(quick(validation_fraction=others), given, callback=Judging())
    for _, fitted, some, y, _ in judging.seen:
        kind = sp.csr_array if sp.issparse(given) else type(given)
        assert isinstance(some, kind)
        assert fitted.score(some, y) == pytest.approx(fitted.score(others))


# Nothing changes


def numbers_of(estimator):
    return [estimator.loss_curve_, *(v.numpy() for v in estimator.module_.state_dict().values())]


def with_dropout_of_torch(n_in, n_out):
    return nn.Sequential(nn.Linear(n_in, 8), nn.SiLU(), nn.Dropout(0.2), nn.Linear(8, n_out))


@with_callbacks
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("estimator", "rows"),
    [
        *(
            FITS[name]
            for name in (
                "candidates",
                "ordered",
                "a share",
                "pretraining of folds",
                "variational",
                "classifier, rows held out",
                "ladder",
            )
        ),
        (quick(dropout=0.2, learning_rate="averaged"), [X]),
        (quick(encoder=with_dropout_of_torch, max_iter=4), [X]),
        (quick(normalization="batch", max_iter=4), [X]),
    ],
)
def test_no_callback_changes_a_bit_of_a_fit(estimator, rows):
    def draw(told):
        if told.what in ("begin", "end"):
            torch.manual_seed(len(told.path))
            torch.rand(3)

    judging = Judging()
    judging.then = draw
    before = torch.get_rng_state()
    alone, seen = clone(estimator).fit(*rows), clone(estimator)
    watched(seen, *rows, callback=judging)
    assert torch.equal(torch.get_rng_state(), before)
    for one, other in zip(numbers_of(alone), numbers_of(seen), strict=True):
        np.testing.assert_array_equal(one, other)
    assert {*vars(alone)} == {*vars(seen)} - {"_skl_callbacks"}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", ["candidates", "classifier, rows held out", "detector"])
def test_without_callbacks_nothing_is_made_to_be_looked_at(name, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError

    estimator, rows = FITS[name]
    monkeypatch.setattr(Run, "network_of", refuse)
    if HAS_CALLBACKS and name != "detector":  # a part of which may be watched by itself
        monkeypatch.setattr(CallbackContext, "subcontext", refuse)
    clone(estimator).fit(*rows)


@with_callbacks
def test_callbacks_that_look_at_nothing_have_nothing_made_for_them(monkeypatch):
    monkeypatch.delattr(Run, "network_of")
    assert tasks(watched(quick(), X), 3)


@pytest.mark.skipif(HAS_CALLBACKS, reason="scikit-learn has callbacks of its own")
def test_where_scikit_learn_has_no_callbacks_estimators_have_none():
    assert not hasattr(quick().fit(X), "set_callbacks")


# Callbacks that end a fit


class FailingAt(Everywhere):
    """Fails at one of the things that it is told."""

    def __init__(self, number):
        super().__init__(self.fail)
        self.number = number

    def fail(self, told):
        if len(self.told) == self.number + 1:
            raise ZeroDivisionError


@with_callbacks
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", ["folds", "classifier, rows held out", "detector"])
def test_a_callback_that_fails_leaves_the_estimator_as_it_was(name):
    estimator, rows = FITS[name]
    estimator = clone(estimator).fit(*rows)
    before = vars(estimator).copy()
    n_told = len(watched(clone(estimator), *rows).told)
    for number in [*range(n_told - 1)][:: max(1, n_told // 12)]:
        failing = FailingAt(number)
        with pytest.raises(ZeroDivisionError):
            watched(estimator, *rows, callback=failing)
        assert failing.told[-1].what == "teardown"
        estimator.set_callbacks()
        assert {*vars(estimator)} == {*before}
        assert all(vars(estimator)[name] is value for name, value in before.items())
        assert report_of_fit().context is None


def stopping_at(n_epochs, task="epoch"):
    """A callback that has seen enough after some epochs of the first training."""

    def stop(told):
        return told.what == "end" and told.task.startswith(task) and told.path[-1] >= n_epochs - 1

    return Everywhere(stop)


@with_callbacks
@pytest.mark.parametrize("name", ["hold-out", "all rows"])
def test_a_callback_ends_a_training_after_an_epoch(name):
    estimator = clone(FITS[name][0]).set_params(max_iter=9)
    recording = watched(estimator, X, callback=stopping_at(2))
    assert estimator.n_iter_ == 2
    assert estimator.best_iter_ <= 2
    assert np.isfinite(estimator.score(X))
    assert tasks(recording, 3) == ["epoch"] * 2
    assert [told.what for told in recording.told][-2:] == ["end", "teardown"]


@with_callbacks
def test_what_a_callback_ends_is_one_training_and_those_after_it_go_on():
    estimator = quick(max_iter=9)
    recording = watched(estimator, X, callback=stopping_at(10, "epoch of fold"))
    assert estimator.n_iter_ == 2
    assert tasks(recording, 2)[1:] == ["last training"] * bool(estimator.best_iter_)
    classifier = quick_classifier(max_iter=9, softmax_max_iter=9, pretrain_max_iter=9)
    watched(classifier, X, LABELS, callback=stopping_at(2))
    assert [len(stage.loss_curve) for stage in classifier.stages_] == [2] * 4


# Bars


def words(shown):
    return [line.split("━")[0].strip() for line in shown.splitlines()]


@with_callbacks
def test_scikit_learns_bars_show_stages_and_end_full(capsys):
    pytest.importorskip("rich", reason="ProgressBar needs it")
    quick(max_iter=40, n_iter_no_change=3, tol=1.0).set_callbacks(ProgressBar()).fit(X)
    shown = capsys.readouterr().out
    assert words(shown)[0] == "AutoencoderTransformer - fit"
    assert words(shown)[1] == "AutoencoderTransformer - 5 folds #0"
    assert all("100%" in line for line in shown.splitlines())


@with_callbacks
@pytest.mark.filterwarnings("ignore::skae.exceptions.IdleParameterWarning")
@pytest.mark.parametrize(
    ("make", "depth"),
    [
        (lambda one: one, 0),
        (lambda one: make_pipeline(StandardScaler(), one), 1),
        (lambda one: make_pipeline(StandardScaler(), one), 0),
        (lambda one: GridSearchCV(make_pipeline(one), {}, cv=2), 0),
        (AutoencoderOutlierDetector, 0),
        (lambda one: AutoencoderImputer(one.set_params(missing="mask")), 1),
    ],
)
def test_the_bar_of_verbose_gives_way_to_those_of_scikit_learn(make, depth, capsys):
    pytest.importorskip("rich", reason="ProgressBar needs it")
    loud = AutoencoderTransformer(2, max_iter=3, verbose=True, random_state=0)
    make(clone(loud)).set_callbacks(ProgressBar(max_propagation_depth=depth)).fit(X)
    shown = capsys.readouterr()
    assert "━" in shown.out
    assert shown.err == ""
    make(clone(loud)).set_callbacks(Recording()).fit(X)
    shown = capsys.readouterr()
    assert "━" not in shown.out
    assert "3/3" in shown.err


# As any other of scikit-learn's estimators


@with_callbacks
def test_estimators_with_callbacks_are_cloned_pickled_and_searched_in_parallel():
    monitor = ScoringMonitor(scoring={"r2": reconstruction_r2_scorer})
    estimator = quick(validation_fraction=0.2).set_callbacks(monitor)
    restored = pickle.loads(pickle.dumps(clone(estimator).fit(X)))
    np.testing.assert_array_equal(restored.transform(X), clone(estimator).fit(X).transform(X))
    before = len(monitor.get_logs(select="all"))
    # One fit in a process of its own (each would import torch, which takes seconds), one here.
    split = np.arange(0, 150, 2), np.arange(1, 150, 2)
    GridSearchCV(estimator, {"n_components": [2]}, cv=[split], n_jobs=2).fit(X)
    logs = monitor.get_logs(select="all")[before:]
    assert sum(len(log.data) for log in logs) == 2 * 3


@with_callbacks
@pytest.mark.parametrize("name", [name for name in skae.__all__ if name.startswith("Auto")])
def test_callbacks_of_skorch_are_not_taken_for_those_of_scikit_learn(name):
    from skorch.callbacks import EpochTimer

    with pytest.raises(TypeError, match="FitCallback protocol"):
        getattr(skae, name)().set_callbacks(EpochTimer())
