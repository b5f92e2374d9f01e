"""Joint training: what all layers of a classifier learn at once, beside the labels.

A part for the parameter ``joint`` of `skae.StackedAutoencoderClassifier`, which without one
trains its layers one after the other.
"""

from collections.abc import Callable
from numbers import Real
from typing import ClassVar

from sklearn.utils._param_validation import Interval

from ._contract import BaseEstimator

__all__ = ["JOINT", "Ladder"]


class Ladder(BaseEstimator):
    """Denoising by all layers at once: the ladder network.

    An encoder with batch normalization has a twin that works on noisy rows, and whose layers are
    noisy too. A decoder goes back from the classes to the rows, and at each layer estimates the
    clean values from two things: what the layer above expects, and the noisy values themselves.
    Since it sees the details of each layer, the layers above need not carry them, and are free
    for what tells the classes apart [1]_. The cost of all denoising, of rows with and without a
    label, is added to the cross-entropy of the noisy twin's classes.

    Parameters
    ----------
    level : float, default=0.3
        Standard deviation of the noise on each layer's preactivations, which have unit variance.

    input_level : float, default=1.3
        Standard deviation of the noise on the rows, in units of the estimator's ``scale_``, the
        root of the mean variance of the columns.

    weights : array-like of float, default=(200.0, 10.0, 0.1)
        What the squared error of denoising counts: of the rows, of the first layer, and so on up
        to the classes; the last one is repeated for the layers that are left. Layers of weight 0
        below all others are not decoded, which saves time: ``(0, 0, 0, 1)`` is quick for two
        hidden layers and leaves only the classes to denoise.

    See Also
    --------
    skae.StackedAutoencoderClassifier : The classifier that takes it as ``joint``.
    skae.noise.GaussianNoise : Noise on the rows alone.

    References
    ----------
    .. [1] Rasmus, A. et al. (2015). Semi-supervised learning with ladder networks.
       :arxiv:`1507.02672`
    .. [2] Pezeshki, M. et al. (2016). Deconstructing the ladder network architecture.
       :arxiv:`1511.06430`

    Examples
    --------
    >>> from skae import StackedAutoencoderClassifier
    >>> from skae.joint import Ladder
    >>> classifier = StackedAutoencoderClassifier(joint=Ladder(level=0.2), unlabeled=-1)
    >>> classifier.get_params()["joint__level"]
    0.2
    """

    _parameter_constraints: ClassVar[dict] = {
        "level": [Interval(Real, 0, None, closed="left")],
        "input_level": [Interval(Real, 0, None, closed="left")],
        "weights": ["array-like", Interval(Real, 0, None, closed="left")],
    }

    def __init__(self, level=0.3, *, input_level=1.3, weights=(200.0, 10.0, 0.1)):
        self.level = level
        self.input_level = input_level
        self.weights = weights

    def noise_and_weights(self, n_layers) -> tuple[list[float], list[float]]:
        """Return the noise and the weight of the rows and of each layer.

        Parameters
        ----------
        n_layers : int
            Number of layers, that of the classes counted.

        Returns
        -------
        noise : list of float of length ``n_layers + 1``
            Standard deviations.
        weights : list of float of length ``n_layers + 1``
            What denoising counts.

        Raises
        ------
        ValueError
            If there are more weights than layers, or one is negative.
        """
        weights = [self.weights] if isinstance(self.weights, Real) else list(self.weights)
        if not 1 <= len(weights) <= n_layers + 1 or not all(
            isinstance(weight, Real) and float(weight) >= 0 for weight in weights
        ):
            raise ValueError(
                f"weights={self.weights!r} of the ladder must be 1 to {n_layers + 1} numbers, none "
                f"of them negative: for the rows and for {n_layers} layers, that of the classes "
                "counted."
            )
        weights += weights[-1:] * (n_layers + 1 - len(weights))
        return [self.input_level] + [self.level] * n_layers, [float(w) for w in weights]


# A name stands for the part with its defaults.
JOINT: dict[str, Callable[[], Ladder]] = {"ladder": Ladder}
