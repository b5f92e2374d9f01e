"""The journal of a fit: one that was interrupted ends as if it had not been, byte for byte.

The oracle is the file that `skae.save` writes of a fitted estimator: all that a fit has set.
"""

import json
import os
import subprocess
import sys
import threading
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, ShuffleSplit
from skorch.callbacks import Callback
from torch import nn

import skae
from skae import (
    AutoencoderImputer,
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    ConvolutionalAutoencoderTransformer,
    StackedAutoencoderClassifier,
    TableAutoencoderTransformer,
    VariationalAutoencoderTransformer,
)
from skae import _journal as journal
from skae._model_files import information
from skae._training import Run
from skae._value_files import read, write
from skae.datasets import open_rows
from skae.exceptions import ModelFileError
from skae.noise import GaussianNoise
from skae.penalty import L1Sparsity, NeighborPreservation

X, LABELS = load_iris(return_X_y=True)
WITH_HOLES = np.where(np.random.RandomState(0).uniform(size=X.shape) < 0.1, np.nan, X)
GROUPS = np.arange(len(X)) // 3
STREAM = open_rows([X[i : i + 10] for i in range(0, len(X), 10)], memory="4kB")

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore::skae.exceptions.DependentRowsWarning",
)


class Interrupted(Exception):
    """What stops a fit in the tests."""


def quick(n_components=2, **how):
    """Return an autoencoder that has nothing to choose."""
    default = {"hidden_layer_sizes": 6, "init": "pca", "noise": None, "max_iter": 4}
    return AutoencoderTransformer(n_components, **{**default, "random_state": 0, **how})


def quick_classifier(**how):
    counts = {"pretrain_max_iter": 2, "softmax_max_iter": 2, "max_iter": 3}
    return StackedAutoencoderClassifier((6, 3), **{**counts, "random_state": 0, **how})


def cosh(reconstruction, rows):
    return (reconstruction - rows).cosh().log()


