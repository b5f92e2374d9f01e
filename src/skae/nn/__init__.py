"""The networks and their losses: torch only, nothing else of skae."""

from ._losses import (
    AbsoluteError,
    CallableLoss,
    Huber,
    LogLoss,
    RowLoss,
    SquaredError,
)
from ._mlp import ACTIVATIONS, linear, mlp
from ._network import (
    AutoencoderNetwork,
    AutoencoderOutput,
    Decoder,
    Encoder,
    Gate,
    SkipConnection,
    Standardize,
)

__all__ = [
    "ACTIVATIONS",
    "AbsoluteError",
    "AutoencoderNetwork",
    "AutoencoderOutput",
    "CallableLoss",
    "Decoder",
    "Encoder",
    "Gate",
    "Huber",
    "LogLoss",
    "RowLoss",
    "SkipConnection",
    "SquaredError",
    "Standardize",
    "linear",
    "mlp",
]
