"""Fitted networks leave for where skae is not installed, as docs/deployment.md says."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from skae import (
    AutoencoderTransformer,
    ConvolutionalAutoencoderTransformer,
    StackedAutoencoderClassifier,
    VariationalAutoencoderTransformer,
)
from skae.activation import TopK

pytestmark = pytest.mark.slow

BRIEF = {"max_iter": 1, "early_stopping": False, "random_state": 0}
LAYERS = {"hidden_layer_sizes": (16, 8)}
STACKED = {"hidden_layer_sizes": (16, 8), "max_iter": 1, "random_state": 0}
IMAGES = {"image_shape": (8, 8), "channels": (4, 8)}

AUTOENCODERS = {
    "dense": AutoencoderTransformer(4, **LAYERS, **BRIEF),
    "share": AutoencoderTransformer(0.5, **LAYERS, **BRIEF),
    "top k": AutoencoderTransformer(6, latent_activation=TopK(2), **LAYERS, **BRIEF),
    "tied": AutoencoderTransformer(4, tied_weights=True, normalization="batch", **LAYERS, **BRIEF),
    "log loss": AutoencoderTransformer(4, loss="log_loss", dropout=0.1, **LAYERS, **BRIEF),
    "convolutional": ConvolutionalAutoencoderTransformer(4, **IMAGES, **BRIEF),
    "feature map": ConvolutionalAutoencoderTransformer(None, **IMAGES, **BRIEF),
    "variational": VariationalAutoencoderTransformer(4, **LAYERS, **BRIEF),
}
CLASSIFIERS = {
    "stacked": StackedAutoencoderClassifier(**STACKED),
    "ladder": StackedAutoencoderClassifier(joint="ladder", **STACKED),
}

# A program for an interpreter that has torch and numpy, but none of these.
ELSEWHERE = """
import sys
for name in ("skae", "sklearn", "skorch"):
    sys.modules[name] = None  # its import fails
from pathlib import Path
import numpy as np, torch
rows = torch.from_numpy(np.load("rows.npy"))
for path in Path().glob("*.pt2"):
    with torch.no_grad():
        network = torch.export.load(path).module()
        assert network(rows[:1]).shape[0] == 1
        np.save(path.with_suffix(".npy"), network(rows).numpy())
"""


def exported(network, rows):
    """Return a network as a program, for any number of rows."""
    free = {0: torch.export.Dim("rows")}
    return torch.export.export(network, (rows[:2],), dynamic_shapes=(free,))


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return (X[:200] / 16).astype(np.float32), y[:200]


@pytest.fixture(scope="module")
def elsewhere(digits, tmp_path_factory):
    """Return, by estimator, what its own method and its network elsewhere give, if they run."""
    X, y = digits
    folder, rows, here = tmp_path_factory.mktemp("elsewhere"), torch.from_numpy(X), {}
    np.save(folder / "rows.npy", X)
    for name, estimator in (AUTOENCODERS | CLASSIFIERS).items():
        module = estimator.fit(X, y).module_
        network, method = module.encoder, estimator.transform
        if name in CLASSIFIERS:
            network = torch.nn.Sequential(module.encoder, module.head, torch.nn.Softmax(dim=1))
            method = estimator.predict_proba
        with warnings.catch_warnings():  # of the weights of convolutions, which are channels-last
            warnings.filterwarnings("ignore", "No complete tensor found")
            torch.export.save(exported(network, rows), folder / f"{name}.pt2")
        here[name] = method(X)
    subprocess.run([sys.executable, "-c", ELSEWHERE], cwd=folder, check=True, capture_output=True)
    return {name: (here[name], np.load(folder / f"{name}.npy")) for name in here}


@pytest.mark.parametrize("name", AUTOENCODERS | CLASSIFIERS)
def test_an_exported_network_needs_no_skae_and_gives_the_same_numbers(elsewhere, name):
    here, there = elsewhere[name]
    assert there.dtype == np.float32
    np.testing.assert_allclose(there, here, rtol=0, atol=2e-6)


@pytest.mark.parametrize("name", AUTOENCODERS)
def test_an_exported_decoder_gives_the_reconstruction(elsewhere, digits, name):
    model, codes = AUTOENCODERS[name], elsewhere[name][0]
    decoder = exported(model.module_.decoder, torch.from_numpy(codes)).module()
    with torch.no_grad():
        rebuilt = decoder(torch.from_numpy(codes)).numpy()
    np.testing.assert_allclose(rebuilt, model.inverse_transform(codes), rtol=0, atol=2e-6)


def test_holes_become_means_before_an_exported_encoder(digits):
    class Filled(torch.nn.Module):
        def __init__(self, encoder):
            super().__init__()
            self.encoder = encoder

        def forward(self, X):
            return self.encoder(torch.where(X.isnan(), self.encoder.standardize.mean, X))

    X = digits[0].copy()
    X[np.random.RandomState(0).uniform(size=X.shape) < 0.2] = np.nan
    model = AutoencoderTransformer(4, missing="mask", **LAYERS, **BRIEF).fit(X)
    program = exported(Filled(model.module_.encoder).eval(), torch.from_numpy(X))
    with torch.no_grad():
        codes = program.module()(torch.from_numpy(X)).numpy()
    np.testing.assert_allclose(codes, model.transform(X), rtol=0, atol=2e-6)


def test_a_whole_network_is_not_saved(elsewhere, digits, tmp_path):
    program = exported(AUTOENCODERS["dense"].module_, torch.from_numpy(digits[0]))
    with pytest.raises(NotImplementedError, match="AutoencoderOutput"):
        torch.export.save(program, tmp_path / "whole.pt2")
