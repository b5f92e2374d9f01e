"""ConvolutionalAutoencoderTransformer: rows as images, PCA's promises, and what is refused."""

import pickle
import warnings
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from skorch.callbacks import Callback
from torch import nn

from skae import ConvolutionalAutoencoderTransformer
from skae.activation import TopK
from skae.nn import ChannelsLast, MapShape, PenalizedBatch
from skae.noise import MaskingNoise
from skae.penalty import Contraction

CHECKED = [
    ConvolutionalAutoencoderTransformer(max_iter=3),
    ConvolutionalAutoencoderTransformer(
        3,
        channels=(4, 3),
        kernel_size=(5, 2),
        pool_size=(2, 1),
        pooling="average",
        init="random",
        normalization="batch",
        dropout=0.2,
        latent_activation="tanh",
        validation_fraction=0.3,
        max_iter=3,
    ),
    ConvolutionalAutoencoderTransformer(
        None,
        channels=4,
        pooling="stride",
        upsampling="nearest",
        normalization="layer",
        early_stopping=False,
        precision="bfloat16",
        max_iter=3,
        batch_size=8,
    ),
]


@parametrize_with_checks(CHECKED)
def test_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def digits():
    return load_digits().data[::4]


@pytest.fixture(scope="module")
def colours():
    """Images of three channels, 5 by 7 pixels."""
    mixed = np.random.RandomState(0).normal(size=(60, 4)) @ np.random.RandomState(1).normal(
        size=(4, 105)
    )
    return np.tanh(mixed)


def quick(n_components=2, **parameters):
    """Return a small transformer that trains for a moment, on all rows."""
    defaults = {"channels": (4, 6), "max_iter": 3, "early_stopping": False, "random_state": 0}
    return ConvolutionalAutoencoderTransformer(n_components, **defaults | parameters)


def untrained(n_components=2, **parameters):
    """Return a transformer that moves by next to nothing from its start."""
    return quick(n_components, max_iter=1, learning_rate_init=1e-12, **parameters)


# The start


@pytest.mark.parametrize("n_components", [1, 3, 10])
def test_the_start_is_pca(digits, n_components):
    pca = PCA(n_components).fit(digits)
    start = untrained(n_components).fit(digits)
    codes = start.transform(digits) * start.scale_
    signs = np.sign((codes * pca.transform(digits)).sum(axis=0))
    np.testing.assert_allclose(codes * signs, pca.transform(digits), atol=1e-4)
    assert start.score(digits) == pytest.approx(pca.explained_variance_ratio_.sum(), abs=1e-6)


@pytest.mark.parametrize(
    "parameters",
    [
        {"pooling": "stride"},
        {"pooling": "average", "upsampling": "nearest"},
        {"normalization": "batch", "dropout": 0.3},
        {"image_shape": {"channels": 4, "height": 4, "width": 4}},
        {"image_shape": (16, 1, 4)},
        {"image_shape": (2, 32)},
        {"channels": 5, "pool_size": 1},
        {"loss": "absolute_error"},
        {"ordered": True},
    ],
    ids=str,
)
def test_the_start_is_pca_whatever_the_layers(digits, parameters):
    ratio = PCA(3).fit(digits).explained_variance_ratio_.sum()
    assert untrained(3, **parameters).fit(digits).score(digits) == pytest.approx(ratio, abs=1e-6)


def test_a_fit_that_keeps_epoch_zero_is_pca_on_all_rows():
    noise = np.random.RandomState(0).normal(size=(60, 9)) * np.arange(1, 10)
    fitted = quick(2, early_stopping=True, max_iter=10).fit(noise)
    assert fitted.best_iter_ == 0
    ratio = PCA(2).fit(noise).explained_variance_ratio_.sum()
    assert fitted.score(noise) == pytest.approx(ratio, abs=1e-6)


def test_a_random_start_has_convolutions_and_a_dense_layer_on_either_side_of_the_code(digits):
    fitted = quick(3, init="random").fit(digits)
    dense = [m for m in fitted.module_.modules() if isinstance(m, nn.Linear)]
    assert [(m.in_features, m.out_features) for m in dense] == [(24, 3), (3, 24)]
    kinds = nn.Conv2d | nn.ConvTranspose2d
    convolutions = [m for m in fitted.module_.modules() if isinstance(m, kinds)]
    channels = [(m.in_channels, m.out_channels) for m in convolutions]
    assert channels == [(1, 4), (4, 6), (6, 6), (6, 4), (4, 1)]


