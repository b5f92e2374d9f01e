"""Explanations of unusual rows: records of the columns that make them so."""

import numpy as np
import pandas as pd

from skae._explanations import OutlierExplanation

EXPLANATION = OutlierExplanation(
    values=np.array([[1.0, 20.0, 3.0], [4.0, 5.0, 6.0]]),
    expected=np.array([[1.0, 2.0, 3.5], [4.0, 5.0, 6.0]]),
    contributions=np.array([[0.0, 3.0, 1.0], [0.0, 0.0, 0.0]]),
    views={"surface": np.array([4.0, 0.0])},
    feature_names=np.array(["a", "b", "c"], dtype=object),
)


def test_the_columns_with_the_largest_part_come_first():
    np.testing.assert_array_equal(EXPLANATION.top_columns(2), [[1, 2], [0, 1]])
    assert EXPLANATION.top_columns(9).shape == (2, 3)


def test_records_say_what_is_there_and_what_was_expected():
    first, second, *others = EXPLANATION.rows(2)
    assert first == {"row": 0, "column": "b", "value": 20.0, "expected": 2.0, "share": 0.75}
    assert second == {"row": 0, "column": "c", "value": 3.0, "expected": 3.5, "share": 0.25}
    assert [record["share"] for record in others] == [0.0, 0.0]


def test_a_frame_has_the_same_records():
    frame = EXPLANATION.to_frame(1)
    assert isinstance(frame, pd.DataFrame)
    assert frame.to_dict("records") == EXPLANATION.rows(1)
