"""AutoencoderTransformer: scikit-learn's contract, PCA's promises, and what is refused."""

import io
import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.linalg import subspace_angles
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits, load_iris, make_moons
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning, NotFittedError, UndefinedMetricWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    PredefinedSplit,
    TimeSeriesSplit,
    cross_val_score,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from skorch.callbacks import Callback, GradientNormClipping
from torch import nn

from skae import AutoencoderTransformer
from skae.activation import TopK
from skae.exceptions import DependentRowsWarning
from skae.metrics import reconstruction_r2, reconstruction_r2_scorer
from skae.noise import NOISES, MaskingNoise, SwapNoise
from skae.penalty import (
    Contraction,
    DistancePreservation,
    KLSparsity,
    L1Sparsity,
    NeighborPreservation,
)

CHECKED = [
    AutoencoderTransformer("auto", hidden_layer_sizes=8, max_iter=2),
    AutoencoderTransformer(penalty=NeighborPreservation(n_neighbors=5), max_iter=3),
    AutoencoderTransformer(
        3,
        hidden_layer_sizes=(16, 8),
        decoder_layer_sizes=(5,),
        activation="relu",
        solver="nadam",
        learning_rate="cosine",
        alpha=0.01,
        max_iter=4,
    ),
    AutoencoderTransformer(
        hidden_layer_sizes=16,
        latent_activation="logistic",
        output_activation="softplus",
        loss="huber",
        solver="sgd",
        learning_rate="adaptive",
        learning_rate_init=0.001,
        validation_fraction=0.3,
        max_iter=4,
    ),
    AutoencoderTransformer(
        init="random",
        encoder=nn.Linear,
        loss=nn.MSELoss(),
        precision="bfloat16",
        early_stopping=False,
        max_iter=3,
    ),
    AutoencoderTransformer(
        hidden_layer_sizes=8,
        dropout=0.1,
        noise=MaskingNoise(0.2),
        penalty="l1",
        warm_start=True,
        max_iter=3,
        batch_size=8,
        tol=0.0,
        n_iter_no_change=2,
    ),
    AutoencoderTransformer(
        noise="gaussian",
        penalty=[KLSparsity(0.1), Contraction(), DistancePreservation()],
        latent_activation="logistic",
        hidden_layer_sizes=8,
        max_iter=3,
        early_stopping=False,
    ),
    AutoencoderTransformer(
        4, latent_activation=TopK(2), noise=SwapNoise(), hidden_layer_sizes=8, max_iter=3
    ),
    AutoencoderTransformer(
        tied_weights=True,
        pretrain=True,
        loss="absolute_error",
        hidden_layer_sizes=(8, 4),
        validation_fraction=0.2,
        max_iter=2,
    ),
    AutoencoderTransformer(
        init="random",
        activation="tanh",
        tied_weights=True,
        normalization="layer",
        noise="salt_and_pepper",
        hidden_layer_sizes=(16, 8),
        max_iter=2,
    ),
    AutoencoderTransformer(
        ordered=True,
        missing="mask",
        normalization="batch",
        hidden_layer_sizes=8,
        validation_fraction=0.2,
        max_iter=3,
    ),
    AutoencoderTransformer(
        0.9,
        loss={"squared_error": slice(0, 1), "huber": slice(1, None)},
        missing="mask",
        early_stopping=False,
        hidden_layer_sizes=8,
        max_iter=3,
    ),
]


@pytest.mark.slow
@parametrize_with_checks([AutoencoderTransformer()])
def test_by_default_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


@parametrize_with_checks(CHECKED)
def test_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def digits():
    return load_digits().data[::4]


@pytest.fixture(scope="module")
def iris():
    return load_iris().data


def quick(n_components=2, **parameters):
    """Return a small transformer that trains for a moment, on all rows."""
    defaults = {"hidden_layer_sizes": (16,), "max_iter": 3, "early_stopping": False}
    defaults["random_state"] = 0
    if parameters.get("encoder") is not None and parameters.get("decoder") is not None:
        del defaults["hidden_layer_sizes"]
    return AutoencoderTransformer(n_components, **defaults | parameters)


def untrained(n_components=2, **parameters):
    """Return a transformer that moves by next to nothing from its start."""
    return quick(n_components, max_iter=1, learning_rate_init=1e-12, **parameters)


# The start at PCA


@pytest.mark.parametrize("n_components", [1, 3, 10])
def test_the_start_is_pca(digits, n_components):
    pca = PCA(n_components).fit(digits)
    start = untrained(n_components).fit(digits)
    codes = start.transform(digits) * start.scale_
    signs = np.sign((codes * pca.transform(digits)).sum(axis=0))
    np.testing.assert_allclose(codes * signs, pca.transform(digits), atol=1e-4)
    assert start.score(digits) == pytest.approx(pca.explained_variance_ratio_.sum(), abs=1e-6)


def test_the_start_is_pca_of_weighted_rows(iris):
    weight = np.random.RandomState(0).randint(0, 4, len(iris))
    start = untrained(1).fit(iris, sample_weight=weight)
    pca = PCA(1).fit(np.repeat(iris, weight, axis=0))
    angle = subspace_angles(
        start.module_.encoder.body.linear_path.weight.detach().numpy().T, pca.components_.T
    )
    assert angle.max() < 1e-5


def test_a_fit_that_keeps_epoch_zero_is_pca_on_all_rows():
    noise = np.random.RandomState(0).normal(size=(60, 5)) * [5, 4, 3, 2, 1]
    fitted = AutoencoderTransformer(2, random_state=0, max_iter=20).fit(noise)
    assert fitted.best_iter_ == 0
    assert fitted.n_iter_ >= 1
    ratio = PCA(2).fit(noise).explained_variance_ratio_.sum()
    assert fitted.score(noise) == pytest.approx(ratio, abs=1e-6)


@pytest.mark.slow
def test_leaves_pca_where_the_data_is_curved():
    X = make_moons(400, noise=0.05, random_state=0)[0]
    train, test = X[:300], X[300:]
    fitted = AutoencoderTransformer(1, random_state=0).fit(train)
    assert fitted.best_iter_ > 0
    assert fitted.score(test) > reconstruction_r2_scorer(PCA(1).fit(train), test) + 0.1


def test_codes_beyond_the_rank_start_at_zero():
    X = np.random.RandomState(0).normal(size=(6, 4))
    start = untrained(9).fit(X)
    assert start.transform(X).shape == (6, 9)
    np.testing.assert_allclose(start.transform(X)[:, 4:], 0, atol=1e-6)
    assert start.score(X) == pytest.approx(1, abs=1e-6)


def test_more_components_than_rows_and_columns_train(iris):
    fitted = quick(20, early_stopping=True, max_iter=5).fit(iris[:12])
    assert np.isfinite(fitted.transform(iris)).all()


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber"])
def test_the_start_is_pca_whatever_the_loss(iris, loss):
    ratio = PCA(2).fit(iris).explained_variance_ratio_.sum()
    assert untrained(2, loss=loss).fit(iris).score(iris) == pytest.approx(ratio, abs=1e-6)


