"""The share of a table that is explained, against R² of scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import r2_score

from skae import TableEncoder
from skae._table_scores import share, summed_errors

RANDOM = np.random.default_rng(0)
NUMBERS = pd.DataFrame(RANDOM.normal(size=(30, 3)) * [1, 10, 100], columns=[*"abc"])


def test_of_numbers_it_is_r2_of_each_column():
    encoder = TableEncoder().fit(NUMBERS)
    matrix = encoder.transform(NUMBERS)
    rebuilt = matrix + RANDOM.normal(size=matrix.shape) / 3
    weight = RANDOM.integers(0, 3, len(matrix))
    errors, constant = summed_errors(encoder, matrix, rebuilt, weight)
    expected = r2_score(matrix, rebuilt, sample_weight=weight, multioutput="raw_values")
    np.testing.assert_allclose(
        [share(*pair) for pair in zip(errors, constant, strict=True)], expected
    )


def test_missing_values_count_nowhere():
    holes = NUMBERS.copy()
    holes.loc[:9, "a"] = np.nan
    encoder = TableEncoder().fit(holes)
    matrix = encoder.transform(holes)
    rebuilt = np.nan_to_num(matrix) + 0.1
    errors, constant = summed_errors(encoder, matrix, rebuilt, np.ones(30))
    np.testing.assert_allclose(errors[0], 20 * 0.1**2)
    np.testing.assert_allclose(constant[0], np.square(matrix[10:, 0]).sum())


def test_of_what_does_not_vary_all_is_explained_or_there_is_no_share():
    assert share(0.0, 0.0) == 1
    with pytest.warns(UndefinedMetricWarning, match="no column varies"):
        assert np.isnan(share(1.0, 0.0))
