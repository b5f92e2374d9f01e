"""How many threads torch uses, lowered for small work and given back as found."""

import os
import threading
from contextlib import contextmanager

import torch

_lock = threading.Lock()
_depth = 0
_found = 0
_forked = False


def _remember_fork() -> None:
    global _lock, _depth, _forked
    _lock, _depth, _forked = threading.Lock(), 0, True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_remember_fork)


@contextmanager
def single_thread(wanted: bool):
    """Use one thread inside the block if ``wanted``, and always in a forked process.

    Small matrices gain nothing from a second thread, and a sum that is not split gives
    the same bits wherever it runs: alone, or beside others in a parallel search. After a
    fork, torch's thread pool exists in name only, and waiting for it would be forever.
    Blocks that overlap in several Python threads share one change, undone by the last.
    """
    global _depth, _found
    if not (wanted or _forked):
        yield
        return
    with _lock:
        if _depth == 0:
            _found = torch.get_num_threads()
            torch.set_num_threads(1)
        _depth += 1
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0:
                torch.set_num_threads(_found)
