"""Several processes that train together end with what one of them ends with by itself.

Most of them are forks, which need not import anything; one test goes the way of users, by torchrun.
"""

import os
import signal
import subprocess
import sys
import tempfile
from datetime import timedelta
from functools import cache
from multiprocessing import get_context

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from skorch.callbacks import Callback
from torch import distributed

from skae import (
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    ConvolutionalAutoencoderTransformer,
    StackedAutoencoderClassifier,
    VariationalAutoencoderTransformer,
    data_parallel,
    load,
    save,
)
from skae._fitting import training_settings
from skae._processes import Processes, Share, SharedBatches
from skae._training import Run
from skae.datasets import open_rows
from skae.nn import Dropout, seed_layers
from skae.penalty import KLSparsity, L1Sparsity, NeighborPreservation

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forks"),
    pytest.mark.filterwarnings(
        "ignore::skae.exceptions.DependentRowsWarning",
        "ignore:.*fork:DeprecationWarning",
    ),
]

random = np.random.RandomState(0)
X = np.sin(random.normal(size=(203, 2)) @ random.normal(size=(2, 6)))
X += 0.05 * random.normal(size=X.shape)
WITH_HOLES = np.where(random.uniform(size=X.shape) < 0.1, np.nan, X)
WEIGHT = random.uniform(0.5, 2, size=len(X))
TO_ROUNDING = {"rtol": 1e-4, "atol": 1e-5}


def in_processes(function, number, *, lost=()):
    """Return what a function returns in each of several processes, or its error as text.

    Of those that are lost, there is nothing.
    """
    fork = get_context("fork")
    with tempfile.TemporaryDirectory() as folder:
        pipes = [fork.Pipe(duplex=False) for _ in range(number)]
        where = f"file://{folder}/meeting"
        children = [
            fork.Process(target=_child, args=(function, rank, number, where, pipes[rank][1]))
            for rank in range(number)
        ]
        for child, (_, end) in zip(children, pipes, strict=True):
            child.start()
            end.close()
        results = []
        for rank, (end, _) in enumerate(pipes):
            if rank in lost:
                results.append(None)
            else:
                assert end.poll(60), f"process {rank} hangs"
                results.append(end.recv())
        for child in children:
            child.join(10)
        return results


def _child(function, rank, number, where, end):
    distributed.init_process_group(
        "gloo", init_method=where, rank=rank, world_size=number, timeout=timedelta(seconds=50)
    )
    try:
        result = function()
    except (RuntimeError, ValueError) as error:
        result = f"{type(error).__name__}: {error}"
    end.send(result)
    os._exit(0)


def together(function):
    """Return a function that is called within a block of `data_parallel`."""

    def call():
        with data_parallel():
            return function()

    return call


def quick(estimator=AutoencoderTransformer, n_components=2, **how):
    """Return an autoencoder of batches that two and four processes can't share evenly.

    At PCA's solution some gradients are nothing but rounding, which Adam makes whole steps of.
    """
    default = {"batch_size": 37, "max_iter": 3, "init": "random", "noise": None, "random_state": 0}
    if how.get("init") == "pca":
        default |= {"solver": "sgd", "learning_rate_init": 0.1}
    if estimator is not ConvolutionalAutoencoderTransformer:
        default |= {"hidden_layer_sizes": 8}
    return estimator(n_components, **{**default, **how})


def in_chunks(rows):
    chunks = [rows[start : start + 10] for start in range(0, len(rows), 10)]
    return open_rows(chunks, memory="4kB")


