"""Columns of tables as columns of a matrix: what PCA of it is, and what comes back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from skae._table_columns import CategoryColumn, DateColumn, NumberColumn, TableColumns
from skae._table_values import Values

DAY = 86400.0


def number(numbers, name="n"):
    return Values(name, "number", np.asarray(numbers, dtype=float))


def category(places, levels, name="c"):
    return Values(name, "category", np.asarray(places, dtype=float), list(levels))


def table(n_rows=300, seed=0):
    """Return two numbers and two categories that have to do with one another."""
    random = np.random.RandomState(seed)
    hidden = random.normal(size=n_rows)
    places = np.digitize(hidden + random.normal(size=n_rows) / 2, [-1, 0, 1])
    return [
        number(hidden + random.normal(size=n_rows), "a"),
        category(places, "wxyz", "b"),
        number(100 * random.normal(size=n_rows) + 1000, "c"),
        category(random.randint(2, size=n_rows), [False, True], "d"),
    ]


def columns_of(values, weight=None, say=None):
    n_rows = len(values[0].numbers)
    weight = np.ones(n_rows) if weight is None else weight
    return TableColumns(values, weight, say or [1.0] * len(values))


def test_principal_components_are_those_of_factor_analysis_of_mixed_data():
    """The variance of a component is the sum of its squared correlations and correlation ratios."""
    values = table()
    matrix = columns_of(values).encode(values)
    pca = PCA(3).fit(matrix)
    codes = pca.transform(matrix)
    for i in range(3):
        code, total = codes[:, i], 0.0
        for one in values:
            if one.kind == "number":
                total += np.corrcoef(one.numbers, code)[0, 1] ** 2
            else:
                within = sum(
                    np.square(code[one.numbers == k] - code[one.numbers == k].mean()).sum()
                    for k in np.unique(one.numbers)
                )
                total += 1 - within / np.square(code).sum()
        assert code.var() == pytest.approx(total, rel=1e-9)


def test_what_goes_in_comes_back():
    values = table()
    columns = columns_of(values)
    for before, after in zip(values, columns.decode(columns.encode(values)), strict=True):
        np.testing.assert_allclose(after.numbers, before.numbers, rtol=1e-9, atol=1e-12)
        assert (after.name, after.kind, after.levels) == (before.name, before.kind, before.levels)


def test_a_weight_of_two_is_the_row_twice():
    values = table(50)
    weight = np.ones(50)
    weight[:20] = 2
    twice = [
        one._replace(numbers=np.concatenate([one.numbers, one.numbers[:20]])) for one in values
    ]
    values[0].numbers[3] = twice[0].numbers[[3, 53]] = 1e4  # a number with a far row
    np.testing.assert_allclose(
        columns_of(values, weight).encode(values), columns_of(twice).encode(values), rtol=1e-12
    )


def test_what_a_column_counts_multiplies_its_variance():
    values = table()
    plain = columns_of(values).encode(values)
    weighted = columns_of(values, say=[4.0, 1.0, 1.0, 0.25]).encode(values)
    factor = [2, 1, 1, 1, 1, 1, 0.5, 0.5]
    np.testing.assert_allclose(weighted, plain * factor, rtol=1e-12, atol=1e-12)


def test_errors_are_one_for_frequencies_and_none_for_the_row_itself():
    values = table()
    columns = columns_of(values, say=[1.0, 2.0, 3.0, 4.0])
    matrix = columns.encode(values)
    np.testing.assert_allclose(columns.by_column(matrix, matrix), 0, atol=1e-20)
    errors = columns.by_column(matrix, np.zeros_like(matrix))
    np.testing.assert_allclose(errors.mean(axis=0), 1, rtol=1e-9)


def test_an_error_is_that_of_an_explicit_loop():
    values = table(40)
    columns = columns_of(values)
    matrix = columns.encode(values)
    rebuilt = matrix + np.random.RandomState(0).normal(size=matrix.shape)
    errors = columns.by_column(matrix, rebuilt)
    b, place = columns.columns[1], columns.places[1]
    for row in range(10):
        deviation = (rebuilt[row, 0] - matrix[row, 0]) ** 2
        assert errors[row, 0] == pytest.approx(deviation)
        shares = np.clip(rebuilt[row, place] * np.sqrt(b.frequency) + b.frequency, 0, None)
        shares /= shares.sum()
        true = np.eye(len(b.levels))[int(values[1].numbers[row])]
        spread = 1 - np.square(b.frequency).sum()
        assert errors[row, 1] == pytest.approx(np.square(shares - true).sum() / spread)


def test_a_hole_is_nan_in_all_columns_of_its_own_and_has_no_error():
    values = [number([1.0, np.nan, 3.0, 4.0]), category([0, 1, np.nan, 0], "xy")]
    columns = columns_of(values)
    matrix = columns.encode(values)
    hole = np.array([[False] * 3, [True, False, False], [False, True, True], [False] * 3])
    np.testing.assert_array_equal(np.isnan(matrix), hole)
    errors = columns.by_column(matrix, np.zeros_like(matrix))
    np.testing.assert_array_equal(np.isnan(errors), hole[:, :2])


def test_levels_that_no_row_has_are_left_out_and_new_ones_are_holes():
    values = [category([0, 2, 2], "xyz"), number([1, 2, 3])]
    columns = columns_of(values)
    assert columns.columns[0].levels == ["x", "z"]
    new = [category([0, 1, 2], ["z", "new", "x"]), number([1, 2, 3])]
    matrix = columns.encode(new)
    assert columns.unknown(new) == {"c": ["new"]}
    np.testing.assert_array_equal(np.isnan(matrix[:, 0]), [False, True, False])
    assert matrix[0, 1] > 0 > matrix[0, 0]
    # Known, but of no row.
    assert columns.unknown([new[0]._replace(numbers=np.array([0.0, 0.0, 2.0])), new[1]]) == {}


@pytest.mark.parametrize(
    "column",
    [
        CategoryColumn(category([0, 0], "x"), np.ones(2), 1.0),
        CategoryColumn(category([np.nan, np.nan], []), np.ones(2), 1.0),
        NumberColumn(number([np.nan, np.nan]), np.ones(2), 1.0),
    ],
    ids=["one level", "no level", "no number"],
)
def test_what_never_varies_takes_no_column(column):
    assert column.width == len(column.names()) == 0
    decoded = column.decode(np.empty((3, 0)))
    assert decoded.shape == (3,)
    assert np.isnan(decoded).all() or (decoded == 0).all()


def test_a_constant_number_comes_back():
    column = NumberColumn(number([7.0, 7.0]), np.ones(2), 1.0)
    np.testing.assert_array_equal(column.encode(number([7.0, 8.0])), [[0.0], [1.0]])
    np.testing.assert_array_equal(column.decode(np.zeros((1, 1))), [7.0])


def test_of_a_number_of_which_few_rows_have_the_variance_deviations_are_shortened():
    random = np.random.RandomState(0)
    heavy = np.exp(3 * random.normal(size=501))
    column = NumberColumn(number(heavy), np.ones(501), 1.0)
    code = column.encode(number(heavy))[:, 0]
    assert np.abs(code).max() < 5 < np.abs(heavy - heavy.mean()).max() / heavy.std()
    np.testing.assert_array_equal(np.argsort(code), np.argsort(heavy))
    typical = np.median(np.abs(heavy - np.median(heavy))[heavy != np.median(heavy)])
    shortened = np.arcsinh((heavy - np.median(heavy)) / typical)
    np.testing.assert_allclose(code, (shortened - shortened.mean()) / shortened.std(), atol=1e-3)
    far = np.array([10 * heavy.max(), -1e9, 3.0])
    np.testing.assert_allclose(column.decode(column.encode(number(far))), far, rtol=1e-9)
    assert np.isfinite(column.decode(np.array([[1e6]]))).all()
    plain = random.normal(size=500)
    np.testing.assert_allclose(
        NumberColumn(number(plain), np.ones(500), 1.0).encode(number(plain))[:, 0],
        (plain - plain.mean()) / plain.std(),
    )


def test_a_date_is_a_number_beside_its_cycles():
    days = DAY * np.arange(3 * 366)
    column = DateColumn(Values("d", "date", days), np.ones(len(days)), 2.0)
    matrix = column.encode(Values("d", "date", days))
    names = ["d", "d (sin 1)", "d (sin 2)", "d (cos 1)", "d (cos 2)"]  # of the year, and the week
    assert column.names() == names
    assert matrix.shape == (len(days), 5)
    np.testing.assert_allclose(matrix.var(axis=0).sum(), 2, rtol=0.02)
    np.testing.assert_allclose(column.decode(matrix), days, rtol=1e-9, atol=1e-3)
    np.testing.assert_allclose(matrix[7:, [2, 4]], matrix[:-7, [2, 4]], atol=1e-9)
    hours = DateColumn(Values("d", "date", np.arange(0, 5 * DAY, 3600)), np.ones(120), 1.0)
    assert hours.width == 3  # of the day alone: they do not reach over two weeks
    assert DateColumn(Values("d", "date", np.full(3, np.nan)), np.ones(3), 1.0).width == 0


@given(
    st.lists(st.one_of(st.none(), st.integers(0, 5)), min_size=1, max_size=30),
    st.floats(0.1, 10),
)
@settings(deadline=None)
def test_any_category_comes_back(places, say):
    numbers = np.array([np.nan if place is None else place for place in places])
    values = category(numbers, "abcdef")
    column = CategoryColumn(values, np.ones(len(numbers)), say)
    decoded = column.decode(np.nan_to_num(column.encode(values)))
    for before, after in zip(numbers, decoded, strict=True):
        if not np.isnan(before):
            assert column.levels[int(after)] == "abcdef"[int(before)]