def own_layers(n_in, n_out):
    """Return layers with all that has a state: statistics of batches, and torch's own dropout."""
    return nn.Sequential(
        nn.Linear(n_in, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Dropout(0.2), nn.Linear(5, n_out)
    )


def on_x(estimator, **beside):
    return estimator, {"X": X, **beside}


def on_labels(estimator, **beside):
    return estimator, {"X": X, "y": LABELS, **beside}


FITS = {
    "candidates in folds": on_x(AutoencoderTransformer(2, max_iter=8, random_state=0)),
    "hold-out": on_x(quick(validation_fraction=0.3)),
    "groups": on_x(quick(validation_fraction=0.3), groups=GROUPS),
    "all rows": on_x(quick(early_stopping=False, noise="masking")),
    "a patience that ends": on_x(quick(max_iter=9, n_iter_no_change=2, tol=0.1)),
    "pretraining": on_x(
        quick(pretrain=True, early_stopping=False, hidden_layer_sizes=(6, 4), max_iter=3)
    ),
    "pretraining of folds": on_x(quick(pretrain=True, max_iter=2, noise="swap", dropout=0.1)),
    "ordered codes": on_x(quick(0.9, pretrain=True, max_iter=2, validation_fraction=0.3)),
    "tied weights": on_x(quick(tied_weights=True, penalty=L1Sparsity(0.01))),
    "partners": on_x(quick(penalty=NeighborPreservation(n_neighbors=5), shuffle=False)),
    "partners of a class": on_labels(
        quick(penalty=NeighborPreservation(supervised=0.5), validation_fraction=0.3)
    ),
    "clean targets": on_x(quick(noise="gaussian"), y=X + 0.1),
    "holes": (quick(missing="mask"), {"X": WITH_HOLES}),
    "a stream": (quick(early_stopping=False, noise="gaussian"), {"X": STREAM}),
    "a stream, rows held out": (quick(), {"X": STREAM}),
    "batch statistics": on_x(quick(normalization="batch")),
    "adaptive": on_x(quick(learning_rate="adaptive", tol=1.0, max_iter=7, solver="nadam")),
    "momentum": on_x(quick(solver="sgd", learning_rate="cosine", early_stopping=False)),
    "bfloat16": on_x(quick(precision="bfloat16", solver="radam", alpha=0.01)),
    "the user's layers": on_x(
        quick(encoder=own_layers, decoder=own_layers, hidden_layer_sizes="auto")
    ),
    "the user's loss": on_x(quick(loss=cosh, net_params={"optimizer__betas": (0.8, 0.99)})),
    "variational": on_x(VariationalAutoencoderTransformer(2, max_iter=3, random_state=0)),
    "conditional": on_labels(
        VariationalAutoencoderTransformer(
            2, conditional=True, warm_up=0.5, max_iter=3, random_state=0
        )
    ),
    "binarized": (
        VariationalAutoencoderTransformer(
            1, likelihood="bernoulli", binarize=True, max_iter=3, random_state=0
        ),
        {"X": (X.mean(axis=0) < X) * np.linspace(0.5, 1, len(X))[:, None]},
    ),
    "convolutional": on_x(
        ConvolutionalAutoencoderTransformer(1, channels=2, max_iter=2, random_state=0)
    ),
    "classifier": on_labels(quick_classifier()),
    "classifier, rows held out": on_labels(quick_classifier(early_stopping=True, scoring="loss")),
    "classifier, no fine-tuning": on_labels(
        StackedAutoencoderClassifier(
            4, fine_tune=False, pretrain_max_iter=2, softmax_max_iter=3, random_state=0
        )
    ),
    "ladder": on_labels(
        StackedAutoencoderClassifier(4, joint="ladder", max_iter=3, random_state=0)
    ),
    "partly labelled ladder": (
        StackedAutoencoderClassifier(
            4, joint="ladder", max_iter=3, unlabeled=-1, early_stopping=True, random_state=0
        ),
        {"X": X, "y": np.where(np.arange(len(X)) % 3, -1, LABELS)},
    ),
}
# Made of autoencoders, whose fits are one, or come one after the other.
MADE_OF_OTHERS = {
    "detector": on_x(AutoencoderOutlierDetector(quick(early_stopping=False))),
    "detector, in turn": on_x(AutoencoderOutlierDetector(quick(loss=cosh, max_iter=2))),
    "imputer": (
        AutoencoderImputer(quick(missing="mask", early_stopping=False), random_state=0),
        {"X": WITH_HOLES},
    ),
    "imputer of a table": (
        AutoencoderImputer(TableAutoencoderTransformer(2, autoencoder=quick(early_stopping=False))),
        {"X": WITH_HOLES},
    ),
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "fit.skae"


@pytest.fixture
def epochs(monkeypatch):
    """Return the epochs of trainings so far, of which one may be the last: ``[n_done, last]``."""
    counts, epoch = [0, None], Run.epoch

    def counted(run):
        counts[0] += 1
        if counts[0] == counts[1]:
            raise Interrupted
        return epoch(run)

    monkeypatch.setattr(Run, "epoch", counted)
    return counts


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    return tmp_path_factory.mktemp("whole")


def keeping(estimator, path, seconds=0):
    """Return an estimator that keeps a journal, if it is time to after each epoch."""
    (name,) = (name for name in estimator.get_params() if name.endswith("checkpoint"))
    return clone(estimator).set_params(**{name: (path, seconds)})


def saved(estimator, tmp_path):
    """Return all that a fit has set, as bytes."""
    given = estimator.get_params()
    if given.get("encoder") is not None:  # batch statistics of a user's layers are in no file
        numbers = [tensor.numpy().tobytes() for tensor in estimator.module_.state_dict().values()]
        return numbers, estimator.loss_curve_, estimator.validation_loss_curve_
    parts = [name for name in ("loss", "autoencoder__loss") if callable(given.get(name))]
    skae.save(estimator, tmp_path / "model.skae", parts=parts)
    return (tmp_path / "model.skae").read_bytes()


def interrupt(estimator, rows, path, epochs, last, **how):
    """Begin a fit, and interrupt it in its last epoch."""
    epochs[:] = 0, last
    with pytest.raises(Interrupted):
        keeping(estimator, path, **how).fit(**rows)
    epochs[:] = 0, None


@cache
def without_interruption(name, folder):
    """Return what a fit sets, and how many epochs it trains."""
    counts, epoch = [0], Run.epoch

    def counted(run):
        counts[0] += 1
        return epoch(run)

    estimator, rows = {**FITS, **MADE_OF_OTHERS}[name]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "epoch", counted)
        return saved(clone(estimator).fit(**rows), folder), counts[0]


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.0, 0.45, 1.0])
@pytest.mark.parametrize("name", {**FITS, **MADE_OF_OTHERS})
def test_a_fit_that_was_interrupted_goes_on_to_the_same_bits(
    name, share, path, tmp_path, epochs, shared
):
    estimator, rows = {**FITS, **MADE_OF_OTHERS}[name]
    whole, n_epochs = without_interruption(name, shared)
    last = 1 + round(share * (n_epochs - 1))
    interrupt(estimator, rows, path, epochs, last)
    again = keeping(estimator, path).fit(**rows)
    # Networks that are not one are trained in turn, and those of an epoch that has begun again.
    assert epochs[0] <= max(n_epochs - last + 1, 0) + 25 * (share > 0)
    assert saved(again, tmp_path) == whole
    assert {file.name for file in tmp_path.iterdir()} <= {"model.skae"}


