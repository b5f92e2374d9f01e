"""Values as JSON and named tensors, and back: numbers, text, lists, arrays, and nothing that runs.

What JSON has no word for is an object with one key, which says what it is: ``{"tuple": [1, 2]}``,
``{"array": ["mean_", "float64", "C"]}``. The keys are a closed list.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import nn

# Numbers of a list that are many are a tensor, which is shorter, and has no limit.
_MANY = 16

# Texts, and numbers in lists, that a file may hold as tensors: they need more memory than there.
_MOST_OBJECTS = 400_000

_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_LARGEST_INT = 2**63

_NUMBERS = (
    *("float64", "float32", "float16", "int64", "int32", "int16", "int8"),
    *("uint64", "uint32", "uint16", "uint8", "bool"),
)
_TORCH_DTYPES = {
    getattr(torch, name): name for name in _NUMBERS if name not in ("uint64", "uint32", "uint16")
}
_SPARSE = {"csr_array": sp.csr_array, "csr_matrix": sp.csr_matrix}


def not_storable(value: Any, where: str) -> ValueError:
    """Return the error for a value that can't be stored."""
    return ValueError(
        f"{where} is {_short(value)}, of the type {type(value).__module__}."
        f"{type(value).__qualname__}, which is not among the values that a file can hold."
    )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 100 else f"{text[:97]}..."


