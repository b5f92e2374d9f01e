"""VariationalAutoencoderTransformer: an autoencoder with a density, for scikit-learn."""

import copy
import math
from collections import OrderedDict
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
import scipy.sparse as sp
import torch
from scipy.special import logit, logsumexp
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted
from torch import nn

from ._fitting import (
    DTYPES,
    LEAST_SCALE,
    TRAINING_CONSTRAINTS,
    Start,
    check_rows,
    different_rows,
    fit_network,
    fit_seed,
    layer_sizes,
    or_as_before,
    refuse_idle_settings,
    refuse_if_set,
    refuse_other_structure,
    says_how_to_reshape,
    structure_of,
    training_settings,
    validated_rows,
)
from ._principal_axes import principal_axes
from ._reconstruction import explained_share
from ._rows import StandardizedRows, dense_chunks, mean_and_scale
from ._seeding import global_torch_seed, torch_generator
from ._threads import single_thread
from ._training import apply
from .nn import (
    ACTIVATIONS,
    LIKELIHOODS,
    NORMALIZATIONS,
    Binarize,
    Decoder,
    EvidenceLoss,
    GaussianLikelihood,
    SkipConnection,
    Standardize,
    VariationalEncoder,
    VariationalNetwork,
    linear,
    mlp,
)

_DECODED_VALUES = 2**18  # of the draws that are decoded at one time
_EDGE = 0.01  # how near to 0 and 1 the probabilities start
_START_ROWS, _START_VALUES = 4096, 2**23  # that a Bernoulli decoder's start is fitted to