@pytest.mark.slow
def test_no_epoch_is_trained_twice(path, epochs):
    estimator, rows = FITS["classifier"]
    clone(estimator).fit(**rows)
    n_epochs = epochs[0]
    for last in range(1, n_epochs + 1):
        interrupt(estimator, rows, path, epochs, last)
        keeping(estimator, path).fit(**rows)
        assert epochs[0] == n_epochs - last + 1


@pytest.mark.slow
def test_the_best_epoch_is_kept_whenever_a_fit_is_interrupted(path, tmp_path, epochs):
    rates = {"learning_rate_init": 0.1, "softmax_learning_rate_init": 0.3}
    counts = {"pretrain_max_iter": 1, "softmax_max_iter": 3, "max_iter": 6}
    estimator = quick_classifier(early_stopping=True, **rates, **counts)
    rows = {"X": X, "y": LABELS}
    fitted = clone(estimator).fit(**rows)
    *_, softmax, last = fitted.stages_
    assert softmax.best_iter > 0
    assert 0 < last.best_iter < 6
    whole = saved(fitted, tmp_path)
    for number in range(2, 12):
        interrupt(estimator, rows, path, epochs, number)
        assert saved(keeping(estimator, path).fit(**rows), tmp_path) == whole


@pytest.mark.slow
def test_a_random_state_moves_as_if_there_had_been_no_interruption(path, epochs):
    for name in ("hold-out", "classifier"):
        estimator, rows = FITS[name]
        states = [np.random.RandomState(0) for _ in range(3)]
        keeping(estimator, path).set_params(random_state=states[0]).fit(**rows)
        epochs[:] = 0, 3
        with pytest.raises(Interrupted):
            keeping(estimator, path).set_params(random_state=states[1]).fit(**rows)
        epochs[:] = 0, None
        keeping(estimator, path).set_params(random_state=states[2]).fit(**rows)
        assert states[0].randint(1000) == states[2].randint(1000)


@pytest.mark.slow
def test_a_fit_may_be_interrupted_in_each_of_its_epochs(path, tmp_path, epochs):
    estimator, rows = FITS["pretraining of folds"]
    whole = saved(clone(estimator).fit(**rows), tmp_path)
    n_interruptions = 0
    while True:
        epochs[:] = 0, 2
        try:
            again = keeping(estimator, path).fit(**rows)
        except Interrupted:
            n_interruptions += 1
        else:
            break
    assert n_interruptions > 10
    assert saved(again, tmp_path) == whole