# The code as a map


PUBLISHED = [
    # 32 filters of 3 × 3, max-pool, 32 filters, upsampling, 1 filter.
    (
        {"channels": 32, "latent_activation": "relu"},
        (32, 14, 14),
        [(1, 32, 3), (32, 32, 3), (32, 1, 3)],
    ),
    # 128 filters of 7 × 7, pool, 32 of 2 × 2, pool, 1 of 7 × 7: 49 numbers for 784.
    (
        {"channels": (128, 32, 1), "kernel_size": (7, 2, 7), "pool_size": (2, 2, 1)},
        (1, 7, 7),
        [(1, 128, 7), (128, 32, 2), (32, 1, 7), (1, 32, 2), (32, 128, 7), (128, 1, 7)],
    ),
]


@pytest.mark.parametrize(("parameters", "code_shape", "layers"), PUBLISHED, ids=["small", "narrow"])
def test_published_networks_are_built_by_parameters_alone(parameters, code_shape, layers):
    X = np.random.RandomState(0).uniform(size=(4, 784)).astype(np.float32)
    tutorial = {"upsampling": "nearest", "activation": "relu"}
    fitted = quick(None, loss="log_loss", max_iter=1, **tutorial, **parameters).fit(X)
    assert fitted.image_shape_ == (1, 28, 28)
    assert fitted.code_shape_ == code_shape
    found = [m for m in fitted.module_.modules() if isinstance(m, nn.Conv2d)]
    assert [(m.in_channels, m.out_channels, *set(m.kernel_size)) for m in found] == layers
    kinds = {type(m) for m in fitted.module_.modules()}
    assert nn.Sigmoid in kinds
    assert nn.Linear not in kinds
    codes = fitted.transform(X)
    assert codes.shape == (4, np.prod(code_shape))
    reconstruction = fitted.inverse_transform(codes)
    assert ((reconstruction >= 0) & (reconstruction <= 1)).all()
    n_parameters = sum(n * (m * k**2 + 1) for m, n, k in layers)
    assert sum(p.numel() for p in fitted.module_.parameters()) == n_parameters


@pytest.mark.parametrize("pooling", ["max", "stride"])
def test_codes_that_are_maps_move_with_the_image(pooling):
    X = np.zeros((20, 1, 32, 32))
    X[:, 0, 12:16, 12:16] = np.random.RandomState(0).normal(size=(20, 4, 4))
    moved = np.roll(X, (4, 4), axis=(2, 3))
    both = np.vstack([X, moved]).reshape(40, -1)
    fitted = quick(None, channels=(4, 3), pooling=pooling, max_iter=5).fit(both)
    fitted.mean_ *= 0  # the same everywhere
    codes = fitted.transform(both).reshape(2, 20, *fitted.code_shape_)
    np.testing.assert_allclose(codes[1][:, :, 3:6, 3:6], codes[0][:, :, 2:5, 2:5], atol=1e-6)


def test_the_code_shape_is_of_the_last_fit(digits):
    model = quick(None).fit(digits)
    codes = model.transform(digits)
    assert codes.reshape(-1, *model.code_shape_).shape == (len(digits), 6, 2, 2)
    model.set_params(n_components=2).fit(digits)
    assert not hasattr(model, "code_shape_")


@pytest.mark.parametrize("n_components", [2, None])
def test_a_warm_start_keeps_its_shapes(digits, n_components):
    model = quick(n_components, warm_start=True).fit(digits)
    shapes = model.image_shape_, getattr(model, "code_shape_", None)
    first = model.score(digits)
    model.fit(digits)
    assert (model.image_shape_, getattr(model, "code_shape_", None)) == shapes
    assert model.score(digits) > first
    with pytest.raises(ValueError, match=r"channels was \(4, 6\)"):
        model.set_params(channels=3).fit(digits)


# Images