def test_the_log_loss_starts_near_pca(digits):
    X = digits / 16
    start = untrained(8, loss="log_loss").fit(X)
    ratio = PCA(8).fit(X).explained_variance_ratio_.sum()
    assert start.score(X) > 0.8 * ratio
    reconstruction = start.inverse_transform(start.transform(X))
    assert ((reconstruction >= 0) & (reconstruction <= 1)).all()


@pytest.mark.parametrize(
    ("output_activation", "low", "high"),
    [("logistic", 0, 1), ("tanh", -1, 1), ("relu", 0, np.inf), ("softplus", 0, np.inf)],
)
def test_output_activations_bound_the_reconstruction_in_units_of_X(
    digits, output_activation, low, high
):
    X = digits / 16
    fitted = quick(4, output_activation=output_activation, max_iter=10).fit(X)
    reconstruction = fitted.inverse_transform(10 * fitted.transform(X))
    assert reconstruction.min() >= low
    assert reconstruction.max() <= high
    assert fitted.score(X) > 0.3


def test_a_latent_activation_starts_near_pca(digits):
    start = untrained(2, latent_activation="tanh").fit(digits)
    ratio = PCA(2).fit(digits).explained_variance_ratio_.sum()
    assert ratio - 0.05 < start.score(digits) <= ratio + 1e-6
    assert np.abs(start.transform(digits)).max() <= 1


@pytest.mark.slow
@pytest.mark.parametrize("init", ["pca", "random"])
def test_a_linear_autoencoder_finds_the_principal_subspace(init):
    random = np.random.RandomState(0)
    X = random.normal(size=(600, 8)) @ random.normal(size=(8, 8)) + 3
    fitted = AutoencoderTransformer(
        2,
        activation="identity",
        hidden_layer_sizes=(8,),
        init=init,
        max_iter=150,
        early_stopping=False,
        random_state=0,
    ).fit(X)
    # The reconstruction is affine: its directions are the differences of decoded codes.
    directions = fitted.inverse_transform(np.eye(2)) - fitted.inverse_transform(np.zeros((1, 2)))
    angles = subspace_angles(directions.T, PCA(2).fit(X).components_.T)
    assert np.degrees(angles.max()) < 1


def test_a_random_start_is_the_textbook_network(digits):
    fitted = quick(2, init="random", hidden_layer_sizes=(32, 16), max_iter=1).fit(digits)
    linears = [m for m in fitted.module_.modules() if isinstance(m, nn.Linear)]
    sizes = [(layer.in_features, layer.out_features) for layer in linears]
    assert sizes == [(64, 32), (32, 16), (16, 2), (2, 16), (16, 32), (32, 64)]


# What scikit-learn's users expect


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes_are_kept(iris, dtype):
    fitted = quick().fit(iris.astype(dtype))
    codes = fitted.transform(iris.astype(dtype))
    assert codes.dtype == dtype
    assert fitted.inverse_transform(codes).dtype == dtype
    assert all(parameter.dtype == torch.float32 for parameter in fitted.module_.parameters())


def test_far_from_zero_nothing_is_lost(iris):
    near = untrained().fit(iris).transform(iris)
    far = untrained().fit(iris + 1e9)
    np.testing.assert_allclose(np.abs(far.transform(iris + 1e9)), np.abs(near), atol=1e-4)
    restored = far.inverse_transform(far.transform(iris + 1e9)) - 1e9
    assert reconstruction_r2(iris, restored) == pytest.approx(0.977685, abs=1e-5)


def test_same_seed_same_bits_and_another_seed_another_result(iris):
    codes = [quick(random_state=seed).fit(iris).transform(iris) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(codes[0], codes[1])
    assert not np.array_equal(codes[0], codes[2])


def test_no_random_state_is_different_each_time(iris):
    first, second = (quick().set_params(random_state=None).fit(iris) for _ in range(2))
    assert not np.array_equal(first.transform(iris), second.transform(iris))


@pytest.mark.parametrize("random_state", [None, 0])
def test_global_state_is_left_as_found(iris, random_state):
    np.random.seed(3)  # noqa: NPY002
    torch.manual_seed(3)
    numpy_before, torch_before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    factory = {"encoder": lambda i, o: nn.Sequential(nn.Linear(i, o), nn.Dropout(0.1))}
    for parameters in ({}, factory, {"early_stopping": True}):
        model = quick(**parameters).set_params(random_state=random_state).fit(iris)
        model.score(iris)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_before)  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torch_before)
    assert (torch.get_num_threads(), torch.get_default_dtype()) == (threads, dtype)
    assert torch.is_grad_enabled()


def test_the_order_of_rows_does_not_matter(iris):
    order = np.random.RandomState(0).permutation(len(iris))
    in_order, mixed = quick().fit(iris), quick().fit(iris[order])
    np.testing.assert_array_equal(in_order.transform(iris), mixed.transform(iris))


def test_a_weight_of_two_is_the_row_twice(iris):
    weight = np.random.RandomState(0).randint(0, 3, len(iris))
    model = AutoencoderTransformer(2, max_iter=10, hidden_layer_sizes=8, random_state=0)
    weighted = clone(model).fit(iris, sample_weight=weight)
    repeated = clone(model).fit(np.repeat(iris, weight, axis=0))
    np.testing.assert_array_equal(weighted.transform(iris), repeated.transform(iris))
    assert weighted.score(iris, sample_weight=weight) == pytest.approx(
        repeated.score(np.repeat(iris, weight, axis=0))
    )


def test_sample_weights_are_routed(iris):
    with config_context(enable_metadata_routing=True):
        weight = np.random.RandomState(0).randint(0, 3, len(iris))
        step = quick().set_fit_request(sample_weight=True)
        pipeline = make_pipeline(MinMaxScaler(), step).fit(iris, sample_weight=weight)
    alone = quick().fit(MinMaxScaler().fit_transform(iris), sample_weight=weight)
    np.testing.assert_array_equal(
        pipeline[-1].module_.encoder.body.linear_path.weight.detach(),
        alone.module_.encoder.body.linear_path.weight.detach(),
    )


@pytest.mark.parametrize("container", [sp.csr_array, sp.csr_matrix, sp.csc_array, sp.coo_array])
@pytest.mark.parametrize("early_stopping", [True, False])
def test_sparse_rows_give_the_dense_result(digits, container, early_stopping):
    model = quick(3, early_stopping=early_stopping)
    dense, sparse = clone(model).fit(digits), clone(model).fit(container(digits))
    np.testing.assert_allclose(
        sparse.transform(container(digits)), dense.transform(digits), atol=1e-12
    )
    assert sparse.score(container(digits)) == pytest.approx(dense.score(digits))


def test_score_is_the_reconstruction_r2(digits):
    fitted = quick().fit(digits)
    reconstruction = fitted.inverse_transform(fitted.transform(digits))
    weight = np.random.RandomState(0).uniform(size=len(digits))
    for sample_weight in (None, weight):
        assert fitted.score(digits, sample_weight=sample_weight) == pytest.approx(
            reconstruction_r2(digits, reconstruction, sample_weight=sample_weight)
        )
    np.testing.assert_allclose(
        fitted.score_samples(digits), -((digits - reconstruction) ** 2).sum(axis=1)
    )