@pytest.mark.slow
def test_a_journal_changes_nothing_and_is_gone_at_the_end(path, tmp_path):
    for name in ("hold-out", "classifier", "the user's layers"):
        estimator, rows = FITS[name]
        whole = saved(clone(estimator).fit(**rows), tmp_path)
        assert saved(keeping(estimator, path).fit(**rows), tmp_path) == whole
        assert not path.exists()


def test_without_a_checkpoint_nothing_is_written_or_gathered(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Run, "state", None)
    monkeypatch.setattr(journal, "digest", None)
    quick().fit(X)
    assert [*tmp_path.iterdir()] == []


def test_torchs_global_generator_is_the_users(path, epochs):
    for name in ("hold-out", "the user's layers"):
        estimator, rows = FITS[name]
        interrupt(estimator, rows, path, epochs, 2)
        torch.manual_seed(5)
        before = torch.get_rng_state()
        keeping(estimator, path).fit(**rows)
        assert torch.equal(torch.get_rng_state(), before)


# What a fit is recognized by


def interrupted(estimator, path, epochs, **rows):
    """Interrupt a fit, and return a function that goes on with it, or with another one."""
    rows = {"X": X, **rows}
    interrupt(estimator, rows, path, epochs, 3)
    before = path.read_bytes()

    def go_on(match=None, parameters=None, **others):
        other = clone(estimator).set_params(**(parameters or {}))
        if match is None:
            return keeping(other, path).fit(**{**rows, **others})
        with pytest.raises(ValueError, match=match) as raised:
            keeping(other, path).fit(**{**rows, **others})
        assert path.read_bytes() == before
        assert "remove the file" in str(raised.value)
        return raised.value

    return go_on


def test_other_rows_are_refused_and_the_journal_is_left(path, epochs):
    go_on = interrupted(quick(validation_fraction=0.3), path, epochs, groups=GROUPS)
    changed = X.copy()
    changed[7, 2] += 1e-9
    for others in (
        {"X": changed},
        {"X": X.astype(np.float32)},
        {"X": X[:149], "groups": GROUPS[:149]},
        {"y": X + 1},
        {"sample_weight": np.arange(len(X)) % 2 + 1.0},
        {"groups": GROUPS[::-1] // 2},
        {"groups": None},
    ):
        go_on(r"the journal of another fit, .*: rows was 150 of 4 columns, float64", **others)
    go_on()


def test_other_labels_are_refused(path, epochs):
    estimator, rows = FITS["classifier"]
    interrupt(estimator, rows, path, epochs, 3)
    with pytest.raises(ValueError, match="rows was"):
        keeping(estimator, path).fit(X, LABELS[::-1])


def test_another_validation_set_is_refused(path, epochs):
    own = quick(validation_fraction=X[:40] + 0.01)
    go_on = interrupted(own, path, epochs)
    go_on("rows was", parameters={"validation_fraction": X[:40] + 0.02})
    go_on()


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("max_iter", 5, "max_iter was 4 and is 5"),
        ("random_state", 1, "random_state was 0 and is 1"),
        ("noise", GaussianNoise(0.2), r"noise was None and is GaussianNoise\({'level': 0.2}\)"),
        ("loss", cosh, r"loss was 'squared_error' and is .*cosh"),
        ("penalty", [L1Sparsity(0.1)], "penalty was None"),
        ("net_params", {"optimizer__betas": (0.8, 0.9)}, "net_params was None"),
    ],
)
def test_other_parameters_are_refused(name, value, told, path, epochs):
    go_on = interrupted(quick(), path, epochs)
    go_on(told, parameters={name: value})


def test_another_estimator_is_refused(path, epochs):
    interrupt(quick(), {"X": X}, path, epochs, 2)
    with pytest.raises(ValueError, match=r"estimator was Auto.* and is Variational"):
        VariationalAutoencoderTransformer(max_iter=4, checkpoint=path, random_state=0).fit(X)


def test_weights_that_the_users_layers_start_from_are_looked_at(path, epochs):
    torch.manual_seed(0)
    layers = [nn.Sequential(nn.Linear(4, 2)) for _ in range(2)]
    go_on = interrupted(quick(encoder=layers[0]), path, epochs)
    go_on("encoder was", parameters={"encoder": layers[1]})
    go_on()