@pytest.mark.parametrize(
    ("n_features", "given", "expected"),
    [
        (64, None, MapShape(1, 8, 8)),
        (6, None, MapShape(1, 1, 6)),
        (1, None, MapShape(1, 1, 1)),
        (64, (4, 16), MapShape(1, 4, 16)),
        (64, {"channels": 4, "height": 4, "width": 4}, MapShape(4, 4, 4)),
        (64, np.array([2, 4, 8]), MapShape(2, 4, 8)),
        (64, [8, 8, 1], ChannelsLast(8, 8, 1)),
        (75, (5, 5, 3), ChannelsLast(5, 5, 3)),
        (50, (50,), MapShape(1, 1, 50)),
        (50, {"channels": 2, "length": 25}, MapShape(2, 1, 25)),
        (50, {"length": 25, "channels": 2}, ChannelsLast(1, 25, 2)),
    ],
    ids=str,
)
def test_rows_are_read_as_images(n_features, given, expected):
    X = np.random.RandomState(0).normal(size=(8, n_features))
    fitted = quick(1, image_shape=given, max_iter=1).fit(X)
    assert fitted.image_shape_ == expected
    assert type(fitted.image_shape_) is type(expected)
    if n_features > 1:  # one pixel is too small for an image
        again = clone(fitted).set_params(image_shape=fitted.image_shape_).fit(X)
        np.testing.assert_array_equal(again.transform(X), fitted.transform(X))


def test_grey_images_with_a_channel_at_the_end_are_grey_images(digits):
    fits = [quick(4, image_shape=shape).fit(digits) for shape in ((8, 8), (8, 8, 1))]
    codes = [fitted.transform(digits) for fitted in fits]
    np.testing.assert_array_equal(*codes)


def test_a_length_is_a_line_of_one_channel(digits):
    fits = [quick(4, image_shape=shape).fit(digits) for shape in ((1, 1, 64), (64,), (1, 64))]
    for fitted in fits[1:]:
        np.testing.assert_array_equal(fitted.transform(digits), fits[0].transform(digits))


@pytest.mark.slow
@pytest.mark.parametrize("n_components", [4, None])
@pytest.mark.parametrize("pooling", ["max", "stride"])
def test_colour_and_odd_sizes_are_learnt(colours, n_components, pooling):
    model = quick(
        n_components,
        image_shape=(3, 5, 7),
        channels=(8, 8),
        pooling=pooling,
        max_iter=150,
        learning_rate_init=0.01,
    )
    fitted = model.fit(colours)
    assert fitted.inverse_transform(fitted.transform(colours)).shape == colours.shape
    assert fitted.score(colours) > 0.6


@pytest.mark.slow
def test_it_does_better_than_pca_where_things_move():
    random = np.random.RandomState(0)
    place = random.uniform(3, 13, size=(600, 2, 1))
    lines = np.exp(-np.square(np.arange(16) - place) / 4)  # (600, 2, 16)
    X = (lines[:, 0, :, None] * lines[:, 1, None, :]).reshape(600, -1)
    train, test = X[:500], X[500:]
    fitted = ConvolutionalAutoencoderTransformer(
        2, channels=(8, 16), max_iter=30, validation_fraction=0.1, random_state=0
    ).fit(train)
    pca = PCA(2).fit(train)
    restored = pca.inverse_transform(pca.transform(test))
    of_pca = 1 - np.square(test - restored).sum() / np.square(test - test.mean(axis=0)).sum()
    assert fitted.best_iter_ > 0
    assert fitted.score(test) > of_pca + 0.2


# Channels last


@pytest.fixture(scope="module")
def photos():
    """The same colour images of 6 by 9 pixels, with channels last and with channels first."""
    random = np.random.RandomState(0)
    images = np.tanh(random.normal(size=(100, 5)) @ random.normal(size=(5, 162)))
    images = images.reshape(100, 6, 9, 3)
    images[:5] = images[5:10]  # equal rows
    return images.reshape(100, -1), np.moveaxis(images, -1, 1).reshape(100, -1)


def channels_first(rows, shape):
    """Return rows of images, or codes that are maps, with their channels first."""
    return np.moveaxis(rows.reshape(-1, *shape), -1, 1).reshape(len(rows), -1)


