"""Threads: one for small work, and their number given back as found."""

import multiprocessing
import sys
import threading

import numpy as np
import pytest
import torch

from skae import AutoencoderTransformer
from skae._threads import single_thread


@pytest.fixture(autouse=True)
def two_threads():
    """Let torch use two threads, whatever the machine."""
    found = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(found)


def test_the_block_has_one_thread_and_gives_back_two():
    with single_thread(True):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2


def test_without_the_wish_nothing_changes():
    with single_thread(False):
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == 2


def test_an_error_gives_back_too():
    with pytest.raises(ZeroDivisionError), single_thread(True):
        1 // 0  # noqa: B018
    assert torch.get_num_threads() == 2


def test_blocks_within_blocks_are_one():
    with single_thread(True):
        with single_thread(True):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2


def overlap(first_to_leave):
    """Overlap blocks of two threads; return the numbers inside and after, for each of them."""
    inside, after = {}, {}
    entered, left = threading.Event(), threading.Event()

    def work():
        torch.get_num_threads()  # torch sets a thread up when it is first asked
        ready.set()
        here.wait(10)
        with single_thread(True):
            inside["other"] = torch.get_num_threads()
            entered.set()
            if first_to_leave == "main":
                left.wait(10)
        after["other"] = torch.get_num_threads()

    ready, here = threading.Event(), threading.Event()
    other = threading.Thread(target=work)
    other.start()
    ready.wait(10)
    with single_thread(True):
        here.set()
        entered.wait(10)
        inside["main"] = torch.get_num_threads()
        if first_to_leave == "other":
            other.join(10)
    left.set()
    other.join(10)
    after["main"] = torch.get_num_threads()
    return inside, after


@pytest.mark.parametrize("first_to_leave", ["main", "other"])
def test_overlapping_blocks_have_one_thread_each_and_give_back_two(first_to_leave):
    inside, after = overlap(first_to_leave)
    assert inside == {"main": 1, "other": 1}
    assert after == {"main": 2, "other": 2}
    assert torch.get_num_threads() == 2


def test_a_fit_gives_back_the_threads_and_so_does_one_that_fails():
    X = np.random.RandomState(0).normal(size=(40, 4))
    tiny = AutoencoderTransformer(hidden_layer_sizes=8, max_iter=2, early_stopping=False)
    tiny.fit(X).transform(X)
    assert torch.get_num_threads() == 2
    with pytest.raises(ValueError, match="diverged"):
        tiny.set_params(learning_rate_init=1e20, solver="sgd", max_iter=20).fit(X)
    assert torch.get_num_threads() == 2


WIDE = np.random.RandomState(0).normal(size=(300, 900))


def fit_small():
    AutoencoderTransformer(hidden_layer_sizes=8, max_iter=2).fit(WIDE[:60, :5])


def fit_large():
    AutoencoderTransformer(60, max_iter=1, early_stopping=False).fit(WIDE)


def transform_large():
    large.transform(WIDE)


def ends_after_fork(work, seconds):
    """Whether work ends well in a forked child of a process whose thread pool is in use."""
    (torch.randn(500, 500) @ torch.randn(500, 500)).exp()
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join(seconds)
    if child.exitcode is None:
        child.kill()
        child.join()
    return child.exitcode == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="fork is safe on Linux only")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize(
    ("work", "seconds"),
    [
        (fit_small, 60),
        pytest.param(fit_large, 60),
        pytest.param(transform_large, 60),
    ],
)
def test_work_ends_in_a_forked_process(work, seconds):
    global large
    if work is transform_large:
        large = AutoencoderTransformer(2, hidden_layer_sizes=256, max_iter=1, early_stopping=False)
        large.fit(WIDE)
    assert ends_after_fork(work, seconds)