def test_what_changes_nothing_may_be_another(path, epochs, capsys):
    go_on = interrupted(quick(), path, epochs)
    go_on(parameters={"verbose": True})
    assert "cross-validation" in capsys.readouterr().err


def test_other_versions_are_refused(path, epochs, monkeypatch):
    go_on = interrupted(quick(), path, epochs)
    monkeypatch.setattr("skae._fitting.package_versions", lambda: {"skae": "9.9"})
    go_on("versions was skae .* and is skae 9.9")


@pytest.mark.slow
@pytest.mark.parametrize("random_state", [None, np.random.RandomState(3)], ids=["None", "state"])
@pytest.mark.parametrize("name", ["hold-out", "classifier", "detector", "imputer"])
def test_a_seed_that_was_drawn_is_taken_again(name, random_state, path, tmp_path, epochs):
    estimator, rows = {**FITS, **MADE_OF_OTHERS}[name]
    others = {key: random_state for key in estimator.get_params() if key.endswith("random_state")}
    if hasattr(estimator, "autoencoder"):
        others["autoencoder__random_state"] = None
    estimator = clone(estimator).set_params(**others)
    interrupt(estimator, rows, path, epochs, 3)
    copy = path.read_bytes()
    first = keeping(estimator, path).fit(**rows)
    path.write_bytes(copy)
    second = keeping(estimator, path).fit(**rows)
    trained = [
        getattr(e, "autoencoder_", None) or getattr(e, "autoencoders_", [e])[0]
        for e in (first, second)
    ]
    if isinstance(first, StackedAutoencoderClassifier):
        trained = [first, second]
    states = [(one if isinstance(one, nn.Module) else one.module_).state_dict() for one in trained]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_a_splitter_that_splits_in_another_way_is_refused(path, epochs):
    go_on = interrupted(quick(validation_fraction=ShuffleSplit(1)), path, epochs)
    go_on("give splitters an int as random_state")
    go_on = interrupted(
        quick(validation_fraction=ShuffleSplit(2, random_state=0)), path.with_name("2"), epochs
    )
    go_on()


def test_a_warm_start_goes_on_from_the_network_that_it_began_with(path, tmp_path, epochs):
    first = quick(warm_start=True, validation_fraction=0.3).fit(X)
    skae.save(first, tmp_path / "first.skae")
    whole = skae.load(tmp_path / "first.skae").fit(X)
    before = skae.load(tmp_path / "first.skae").set_params(checkpoint=(path, 0))
    epochs[:] = 0, 3
    with pytest.raises(Interrupted):
        before.fit(X)
    epochs[:] = 0, None
    with pytest.raises(ValueError, match="module_ was"):
        keeping(first, path).fit(X)  # which has no network yet
    assert saved(before.fit(X), tmp_path) == saved(whole, tmp_path)


# Files that are none of this fit's


@pytest.mark.parametrize("place", np.linspace(0, 1, 13))
def test_a_journal_with_another_bit_is_refused(place, path, epochs):
    interrupt(quick(), {"X": X}, path, epochs, 3)
    data = bytearray(path.read_bytes())
    data[round(place * (len(data) - 1))] ^= 4
    path.write_bytes(data)
    with pytest.raises(ModelFileError):
        keeping(quick(), path).fit(X)
    assert path.read_bytes() == data


def test_what_is_no_journal_is_refused_and_left(path):
    skae.save(quick(), path)
    with pytest.raises(ModelFileError, match="not the journal of a fit, and is left as it is"):
        quick(checkpoint=path).fit(X)
    assert isinstance(skae.load(path), AutoencoderTransformer)
    path.write_text("a letter to my mother")
    with pytest.raises(ModelFileError):
        quick(checkpoint=path).fit(X)
    assert path.read_text() == "a letter to my mother"


