"""What of skae stands in attributes beside numbers and networks: its parts and its records.

A closed list. In a file stands a name of it and values; what is not in the list is not read.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.sparse import csr_array

from .._calibration import CodeSpace, HoleCalibration, TypicalScores
from .._code_groups import Islands, Mixture
from .._conditions import CodesGivenCondition, LabelCondition, NumberCondition
from .._frames import Layout, Type
from .._holding_out import FoldsOfRows
from .._level_embedding import EmbeddedColumn
from .._mixed_loss import TableLikelihood, TableLoss
from .._new_rows import CodeMixture, NewRows, Ranks
from .._outlier_stream import KeptRows
from .._stacked import Stage
from .._table_columns import CategoryColumn, DateColumn, NumberColumn, TableColumns
from .._views import CodeNeighbors, ColumnDeviations, NearestRow, Tail, Views
from ..activation import TopK
from ..joint import Ladder
from ..nn import ChannelsLast, Logistic, MapShape, Softmax
from ..noise import GaussianNoise, MaskingNoise, SaltAndPepperNoise, SwapNoise
from ..penalty import (
    Contraction,
    DistancePreservation,
    KLSparsity,
    L1Sparsity,
    NeighborPreservation,
)

# Built by their constructors from their parameters.
PARTS: dict[str, type] = {
    part.__name__: part
    for part in (
        *(GaussianNoise, MaskingNoise, SaltAndPepperNoise, SwapNoise),
        *(Contraction, DistancePreservation, KLSparsity, L1Sparsity, NeighborPreservation),
        *(TopK, Ladder),
    )
}


class Record(NamedTuple):
    """A class of a few attributes, and their types."""

    kind: type
    fields: dict[str, Any]


_ARRAY = np.ndarray
_NONE = type(None)
_NUMBER_COLUMN = {
    **{"name": object, "say": float, "width": int},
    **{"median": float, "typical": float, "mean": float, "scale": float, "rounding": float},
}

RECORDS: dict[str, Record] = {
    record.kind.__name__: record
    for record in (
        Record(MapShape, {"channels": int, "height": int, "width": int}),
        Record(ChannelsLast, {"height": int, "width": int, "channels": int}),
        Record(CodeSpace, {"mean": _ARRAY, "whitening": _ARRAY}),
        Record(
            CodeNeighbors,
            {"space": CodeSpace, "references": _ARRAY, "weight": _ARRAY, "wanted": float},
        ),
        Record(NearestRow, {"references": (_ARRAY, csr_array), "middle": _ARRAY}),
        Record(ColumnDeviations, {"middle": _ARRAY, "spread": _ARRAY}),
        Record(Tail, {"knots": _ARRAY, "log_probability": _ARRAY, "slope": float}),
        Record(
            Views,
            {"rows": list, "neighbors": list, "columns": ColumnDeviations, "tails": list},
        ),
        Record(TypicalScores, {"scores": _ARRAY, "share": _ARRAY}),
        Record(HoleCalibration, {"share": _ARRAY, "middle": _ARRAY, "spread": _ARRAY}),
        Record(
            Stage,
            {
                "name": str,
                "loss_curve": list,
                "validation_loss_curve": (list, _NONE),
                "best_iter": int,
                "score": float,
            },
        ),
        Record(FoldsOfRows, {"dtype": np.dtype, "hashes": _ARRAY, "held_out": _ARRAY}),
        Record(
            KeptRows,
            {
                **{"X": (_ARRAY, csr_array), "weight": _ARRAY, "held_out": _ARRAY},
                **{"folds": FoldsOfRows, "n_seen": int, "seed": int},
            },
        ),
        Record(LabelCondition, {"classes": _ARRAY, "counts": _ARRAY}),
        Record(NumberCondition, {"mean": _ARRAY, "scale": _ARRAY}),
        Record(CodesGivenCondition, {"squares": _ARRAY, "products": _ARRAY, "scatter": _ARRAY}),
        Record(
            Type,
            {
                "name": str,
                "categories": (list, _NONE),
                "ordered": bool,
                "of_categories": str,
                "unit": (str, _NONE),
                "zone": (str, _NONE),
            },
        ),
        Record(Layout, {"library": str, "names": list, "types": list, "categorical": list}),
        Record(NumberColumn, _NUMBER_COLUMN),
        Record(DateColumn, {**_NUMBER_COLUMN, "cycles": list}),
        Record(
            CategoryColumn,
            {"name": object, "say": float, "levels": list, "frequency": _ARRAY, "scale": _ARRAY},
        ),
        Record(
            EmbeddedColumn,
            {"name": object, "say": float, "levels": list, "frequency": _ARRAY, "points": _ARRAY},
        ),
        Record(TableColumns, {"columns": list}),
        Record(TableLoss, {"columns": TableColumns}),
        Record(TableLikelihood, {"columns": TableColumns}),
        Record(CodeMixture, {"means": _ARRAY, "factors": _ARRAY, "shares": _ARRAY}),
        Record(Ranks, {"repeats": bool, "drawn": _ARRAY, "values": _ARRAY}),
        Record(Mixture, {"shares": _ARRAY, "centers": _ARRAY, "roots": _ARRAY}),
        Record(Islands, {"codes": _ARRAY, "numbers": _ARRAY, "centers": _ARRAY}),
        Record(NewRows, {"codes": CodeMixture, "ranks": list}),
        Record(Softmax, {}),
        Record(Logistic, {"weight": torch.Tensor}),
    )
}
_NAMES = {record.kind: name for name, record in RECORDS.items()}


def part_name(value: Any) -> str | None:
    """Return the name of a part in the list, None of anything else."""
    name = type(value).__name__
    return name if PARTS.get(name) is type(value) else None


def record_name(value: Any) -> str | None:
    """Return the name of a record in the list, None of anything else."""
    return _NAMES.get(type(value))


def fields_of(value: Any) -> dict[str, Any]:
    """Return the attributes of a record."""
    return value._asdict() if hasattr(value, "_asdict") else vars(value)


def part(name: Any, parameters: dict[str, Any]) -> Any:
    """Return the part of a name."""
    if type(name) is not str or name not in PARTS:
        raise ValueError(f"{name!r} is not among the parts")
    kind: Any = PARTS[name]
    if {*parameters} != {*kind._get_param_names()}:
        raise ValueError(f"a {name} has the parameters {sorted(parameters)}")
    return kind(**parameters)


def record(name: Any, values: dict[str, Any]) -> Any:
    """Return the record of a name."""
    if type(name) is not str or name not in RECORDS:
        raise ValueError(f"{name!r} is not among the records")
    kind, fields = RECORDS[name]
    if {*values} != {*fields}:
        raise ValueError(f"a {name} has the attributes {sorted(values)}")
    for field, wanted in fields.items():
        if not isinstance(values[field], wanted):
            raise ValueError(f"{field} of a {name} is {values[field]!r}")
    if issubclass(kind, tuple):
        return kind(**values)
    result = kind.__new__(kind)
    vars(result).update(values)
    return result