FITS = {
    "from random numbers": lambda: quick().fit(X),
    "candidates and folds": lambda: quick(init="auto", noise="auto").fit(X),
    "all rows": lambda: quick(early_stopping=False).fit(X, sample_weight=WEIGHT),
    "a row a process": lambda: quick(batch_size=5).fit(X[:23]),
    "a falling rate": lambda: quick(learning_rate="adaptive", tol=1.0, max_iter=4).fit(X),
    "its own unit": lambda: quick(loss=lambda R, X: (R - X).pow(4)).fit(X),
    "draws": lambda: quick(noise="gaussian", dropout=0.2, ordered=True).fit(X),
    "a share": lambda: quick(n_components=0.9, init="pca").fit(X),
    "penalties": lambda: quick(penalty=["l1", "contraction"], missing="mask").fit(WITH_HOLES),
    "pretraining": lambda: quick(pretrain=True, early_stopping=False).fit(X),
    "sparse": lambda: quick().fit(sp.csr_array(np.where(X > 0.5, X, 0))),
    "pairs": lambda: quick().fit(X + 0.1 * WEIGHT[:, None], y=X),
    "a source": lambda: quick().fit(in_chunks(X)),
    "in parts": lambda: quick().partial_fit(X[:90]).partial_fit(X[90:]),
    "images": lambda: quick(
        ConvolutionalAutoencoderTransformer,
        image_shape=(1, 2, 3),
        early_stopping=False,
        solver="sgd",
    ).fit(X),
    "distributions": lambda: VariationalAutoencoderTransformer(
        2, hidden_layer_sizes=8, batch_size=37, max_iter=2, init="random", random_state=0
    ).fit(X),
    "a detector": lambda: AutoencoderOutlierDetector(quick(max_iter=1), random_state=0).fit(X),
}
BY_FOUR = ("from random numbers", "candidates and folds", "a row a process", "draws")


def numbers(fitted):
    """Return what a fit has learnt."""
    if isinstance(fitted, AutoencoderOutlierDetector):
        return [fitted.score_samples(X), [], [], 1]
    learnt = [tensor.numpy() for tensor in fitted.module_.state_dict().values()]
    return [
        np.concatenate([values.ravel() for values in learnt if values.dtype == np.float32]),
        fitted.loss_curve_,
        fitted.validation_loss_curve_ or [],
        fitted.best_iter_,
    ]


@cache
def found_by(number):
    """Return what each of so many processes learns in all fits, or in some of them."""
    names = BY_FOUR if number == 4 else FITS

    def fit_all():
        return {name: numbers(FITS[name]()) for name in names}

    return [fit_all()] if number == 1 else in_processes(together(fit_all), number)


@pytest.mark.parametrize(
    ("name", "number"), [*((name, 2) for name in FITS), *((name, 4) for name in BY_FOUR)]
)
def test_several_processes_learn_what_one_learns(name, number):
    (alone,), several = found_by(1), found_by(number)
    for result in several:
        for value, expected in zip(result[name], alone[name], strict=True):
            np.testing.assert_allclose(value, expected, **TO_ROUNDING)
        for value, of_first in zip(result[name], several[0][name], strict=True):
            np.testing.assert_array_equal(value, of_first)


def test_fits_train_where_their_start_is_not_the_best():
    best = {name: result[3] for name, result in found_by(1)[0].items()}
    assert sum(epoch > 0 for epoch in best.values()) > len(best) / 2


def test_a_block_changes_nothing_of_a_single_process():
    outside = numbers(quick(dropout=0.2).fit(X))
    with data_parallel() as processes:
        within = numbers(quick(dropout=0.2).fit(X))
    assert (processes.number, processes.rank, processes.is_main) == (1, 0, True)
    for value, expected in zip(within, outside, strict=True):
        np.testing.assert_array_equal(value, expected)


def test_a_process_group_is_not_used_outside_of_a_block():
    def fit_in_one():
        return numbers(quick().fit(X)) if distributed.get_rank() == 0 else None

    (one, other), alone = in_processes(fit_in_one, 2), numbers(quick().fit(X))
    assert other is None
    np.testing.assert_array_equal(one[0], alone[0])