class ValueWriter:
    """Turns values into nodes of a JSON document, and gathers the tensors that these name.

    ``tensors`` are the tensors so far, by names that tell where they come from.
    """

    def __init__(self) -> None:
        self.tensors: dict[str, np.ndarray] = {}
        self._names: dict[int, tuple[str, Any]] = {}  # by identity; what has it is kept alive
        self._random_states: list[np.random.RandomState] = []
        self._n_objects = 0

    def node(self, value: Any, where: str) -> Any:
        """Return the node of a value; ``where`` it is names its tensors, and is told in errors.

        Raises
        ------
        ValueError
            If it is not among the values that can be stored.
        """
        kind = type(value)
        if kind in _PLAIN:
            return _PLAIN[kind](self, value, where)
        if isinstance(value, np.generic):
            return self._scalar(value, where)
        if isinstance(value, np.dtype) and value.name in _NUMBERS:
            return {"dtype": value.name}
        return self.other(value, where)

    def other(self, value: Any, where: str) -> Any:
        """Return the node of a value that is not plain, or raise an error."""
        raise not_storable(value, where)

    def tensor(self, array: np.ndarray, where: str) -> str:
        """Keep the numbers of an array and return the name that they have."""
        # What is told of a place in errors may have any letters, and be there twice.
        name = stem = where.encode("ascii", "backslashreplace").decode("ascii")
        number = 1
        while name in self.tensors:
            number += 1
            name = f"{stem} ({number})"
        if array.dtype.kind == "b":
            array = array.astype(np.uint8)
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        self.tensors[name] = np.ascontiguousarray(little).reshape(array.shape)
        return name

    def _count(self, n_objects: int, where: str) -> None:
        self._n_objects += n_objects
        if self._n_objects > _MOST_OBJECTS:
            raise ValueError(
                f"{where} makes {self._n_objects} texts, or numbers in lists; a file can hold "
                f"{_MOST_OBJECTS}. Arrays of numbers may be as long as they like."
            )

    def _int(self, value: int, where: str) -> int:
        if not -_LARGEST_INT <= value < _LARGEST_INT:
            raise ValueError(f"{where} is {value}, which is not an integer of 64 bits.")
        return value

    def _float(self, value: float, where: str) -> Any:
        return value if math.isfinite(value) else {"float": str(value)}

    def _list(self, value: list, where: str) -> Any:
        kinds = {type(item) for item in value}
        if len(value) >= _MANY and kinds in ({float}, {int}):
            self._count(len(value), where)
            if kinds == {float}:
                return {"floats": self.tensor(np.array(value, dtype=np.float64), where)}
            if all(-_LARGEST_INT <= item < _LARGEST_INT for item in value):
                return {"ints": self.tensor(np.array(value, dtype=np.int64), where)}
        return [self.node(item, f"{where}[{i}]") for i, item in enumerate(value)]

    def _tuple(self, value: tuple, where: str) -> Any:
        return {"tuple": self._list(list(value), where)}

    def _dict(self, value: dict, where: str) -> Any:
        pairs = [
            [self.node(key, f"a key of {where}"), self.node(item, f"{where}[{key!r}]")]
            for key, item in value.items()
        ]
        return {"dict": pairs}

    def _array(self, value: np.ndarray, where: str) -> Any:
        if value.dtype.kind in "OU":
            return self._texts(value, where)
        if value.dtype.name not in _NUMBERS:
            raise not_storable(value, where)
        # The order in memory decides how products are summed up, and so the last bits.
        order = "F" if value.flags.f_contiguous and not value.flags.c_contiguous else "C"
        return {"array": [self.tensor(value, where), value.dtype.name, order]}

    def _texts(self, value: np.ndarray, where: str) -> Any:
        """Return the node of an array of text, or of objects that are plain values."""
        shape = list(value.shape)
        if value.dtype.kind == "U":  # the numbers of the letters, as many as the longest has
            width = value.dtype.itemsize // 4
            little = np.ascontiguousarray(value, dtype=f"<U{width}")
            letters = np.frombuffer(little.tobytes(), dtype="<u4")
            return {"letters": [shape, self.tensor(letters.reshape(-1, max(width, 1)), where)]}
        values = value.ravel().tolist()
        if not all(type(text) is str for text in values):
            nodes = [self.node(item, f"{where}[{i}]") for i, item in enumerate(values)]
            return {"objects": [shape, nodes]}
        self._count(len(values), where)
        pieces = [text.encode("utf-8", "surrogatepass") for text in values]
        lengths = np.array([len(piece) for piece in pieces], dtype=np.int64)
        joined = np.frombuffer(b"".join(pieces), dtype=np.uint8)
        names = self.tensor(joined, where), self.tensor(lengths, f"{where}.lengths")
        return {"texts": [shape, *names]}

    def _scalar(self, value: np.generic, where: str) -> Any:
        if isinstance(value, np.str_):
            return {"scalar": ["str", str(value)]}
        if value.dtype.name not in _NUMBERS:
            raise not_storable(value, where)
        return {"scalar": [value.dtype.name, self.node(value.item(), where)]}

    def _tensor(self, value: torch.Tensor, where: str) -> Any:
        known = self._names.get(id(value))
        if known is None:
            if value.dtype not in _TORCH_DTYPES or value.layout != torch.strided:
                raise not_storable(value, where)
            array = value.detach().cpu().resolve_conj().resolve_neg().numpy()
            known = self._names[id(value)] = self.tensor(array, where), value
        name = known[0]
        strides: list[int] | None = list(value.stride())
        # Where numbers lie decides how a convolution sums up, be a side of a tensor but 1 long.
        usual = list(torch.empty(value.shape, device="meta").stride())
        if strides == usual or not _is_dense(value.shape, value.stride()):
            strides = None  # also of a part of another one, or of one number in many places
        node = [name, _TORCH_DTYPES[value.dtype], strides, value.requires_grad]
        return {"parameter" if isinstance(value, nn.Parameter) else "tensor": node}

    def _random_state(self, value: np.random.RandomState, where: str) -> Any:
        """Return the node of a generator; one that is in two places is the same when read."""
        for number, known in enumerate(self._random_states):
            if known is value:
                return {"random_state": [number, None]}
        self._random_states.append(value)
        name, *state = value.get_state(legacy=True)
        if name != "MT19937":
            raise not_storable(value, where)
        nodes = [self.node(item, where) for item in state]
        return {"random_state": [len(self._random_states) - 1, nodes]}

    def _slice(self, value: slice, where: str) -> Any:
        return {"slice": [self.node(end, where) for end in (value.start, value.stop, value.step)]}

    def _range(self, value: range, where: str) -> Any:
        return {"range": [value.start, value.stop, value.step]}

    def _sparse(self, value: Any, where: str) -> Any:
        parts = [
            self.node(getattr(value, name), f"{where}.{name}")
            for name in ("data", "indices", "indptr")
        ]
        return {"sparse": [type(value).__name__, list(value.shape), *parts]}


def _as_it_is(writer: ValueWriter, value: Any, where: str) -> Any:
    return value


# How values of a type are written; of a type derived from one of these it is not known.
_PLAIN: dict[type, Callable[[Any, Any, str], Any]] = {
    type(None): _as_it_is,
    bool: _as_it_is,
    str: _as_it_is,
    int: ValueWriter._int,
    float: ValueWriter._float,
    list: ValueWriter._list,
    tuple: ValueWriter._tuple,
    dict: ValueWriter._dict,
    np.ndarray: ValueWriter._array,
    torch.Tensor: ValueWriter._tensor,
    nn.Parameter: ValueWriter._tensor,
    np.random.RandomState: ValueWriter._random_state,
    slice: ValueWriter._slice,
    range: ValueWriter._range,
    sp.csr_array: ValueWriter._sparse,
    sp.csr_matrix: ValueWriter._sparse,
}