def fit_both(photos, **parameters):
    """Return a model for images with channels last, and one for the same with channels first."""
    model = quick(**{"channels": (4, 6), "max_iter": 4, **parameters})
    shapes = (6, 9, 3), (3, 6, 9)
    models = [clone(model).set_params(image_shape=shape) for shape in shapes]
    return [model.fit(X) for model, X in zip(models, photos, strict=True)]


@pytest.mark.parametrize(
    "parameters",
    [
        {"early_stopping": True},
        {"early_stopping": True, "validation_fraction": 0.2, "shuffle": False},
        {"n_components": None},
        {"n_components": 0.6, "early_stopping": True, "max_iter": 2},
        {"noise": "swap", "penalty": ["l1", Contraction(1e-3)], "dropout": 0.1},
        {"init": "random", "normalization": "batch", "pooling": "stride"},
        {"latent_activation": TopK(2), "output_activation": "tanh", "n_components": None},
    ],
    ids=str,
)
def test_channels_last_and_first_give_the_same_bits(photos, parameters):
    X, X_first = photos
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        last, first = fit_both(photos, **parameters)
    codes, codes_first = last.transform(X), first.transform(X_first)
    if last.n_components is None:
        assert last.code_shape_ == first.code_shape_.channels_last
        np.testing.assert_array_equal(channels_first(codes, last.code_shape_), codes_first)
    else:
        np.testing.assert_array_equal(codes, codes_first)
    rebuilt, rebuilt_first = last.inverse_transform(codes), first.inverse_transform(codes_first)
    np.testing.assert_array_equal(channels_first(rebuilt, (6, 9, 3)), rebuilt_first)
    np.testing.assert_array_equal(channels_first(last.mean_[None], (6, 9, 3))[0], first.mean_)
    assert last.loss_curve_ == first.loss_curve_
    assert last.validation_loss_curve_ == first.validation_loss_curve_
    # Sums over columns round in their order.
    assert last.score(X) == pytest.approx(first.score(X_first), rel=1e-12)
    np.testing.assert_allclose(last.score_samples(X), first.score_samples(X_first), rtol=1e-12)


def test_channels_last_keep_holes_sparse_rows_weights_and_precision(photos):
    holes = np.random.RandomState(0).uniform(size=photos[0].shape) < 0.1
    holey = np.where(holes, np.nan, photos[0])
    pair = holey, channels_first(holey, (6, 9, 3))
    last, first = fit_both(pair, missing="mask", noise="masking")
    filled = channels_first(last.impute(pair[0]), (6, 9, 3))
    np.testing.assert_array_equal(filled, first.impute(pair[1]))

    dense, _ = fit_both(photos)
    sparse, sparse_first = fit_both([sp.csr_array(X) for X in photos])
    np.testing.assert_array_equal(sparse.transform(photos[0]), sparse_first.transform(photos[1]))
    np.testing.assert_array_equal(sparse.transform(photos[0]), dense.transform(photos[0]))

    single = [X.astype(np.float32) for X in photos]
    last, first = fit_both(single)
    assert last.transform(single[0]).dtype == np.float32
    np.testing.assert_array_equal(last.transform(single[0]), first.transform(single[1]))


@pytest.mark.parametrize("n_components", [3, None])
def test_channels_last_are_trained_on_as_they_were(photos, n_components):
    models = fit_both(photos, n_components=n_components, warm_start=True)
    for model, X in zip(models, photos, strict=True):
        model.fit(X)
        for rows in np.array_split(X, 3):
            model.partial_fit(rows)
    rebuilt, expected = (
        m.inverse_transform(m.transform(X)) for m, X in zip(models, photos, strict=True)
    )
    np.testing.assert_array_equal(channels_first(rebuilt, (6, 9, 3)), expected)
    with pytest.raises(ValueError, match=r"image_shape was \(6, 9, 3\) when the network was built"):
        models[0].set_params(image_shape=(3, 6, 9)).fit(photos[1])


