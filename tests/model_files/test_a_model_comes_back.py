"""Every public estimator, fitted or not, comes back with the same numbers, bit for bit."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import ShuffleSplit
from sklearn.utils.validation import check_is_fitted
from skorch.callbacks import GradientNormClipping
from torch import nn

import skae
from skae import (
    AutoencoderImputer,
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    ConvolutionalAutoencoderTransformer,
    StackedAutoencoderClassifier,
    VariationalAutoencoderTransformer,
)
from skae.activation import TopK
from skae.cluster import AutoencoderClustering
from skae.joint import Ladder
from skae.noise import GaussianNoise, MaskingNoise, SaltAndPepperNoise, SwapNoise
from skae.penalty import Contraction, KLSparsity, L1Sparsity

ON_ALL = {"max_iter": 2, "early_stopping": False, "random_state": 0}
BRIEF = {"hidden_layer_sizes": (8, 4), **ON_ALL}
IMAGES = {"image_shape": (8, 8), "channels": (4, 3), **ON_ALL}
STACKED = {"hidden_layer_sizes": (8, 4), "pretrain_max_iter": 2, "max_iter": 2, "random_state": 0}


def dense(n_components=2, **parameters):
    return AutoencoderTransformer(n_components, **BRIEF | parameters)


def images(n_components=3, **parameters):
    return ConvolutionalAutoencoderTransformer(n_components, **IMAGES | parameters)


def variational(**parameters):
    return VariationalAutoencoderTransformer(2, **BRIEF | parameters)


def stacked(**parameters):
    return StackedAutoencoderClassifier(**STACKED | parameters)


MODELS = {
    "dense, all chosen": AutoencoderTransformer(max_iter=3, random_state=0),
    "dense, as PCA": dense(hidden_layer_sizes=()),
    "dense, random": dense(init="random", activation="tanh", normalization="layer"),
    "dense, tied": dense(tied_weights=True, normalization="batch", dropout=0.1, pretrain=True),
    "dense, share": dense(0.5),
    "dense, ordered": dense(5, ordered=True, missing="mask", noise=MaskingNoise(0.2)),
    "dense, top k": dense(4, latent_activation=TopK(2), penalty=[L1Sparsity(), Contraction()]),
    "dense, bounded": dense(loss="log_loss", latent_activation="logistic", penalty=KLSparsity(0.1)),
    "dense, by column": dense(
        loss={"log_loss": slice(0, 9), "huber": [9, 10], "squared_error": slice(11, None)},
        noise=SwapNoise(0.1),
    ),
    "dense, of torch's layers": dense(
        encoder=nn.Sequential(nn.Linear(64, 5), nn.LeakyReLU(0.3), nn.Linear(5, 2)),
        decoder=nn.Sequential(nn.Linear(2, 64)),
        hidden_layer_sizes="auto",
    ),
    "dense, held out": dense(
        early_stopping=True, validation_fraction=0.3, activation="gelu", noise=SaltAndPepperNoise()
    ),
    "dense, rows held out": dense(
        early_stopping=True, validation_fraction=load_digits().data[:30] / 16
    ),
    "dense, elu": dense(activation="elu", output_activation="softplus", solver="sgd"),
    "convolutional": images(),
    "convolutional, map": images(None, upsampling="nearest", normalization="batch", dropout=0.1),
    "convolutional, strides": images(
        pooling="stride", normalization="layer", kernel_size=(4, 3), activation="leaky_relu"
    ),
    "convolutional, average": images(pooling="average", pool_size=(3, 1), channels=(4, 1)),
    "convolutional, channels last": images(image_shape={"height": 4, "width": 4, "channels": 4}),
    "convolutional, last map, channels last": images(
        None, image_shape={"height": 8, "width": 2, "channels": 4}
    ),
    "variational": variational(),
    "variational, bernoulli": variational(likelihood="bernoulli", binarize=True, init="random"),
    "variational, conditional": variational(conditional=True, normalization="batch"),
    "stacked": stacked(),
    "stacked, tied": stacked(tied_weights=True, dropout=0.1, normalization="batch"),
    "stacked, not pretrained": StackedAutoencoderClassifier(
        (8, 4), pretrain=False, early_stopping=True, max_iter=3, random_state=0
    ),
    "stacked, ladder": StackedAutoencoderClassifier(
        (8, 4), joint=Ladder(0.2, weights=(0, 0, 1)), max_iter=2, random_state=0
    ),
    "detector": AutoencoderOutlierDetector(random_state=0),
    "detector of a map": AutoencoderOutlierDetector(images(), criterion="squared_error", n_folds=2),
    "detector, density": AutoencoderOutlierDetector(
        variational(), criterion="log_likelihood", contamination="auto", n_folds=2
    ),
    "imputer": AutoencoderImputer(random_state=0),
    "clustering": AutoencoderClustering(3, autoencoder=dense(), n_init=1),
    "clustering of unknown number": AutoencoderClustering(None, autoencoder=dense()),
    "imputer of a given one": AutoencoderImputer(dense(noise=GaussianNoise(0.1), missing="mask")),
}
METHODS = (
    "transform",
    "predict",
    "predict_proba",
    "decision_function",
    "score_samples",
    "reconstruction_error",
)


def rows_of_digits():
    X, y = load_digits(return_X_y=True)
    return X[:160] / 16, y[:160] % 3


@pytest.fixture(scope="module")
def digits():
    return rows_of_digits()


def there_and_back(estimator, path, parts=()):
    """Return what comes back from a file."""
    given = estimator.get_params()
    skae.save(estimator, path, parts=parts)
    return skae.load(path, parts={name: given[name] for name in parts})


def outputs(estimator, X):
    """Return all numbers that an estimator gives for rows, in both precisions."""
    results = []
    for dtype in (np.float64, np.float32):
        rows = X.astype(dtype)
        for method in METHODS:
            if hasattr(estimator, method):
                conditional = getattr(estimator, "conditional", False) and method != "transform"
                condition = {"y": rows_of_digits()[1]} if conditional else {}
                results.append(np.asarray(getattr(estimator, method)(rows, **condition)))
        if hasattr(estimator, "inverse_transform"):
            results.append(estimator.inverse_transform(results[-1 if len(results) == 1 else 0]))
        if hasattr(estimator, "sample"):
            results.append(estimator.sample(3, random_state=0)[0])
    return results


def same_bits(one, other):
    assert one.dtype == other.dtype
    assert one.shape == other.shape
    assert one.tobytes() == other.tobytes()


def assert_equal(one, other):
    """Compare two values and what they are made of."""
    assert type(one) is type(other)
    if isinstance(one, BaseEstimator):
        assert_equal(vars(one), vars(other))
    elif isinstance(one, nn.Module):
        assert repr(one) == repr(other)
        assert_equal(one.state_dict(), other.state_dict())
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
        assert one.dtype == other.dtype
        assert one.stride() == other.stride()
        assert one.requires_grad == other.requires_grad
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        assert one.flags.f_contiguous == other.flags.f_contiguous
        np.testing.assert_array_equal(one, other)
    elif isinstance(one, dict):
        assert [*one] == [*other]
        for key in one:
            assert_equal(one[key], other[key])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for mine, theirs in zip(one, other, strict=True):
            assert_equal(mine, theirs)
    elif hasattr(one, "__dict__") and type(one).__module__.startswith("skae."):
        assert_equal(vars(one), vars(other))
    else:
        assert one == other or (one != one and other != other)


@cache
def fitted(name):
    X, y = rows_of_digits()
    model = clone(MODELS[name])
    seeds = {key: 0 for key in model.get_params() if key.endswith("random_state")}
    return model.set_params(**seeds).fit(X, y)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_all_that_a_fit_has_set_comes_back(name, digits, tmp_path):
    model = fitted(name)
    again = there_and_back(model, tmp_path / "model.skae")
    assert_equal(model, again)
    for mine, theirs in zip(outputs(model, digits[0]), outputs(again, digits[0]), strict=True):
        same_bits(mine, theirs)


@pytest.mark.parametrize("name", MODELS)
def test_what_is_not_fitted_comes_back_so(name, tmp_path):
    model = clone(MODELS[name])
    again = there_and_back(model, tmp_path / "model.skae")
    assert_equal(model.get_params(), again.get_params())
    with pytest.raises(NotFittedError):
        check_is_fitted(again)


ELSEWHERE = """
import importlib.util, sys
from pathlib import Path
import numpy as np
import skae
spec = importlib.util.spec_from_file_location("here", sys.argv[1])
here = importlib.util.module_from_spec(spec)
spec.loader.exec_module(here)
for path in Path(sys.argv[2]).glob("*.skae"):
    np.savez(path.with_suffix(".npz"), *here.outputs(skae.load(path), here.rows_of_digits()[0]))