def _is_dense(shape, strides) -> bool:
    """Whether numbers with these strides lie side by side, each in a place of its own."""
    expected = 1
    for stride, size in sorted(zip(strides, shape, strict=True)):
        if size > 1 and stride != expected:
            return False
        expected *= size
    return True


class ValueReader:
    """Turns nodes back into values; whatever is not as a `ValueWriter` writes it is a ValueError.

    Parameters
    ----------
    tensors : dict of str to ndarray
        Taken out one by one, as they are needed: `finish` refuses those that are left.
    """

    def __init__(self, tensors: dict[str, np.ndarray]) -> None:
        self._arrays = tensors
        self._shared: dict[str, torch.Tensor] = {}
        self._random_states: list[np.random.RandomState] = []
        self._n_objects = 0

    def value(self, node: Any) -> Any:
        """Return the value of a node."""
        if node is None or type(node) in (bool, int, float, str):
            return node
        if type(node) is list:
            return [self.value(item) for item in node]
        tag, content = _only(node)
        read = _READERS.get(tag)
        return self.other(tag, content) if read is None else read(self, content)

    def other(self, tag: str, content: Any) -> Any:
        """Return the value of a node that a subclass writes."""
        raise ValueError(f"{tag!r} is not a kind of value")

    def array(self, name: Any) -> np.ndarray:
        """Return the numbers of a name, which are given once."""
        if type(name) is not str or name not in self._arrays:
            raise ValueError(f"there is no tensor {name!r}, or it is there for something else")
        return self._arrays.pop(name)

    def finish(self) -> None:
        """Refuse tensors that nothing has asked for."""
        if self._arrays:
            raise ValueError(f"nothing needs the tensors {sorted(self._arrays)[:5]}")

    def _float(self, content: Any) -> float:
        return _NOT_FINITE[content]

    def _floats(self, content: Any) -> list[float]:
        return self._counted(_of_dtype(self.array(content), "float64")).tolist()

    def _ints(self, content: Any) -> list[int]:
        return self._counted(_of_dtype(self.array(content), "int64")).tolist()

    def _counted(self, array: np.ndarray) -> np.ndarray:
        """Refuse more objects than a file may have; they take more memory than their numbers."""
        self._n_objects += array.size
        if array.ndim != 1 or self._n_objects > _MOST_OBJECTS:
            raise ValueError(f"there are more than {_MOST_OBJECTS} texts and numbers in lists")
        return array

    def _tuple(self, content: Any) -> tuple:
        items = self.value(content)
        if type(items) is not list:
            raise ValueError(f"a tuple is made of a list, not of {items!r}")
        return tuple(items)

    def _dict(self, content: Any) -> dict:
        pairs = [(self.value(key), self.value(item)) for key, item in content]
        result = dict(pairs)
        if len(result) != len(pairs):
            raise ValueError("a key is there twice")
        return result

    def _array(self, content: Any) -> np.ndarray:
        name, dtype, order = content
        array = _of_dtype(self.array(name), dtype)
        if order not in ("C", "F"):
            raise ValueError(f"{name!r} does not lie in memory as {order!r}")
        return array.copy(order=order)

    def _texts(self, content: Any) -> np.ndarray:
        shape, letters, lengths = content
        data = _of_dtype(self.array(letters), "uint8").tobytes()
        ends = np.cumsum(self._counted(_of_dtype(self.array(lengths), "int64"))).tolist()
        starts = [0, *ends][: len(ends)]
        if any(end < start for start, end in zip(starts, ends, strict=True)) or (
            ends[-1] if ends else 0
        ) != len(data):
            raise ValueError("the lengths of texts are not those of their letters")
        pairs = zip(starts, ends, strict=True)
        values = [data[start:end].decode("utf-8", "surrogatepass") for start, end in pairs]
        return _filled(np.empty(len(values), dtype=object), values, shape)

    def _letters(self, content: Any) -> np.ndarray:
        shape, name = content
        letters = _of_dtype(self.array(name), "uint32")
        if letters.ndim != 2 or letters.shape[1] == 0 or (letters > 0x10FFFF).any():
            raise ValueError(f"{name!r} is no text")
        return letters.astype(np.uint32).view(f"U{letters.shape[1]}").reshape(tuple(shape))

    def _objects(self, content: Any) -> np.ndarray:
        shape, nodes = content
        values = [self.value(node) for node in nodes]
        return _filled(np.empty(len(values), dtype=object), values, shape)

    def _scalar(self, content: Any) -> Any:
        dtype, node = content
        value = self.value(node)
        if dtype == "str" and type(value) is str:
            return np.str_(value)
        if dtype not in _NUMBERS or type(value) not in (bool, int, float):
            raise ValueError(f"{value!r} is no number of dtype {dtype!r}")
        return np.array(value, dtype=dtype)[()]

    def _dtype(self, content: Any) -> np.dtype:
        if content not in _NUMBERS:
            raise ValueError(f"{content!r} is no dtype of numbers")
        return np.dtype(content)

    def _tensor(self, content: Any) -> torch.Tensor:
        return self._any_tensor(content, learnt=False)

    def _parameter(self, content: Any) -> torch.Tensor:
        return self._any_tensor(content, learnt=True)

    def _any_tensor(self, content: Any, *, learnt: bool) -> torch.Tensor:
        name, dtype, strides, requires_grad = content
        if type(requires_grad) is not bool:
            raise ValueError(f"requires_grad of {name!r} is {requires_grad!r}")
        if name in self._shared:
            return self._shared[name]
        array = _of_dtype(self.array(name), dtype)
        # A copy in memory of torch's own, whose alignment may decide the last bits of products.
        tensor = torch.from_numpy(array).clone()
        del array
        if strides is not None:
            if not (
                len(strides) == tensor.ndim
                and all(type(n) is int and 0 <= n < _LARGEST_INT for n in strides)
                and _is_dense(tensor.shape, strides)
            ):
                raise ValueError(f"{name!r} does not lie in memory as {strides!r}")
            tensor = torch.empty_strided(tensor.shape, strides, dtype=tensor.dtype).copy_(tensor)
        if learnt:
            tensor = nn.Parameter(tensor, requires_grad=requires_grad)
        self._shared[name] = tensor.requires_grad_(requires_grad)
        return tensor

    def _random_state(self, content: Any) -> np.random.RandomState:
        number, nodes = content
        if nodes is None:
            if type(number) is not int or not 0 <= number < len(self._random_states):
                raise ValueError(f"there is no generator {number!r}")
            return self._random_states[number]
        state = np.random.RandomState(0)
        state.set_state(("MT19937", *(self.value(node) for node in nodes)))
        self._random_states.append(state)
        return state

    def _slice(self, content: Any) -> slice:
        start, stop, step = content
        return slice(self.value(start), self.value(stop), self.value(step))

    def _range(self, content: Any) -> range:
        start, stop, step = content
        return range(start, stop, step)

    def _sparse(self, content: Any) -> Any:
        kind, shape, data, indices, indptr = content
        matrix = _SPARSE[kind](
            (self.value(data), self.value(indices), self.value(indptr)), shape=tuple(shape)
        )
        matrix.check_format(full_check=True)
        return matrix


