"""TableEncoder: a table as a matrix that PCA, pipelines and detectors take, and back."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import skae
import skae.cluster
from skae import (
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    StackedAutoencoderClassifier,
    TableEncoder,
)
from skae.exceptions import UnknownCategoryWarning


def people(n_rows=120, seed=0):
    """Return a table of each kind of column, with holes."""
    random = np.random.RandomState(seed)
    age = random.uniform(18, 80, n_rows)
    table = pd.DataFrame(
        {
            "age": age.round(),
            "income": np.exp(random.normal(10, 1, n_rows)),
            "children": random.poisson(1, n_rows),
            "job": np.where(age > 50, "judge", random.choice(["cook", "nurse"], n_rows)),
            "member": random.uniform(size=n_rows) < age / 100,
            "size": pd.Categorical(random.choice([*"SML"], n_rows), categories=[*"SML", "XL"]),
            "since": pd.Timestamp("2020-01-01")
            + pd.to_timedelta(random.randint(900, size=n_rows), "D"),
        }
    )
    table.loc[::7, "age"] = np.nan
    table.loc[::11, "job"] = None
    return table


@parametrize_with_checks([TableEncoder()])
def test_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


def test_a_table_comes_back_with_its_types_and_categories():
    table = people()
    encoder = TableEncoder().fit(table)
    matrix = encoder.transform(table)
    assert matrix.shape == (120, len(encoder.get_feature_names_out()))
    back = encoder.inverse_transform(np.nan_to_num(matrix))
    pd.testing.assert_series_equal(back.dtypes, table.dtypes)
    known = table.notna()
    for name in ("job", "member", "size", "children"):
        assert (back[name] == table[name])[known[name]].all()
    np.testing.assert_allclose(back["income"], table["income"], rtol=1e-6)
    assert encoder.kinds_["since"] == "date"
    assert list(encoder.feature_names_in_) == list(table)


def test_the_most_probable_level_is_the_one_that_is_decoded():
    table = people()
    encoder = TableEncoder().fit(table)
    matrix = np.nan_to_num(encoder.transform(table))
    matrix += 0.4 * np.random.RandomState(0).normal(size=matrix.shape)
    probabilities = encoder.level_probabilities(matrix)
    assert [*probabilities] == [*encoder.categories_] == ["job", "member", "size"]
    back = encoder.inverse_transform(matrix)
    for name, of_levels in probabilities.items():
        np.testing.assert_allclose(of_levels.sum(axis=1), 1)
        assert of_levels.min() >= 0
        most = encoder.categories_[name][of_levels.argmax(axis=1)]
        np.testing.assert_array_equal(back[name], most)
    # Known levels are certain, and in the order of their type, without those that nobody has.
    assert encoder.categories_["size"].tolist() == [*"SML"]
    exact = encoder.level_probabilities(encoder.transform(table))["size"]
    np.testing.assert_allclose(exact, pd.get_dummies(table["size"])[[*"SML"]], atol=1e-9)


def test_probabilities_of_no_matrix_are_refused_and_a_single_level_is_certain():
    encoder = TableEncoder().fit(pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "x"], "c": [None] * 2}))
    probabilities = encoder.level_probabilities([[0.0], [1.0]])
    assert probabilities["b"].tolist() == [[1.0], [1.0]]
    assert probabilities["c"].shape == (2, 0)
    with pytest.raises(ValueError, match="level_probabilities expects 1 columns"):
        encoder.level_probabilities([[0.0, 1.0]])


def test_pandas_and_polars_agree_to_the_bit():
    table = people()
    table["since"] = table["since"].astype("datetime64[us]")
    other = pl.from_pandas(table)
    first = TableEncoder().fit(table).transform(table)
    encoder = TableEncoder().fit(other)
    np.testing.assert_array_equal(first, encoder.transform(other))
    back = encoder.inverse_transform(np.nan_to_num(first))
    assert isinstance(back, pl.DataFrame)
    assert back.schema == other.schema


def test_columns_may_come_in_any_order_and_none_may_lack():
    table = people()
    encoder = TableEncoder().fit(table)
    np.testing.assert_array_equal(
        encoder.transform(table[table.columns[::-1]]), encoder.transform(table)
    )
    with pytest.raises(ValueError, match=r"X lacks the columns \['job'\]"):
        encoder.transform(table.drop(columns="job"))


def test_a_category_that_was_not_seen_is_a_hole_and_said():
    encoder = TableEncoder().fit(people())
    new = people(20)
    new.loc[3, "job"] = "pilot"
    with pytest.warns(UnknownCategoryWarning, match=r"\{'job': \['pilot'\]\}; they count"):
        matrix = encoder.transform(new)
    columns = [name.startswith("job=") for name in encoder.get_feature_names_out()]
    assert np.isnan(matrix[3, columns]).all()


def test_a_column_of_another_kind_is_refused_unless_it_is_empty():
    encoder = TableEncoder().fit(people())
    new = people(20)
    with pytest.raises(ValueError, match="'age' of X is a category, but it was a number in fit"):
        encoder.transform(new.assign(age="old"))
    empty = encoder.transform(new.assign(job=np.nan))
    assert np.isnan(empty[:, encoder.get_feature_names_out() == "job=cook"]).all()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"column_weight": {"wage": 2}}, r"column_weight names \['wage'\], but X has the columns"),
        ({"column_weight": {"age": 0}}, "gives 'age' the weight 0; expected a positive number"),
        ({"categorical_features": ["wage"]}, "categorical_features has 'wage'"),
    ],
)
def test_parameters_that_name_no_column_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        TableEncoder(**parameters).fit(people())


def test_a_table_without_any_variety_is_refused():
    with pytest.raises(ValueError, match="No column of X has two different values"):
        TableEncoder().fit(pd.DataFrame({"a": ["x", "x"], "b": [None, None]}))


def test_a_matrix_of_another_width_is_refused():
    with pytest.raises(ValueError, match=r"shape \(2, 3\), but TableEncoder.inverse_transform exp"):
        TableEncoder().fit(people()).inverse_transform(np.zeros((2, 3)))


def test_numbers_alone_have_the_squared_error():
    assert (
        TableEncoder().fit(np.random.RandomState(0).normal(size=(9, 2))).loss() == "squared_error"
    )


def test_other_estimators_take_tables_by_it():
    table = people().dropna()
    pca = make_pipeline(TableEncoder(), PCA(2)).fit(table)
    rebuilt = pca.inverse_transform(pca.transform(table))
    pd.testing.assert_series_equal(rebuilt.dtypes, table.dtypes)
    strange = people().assign(age=np.where(np.arange(120) == 5, 1e4, people()["age"]))
    detector = make_pipeline(
        TableEncoder(),
        AutoencoderOutlierDetector(
            AutoencoderTransformer(2, max_iter=5, missing="mask", early_stopping=False),
            random_state=0,
        ),
    ).fit(strange)
    assert 5 in detector.score_samples(strange).argsort()[:3]


SMALL = AutoencoderTransformer(
    1, hidden_layer_sizes=4, max_iter=2, init="pca", noise=None, missing="mask"
)
QUICK_DETECTOR = AutoencoderOutlierDetector(SMALL, n_folds=2, random_state=0)
QUICK_CLASSIFIER = StackedAutoencoderClassifier(
    hidden_layer_sizes=(4,), max_iter=3, early_stopping=False, random_state=0
)


def test_what_makes_a_row_unusual_is_told_by_column_of_the_table(tmp_path):
    table = people().assign(same="here")
    encoder = TableEncoder().fit(table)
    names = encoder.get_feature_names_out()
    sources = encoder.source_columns_
    assert [name.split("=")[0].split(" (")[0] for name in names] == sources.tolist()
    matrix = encoder.transform(table)
    detector = QUICK_DETECTOR.fit(matrix)
    errors = detector.reconstruction_error(matrix, per_feature=sources)
    assert errors.shape == (120, 7)  # but for the column that is the same in all rows
    np.testing.assert_allclose(errors.sum(axis=1), detector.reconstruction_error(matrix))
    for part, path in ((encoder, tmp_path / "encoder"), (detector, tmp_path / "detector")):
        skae.save(part, path)
    again = skae.load(tmp_path / "encoder"), skae.load(tmp_path / "detector")
    np.testing.assert_array_equal(
        again[1].reconstruction_error(
            again[0].transform(table), per_feature=again[0].source_columns_
        ),
        errors,
    )


def test_a_detector_behind_it_finds_unusual_rows():
    table = people()
    pipeline = make_pipeline(TableEncoder(), QUICK_DETECTOR)
    assert (pipeline.fit(table).predict(table) == -1).sum() == 12
    again = pickle.loads(pickle.dumps(pipeline))
    np.testing.assert_array_equal(again.score_samples(table), pipeline.score_samples(table))
    with pytest.raises(ValueError, match="With autoencoder__missing='mask' it takes missing val"):
        pipeline.set_params(autoencoderoutlierdetector__autoencoder__missing="error").fit(table)


@pytest.mark.slow
def test_a_classifier_behind_it_learns_words_from_tables():
    table = people()
    labels = np.where(table.pop("member"), "member", "guest")
    masking = clone(QUICK_CLASSIFIER).set_params(missing="mask")
    pipeline = make_pipeline(TableEncoder(), masking).fit(table, labels)
    assert set(pipeline.predict(table)) <= {"member", "guest"}
    filling = SimpleImputer(keep_empty_features=True)
    pipeline = make_pipeline(TableEncoder(), filling, QUICK_CLASSIFIER)
    pipeline.fit(table, labels)
    assert set(pipeline.predict(table)) <= {"member", "guest"}
    again = pickle.loads(pickle.dumps(pipeline))
    np.testing.assert_array_equal(again.predict_proba(table), pipeline.predict_proba(table))


def test_a_classifier_says_what_to_do_with_holes():
    table = people()
    labels = table.pop("member")
    with pytest.raises(ValueError, match="With missing='mask' it takes missing values"):
        make_pipeline(TableEncoder(), QUICK_CLASSIFIER).fit(table, labels)


def test_no_columns_and_whole_numbers_of_an_array():
    with pytest.raises(ValueError, match="X has 0 columns"):
        TableEncoder().fit(pd.DataFrame(index=range(3)))
    numbers = np.arange(40).reshape(20, 2)
    encoder = TableEncoder().fit(numbers)
    back = encoder.inverse_transform(encoder.transform(numbers))
    assert back.dtype == numbers.dtype
    np.testing.assert_array_equal(back, numbers)


def test_many_levels_that_nothing_tells_apart_have_a_column_each():
    table = pd.DataFrame({"a": np.repeat([0.0, 1.0], 70), "t": [f"t{i}" for i in range(70)] * 2})
    encoder = TableEncoder().fit(table)
    matrix = encoder.transform(table)
    assert matrix.shape == (140, 71)
    pd.testing.assert_frame_equal(encoder.inverse_transform(matrix), table)


@pytest.mark.parametrize(
    "estimator", [skae.AutoencoderOutlierDetector(), skae.cluster.AutoencoderClustering(2)]
)
def test_estimators_of_numbers_say_what_to_do_with_words(estimator):
    name = type(estimator).__name__
    with pytest.raises(ValueError, match=rf"make_pipeline\(TableEncoder\(\), {name}"):
        estimator.fit(people())