def test_the_network_of_channels_last_is_one_for_rows_of_X(photos):
    X = photos[0]
    fitted = pickle.loads(pickle.dumps(quick(3, image_shape=(6, 9, 3)).fit(X)))
    with torch.no_grad():
        codes = fitted.module_.encoder(torch.from_numpy(X).float())
        rows = fitted.module_.decoder(codes).numpy()
    np.testing.assert_allclose(codes, fitted.transform(X), atol=1e-5)
    np.testing.assert_allclose(rows, fitted.inverse_transform(codes.numpy()), atol=1e-5)


def test_columns_and_their_names_are_those_of_X_where_channels_are_last(photos):
    frame = pd.DataFrame(photos[0]).add_prefix("p")
    top, rest = list(frame.columns[:81]), list(frame.columns[81:])
    model = quick(2, image_shape=(6, 9, 3), loss={"log_loss": top, "squared_error": rest})
    frame[top] = (frame[top] + 1) / 2
    fitted = model.fit(frame)
    assert list(fitted.feature_names_in_) == list(frame.columns)
    rebuilt = fitted.inverse_transform(10 * fitted.transform(frame))
    assert ((rebuilt[:, :81] >= 0) & (rebuilt[:, :81] <= 1)).all()
    assert rebuilt[:, 81:].min() < 0


class Told:
    """Parts of a user's that note what they are given."""

    seen: ClassVar[dict] = {}

    def corrupt(self, rows, generator):
        self.seen["noise"] = rows.clone()
        return rows

    def penalize(self, batch):
        self.seen["penalty"] = batch.rows.clone()
        assert batch.reconstruction.shape == batch.rows.shape
        torch.testing.assert_close(batch.encode(batch.rows), batch.code)
        return batch.code.square().sum(dim=1) * 0

    def __call__(self, reconstruction, X):
        self.seen["loss"] = X.clone()
        return (reconstruction - X) ** 2


def test_parts_of_ones_own_see_the_columns_of_X_where_channels_are_last(photos):
    X = photos[0] + np.arange(162) * 10
    told = Told()
    model = quick(2, image_shape=(6, 9, 3), loss=told, noise=told, penalty=[told], batch_size=95)
    fitted = model.set_params(max_iter=1, shuffle=False).fit(X)
    for name in ("noise", "penalty"):
        rows = told.seen[name].numpy() * fitted.scale_ + fitted.mean_
        np.testing.assert_allclose(rows.mean(axis=0), np.arange(162) * 10, atol=2)
    np.testing.assert_allclose(told.seen["loss"].mean(dim=0), np.arange(162) * 10, atol=2)
    assert fitted.loss is told
    assert fitted.noise is told


def test_a_loss_that_is_a_module_sees_the_columns_of_X_where_channels_are_last(photos):
    X = photos[0]

    class Weighted(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(1.0 * (torch.arange(162) < 3))  # of the first pixel

        def forward(self, reconstruction, X):
            return (reconstruction - X) ** 2 * self.weight

    model = quick(1, image_shape=(6, 9, 3), loss=Weighted(), max_iter=60, init="random")
    fitted = model.set_params(learning_rate_init=0.03).fit(X)
    errors = fitted.reconstruction_error(X, per_feature=True).mean(axis=0) / X.var(axis=0)
    assert errors[:3].mean() < 0.8 < errors[3:].mean()


def test_a_fit_to_channels_last_that_fails_leaves_the_old_model(photos):
    X = photos[0]
    model = quick(image_shape=(6, 9, 3), warm_start=True).fit(X)
    codes = model.transform(X)
    with pytest.raises(ValueError, match="features"):
        model.fit(X[:, :-3])
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.full_like(X, np.nan))
    np.testing.assert_array_equal(model.transform(X), codes)


# What all autoencoders can do


@pytest.mark.parametrize("n_components", [3, None])
def test_everything_at_once(digits, n_components):
    X = np.where(np.random.RandomState(0).uniform(size=digits.shape) < 0.1, np.nan, digits / 16)
    model = quick(
        n_components,
        channels=(4, 3),
        normalization="layer",
        dropout=0.1,
        noise=MaskingNoise(0.2),
        penalty=["l1", Contraction(1e-3)],
        missing="mask",
        loss="log_loss",
        latent_activation=TopK(2),
        alpha=0.01,
        solver="nadam",
    )
    fitted = model.fit(X)
    codes = fitted.transform(X)
    assert (np.count_nonzero(codes, axis=1) <= 2).all()
    filled = fitted.impute(X)
    np.testing.assert_array_equal(filled[~np.isnan(X)], X[~np.isnan(X)])
    assert ((filled >= 0) & (filled <= 1)).all()
    restored = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(restored.transform(X), codes)


