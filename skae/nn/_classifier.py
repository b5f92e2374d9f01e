"""Classifiers: an encoder and a softmax layer on its codes, and what they are judged by."""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ._losses import RowLoss
from ._network import Decoder, Encoder


class ClassifierOutput(NamedTuple):
    """What one forward pass of a classifier produces."""

    logits: Tensor  # (batch, n_classes)


class Classified(Protocol):
    """The record of any classifier."""

    @property
    def logits(self) -> Tensor:
        """What the softmax is taken of, (batch, n_classes)."""


class ClassifierNetwork(nn.Module):
    """An encoder, a layer from its codes to classes, and the way back from the codes to rows.

    The decoder takes no part in the classification. A frozen encoder is not trained, and keeps
    its statistics.
    """

    def __init__(self, encoder: Encoder, head: nn.Module, decoder: Decoder | None = None) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head
        self.decoder = decoder
        self.frozen = False

    def freeze(self, frozen: bool) -> None:
        """Keep the encoder as it is in the trainings to come, or no longer."""
        self.frozen = frozen
        self.encoder.requires_grad_(not frozen)

    def train(self, mode: bool = True) -> "ClassifierNetwork":
        encoder_mode = mode and not self.frozen
        if mode != self.training or encoder_mode != self.encoder.training:
            super().train(mode)
            self.encoder.train(encoder_mode)
        return self

    def forward(self, Z: Tensor) -> ClassifierOutput:
        return ClassifierOutput(self.head(self.encoder.from_standardized(Z)))


class CrossEntropy(RowLoss):
    """The cross-entropy of labels and logits, in nats.

    With ``label_smoothing`` the labels are mixed with that much of the uniform distribution:
    Szegedy et al. 2016, arXiv:1512.00567.
    """

    def __init__(self, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing

    def rows(self, output: Classified, labels: Tensor) -> Tensor:
        return F.cross_entropy(
            output.logits, labels, reduction="none", label_smoothing=self.label_smoothing
        )


class ErrorRate(RowLoss):
    """1 for a row whose largest logit is another class's, and 0 for the others."""

    def rows(self, output: Classified, labels: Tensor) -> Tensor:
        return (output.logits.argmax(dim=1) != labels).to(torch.float32)