def test_a_journal_is_no_model(path, epochs):
    interrupt(quick(), {"X": X}, path, epochs, 3)
    with pytest.raises(ModelFileError, match=r"the journal of a fit, not a model\. Give its path"):
        skae.load(path)


def _state(told):
    """Return the nodes of the state of the training that goes on, by their names."""
    ((_, trainings),) = [pair for pair in told["values"]["dict"] if pair[0] == "trainings"]
    return next(node["dict"] for name, node in trainings[-1]["dict"] if name == "state")


def without_curve(told):
    state = _state(told)
    state[:] = [pair for pair in state if pair[0] != "curves"]


def other_curve(told):
    for pair in _state(told):
        pair[1] = 3 if pair[0] == "curves" else pair[1]


def swapped_tensors(told):
    text = json.dumps(told).replace("~", "")
    one = "encoder.body.linear_path.weight"
    assert one in text
    told.clear()
    told.update(json.loads(text.replace(one, "encoder.body.somewhere.weight")))


def no_values(told):
    told["values"] = {"dict": []}


def a_call(told):
    told["values"] = {"os.system": ["echo"]}


@pytest.mark.parametrize("change", [without_curve, other_curve, swapped_tensors, no_values, a_call])
def test_a_forged_journal_is_refused(change, path, epochs):
    estimator = quick(early_stopping=False)
    interrupt(estimator, {"X": X}, path, epochs, 3)
    document, _, tensors = read(path, 1)
    change(document["checkpoint"])
    write(path, document, tensors)
    with pytest.raises(ModelFileError):
        keeping(estimator, path).fit(X)


@pytest.mark.parametrize(
    "checkpoint", [("fit.skae", -1), ("fit.skae", "often"), ("fit.skae",), (3, 4), ("a", np.nan)]
)
def test_a_pair_that_is_none_is_refused(checkpoint):
    with pytest.raises(ValueError, match="is no pair of a path and the seconds"):
        quick(checkpoint=checkpoint).fit(X)


def test_a_folder_that_is_not_there_is_told_before_training(tmp_path, epochs):
    with pytest.raises(FileNotFoundError):
        quick(checkpoint=tmp_path / "nowhere" / "fit.skae").fit(X)
    assert epochs[0] == 0


# What a journal can't hold


class Shift:
    def corrupt(self, rows, generator):
        return rows + 1


class Forgetful(nn.Module):
    """A loss with a state of its own."""

    def __init__(self):
        super().__init__()
        self.register_buffer("n_calls", torch.zeros(1))

    def forward(self, reconstruction, rows):
        return (reconstruction - rows) ** 2


@pytest.mark.parametrize(
    "parameters",
    [
        {"callbacks": [Callback()]},
        {"net_params": {"compile": True}},
        {"noise": Shift()},
        {"loss": Forgetful()},
    ],
    ids=lambda parameters: next(iter(parameters)),
)
def test_what_may_have_a_state_that_is_not_kept_is_refused(parameters, path):
    with pytest.raises(ValueError, match=r"does not go with .*Leave one of the two out"):
        quick(checkpoint=path, **parameters).fit(X)
    assert not path.exists()


# Several fits


def test_a_path_is_that_of_one_fit_at_a_time(path, monkeypatch):
    inside, go_on = threading.Event(), threading.Event()
    epoch, found = Run.epoch, []

    def waiting(run):
        inside.set()
        assert go_on.wait(20)
        return epoch(run)

    monkeypatch.setattr(Run, "epoch", waiting)
    thread = threading.Thread(target=lambda: found.append(quick(checkpoint=path).fit(X)))
    thread.start()
    assert inside.wait(20)
    try:
        with pytest.raises(BlockingIOError, match="Each fit that goes on at the same time needs"):
            quick(checkpoint=path).fit(X)
    finally:
        go_on.set()
        thread.join()
    assert len(found) == 1
    assert not path.exists()


def test_fits_of_one_path_may_come_one_after_the_other(path, tmp_path):
    grid = {"max_iter": [2, 3], "random_state": [0]}
    search = GridSearchCV(keeping(quick(), path), grid, cv=2, error_score="raise").fit(X)
    expected = GridSearchCV(quick(), grid, cv=2, error_score="raise").fit(X)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"]
    )
    assert [*tmp_path.iterdir()] == []


