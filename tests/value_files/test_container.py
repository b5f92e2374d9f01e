"""A document and tensors as one safetensors file; damage is tested in tests/model_files."""

import hashlib
import json

import numpy as np
import pytest
import safetensors.numpy

from skae._value_files import hold, read, read_document, write
from skae.exceptions import ModelFileError

DOCUMENT = {"format": 1, "text": "ä 😀", "numbers": [1, 0.1, -(2**63), None, True]}
TENSORS = {
    "half": np.arange(3, dtype=np.float16),
    "weights": np.arange(6.0).reshape(2, 3),
    "empty": np.zeros((0, 4), dtype=np.uint8),
    "number": np.array(7, dtype=np.uint64),
    "~": np.array([1, 2, 3], dtype=np.uint8),
    "signed": np.array([-1], dtype=np.int8),
}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "file"
    write(path, DOCUMENT, TENSORS)
    return path


def test_what_was_written_is_read(path):
    document, sizes, tensors = read(path, 1)
    assert document == DOCUMENT
    assert {*tensors} == {*TENSORS} == {*sizes}
    for name, array in TENSORS.items():
        assert tensors[name].dtype == array.dtype
        np.testing.assert_array_equal(tensors[name], array)
        assert sizes[name] == (array.dtype.name, array.shape)


def test_any_reader_of_safetensors_opens_it(path):
    with safetensors.safe_open(path, "numpy") as file:
        assert json.loads(file.metadata()["skae"]) == DOCUMENT
        np.testing.assert_array_equal(file.get_tensor("weights"), TENSORS["weights"])


def test_the_last_bytes_are_the_sha_256_of_all_before(path):
    data = path.read_bytes()
    assert hashlib.sha256(data[:-32]).digest() == data[-32:]


def test_the_document_alone_is_read_without_the_tensors(path):
    document, sizes, tensors = read_document(path, 1)
    assert document == DOCUMENT
    assert {*sizes} == {*TENSORS}
    assert tensors == {}


@pytest.mark.parametrize("place", [-1, -40, 300])
def test_the_document_alone_is_not_read_from_a_damaged_file(place, path):
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match="file: "):
        read_document(path, 1)


def test_a_number_that_is_none_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write(tmp_path / "file", {"format": 1, "x": float("nan")}, {})
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("much", [["x" * 100] * 50_000, [[]] * 100_001])
def test_more_than_a_reader_takes_is_not_written(much, tmp_path):
    with pytest.raises(ValueError, match="more than a reader takes"):
        write(tmp_path / "file", {"format": 1, "x": much}, {})
    assert [*tmp_path.iterdir()] == []


def test_an_older_format_is_read(path):
    assert read(path, 2).document == DOCUMENT


# Holding a path


def test_a_path_is_held_by_one_and_nothing_is_left(tmp_path):
    pytest.importorskip("fcntl", reason="Windows")
    path = str(tmp_path / "file")
    with hold(path):
        with pytest.raises(BlockingIOError, match="needs a path of its own"), hold(path):
            pass
        with hold(str(tmp_path / "another")):
            pass
    with hold(path), hold(None), hold(None):
        pass
    assert [*tmp_path.iterdir()] == []


def test_what_a_killed_process_has_held_is_free(tmp_path):
    (tmp_path / ".file.lock").touch()
    with hold(str(tmp_path / "file")):
        pass
    assert [*tmp_path.iterdir()] == []