def test_a_share_of_variance_is_reached_by_ordered_codes(digits):
    fitted = quick(0.6, early_stopping=True, validation_fraction=0.3, max_iter=5).fit(digits)
    n_codes = fitted.transform(digits).shape[1]
    assert fitted.explained_variance_ratio_.sum() >= 0.6
    assert len(fitted.explained_variance_ratio_) == n_codes
    cut = fitted.inverse_transform(fitted.transform(digits)[:, : n_codes - 1])
    assert cut.shape == digits.shape


def test_columns_may_have_losses_of_their_own(digits):
    X = digits / 16
    fitted = quick(2, loss={"log_loss": slice(0, 32), "squared_error": slice(32, 64)}).fit(X)
    reconstruction = fitted.inverse_transform(10 * fitted.transform(X))
    assert reconstruction[:, :32].min() >= 0
    assert reconstruction[:, :32].max() <= 1


@pytest.mark.parametrize("n_components", [3, None])
def test_sparse_rows_give_the_dense_result(digits, n_components):
    model = quick(n_components)
    dense, sparse = clone(model).fit(digits), clone(model).fit(sp.csr_array(digits))
    np.testing.assert_allclose(
        sparse.transform(sp.csr_array(digits)), dense.transform(digits), atol=1e-12
    )


@pytest.mark.slow
def test_a_weight_of_two_is_the_row_twice(digits):
    weight = np.random.RandomState(0).randint(0, 3, len(digits))
    model = quick(2, early_stopping=True)
    weighted = clone(model).fit(digits, sample_weight=weight)
    repeated = clone(model).fit(np.repeat(digits, weight, axis=0))
    np.testing.assert_array_equal(weighted.transform(digits), repeated.transform(digits))


@pytest.mark.parametrize("n_components", [3, None])
def test_partial_fit_trains_on_batches(digits, n_components):
    model = quick(n_components, learning_rate_init=0.01)
    for _ in range(5):
        for rows in np.array_split(digits, 4):
            model.partial_fit(rows)
    assert model.n_iter_ == 20
    assert model.score(digits) > 0.4


@pytest.mark.parametrize("normalization", [None, "layer"])
@pytest.mark.parametrize("pooling", ["max", "stride"])
def test_contraction_is_the_norm_of_the_jacobian(digits, normalization, pooling):
    fitted = quick(3, normalization=normalization, pooling=pooling, init="random").fit(digits)
    encode = fitted.module_.encoder.from_standardized
    rows = torch.from_numpy((digits[:5] - fitted.mean_) / fitted.scale_).float()
    batch = PenalizedBatch(None, None, rows, None, encode)
    jacobians = [torch.autograd.functional.jacobian(encode, row[None])[0] for row in rows]
    expected = 2 * torch.stack(jacobians).square().sum(dim=(1, 2, 3))
    torch.testing.assert_close(Contraction(2.0).penalize(batch), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes_are_kept_and_precisions_agree(digits, dtype):
    fitted = quick(3).fit(digits)
    codes = fitted.transform(digits.astype(dtype))
    assert codes.dtype == dtype
    assert fitted.inverse_transform(codes).dtype == dtype
    np.testing.assert_allclose(codes, fitted.transform(digits), atol=1e-4)


@pytest.mark.parametrize("parameters", [{}, {"n_components": None, "dropout": 0.1}], ids=str)
def test_same_seed_same_bits_and_another_seed_another_result(digits, parameters):
    codes = [
        quick(**parameters, random_state=seed).fit(digits).transform(digits) for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(codes[0], codes[1])
    assert not np.array_equal(codes[0], codes[2])


def test_global_state_is_left_as_found(digits):
    np.random.seed(3)  # noqa: NPY002
    torch.manual_seed(3)
    numpy_before, torch_before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    found = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        quick(dropout=0.1, ordered=True).fit(digits).score(digits)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(found)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_before)  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torch_before)


