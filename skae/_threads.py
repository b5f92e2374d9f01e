"""How many threads torch uses, lowered for small work and given back as found."""

import os
import threading
from contextlib import contextmanager

import torch

_lock = threading.Lock()
_n_inside = 0  # Python threads
_found = 0
_forked = False
_here = threading.local()  # its depth: how many blocks this Python thread is in


def _remember_fork() -> None:
    global _lock, _n_inside, _forked, _here
    _lock, _n_inside, _forked, _here = threading.Lock(), 0, True, threading.local()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_remember_fork)


@contextmanager
def single_thread(wanted: bool):
    """Use one thread inside the block if ``wanted``, and always in a forked process.

    Small matrices gain nothing from a second thread, and a sum that is not split gives
    the same bits wherever it runs: alone, or beside others in a parallel search. After a
    fork, torch's thread pool exists in name only, and waiting for it would be forever.
    Torch keeps the number for each Python thread, and one for those to come: every thread
    sets its own, and gives it the number that the first of overlapping blocks has found.
    """
    global _n_inside, _found
    if not (wanted or _forked):
        yield
        return
    if getattr(_here, "depth", 0) == 0:
        with _lock:
            if _n_inside == 0:
                _found = torch.get_num_threads()
            _n_inside += 1
            torch.set_num_threads(1)
    _here.depth = getattr(_here, "depth", 0) + 1
    try:
        yield
    finally:
        _here.depth -= 1
        if _here.depth == 0:
            with _lock:
                _n_inside -= 1
                torch.set_num_threads(_found)