_READERS: dict[str, Callable[[Any, Any], Any]] = {
    "float": ValueReader._float,
    "floats": ValueReader._floats,
    "ints": ValueReader._ints,
    "tuple": ValueReader._tuple,
    "dict": ValueReader._dict,
    "array": ValueReader._array,
    "texts": ValueReader._texts,
    "letters": ValueReader._letters,
    "objects": ValueReader._objects,
    "scalar": ValueReader._scalar,
    "dtype": ValueReader._dtype,
    "tensor": ValueReader._tensor,
    "parameter": ValueReader._parameter,
    "random_state": ValueReader._random_state,
    "slice": ValueReader._slice,
    "range": ValueReader._range,
    "sparse": ValueReader._sparse,
}


def _only(node: Any) -> tuple[str, Any]:
    """Return the one key of a node that is an object, and what belongs to it."""
    if type(node) is not dict or len(node) != 1:
        raise ValueError(f"{_short(node)} is not a value")
    return next(iter(node.items()))


def _of_dtype(array: np.ndarray, dtype: Any) -> np.ndarray:
    """Return an array whose dtype is as it should be; truth values are kept as bytes."""
    if dtype == "bool" and array.dtype == np.uint8 and not (array > 1).any():
        return array.view(np.bool_)
    if dtype not in _NUMBERS or array.dtype != np.dtype(dtype):
        raise ValueError(f"numbers of dtype {array.dtype} stand where {dtype!r} is due")
    return array


def _filled(array: np.ndarray, values: list, shape: Any) -> np.ndarray:
    """Return an array with these values in it, and this shape."""
    for i, value in enumerate(values):
        array[i] = value
    return array.reshape(tuple(shape))