class VariationalAutoencoderTransformer(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Dimensionality reduction by a variational autoencoder that starts at probabilistic PCA.

    A model of how rows come about: a code of a few standard normal numbers is drawn, a decoder
    maps it to a row, and noise is added. An encoder gives the distribution of the codes that a
    row may have come from, a normal one with a mean and a standard deviation for each code.
    Both are trained to make the rows likely [1]_: what is maximized is a lower bound of their
    log-likelihood, the expected log-likelihood of the row given its code less the divergence
    of the code's distribution from the standard normal one.

    Beyond what an autoencoder does, it draws new rows (`sample`), tells how likely a row is
    (`score_samples`), and how sure a code is (``transform(X, return_std=True)``).

    With ``init="pca"`` and normal noise this estimator *is* probabilistic PCA [2]_ before the
    first epoch, the optimum of the linear variational autoencoder [3]_. Training departs from
    there, and only as far as rows that were not trained on confirm: see `early_stopping`.

    Parameters
    ----------
    n_components : int, default=2
        Number of numbers in a code. Those that do not pay for their divergence stay unused:
        their means are near 0 and their standard deviations near 1 for all rows.

    hidden_layer_sizes : int or array-like of int, default=(256, 128)
        Widths of the encoder's hidden layers, from the rows to the codes. Empty for none.

    decoder_layer_sizes : int or array-like of int, default=None
        Widths of the decoder's hidden layers, from the codes to the rows. None mirrors
        ``hidden_layer_sizes``.

    activation : {"identity", "relu", "leaky_relu", "elu", "gelu", "silu", "tanh", \
            "logistic", "softplus"}, default="silu"
        What follows each hidden layer.

    likelihood : {"gaussian", "bernoulli"}, default="gaussian"
        How rows scatter about what is decoded. "gaussian" adds normal noise of one variance
        for all columns, which is learned. "bernoulli" takes the decoder's outputs for
        probabilities that a value is 1; X must lie in [0, 1], and values between count as
        both, weighted.

    beta : float, default=1.0
        Weight of the divergence. 1 is the lower bound of the log-likelihood; more gives codes
        that say less and are more independent of one another [4]_, less gives sharper
        reconstructions.

    warm_up : float, default=0.0
        Share of the steps, in [0, 1), over which the weight of the divergence rises from zero
        to ``beta``, so that codes are used before they have to pay for it [5]_. Rows held out
        are judged by the full weight throughout, and the patience of ``n_iter_no_change`` is
        longer by the epochs of the warm-up.

    binarize : bool, default=False
        Whether each value of a training row is drawn as 0 or 1, with the value as its
        probability, anew each time the row is seen [6]_; rows held out are drawn once. For
        ``likelihood="bernoulli"``. The methods take rows as they are: binarize those that
        `score_samples` shall compare with others' results.

    conditional : bool, default=False
        Whether the decoder is also given the ``y`` of `fit`, so that the code need not tell
        it [7]_. Labels (strings, integers, booleans) are given as a column for each class,
        floats and two-dimensional numbers as standardized columns. The encoder does not see
        them, so that `transform` needs no ``y``. With ``init="pca"`` the start ignores them.
        The other methods take a ``y``; without one, `sample`, `inverse_transform` and
        `score_samples` draw labels or average over them, as frequent as they were in training.

    init : {"pca", "random"}, default="pca"
        Where training starts. "pca" has linear paths beside the layers, which start at
        probabilistic PCA; for ``likelihood="bernoulli"`` the decoder's is fitted to the
        logits of its reconstructions. "random" is the textbook network, layer for layer,
        without a linear path, with torch's starting weights.

    dropout : float, default=0.0
        Share of the values of each hidden layer that are zeroed while training, in [0, 1).

    normalization : {"batch", "layer"}, default=None
        What the hidden layers are normalized by, before their activation: the statistics of
        the mini-batch or those of the row.

    alpha : float, default=0.0
        Weight decay: "adam", "nadam" and "radam" take the share ``learning_rate * alpha`` off
        every weight at each step, the other solvers add ``alpha`` times the weight to its
        gradient. Biases, the linear path and the variance of the noise are exempt.

    solver : {"adam", "sgd", "nadam", "radam", "adamax", "adagrad", "rmsprop"}, \
            default="adam"
        What changes the weights. "adam", "nadam" and "radam" decay weights apart from the
        gradient; "sgd" has a Nesterov momentum of 0.9, and wants a small
        ``learning_rate_init``, as the loss is a sum over columns.

    learning_rate : {"one_cycle", "cosine", "constant", "adaptive"}, default="one_cycle"
        How the step changes over the ``max_iter`` epochs. "cosine" falls to zero along half
        a cosine, "one_cycle" rises before over 5 % of the steps, and "adaptive" divides
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
        to all rows: with ``init="pca"``, probabilistic PCA. False trains ``max_iter`` epochs
        on all rows and keeps the last.

    validation_fraction : float or "auto", default="auto"
        Share of the rows to hold out. "auto" is 0.1 from 2000 rows on. Below, every row is
        held out once, in a five-fold cross-validation of the number of epochs, and a sixth
        training on all rows has that number of epochs.

    n_iter_no_change : int or "auto", default="auto"
        Epochs to wait for the validation loss to fall by ``tol``. "auto" is a sixth of
        ``max_iter``, and at least 10.

    tol : float, default=1e-4
        The least fall of a loss that counts, in nats per row.

    shuffle : bool, default=True
        Whether the rows are put in a new order for each epoch. Without, they keep that of X.

    warm_start : bool, default=False
        Whether another `fit` goes on from the weights of the last one, with its ``mean_``
        and ``scale_``.

    random_state : int, RandomState instance or None, default=None
        Decides the starting weights, the rows held out, the order of the rows and all that is
        drawn while training. An int gives the same result bit for bit on the same machine.
        None is different each time, without a draw from numpy's global generator.

    verbose : bool, default=False
        Whether to show a progress bar with the losses, on the standard error.

    device : {"auto", "cpu", "cuda", "mps"}, default="auto"
        Where to compute. "auto" takes a GPU if there is one. The fitted network is on the CPU.

    precision : {"float32", "bfloat16"}, default="float32"
        Of the matrix products of training. "bfloat16" has eight bits and is faster for large
        networks on processors that have instructions for it.

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
        The network, on the CPU. ``module_.encoder`` takes rows in the units of X and returns
        means of codes, ``module_.decoder`` the reverse; both are plain torch modules. With
        ``conditional=True`` the decoder takes codes followed by the columns of the condition.

    mean_ : ndarray of shape (n_features,)
        Means of the columns of the rows that ``module_`` was trained on.

    scale_ : float
        Root of their mean variance, in the units of X.

    noise_variance_ : float
        With ``likelihood="gaussian"`` only: the variance of the noise of each value, in the
        squared units of X, as in `sklearn.decomposition.PCA`.

    classes_ : ndarray of shape (n_classes,)
        With ``conditional=True`` and labels only: the labels.

    loss_curve_ : list of float
        Training loss of each epoch, in nats per row: minus the lower bound, the divergence
        times its weight at that time. The density is that of rows in units of ``scale_``.

    validation_loss_curve_ : list of float or None
        Loss of the rows held out with the full weight of the divergence, before the first
        epoch and after each. None without early stopping.

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
    AutoencoderTransformer : Codes without a distribution, and more kinds of networks.
    sklearn.decomposition.PCA : Has the density of probabilistic PCA, too.
    sklearn.mixture.GaussianMixture : A density of rows of few columns.

    Notes
    -----
    Equal rows are merged and weighted, so that a row and its copy are never on both sides
    of a validation; a fit does not depend on the order of the rows.

    Sparse rows stay sparse: only a mini-batch of them is dense at a time.

    References
    ----------
    .. [1] Kingma, D. P. & Welling, M. (2014). Auto-encoding variational Bayes. ICLR.
       :arxiv:`1312.6114`
    .. [2] Tipping, M. E. & Bishop, C. M. (1999). Probabilistic principal component analysis.
       Journal of the Royal Statistical Society B 61, 611-622. :doi:`10.1111/1467-9868.00196`
    .. [3] Lucas, J. et al. (2019). Don't blame the ELBO! A linear VAE perspective on posterior
       collapse. NeurIPS 32. :arxiv:`1911.02469`
    .. [4] Higgins, I. et al. (2017). beta-VAE: learning basic visual concepts with a constrained
       variational framework. ICLR. https://openreview.net/forum?id=Sy2fzU9gl
    .. [5] Bowman, S. R. et al. (2016). Generating sentences from a continuous space. CoNLL.
       :arxiv:`1511.06349`
    .. [6] Burda, Y., Grosse, R. & Salakhutdinov, R. (2016). Importance weighted autoencoders.
       ICLR. :arxiv:`1509.00519`
    .. [7] Sohn, K., Lee, H. & Yan, X. (2015). Learning structured output representation using
       deep conditional generative models. NeurIPS 28.
       https://papers.nips.cc/paper/2015/hash/8d55a249e6baa5c06772297520da2051-Abstract.html

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from skae import VariationalAutoencoderTransformer
    >>> X, y = load_digits(return_X_y=True)
    >>> vae = VariationalAutoencoderTransformer(2, max_iter=10, random_state=0).fit(X)
    >>> codes, deviations = vae.transform(X, return_std=True)
    >>> codes.shape, deviations.shape
    ((1797, 2), (1797, 2))
    >>> bool(vae.score_samples(X).mean() > PCA(2).fit(X).score(X) + 10)
    True
    >>> vae.sample(5, random_state=0).shape
    (5, 64)
    """

    _parameter_constraints: ClassVar[dict] = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "decoder_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left"), None],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "likelihood": [StrOptions(set(LIKELIHOODS))],
        "beta": [Interval(Real, 0, None, closed="neither")],
        "warm_up": [Interval(Real, 0, 1, closed="left")],
        "binarize": ["boolean"],
        "conditional": ["boolean"],
        "init": [StrOptions({"pca", "random"})],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "normalization": [StrOptions(set(NORMALIZATIONS)), None],
        **TRAINING_CONSTRAINTS,
    }

    # What decides how the network is built, which can't change while it is trained on.
    _structural: ClassVar[tuple[str, ...]] = (
        "n_components",
        "hidden_layer_sizes",
        "decoder_layer_sizes",
        "activation",
        "likelihood",
        "conditional",
        "init",
        "dropout",
        "normalization",
    )

    def __init__(
        self,
        n_components=2,
        *,
        hidden_layer_sizes=(256, 128),
        decoder_layer_sizes=None,
        activation="silu",
        likelihood="gaussian",
        beta=1.0,
        warm_up=0.0,
        binarize=False,
        conditional=False,
        init="pca",
        dropout=0.0,
        normalization=None,
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
        self.likelihood = likelihood
        self.beta = beta
        self.warm_up = warm_up
        self.binarize = binarize
        self.conditional = conditional
        self.init = init
        self.dropout = dropout
        self.normalization = normalization
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

        y : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
            What the decoder is given beside the code: labels, or columns of numbers. Used with
            ``conditional=True`` only.

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
            If a parameter, X or y is not what is expected, if parameters exclude each other,
            or if training diverges without early stopping.
        """
        with or_as_before(self):
            return self._fit(X, y, sample_weight)

    def _fit(self, X, y, sample_weight):
        resumed = self.warm_start and hasattr(self, "module_")
        self._check_combination()
        if resumed:
            refuse_other_structure(self, self._structural, self._structure)
        X, weight = check_rows(self, X, sample_weight, reset=not resumed)
        self._check_data(X if weight.all() else X[weight > 0])
        condition, rows = self._fit_condition(X, y, weight, resumed)
        indices, weight = different_rows(rows, weight, shuffle=self.shuffle)
        settings = training_settings(self, len(indices))
        patience = settings.n_iter_no_change + math.ceil(self.warm_up * settings.max_iter)
        settings = replace(settings, n_iter_no_change=patience)
        foreign = self.callbacks is not None  # which may draw from torch's global generator
        with (
            single_thread(False),
            torch.inference_mode(False),
            global_torch_seed(settings.seed) if foreign else nullcontext(),
        ):
            fitted = fit_network(
                partial(self._start, X, rows, settings.seed, resumed),
                indices,
                weight,
                settings,
                early_stopping=self.early_stopping,
                validation_fraction=self.validation_fraction,
                resumed=resumed,
            )
        self._keep(fitted, condition, settings.seed)
        return self

    def _check_combination(self):
        """Refuse parameters that would have no effect or that contradict each other."""
        refuse_idle_settings(self)
        if self.likelihood != "bernoulli":
            refuse_if_set(self, "binarize", f"likelihood={self.likelihood!r} takes any numbers")
        if self.warm_up and self.learning_rate == "adaptive":
            raise ValueError(
                f"warm_up={self.warm_up} does not go with learning_rate='adaptive', which would "
                "take the rising weight of the divergence for a loss that no longer falls. Use "
                "another learning_rate, or warm_up=0."
            )
        if not (*layer_sizes(self.hidden_layer_sizes), *self._decoder_sizes()):
            for name in ("activation", "normalization", "dropout"):
                refuse_if_set(self, name, "there are no hidden layers")

    def _decoder_sizes(self):
        if self.decoder_layer_sizes is None:
            return layer_sizes(self.hidden_layer_sizes)[::-1]
        return layer_sizes(self.decoder_layer_sizes)

    def _check_data(self, X):
        """Refuse values that the likelihood does not know."""
        if self.likelihood == "bernoulli" and (X.min() < 0 or X.max() > 1):
            raise ValueError(
                f"X has values from {X.min():g} to {X.max():g}, but likelihood='bernoulli' "
                "expects them in [0, 1]. Scale X (sklearn.preprocessing.MinMaxScaler), or use "
                "likelihood='gaussian'."
            )

    def _fit_condition(self, X, y, weight, resumed):
        """Return what turns y into columns for the decoder, and X with these beside it."""
        if not self.conditional:
            return None, X
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y "
                "is None. Give a label or columns of numbers for each row, or set "
                "conditional=False."
            )
        check_consistent_length(X, y)
        y = _conditions_in(y)
        counts = weight > 0
        if resumed:
            condition = self._condition
        else:
            kind = _Labels if y.ndim == 1 and y.dtype.kind != "f" else _Numbers
            condition = kind(y[counts], weight[counts])
        known = condition.encode(y[counts])
        columns = np.zeros((len(y), known.shape[1]))
        columns[counts] = known
        return condition, _beside(X, columns)

    def _start(self, X, rows, seed, resumed, indices, weight) -> Start:
        """Return a network before training, its loss and its standardized rows."""
        if resumed:
            network, mean, scale = copy.deepcopy(self.module_), self.mean_, self.scale_
            network.binarize = self._binarize(network.encoder.standardize)
        else:
            mean, scale = mean_and_scale(X, indices, weight)
            scale = scale if scale > LEAST_SCALE else 1.0  # constant columns need none
            n_conditions = rows.shape[1] - X.shape[1]
            network = self._network(mean, scale, n_conditions, torch_generator(seed))
            _START[self.init, self.likelihood](network, X, indices, weight, mean, scale, self.beta)
        loss = EvidenceLoss(network.encoder.standardize, self.beta, self.warm_up)
        kind = StandardizedRows if rows is X else _ConditionedRows
        return Start(network, loss, kind(rows, indices, weight, mean, scale))

    def _network(self, mean, scale, n_conditions, generator):
        """Return a network of random layers, with linear paths of zeros beside them for PCA."""
        n_features, n_inputs = len(mean), self.n_components + n_conditions
        sizes = (n_features, *layer_sizes(self.hidden_layer_sizes), 2 * self.n_components)
        standardize = Standardize(
            torch.as_tensor(mean, dtype=torch.float32),
            torch.as_tensor(scale, dtype=torch.float32),
        )
        encoder = VariationalEncoder(standardize, self._body(sizes, generator))
        body = self._body((n_inputs, *self._decoder_sizes(), n_features), generator)
        likelihood = LIKELIHOODS[self.likelihood](standardize)
        output = likelihood.output_activation
        decoder = Decoder(standardize, body, None if output is None else output())
        return VariationalNetwork(encoder, decoder, likelihood, self._binarize(standardize))

    def _binarize(self, standardize):
        return Binarize(standardize) if self.binarize else None

    def _body(self, sizes, generator):
        """Return the layers of the encoder or the decoder."""
        pca = self.init == "pca"
        layers = None
        if not pca or len(sizes) > 2:
            layers = mlp(
                sizes,
                self.activation,
                generator=generator,
                zero_last=pca,
                normalization=self.normalization,
                dropout=self.dropout,
            )
        if not pca:
            return layers
        path = linear(sizes[0], sizes[-1], generator=generator, zero=True)
        if layers is None:
            return nn.Sequential(OrderedDict(linear_path=path))
        return SkipConnection(path, layers)

    def _keep(self, fitted, condition, seed):
        """Set the fitted attributes, all at once."""
        network = fitted.start.network.eval()
        self.mean_, self.scale_ = fitted.start.rows.mean, fitted.start.rows.scale
        self.loss_curve_ = fitted.loss_curve
        self.validation_loss_curve_ = fitted.validation_loss_curve
        self.n_iter_, self.best_iter_ = len(fitted.loss_curve), fitted.best_iter
        for name in ("noise_variance_", "classes_"):
            self.__dict__.pop(name, None)
        if isinstance(network.likelihood, GaussianLikelihood):
            self.noise_variance_ = network.likelihood.variance().item() * self.scale_**2
        if isinstance(condition, _Labels):
            self.classes_ = condition.classes
        self.module_ = network
        self._structure = structure_of(self, self._structural)
        self._condition = condition
        self._seed = seed
        # Of the network, not of n_components, which may be set to something else after a fit.
        with single_thread(True), torch.inference_mode():
            code = network.encoder.from_standardized(torch.zeros(1, len(self.mean_)))
        self._n_features_out = code.shape[1]

    def transform(self, X, return_std=False):
        """Encode rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training rows.

        return_std : bool, default=False
            Whether to return standard deviations, too.

        Returns
        -------
        codes : ndarray of shape (n_samples, n_components)
            The mean of each code's distribution given the row, in the dtype of X (float32 or
            float64). Codes of all rows together are about standard normal.

        deviations : ndarray of shape (n_samples, n_components)
            Its standard deviation: near 0 for a code that is sure, near 1 for one that the row
            says nothing about. Only with ``return_std=True``.
        """
        check_is_fitted(self)
        X = self._validate_rows(X)
        both = self._apply(_posterior, X, before=self._standardized)
        codes, deviations = np.split(both, 2, axis=1)
        return (codes, deviations) if return_std else codes

    def inverse_transform(self, X, y=None):
        """Decode codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Codes as `transform` returns them.

        y : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
            With ``conditional=True``: what the rows shall have as ``y``. None averages over the
            labels, weighted by how frequent they were in training; numbers can't be averaged
            over.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            The mean of the rows with these codes, in the units of the training rows.

        Raises
        ------
        ValueError
            If X has another number of columns than there are components, or if y is missing,
            unknown or without effect.
        """
        check_is_fitted(self)
        with says_how_to_reshape(X):
            X = check_array(X, dtype=DTYPES, input_name="X")
        if X.shape[1] != self._n_features_out:
            raise ValueError(
                f"X has {X.shape[1]} features, but {type(self).__name__}.inverse_transform "
                f"expects codes with {self._n_features_out}, as transform returns them."
            )
        self._refuse_idle_condition(y)
        if y is None and isinstance(self._condition, _Labels):
            return sum(
                share * self._decoded(self._with_condition(X, labels))
                for labels, share in self._condition.alternatives(len(X))
            )
        return self._decoded(self._with_condition(X, y))

    def sample(self, n_samples=1, y=None, *, noise=False, random_state=None):
        """Draw new rows: codes from the standard normal distribution, decoded.

        Parameters
        ----------
        n_samples : int, default=1
            How many.

        y : str, number or array-like, default=None
            With ``conditional=True``: what the rows shall have as ``y``, one label (or row of
            numbers) for all of them or one for each. None draws labels as they were frequent in
            training; numbers must be given.

        noise : bool, default=False
            Whether to add the noise of the likelihood, which rows that shall be distributed as
            the training rows need: normal noise, or draws of 0 and 1. Without, rows are means,
            as pictures are mostly shown.

        random_state : int, RandomState instance or None, default=None
            Where the draws come from. None is different each time, without a draw from numpy's
            global generator.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Rows in the units of the training rows.

        Raises
        ------
        ValueError
            If ``n_samples`` is not a positive integer, or if y is missing, unknown or without
            effect.
        """
        check_is_fitted(self)
        if not isinstance(n_samples, Integral) or n_samples < 1:
            raise ValueError(f"n_samples={n_samples!r} must be a positive integer.")
        self._refuse_idle_condition(y)
        generator = torch_generator(fit_seed(random_state))
        shape = (int(n_samples), self._n_features_out)
        codes = torch.empty(shape, dtype=torch.float64).normal_(generator=generator).numpy()
        if self._condition is not None:
            y = self._condition.for_each(y, n_samples, generator)
        rows = self._decoded(self._with_condition(codes, y))
        if noise:
            draw = self.module_.likelihood.draw
            rows = draw(torch.from_numpy(rows), self.scale_, generator).numpy()
        return rows

    def score(self, X, y=None, sample_weight=None):
        """Return the share of the variance of X that its reconstruction explains.

        A row is rebuilt from the mean of its code, which is nearer to zero than PCA's: noise
        explains a part of what is unusual. The number is comparable with those of
        `AutoencoderTransformer` and `sklearn.decomposition.PCA`, though it is not what is
        maximized; see `score_samples`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training rows, at least two.

        y : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
            As in `fit`; needed with ``conditional=True``, ignored otherwise.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative.

        Returns
        -------
        float
            R², at most 1 (a perfect reconstruction); 0 is as good as the mean of X.
        """
        errors = self.reconstruction_error(X, y)
        return explained_share(errors, self._validate_rows(X), sample_weight)

    def score_samples(self, X, y=None, *, n_draws=100):
        """Estimate the log-likelihood of each row.

        Codes are drawn from the distribution that the encoder gives, and the likelihoods of
        the row given them are averaged, each weighted by how much more likely the code is to
        be drawn by the model than by the encoder [1]_. The expectation of the estimate rises
        to the log-likelihood with the number of draws; with one draw, it is that of
        `evidence_lower_bound`. The same draws serve all rows and all calls.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training rows.

        y : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
            With ``conditional=True``: what the likelihood is conditioned on. None averages the
            likelihoods over the labels, weighted by how frequent they were in training;
            numbers can't be averaged over. Ignored otherwise.

        n_draws : int, default=100
            How many codes are drawn for each row.

        Returns
        -------
        ndarray of shape (n_samples,)
            In nats: log-densities in the units of X for normal noise, as
            `sklearn.decomposition.PCA.score_samples` gives them, and log-probabilities for
            Bernoulli outputs.

        References
        ----------
        .. [1] Burda, Y., Grosse, R. & Salakhutdinov, R. (2016). Importance weighted
           autoencoders. ICLR. :arxiv:`1509.00519`
        """
        check_is_fitted(self)
        if y is None and isinstance(self._condition, _Labels):
            X = self._validate_rows(X)
            parts = [
                self.score_samples(X, labels, n_draws=n_draws) + math.log(share)
                for labels, share in self._condition.alternatives(X.shape[0])
            ]
            return logsumexp(parts, axis=0)
        return self._evidence(_log_density, X, y, n_draws)

    def evidence_lower_bound(self, X, y=None, *, n_draws=100):
        """Estimate the lower bound of the log-likelihood that training maximizes, for each row.

        The mean log-likelihood of the row given codes drawn from the distribution that the
        encoder gives, less the divergence of this from the standard normal one.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training rows.

        y : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
            As in `fit`; needed with ``conditional=True``, ignored otherwise.

        n_draws : int, default=100
            How many codes are drawn for each row.

        Returns
        -------
        ndarray of shape (n_samples,)
            In nats, in the units of `score_samples`; how far it is below tells how far the
            encoder's distributions are from those that the decoder implies.
        """
        check_is_fitted(self)
        return self._evidence(_lower_bound, X, y, n_draws)

    def reconstruction_error(self, X, y=None, *, per_feature=False):
        """Return the squared error of each row's reconstruction, or of each of its values.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training rows.

        y : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
            As in `fit`; needed with ``conditional=True``, ignored otherwise.

        per_feature : bool, default=False
            Whether to return the error of each value, which tells the columns that make a row
            unusual, instead of their sum.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_features)
            Squared errors, in the squared units of X.
        """
        check_is_fitted(self)
        X = self._with_condition(self._validate_rows(X), y)
        errors = self._apply(
            _squared_errors if per_feature else _squared_error,
            X,
            before=self._standardized,
            after=lambda error: error * self.scale_**2,
        )
        return errors if per_feature else errors[:, 0]

    def _evidence(self, function, X, y, n_draws):
        """Apply a function of the network, rows and draws that returns log-likelihoods."""
        if not isinstance(n_draws, Integral) or n_draws < 1:
            raise ValueError(f"n_draws={n_draws!r} must be a positive integer.")
        X = self._with_condition(self._validate_rows(X), y)
        noise = _spread_normal(n_draws, self._n_features_out, self._seed)
        unit = 0.0
        if self.module_.likelihood.is_density:
            unit = self.n_features_in_ * math.log(self.scale_)
        return self._apply(
            partial(function, noise=noise),
            X,
            before=self._standardized,
            after=lambda evidence: evidence - unit,
        )[:, 0]

    def _decoded(self, codes):
        """Return the rows of codes, with the condition beside them if there is one."""
        if self.module_.decoder.activation is not None:
            return self._apply(_decode, codes)
        # The mean is added in double precision, which it may need where it is far from zero.
        return self._apply(
            _decode_standardized, codes, after=lambda Z: Z * self.scale_ + self.mean_
        )

    def _validate_rows(self, X):
        return validated_rows(self, X, reset=False)

    def _refuse_idle_condition(self, y):
        if y is not None and self._condition is None:
            raise ValueError(
                f"y={y!r} has no effect, because {type(self).__name__} was fitted with "
                "conditional=False. Leave it out, or fit with conditional=True."
            )

    def _with_condition(self, X, y):
        """Return X, with the columns of the condition beside it if there is one."""
        if self._condition is None:
            return X
        if y is None:
            raise ValueError(
                f"y is None, but {type(self).__name__} was fitted with conditional=True: give "
                "the label or the columns of numbers of each row."
            )
        check_consistent_length(X, y)
        return _beside(X, self._condition.encode(y))

    def _standardized(self, rows):
        """Standardize rows, but for the columns of a condition."""
        n_features = len(self.mean_)
        Z = (rows[:, :n_features] - self.mean_) / self.scale_
        return Z if rows.shape[1] == n_features else np.hstack([Z, rows[:, n_features:]])

    def _apply(self, function, X, **steps):
        """Apply a part of the network."""
        return apply(function, self.module_, X, device=self.device, **steps)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.required = self.conditional
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class _ConditionedRows(StandardizedRows):
    """Standardized rows with the columns of a condition beside them, which are left as they are."""

    def _standardize(self, rows):
        n_features = len(self.mean)
        return np.hstack([super()._standardize(rows[:, :n_features]), rows[:, n_features:]])


