"""Samples of files: how many rows memory has room for."""

import numpy as np
import pytest

from skae._files._sample import sample_of_parquet

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


@pytest.mark.parametrize("length", [1, 400])
def test_words_that_a_file_has_as_numbers_are_counted_as_what_they_take(length, tmp_path):
    words = np.array(["a", "b"])[np.arange(5000) % 2].tolist()
    table = pa.table({"word": [word * length for word in words], "number": np.arange(5000.0)})
    parquet.write_table(table, tmp_path / "words.parquet")
    sample, rows = sample_of_parquet(tmp_path / "words.parquet", "50kB")
    assert len(sample.places) == rows.num_rows
    assert 20_000 < rows.nbytes < 51_000


def test_a_file_without_columns_is_read(tmp_path):
    parquet.write_table(pa.table({}), tmp_path / "empty.parquet")
    assert sample_of_parquet(tmp_path / "empty.parquet", "1kB") is None