def test_data_too_small_for_single_precision_counts_as_constant():
    X = np.array([[1e-45, 0.0], [0.0, 0.0], [0.0, 0.0]])
    fitted = quick().fit(X)
    assert fitted.scale_ == 1
    assert np.isfinite(fitted.score_samples(X)).all()


def test_constant_columns_and_constant_data(iris):
    X = np.column_stack([iris, np.full(len(iris), 7.0)])
    fitted = quick().fit(X)
    np.testing.assert_allclose(fitted.inverse_transform(fitted.transform(X))[:, 4], 7, atol=0.2)
    constant = np.full((10, 3), 1e9)
    fitted = quick().fit(np.vstack([constant]))
    assert fitted.scale_ == 1
    assert fitted.score(constant) == 1
    np.testing.assert_allclose(fitted.inverse_transform(fitted.transform(constant)), 1e9)


def test_a_single_row_has_no_score(iris):
    fitted = quick().fit(iris)
    with pytest.warns(UndefinedMetricWarning, match="single row"):
        assert np.isnan(fitted.score(iris[:1]))


def test_output_containers_and_names(iris):
    frame = load_iris(as_frame=True).data
    fitted = quick().set_output(transform="pandas").fit(frame)
    codes = fitted.transform(frame)
    assert isinstance(codes, pd.DataFrame)
    assert list(codes.columns) == ["autoencodertransformer0", "autoencodertransformer1"]
    assert list(fitted.feature_names_in_) == list(frame.columns)
    assert isinstance(fitted.set_output(transform="polars").transform(frame), pl.DataFrame)


def test_takes_the_place_of_pca_in_pipelines(iris):
    y = load_iris().target
    columns = ColumnTransformer([("codes", quick(1), [0, 1, 2])], remainder="passthrough")
    scores = cross_val_score(
        make_pipeline(StandardScaler(), columns, LogisticRegression()), iris, y
    )
    assert scores.mean() > 0.85


@pytest.mark.slow
def test_a_grid_search_ranks_pca_and_autoencoders_and_is_the_same_in_parallel():
    X = load_digits().data[:300]
    pipeline = Pipeline([("scale", MinMaxScaler()), ("reduce", PCA())])
    grid = [
        {"reduce": [PCA(2), PCA(4)]},
        {"reduce": [quick(early_stopping=True, max_iter=5)], "reduce__n_components": [2, 4]},
        {"reduce": [quick(2, max_iter=5)], "reduce__hidden_layer_sizes": [(64, 32), (8,)]},
    ]
    serial, parallel = (
        GridSearchCV(pipeline, grid, scoring=reconstruction_r2_scorer, cv=3, n_jobs=n_jobs).fit(X)
        for n_jobs in (1, 2)
    )
    np.testing.assert_array_equal(
        serial.cv_results_["mean_test_score"], parallel.cv_results_["mean_test_score"]
    )
    assert not isinstance(serial.best_estimator_[-1], PCA)


def test_a_pickle_works_the_same_and_carries_the_network_alone(iris):
    fitted = AutoencoderTransformer(2, random_state=0, max_iter=10).fit(iris)
    restored = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(restored.transform(iris), fitted.transform(iris))
    buffer = io.BytesIO()
    torch.save(fitted.module_.state_dict(), buffer)
    assert len(pickle.dumps(fitted)) < 1.5 * buffer.tell() + 10_000
    assert "skorch" not in pickle.dumps(fitted).decode("latin-1")


def test_the_html_repr_shows_what_was_set():
    assert "n_components" in quick(7)._repr_html_()


def test_encoder_and_decoder_are_modules_in_units_of_X(digits):
    fitted = quick(3, max_iter=5).fit(digits)
    with torch.no_grad():
        codes = fitted.module_.encoder(torch.from_numpy(digits).float())
        rows = fitted.module_.decoder(codes).numpy()
    np.testing.assert_allclose(codes, fitted.transform(digits), atol=1e-4)
    np.testing.assert_allclose(rows, fitted.inverse_transform(codes.numpy()), atol=1e-3)


# Training


def test_loss_curves_and_epochs(digits):
    fitted = AutoencoderTransformer(
        2, hidden_layer_sizes=(64,), max_iter=12, validation_fraction=0.2, random_state=0
    ).fit(digits)
    assert len(fitted.loss_curve_) == fitted.n_iter_ <= 12
    assert len(fitted.validation_loss_curve_) == fitted.n_iter_ + 1
    assert fitted.best_iter_ == np.argmin(fitted.validation_loss_curve_) > 0
    assert fitted.loss_curve_[-1] < fitted.loss_curve_[0]


def test_the_loss_is_the_share_of_variance_not_explained(digits):
    fitted = untrained(5).fit(digits)
    assert fitted.loss_curve_[0] == pytest.approx(1 - fitted.score(digits), abs=1e-5)


def test_the_best_epoch_is_restored():
    states = []

    class Keep(Callback):
        def on_epoch_end(self, net, **kwargs):
            states.append({k: v.clone() for k, v in net.module_.state_dict().items()})

    X = np.random.RandomState(0).normal(size=(120, 6))
    fitted = quick(
        init="random",
        early_stopping=True,
        validation_fraction=0.5,
        max_iter=80,
        n_iter_no_change=80,
        learning_rate="constant",
        learning_rate_init=0.01,
        hidden_layer_sizes=(128,),
        callbacks=[Keep()],
    ).fit(X)
    curve = fitted.validation_loss_curve_
    assert curve[-1] > 1.05 * min(curve)
    assert 0 < fitted.best_iter_ == np.argmin(curve) < fitted.n_iter_
    best = states[fitted.best_iter_ - 1]
    assert all(torch.equal(v, best[k]) for k, v in fitted.module_.state_dict().items())


def test_patience_ends_training():
    noise = np.random.RandomState(0).normal(size=(80, 5))
    fitted = quick(2, early_stopping=True, max_iter=200, n_iter_no_change=4).fit(noise)
    assert fitted.n_iter_ < 100


def test_partial_fit_trains_on_batches(digits):
    model = quick(2, learning_rate_init=0.01)
    for _ in range(10):
        for rows in np.array_split(digits, 4):
            model.partial_fit(rows)
    assert model.n_iter_ == 40
    assert model.score(digits) > PCA(2).fit(digits).explained_variance_ratio_.sum() + 0.05


def test_partial_fit_keeps_mean_and_scale_of_the_first_batch(digits):
    model = quick().partial_fit(digits[:100])
    mean, scale = model.mean_, model.scale_
    model.partial_fit(digits[100:] + 5)
    np.testing.assert_array_equal(model.mean_, mean)
    assert model.scale_ == scale


def test_partial_fit_takes_a_single_row_after_the_first_batch(digits):
    model = quick().partial_fit(digits[:50]).partial_fit(digits[50:51])
    assert np.isfinite(model.transform(digits)).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"n_components": 3},
        {"hidden_layer_sizes": (8,)},
        {"loss": "log_loss"},
        {"latent_activation": "tanh"},
        {"tied_weights": True},
        {"ordered": True},
        {"normalization": "batch"},
        {"dropout": 0.1},
        {"init": "random"},
        {"encoder": nn.Linear},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_network_that_is_trained_on_can_not_change_its_structure(digits, changes):
    X = digits / 16
    model = quick(2, warm_start=True).fit(X)
    codes = model.transform(X)
    model.set_params(**changes)
    for train in (model.fit, model.partial_fit):
        with pytest.raises(ValueError, match=f"{next(iter(changes))} was .* and is .* now"):
            train(X)
    np.testing.assert_array_equal(model.transform(X), codes)
    model.set_params(warm_start=False).fit(X)