"""


@pytest.mark.slow
def test_in_another_process_all_numbers_are_the_same_to_the_bit(digits, tmp_path, run_elsewhere):
    for name in MODELS:
        skae.save(fitted(name), tmp_path / f"{name}.skae")
    assert run_elsewhere(ELSEWHERE, __file__, tmp_path) == ""
    for name in MODELS:
        here = outputs(fitted(name), digits[0])
        with np.load(tmp_path / f"{name}.npz") as there:
            assert len(there.files) == len(here)
            for i, mine in enumerate(here):
                same_bits(mine, there[f"arr_{i}"])


@pytest.mark.parametrize(
    "name",
    ["dense, tied", "dense, elu", "convolutional", "variational, conditional", "stacked"],
)
def test_training_goes_on_as_if_it_had_never_been_saved(name, digits, tmp_path):
    X, y = digits
    model = clone(MODELS[name])
    first = {"classes": [0, 1, 2]} if hasattr(model, "predict") else {}
    model.partial_fit(X[:80], y[:80], **first).partial_fit(X[80:], y[80:])
    again = there_and_back(model, tmp_path / "model.skae")
    for _ in range(2):
        model.partial_fit(X[:80], y[:80])
        again.partial_fit(X[:80], y[:80])
    assert_equal(model, again)


@pytest.mark.parametrize("name", ["dense, random", "convolutional, channels last", "variational"])
def test_a_warm_start_goes_on_as_if_it_had_never_been_saved(name, digits, tmp_path):
    X, y = digits
    model = clone(MODELS[name]).set_params(warm_start=True).fit(X, y)
    again = there_and_back(model, tmp_path / "model.skae").fit(X, y)
    assert_equal(model.fit(X, y), again)


def test_weights_in_two_layers_are_one_parameter_again(digits, tmp_path):
    model = clone(MODELS["dense, tied"]).fit(digits[0])
    module = there_and_back(model, tmp_path / "model.skae").module_
    assert len([*module.parameters()]) == len([*model.module_.parameters()])
    assert len({*module.modules()}) == len({*model.module_.modules()})


def test_what_is_loaded_shares_no_memory_with_another_load(saved):
    one, other = skae.load(saved), skae.load(saved)
    with torch.no_grad():
        for parameter in one.module_.parameters():
            parameter.zero_()
    assert any(parameter.any() for parameter in other.module_.parameters())


def test_names_of_columns_and_the_container_of_results_come_back(tmp_path):
    frame = load_iris(as_frame=True).data
    model = dense().set_output(transform="pandas").fit(frame)
    again = there_and_back(model, tmp_path / "model.skae")
    pd.testing.assert_frame_equal(again.transform(frame), model.transform(frame))
    assert again.feature_names_in_.tolist() == [*frame.columns]
    with pytest.raises(ValueError, match="feature names"):
        again.transform(frame[frame.columns[::-1]])


def test_what_was_asked_of_metadata_routing_comes_back(tmp_path):
    with config_context(enable_metadata_routing=True):
        model = dense().set_fit_request(sample_weight=True, groups="which")
        again = clone(there_and_back(model, tmp_path / "model.skae"))
        assert str(again.get_metadata_routing()) == str(model.get_metadata_routing())
        assert "which" in str(again.get_metadata_routing())


@pytest.mark.parametrize(
    "labels",
    [np.array(["a", "bb", "ccc"]), np.array(["a", "b", "ä"], dtype=object), np.array([3.5, 4, 9])],
)
def test_classes_of_any_type_come_back(labels, digits, tmp_path):
    X, y = digits
    y = labels[y]
    y = y.astype(str) if y.dtype.kind == "f" else y
    model = stacked().fit(X, y)
    again = there_and_back(model, tmp_path / "model.skae")
    assert again.classes_.dtype == model.classes_.dtype
    assert again.predict(X).tolist() == model.predict(X).tolist()


def test_an_indicator_matrix_is_predicted_again(digits, tmp_path):
    X, y = digits
    model = stacked(class_weight="balanced").fit(X, np.eye(3, dtype=int)[y])
    again = there_and_back(model, tmp_path / "model.skae")
    assert_equal(model, again)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_a_random_state_goes_on_where_it_was(iris, tmp_path):
    state = np.random.RandomState(3)
    state.normal()
    model = AutoencoderOutlierDetector(dense(1, random_state=state), random_state=state)
    again = there_and_back(model, tmp_path / "model.skae")
    assert again.random_state is again.autoencoder.random_state
    assert again.random_state is not state
    np.testing.assert_array_equal(again.random_state.normal(size=3), state.normal(size=3))


def test_rows_held_out_come_back_sparse_too(tmp_path):
    rows = sp.csr_array(np.eye(4))
    again = there_and_back(dense(validation_fraction=(rows, None)), tmp_path / "model.skae")
    X, y = again.validation_fraction
    assert isinstance(X, sp.csr_array)
    assert (rows != X).nnz == 0
    assert y is None


def test_the_same_model_gives_the_same_bytes(model, tmp_path):
    for name in ("one", "other"):
        skae.save(model, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
    skae.save(skae.load(tmp_path / "one"), tmp_path / "again")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "again").read_bytes()


def test_a_clone_of_what_was_loaded_fits_alike(saved, model, iris):
    again = clone(skae.load(saved)).fit(iris)
    np.testing.assert_array_equal(again.transform(iris), model.transform(iris))


# What is not skae's


class Doubled(nn.Module):
    """A layer of the user's."""

    def __init__(self, n_in, n_out):
        super().__init__()
        self.inner = nn.Linear(n_in, n_out)

    def forward(self, X):
        return 2 * self.inner(X)


