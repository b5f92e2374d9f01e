"""What displays ask of estimators: pipelines, searches, frames and networks."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from skae import AutoencoderTransformer, StackedAutoencoderClassifier
from skae.plotting._estimators import (
    as_last_step_sees,
    column_names,
    decode,
    encode,
    first_weights,
    fitted,
    image_shape_in,
    last_step,
    maps_in,
    module_of,
    numbers,
    rows_of,
    target_of,
)


@pytest.fixture(scope="module")
def pipeline(digits):
    return make_pipeline(StandardScaler(), make_pipeline(PCA(9), PCA(3))).fit(digits[0])


@pytest.fixture(scope="module")
def search(digits):
    return GridSearchCV(PCA(), {"n_components": [1, 2]}, cv=2).fit(digits[0])


class Named:
    """An estimator with attributes alone."""

    def __init__(self, **attributes):
        vars(self).update(attributes)

    def fit(self, X):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        return PCA().__sklearn_tags__()


# Estimators


def test_of_a_search_the_best_estimator_is_asked(search):
    assert fitted(search, "transform") is search.best_estimator_
    assert last_step(search) is search.best_estimator_


def test_an_estimator_that_is_not_fitted_is_an_error():
    with pytest.raises(NotFittedError, match="not fitted yet"):
        fitted(PCA())


def test_a_method_that_is_missing_is_an_error_that_names_it(digits):
    kmeans = KMeans(2, n_init=1, random_state=0).fit(digits[0])
    with pytest.raises(TypeError, match="KMeans has no inverse_transform, which this display"):
        decode(kmeans, np.zeros((2, 2)))
    with pytest.raises(TypeError, match="Ridge has no transform"):
        encode(Ridge().fit(*digits), digits[0])


def test_the_last_step_is_found_in_pipelines_in_pipelines_and_searches(pipeline, digits):
    inner = pipeline.steps[-1][1].steps[-1][1]
    assert last_step(pipeline) is inner
    search = GridSearchCV(pipeline, {"pipeline__pca-2__n_components": [1, 2]}, cv=2)
    assert last_step(search.fit(digits[0])).n_components == 2


def test_the_last_step_sees_what_the_steps_before_return(pipeline, digits):
    X = digits[0]
    scaler, (first, _) = pipeline[0], pipeline.steps[-1][1]
    expected = first.transform(scaler.transform(X))
    np.testing.assert_allclose(as_last_step_sees(pipeline, X), expected)
    np.testing.assert_array_equal(as_last_step_sees(first, X), X)


def test_codes_and_rows_are_those_of_the_estimator(pipeline, digits):
    X = digits[0]
    codes = encode(pipeline, X)
    np.testing.assert_array_equal(codes, pipeline.transform(X))
    np.testing.assert_array_equal(decode(pipeline, codes), pipeline.inverse_transform(codes))


def test_frames_and_sparse_matrices_are_codes_too(digits):
    X = digits[0]
    frame = pd.DataFrame(X).rename(columns=str)
    in_frames = PCA(2).set_output(transform="pandas").fit(frame)
    codes = encode(in_frames, frame)
    assert type(codes) is np.ndarray
    np.testing.assert_array_equal(codes, in_frames.transform(frame).to_numpy())
    np.testing.assert_array_equal(numbers(sparse.csr_matrix(X)), X)
    svd = TruncatedSVD(2, random_state=0).fit(X)
    np.testing.assert_allclose(encode(svd, sparse.csr_array(X)), svd.transform(X))


# Rows


@pytest.mark.parametrize(
    "kind", [np.array, list, pd.DataFrame, sparse.csr_matrix, sparse.coo_array, pl.DataFrame]
)
def test_rows_of_any_kind_are_an_array_of_numbers(kind):
    rows = rows_of(kind([[1, 2], [0, 3]]))
    assert rows.dtype == np.float64
    expected = [[1, 2], [0, 3]]
    np.testing.assert_array_equal(rows.T if kind is pl.DataFrame else rows, expected)


def test_rows_may_have_missing_values_and_codes_may_not():
    X = [[1.0, np.nan]]
    np.testing.assert_array_equal(rows_of(X), X)
    with pytest.raises(ValueError, match="contains NaN"):
        numbers(X)
    with pytest.raises(ValueError, match="contains infinity"):
        rows_of([[1.0, np.inf]])


def test_columns_have_their_names_or_their_numbers():
    frame = pd.DataFrame(np.ones((2, 2)), columns=["a", 5])
    assert column_names(frame, 2) == ["a", "5"]
    assert column_names(np.ones((2, 2)), 2) == ["feature 0", "feature 1"]
    assert column_names(pl.DataFrame({"a": [1], "b": [2]}), 2) == ["a", "b"]


@pytest.mark.parametrize("y", [[1, 2], ["a", "b"], [0.5, 2], [True, False]])
def test_a_target_is_a_column(y):
    for given in (y, np.array(y), pd.Series(y)):
        np.testing.assert_array_equal(target_of(given), np.array(y))
    assert target_of(None) is None


@pytest.mark.parametrize(
    "y", [[1.0, np.nan], np.array(["a", None]), pd.Series(["a", None], dtype="string")]
)
def test_a_target_with_missing_values_is_an_error(y):
    with pytest.raises(ValueError, match="y contains NaN, or another missing value"):
        target_of(y)


# Images


def test_the_image_shape_is_the_one_asked_for_or_the_one_found(convolutional, pca, digits):
    assert image_shape_in(convolutional, None, 64) == (1, 8, 8)
    assert image_shape_in(convolutional, (4, 16), 64) == (4, 16)
    assert image_shape_in(convolutional, None, 63) is None
    assert image_shape_in(pca, None, 64) is None
    assert image_shape_in(None, (8, 8), 64) == (8, 8)
    scaled = make_pipeline(StandardScaler(), convolutional)
    scaled[0].fit(digits[0])
    assert image_shape_in(scaled, None, 64) == (1, 8, 8)


def test_channels_that_are_no_colors_are_no_images_unless_asked_for():
    assert image_shape_in(Named(image_shape_=(2, 4, 8)), None, 64) is None
    assert image_shape_in(Named(image_shape_=(3, 4, 4)), None, 48) == (3, 4, 4)


# Weights


def test_the_first_weights_of_pca_are_its_components(pca, pipeline):
    np.testing.assert_array_equal(first_weights(pca), pca.components_)
    np.testing.assert_array_equal(first_weights(pipeline), last_step(pipeline).components_)


def test_the_first_weights_of_a_perceptron_are_a_row_for_each_unit(digits):
    X, y = digits
    perceptron = MLPRegressor(hidden_layer_sizes=(7,), max_iter=1, random_state=0)
    with pytest.warns(ConvergenceWarning):
        perceptron.fit(X, y)
    weights = first_weights(perceptron)
    np.testing.assert_array_equal(weights, perceptron.coefs_[0].T)
    assert weights.shape == (7, 64)


@pytest.mark.parametrize("init", ["pca", "random"])
def test_the_first_weights_of_an_autoencoder_are_of_its_nonlinear_path(digits, init):
    autoencoder = AutoencoderTransformer(
        2, hidden_layer_sizes=(8,), init=init, max_iter=1, early_stopping=False, random_state=0
    ).fit(digits[0])
    body = autoencoder.module_.encoder.body
    layers = body if init == "random" else body.correction
    expected = layers[0].weight.detach().numpy()
    assert expected.shape == (8, 64)
    np.testing.assert_array_equal(first_weights(autoencoder), expected)


def test_the_first_weights_of_a_convolutional_autoencoder_are_its_filters(convolutional):
    filters = convolutional.module_.encoder.body.correction[1].weight.detach().numpy()
    weights = first_weights(convolutional)
    assert weights.shape == (3, 1, 3, 3)
    np.testing.assert_array_equal(weights, filters)


def test_a_classifier_with_a_stack_has_first_weights(digits):
    classifier = StackedAutoencoderClassifier(
        (8,), pretrain_max_iter=1, softmax_max_iter=1, max_iter=1, random_state=0
    ).fit(*digits)
    weights = first_weights(classifier)
    (layer,) = [m for m in classifier.module_.encoder.modules() if isinstance(m, nn.Linear)]
    np.testing.assert_array_equal(weights, layer.weight.detach().numpy())


def test_what_has_no_weights_is_an_error(digits):
    scaler = StandardScaler().fit(digits[0])
    with pytest.raises(TypeError, match="StandardScaler has neither a network"):
        first_weights(scaler)
    empty = Named(module_=Named(encoder=nn.Sequential(nn.ReLU())))
    with pytest.raises(TypeError, match="neither a dense layer nor a convolution"):
        first_weights(empty)


def test_only_networks_have_modules(autoencoder, pca):
    assert module_of(make_pipeline(autoencoder), "maps") is autoencoder.module_
    with pytest.raises(TypeError, match=r"PCA has no module_, .* and so no feature maps"):
        module_of(pca, "feature maps")


# Maps


def layers(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Unflatten(1, (1, 6, 6)),
        nn.Conv2d(1, 2, 3, padding=1),
        nn.BatchNorm2d(2),
        nn.Tanh(),
        nn.MaxPool2d(2),
        nn.Conv2d(2, 4, 3, padding=1),
        nn.Conv2d(4, 4, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(36, 2),
    ).eval()


@pytest.fixture
def own_seed():
    state = torch.get_rng_state()
    yield
    torch.set_rng_state(state)


@pytest.mark.parametrize(("layer", "n_applied"), [(0, 4), (1, 6), (2, 8)])
@pytest.mark.usefixtures("own_seed")
def test_maps_are_what_comes_after_normalization_and_activation_and_before_pooling(
    layer, n_applied
):
    network = layers()
    X = torch.randn(3, 36)
    with torch.no_grad():
        expected = network[:n_applied](X).numpy()
    maps = maps_in(network, X.numpy(), layer)
    np.testing.assert_allclose(maps, expected, rtol=1e-6)
    assert not any(module._forward_hooks for module in network.modules())


@pytest.mark.usefixtures("own_seed")
def test_the_network_is_left_as_it_was_if_it_fails():
    network = layers()
    with pytest.raises(RuntimeError):
        maps_in(network, np.ones((2, 35)), 0)
    assert not any(module._forward_hooks for module in network.modules())


def test_convolutions_that_do_not_exist_are_an_error(convolutional, autoencoder):
    encoder = convolutional.module_.encoder
    for layer in (2, -1):
        with pytest.raises(ValueError, match=f"layer={layer}, but the encoder has 2 convolutions"):
            maps_in(encoder, np.zeros((1, 64)), layer)
    with pytest.raises(TypeError, match="no convolution, and so no feature maps"):
        maps_in(autoencoder.module_.encoder, np.zeros((1, 64)), 0)
