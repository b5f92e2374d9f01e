"""Activations of the code with parameters of their own."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.base import BaseEstimator
from sklearn.datasets import load_digits, load_iris

from skae import AutoencoderTransformer
from skae.activation import TopK


def small(**parameters):
    defaults = {"hidden_layer_sizes": 8, "max_iter": 3, "early_stopping": False}
    return AutoencoderTransformer(**defaults | {"random_state": 0} | parameters)


@settings(max_examples=50, deadline=None)
@given(
    code=arrays(
        np.float32,
        st.tuples(st.integers(1, 6), st.integers(2, 7)),
        elements=st.floats(-100, 100, width=32),
        unique=True,
    ),
    data=st.data(),
)
def test_top_k_keeps_the_k_largest_and_nothing_else(code, data):
    k = data.draw(st.integers(1, code.shape[1] - 1))
    result = TopK(k).activate(torch.from_numpy(code)).numpy()
    expected = np.zeros_like(code)
    for row, values in enumerate(code):
        for column in sorted(range(len(values)), key=lambda j: values[j])[-k:]:
            expected[row, column] = values[column]
    np.testing.assert_array_equal(result, expected)


def test_gradients_flow_through_what_is_kept_only():
    code = torch.tensor([[3.0, 1.0, 2.0]], requires_grad=True)
    TopK(2).activate(code).sum().backward()
    assert code.grad.tolist() == [[1.0, 0.0, 1.0]]


@pytest.mark.slow
def test_codes_have_k_numbers_and_explain_the_data():
    X = load_digits().data / 16
    model = small(
        n_components=32, latent_activation=TopK(6), max_iter=60, hidden_layer_sizes=64
    ).fit(X)
    codes = model.transform(X)
    assert (np.count_nonzero(codes, axis=1) <= 6).all()
    assert np.count_nonzero(codes, axis=0).min() < len(X)
    assert model.score(X) > 0.6


class Cube(BaseEstimator):
    """A user's own activation: a class with one method."""

    def activate(self, code):
        return code**3


def test_an_own_activation_is_what_codes_pass_through():
    X = load_iris().data
    model = small(latent_activation=Cube()).fit(X)
    body = model.module_.encoder.body
    with torch.no_grad():
        Z = torch.from_numpy((X - model.mean_) / model.scale_).float()
        expected = body(Z) ** 3
    np.testing.assert_allclose(model.transform(X), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("k", [3, 4])
def test_short_codes_are_kept_whole(k):
    code = torch.tensor([[3.0, -1.0, 2.0]])
    assert torch.equal(TopK(k).activate(code), code)


def test_the_part_belongs_to_the_user_and_a_copy_to_the_network():
    X = load_digits().data / 16
    part = TopK(2)
    model = small(n_components=4, latent_activation=part).fit(X)
    codes = model.transform(X)
    part.k = 1
    np.testing.assert_array_equal(model.transform(X), codes)


class Halved(BaseEstimator):
    def activate(self, code):
        return code[:, :1]


def test_an_activation_that_changes_the_shape_is_refused():
    with pytest.raises(ValueError, match=r"Halved\(\) turned codes of shape .* must keep"):
        small(n_components=4, latent_activation=Halved()).fit(load_iris().data)


def test_k_must_be_positive():
    with pytest.raises(ValueError, match="'k' parameter of TopK"):
        small(n_components=4, latent_activation=TopK(0)).fit(load_iris().data)
