"""Principal axes: on each of three routes, those of PCA."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from skae import _principal_axes
from skae._principal_axes import principal_axes
from skae._rows import mean_and_scale

# The route, rows and columns that lead to it, and the largest problem that is solved in full.
ROUTES = {
    "_of_covariance": (120, 30, 2000),
    "_of_gram_matrix": (25, 200, 2000),
    "_of_operator": (90, 70, 50),
}


@pytest.fixture(params=ROUTES)
def route(request, monkeypatch):
    """Return the shape of rows for one route, with the two others closed."""
    n_rows, n_features, largest = ROUTES[request.param]
    monkeypatch.setattr(_principal_axes, "_LARGEST_EIGENPROBLEM", largest)
    for other in set(ROUTES) - {request.param}:
        monkeypatch.setattr(_principal_axes, other, None)
    return n_rows, n_features


def axes_of(X, n_components, weight=None, indices=None):
    indices = np.arange(X.shape[0]) if indices is None else indices
    weight = np.ones(len(indices)) if weight is None else weight
    mean = mean_and_scale(X, indices, weight)[0]
    return principal_axes(X, indices, weight, mean, n_components)


def rows_of(shape, dtype=np.float64, rank=None):
    """Return rows away from zero whose variances are well apart."""
    random = np.random.RandomState(0)
    rank = min(shape) if rank is None else rank
    directions = np.linalg.qr(random.normal(size=(shape[1], rank)))[0]
    X = random.normal(size=(shape[0], rank)) * 0.8 ** np.arange(rank) @ directions.T
    return (X + random.uniform(-3, 3, size=shape[1])).astype(dtype)


@pytest.mark.parametrize("container", [np.asarray, np.asfortranarray, sp.csr_array])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_components", [1, 4])
def test_axes_are_those_of_pca_with_their_signs(route, container, dtype, n_components):
    X = rows_of(route, dtype)
    expected = PCA(n_components, svd_solver="full").fit(X.astype(np.float64)).components_
    axes = axes_of(container(X), n_components)
    tolerance = 1e-9 if dtype == np.float64 else 1e-4
    np.testing.assert_allclose(axes, expected, atol=tolerance)


def test_a_weight_is_a_number_of_repetitions(route):
    X = rows_of(route)
    weight = np.random.RandomState(1).randint(0, 4, len(X))
    kept = np.flatnonzero(weight)
    expected = PCA(3, svd_solver="full").fit(np.repeat(X, weight, axis=0)).components_
    axes = axes_of(X, 3, weight[kept].astype(float), kept)
    np.testing.assert_allclose(axes, expected, atol=1e-9)


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("value", [1e3, -1e300])
def test_only_the_rows_of_the_indices_count(route, container, value):
    X = rows_of(route)
    Y = container(np.insert(X, [3, 5], value, axis=0))
    indices = np.delete(np.arange(Y.shape[0]), [3, 6])
    np.testing.assert_allclose(axes_of(Y, 3, indices=indices), axes_of(X, 3), atol=1e-10)


@pytest.mark.parametrize("n_components", [3, 10])
def test_there_are_no_more_axes_than_dimensions_that_the_rows_span(route, n_components):
    X = rows_of(route, rank=2)
    axes = axes_of(X, n_components)
    assert axes.shape == (2, X.shape[1])
    np.testing.assert_allclose(axes @ axes.T, np.eye(2), atol=1e-12)
    centered = X - X.mean(axis=0)
    np.testing.assert_allclose(centered @ axes.T @ axes, centered, atol=1e-9)


def test_rounding_in_single_precision_is_no_axis():
    assert len(axes_of(rows_of((120, 30), np.float32, rank=2), 10)) == 2


def test_more_components_than_rows_and_columns_give_all_axes():
    assert axes_of(rows_of((6, 4)), 20).shape == (4, 4)
    assert axes_of(rows_of((4, 60)), 20).shape == (3, 60)  # one less than rows: they are centered


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, 123.456, -1e30])
def test_constant_rows_have_no_axes(route, container, dtype, value):
    assert axes_of(container(np.full(route, value, dtype)), 3).shape == (0, route[1])


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_little_variance_far_from_zero_has_its_axes(route, container):
    X = rows_of(route, rank=2)
    X -= X.mean(axis=0)
    axes = axes_of(container(X + 1e3), 3)
    assert axes.shape == (2, route[1])
    np.testing.assert_allclose(np.abs(axes @ axes_of(X, 3).T), np.eye(2), atol=1e-7)


def test_a_single_column_is_its_own_axis():
    np.testing.assert_allclose(axes_of(np.arange(10.0)[:, None], 1), [[1.0]])


def test_the_same_rows_give_the_same_bits(route):
    X = rows_of(route)
    np.testing.assert_array_equal(axes_of(X, 3), axes_of(X.copy(), 3))


def test_numpys_generator_is_not_moved(route):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    axes_of(rows_of(route), 3)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.parametrize(
    "shape",
    [
        (40_000, 300),
        pytest.param((400, 20_000)),
    ],
)
def test_sparse_rows_are_never_dense_all_at_once(shape):
    n_rows, n_features = shape
    columns = np.random.RandomState(0).randint(n_features, size=n_rows)
    X = sp.csr_array((np.ones(n_rows), columns, np.arange(n_rows + 1)), shape)
    mean = mean_and_scale(X, np.arange(n_rows), np.ones(n_rows))[0]
    tracemalloc.start()
    principal_axes(X, np.arange(n_rows), np.ones(n_rows), mean, 2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < n_rows * n_features * 8


@pytest.mark.parametrize("share", [0.3, 0.8, 0.95, 0.999])
@pytest.mark.parametrize("largest", [2000, 3])
def test_as_many_axes_as_pca_for_a_share_of_variance(share, largest, monkeypatch):
    monkeypatch.setattr(_principal_axes, "_LARGEST_EIGENPROBLEM", largest)
    X = load_digits().data[:300]
    everyone, ones = np.arange(len(X)), np.ones(len(X))
    found = _principal_axes.n_principal_axes(X, everyone, ones, X.mean(axis=0), share)
    assert found == PCA(share).fit(X).n_components_


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_the_unit_of_the_rows_does_not_matter(route, container, dtype):
    X = rows_of(route, dtype)
    expected = axes_of(container(X), 3)
    for unit in (2.0**-60, 2.0**60, 2.0**120):
        axes = axes_of(container(X * dtype(unit)), 3)
        np.testing.assert_allclose(axes, expected, atol=1e-4 if dtype == np.float32 else 1e-9)