def test_it_takes_its_place_in_a_pipeline_and_a_search(digits):
    pipeline = make_pipeline(MinMaxScaler(), quick())
    name = "convolutionalautoencodertransformer"
    grid = {f"{name}__channels": [3, (3, 4)], f"{name}__pooling": ["max", "stride"]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(digits)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert list(search.best_estimator_.get_feature_names_out()) == [name + "0", name + "1"]


def test_encoder_and_decoder_are_modules_in_units_of_X(digits):
    fitted = quick(3).fit(digits)
    with torch.no_grad():
        codes = fitted.module_.encoder(torch.from_numpy(digits).float())
        rows = fitted.module_.decoder(codes).numpy()
    np.testing.assert_allclose(codes, fitted.transform(digits), atol=1e-4)
    np.testing.assert_allclose(rows, fitted.inverse_transform(codes.numpy()), atol=1e-3)


# Speed


def weights(fitted):
    return [m.weight for m in fitted.module_.modules() if isinstance(m, nn.Conv2d)]


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="which has them first")
def test_channels_are_last_in_memory_also_after_a_pickle(digits):
    fitted = quick(2, channels=(4, 6)).fit(digits)
    for model in (fitted, pickle.loads(pickle.dumps(fitted))):
        deep = [w for w in weights(model) if w.shape[1] > 1]
        assert all(w.is_contiguous(memory_format=torch.channels_last) for w in deep)


class Watch(Callback):
    """Note how many threads a training has."""

    def on_batch_begin(self, net, **kwargs):
        self.n_threads = torch.get_num_threads()


class Look:
    """A latent activation that changes nothing and notes threads and rows, in whatever copy."""

    seen: ClassVar[list] = []

    def activate(self, code):
        self.seen.append((torch.get_num_threads(), len(code)))
        return code


@pytest.mark.parametrize(("side", "n_threads"), [(4, 1), (96, 2)])
def test_work_counts_places_and_not_parameters_alone(side, n_threads):
    X = np.random.RandomState(0).normal(size=(40, side**2))
    watch = Watch()
    model = quick(None, channels=8, latent_activation=Look(), callbacks=[watch], max_iter=1)
    found = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        model.fit(X).transform(X)
    finally:
        torch.set_num_threads(found)
    assert sum(p.numel() for p in model.module_.parameters()) * len(X) < 1e5
    assert (watch.n_threads, Look.seen[-1][0]) == (n_threads, n_threads)


def test_few_rows_are_evaluated_at_a_time_where_maps_are_large():
    X = np.random.RandomState(0).normal(size=(40, 64**2))
    model = quick(None, channels=64, pool_size=1, latent_activation=Look(), max_iter=1).fit(X[:4])
    Look.seen.clear()
    model.transform(X)
    n_rows = [rows for _, rows in Look.seen]
    assert sum(n_rows) == 40
    assert max(n_rows) == 2**20 // (64 * 64**2)


def test_batches_are_smaller_than_those_of_dense_layers():
    sizes = []

    class Sizes(Callback):
        def on_batch_begin(self, net, batch, **kwargs):
            sizes.append(len(batch[0]))

    X = np.random.RandomState(0).normal(size=(4000, 4))
    quick(1, channels=2, pool_size=1, callbacks=[Sizes()], max_iter=1).fit(X)
    assert max(sizes) == 64


