"""Estimators of tables in files: the same columns, types and categories as before."""

import numpy as np
import pandas as pd
import polars as pl
import polars.testing
import pytest
from sklearn.base import clone
from sklearn.model_selection import KFold

import skae
from skae import (
    AutoencoderImputer,
    AutoencoderTransformer,
    TableAutoencoderTransformer,
    TableEncoder,
    VariationalAutoencoderTransformer,
)
from skae._value_files import read, write

QUICK = AutoencoderTransformer(hidden_layer_sizes=8, init="pca", noise=None, max_iter=2)


def people():
    random = np.random.RandomState(0)
    table = pd.DataFrame(
        {
            "age": random.uniform(18, 80, 60),
            "children": pd.array(random.poisson(1, 60), dtype="Int64"),
            "income": np.exp(3 * random.normal(size=60)),
            "job": random.choice(["cook", "nurse"], 60),
            "size": pd.Categorical(random.choice([*"SML"], 60), [*"SMLX"], ordered=True),
            "member": random.uniform(size=60) < 0.5,
            "since": pd.Timestamp("2020-01-01", tz="Asia/Tokyo")
            + pd.to_timedelta(random.randint(900, size=60), "D"),
        }
    )
    table.loc[::7, "age"] = np.nan
    table.loc[::11, "job"] = None
    return table


def in_polars():
    table = pl.from_pandas(people().drop(columns=["size", "since"]))
    dates = pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 2, 29), eager=True)
    sizes = pl.Series([*"SML"] * 20, dtype=pl.Enum([*"SMLX"]))
    return table.with_columns(dates.alias("since"), sizes.alias("size"))


@pytest.mark.parametrize("table", [people(), in_polars()], ids=["pandas", "polars"])
def test_a_table_comes_back(table, tmp_path):
    model = TableAutoencoderTransformer(
        2, column_weight={"age": 2.0}, autoencoder=QUICK, random_state=0
    ).fit(table)
    skae.save(model, tmp_path / "model.skae")
    again = skae.load(tmp_path / "model.skae")
    codes = model.transform(table)
    np.testing.assert_array_equal(again.transform(table), codes)
    equal = pd.testing if isinstance(table, pd.DataFrame) else polars.testing
    equal.assert_frame_equal(again.inverse_transform(codes), model.inverse_transform(codes))
    equal.assert_frame_equal(again.impute(table), model.impute(table))
    assert again.score(table) == model.score(table)


@pytest.mark.parametrize("condition", [None, "member", "income"])
def test_new_rows_are_the_same_as_before(condition, tmp_path):
    variational = VariationalAutoencoderTransformer(
        hidden_layer_sizes=4, max_iter=2, early_stopping=False, conditional=condition is not None
    )
    model = TableAutoencoderTransformer(2, autoencoder=variational, random_state=0)
    model.fit(people(), condition)
    skae.save(model, tmp_path / "model.skae")
    again = skae.load(tmp_path / "model.skae")
    how = {"n_samples": 20, "y": 3.0 if condition == "income" else None, "random_state": 0}
    pd.testing.assert_frame_equal(again.sample(**how), model.sample(**how))
    assert again.score(people()) == model.score(people())


@pytest.mark.parametrize("encoder", [TableEncoder(), TableEncoder(["children"])])
def test_an_encoder_comes_back_fitted_or_not(encoder, tmp_path):
    skae.save(encoder, tmp_path / "encoder.skae")
    assert skae.load(tmp_path / "encoder.skae").get_params() == encoder.get_params()
    table = people()
    matrix = encoder.fit(table).transform(table)
    skae.save(encoder, tmp_path / "encoder.skae")
    again = skae.load(tmp_path / "encoder.skae")
    np.testing.assert_array_equal(again.transform(table), matrix)
    assert again.kinds_ == encoder.kinds_


def test_no_type_is_looked_up_but_those_of_columns(tmp_path):
    path = tmp_path / "encoder.skae"
    encoder = TableEncoder().fit(people())
    types = [kind._replace(name="sparse[int]") for kind in encoder._layout.types]
    encoder._layout = encoder._layout._replace(types=types)
    skae.save(encoder, path)
    again = skae.load(path)
    with pytest.raises(ValueError, match="'sparse\\[int\\]' is no type of a column"):
        again.inverse_transform(np.nan_to_num(again.transform(people())))


def test_a_category_of_many_levels_comes_back(tmp_path):
    numbers = np.arange(140.0) % 70
    table = pd.DataFrame({"town": [f"t{i:.0f}" for i in numbers], "where": numbers})
    encoder = TableEncoder().fit(table)
    skae.save(encoder, tmp_path / "encoder.skae")
    matrix = skae.load(tmp_path / "encoder.skae").transform(table)
    np.testing.assert_array_equal(matrix, encoder.transform(table))
    assert matrix.shape == (140, 2)


def test_an_imputer_of_tables_comes_back_with_the_parts_that_are_given_again(tmp_path):
    inner = clone(QUICK).set_params(validation_fraction=KFold(3))
    imputer = AutoencoderImputer(
        TableAutoencoderTransformer(2, autoencoder=inner), n_estimators=2, random_state=0
    ).fit(people())
    name = "autoencoder__autoencoder__validation_fraction"
    skae.save(imputer, tmp_path / "model.skae", parts=[name])
    again = skae.load(tmp_path / "model.skae", parts={name: KFold(3)})
    pd.testing.assert_frame_equal(again.transform(people()), imputer.transform(people()))
    assert len(again.autoencoders_) == 2


def test_an_imputer_of_one_and_of_several_autoencoders_is_refused(tmp_path):
    autoencoder = clone(QUICK).set_params(missing="mask", early_stopping=False)
    imputer = AutoencoderImputer(autoencoder).fit(people()[["age", "income"]])
    skae.save(imputer, tmp_path / "model.skae")
    document, _, tensors = read(tmp_path / "model.skae", 1)
    fitted = document["estimator"]["fitted"]
    fitted["autoencoder_"] = fitted["encoder_"]
    write(tmp_path / "model.skae", document, tensors)
    with pytest.raises(skae.exceptions.ModelFileError, match="one autoencoder_ or several"):
        skae.load(tmp_path / "model.skae")