def test_the_same_structure_in_other_words_is_trained_on(digits):
    model = quick(2, warm_start=True, encoder=nn.Linear, hidden_layer_sizes=4).fit(digits)
    model = pickle.loads(pickle.dumps(model))
    model.set_params(hidden_layer_sizes=4, max_iter=2, alpha=0.1).fit(digits)
    assert model.n_iter_ == 2


def test_partial_fit_takes_up_other_settings_of_the_solver(digits):
    for changes in ({"alpha": 0.3}, {"net_params": {"optimizer__betas": (0.5, 0.5)}}):
        same, other = (quick(2).partial_fit(digits) for _ in range(2))
        same.partial_fit(digits)
        other.set_params(**changes).partial_fit(digits)
        assert not np.array_equal(same.transform(digits), other.transform(digits))


def test_torchs_default_dtype_and_inference_mode_do_not_matter(iris):
    settings = {"hidden_layer_sizes": (8, 4), "normalization": "batch", "pretrain": True}
    settings |= {"penalty": KLSparsity(0.1), "latent_activation": "logistic", "ordered": True}
    expected = quick(2, **settings).fit(iris).transform(iris)
    torch.set_default_dtype(torch.float64)
    try:
        with torch.inference_mode():
            codes = quick(2, **settings).fit(iris).transform(iris)
    finally:
        torch.set_default_dtype(torch.float32)
    np.testing.assert_array_equal(codes, expected)


def test_a_loss_that_is_a_module_is_used_and_not_learnt(iris):
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.factor = nn.Parameter(torch.tensor(1.0))

        def forward(self, reconstruction, X):
            return (self.factor.exp() * (reconstruction - X)).square()

    loss = Scaled()
    model = quick(loss=loss, early_stopping=True).fit(iris)
    assert loss.factor.item() == 1
    assert loss.factor.requires_grad
    assert model.loss_curve_[0] > 0


@pytest.mark.parametrize("variant", [{"loss": nn.MSELoss}, {"latent_activation": TopK}])
def test_a_class_in_the_place_of_an_instance_is_refused(iris, variant):
    with pytest.raises(ValueError, match=r"is a class; give an instance of it"):
        quick(**variant).fit(iris)


def test_a_loss_without_a_tensor_is_refused(iris):
    with pytest.raises(ValueError, match="returned float; it must return a tensor"):
        quick(loss=lambda a, b: 1.0).fit(iris)


def test_rows_that_do_not_count_may_have_any_values(digits):
    X = digits / 16
    weight = np.ones(len(X))
    X[3], weight[3] = 7, 0
    quick(loss="log_loss").fit(X, sample_weight=weight)


def test_a_batch_without_values_in_the_columns_of_the_log_loss(digits):
    X = digits / 16
    model = quick(2, loss={"log_loss": [3], "squared_error": [*range(3), *range(4, 64)]})
    model.set_params(missing="mask").partial_fit(X)
    X[:, 3] = np.nan
    assert np.isfinite(model.partial_fit(X).transform(X)).all()


def test_warm_start_goes_on(digits):
    model = quick(2, warm_start=True, max_iter=5).fit(digits)
    first = model.score(digits)
    assert model.fit(digits).score(digits) > first
    with pytest.raises(ValueError, match="features"):
        model.fit(digits[:, :10])


@pytest.mark.parametrize("early_stopping", [True, False])
def test_an_early_end_by_a_callback_is_quiet(digits, early_stopping):
    class StopAtTwo(Callback):
        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == 2:
                raise KeyboardInterrupt

    model = quick(
        callbacks=[StopAtTwo()], max_iter=9, early_stopping=early_stopping,
        **({"validation_fraction": 0.2} if early_stopping else {}),
    ).fit(digits)  # fmt: skip
    assert model.n_iter_ == 2


def test_an_interrupt_by_the_user_leaves_the_old_model(digits):
    model = quick().fit(digits)
    before = model.transform(digits)

    def interrupted(reconstruction, X):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.set_params(loss=interrupted).fit(digits)
    np.testing.assert_array_equal(model.set_params(loss="squared_error").transform(digits), before)


def test_a_fit_that_fails_leaves_nothing_or_the_old_model(iris):
    model = quick(encoder=nn.Linear(3, 2))
    with pytest.raises(ValueError, match="fails on a batch"):
        model.fit(iris)
    with pytest.raises(NotFittedError):
        model.transform(iris)
    model.fit(iris[:, :3])
    with pytest.raises(ValueError, match="fails on a batch"):
        model.fit(iris)
    assert model.n_features_in_ == 3
    assert np.isfinite(model.transform(iris[:, :3])).all()


def test_callbacks_and_net_params_reach_skorch(digits):
    seen = []

    class Spy(Callback):
        def on_epoch_end(self, net, **kwargs):
            seen.append((net.history[-1]["train_loss"], net.optimizer_.param_groups[0]["betas"]))

    quick(
        callbacks=[Spy(), GradientNormClipping(1.0)], net_params={"optimizer__betas": (0.8, 0.9)}
    ).fit(digits)
    assert [betas for _, betas in seen] == [(0.8, 0.9)] * 3


def test_divergence_without_validation_is_an_error(iris):
    with pytest.raises(ValueError, match="diverged with learning_rate_init=1e\\+30"):
        quick(solver="sgd", learning_rate="constant", learning_rate_init=1e30).fit(iris)


def test_divergence_with_validation_keeps_the_best_epoch(iris):
    model = quick(
        solver="sgd", learning_rate="constant", learning_rate_init=1e30, early_stopping=True
    )
    with pytest.warns(ConvergenceWarning, match="diverged"):
        model.fit(iris)
    assert model.best_iter_ == 0
    assert np.isfinite(model.transform(iris)).all()


def test_progress_goes_to_standard_error_on_request(iris, capsys):
    quick().fit(iris)
    assert capsys.readouterr() == ("", "")
    quick(early_stopping=True, verbose=True).fit(iris)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "cross-validation" in captured.err
    assert "validation=" in captured.err


# The user's own modules


class Wide(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(n_in, 24), nn.BatchNorm1d(24), nn.ReLU())
        self.out = nn.Linear(24, n_out)

    def forward(self, X):
        return self.out(self.layers(X))


@pytest.mark.parametrize("init", ["pca", "random"])
@pytest.mark.parametrize("given", [Wide, Wide(64, 3)], ids=["factory", "module"])
def test_own_modules_take_the_place_of_ours(digits, init, given):
    model = quick(3, encoder=given, init=init, max_iter=20, learning_rate_init=0.01).fit(digits)
    assert any(isinstance(module, Wide) for module in model.module_.encoder.modules())
    assert model.score(digits) > PCA(3).fit(digits).explained_variance_ratio_.sum() - 0.1