def test_a_search_that_finds_the_journal_of_one_of_its_fits_is_told(path, epochs):
    grid = {"max_iter": [2, 3]}
    search = GridSearchCV(keeping(quick(), path), grid, cv=2, error_score="raise")
    epochs[:] = 0, 5
    with pytest.raises(Interrupted):
        search.fit(X)
    epochs[:] = 0, None
    with pytest.raises(ValueError, match="Each fit needs a path of its own"):
        search.fit(X)


def test_partial_fit_has_no_journal(path, tmp_path):
    keeping(quick(), path).partial_fit(X).partial_fit(X)
    keeping(quick_classifier(), path).partial_fit(X, LABELS, classes=[0, 1, 2])
    assert [*tmp_path.iterdir()] == []


def test_a_model_file_does_not_have_the_path(path, tmp_path):
    fitted = keeping(quick(), path).fit(X)
    skae.save(fitted, tmp_path / "model.skae")
    assert skae.load(tmp_path / "model.skae").checkpoint is None


def test_a_fit_that_fails_leaves_the_estimator_and_the_journal(path, epochs):
    estimator = keeping(quick(), path).fit(X)
    before = vars(estimator).copy()
    epochs[:] = 0, 3
    with pytest.raises(Interrupted):
        estimator.fit(X)
    assert vars(estimator) == before
    assert path.exists()


# How often, and what is told


def test_a_journal_is_written_as_often_as_is_asked_for(path, monkeypatch, epochs):
    written = []
    monkeypatch.setattr(journal, "write", lambda *what: written.append(what))
    estimator = quick(early_stopping=False, max_iter=6)
    keeping(estimator, path).fit(X)
    assert len(written) == 1 + 6 + 1  # at the begin, after each epoch, and at the end of training
    written.clear()
    keeping(estimator, path, seconds=3600).fit(X)
    assert len(written) == 1
    written.clear()
    now = iter(range(1000))
    monkeypatch.setattr(journal, "perf_counter", lambda: next(now))
    clone(estimator).set_params(checkpoint=path, max_iter=60).fit(X)
    assert 3 <= len(written) <= 5  # writing takes a second, and looking at the clock another one


def test_how_far_a_fit_is_can_be_asked(path, epochs):
    interrupt(quick_classifier(), {"X": X, "y": LABELS}, path, epochs, 4)
    lines = information(path).splitlines()
    assert "journal of a fit of StackedAutoencoderClassifier" in lines[0]
    assert lines[1].startswith("format 1, saved with skae")
    assert lines[2].startswith("rows: 150 of 4 columns")
    assert lines[3] == "trainings that have ended: 1"
    assert lines[4] == "the last, layer 2 of 2, is after epoch 1 of 2 at most"
    assert lines[-1].endswith("the SHA-256 is that of the content")


def test_information_tells_of_a_fit_that_has_just_begun(path, epochs):
    interrupt(quick(), {"X": X}, path, epochs, 1)
    assert "trainings that have ended: 0" in information(path).splitlines()


@pytest.mark.skipif(find_spec("sklearn.callback") is None, reason="scikit-learn < 1.9")
def test_callbacks_of_scikit_learn_are_told_of_the_epochs_that_are_left(path, epochs):
    class Recording:
        def __init__(self):
            self.tasks = []

        def setup(self, estimator, context):
            pass

        def teardown(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context):
            self.tasks.append(context.task_name)

        def on_fit_task_end(self, estimator, context):
            pass

    estimator = quick(early_stopping=False, max_iter=6)
    interrupt(estimator, {"X": X}, path, epochs, 3)
    recording = Recording()
    keeping(estimator, path).set_callbacks(recording).fit(X)
    assert recording.tasks.count("epoch") == 4


# Real processes

