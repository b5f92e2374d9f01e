"""AutoencoderTransformer: a dense autoencoder as a scikit-learn transformer."""

import copy
import inspect
import warnings
from collections import OrderedDict
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from numbers import Integral, Real
from typing import ClassVar, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from scipy.special import logit
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)
from torch import nn

from ._principal_axes import principal_axes
from ._rows import StandardizedRows, dense_chunks, mean_and_scale, merge_equal_rows
from ._seeding import draw_seed, global_torch_seed, torch_generator
from ._threads import single_thread
from ._training import (
    PRECISIONS,
    SCHEDULES,
    SOLVERS,
    TrainingSettings,
    apply,
    check_net_params,
    resolve_device,
    train,
    train_with_validation,
)
from .nn import (
    ACTIVATIONS,
    AbsoluteError,
    AutoencoderNetwork,
    CallableLoss,
    Decoder,
    Encoder,
    Gate,
    Huber,
    LogLoss,
    RowLoss,
    SkipConnection,
    SquaredError,
    Standardize,
    linear,
    mlp,
)

LOSSES: dict[str, type[RowLoss]] = {
    "squared_error": SquaredError,
    "absolute_error": AbsoluteError,
    "huber": Huber,
    "log_loss": LogLoss,
}

_DTYPES = [np.float64, np.float32]  # that are kept; others become the first

_EDGE = 0.01  # how near to its bounds a bounded output starts

# What an output activation is applied to, where it shall give X: where the start aims.
_INVERSES = {
    "logistic": lambda X: logit(np.clip(X, _EDGE, 1 - _EDGE)),
    "tanh": lambda X: np.arctanh(np.clip(X, _EDGE - 1, 1 - _EDGE)),
    "softplus": lambda X: np.log(np.expm1(np.clip(X, _EDGE, 500))),
}

_FEW_ROWS = 2000  # rows below which each of them validates once, in a cross-validation
_N_FOLDS = 5
_N_STEPS = 2000  # of the solver, that max_iter="auto" aims at
_START_ROWS = 4096  # rows that the start of a nonlinear output is fitted to


class _Start(NamedTuple):
    """A network before training, and the rows that it is to be trained on."""

    network: AutoencoderNetwork
    loss: RowLoss
    rows: StandardizedRows


class _Fitted(NamedTuple):
    """A trained network and how its training went."""

    start: _Start
    loss_curve: list[float]  # (n_epochs,)
    validation_loss_curve: list[float] | None  # (n_epochs + 1,)
    best_iter: int


class AutoencoderTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Dimensionality reduction by a dense autoencoder that starts at PCA.

    An encoder maps each row to a code of a few numbers, a decoder maps the code back to a
    row, and both are trained so that the row changes as little as possible [1]_. A linear
    autoencoder that minimizes the squared error spans the principal subspace [2]_; with
    hidden layers between, codes can follow curved surfaces, which PCA can't.

    With ``init="pca"`` the network is a linear path plus a nonlinear one,
    ``code = P x + f(x)`` and ``x = P' code + g(code)``. P starts at the principal axes and
    f and g start at zero: before the first epoch this estimator *is* PCA. Training departs
    from there, and only as far as rows that were not trained on confirm: see
    `early_stopping`.

    The network sees ``(X - mean) / scale`` with one scale for all columns, the root of their
    mean variance, so what it minimizes is the squared error in the units of X, as in PCA. To
    give columns of different units the same say, put a
    `sklearn.preprocessing.StandardScaler` before it.

    Parameters
    ----------
    n_components : int, default=2
        Number of numbers in a code. It may exceed the number of columns or rows; with
        ``init="pca"`` the codes beyond the rank of the data then start at zero.

    hidden_layer_sizes : int or array-like of int, default=(256, 128)
        Widths of the encoder's hidden layers, from the rows to the codes. Empty for none.

    decoder_layer_sizes : int or array-like of int, default=None
        Widths of the decoder's hidden layers, from the codes to the rows. None mirrors
        ``hidden_layer_sizes``.

    activation : {"identity", "relu", "leaky_relu", "elu", "gelu", "silu", "tanh", \
            "logistic", "softplus"}, default="silu"
        What follows each hidden layer.

    latent_activation : str, default="identity"
        What the code passes through, a name as in ``activation``. Any but "identity" makes
        the start a near relative of PCA: codes of unit variance through the activation, and
        a linear decoder fitted to them by least squares.

    output_activation : str, default=None
        What the reconstruction passes through, in the units of X: "logistic" bounds it to
        [0, 1], "relu" and "softplus" to positive numbers. A name as in ``activation``. None
        is "identity", and "logistic" for the log loss.

    loss : {"squared_error", "absolute_error", "huber", "log_loss"} or callable, \
            default="squared_error"
        What training minimizes, a mean over columns and rows. The first three are measured
        on standardized rows; the Huber loss is quadratic up to one ``scale_``. "log_loss"
        is the cross-entropy of X, which must lie in [0, 1], and of the probability that the
        network gives. A callable takes a reconstruction and the rows themselves, two tensors
        of shape (batch, n_features) in the units of X, and returns a tensor: a number for
        each value, for each row, or one for the batch, which must be a mean.

        The start does not depend on the loss: with ``init="pca"`` it is PCA, the minimum of
        the squared error, and the epochs are judged by the loss. For outputs that pass
        through an activation it is the least-squares fit to PCA's reconstruction before the
        activation.

    init : {"pca", "random"}, default="pca"
        Where training starts. "random" is the textbook network, layer for layer, without a
        linear path, with torch's starting weights: uniform up to ``1 / sqrt(n_in)``.

    encoder : torch.nn.Module or callable, default=None
        Takes the place of the encoder's layers: a module from standardized rows
        (batch, n_features) to codes (batch, n_components), of which a copy is trained, or a
        function of ``n_features`` and ``n_components`` that returns one. With
        ``init="pca"`` it is the nonlinear path, multiplied by a gain for each code that
        starts at zero [3]_; with ``init="random"`` it is the encoder.

    decoder : torch.nn.Module or callable, default=None
        Takes the place of the decoder's layers, from codes to standardized rows.

    alpha : float, default=0.0
        Weight decay: "adam", "nadam" and "radam" take the share ``learning_rate * alpha`` off
        every weight at each step, the other solvers add ``alpha`` times the weight to its
        gradient. Biases and the linear path are exempt: what decays is the departure from
        PCA. Large networks that are trained long want it, some 0.3.

    solver : {"adam", "sgd", "nadam", "radam", "adamax", "adagrad", "rmsprop"}, \
            default="adam"
        What changes the weights. "adam", "nadam" and "radam" decay weights apart from the
        gradient [4]_; "sgd" has a Nesterov momentum of 0.9.

    learning_rate : {"one_cycle", "cosine", "constant", "adaptive"}, default="one_cycle"
        How the step changes over the ``max_iter`` epochs. "cosine" falls to zero along half
        a cosine, "one_cycle" rises before over 5 % of the steps [5]_, and "adaptive" divides
        by five whenever the loss did not fall by ``tol`` in two epochs in a row (the
        validation loss with early stopping).

    learning_rate_init : float, default=0.003
        The largest step.

    batch_size : int or "auto", default="auto"
        Rows in a mini-batch. "auto" is a fortieth of the rows, at least 32 and at most 256.

    max_iter : int or "auto", default="auto"
        Epochs: how often each row is seen. "auto" aims at 2000 steps, with at least 20 and
        at most 300 epochs.

    early_stopping : bool, default=True
        Whether to hold rows out and keep the best epoch by their loss. The start counts as
        epoch 0 and is kept unless the best epoch lowers the loss of the rows held out
        significantly (a paired t-test, one-sided, at 1 %). What is kept at epoch 0 is fitted
        to all rows: with ``init="pca"``, PCA. False trains ``max_iter`` epochs on all rows
        and keeps the last.

    validation_fraction : float or "auto", default="auto"
        Share of the rows to hold out. "auto" is 0.1 from 2000 rows on. Below, every row is
        held out once, in a five-fold cross-validation of the number of epochs, and a sixth
        training on all rows has that number of epochs.

    n_iter_no_change : int or "auto", default="auto"
        Epochs to wait for the validation loss to fall by ``tol``. "auto" is a sixth of
        ``max_iter``, and at least 10.

    tol : float, default=1e-4
        The least fall of a loss that counts.

    shuffle : bool, default=True
        Whether the rows are put in a new order for each epoch. Without, they keep that of X.

    warm_start : bool, default=False
        Whether another `fit` goes on from the weights of the last one, with its ``mean_``
        and ``scale_``.

    random_state : int, RandomState instance or None, default=None
        Decides the starting weights, the rows held out and the order of the rows. An int
        gives the same result bit for bit on the same machine. None is different each time,
        without a draw from numpy's global generator.

    verbose : bool, default=False
        Whether to show a progress bar with the losses, on the standard error.

    device : {"auto", "cpu", "cuda", "mps"}, default="auto"
        Where to compute. "auto" takes a GPU if there is one. The fitted network is on the CPU.

    precision : {"float32", "bfloat16"}, default="float32"
        Of the matrix products of training. "bfloat16" has eight bits and is several times
        faster on processors that have instructions for it.

    callbacks : list of skorch.callbacks.Callback, default=None
        Called while the network is trained that becomes ``module_``. In a cross-validation
        each fold has copies of them; those that ask for the validation loss need a number
        as ``validation_fraction``, as the last training there holds no rows out.

    net_params : dict, default=None
        Further parameters of `skorch.NeuralNet`, such as
        ``{"optimizer__betas": (0.9, 0.99)}``.

    Attributes
    ----------
    module_ : torch.nn.Module
        The network, on the CPU. ``module_.encoder`` takes rows in the units of X and
        returns codes, ``module_.decoder`` the reverse; both are plain torch modules.

    mean_ : ndarray of shape (n_features,)
        Means of the columns of the rows that ``module_`` was trained on.

    scale_ : float
        Root of their mean variance, in the units of X.

    loss_curve_ : list of float
        Training loss of each epoch. The squared error is in units of ``scale_ ** 2``: the
        share of variance that is not explained.

    validation_loss_curve_ : list of float or None
        Loss of the rows held out, before the first epoch and after each. None without
        early stopping.

    n_iter_ : int
        Number of epochs that were run.

    best_iter_ : int
        Number of epochs after which ``module_`` is taken; 0 is the start.

    n_features_in_ : int
        Number of columns seen in `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, where all are strings.

    See Also
    --------
    sklearn.decomposition.PCA : The linear method that this one starts from.
    sklearn.decomposition.KernelPCA : PCA of a nonlinear map of the rows.
    compare : Both, and others, side by side on your data.

    Notes
    -----
    Equal rows are merged and weighted, so that a row and its copy are never on both sides
    of a validation; a fit does not depend on the order of the rows.

    Sparse rows stay sparse: only a mini-batch of them is dense at a time.

    The same bits for any number of threads are sure for small networks, which are trained
    on one thread. Large ones are trained on all threads that torch may use, and the order
    of sums depends on their number.

    References
    ----------
    .. [1] Hinton, G. E. & Salakhutdinov, R. R. (2006). Reducing the dimensionality of data
       with neural networks. Science 313, 504-507. :doi:`10.1126/science.1127647`
    .. [2] Baldi, P. & Hornik, K. (1989). Neural networks and principal component analysis:
       learning from examples without local minima. Neural Networks 2, 53-58.
       :doi:`10.1016/0893-6080(89)90014-2`
    .. [3] Bachlechner, T. et al. (2020). ReZero is all you need. :arxiv:`2003.04887`
    .. [4] Loshchilov, I. & Hutter, F. (2019). Decoupled weight decay regularization.
       :arxiv:`1711.05101`
    .. [5] Smith, L. N. & Topin, N. (2017). Super-convergence. :arxiv:`1708.07120`

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from skae import AutoencoderTransformer
    >>> X, _ = load_digits(return_X_y=True)
    >>> pca = PCA(2).fit(X)
    >>> print(f"{pca.explained_variance_ratio_.sum():.2f}")
    0.29
    >>> autoencoder = AutoencoderTransformer(2, max_iter=10, random_state=0).fit(X)
    >>> autoencoder.transform(X).shape
    (1797, 2)
    >>> autoencoder.score(X) > 0.45
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "decoder_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left"), None],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "latent_activation": [StrOptions(set(ACTIVATIONS))],
        "output_activation": [StrOptions(set(ACTIVATIONS)), None],
        "loss": [StrOptions(set(LOSSES)), callable],
        "init": [StrOptions({"pca", "random"})],
        "encoder": [nn.Module, callable, None],
        "decoder": [nn.Module, callable, None],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "solver": [StrOptions(set(SOLVERS))],
        "learning_rate": [StrOptions(set(SCHEDULES))],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "max_iter": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [StrOptions({"auto"}), Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "shuffle": ["boolean"],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "device": [StrOptions({"auto", "cpu", "cuda", "mps"})],
        "precision": [StrOptions(set(PRECISIONS))],
        "callbacks": [list, tuple, None],
        "net_params": [dict, None],
    }

    def __init__(
        self,
        n_components=2,
        *,
        hidden_layer_sizes=(256, 128),
        decoder_layer_sizes=None,
        activation="silu",
        latent_activation="identity",
        output_activation=None,
        loss="squared_error",
        init="pca",
        encoder=None,
        decoder=None,
        alpha=0.0,
        solver="adam",
        learning_rate="one_cycle",
        learning_rate_init=0.003,
        batch_size="auto",
        max_iter="auto",
        early_stopping=True,
        validation_fraction="auto",
        n_iter_no_change="auto",
        tol=1e-4,
        shuffle=True,
        warm_start=False,
        random_state=None,
        verbose=False,
        device="auto",
        precision="float32",
        callbacks=None,
        net_params=None,
    ):
        self.n_components = n_components
        self.hidden_layer_sizes = hidden_layer_sizes
        self.decoder_layer_sizes = decoder_layer_sizes
        self.activation = activation
        self.latent_activation = latent_activation
        self.output_activation = output_activation
        self.loss = loss
        self.init = init
        self.encoder = encoder
        self.decoder = decoder
        self.alpha = alpha
        self.solver = solver
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.shuffle = shuffle
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
        self.device = device
        self.precision = precision
        self.callbacks = callbacks
        self.net_params = net_params

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None):
        """Fit the autoencoder to X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.

        y : Ignored
            Not used, present for API consistency by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative. A row of weight two is the same as that row
            twice. None weighs all rows alike.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or X is not what is expected, if parameters exclude each other,
            or if training diverges without early stopping.
        """
        with _or_as_before(self):
            return self._fit(X, sample_weight)

    def _fit(self, X, sample_weight):
        resumed = self.warm_start and hasattr(self, "module_")
        X, weight = self._validate(X, sample_weight, reset=not resumed)
        indices, weight = merge_equal_rows(X, weight)
        if not self.shuffle:
            order = np.argsort(indices)
            indices, weight = indices[order], weight[order]
        settings = self._settings(len(indices))
        self._check_data(X)

        with single_thread(False), self._own_randomness(settings.seed):
            if self.early_stopping and len(indices) > 1:
                fitted = self._fit_with_validation(X, indices, weight, settings, resumed)
            else:
                start = self._start(X, indices, weight, settings.seed, resumed)
                curve = train(*start, settings).loss_curve
                fitted = _Fitted(start, curve, None, len(curve))

        self._keep(fitted)
        self.__dict__.pop("_solver_state", None)  # that of partial_fit, for other weights
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, sample_weight=None):
        """Train for one epoch on the rows of X, from where the last call ended.

        The first call decides what `fit` reads from all rows: the columns' means, the
        scale and, for ``init="pca"``, the principal axes. The learning rate is
        ``learning_rate_init`` throughout, and no rows are held out. The solver's moments
        are kept from call to call, though not in a pickle.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            A batch of training rows.

        y : Ignored
            Not used, present for API consistency by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or X is not what is expected, or if training diverges.
        """
        with _or_as_before(self):
            return self._partial_fit(X, sample_weight)

    def _partial_fit(self, X, sample_weight):
        resumed = hasattr(self, "module_")
        X, weight = self._validate(X, sample_weight, reset=not resumed)
        self._check_data(X)
        indices = np.flatnonzero(weight)
        settings = replace(self._settings(len(indices)), learning_rate="constant", max_iter=1)
        with single_thread(False), self._own_randomness(settings.seed):
            start = self._start(X, indices, weight[indices], settings.seed, resumed)
            solver, state = getattr(self, "_solver_state", (None, None))
            state = state if solver == self.solver else None
            curve, state = train(*start, settings, solver_state=state)
        curve = (list(self.loss_curve_) if resumed else []) + curve
        self._keep(_Fitted(start, curve, None, len(curve)))
        self._solver_state = (self.solver, state)
        return self

    def _validate(self, X, sample_weight, *, reset):
        """Return X and its weights as arrays, and refuse parameters that exclude each other."""
        X = validate_data(
            self,
            X,
            accept_sparse="csr",
            dtype=_DTYPES,
            reset=reset,
            ensure_min_samples=2 if reset else 1,
        )
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        if np.count_nonzero(weight) < min(2, X.shape[0]):
            raise ValueError(
                f"sample_weight is positive for {np.count_nonzero(weight)} of {len(weight)} "
                "rows, but AutoencoderTransformer needs at least two rows to fit."
            )
        self._check_combination()
        if sp.issparse(X) and not X.has_canonical_format:
            X = X.copy()
            X.sum_duplicates()
        return X, weight

    def _check_combination(self):
        """Refuse parameters that would have no effect or that contradict each other."""
        if self.loss == "log_loss" and self.output_activation not in (None, "logistic"):
            raise ValueError(
                f"output_activation={self.output_activation!r} does not go with "
                "loss='log_loss', whose outputs are probabilities. Leave it at None, or use "
                "another loss."
            )
        if self.encoder is not None and self.decoder is not None:
            for name in ("hidden_layer_sizes", "decoder_layer_sizes", "activation"):
                self._refuse_if_set(name, "encoder and decoder are both given as modules")
        elif self.decoder is not None:
            self._refuse_if_set("decoder_layer_sizes", "decoder is given as a module")
        elif self.encoder is not None and self.decoder_layer_sizes is not None:
            self._refuse_if_set(
                "hidden_layer_sizes", "the encoder is a module and the decoder has its own sizes"
            )
        decoder_sizes = () if self.decoder_layer_sizes is None else self.decoder_layer_sizes
        if not (*_layer_sizes(self.hidden_layer_sizes), *_layer_sizes(decoder_sizes)):
            self._refuse_if_set("activation", "there are no hidden layers")
        if not self.early_stopping:
            for name in ("validation_fraction", "n_iter_no_change"):
                self._refuse_if_set(name, "early_stopping=False holds no rows out")
            if self.learning_rate != "adaptive":
                self._refuse_if_set("tol", "nothing waits for the loss to fall")

    def _refuse_if_set(self, name, reason):
        """Raise an error if a parameter without effect differs from its default."""
        default = inspect.signature(type(self)).parameters[name].default
        value = getattr(self, name)
        if value is not default and not np.array_equal(value, default):
            raise ValueError(
                f"{name}={value!r} has no effect, because {reason}. Leave it at its default "
                f"{default!r}."
            )

    def _check_data(self, X):
        """Refuse values that the loss or the output can't express."""
        if self.loss == "log_loss":
            low, high = X.min(), X.max()
            if low < 0 or high > 1:
                raise ValueError(
                    f"X has values from {low:g} to {high:g}, but loss='log_loss' expects them "
                    "in [0, 1]. Scale X (sklearn.preprocessing.MinMaxScaler), or use another "
                    "loss."
                )

    def _settings(self, n_rows):
        """Resolve what is "auto" and gather what training needs to know."""
        batch_size = self.batch_size
        if batch_size == "auto":
            batch_size = int(np.clip(n_rows // 40, 32, 256))
        batch_size = min(batch_size, n_rows)
        max_iter = self.max_iter
        if max_iter == "auto":
            max_iter = int(np.clip(np.ceil(_N_STEPS * batch_size / n_rows), 20, 300))
        n_iter_no_change = self.n_iter_no_change
        if n_iter_no_change == "auto":
            n_iter_no_change = max(10, max_iter // 6)
        return TrainingSettings(
            solver=self.solver,
            learning_rate=self.learning_rate,
            learning_rate_init=self.learning_rate_init,
            alpha=self.alpha,
            batch_size=batch_size,
            max_iter=max_iter,
            n_iter_no_change=n_iter_no_change,
            tol=self.tol,
            shuffle=self.shuffle,
            device=resolve_device(self.device),
            precision=self.precision,
            verbose=bool(self.verbose),
            seed=self._seed(),
            callbacks=tuple(self.callbacks or ()),
            net_params=check_net_params(self.net_params),
        )

    def _seed(self):
        """Return the seed of a fit, without moving numpy's global generator."""
        if self.random_state is None:
            return int(np.random.default_rng().integers(2**31))
        return draw_seed(self.random_state)

    def _own_randomness(self, seed):
        """Return a block in which modules of the user's draw reproducible random numbers."""
        parts = (self.encoder, self.decoder, self.callbacks)
        foreign = callable(self.loss) or any(part is not None for part in parts)
        return global_torch_seed(seed) if foreign else nullcontext()

    def _fit_with_validation(self, X, indices, weight, settings, resumed):
        """Find the best epoch on rows not trained on, and return the network of that epoch.

        With few rows each of them is held out once, in a cross-validation, and a last
        training takes all of them through as many epochs as were found best, with the whole
        fall of the learning rate in these. With many, the network that was validated on a
        share of them is the result. Where no epoch is better than the start, the start on
        all rows is the result.
        """
        folds = self._folds(len(indices), settings.seed, resumed)
        starts, held_out = [], []
        for training, validation in folds:
            start = self._start(X, indices[training], weight[training], settings.seed, resumed)
            starts.append(start)
            held_out.append(
                StandardizedRows(
                    X, indices[validation], weight[validation], start.rows.mean, start.rows.scale
                )
            )
        curve, validation_curve, best_iter = train_with_validation(starts, held_out, settings)
        if best_iter > 0 and len(folds) == 1:
            start = starts[0]
        else:
            start = self._start(X, indices, weight, settings.seed, resumed)
        if best_iter > 0 and len(folds) > 1:
            train(*start, replace(settings, max_iter=best_iter))
        return _Fitted(start, curve, validation_curve, best_iter)

    def _folds(self, n_rows, seed, resumed):
        """Return pairs of rows to train on and rows to validate with, as positions."""
        order = np.random.RandomState(seed).permutation(n_rows)
        if self.validation_fraction == "auto" and n_rows < _FEW_ROWS and not resumed:
            parts = np.array_split(order, min(_N_FOLDS, n_rows))
        else:
            fraction = 0.1 if self.validation_fraction == "auto" else self.validation_fraction
            n_held_out = int(np.clip(round(fraction * n_rows), 1, n_rows - 1))
            parts = [order[:n_held_out]]
        everyone = np.arange(n_rows)
        return [(np.setdiff1d(everyone, part), np.sort(part)) for part in parts]

    def _start(self, X, indices, weight, seed, resumed) -> _Start:
        """Return a network before training and its standardized rows."""
        if resumed:
            network, mean, scale = copy.deepcopy(self.module_), self.mean_, self.scale_
        else:
            mean, scale = mean_and_scale(X, indices, weight)
            scale = scale or 1.0  # constant columns need no scale
            network = self._network(X, indices, weight, mean, scale, torch_generator(seed))
        standardize = network.encoder.standardize
        if isinstance(self.loss, str):
            loss = LOSSES[self.loss](standardize)
        else:
            loss = CallableLoss(standardize, self.loss)
        return _Start(network, loss, StandardizedRows(X, indices, weight, mean, scale))

    def _network(self, X, indices, weight, mean, scale, generator):
        """Build the network, at PCA if that is the start."""
        n_features = X.shape[1]
        encoder_sizes = _layer_sizes(self.hidden_layer_sizes)
        decoder_sizes = encoder_sizes[::-1]
        if self.decoder_layer_sizes is not None:
            decoder_sizes = _layer_sizes(self.decoder_layer_sizes)
        encode = self._body("encoder", (n_features, *encoder_sizes, self.n_components), generator)
        decode = self._body("decoder", (self.n_components, *decoder_sizes, n_features), generator)

        standardize = _standardize(mean, scale)
        encoder = Encoder(standardize, encode, ACTIVATIONS[self.latent_activation]())
        name = "logistic" if self.loss == "log_loss" else self.output_activation or "identity"
        axes = None
        if self.init == "pca":
            axes = principal_axes(X, indices, weight, mean, self.n_components)
        if name == self.latent_activation == "identity":
            decoder = Decoder(standardize, decode)
            if axes is not None:
                _start_at_axes(encoder, decoder, axes)
            return AutoencoderNetwork(encoder, decoder)

        sample = np.linspace(0, len(indices) - 1, min(len(indices), _START_ROWS)).astype(int)
        rows = np.concatenate([rows for _, rows in dense_chunks(X, indices[sample])])
        inverse = _INVERSES.get(name, np.asarray)
        if name == "identity":
            center, spread = mean, scale
            decoder = Decoder(standardize, decode)
        else:
            argument = inverse(rows)
            center, spread = argument.mean(axis=0), argument.std() or 1.0
            activation = ACTIVATIONS[name]()
            decoder = Decoder(standardize, decode, activation, _standardize(center, spread))
        if axes is not None:
            Z = (rows - mean) / scale  # (n_sampled, n_features)
            target = (inverse(Z @ axes.T @ axes * scale + mean) - center) / spread
            _start_near_axes(encoder, decoder, axes, Z, target, weight[sample])
        return AutoencoderNetwork(encoder, decoder)

    def _body(self, name, sizes, generator):
        """Return the layers of the encoder or the decoder: ours, or those the user gives."""
        given = getattr(self, name)
        pca = self.init == "pca"
        if given is None:
            if pca and len(sizes) == 2:
                path = linear(*sizes, generator=generator, zero=True)
                return nn.Sequential(OrderedDict(linear_path=path))
            body: nn.Module = mlp(sizes, self.activation, generator=generator, zero_last=pca)
        else:
            is_module = isinstance(given, nn.Module)
            body = copy.deepcopy(given) if is_module else given(sizes[0], sizes[-1])
            _check_module(name, body, sizes[0], sizes[-1])
            body = Gate(body, sizes[-1]) if pca else body
        if not pca:
            return body
        return SkipConnection(linear(sizes[0], sizes[-1], generator=generator, zero=True), body)

    def _keep(self, fitted):
        """Set the fitted attributes, all at once."""
        self.module_ = fitted.start.network.eval()
        self.mean_, self.scale_ = fitted.start.rows.mean, fitted.start.rows.scale
        self.loss_curve_ = fitted.loss_curve
        self.validation_loss_curve_ = fitted.validation_loss_curve
        self.n_iter_, self.best_iter_ = len(fitted.loss_curve), fitted.best_iter
        # Of the network, not of n_components, which may be set to something else after a fit.
        with single_thread(True), torch.inference_mode():
            code = _encode(self.module_, torch.zeros(1, len(self.mean_)))
        self._n_features_out = code.shape[1]

    def transform(self, X):
        """Encode rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training rows.

        Returns
        -------
        ndarray of shape (n_samples, n_components)
            Codes, in units of ``scale_``, in the dtype of X (float32 or float64).
        """
        check_is_fitted(self)
        X = self._validate_rows(X)
        return apply(_encode, self.module_, X, device=self._device(), before=self._standardized)

    def inverse_transform(self, X):
        """Decode codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Codes as `transform` returns them.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Reconstructed rows in the units of the training rows.

        Raises
        ------
        ValueError
            If X has another number of columns than there are components.
        """
        check_is_fitted(self)
        X = check_array(X, dtype=_DTYPES, input_name="X")
        if X.shape[1] != self._n_features_out:
            raise ValueError(
                f"X has {X.shape[1]} features, but {type(self).__name__}.inverse_transform "
                f"expects codes with {self._n_features_out}, as transform returns them."
            )
        if self.module_.decoder.activation is not None:
            return apply(_decode, self.module_, X, device=self._device())
        # The mean is added in double precision, which it may need where it is far from zero.
        return apply(
            _decode_standardized,
            self.module_,
            X,
            device=self._device(),
            after=lambda Z: Z * self.scale_ + self.mean_,
        )

    def score(self, X, y=None, sample_weight=None):
        """Return the share of the variance of X that its reconstruction explains.

        The same number for `sklearn.decomposition.PCA` is
        ``explained_variance_ratio_.sum()`` on the training rows, and
        `skae.metrics.reconstruction_r2` for any other transformer and any rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training rows, at least two.

        y : Ignored
            Not used, present for API consistency by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative.

        Returns
        -------
        float
            R², at most 1 (a perfect reconstruction); 0 is as good as the mean of X.
        """
        errors = -self.score_samples(X)
        X = self._validate_rows(X)
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        if X.shape[0] < 2:
            warnings.warn(
                "R² is not defined for a single row, which has no variance.",
                UndefinedMetricWarning,
                stacklevel=2,
            )
            return float("nan")
        _, scale = mean_and_scale(X, np.arange(X.shape[0]), weight)
        variance = scale**2 * X.shape[1]
        error = float(np.average(errors, weights=weight))
        if variance == 0:
            return float(np.isclose(error, 0))
        return 1 - error / variance

    def score_samples(self, X):
        """Return the negative squared error of each row's reconstruction.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Minus the sum over columns of the squared error, in the squared units of X; the
            lowest belong to the rows that the autoencoder knows least.
        """
        check_is_fitted(self)
        X = self._validate_rows(X)
        errors = apply(
            _squared_error,
            self.module_,
            X,
            device=self._device(),
            before=self._standardized,
            after=lambda error: error * self.scale_**2,
        )
        return -errors[:, 0]

    def _validate_rows(self, X):
        return validate_data(self, X, accept_sparse="csr", dtype=_DTYPES, reset=False)

    def _standardized(self, rows):
        return (rows - self.mean_) / self.scale_

    def _device(self):
        """Return where to apply the network: on the CPU if its device is not there any more."""
        try:
            return resolve_device(self.device)
        except ValueError:
            return "cpu"

    def __getstate__(self):
        state = super().__getstate__()
        state.pop("_solver_state", None)  # twice the size of the network
        return state

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


@contextmanager
def _or_as_before(estimator):
    """Undo all that a block changes of an estimator's attributes, if the block fails."""
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


def _encode(network, Z):
    return network.encoder.from_standardized(Z)


def _decode(network, code):
    return network.decoder(code)


def _decode_standardized(network, code):
    return network.decoder.body(code)


def _squared_error(network, Z):
    return (network(Z).reconstruction - Z).square().sum(dim=1, keepdim=True)


def _standardize(mean, scale):
    return Standardize(
        torch.tensor(mean, dtype=torch.float32), torch.tensor(scale, dtype=torch.float32)
    )


def _start_at_axes(encoder, decoder, axes):
    """Set the linear paths to principal axes (rank, n_features) and back: the start is PCA.

    Where the rank is less than the number of codes, the other codes start at zero.
    """
    with torch.no_grad():
        encoder.body.linear_path.weight[: len(axes)] = torch.from_numpy(axes)
        decoder.body.linear_path.weight[:, : len(axes)] = torch.from_numpy(axes.T)


def _start_near_axes(encoder, decoder, axes, Z, target, weight):
    """Set the linear paths as near to PCA as activations of code and output let them be.

    The encoder's takes the principal axes, scaled to codes of unit variance if an
    activation follows. The decoder's takes the least-squares map from the codes of some
    rows to what the output activation would have to be applied to.

    Parameters
    ----------
    encoder : Encoder
    decoder : Decoder
    axes : ndarray of shape (rank, n_features)
    Z : ndarray of shape (n_rows, n_features)
        Some standardized rows.
    target : ndarray of shape (n_rows, n_features)
        What the decoder's linear path should give for them.
    weight : ndarray of shape (n_rows,)
    """
    into, out_of = encoder.body.linear_path, decoder.body.linear_path
    if not isinstance(encoder.activation, nn.Identity):
        spread = (Z @ axes.T).std(axis=0)
        axes = axes / np.where(spread > 0, spread, 1)[:, None]
    with torch.no_grad():
        into.weight[: len(axes)] = torch.from_numpy(axes)
        codes = encoder.activation(into(torch.from_numpy(Z).float())).double().numpy()
        design = np.column_stack([codes, np.ones(len(codes))])
        root = np.sqrt(weight)[:, None]
        solution = np.linalg.lstsq(root * design, root * target, rcond=None)[0]
        out_of.weight[:] = torch.from_numpy(solution[:-1].T)
        out_of.bias[:] = torch.from_numpy(solution[-1])


def _check_module(name, module, n_in, n_out):
    """Refuse a user's part that is no module or does not give the columns that it has to."""
    if not isinstance(module, nn.Module):
        raise ValueError(
            f"{name} must be a torch.nn.Module or a function of the number of columns in and "
            f"out that returns one; the function returned {type(module).__name__}."
        )
    with torch.no_grad():
        try:
            shape = tuple(module.eval()(torch.zeros(2, n_in)).shape)
        except RuntimeError as error:
            raise ValueError(
                f"{name} fails on a batch of shape (2, {n_in}), as it will be given: {error}"
            ) from error
    module.train()
    if shape != (2, n_out):
        raise ValueError(
            f"{name} turns a batch of shape (2, {n_in}) into one of shape {shape}, but "
            f"(2, {n_out}) is expected."
        )


def _layer_sizes(sizes):
    """Return one number or several as a tuple of ints, each at least 1."""
    sizes = (sizes,) if isinstance(sizes, Integral) else tuple(sizes)
    for size in sizes:
        if not isinstance(size, Integral) or size < 1:
            raise ValueError(
                f"hidden_layer_sizes and decoder_layer_sizes must be positive integers; got "
                f"{size!r} in {sizes!r}."
            )
    return sizes