def test_own_modules_begin_as_pca_too(digits):
    model = untrained(3, encoder=Wide, decoder=Wide).fit(digits)
    ratio = PCA(3).fit(digits).explained_variance_ratio_.sum()
    assert model.score(digits) == pytest.approx(ratio, abs=1e-6)


def test_an_own_module_is_copied_and_not_trained(digits):
    torch.manual_seed(0)
    module = Wide(64, 3)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    quick(3, encoder=module).fit(digits)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_factories_start_the_same_for_the_same_seed(digits):
    first, second = (quick(3, encoder=Wide, decoder=Wide).fit(digits) for _ in range(2))
    np.testing.assert_array_equal(first.transform(digits), second.transform(digits))


def test_a_callable_loss_is_the_built_in_one(digits):
    for loss in (nn.functional.mse_loss, nn.MSELoss(), nn.MSELoss(reduction="none")):
        own = quick(loss=loss, alpha=0.0).fit(digits)
        built_in = quick(loss="squared_error").fit(digits)
        # The same minimum in other units: Adam does not see the factor scale_ ** 2.
        assert own.score(digits) == pytest.approx(built_in.score(digits), abs=1e-3)


# What is refused


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_components": 0}, "n_components"),
        ({"hidden_layer_sizes": (4, 0)}, "positive integers"),
        ({"hidden_layer_sizes": (4, 2.5)}, "positive integers"),
        ({"activation": "swish"}, "activation"),
        ({"loss": "log_loss", "output_activation": "tanh"}, "probabilities"),
        ({"encoder": nn.Linear(3, 2)}, "fails on a batch of shape"),
        ({"encoder": nn.Linear(4, 5)}, "is expected"),
        ({"encoder": lambda i, o: "no module"}, "returned str"),
        ({"net_params": {"lr": 0.1}}, "learning_rate_init"),
        ({"net_params": {"train_split": None}}, "validation_fraction"),
        ({"learning_rate_init": 0.0}, "learning_rate_init"),
        ({"n_components": 0.5, "init": "random"}, "does not go with init='random'"),
        ({"n_components": 1.5}, "n_components"),
        ({"tied_weights": True, "decoder_layer_sizes": (3,)}, "mirrors the encoder"),
        ({"tied_weights": True, "encoder": nn.Linear}, "tied_weights=True can't be had"),
        ({"dropout": 1.0}, "dropout"),
        ({"normalization": "group"}, "normalization"),
        ({"missing": "drop"}, "missing"),
        ({"loss": {"squared_error": [0, 1]}}, r"no loss to the columns \[2, 3\]"),
        ({"loss": {"squared_error": slice(None), "huber": [-1]}}, r"several losses.*\[3\]"),
        ({"loss": {"squared_error": [0, 1, 2, 4]}}, r"columns \[4\], but X has 4 columns"),
        ({"loss": {"squared_error": [True, False]}}, "a mask of 2 columns"),
        ({"loss": {"squared_error": ["a"]}}, "no column names: give a DataFrame"),
        ({"loss": {"squared_error": [0.5]}}, "expected integers, a slice"),
        ({"loss": {"square": slice(None)}}, "has the key 'square'; expected one of"),
        ({"loss": {"log_loss": [0], "huber": slice(1, 4)}}, r"expects them in \[0, 1\]"),
        ({"loss": {"huber": slice(None)}, "output_activation": "relu"}, "follows from its loss"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(iris, parameters, message):
    with pytest.raises(ValueError, match=message):
        quick(**parameters).fit(iris)


@pytest.mark.skipif(torch.cuda.is_available(), reason="the device is there")
def test_a_device_that_is_not_there_is_refused(iris):
    with pytest.raises(ValueError, match="device='cuda' is not available"):
        quick(device="cuda").fit(iris)


def test_losses_by_column_name(iris):
    frame = load_iris(as_frame=True).data
    names = list(frame.columns)
    by_name = quick(loss={"squared_error": names[:2], "huber": names[2:]}).fit(frame)
    by_number = quick(loss={"squared_error": [0, 1], "huber": [2, 3]}).fit(iris)
    np.testing.assert_array_equal(by_name.transform(frame), by_number.transform(iris))
    with pytest.raises(ValueError, match=r"names the columns \['width'\], but X has only"):
        quick(loss={"squared_error": ["width"]}).fit(frame)


def test_the_log_loss_refuses_values_beyond_one(iris):
    with pytest.raises(ValueError, match=r"values from 0.1 to 7.9.*MinMaxScaler"):
        quick(loss="log_loss").fit(iris)


def test_codes_of_another_width_are_refused(iris):
    with pytest.raises(ValueError, match=r"X has 3 features, but .*expects codes with 2"):
        quick().fit(iris).inverse_transform(np.zeros((4, 3)))


def test_parameters_set_after_a_fit_do_not_change_what_was_fitted(iris):
    fitted = quick(2).fit(iris)
    codes = fitted.transform(iris)
    fitted.set_params(n_components=3)
    assert fitted.inverse_transform(codes).shape == iris.shape
    assert len(fitted.get_feature_names_out()) == 2


def test_weights_that_leave_less_than_two_rows_are_refused(iris):
    weight = np.zeros(len(iris))
    weight[3] = 1
    with pytest.raises(ValueError, match="positive for 1 of 150 rows"):
        quick().fit(iris, sample_weight=weight)


# Whatever the data


@settings(max_examples=25, deadline=None)
@given(
    X=arrays(
        np.float64,
        st.tuples(st.integers(2, 25), st.integers(1, 6)),
        elements=st.floats(-1e6, 1e6, allow_subnormal=False),
    ),
    n_components=st.integers(1, 8),
    init=st.sampled_from(["pca", "random"]),
    early_stopping=st.booleans(),
    latent_activation=st.sampled_from(["identity", "relu", "logistic"]),
    loss=st.sampled_from(["squared_error", "absolute_error", "huber"]),
)
@example(np.array([[2e-54], [0.0]]), 1, "pca", False, "relu", "squared_error")
def test_any_finite_data_gives_finite_codes(
    X, n_components, init, early_stopping, latent_activation, loss
):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = AutoencoderTransformer(
            n_components,
            hidden_layer_sizes=(5,),
            init=init,
            latent_activation=latent_activation,
            loss=loss,
            early_stopping=early_stopping,
            max_iter=2,
            random_state=0,
        ).fit(X)
    codes = fitted.transform(X)
    assert np.isfinite(codes).all()
    assert np.isfinite(fitted.inverse_transform(codes)).all()
    restored = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(restored.transform(X), codes)


# Ordered codes


@pytest.mark.slow
def test_the_gain_of_each_code_is_that_of_rows_not_trained_on():
    X = load_digits().data / 16
    train, test = X[::2], X[1::2]
    settings = {"hidden_layer_sizes": 64, "max_iter": 40, "random_state": 0}
    model = AutoencoderTransformer(6, ordered=True, **settings).fit(train)
    codes = model.transform(test)
    held_out = [
        reconstruction_r2(test, model.inverse_transform(codes[:, : n + 1])) for n in range(6)
    ]
    explained = np.cumsum(model.explained_variance_ratio_)
    np.testing.assert_allclose(explained, held_out, atol=0.04)
    assert (np.diff(held_out) > 0).all()
    assert model.explained_variance_ratio_[0] > 2 * model.explained_variance_ratio_[5]
    assert held_out[-1] > PCA(6).fit(train).explained_variance_ratio_.sum() + 0.1


@pytest.mark.slow
def test_codes_without_order_can_not_be_cut():
    X = load_digits().data[::2] / 16
    settings = {"max_iter": 40, "random_state": 0, "early_stopping": False}
    plain, ordered = (
        AutoencoderTransformer(6, ordered=ordered, **settings).fit(X) for ordered in (False, True)
    )
    first = [
        reconstruction_r2(X, m.inverse_transform(np.pad(m.transform(X)[:, :2], ((0, 0), (0, 4)))))
        for m in (plain, ordered)
    ]
    assert first[1] > first[0] + 0.1


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.5, 0.8])
@pytest.mark.parametrize("early_stopping", [True, False])
def test_a_share_of_variance_is_the_smallest_number_of_codes_that_reaches_it(
    digits, share, early_stopping
):
    model = quick(share, early_stopping=early_stopping, max_iter=20).fit(digits)
    n_codes = len(model.explained_variance_ratio_)
    explained = np.cumsum(model.explained_variance_ratio_)
    assert explained[-1] >= share
    assert n_codes == 1 or explained[-2] < share
    codes = model.transform(digits)
    assert codes.shape == (len(digits), n_codes)
    assert len(model.get_feature_names_out()) == n_codes
    assert model.score(digits) == pytest.approx(
        reconstruction_r2(digits, model.inverse_transform(codes))
    )
    assert model.score(digits) > share - 0.05
    # PCA of the training rows has no more than its own training error to judge by.
    assert n_codes <= PCA(share).fit(digits).n_components_ + 3


