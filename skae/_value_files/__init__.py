"""Files of plain values and tensors: written whole or not at all, read without running anything.

They know no estimator and no network: whoever keeps something else than values in a file says how
it becomes values.
"""

from ._container import FORMAT, Contents, hold, package_versions, read, read_document, write
from ._values import ValueReader, ValueWriter, not_storable

__all__ = [
    "FORMAT",
    "Contents",
    "ValueReader",
    "ValueWriter",
    "hold",
    "not_storable",
    "package_versions",
    "read",
    "read_document",
    "write",
]
