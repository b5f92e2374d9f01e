"""What docs/reliability.md promises of all estimators alike, and that the tests it names exist."""

import ast
import gc
import hashlib
import multiprocessing
import os
import re
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, clone

import skae
from skae import (
    AutoencoderImputer,
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    ConvolutionalAutoencoderTransformer,
    StackedAutoencoderClassifier,
    TableAutoencoderTransformer,
    TableEncoder,
    VariationalAutoencoderTransformer,
)
from skae._training import Run

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
PROMISED, _ = PAGE.split("## What is not promised")

# Rows about a curve, which fits leave PCA for.
RANDOM = np.random.RandomState(0)
ANGLE = RANDOM.uniform(0, 5, 90)
X = np.column_stack([wave(k * ANGLE) for k in (0.5, 1, 2) for wave in (np.sin, np.cos)])
X += RANDOM.normal(scale=0.2, size=X.shape)
WITH_HOLES = np.where(RANDOM.uniform(size=X.shape) < 0.2, np.nan, X)
LABELS = np.arange(90) % 3

ON_ALL = {"early_stopping": False, "max_iter": 2, "random_state": 0}
SMALL = {"hidden_layer_sizes": 5, **ON_ALL}
SHAPE = {"height": 2, "width": 3, "channels": 1}
ESTIMATORS = [
    AutoencoderTransformer(1, max_iter=3, hidden_layer_sizes=5, random_state=0),
    AutoencoderTransformer(2, noise="masking", dropout=0.1, **SMALL),
    ConvolutionalAutoencoderTransformer(2, image_shape=SHAPE, channels=2, dropout=0.1, **ON_ALL),
    VariationalAutoencoderTransformer(2, **SMALL),
    StackedAutoencoderClassifier((5, 3), pretrain_max_iter=1, softmax_max_iter=1, **ON_ALL),
    AutoencoderOutlierDetector(AutoencoderTransformer(1, **SMALL), n_folds=2),
    AutoencoderImputer(AutoencoderTransformer(2, missing="mask", **SMALL)),
    TableAutoencoderTransformer(2, autoencoder=AutoencoderTransformer(**SMALL)),
]


def test_every_public_estimator_is_looked_at():
    public = [getattr(skae, name) for name in skae.__all__]
    estimators = {kind for kind in public if isinstance(kind, type) and hasattr(kind, "fit")}
    # What trains nothing has nothing to interrupt, and nothing to draw.
    assert {type(estimator) for estimator in ESTIMATORS} == estimators - {TableEncoder}


def numbers_of(estimator: BaseEstimator) -> bytes:
    """Return what an estimator gives for some rows."""
    names = "predict_proba", "score_samples", "transform"
    method = next(name for name in names if hasattr(estimator, name))
    rows = WITH_HOLES if isinstance(estimator, AutoencoderImputer) else X
    return np.ascontiguousarray(getattr(estimator, method)(rows)).tobytes()


def digest(estimator: BaseEstimator) -> str:
    """Return what tells the numbers of a new fit from those of any other."""
    return hashlib.sha256(numbers_of(clone(estimator).fit(X, LABELS))).hexdigest()


def digests() -> list[str]:
    return [digest(estimator) for estimator in ESTIMATORS]


@pytest.fixture(scope="module")
def expected():
    """What fits give in this process, one after another."""
    return digests()


# The page


def bullets(text: str) -> list[str]:
    return re.findall(r"^- .*?(?=^- |^## |^$|\Z)", text, re.MULTILINE | re.DOTALL)


def test_every_test_that_the_page_names_exists():
    named = {*re.findall(r"`(tests/[^`]+)::(\w+)`", PAGE)}
    trees = {path: ast.parse((ROOT / path).read_text(encoding="utf-8")) for path, _ in named}
    known = {
        (path, node.name)
        for path, tree in trees.items()
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }
    assert named - known == set()


def test_each_promise_names_a_test():
    assert len(bullets(PROMISED)) > 20
    assert [bullet for bullet in bullets(PROMISED) if "`tests/" not in bullet] == []


# Nothing lost