def test_a_share_at_pca_is_pcas_number_of_components(digits):
    model = untrained(0.8).fit(digits)
    assert model.transform(digits).shape[1] == PCA(0.8).fit(digits).n_components_


def test_a_share_that_rows_held_out_do_not_reach_keeps_all_codes_and_says_so():
    noise = np.random.RandomState(0).normal(size=(24, 40))
    with pytest.warns(ConvergenceWarning, match=r"codes explain .* less than n_components=0.9"):
        model = quick(0.9, early_stopping=True).fit(noise)
    assert model.transform(noise).shape[1] > 10


def test_a_fit_without_order_forgets_the_order(digits):
    model = quick(3, ordered=True).fit(digits)
    model.set_params(ordered=False).fit(digits)
    assert not hasattr(model, "explained_variance_ratio_")


def test_partial_fit_of_ordered_codes(digits):
    model = quick(3, ordered=True).partial_fit(digits).partial_fit(digits)
    assert model.explained_variance_ratio_.shape == (3,)


def test_partial_fit_of_a_share_keeps_as_many_codes_as_pca_needs(digits):
    weight = np.ones(len(digits))
    weight[::7] = 0
    model = quick(0.8).partial_fit(digits, sample_weight=weight).partial_fit(digits)
    n_codes = PCA(0.8).fit(digits[weight > 0]).n_components_
    assert model.transform(digits).shape[1] == n_codes


def test_partial_fit_draws_other_noise_each_time(digits):
    seen = []

    class Look:
        def corrupt(self, rows, generator):
            noise = torch.rand(rows.shape, generator=generator)
            seen.append(noise[0, 0].item())
            return rows + 0.1 * noise

    model = quick(2, noise=Look(), batch_size=1000)
    for _ in range(3):
        model.partial_fit(digits)
    assert len(set(seen)) == 3


