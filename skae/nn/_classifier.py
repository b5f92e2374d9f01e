"""Classifiers: an encoder and a layer on its codes, what its logits mean, and their losses."""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ._losses import RowLoss
from ._network import Decoder, Encoder


class ClassifierOutput(NamedTuple):
    """What one forward pass of a classifier produces."""

    logits: Tensor  # (batch, n_classes)


class Outputs(Protocol):
    """What logits stand for, and what labels beside them are.

    The labels of a batch have the shape of its decisions: class numbers, or indicators.
    """

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return the probability of each class, (batch, n_classes)."""

    def log_probabilities(self, logits: Tensor) -> Tensor:
        """Return their logarithms, (batch, n_classes)."""

    def decide(self, probabilities: Tensor) -> Tensor:
        """Return what a row is most probably."""

    def cross_entropy(self, logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
        """Return the cross-entropy of each row's labels, (batch,), in nats."""

    def are_wrong(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return which rows are told to be what they are not, (batch,)."""


class Softmax:
    """A row is of one class, and the probabilities of all add up to one. Labels are numbers."""

    def probabilities(self, logits: Tensor) -> Tensor:
        return logits.softmax(dim=1)

    def log_probabilities(self, logits: Tensor) -> Tensor:
        return logits.log_softmax(dim=1)

    def decide(self, probabilities: Tensor) -> Tensor:
        """Return the number of the class of the largest probability, (batch,)."""
        return probabilities.argmax(dim=1)

    def cross_entropy(self, logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
        return F.cross_entropy(logits, labels, reduction="none", label_smoothing=smoothing)

    def are_wrong(self, logits: Tensor, labels: Tensor) -> Tensor:
        return logits.argmax(dim=1) != labels


class Logistic:
    """A row has any of the classes, each with a probability of its own. Labels are indicators.

    Parameters
    ----------
    weight : Tensor of shape (2, n_classes)
        What the cross-entropy of each class counts, for rows without it and for rows with it.
    """

    def __init__(self, weight: Tensor) -> None:
        self.weight = weight

    def probabilities(self, logits: Tensor) -> Tensor:
        return logits.sigmoid()

    def log_probabilities(self, logits: Tensor) -> Tensor:
        return F.logsigmoid(logits)

    def decide(self, probabilities: Tensor) -> Tensor:
        """Return 1 for each class that is more probable than not, (batch, n_classes)."""
        return (probabilities > 0.5).long()

    def cross_entropy(self, logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
        """Return the sum over the classes; smooth labels are mixed with a half."""
        aim = labels * (1 - smoothing) + smoothing / 2
        losses = F.binary_cross_entropy_with_logits(logits, aim, reduction="none")
        absent, present = self.weight.to(logits.device)
        return (losses * torch.where(labels > 0, present, absent)).sum(dim=1)

    def are_wrong(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return whether any class of a row is told wrongly."""
        return ((logits > 0) != (labels > 0)).any(dim=1)


class Classified(Protocol):
    """The record of any classifier."""

    @property
    def logits(self) -> Tensor:
        """What probabilities are made of, (batch, n_classes)."""


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

    def __init__(self, outputs: Outputs, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.outputs = outputs
        self.label_smoothing = label_smoothing

    def rows(self, output: Classified, labels: Tensor) -> Tensor:
        return self.outputs.cross_entropy(output.logits, labels, self.label_smoothing)


class ErrorRate(RowLoss):
    """1 for a row that is told to be what it is not, and 0 for the others."""

    def __init__(self, outputs: Outputs) -> None:
        super().__init__()
        self.outputs = outputs

    def rows(self, output: Classified, labels: Tensor) -> Tensor:
        return self.outputs.are_wrong(output.logits, labels).to(torch.float32)