FITTED_AGAIN = [
    pytest.param(estimator, way, id=f"{type(estimator).__name__}, {way}")
    for way in ("fit", "warm_start", "partial_fit")
    for estimator in ESTIMATORS
    if way == "fit" or hasattr(estimator, "partial_fit")
]


@pytest.mark.parametrize(("estimator", "way"), FITTED_AGAIN)
def test_an_interrupt_in_any_epoch_leaves_the_estimator_as_it_was(estimator, way, monkeypatch):
    estimator = clone(estimator)
    if way == "warm_start":
        estimator.set_params(warm_start=True)
    again = estimator.partial_fit if way == "partial_fit" else estimator.fit
    before, numbers = vars(estimator.fit(X, LABELS)).copy(), numbers_of(estimator)
    real = Run.epoch

    def epoch(run):
        nonlocal left
        losses, left = real(run), left - 1
        if left == 0:  # the weights have moved, and nobody has heard of it
            raise KeyboardInterrupt
        return losses

    monkeypatch.setattr(Run, "epoch", epoch)
    for number in count(1):
        left = number
        try:
            again(X, LABELS)
        except KeyboardInterrupt:
            assert numbers_of(estimator) == numbers
            assert {*vars(estimator)} == {*before}
            assert all(vars(estimator)[name] is value for name, value in before.items())
        else:
            break
    assert number > 1


# Nothing executed, same seed, same bits


# Python tells of programs that are started and of connections that are opened. The fits are those
# of the module here, with other hashes of text and other threads.
ELSEWHERE = """
import importlib.util, sys
import torch
torch.set_num_threads(2)
spec = importlib.util.spec_from_file_location("here", sys.argv[1])
here = importlib.util.module_from_spec(spec)
spec.loader.exec_module(here)
events = set()
sys.addaudithook(lambda event, arguments: events.add(event))
print(*here.digests())
here.skae.save(here.clone(here.ESTIMATORS[0]).fit(here.X), sys.argv[2])
here.skae.load(sys.argv[2])
here.skae.compare(here.X, methods=["pca", "autoencoder"], random_state=0)
print(*(event for event in events if event.startswith(here.OUTWARD)))
"""
OUTWARD = ("socket.", "urllib.", "http.", "ftplib.", "subprocess.", "os.system", "os.exec")


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """What a fresh process finds, and what it has to do with others."""
    path = tmp_path_factory.mktemp("elsewhere") / "model.skae"
    call = [sys.executable, "-c", ELSEWHERE, __file__, str(path)]
    other = os.environ | {"PYTHONHASHSEED": "7"}
    result = subprocess.run(call, check=True, capture_output=True, text=True, env=other)
    return [line.split() for line in result.stdout.splitlines()]


@pytest.mark.slow
def test_nothing_is_fetched_sent_or_started(elsewhere):
    assert elsewhere[1] == []


@pytest.mark.slow
def test_a_fresh_process_gives_the_same_bits(elsewhere, expected):
    assert elsewhere[0] == expected


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_gives_the_same_bits(expected):
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply_async(digests).get(timeout=60) == expected


def test_fits_in_threads_at_the_same_time_give_the_same_bits(expected):
    before = torch.get_rng_state(), torch.get_num_threads()
    with ThreadPoolExecutor(len(ESTIMATORS)) as pool:
        found = [*pool.map(digest, 2 * ESTIMATORS)]
    assert found == 2 * expected
    assert torch.equal(torch.get_rng_state(), before[0])
    assert torch.get_num_threads() == before[1]


# Memory


def n_tensors() -> int:
    gc.collect()
    return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())


@pytest.mark.slow
def test_what_a_fit_needs_is_let_go():
    estimators, numbers = [clone(estimator) for estimator in ESTIMATORS], []
    for _ in range(3):
        rows = [X.copy() for _ in estimators]
        alive = [weakref.ref(some) for some in rows]
        for estimator in estimators:
            estimator.fit(rows.pop(), LABELS)
        numbers.append(n_tensors())
        assert [some for some in alive if some() is not None] == []
    assert len({*numbers}) == 1