class _Labels:
    """Labels as conditions: a column for each class."""

    def __init__(self, y, weight):
        try:
            self.classes, codes = np.unique(y, return_inverse=True)
        except TypeError as error:
            kinds = sorted({type(label).__name__ for label in y})
            raise ValueError(f"y has labels of several types, {kinds}; give one type.") from error
        self.shares = np.bincount(codes, weights=weight) / weight.sum()

    def encode(self, y):
        """Return an array of shape (n_samples, n_classes) of zeros and ones."""
        y = column_or_1d(y)
        numbers = {label: i for i, label in enumerate(self.classes.tolist())}
        unknown = sorted({label for label in y.tolist() if label not in numbers}, key=repr)
        if unknown:
            raise ValueError(
                f"y has the labels {unknown}, which were not there in fit; expected some of "
                f"{self.classes.tolist()}."
            )
        return np.eye(len(numbers))[[numbers[label] for label in y.tolist()]]

    def for_each(self, y, n_samples, generator):
        """Return one label for each row, if it is one for all or none."""
        if y is None:
            shares = torch.from_numpy(self.shares)
            return self.classes[torch.multinomial(shares, n_samples, True, generator=generator)]
        return np.full(n_samples, y) if np.ndim(y) == 0 else y

    def alternatives(self, n_samples):
        """Yield each label for all rows, and its share of the training rows."""
        for label, share in zip(self.classes, self.shares.tolist(), strict=True):
            yield np.full(n_samples, label), share


