"""A small model and its file, and files that somebody has written with care."""

import copy

import pytest
from sklearn.datasets import load_iris

import skae
from skae._value_files import read, write


@pytest.fixture(scope="session")
def iris():
    return load_iris().data


@pytest.fixture(scope="session")
def model(iris):
    """A model of few bytes."""
    return skae.AutoencoderTransformer(
        1, hidden_layer_sizes=2, max_iter=2, early_stopping=False, noise="masking", random_state=0
    ).fit(iris)


@pytest.fixture
def saved(model, tmp_path):
    path = tmp_path / "model.skae"
    skae.save(model, path)
    return path


@pytest.fixture
def forge(saved):
    """Return a function that writes what a file says anew, with a digest that is right.

    It takes a function that changes the document and the tensors in place.
    """
    _, _, tensors = read(saved, 1)
    document = read(saved, 1).document

    def forged(change):
        changed, arrays = copy.deepcopy(document), dict(tensors)
        change(changed, arrays)
        write(saved, changed, arrays)
        return saved

    return forged