# What is refused


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"image_shape": (5, 5)}, r"image_shape=\(5, 5\) has 25 values, but X has 64 columns"),
        ({"image_shape": (65,)}, r"\(65,\) has 65 values, but X has 64 columns"),
        ({"image_shape": (8, 8, 3)}, r"\(8, 8, 3\) has 192 values, but X has 64 columns"),
        ({"image_shape": (4, 4, 4)}, r"may be meant in two ways. Write {'channels': 4, 'heig"),
        ({"image_shape": {"width": 8, "height": 8}}, r"keys \['width', 'height'\]; expected one"),
        ({"image_shape": (1, 1, 8, 8)}, "has 4 numbers"),
        ({"image_shape": (8, 8.0)}, r"positive integers; got 8.0 in \(8, 8.0\)"),
        ({"image_shape": (-8, -8)}, "positive integers"),
        ({"channels": ()}, "has no level"),
        ({"channels": (4, 0)}, "positive integers"),
        ({"kernel_size": (3, 3, 3)}, r"kernel_size=\(3, 3, 3\) has 3 numbers, but channels"),
        ({"pool_size": (2,)}, r"pool_size=\(2,\) has 1 numbers, but channels=\(4, 6\) has 2"),
        (
            {"image_shape": (8, 8), "pool_size": 9, "kernel_size": 9},
            "pool_size=9 is 9 in level 1, where the image is 8 by 8 pixels",
        ),
        (
            {"image_shape": (8, 8), "channels": (2, 2, 2, 2)},
            "pool_size=2 is 2 in level 4, where the image is 1 by 1 pixels",
        ),
        ({"pool_size": (2, 4), "pooling": "stride"}, "pooling='stride' with kernel_size=3 "),
        ({"pool_size": (2, 4)}, "pool_size=4 in level 2 leaves out pixels"),
        ({"n_components": None, "init": "pca"}, "init='pca' needs a number of principal axes"),
        ({"n_components": None, "ordered": True}, "ordered=True can't be had"),
        ({"n_components": 0.9, "init": "random"}, "n_components=0.9"),
        ({"loss": "log_loss", "output_activation": "tanh"}, "probabilities"),
        ({"loss": "log_loss"}, "MinMaxScaler"),
    ],
    ids=str,
)
def test_parameters_that_make_no_sense_are_refused(digits, parameters, message):
    with pytest.raises(ValueError, match=message):
        quick(**parameters).fit(digits)


def test_a_fit_that_fails_leaves_the_old_model(digits):
    model = quick().fit(digits)
    codes = model.transform(digits)
    with pytest.raises(ValueError, match="image_shape"):
        model.set_params(image_shape=(3, 3)).fit(digits)
    np.testing.assert_array_equal(model.transform(digits), codes)
    assert model.image_shape_ == (1, 8, 8)


def test_tables_of_few_columns_are_lines_without_pooling_that_is_left():
    X = load_iris().data[:, :3]
    fitted = quick(2, channels=(3, 3, 3), max_iter=2).fit(X)
    assert np.isfinite(fitted.transform(X)).all()


# Whatever the data


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    X=arrays(
        np.float64,
        st.tuples(st.integers(2, 15), st.sampled_from([1, 3, 4, 6, 9, 12])),
        elements=st.integers(-(10**9), 10**9).map(lambda n: n / 1000),
    ),
    n_components=st.sampled_from([1, 5, 0.7, None]),
    levels=st.sampled_from(
        [{"channels": 3}, {"channels": (2, 3), "kernel_size": (4, 3), "pool_size": (3, 1)}]
    ),
    pooling=st.sampled_from(["max", "average", "stride"]),
    upsampling=st.sampled_from(["nearest", "transposed"]),
    normalization=st.sampled_from([None, "batch", "layer"]),
    dropout=st.sampled_from([0.0, 0.3]),
    latent_activation=st.sampled_from(["identity", "logistic", TopK(1)]),
    loss=st.sampled_from(["squared_error", "absolute_error", "huber"]),
    noise=st.sampled_from([None, "masking", "swap"]),
    penalty=st.sampled_from([None, "l1", "contraction"]),
    missing=st.booleans(),
    early_stopping=st.booleans(),
    precision=st.sampled_from(["float32", "bfloat16"]),
)
def test_any_finite_data_and_any_parts_give_finite_codes(X, missing, **parameters):
    if missing:
        X = X.copy()
        X[0, 1:] = np.nan
        parameters["missing"] = "mask"
    model = ConvolutionalAutoencoderTransformer(**parameters.pop("levels"), **parameters)
    if model.penalty == "contraction" and model.normalization == "batch":
        model.set_params(normalization="layer")  # the others are refused together
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = model.set_params(max_iter=2, random_state=0).fit(X)
    codes = fitted.transform(X)
    assert np.isfinite(codes).all()
    assert np.isfinite(fitted.inverse_transform(codes)).all()
    restored = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(restored.transform(X), codes)
