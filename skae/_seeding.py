"""Randomness of our own: one torch generator a fit, and the caller's global ones as found."""

from contextlib import contextmanager

import torch
from sklearn.utils import check_random_state


def draw_seed(random_state) -> int:
    """Return a seed below 2**31, drawn from a scikit-learn ``random_state``."""
    return int(check_random_state(random_state).randint(2**31))


def torch_generator(seed: int) -> torch.Generator:
    """Return a generator on the CPU with the given seed."""
    generator = torch.Generator()
    generator.manual_seed(seed)
    return generator


def global_draws() -> list[torch.Tensor]:
    """Return what torch's global generators, of the CPU and of GPUs in use, go on from."""
    states = [torch.get_rng_state()]
    return states + (torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [])


def go_on_drawing(states: list[torch.Tensor]) -> None:
    """Let torch's global generators go on from where `global_draws` has found them."""
    torch.set_rng_state(states[0])
    if len(states) > 1:
        torch.cuda.set_rng_state_all(states[1:])


@contextmanager
def global_torch_state():
    """Give torch's global generators back as found after the block, which is given those in use."""
    used = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=used):
        yield used


@contextmanager
def global_torch_seed(seed: int):
    """Seed torch's global generator inside the block and give it back as found.

    For modules of the user's that draw from the global generator (dropout, the
    constructors of ``torch.nn``); our own parts draw from `torch_generator`.
    """
    with global_torch_state() as used:
        torch.default_generator.manual_seed(seed)
        if used:  # a seed for a GPU that is not in use yet would outlive this block
            torch.cuda.manual_seed_all(seed)
        yield