CASES = {
    "pretraining": ("quick(pretrain=True, early_stopping=False)", "X", 2),
    "folds": ("quick(init='auto', noise='auto', max_iter=5)", "X", 3),
    "last training": ("quick(init='random', max_iter=3, learning_rate_init=0.05)", "X", 5),
    "first layer": ("quick_classifier()", "X, LABELS", 2),
    "softmax layer": ("quick_classifier()", "X, LABELS", 6),
    "fine-tuning": ("quick_classifier()", "X, LABELS", 8),
    "ladder": (
        "StackedAutoencoderClassifier(4, joint='ladder', max_iter=3, random_state=0)",
        "X, LABELS",
        2,
    ),
}

# A process that forks has imported once. A child of it exits with 0 if it has done its work.
SCRIPT = """
import os, signal, sys, time, warnings
from pathlib import Path
warnings.simplefilter("ignore")
sys.path.insert(0, sys.argv[1])
from test_journal import *

torch.set_num_threads(1)
folder = Path(sys.argv[2])
path = folder / "fit.skae"
skae.save(quick_classifier().fit(X, LABELS), folder / "first")  # which imports all that is needed

def child(work):
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except KeyboardInterrupt:
            os._exit(7)
        except BaseException:
            import traceback; traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return pid

def end_of(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def fit(code, rows, name, in_epoch=lambda n: None, checkpoint=(path, 0)):
    def work():
        n, epoch = [0], Run.epoch
        def counted(run):
            n[0] += 1
            in_epoch(n[0])
            return epoch(run)
        Run.epoch = counted
        estimator = eval(code).set_params(checkpoint=checkpoint).fit(*eval(rows))
        skae.save(estimator, folder / name)
    return child(work)

def same():
    return (folder / "whole").read_bytes() == (folder / "again").read_bytes()

def killed(last):
    return lambda n: n == last and os.kill(os.getpid(), signal.SIGKILL)

def test_kill(code, rows, last):
    assert end_of(fit(code, rows, "whole", checkpoint=None)) == 0
    assert end_of(fit(code, rows, "again", killed(last))) == -signal.SIGKILL
    assert path.exists()
    assert end_of(fit(code, rows, "again")) == 0
    assert same() and not path.exists()
    assert not [name for name in os.listdir(folder) if name.startswith(".")]

def test_interrupt(code, rows):
    reached, tell = os.pipe()
    def slow(n):
        os.write(tell, b".")
        time.sleep(0.02)
    assert end_of(fit(code, rows, "whole", checkpoint=None)) == 0
    pid = fit(code, rows, "again", slow)
    for _ in range(4):
        os.read(reached, 1)
    os.kill(pid, signal.SIGINT)
    assert end_of(pid) == 7
    assert path.exists()
    assert end_of(fit(code, rows, "again")) == 0
    assert same() and not path.exists()

def test_any_moment(code, rows):
    assert end_of(fit(code, rows, "whole", checkpoint=None)) == 0
    random, wait, n_killed = np.random.RandomState(0), 0.05, 0
    while True:
        pid = fit(code, rows, "again")
        time.sleep(wait * random.uniform(0.5, 1.5))
        os.kill(pid, signal.SIGKILL)
        if end_of(pid) == 0:
            break
        wait, n_killed = wait * 1.3, n_killed + 1
    assert same() and n_killed > 1

eval(sys.argv[3])
print("done")
"""


def run_script(tmp_path, call):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", SCRIPT, str(Path(__file__).parent), str(tmp_path), call]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=120, check=False
    )
    assert done.stdout.endswith("done\n"), done.stderr


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows")
def test_a_process_that_is_killed_in_any_phase_is_gone_on_with_by_another(tmp_path):
    calls = [f"test_kill({code!r}, {rows!r}, {last})" for code, rows, last in CASES.values()]
    calls += ["test_interrupt('quick_classifier()', 'X, LABELS')"]
    calls += ["test_any_moment('quick(pretrain=True, max_iter=10)', '[X]')"]
    calls = [call.replace("'X'", "'[X]'") for call in calls]
    run_script(tmp_path, f"[{', '.join(calls)}]")