# Every part with every other


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    X=arrays(
        np.float64,
        st.tuples(st.integers(4, 25), st.integers(2, 6)),
        elements=st.floats(0, 1, width=16, allow_subnormal=False),
    ),
    holes=st.booleans(),
    n_components=st.sampled_from([2, 5, 0.7]),
    parameters=st.fixed_dictionaries(
        {},
        optional={
            "hidden_layer_sizes": st.sampled_from([(5,), (6, 4)]),
            "init": st.sampled_from(["pca", "random"]),
            "loss": st.sampled_from(
                [
                    "log_loss",
                    "huber",
                    {"log_loss": [0], "squared_error": slice(1, None)},
                    nn.MSELoss(reduction="none"),
                ]
            ),
            "latent_activation": st.sampled_from(["logistic", TopK(1)]),
            "noise": st.sampled_from(sorted(NOISES)),
            "penalty": st.lists(
                st.sampled_from([L1Sparsity(), Contraction()]), min_size=1, max_size=2
            ),
            "normalization": st.sampled_from(["batch", "layer"]),
            "early_stopping": st.just(True),
            **dict.fromkeys(("tied_weights", "pretrain", "ordered"), st.just(True)),
            "dropout": st.just(0.2),
            "alpha": st.just(0.1),
            "activation": st.sampled_from(["relu", "logistic"]),
            "precision": st.just("bfloat16"),
        },
    ),
)
def test_every_part_goes_with_every_other_or_says_why_not(X, holes, n_components, parameters):
    if holes:
        X = np.where(np.random.RandomState(0).uniform(size=X.shape) < 0.2, np.nan, X)
        parameters["missing"] = "mask"
    model = quick(n_components, **{"hidden_layer_sizes": (5,), "max_iter": 2} | parameters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            model.fit(X)
        except ValueError as error:
            message = str(error)
            assert any(
                reason in message
                for reason in (
                    "no value in column",
                    "batch normalization makes it depend",
                    "does not go with init='random'",
                )
            ), message
            with pytest.raises(NotFittedError):
                model.transform(X)
            return
    codes = model.transform(X)
    assert np.isfinite(codes).all()
    assert np.isfinite(model.inverse_transform(codes)).all()
    assert np.isfinite(model.score_samples(X[~np.isnan(X).all(axis=1)])).all()
    restored = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(restored.transform(X), codes)
    if holes:
        assert np.isfinite(model.impute(X)).all()


# Clean targets


def noisy_digits(seed=0):
    X = load_digits().data / 16
    noisy = X + np.random.RandomState(seed).normal(scale=0.25, size=X.shape)
    return noisy[:1200], X[:1200], noisy[1200:], X[1200:]


def error_of(model, rows, clean):
    return np.square(model.inverse_transform(model.transform(rows)) - clean).mean()


@pytest.mark.slow
def test_noisy_rows_are_rebuilt_as_their_clean_targets():
    noisy, clean, new, new_clean = noisy_digits()
    model = AutoencoderTransformer(16, validation_fraction=0.1, random_state=0).fit(noisy, clean)
    ignored = AutoencoderTransformer(16, validation_fraction=0.1, random_state=0).fit(noisy)
    pca = PCA(16).fit(noisy)
    assert error_of(model, new, new_clean) < 0.65 * error_of(ignored, new, new_clean)
    assert error_of(model, new, new_clean) < 0.65 * error_of(pca, new, new_clean)
    best = model.validation_loss_curve_[model.best_iter_]
    assert best == pytest.approx(1 - model.score(new, new_clean), abs=0.05)  # judged by targets


def test_a_linear_start_is_the_pca_of_the_targets():
    noisy, clean, *_ = noisy_digits()
    model = AutoencoderTransformer(
        5, hidden_layer_sizes=(), learning_rate_init=1e-9, random_state=0
    ).fit(noisy, clean)
    pca = PCA(5).fit(clean)
    np.testing.assert_allclose(model.mean_, clean.mean(axis=0), atol=1e-9)
    codes = (noisy - model.mean_) / model.scale_ @ pca.components_.T
    np.testing.assert_allclose(np.abs(model.transform(noisy)), np.abs(codes), atol=1e-4)


@pytest.mark.parametrize(
    "y",
    [
        None,
        "X",
        np.zeros(150),
        np.zeros((150, 3)),
        [["a"] * 4] * 150,
        np.full((150, 4), "text", dtype=object),
        [[1], [1, 2]] * 75,
    ],
    ids=["None", "X itself", "1-d", "other shape", "text", "objects", "ragged"],
)
def test_any_other_y_is_ignored(y):
    X = load_iris().data
    y = X.copy() if isinstance(y, str) else y
    expected = quick(2, max_iter=3).fit(X)
    model = quick(2, max_iter=3).fit(X, y)
    np.testing.assert_array_equal(model.transform(X), expected.transform(X))
    assert model.score(X, y) == expected.score(X)


@pytest.mark.parametrize("container", [sp.csr_array, pd.DataFrame, lambda y: y.tolist()])
def test_targets_of_any_kind_are_the_same(container):
    noisy, clean, *_ = noisy_digits()
    expected = quick(2, max_iter=2).fit(noisy[:300], clean[:300])
    model = quick(2, max_iter=2).fit(noisy[:300], container(clean[:300]))
    np.testing.assert_array_equal(model.transform(noisy), expected.transform(noisy))
    assert model.score(noisy[:300], container(clean[:300])) == expected.score(
        noisy[:300], clean[:300]
    )


def test_the_score_against_targets_is_r2():
    noisy, clean, *_ = noisy_digits()
    model = quick(4, max_iter=3).fit(noisy, clean)
    rebuilt = model.inverse_transform(model.transform(noisy))
    expected = r2_score(clean, rebuilt, multioutput="variance_weighted")
    assert model.score(noisy, clean) == pytest.approx(expected, abs=1e-6)
    assert model.score(noisy, clean) > model.score(noisy)


def test_targets_with_holes_count_where_they_are_known():
    noisy, clean, *_ = noisy_digits()
    holes = np.where(np.random.RandomState(1).uniform(size=clean.shape) < 0.2, np.nan, clean)
    with pytest.raises(ValueError, match="Input y contains NaN"):
        quick(2).fit(noisy, holes)
    model = quick(8, missing="mask", max_iter=10).fit(noisy, holes)
    assert model.score(noisy, clean) > model.score(noisy)
    assert np.isfinite(model.score(noisy, holes))


def test_targets_must_suit_the_loss_and_rows_need_not():
    noisy, clean, *_ = noisy_digits()
    model = quick(2, loss="log_loss", max_iter=2).fit(noisy, clean)
    assert model.inverse_transform(model.transform(noisy)).max() <= 1
    with pytest.raises(ValueError, match=r"expects them in \[0, 1\]"):
        quick(2, loss="log_loss").fit(clean, noisy)


@pytest.mark.slow
def test_targets_go_through_a_search_and_through_partial_fit():
    noisy, clean, new, new_clean = noisy_digits()
    search = GridSearchCV(quick(max_iter=5), {"n_components": [2, 16]}, cv=2).fit(noisy, clean)
    assert search.best_params_ == {"n_components": 16}
    streamed = AutoencoderTransformer(16, learning_rate_init=0.001, random_state=0)
    for _ in range(20):
        streamed.partial_fit(noisy, clean)
    assert streamed.score(new, new_clean) > 0.6


# Rows that belong together, and rows that are held out as the user says


def measurements(n_subjects, seed=0):
    """Return rows of 40 measurements of each subject, and the subjects' numbers."""
    random = np.random.RandomState(seed)
    subjects = random.normal(size=(n_subjects, 30))
    rows = np.repeat(subjects, 40, axis=0) + 0.3 * random.normal(size=(40 * n_subjects, 30))
    return rows, np.repeat(np.arange(n_subjects), 40)


def stopped(n_components=2, **parameters):
    return quick(n_components, **{"early_stopping": True, "max_iter": 3} | parameters)


@pytest.mark.slow
def test_the_floor_holds_for_new_groups():
    X, groups = measurements(75)
    new, X, groups = X[1000:], X[:1000], groups[:1000]
    pca = reconstruction_r2_scorer(PCA(5).fit(X), new)
    by_heart = AutoencoderTransformer(5, random_state=0).fit(X)
    assert reconstruction_r2_scorer(by_heart, new) < pca - 0.05
    model = AutoencoderTransformer(5, random_state=0).fit(X, groups=groups)
    assert reconstruction_r2_scorer(model, new) > pca - 0.01
    by_splitter = AutoencoderTransformer(
        5, validation_fraction=PredefinedSplit(groups % 5), random_state=0
    ).fit(X)
    assert reconstruction_r2_scorer(by_splitter, new) > pca - 0.05


def test_windows_of_a_series_are_warned_of_and_split_by_time():
    steps = np.random.RandomState(0).normal(size=400)
    windows = np.lib.stride_tricks.sliding_window_view(np.cumsum(steps), 20).copy()
    with pytest.warns(DependentRowsWarning, match="TimeSeriesSplit"):
        stopped(max_iter=2).fit(windows)
    stopped(max_iter=2, validation_fraction=TimeSeriesSplit(3)).fit(windows)


def test_groups_reach_the_fit_through_a_pipeline_and_a_search():
    X, groups = measurements(8)
    with config_context(enable_metadata_routing=True):
        model = stopped(max_iter=3).set_fit_request(groups=True)
        pipeline = make_pipeline(StandardScaler(), model)
        search = GridSearchCV(pipeline, {}, cv=GroupKFold(2)).fit(X, groups=groups)
        expected = stopped(max_iter=3).fit(StandardScaler().fit_transform(X), groups=groups)
    codes = search.best_estimator_.transform(X)
    np.testing.assert_array_equal(codes, expected.transform(StandardScaler().fit_transform(X)))


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array, pd.DataFrame])
def test_given_rows_judge_the_epochs_and_are_not_trained_on(container):
    X = load_digits().data
    model = stopped(max_iter=5, validation_fraction=container(X[1000:]))
    model.fit(X[:1000])
    np.testing.assert_allclose(model.mean_, X[:1000].mean(axis=0))
    expected = quick(2, max_iter=model.best_iter_, early_stopping=False).fit(X[:1000])
    assert model.loss_curve_[0] == pytest.approx(expected.loss_curve_[0], rel=0.2)
    loss = model.validation_loss_curve_[model.best_iter_]
    assert loss == pytest.approx(
        np.square(model.inverse_transform(model.transform(X[1000:])) - X[1000:]).mean()
        / model.scale_**2,
        rel=1e-4,
    )