def test_a_group_trains_and_the_others_do_not():
    def fit_in_two():
        group = distributed.new_group([1, 2])
        if distributed.get_rank() == 0:
            with pytest.raises(ValueError, match=r"does not have this process, 0 of 3"):
                data_parallel(group).__enter__()
            return None
        with data_parallel(group) as processes:
            return processes.rank, processes.number, numbers(quick().fit(X))

    _, *members = in_processes(fit_in_two, 3)
    assert [member[:2] for member in members] == [(0, 2), (1, 2)]
    for _, _, learnt in members:
        np.testing.assert_array_equal(learnt[0], found_by(2)[0]["from random numbers"][0])


def test_a_seed_that_is_drawn_is_that_of_all():
    one, other = in_processes(together(lambda: numbers(quick(random_state=None).fit(X))), 2)
    np.testing.assert_array_equal(one[0], other[0])


def of_each(*values):
    """Return the value of this process."""
    return values[distributed.get_rank()]


REFUSALS = {
    "callbacks": (lambda: quick(callbacks=[Callback()]).fit(X), "not train with callbacks"),
    "batch statistics": (lambda: quick(normalization="batch").fit(X), "with batch normalization"),
    "a mean over the batch": (
        lambda: quick(penalty=KLSparsity(), latent_activation="logistic").fit(X),
        r"KLSparsity\(\), which sees a batch as a whole",
    ),
    "other rows of the batch": (
        lambda: quick(penalty=[L1Sparsity(), NeighborPreservation()]).fit(X),
        r"NeighborPreservation\(\), which sees a batch as a whole",
    ),
    "small batches": (lambda: quick(batch_size=1).fit(X), "can't share batches of 1 rows"),
    "labels": (
        lambda: StackedAutoencoderClassifier().fit(X, X[:, 0] > 0),
        "StackedAutoencoderClassifier is not trained by several",
    ),
    "other rows": (lambda: quick().fit(of_each(X[:100], X[100:])), "do not have the same rows"),
    "other values": (lambda: quick().fit(of_each(X, X + 1)), "do not have the same rows"),
    "other seeds": (
        lambda: quick(validation_fraction=0.5, random_state=of_each(0, 1)).fit(X),
        None,  # that of the first process is taken
    ),
}


def try_all():
    said = {}
    for name, (fit, _) in REFUSALS.items():
        try:
            said[name] = numbers(fit())[1]
        except ValueError as error:
            said[name] = str(error)
    return said


@cache
def tried():
    return in_processes(together(try_all), 2)


@pytest.mark.parametrize("name", REFUSALS)
def test_what_is_not_shared_is_refused_by_all(name):
    expected = REFUSALS[name][1]
    one, other = (result[name] for result in tried())
    assert one == other
    if expected is not None:
        with pytest.raises(ValueError, match=expected):
            raise ValueError(one)


def test_only_the_main_process_shows_a_bar():
    shown = in_processes(together(lambda: training_settings(quick(verbose=True), 100).verbose), 2)
    assert shown == [True, False]


# A process that ends


def fit_with_checkpoint(path, *, dies_after=None):
    """Return a function that fits, in which the second process may die after some epochs."""

    def fit():
        train = Run.epoch
        n_epochs = 0

        def epoch(run):
            nonlocal n_epochs
            n_epochs += 1
            if n_epochs == dies_after and distributed.get_rank() == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            return train(run)

        Run.epoch = epoch  # of this process, which is a fork
        learnt = numbers(quick(max_iter=6, noise="gaussian", checkpoint=(path, 0)).fit(X))
        return learnt, n_epochs

    return together(fit)


def test_a_fit_goes_on_where_a_process_was_killed(tmp_path):
    path = str(tmp_path / "fit.skae")
    error, _ = in_processes(fit_with_checkpoint(path, dies_after=5), 2, lost=[1])
    assert "Process 0 of 2 can't reach the others" in error
    assert "A fit with a checkpoint goes on" in error
    assert os.path.exists(path)
    begun = in_processes(fit_with_checkpoint(path), 2)
    whole = in_processes(fit_with_checkpoint(str(tmp_path / "other.skae")), 2)
    for (learnt, n_epochs), (expected, n_expected) in zip(begun, whole, strict=True):
        assert n_epochs == n_expected - 4
        np.testing.assert_array_equal(learnt[0], expected[0])
    assert os.listdir(tmp_path) == []