class _Numbers:
    """Columns of numbers as conditions, standardized."""

    def __init__(self, y, weight):
        y = _numbers(y)
        self.mean = np.average(y, axis=0, weights=weight)
        self.scale = np.sqrt(np.average(np.square(y - self.mean), axis=0, weights=weight))
        self.scale[self.scale <= 1e-12 * np.abs(self.mean)] = 1.0

    def encode(self, y):
        """Return an array of shape (n_samples, n_columns)."""
        y = _numbers(y)
        if y.shape[1] != len(self.mean):
            raise ValueError(f"y has {y.shape[1]} columns, but {len(self.mean)} were there in fit.")
        return (y - self.mean) / self.scale

    def for_each(self, y, n_samples, generator):
        """Return one row of numbers for each row, if it is one for all."""
        if y is None:
            return None
        y = np.asarray(y)
        one_for_all = y.ndim == 0 or (y.ndim == 1 and len(self.mean) > 1)
        return np.tile(y, (n_samples, 1)) if one_for_all else y


def _conditions_in(y):
    """Return y as an array of labels or numbers."""
    y = np.asarray(y)
    return y if y.ndim == 2 else column_or_1d(y)


def _numbers(y):
    y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
    return y.reshape(len(y), -1)


def _beside(X, condition):
    """Return X with the columns of a condition beside it, sparse if X is."""
    condition = condition.astype(X.dtype)
    if sp.issparse(X):
        return sp.hstack([X, sp.csr_array(condition)], format="csr")
    return np.hstack([X, condition])