class Half(BaseEstimator):
    """A part of the user's: an activation of the code, a noise and a penalty."""

    def activate(self, code):
        return code / 2

    def corrupt(self, rows, generator):
        return rows / 2

    def penalize(self, batch):
        return batch.code.square().sum(dim=1)


def own_loss(reconstruction, X):
    return (reconstruction - X).square()


# What is the user's, by the parameter.
OWN = {
    "loss": own_loss,
    "encoder": Doubled(64, 2),
    "decoder": Doubled,
    "latent_activation": Half(),
    "noise": Half(),
    "penalty": [Half(), L1Sparsity()],
    "validation_fraction": ShuffleSplit(2, random_state=0),
    "callbacks": [GradientNormClipping(1.0)],
}


def of_my_own(name):
    parameters = {"init": "random", name: OWN[name]}
    if name == "decoder":
        parameters["encoder"] = nn.Sequential(nn.Linear(64, 2))
        parameters["hidden_layer_sizes"] = "auto"
    return dense(**parameters | {"early_stopping": name == "validation_fraction"})


@pytest.mark.parametrize("name", OWN)
def test_what_is_the_users_is_refused_with_the_way_out(name, digits, tmp_path):
    path = tmp_path / "model.skae"
    with pytest.raises(ValueError, match=rf"parts=\['{name}'\].*parts={{'{name}': ...}}"):
        skae.save(of_my_own(name), path)
    assert not path.exists()


