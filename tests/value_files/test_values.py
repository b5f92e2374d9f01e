"""Values as JSON and tensors, and back; whole models are tested in tests/model_files."""

import json

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from torch import nn

from skae._value_files import ValueReader, ValueWriter


def there_and_back(value):
    writer = ValueWriter()
    node = writer.node(value, "value")
    reader = ValueReader(dict(writer.tensors))
    result = reader.value(json.loads(json.dumps(node, allow_nan=False)))
    reader.finish()
    return result


def same(one, other):
    assert type(one) is type(other)
    if isinstance(one, dict):
        same([*one.items()], [*other.items()])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for pair in zip(one, other, strict=True):
            same(*pair)
    elif isinstance(one, float):
        assert np.float64(one).tobytes() == np.float64(other).tobytes() or one != one
    else:
        assert one == other


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=20)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(
            st.text(max_size=3) | st.integers(0, 9) | st.booleans(), inner, max_size=3
        )
    ),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(PLAIN)
def test_plain_values_come_back_as_they_were(value):
    same(there_and_back(value), value)


DTYPES = ("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?", ">f8", "U3")


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(DTYPES).flatmap(
        lambda dtype: arrays(dtype, array_shapes(min_dims=0, min_side=0, max_side=3))
    ),
    st.sampled_from("CF"),
)
def test_arrays_come_back_with_their_bits_and_their_order(array, order):
    array = np.array(array, order=order)
    again = there_and_back(array)
    assert again.dtype == array.dtype.newbyteorder("=")
    assert again.shape == array.shape
    if array.dtype.kind != "U":
        assert again.flags.f_contiguous == array.flags.f_contiguous
    assert again.tobytes() == array.astype(array.dtype.newbyteorder("=")).tobytes()
    assert again.flags.writeable


@pytest.mark.parametrize(
    "array",
    [
        np.array(["a", "äöü", "", "\ud800"], dtype=object),
        np.array([["a"], ["b"]], dtype=object),
        np.array([None, 1, "a", 1.5], dtype=object),
        np.array([], dtype=object),
        np.array(["longer", ""], dtype="U9"),
    ],
)
def test_text_and_objects_come_back(array):
    again = there_and_back(array)
    assert again.dtype == array.dtype
    assert again.shape == array.shape
    assert again.tolist() == array.tolist()


@pytest.mark.parametrize(
    "value",
    [np.float32(0.1), np.float64("nan"), np.int8(-3), np.bool_(True), np.str_("a"), np.uint64(5)],
)
def test_scalars_of_numpy_come_back_with_their_type(value):
    again = there_and_back(value)
    assert type(again) is type(value)
    assert again == value or value != value


@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(24.0).reshape(2, 3, 2, 2).to(memory_format=torch.channels_last),
        torch.arange(6.0).reshape(2, 3).t(),
        torch.ones(3, 1, 2, 2).to(memory_format=torch.channels_last),
        torch.empty(3, 1).as_strided((3, 1), (1, 5)).fill_(2.0),
        torch.tensor(1.5),
        torch.zeros(0, 3),
        torch.tensor([True, False]),
        torch.arange(3),
    ],
)
def test_tensors_come_back_as_they_lie_in_memory(tensor):
    again = there_and_back(tensor)
    assert again.dtype == tensor.dtype
    assert torch.equal(again, tensor)
    assert again.is_contiguous() == tensor.is_contiguous()
    if tensor.ndim == 4:
        assert again.stride() == tensor.stride()


def test_a_part_of_a_tensor_comes_back_by_itself():
    tensor = torch.arange(1000.0).reshape(100, 10)[::7, ::3]
    writer = ValueWriter()
    writer.node(tensor, "value")
    assert writer.tensors["value"].size == tensor.numel()
    assert torch.equal(there_and_back(tensor), tensor)


def test_a_parameter_in_two_places_is_one_again():
    weight = nn.Parameter(torch.ones(3), requires_grad=False)
    one, other, copy = there_and_back([weight, weight, nn.Parameter(torch.ones(3))])
    assert one is other
    assert one is not copy
    assert isinstance(one, nn.Parameter)
    assert not one.requires_grad
    assert copy.requires_grad


def test_matrices_slices_ranges_and_dtypes_come_back():
    matrix = sp.random(5, 4, density=0.4, format="csr", random_state=0)
    for kind in (sp.csr_array, sp.csr_matrix):
        again = there_and_back(kind(matrix))
        assert type(again) is kind
        assert (again != kind(matrix)).nnz == 0
    for value in (slice(1, None, 2), range(3, 9, 2), np.dtype("float32")):
        assert there_and_back(value) == value


def test_a_generator_of_numpy_goes_on_where_it_was():
    state = np.random.RandomState(1)
    state.normal(size=3)  # an odd number: one is kept for the next call
    one, other = there_and_back((state, state))
    assert one is other
    np.testing.assert_array_equal(one.normal(size=700), state.normal(size=700))


@pytest.mark.parametrize(
    "value",
    [
        object(),
        print,
        int,
        {1, 2},
        b"bytes",
        2**64,
        1j,
        np.array([1j]),
        np.array(["2020-01-01"], dtype="M8[D]"),
        np.array([object()], dtype=object),
        np.random.default_rng(0),
        torch.ones(2, dtype=torch.complex64),
        torch.ones(2).to_sparse(),
        {(1, 2): [{"a": print}]},
    ],
)
def test_what_is_not_a_value_is_named(value):
    with pytest.raises(ValueError, match=r"^(a key of )?value"):
        ValueWriter().node(value, "value")


def test_texts_and_numbers_in_lists_are_limited():
    with pytest.raises(ValueError, match="value makes 400001 texts"):
        ValueWriter().node([1.0] * 400_001, "value")


ARRAYS = {
    "square": np.ones((2, 2)),
    "row": np.ones(2),
    "bytes": np.array([2, 3], dtype=np.uint8),
    "lengths": np.array([1, 9]),
    "codes": np.full((1, 1), 0x110000, dtype=np.uint32),
}


@pytest.mark.parametrize(
    "node",
    [
        {},
        {"tuple": [], "dict": []},
        {"unknown": 1},
        {"tuple": 1},
        {"dict": [["a", 1], ["a", 2]]},
        {"floats": "square"},
        {"ints": "row"},
        {"floats": "nowhere"},
        {"floats": ["row"]},
        {"array": ["row", "float32", "C"]},
        {"array": ["row", "object", "C"]},
        {"array": ["row", "float64", "K"]},
        {"array": ["bytes", "bool", "C"]},
        {"texts": [[2], "bytes", "lengths"]},
        {"letters": [[1], "codes"]},
        {"scalar": ["object", 1]},
        {"scalar": ["float64", "1.0"]},
        {"scalar": ["str", 1]},
        {"dtype": "object"},
        {"tensor": ["row", "float64", None, 1]},
        {"tensor": ["row", "float64", [5], False]},
        {"random_state": [0, None]},
        {"range": [0, 1, 0]},
    ],
    ids=str,
)
def test_a_node_that_is_not_as_values_are_written_is_refused(node):
    with pytest.raises(ValueError, match=r"\w"):
        ValueReader(dict(ARRAYS)).value(node)


def test_tensors_that_nothing_needs_are_refused():
    reader = ValueReader({"row": np.ones(2)})
    with pytest.raises(ValueError, match="nothing needs the tensors"):
        reader.finish()