def _start_at_random(network, X, indices, weight, mean, scale, beta):
    """Leave a network for normal noise as it is: standardized rows have zero mean."""


def _start_at_mean(network, X, indices, weight, mean, scale, beta):
    """Let a decoder of probabilities begin with those of the columns."""
    with torch.no_grad():
        network.decoder.body[-1].bias.copy_(
            torch.from_numpy(logit(np.clip(mean, _EDGE, 1 - _EDGE)))
        )


def _start_at_probabilistic_pca(network, X, indices, weight, mean, scale, beta):
    """Set the linear paths to probabilistic PCA: where a linear network can't get better.

    With a weight of the divergence, the posterior is that for a noise of ``beta`` times the
    variance. Lucas et al. 2019, arXiv:1911.02469.
    """
    into, out_of = network.encoder.body.linear_path, network.decoder.body.linear_path
    axes, variances, noise = _probabilistic_pca(
        X, indices, weight, mean, scale, beta, into.out_features // 2
    )
    network.likelihood.set_variance(noise)
    _start_encoder(into, axes, variances, beta * noise)
    with torch.no_grad():
        loadings = axes * np.sqrt(variances - beta * noise)[:, None]  # (n_codes, n_features)
        out_of.weight[:, : len(axes)] = torch.from_numpy(loadings.T)