@pytest.mark.parametrize(
    ("validation", "message"),
    [
        (np.zeros((3, 5)), "X has 5 features, but AutoencoderTransformer is expecting 64"),
        (np.full((3, 64), np.nan), "NaN"),
        ((np.zeros((3, 64)), np.ones((3, 64))), "Give both or neither"),
    ],
)
def test_given_rows_are_checked_as_the_others(validation, message):
    with pytest.raises(ValueError, match=message):
        stopped(validation_fraction=validation).fit(load_digits().data)


def test_a_given_set_may_have_targets():
    noisy, clean, new, new_clean = noisy_digits()
    model = stopped(4, max_iter=3, validation_fraction=(new, new_clean)).fit(noisy, clean)
    loss = model.validation_loss_curve_[model.best_iter_]
    variance = np.square(new_clean - model.mean_).mean() / model.scale_**2
    assert loss == pytest.approx((1 - model.score(new, new_clean)) * variance, rel=0.02)


@pytest.mark.parametrize("unit", [1e18, 1e19, 1e36])
def test_finite_values_are_fitted_however_large(unit):
    X = (load_iris().data * unit).astype(np.float32)
    model = quick(2, max_iter=3).fit(X)
    expected = quick(2, max_iter=3).fit(load_iris().data).score(X / unit)
    assert model.score(X) == pytest.approx(expected, abs=1e-3)
    assert np.isfinite(model.inverse_transform(model.transform(X))).all()
    assert np.isfinite(model.score_samples(X)).all()


def test_the_number_of_codes_is_told():
    X = load_digits().data
    assert quick(3, max_iter=1).fit(X).n_components_ == 3
    model = quick(0.5, max_iter=2).fit(X)
    assert model.n_components_ == model.transform(X).shape[1]
    assert len(model.explained_variance_ratio_) == model.n_components_


def test_who_asks_for_shares_of_variance_without_ordered_codes_is_told():
    model = quick(2, max_iter=1).fit(load_iris().data)
    assert not hasattr(model, "explained_variance_ratio_")
    with pytest.raises(AttributeError, match="ordered=True"):
        model.explained_variance_ratio_  # noqa: B018


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_filled_rows_and_errors_keep_the_names_of_their_columns(container):
    frame = load_iris(as_frame=True).data
    holes = frame.mask(np.random.RandomState(0).uniform(size=frame.shape) < 0.1)
    model = quick(2, missing="mask").set_output(transform=container).fit(holes)
    plain = quick(2, missing="mask").fit(holes)
    for filled, expected in [
        (model.impute(holes), plain.impute(holes)),
        (
            model.reconstruction_error(holes, per_feature=True),
            plain.reconstruction_error(holes, per_feature=True),
        ),
    ]:
        assert list(filled.columns) == list(frame.columns)
        np.testing.assert_array_equal(filled.to_numpy(), expected)
    assert isinstance(plain.impute(holes), np.ndarray)
    assert isinstance(model.reconstruction_error(holes), np.ndarray)


def test_who_has_missing_values_is_told_of_the_way(iris):
    holes = np.where(np.random.RandomState(0).uniform(size=iris.shape) < 0.1, np.nan, iris)
    with pytest.raises(
        ValueError, match=r"contains NaN\.\nAutoencoderTransformer: With missing='mask'"
    ):
        quick(2).fit(holes)
    with pytest.raises(ValueError, match="missing='mask'"):
        quick(2).fit(iris).transform(holes)
    with pytest.raises(ValueError, match="takes missing values in dense rows"):
        quick(2, missing="mask").fit(sp.csr_array(holes))


def test_groups_change_nothing_where_no_rows_are_held_out(iris):
    groups = np.arange(len(iris)) % 7
    expected = quick(2).fit(iris).transform(iris)
    np.testing.assert_array_equal(quick(2).fit(iris, groups=groups).transform(iris), expected)


# Missing values that the encoder knows of


def flagged(n_components=2, **parameters):
    defaults = {"missing": "flag", "early_stopping": False, "max_iter": 5, "noise": "masking"}
    return quick(n_components, **defaults | parameters)


def test_a_start_with_flags_is_pca(iris):
    nearly_none = {"learning_rate_init": 1e-9, "max_iter": 1, "noise": None}
    model = flagged(init="pca", **nearly_none).fit(iris)
    pca = PCA(2).fit(iris)
    np.testing.assert_allclose(
        model.inverse_transform(model.transform(iris)),
        pca.inverse_transform(pca.transform(iris)),
        atol=1e-5,
    )
    bounded = flagged(init="pca", latent_activation="tanh", **nearly_none).fit(iris)
    assert bounded.score(iris) > 0.8 * pca.explained_variance_ratio_.sum()


@pytest.mark.parametrize("missing", ["mask", "flag"])
def test_the_encoder_tells_a_hole_from_a_mean_if_it_has_flags(iris, missing):
    holes = iris.copy()
    holes[::5, 1] = np.nan
    model = flagged(missing=missing, init="random").fit(holes)
    mean = np.where(np.isnan(holes), model.mean_, holes)
    apart = np.abs(model.transform(holes) - model.transform(mean)).max(axis=1)
    assert (apart[::5] > 1e-4).all() == (missing == "flag")
    assert not np.delete(apart, np.s_[::5]).any()


def test_candidates_with_flags_stand_side_by_side(iris):
    holes = iris.copy()
    holes[::5, 1] = np.nan
    model = flagged(early_stopping=True, noise="auto", init="auto").fit(holes)
    assert len(model.candidates_["param_init"]) == 4
    assert np.isfinite(model.transform(holes)).all()
    assert np.isfinite(model.reconstruction_error(holes)).all()
    assert flagged(0.9, early_stopping=True).fit(holes).score(holes) > 0.8


def test_a_fit_that_goes_on_has_the_flags_that_it_had(iris):
    holes = iris.copy()
    holes[::5, 1] = np.nan
    for missing in ("mask", "flag"):
        model = flagged(warm_start=True).fit(holes)
        model.set_params(missing=missing).fit(holes).partial_fit(holes)
        assert np.isfinite(model.impute(holes)).all()


def test_clean_targets_go_with_flags(iris):
    noisy = iris + np.random.RandomState(0).normal(size=iris.shape)
    noisy[::5, 1] = np.nan
    assert np.isfinite(flagged(noise=None).fit(noisy, iris).score(noisy, iris))


@pytest.mark.parametrize(
    "parameter", [{"tied_weights": True}, {"pretrain": True}, {"encoder": nn.Linear(4, 2)}]
)
def test_what_needs_a_mirror_image_is_refused_with_flags(iris, parameter):
    with pytest.raises(ValueError, match="missing='flag' gives the encoder columns"):
        flagged(**parameter).fit(iris)


def test_how_rows_lie_in_memory_changes_no_bit():
    X = np.random.RandomState(0).normal(size=(500, 7))
    fitted = AutoencoderTransformer(2, max_iter=2, random_state=0).fit(X)
    again = clone(fitted).fit(np.asfortranarray(X))
    for dtype in (np.float64, np.float32):
        rows = X.astype(dtype)
        codes = fitted.transform(rows)
        for other in (np.asfortranarray(rows), np.repeat(rows, 2, axis=1)[:, ::2]):
            np.testing.assert_array_equal(again.transform(other), codes)
            assert again.score(other) == fitted.score(rows)