SCRIPT = """
import os, signal, sys
import numpy as np
import skae
from skae._training import Run

X = np.load("X.npy")
with skae.data_parallel() as processes:
    autoencoder = skae.AutoencoderTransformer(
        2, hidden_layer_sizes=8, noise=None, init="random", batch_size=37, max_iter=3,
        random_state=0,
    ).fit(X)
    if processes.is_main:
        skae.save(autoencoder, "model.skae")

def dies(run):
    os.kill(os.getpid(), signal.SIGKILL)

with skae.data_parallel() as processes:
    if processes.rank == 1:
        Run.epoch = dies
    autoencoder.fit(X)
print("not reached")
"""


def test_torchrun_starts_a_script_and_ends_it_when_a_process_is_killed(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    np.save(tmp_path / "X.npy", X)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    done = subprocess.run(
        [*launcher, "--nproc-per-node", "2", "script.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode != 0
    assert "not reached" not in done.stdout
    assert "Signal 9 (SIGKILL)" in done.stderr or "exitcode: -9" in done.stderr.replace(" ", "")
    learnt = numbers(load(tmp_path / "model.skae"))
    expected = found_by(1)[0]["from random numbers"]
    for value, wanted in zip(learnt, expected, strict=True):
        np.testing.assert_allclose(value, wanted, **TO_ROUNDING)


# Parts


@pytest.mark.parametrize("number", [1, 2, 3, 7])
def test_shares_are_all_rows_once(number):
    shares = [Processes(number, rank).share_of(37) for rank in range(number)]
    rows = [row for share in shares for row in range(share.start, share.stop)]
    assert rows == list(range(37))
    assert {share.n_own for share in shares} <= {37 // number, 37 // number + 1}


@pytest.mark.parametrize("shape", [(10, 3), (4, 10, 3)])
def test_shares_of_a_batch_make_up_the_batch(shape):
    Z = torch.rand(shape)
    batch = Z, [Z, Z[..., 0], Z + 1]
    parts = [next(iter(SharedBatches([batch], Processes(3, rank)))) for rank in range(3)]
    dim = len(shape) - 2
    assert torch.cat([rows for rows, _ in parts], dim=dim).equal(Z)
    for place, whole in enumerate(batch[1]):
        assert torch.cat([target[place] for _, target in parts], dim=dim).equal(whole)


@pytest.mark.parametrize("side_by_side", [False, True])
def test_layers_draw_for_a_share_what_they_draw_for_the_whole_batch(side_by_side):
    ones, parts = torch.ones(4 if side_by_side else 1, 10, 3), []
    layer = Dropout(0.5).train()
    layer.side_by_side = side_by_side
    ones = ones if side_by_side else ones[0]
    seed_layers(layer, 0)
    whole = layer(ones)
    for share in [Share(0, 3, 10), Share(3, 10, 10)]:
        seed_layers(layer, 0)
        layer.share = share.start, share.n_rows
        parts.append(layer(ones[..., share.start : share.stop, :]))
    assert torch.cat(parts, dim=-2).equal(whole)


def test_a_fitted_estimator_is_a_plain_one(tmp_path):
    def save_both():
        with data_parallel() as processes:
            fitted = FITS["draws"]()
        if processes.is_main:
            save(fitted, tmp_path / "model.skae")
        return processes.rank

    assert in_processes(save_both, 2) == [0, 1]
    loaded = load(tmp_path / "model.skae")
    np.testing.assert_array_equal(numbers(loaded)[0], found_by(2)[0]["draws"][0])
    loaded.fit(X)  # by itself
