"""Loadings: derivatives between columns and codes; oracles are PCA, autograd and the chain rule."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.datasets import load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.manifold import TSNE
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler

from skae import (
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    TableAutoencoderTransformer,
    TableEncoder,
)
from skae.inspection import explain_outliers, loadings

X = load_wine(as_frame=True).data
ROWS = X.to_numpy()


@pytest.fixture(scope="module")
def network():
    model = AutoencoderTransformer(2, hidden_layer_sizes=(8,), max_iter=20, early_stopping=False)
    return model.set_params(random_state=0).fit(StandardScaler().fit_transform(ROWS))


@pytest.mark.parametrize("direction", ["decoder", "encoder"])
def test_those_of_pca_are_its_components_for_all_rows(direction):
    pca = PCA(3).fit(ROWS)
    found = loadings(pca, ROWS, direction=direction)
    np.testing.assert_allclose(found.mean, pca.components_, atol=1e-6)
    np.testing.assert_allclose(found.spread, 0, atol=1e-6)
    np.testing.assert_allclose(found.code_deviation, pca.transform(ROWS).std(axis=0))
    assert found.columns == list(range(13))


@pytest.mark.parametrize("direction", ["decoder", "encoder"])
def test_those_of_a_pipeline_go_through_its_steps(direction):
    model = make_pipeline(StandardScaler(), PCA(2)).fit(X)
    scale = model[0].scale_
    expected = model[1].components_ * (scale if direction == "decoder" else 1 / scale)
    found = loadings(model, X, direction=direction)
    np.testing.assert_allclose(found.mean, expected, atol=1e-6)
    assert found.columns == list(X.columns)
    # In standard deviations both are correlations times something that is the same for a code.
    by_code = model[1].components_ * model.transform(X).std(axis=0)[:, None] ** (
        1 if direction == "decoder" else -1
    )
    np.testing.assert_allclose(found.standardized, by_code, atol=1e-6)


def test_those_of_a_network_are_its_mean_jacobian(network):
    rows = StandardScaler().fit_transform(ROWS)
    module = network.module_.double()
    for direction, function, start in (
        ("decoder", module.decoder, network.transform(rows)),
        ("encoder", module.encoder, rows),
    ):
        each = torch.func.vmap(torch.func.jacrev(lambda x, f=function: f(x[None])[0]))
        jacobian = each(torch.from_numpy(start)).detach().numpy()  # (n_rows, n_out, n_in)
        if direction == "decoder":
            jacobian = jacobian.transpose(0, 2, 1)
        found = loadings(network, rows, direction=direction)
        np.testing.assert_allclose(found.mean, jacobian.mean(axis=0), atol=1e-5)
        np.testing.assert_allclose(found.spread, jacobian.std(axis=0), atol=1e-5)
        assert (found.spread > 0.001).any()


def test_a_curve_has_a_spread_that_the_mean_hides():
    x = np.linspace(-1, 1, 101)

    parabola = FunctionTransformer(
        lambda X: X[:, :1], lambda Z: np.hstack([Z, Z**2]), check_inverse=False
    )
    found = loadings(parabola.fit(x[:, None]), np.column_stack([x, x**2]))
    np.testing.assert_allclose(found.mean, [[1, 0]], atol=1e-9)
    np.testing.assert_allclose(found.spread, [[0, 2 * x.std()]], atol=1e-6)
    assert found.strongest(0, 1) == [(0, pytest.approx(1))]


def test_few_columns_at_a_time_are_all_of_them(network, monkeypatch):
    rows = StandardScaler().fit_transform(ROWS)
    expected = loadings(network, rows, direction="encoder")
    monkeypatch.setattr("skae.inspection._VALUES_AT_ONCE", 1)
    found = loadings(network, rows, direction="encoder")
    np.testing.assert_allclose(found.mean, expected.mean, atol=1e-9)


def test_some_rows_of_many_are_taken(network):
    rows = StandardScaler().fit_transform(ROWS)
    few = loadings(network, rows, max_samples=50)
    by_hand = loadings(network, rows[np.linspace(0, len(rows) - 1, 50).astype(int)])
    np.testing.assert_allclose(few.mean, by_hand.mean, rtol=1e-2, atol=1e-4)


# Older versions of scikit-learn ask polars by a protocol that it is to lose.
@pytest.mark.filterwarnings("ignore:Support for the dataframe interchange:DeprecationWarning")
def test_frames_of_both_libraries_and_a_search_give_the_same():
    pca = make_pipeline(StandardScaler(), PCA(2))
    search = GridSearchCV(pca, {"pca__n_components": [2]}, cv=2).fit(X)
    expected = loadings(search, X)
    for direction in ("decoder", "encoder"):
        frame = pl.from_pandas(X)
        found = loadings(pca.fit(frame), frame, direction=direction)
        assert found.columns == list(X.columns)
    np.testing.assert_allclose(loadings(pca, pl.from_pandas(X)).mean, expected.mean, atol=1e-9)


def test_columns_of_a_table_are_those_of_its_matrix():
    table = pd.DataFrame({"size": [*range(20)], "color": list("abca") * 5})
    quick = AutoencoderTransformer(max_iter=3, early_stopping=False, hidden_layer_sizes=(4,))
    model = TableAutoencoderTransformer(1, autoencoder=quick, random_state=0).fit(table)
    found = loadings(model, table)
    assert found.mean.shape == (1, 4)
    assert found.columns == list(model.encoder_.get_feature_names_out())
    with pytest.raises(ValueError, match="Derivatives are those of columns of numbers"):
        loadings(model, table, direction="encoder")


def test_holes_are_no_obstacle():
    rows = StandardScaler().fit_transform(load_iris().data)
    rows[::7, 1] = np.nan
    model = AutoencoderTransformer(1, missing="mask", max_iter=2, early_stopping=False)
    found = loadings(model.fit(rows), rows)
    assert np.isfinite(found.mean).all()
    assert np.isfinite(found.standardized).all()


def test_a_column_counts_where_it_has_a_value():
    rows = 1e-3 * np.random.RandomState(0).normal(size=(40, 2))
    rows[::2, 1] = np.nan
    cubes = FunctionTransformer(lambda X: np.nan_to_num(X) ** 3).fit(rows)
    found = loadings(cubes, rows, direction="encoder")
    expected = np.diag(np.nanmean(3 * rows**2, axis=0))
    np.testing.assert_allclose(found.mean, expected, rtol=1e-4, atol=1e-12)
    np.testing.assert_allclose(np.diag(found.spread), np.nanstd(3 * rows**2, axis=0), rtol=1e-4)


def test_imputers_are_passed_over_on_the_way_back():
    rows = ROWS.copy()
    rows[::7, 3] = np.nan
    model = make_pipeline(StandardScaler(), SimpleImputer(), PCA(2)).fit(rows)
    found = loadings(model, rows)
    np.testing.assert_allclose(found.mean, model[-1].components_ * model[0].scale_, atol=1e-6)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"direction": "up"}, "direction='up', but it is one of"),
        ({"max_samples": 0}, "max_samples=0, but some rows are needed"),
    ],
)
def test_parameters_out_of_range_are_errors(parameters, message):
    with pytest.raises(ValueError, match=message):
        loadings(PCA(1).fit(ROWS), ROWS, **parameters)


def test_a_method_without_a_way_back_is_an_error():
    tsne = TSNE(perplexity=5, max_iter=250).fit(ROWS[:30])
    with pytest.raises(TypeError, match="no transform"):
        loadings(tsne, ROWS[:30])
    with pytest.raises(TypeError, match="TSNE has no transform"):
        loadings(tsne, ROWS[:30], direction="encoder")


# Unusual rows


def detector():
    small = AutoencoderTransformer(
        2, hidden_layer_sizes=8, max_iter=3, early_stopping=False, missing="mask"
    )
    return AutoencoderOutlierDetector(small, n_folds=2, random_state=0)


def mixed_table(seed=0):
    """Return a table in which the word follows from the numbers, with a contradiction in row 5."""
    random = np.random.RandomState(seed)
    size = random.normal(size=200)
    table = pd.DataFrame(
        {
            "size": 50 + 10 * size,
            "weight": 900 + 100 * size + 5 * random.normal(size=200),
            "kind": np.where(size > 0, "large", "small"),
            "noise": random.normal(size=200),
        }
    )
    table.loc[5, ["size", "weight"]] = 90.0, 500.0
    table.loc[3, "kind"] = None
    return table


def test_a_row_of_a_table_is_explained_by_the_columns_of_the_table():
    table = mixed_table()
    finding = make_pipeline(TableEncoder(), detector()).fit(table)
    why = explain_outliers(finding, table)
    matrix = finding[0].transform(table)
    by_matrix = finding[1].explain(matrix)
    assert why.feature_names.tolist() == list(table.columns)
    np.testing.assert_allclose(why.contributions.sum(axis=1), by_matrix.contributions.sum(axis=1))
    assert why.values[0].tolist() == table.iloc[0].tolist()
    assert why.values[3, 2] is None
    assert set(why.expected[:, 2]) == {"large", "small"}
    sizes = why.expected[:, 0].astype(float)
    assert np.corrcoef(sizes, table["size"])[0, 1] > 0.8  # in its own units
    assert set(why.feature_names[why.top_columns(2)[5]]) == {"size", "weight"}
    assert why.to_frame(2).shape == (400, 5)


@pytest.mark.parametrize("frame", [True, False])
def test_columns_are_in_their_units_behind_a_scaler(frame):
    rows = X if frame else ROWS
    finding = make_pipeline(MinMaxScaler(), StandardScaler(), detector()).fit(rows)
    why = explain_outliers(finding, rows)
    standard = finding[-1].explain(finding[:-1].transform(rows))
    np.testing.assert_allclose(why.values, ROWS)
    again = pd.DataFrame(why.expected, columns=X.columns) if frame else why.expected
    np.testing.assert_allclose(finding[:-1].transform(again), standard.expected)
    np.testing.assert_array_equal(why.contributions, standard.contributions)
    assert why.feature_names[0] == ("alcohol" if frame else "x0")


def test_behind_other_steps_they_are_what_the_detector_sees():
    finding = make_pipeline(StandardScaler(), PCA(5), detector()).fit(ROWS)
    assert explain_outliers(finding, ROWS[:3]).values.shape == (3, 5)
    alone = detector().fit(X)
    expected = alone.explain(X[:3])
    np.testing.assert_array_equal(explain_outliers(alone, X[:3]).expected, expected.expected)


def test_what_explains_no_rows_is_an_error():
    with pytest.raises(TypeError, match="PCA has no explain; give an AutoencoderOutlierDetector"):
        explain_outliers(make_pipeline(StandardScaler(), PCA(2)).fit(ROWS), ROWS)
