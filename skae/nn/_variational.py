"""The variational autoencoder: a distribution of codes for each row, and its evidence bound."""

import math
from typing import ClassVar, NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from ._losses import ReconstructionLoss
from ._network import Decoder, Standardize
from ._random import RandomLayer

# Of the logarithm of a code's variance, whose exponential shall be a number.
_LARGEST_LOG_VARIANCE = 30.0


class VariationalOutput(NamedTuple):
    """What one forward pass produces, and all that a loss may look at."""

    mean: Tensor  # (batch, n_components), of the distribution of the row's code
    log_variance: Tensor  # (batch, n_components)
    code: Tensor  # (batch, n_components), drawn from it
    log_likelihood: Tensor  # (batch,), of the standardized row, given this code


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return how far normal distributions are from the standard one, summed over codes, in nats.

    Kingma & Welling 2014, arXiv:1312.6114, appendix B.
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=-1)


class VariationalEncoder(nn.Module):
    """Rows in their own units in, means of codes out.

    The body gives a mean and the logarithm of a variance for each code, one after the other.
    """

    def __init__(self, standardize: Standardize, body: nn.Module) -> None:
        super().__init__()
        self.standardize = standardize
        self.body = body

    def forward(self, X: Tensor) -> Tensor:
        return self.from_standardized(self.standardize(X))

    def from_standardized(self, Z: Tensor) -> Tensor:
        """Encode rows that are standardized already."""
        return self.posterior(Z)[0]

    def posterior(self, Z: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of the codes of standardized rows; NaN is the mean."""
        mean, log_variance = self.body(Z.nan_to_num(0.0)).to(Z.dtype).chunk(2, dim=-1)
        return mean, log_variance.clamp(-_LARGEST_LOG_VARIANCE, _LARGEST_LOG_VARIANCE)


class DrawCode(RandomLayer):
    """Draw codes from normal distributions, such that gradients reach their parameters."""

    def forward(self, mean: Tensor, log_variance: Tensor) -> Tensor:
        noise = self._drawn(mean, lambda room: room.normal_(generator=self.generator))
        return mean + noise * (0.5 * log_variance).exp()


class Binarize(RandomLayer):
    """Draw each value of a row as 0 or 1, with the value in its own units as probability.

    Salakhutdinov & Murray 2008, doi:10.1145/1390156.1390266, do so once for each epoch.
    """

    def __init__(self, standardize: Standardize) -> None:
        super().__init__()
        self.standardize = standardize

    def forward(self, Z: Tensor) -> Tensor:
        draws = self._drawn(Z, lambda room: room.uniform_(generator=self.generator))
        drawn = self.standardize((draws < self.standardize.inverse(Z)).to(Z.dtype))
        return torch.where(Z.isnan(), Z, drawn)


class Likelihood(nn.Module):
    """The distribution of a row, given its code: what the decoder's output is a parameter of."""

    is_density: ClassVar[bool] = True  # of standardized rows, which has a unit, as the rows have

    def __init__(self, standardize: Standardize) -> None:
        super().__init__()
        self.standardize = standardize

    def forward(self, preactivation: Tensor, Z: Tensor) -> Tensor:
        """Return the log-likelihood of standardized rows, (...), from (..., n_features).

        That of a row with missing values (NaN) is the one of its known values.
        """
        missing = Z.isnan()
        if not missing.any():
            return self.values(preactivation, Z).sum(dim=-1)
        values = self.values(preactivation, Z.masked_fill(missing, 0.0))
        return values.masked_fill(missing, 0.0).sum(dim=-1)

    def output(self) -> nn.Module | None:
        """Return what gives rows in their own units, if that is not to standardize them back."""
        return None

    def values(self, preactivation: Tensor, Z: Tensor) -> Tensor:
        """Return the log-likelihood of each value, (..., n_features)."""
        raise NotImplementedError

    def draw(self, X: Tensor, scale: float, generator: Generator) -> Tensor:
        """Return a draw for each row in its own units that the decoder gives."""
        raise NotImplementedError


class GaussianLikelihood(Likelihood):
    """Independent normal values, with one variance for all columns, which is learned."""

    least_variance = 1e-6  # in standardized units

    def __init__(self, standardize: Standardize) -> None:
        super().__init__(standardize)
        self.noise_log_variance = nn.Parameter(torch.zeros((), dtype=torch.float32))

    def variance(self) -> Tensor:
        """Return the variance in standardized units, a number."""
        return self.noise_log_variance.exp() + self.least_variance

    def set_variance(self, variance: float) -> None:
        """Set the variance, to no less than twice the least."""
        excess = max(variance - self.least_variance, self.least_variance)
        with torch.no_grad():
            self.noise_log_variance.fill_(math.log(excess))

    def values(self, preactivation: Tensor, Z: Tensor) -> Tensor:
        variance = self.variance()
        squares = (Z - preactivation).square()
        return -0.5 * (squares / variance + (2 * math.pi * variance).log())

    def draw(self, X: Tensor, scale: float, generator: Generator) -> Tensor:
        deviation = scale * math.sqrt(self.variance().item())
        return X + deviation * torch.empty_like(X).normal_(generator=generator)


class BernoulliLikelihood(Likelihood):
    """Independent values of 0 or 1; for those between, both weighted by how near they are.

    A value outside counts as the nearer end, less what makes it the less likely the farther it is
    outside, whichever end the decoder expects: its distance times the slope there, and as normal
    noise of the largest deviation that such a value has, 1/2.
    """

    is_density = False

    def output(self) -> nn.Module:
        return nn.Sigmoid()

    def values(self, preactivation: Tensor, Z: Tensor) -> Tensor:
        X = self.standardize.inverse(Z)
        inside = X.clamp(0.0, 1.0)
        beyond = (X - inside).abs()
        log_likelihood = preactivation * inside - F.softplus(preactivation)
        return log_likelihood - beyond * (preactivation.abs() + 2 * beyond)

    def draw(self, X: Tensor, scale: float, generator: Generator) -> Tensor:
        return (torch.empty_like(X).uniform_(generator=generator) < X).to(X.dtype)


LIKELIHOODS: dict[str, type[Likelihood]] = {
    "gaussian": GaussianLikelihood,
    "bernoulli": BernoulliLikelihood,
}


class VariationalNetwork(nn.Module):
    """An encoder to distributions of codes, a decoder, and the likelihood of what it gives.

    Standardized rows may be followed by the columns of a condition, which the decoder takes
    after the code; the encoder does not see them.
    """

    def __init__(
        self,
        encoder: VariationalEncoder,
        decoder: Decoder,
        likelihood: Likelihood,
        binarize: Binarize | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = likelihood
        self.binarize = binarize
        self.draw = DrawCode()

    def train(self, mode: bool = True) -> "VariationalNetwork":
        # Asked before every batch; a walk through all modules costs as much as a small layer.
        return self if mode == self.training else super().train(mode)

    def forward(self, rows: Tensor) -> VariationalOutput:
        Z, condition = self.split(rows)
        if self.binarize is not None:
            Z = self.binarize(Z)
        mean, log_variance = self.encoder.posterior(Z)
        code = self.draw(mean, log_variance)
        preactivation = self._decode(code, condition)
        return VariationalOutput(mean, log_variance, code, self.likelihood(preactivation, Z))

    def reconstruct(self, rows: Tensor) -> Tensor:
        """Return the standardized rows that the means of their codes stand for."""
        Z, condition = self.split(rows)
        preactivation = self._decode(self.encoder.from_standardized(Z), condition)
        return self.decoder.to_standardized(preactivation)

    def log_weights(self, rows: Tensor, noise: Tensor) -> Tensor:
        """Return log p(row, code) - log q(code | row) for several codes of each row.

        The logarithm of the weights' mean estimates that of the rows' density: Burda et al.
        2016, arXiv:1509.00519.

        Parameters
        ----------
        rows : Tensor of shape (batch, n_features + n_conditions)
        noise : Tensor of shape (n_draws, n_components)
            Standard normal numbers, that draw the codes of all rows.

        Returns
        -------
        Tensor of shape (batch, n_draws)

        Notes
        -----
        The encoder knows nothing of what is missing, and is too sure of the codes of rows with
        holes. Half of theirs are drawn from the prior: a defensive mixture, Hesterberg 1995,
        doi:10.1080/00401706.1995.10484303.
        """
        code, mean, log_variance, log_likelihood = self._draws(rows, noise, defensive=True)
        log_prior = -0.5 * code.square().sum(dim=2)  # (batch, n_draws), but for a constant
        squares = (code - mean[:, None]).square() * (-log_variance).exp()[:, None]
        log_q = -0.5 * (squares.sum(dim=2) + log_variance.sum(dim=1, keepdim=True))
        has_holes = rows.isnan().any(dim=1, keepdim=True)
        mixed = torch.logaddexp(log_q, log_prior) - math.log(2)
        return log_likelihood + log_prior - torch.where(has_holes, mixed, log_q)

    def lower_bounds(self, rows: Tensor, noise: Tensor) -> Tensor:
        """Return log p(row | code) - KL for several codes of each row: the evidence lower bound.

        Parameters and result are those of `log_weights`.
        """
        _, mean, log_variance, log_likelihood = self._draws(rows, noise)
        return log_likelihood - kl_divergence(mean, log_variance)[:, None]

    def _draws(
        self, rows: Tensor, noise: Tensor, *, defensive: bool = False
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        Z, condition = self.split(rows)
        mean, log_variance = self.encoder.posterior(Z)
        code = mean[:, None] + (0.5 * log_variance).exp()[:, None] * noise
        if defensive:
            of_prior = torch.arange(len(noise), device=noise.device)[:, None] >= len(noise) // 2
            has_holes = Z.isnan().any(dim=1)[:, None, None]
            code = torch.where(has_holes & of_prior, noise, code)
        shape = code.shape[:2]  # (batch, n_draws)
        condition = condition[:, None].expand(*shape, -1)
        preactivation = self._decode(code.flatten(0, 1), condition.flatten(0, 1))
        log_likelihood = self.likelihood(preactivation.unflatten(0, shape), Z[:, None])
        return code, mean, log_variance, log_likelihood

    def split(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return standardized rows and the columns of their condition."""
        n_features = self.encoder.standardize.mean.shape[-1]
        return rows[..., :n_features], rows[..., n_features:]

    def _decode(self, code: Tensor, condition: Tensor) -> Tensor:
        if condition.shape[-1]:
            code = torch.cat([code, condition], dim=-1)
        return self.decoder.preactivation(code).to(code.dtype)


class EvidenceLoss(ReconstructionLoss):
    """Minus the evidence lower bound in nats, its divergence times ``beta``.

    Summed over columns and codes. ``beta`` rises from zero in the first share ``warm_up`` of a
    training (Bowman et al. 2016, arXiv:1511.06349); rows held out are judged by all of it.
    Higgins et al. 2017, https://openreview.net/forum?id=Sy2fzU9gl.
    """

    has_own_unit = True  # a density may be of any size

    def __init__(self, standardize: Standardize, beta: float = 1.0, warm_up: float = 0.0) -> None:
        super().__init__(standardize)
        self.beta = beta
        self.warm_up = warm_up

    def beta_now(self) -> float:
        """Return the weight of the divergence at this point of the training."""
        return self.beta * (min(1.0, self.progress / self.warm_up) if self.warm_up else 1.0)

    # The record is that of the network that this loss belongs to.
    def training_rows(self, output: VariationalOutput, Z: Tensor) -> Tensor:
        return self._losses(output, self.beta_now())

    def rows(self, output: VariationalOutput, Z: Tensor) -> Tensor:  # type: ignore[override]
        return self._losses(output, self.beta)

    def _losses(self, output: VariationalOutput, beta: float) -> Tensor:
        divergence = kl_divergence(output.mean, output.log_variance)
        return beta * divergence - output.log_likelihood