@pytest.mark.parametrize("name", OWN)
def test_what_is_the_users_is_left_out_and_given_again(name, digits, tmp_path):
    X = digits[0]
    model = of_my_own(name).fit(X)
    again = there_and_back(model, tmp_path / "model.skae", parts=[name])
    assert getattr(again, name) is getattr(model, name)
    for mine, theirs in zip(outputs(model, X), outputs(again, X), strict=True):
        same_bits(mine, theirs)


def test_parts_of_the_estimator_within_are_left_out_by_their_long_names(digits, tmp_path):
    X = digits[0]
    model = AutoencoderOutlierDetector(dense(loss=own_loss, noise=Half()), random_state=0).fit(X)
    path = tmp_path / "model.skae"
    with pytest.raises(ValueError, match=r"parts=\['autoencoder__loss'\]"):
        skae.save(model, path)
    again = there_and_back(model, path, parts=["autoencoder__loss", "autoencoder__noise"])
    same_bits(model.score_samples(X), again.score_samples(X))
    assert again.autoencoders_[0].loss is own_loss


def test_parts_that_do_not_fit_are_an_error(digits, tmp_path):
    path = tmp_path / "model.skae"
    model = of_my_own("encoder").fit(digits[0])
    with pytest.raises(ValueError, match="'lose', which is no parameter"):
        skae.save(model, path, parts=["lose"])
    skae.save(model, path, parts=["encoder"])
    for given in (None, {}, {"loss": own_loss}, {"encoder": Doubled(64, 2), "loss": own_loss}):
        with pytest.raises(skae.exceptions.ModelFileError, match=r"leaves out \['encoder'\]"):
            skae.load(path, parts=given)
    with pytest.raises(skae.exceptions.ModelFileError, match="does not have the tensors"):
        skae.load(path, parts={"encoder": Doubled(64, 3)})


def test_a_class_derived_from_ours_and_a_pipeline_are_refused(tmp_path):
    class Mine(AutoencoderTransformer):
        """With a fit of its own, who knows."""

    for model in (Mine(), nn.Linear(1, 1), [AutoencoderTransformer()]):
        with pytest.raises(TypeError, match=r"takes an estimator of skae.*skops"):
            skae.save(model, tmp_path / "model.skae")


def test_an_attribute_that_a_file_can_not_hold_is_named(iris, tmp_path):
    model = dense().fit(iris)
    model.comment_ = "mine"
    with pytest.raises(ValueError, match="comment_ is not among the attributes"):
        skae.save(model, tmp_path / "model.skae")


@pytest.mark.parametrize(
    "change",
    [
        lambda module: setattr(module.encoder, "forward", module.decoder.forward),
        lambda module: module.encoder.register_forward_hook(lambda *call: None),
        lambda module: setattr(module.encoder.body, "colour", "red"),
        lambda module: setattr(module.encoder, "activation", Doubled(2, 2)),
    ],
)
def test_a_network_that_was_changed_by_hand_is_refused(change, iris, tmp_path):
    model = dense().fit(iris)
    change(model.module_)
    with pytest.raises(ValueError, match="module_"):
        skae.save(model, tmp_path / "model.skae")
    assert [*tmp_path.iterdir()] == []