def _start_near_probabilistic_pca(network, X, indices, weight, mean, scale, beta):
    """Set the linear paths to what is best where the likelihood is expanded about the means.

    To second order in the logits, the likelihood of probabilities p is that of normal noise of
    variance p (1 - p) in each column: probabilistic PCA of columns divided by its root.
    """
    n_rows = min(len(indices), _START_ROWS, max(64, _START_VALUES // len(mean)))
    sample = np.linspace(0, len(indices) - 1, n_rows).astype(int)
    rows = np.concatenate([rows for _, rows in dense_chunks(X, indices[sample])])
    share = weight[sample] / weight[sample].sum()
    p = np.clip(mean, _EDGE, 1 - _EDGE)
    deviation = np.sqrt(p * (1 - p))
    T = (rows - mean) / deviation
    into, out_of = network.encoder.body.linear_path, network.decoder.body.linear_path
    n_components = into.out_features // 2
    axes = principal_axes(T, np.arange(n_rows), share, np.zeros_like(mean), n_components)
    variances = share @ np.square(T @ axes.T)
    if network.binarize is not None:
        variances += np.square(axes) @ (share @ (rows * (1 - rows)) / deviation**2)
    used = variances > beta
    axes, variances, n_codes = axes[used], variances[used], np.count_nonzero(used)
    with torch.no_grad():
        _start_encoder(into, axes * scale / deviation, variances, beta)
        loadings = axes * np.sqrt(variances - beta)[:, None] / deviation
        out_of.weight[:, :n_codes] = torch.from_numpy(loadings.T)
        out_of.bias[:] = torch.from_numpy(logit(p))


def _probabilistic_pca(X, indices, weight, mean, scale, beta, n_components):
    """Return the axes, their variances and the variance of the noise, in standardized units.

    An axis is left out if its variance is no larger than that of the noise (times ``beta``).
    """
    n_features = len(mean)
    axes = principal_axes(X, indices, weight, mean, n_components)  # (rank, n_features)
    variances = np.zeros(len(axes))
    total = 0.0
    for chunk, rows in dense_chunks(X, indices):
        Z = (rows - mean) / scale
        variances += weight[chunk] @ np.square(Z @ axes.T)
        total += weight[chunk] @ np.square(Z).sum(axis=1)
    variances, total = variances / weight.sum(), total / weight.sum()
    least = 2 * GaussianLikelihood.least_variance
    noise, n_codes = max(total / n_features, least), 0
    for n in range(len(axes), 0, -1):
        left, freedom = total - variances[:n].sum(), n_features - n * beta
        if left <= least * n_features and freedom >= 0:
            found = least
        elif freedom > 0:
            found = max(left / freedom, least)
        else:
            continue
        if variances[n - 1] > beta * found:
            noise, n_codes = found, n
            break
    return axes[:n_codes], variances[:n_codes], noise


def _start_encoder(into, axes, variances, noise):
    """Set an encoder to the posterior of codes along axes of some variance, noise included."""
    n_components, n_codes = into.out_features // 2, len(axes)
    with torch.no_grad():
        gain = np.sqrt(variances - noise) / variances
        into.weight[:n_codes] = torch.from_numpy(axes * gain[:, None])
        log_variance = torch.from_numpy(np.log(noise / variances))
        into.bias[n_components : n_components + n_codes] = log_variance


# Where a network of random layers begins, by ``init`` and ``likelihood``.
_START = {
    ("pca", "gaussian"): _start_at_probabilistic_pca,
    ("pca", "bernoulli"): _start_near_probabilistic_pca,
    ("random", "gaussian"): _start_at_random,
    ("random", "bernoulli"): _start_at_mean,
}


def _posterior(network, Z):
    mean, log_variance = network.encoder.posterior(Z)
    return torch.cat([mean, (0.5 * log_variance).exp()], dim=1)


def _decode(network, codes):
    return network.decoder(codes)


def _decode_standardized(network, codes):
    return network.decoder.body(codes)


def _squared_errors(network, rows):
    reconstruction = network.reconstruct(rows)
    return (reconstruction - rows[:, : reconstruction.shape[1]]).square()


def _squared_error(network, rows):
    return _squared_errors(network, rows).sum(dim=1, keepdim=True)


def _log_density(network, rows, noise):
    """Return the logarithm of the mean weight of each row's draws, (n_rows, 1)."""
    parts = [weights.logsumexp(dim=1) for weights in _over_draws(network.log_weights, rows, noise)]
    return torch.cat(parts)[:, None] - math.log(len(noise))


def _lower_bound(network, rows, noise):
    """Return the mean bound of each row's draws, (n_rows, 1)."""
    parts = [bounds.mean(dim=1) for bounds in _over_draws(network.lower_bounds, rows, noise)]
    return torch.cat(parts)[:, None]


def _spread_normal(n_draws, n_components, seed):
    """Return standard normal draws that are more evenly spread than independent ones.

    Scrambled Sobol numbers: Buchholz et al. 2018, arXiv:1807.01604.
    """
    sobol = torch.quasirandom.SobolEngine(n_components, scramble=True, seed=seed)
    uniform = sobol.draw(n_draws, dtype=torch.float64)
    return torch.special.ndtri(uniform.clamp(2.0**-31, 1 - 2.0**-31))


def _over_draws(function, rows, noise):
    """Yield a function of rows and draws, (some rows, n_draws) in double precision."""
    n_codes = max(1, _DECODED_VALUES // rows.shape[1])  # that are decoded at one time
    noise = noise.to(rows)
    for some in rows.split(max(1, n_codes // len(noise))):
        parts = [function(some, draws).cpu().double() for draws in noise.split(n_codes)]
        yield torch.cat(parts, dim=1)
