"""VariationalAutoencoderTransformer: an autoencoder with a density, for scikit-learn."""

import copy
import math
from collections import OrderedDict
from dataclasses import replace
from functools import partial
from numbers import Integral, Real
from typing import ClassVar, Literal, Self, overload

import numpy as np
import torch
from scipy.special import logsumexp
from sklearn.base import ClassNamePrefixFeaturesOutMixin
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted
from torch import nn

from ._assembly import n_codes_of, standardization
from ._checked_rows import DTYPES, check_rows, refuse_target, says_way_out, validated_rows
from ._conditions import (
    CodesGivenCondition,
    LabelCondition,
    condition_of,
    conditioned,
    count_labels,
)
from ._contract import TransformerMixin, _fit_context
from ._fitting import (
    LEAST_SCALE,
    TRAINING_CONSTRAINTS,
    Fit,
    Fitted,
    Start,
    Way,
    carry_out,
    fit_seed,
    fitting,
    layer_sizes,
    of_one_call,
    refuse_other_structure,
    structure_of,
    training_settings,
    undisturbed,
    validation_set,
)
from ._holding_out import FitRows
from ._idle import idle_settings, refuse_contradiction, warn_of_idle
from ._probabilistic_pca import STARTS
from ._progress import Watchable
from ._reconstruction import (
    by_column,
    decoded,
    dtype_of_squares,
    explained_share,
    holes_to_fill,
    in_columns,
    known_share,
)
from ._rows import StandardizedRows, Units, beside, fill_holes, mean_and_scale
from ._seeding import torch_generator
from ._training import apply, evaluate, train
from ._unit_interval import to_unit_interval
from .nn import (
    ACTIVATIONS,
    LIKELIHOODS,
    NORMALIZATIONS,
    Binarize,
    Decoder,
    EvidenceLoss,
    GaussianLikelihood,
    SkipConnection,
    VariationalEncoder,
    VariationalNetwork,
    linear,
    mlp,
)

_DECODED_VALUES = 2**18  # of the draws that are decoded at one time


class VariationalAutoencoderTransformer(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, Watchable
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
        both, weighted. `TableEncoder.likelihood` returns one more kind, for its matrix.

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

    missing : {"error", "mask"}, default="error"
        What to do with missing values (NaN) in dense X. "mask" gives the encoder the mean of the
        column for them, and counts the likelihood of the values that are known; `impute` fills
        them.

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

    validation_fraction : float, "auto", splitter or rows, default="auto"
        What to hold out, as a share of the rows. "auto" is 0.1 from 2000 rows on. Below, it is a
        five-fold cross-validation, of as many folds as it takes to hold out 250 rows, and a last
        training on all rows has the number of epochs that was best. With `groups` in `fit`, whole
        groups are held out. A splitter of scikit-learn, such as
        `sklearn.model_selection.TimeSeriesSplit`, decides it otherwise, and rows of your own, X or
        a tuple (X, y), are not trained on.

    n_iter_no_change : int or "auto", default="auto"
        Epochs to wait for the validation loss to fall by ``tol``. "auto" is a sixth of
        ``max_iter``, and at least 10.

    tol : float, default=1e-4
        The least fall of a loss that counts, in units of the rows' standard deviation before the
        first epoch.

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
        Bars of scikit-learn (`sklearn.callback.ProgressBar`) take its place.

    checkpoint : str, path-like or tuple (path, seconds), default=None
        A file in which `fit` writes down how far it is, at the end of an epoch: as often as takes
        no more than a twentieth of the time, or when the seconds have passed. A `fit` that finds
        it goes on from there, with the same parameters and rows only; when it ends, the file is
        removed. Each fit needs a path of its own, and a model file does not have it.

    device : {"auto", "cpu", "cuda", "mps"}, default="auto"
        Where to compute. "auto" takes a GPU if there is one. The fitted network is on the CPU.

    precision : {"float32", "bfloat16"}, default="float32"
        Of the matrix products of training. "bfloat16" has eight bits and is faster for large
        networks on processors that have instructions for it.

    callbacks : list of skorch.callbacks.Callback, default=None
        Called while the network is trained that becomes ``module_``. In a cross-validation
        each fold has copies of them; those that ask for the validation loss need a number
        as ``validation_fraction``, as the last training there holds no rows out.
        scikit-learn's own callbacks are set by `set_callbacks`.

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
        "likelihood": [StrOptions(set(LIKELIHOODS)), HasMethods(["of"])],
        "beta": [Interval(Real, 0, None, closed="neither")],
        "warm_up": [Interval(Real, 0, 1, closed="left")],
        "binarize": ["boolean"],
        "conditional": ["boolean"],
        "init": [StrOptions({"pca", "random"})],
        "missing": [StrOptions({"error", "mask"})],
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
        missing="error",
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
        checkpoint=None,
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
        self.missing = missing
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
        self.checkpoint = checkpoint
        self.device = device
        self.precision = precision
        self.callbacks = callbacks
        self.net_params = net_params

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None, groups=None) -> Self:
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

        groups : array-like of shape (n_samples,), default=None
            Which rows belong together, as those of one person do: they are held out together,
            and the test of `early_stopping` counts them as one. Of no effect where none are.

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
        with fitting(self, X, y, sample_weight, judged=not self.early_stopping):
            carry_out([self._to_fit(X, y, sample_weight, groups)])
        return self

    def _to_fit(self, X, y=None, sample_weight=None, groups=None) -> Fit:
        resumed = self.warm_start and hasattr(self, "module_")
        self._check_combination()
        if resumed:
            refuse_other_structure(self, self._structural, self._structure)
        X, weight = self._checked(X, sample_weight, reset=not resumed)
        condition = self._fit_condition(X, y, weight, resumed)
        given, validation = validation_set(self), None
        if given is not None:
            validation, ones = self._checked(given[0], None, reset=False)
            validation = conditioned(condition, validation, given[1], ones)
        rows = FitRows(
            conditioned(condition, X, y, weight),
            weight,
            shuffle=self.shuffle,
            y=y,
            groups=groups if self.early_stopping else None,
            validation=validation,
        )
        settings = training_settings(self, len(rows))
        patience = settings.n_iter_no_change + math.ceil(self.warm_up * settings.max_iter)
        settings = replace(settings, n_iter_no_change=patience)
        ways = [Way(partial(self._start, rows.X, settings.seed, resumed))]
        keep = partial(type(self)._keep, condition=condition, seed=settings.seed)
        return Fit(self, ways, rows, settings, keep, resumed)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, sample_weight=None, *, classes=None) -> Self:
        """Train for one epoch on the rows of X, from where the last call ended.

        The first call decides what `fit` reads from all rows: the columns' means, the scale, the
        start and, with ``conditional=True``, the classes. The learning rate is
        ``learning_rate_init`` throughout, and no rows are held out. The solver's moments are kept
        from call to call, as long as its settings are, though not in a pickle.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            A batch of training rows, at least two in the first call.

        y : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
            As in `fit`.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative.

        classes : array-like of shape (n_classes,), default=None
            With ``conditional=True``: all labels there will be, if the first call does not have
            all of them. Later calls leave them out.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, X or y is not what is expected, if a label is not among the classes,
            or if training diverges.
        """
        with fitting(self, X, y, sample_weight, judged=True, whole=False):
            return self._partial_fit(X, y, sample_weight, classes)

    def _partial_fit(self, X, y, sample_weight, classes):
        resumed = hasattr(self, "module_")
        self._check_combination()
        if resumed:
            refuse_other_structure(self, self._structural, self._structure)
        X, weight = self._checked(X, sample_weight, reset=not resumed)
        condition = copy.deepcopy(self._fit_condition(X, y, weight, resumed, classes))
        rows = FitRows(
            conditioned(condition, X, y, weight), weight, shuffle=self.shuffle, merge=False
        )
        settings = training_settings(self, len(rows))
        settings = of_one_call(settings, settings.learning_rate_init)
        if resumed:  # other noise than in the last call
            settings = replace(settings, seed=(settings.seed + self.n_iter_) % 2**31)
            count_labels(condition, y, weight)
        solver = (self.solver, self.alpha, repr(self.net_params))
        with undisturbed(self._parts(), settings.seed):
            start = self._start(rows.X, settings.seed, resumed, rows.indices, rows.weight)
            last_solver, state = getattr(self, "_solver_state", (None, None))
            state = state if solver == last_solver else None
            curve, state = train(*start, settings, solver_state=state)
            curve = (list(self.loss_curve_) if resumed else []) + curve
            before = self._codes if resumed else None
            self._keep(Fitted(start, curve, None, len(curve)), condition, settings.seed, before)
        self._solver_state = (solver, state)
        return self

    def _checked(self, X, sample_weight, *, reset):
        """Return training rows within what the likelihood knows, and their weights."""
        masked = self.missing == "mask"
        X, weight = check_rows(self, X, sample_weight, reset=reset, allow_nan=masked)
        return self._check_data(X, weight), weight

    def _check_combination(self):
        """Refuse parameters that contradict each other, and warn of those that are idle."""
        if self.likelihood != "bernoulli":
            reason = f"likelihood={self.likelihood!r} takes any numbers"
            refuse_contradiction(self, "binarize", reason)
        if self.warm_up and self.learning_rate == "adaptive":
            raise ValueError(
                f"warm_up={self.warm_up} does not go with learning_rate='adaptive', which would "
                "take the rising weight of the divergence for a loss that no longer falls. Use "
                "another learning_rate, or warm_up=0."
            )
        idle = list(idle_settings(self))
        if not (*layer_sizes(self.hidden_layer_sizes), *self._decoder_sizes()):
            idle.append(("there are no hidden layers", ["activation", "normalization", "dropout"]))
        warn_of_idle(self, idle)

    def _parts(self):
        return [self.callbacks]

    def _decoder_sizes(self):
        if self.decoder_layer_sizes is None:
            return layer_sizes(self.hidden_layer_sizes)[::-1]
        return layer_sizes(self.decoder_layer_sizes)

    def _check_data(self, X, weight):
        """Refuse values that the likelihood does not know, and mend what rounding did."""
        if self.likelihood != "bernoulli":
            return X
        return to_unit_interval(
            X, weight, reason="likelihood='bernoulli'", otherwise="use likelihood='gaussian'"
        )

    def _fit_condition(self, X, y, weight, resumed, classes=None):
        """Return what turns y into columns for the decoder, if there is a condition."""
        if not self.conditional:
            refuse_target(self, X, y)
            return None
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y "
                "is None. Give a label or columns of numbers for each row, or set "
                "conditional=False."
            )
        check_consistent_length(X, y)
        if resumed:
            return self._condition
        return condition_of(y, weight, classes)

    def _start(self, rows, seed, resumed, indices, weight) -> Start:
        """Return a network before training, its loss and its standardized rows."""
        n_features = self.n_features_in_
        n_conditions = rows.shape[1] - n_features
        if resumed:
            network, mean, scale = copy.deepcopy(self.module_), self.mean_, self.scale_
            network.binarize = self._binarize(network.encoder.standardize)
        else:
            X = rows[:, :n_features] if n_conditions else rows
            mean, scale = mean_and_scale(X, indices, weight)
            scale = scale if scale > LEAST_SCALE else 1.0  # constant columns need none
            network = self._network(mean, scale, n_conditions, torch_generator(seed))
            start = STARTS[self.init, type(network.likelihood)]
            start(network, fill_holes(X, mean), indices, weight, mean, scale, self.beta)
        loss = EvidenceLoss(network.encoder.standardize, self.beta, self.warm_up)
        kind = _ConditionedRows if n_conditions else _Rows
        return Start(network, loss, kind(rows, indices, weight, mean, scale))

    def _network(self, mean, scale, n_conditions, generator):
        """Return a network of random layers, with linear paths of zeros beside them for PCA."""
        n_features, n_inputs = len(mean), self.n_components + n_conditions
        sizes = (n_features, *layer_sizes(self.hidden_layer_sizes), 2 * self.n_components)
        standardize = standardization(mean, scale)
        encoder = VariationalEncoder(standardize, self._body(sizes, generator))
        body = self._body((n_inputs, *self._decoder_sizes(), n_features), generator)
        kind = LIKELIHOODS.get(self.likelihood) or self.likelihood.of  # that of a table
        likelihood = kind(standardize)
        decoder = Decoder(standardize, body, likelihood.output())
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

    def _keep(self, fitted, condition, seed, codes=None):
        """Set the fitted attributes, all at once."""
        self.mean_, self.scale_ = fitted.start.rows.mean, fitted.start.rows.scale
        network = fitted.shown_by(self)
        for name in ("noise_variance_", "classes_", "_solver_state"):
            self.__dict__.pop(name, None)
        if isinstance(network.likelihood, GaussianLikelihood):
            self.noise_variance_ = network.likelihood.variance().item() * self.scale_**2
        if isinstance(condition, LabelCondition):
            self.classes_ = condition.classes
        self.module_ = network
        self._structure = structure_of(self, self._structural)
        self._condition, self._codes = condition, codes
        if condition is not None:
            self._codes = _codes_given(network, fitted.start.rows, codes)
        self._seed = seed
        # Of the network, not of n_components, which may be set to something else after a fit.
        self._n_features_out = n_codes_of(network)

    @overload
    def transform(self, X, return_std: Literal[False] = False) -> np.ndarray: ...
    @overload
    def transform(self, X, return_std: Literal[True]) -> tuple[np.ndarray, np.ndarray]: ...
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
        both = self._apply(_posterior, X)
        codes, deviations = np.split(both, 2, axis=1)
        return (codes, deviations) if return_std else codes

    def inverse_transform(self, X, y=None) -> np.ndarray:
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
        with says_way_out(X):
            X = check_array(X, dtype=DTYPES, input_name="X")
        if X.shape[1] != self._n_features_out:
            raise ValueError(
                f"X has {X.shape[1]} features, but {type(self).__name__}.inverse_transform "
                f"expects codes with {self._n_features_out}, as transform returns them."
            )
        self._refuse_idle_condition(y)
        if y is None and isinstance(self._condition, LabelCondition):
            return sum(
                share * decoded(self, self._with_condition(X, labels))
                for labels, share in self._condition.alternatives(len(X))
            )
        return decoded(self, self._with_condition(X, y))

    def sample(self, n_samples=1, y=None, *, noise=False, random_state=None) -> np.ndarray:
        """Draw new rows: codes, decoded.

        Codes are drawn from the standard normal distribution, and with ``conditional=True`` from
        where those of the training rows lie, given y: a normal distribution whose mean is linear
        in the columns of y. So rows of a rare class are rows of that class.

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
            codes = self._codes.draw(self._encoded_condition(codes, y), codes)
        rows = decoded(self, self._with_condition(codes, y))
        if noise:
            draw = self.module_.likelihood.draw
            rows = draw(torch.from_numpy(rows), self.scale_, generator).numpy()
        return rows

    def impute(self, X, y=None):
        """Fill missing values from the reconstruction.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows in the units of the training rows; NaN is a missing value.

        y : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
            As in `fit`; needed with ``conditional=True``, ignored otherwise.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            X with a number for each missing value; all others are left as they are. A DataFrame
            if `set_output` says so.

        Raises
        ------
        ValueError
            If ``missing="mask"`` was not set: the autoencoder then takes no missing values.
        """
        check_is_fitted(self)
        given, X = X, holes_to_fill(self, X)
        rebuilt = self._apply(
            _rebuild,
            self._with_condition(X, y),
            after=Units(self.mean_, self.scale_).restore,
        )
        return in_columns(self, np.where(np.isnan(X), rebuilt, X), given)

    def score(self, X, y=None, sample_weight=None) -> float:
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

    def score_samples(self, X, y=None, *, n_draws=100) -> np.ndarray:
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
        if y is None and isinstance(self._condition, LabelCondition):
            X = self._validate_rows(X)
            parts = [
                self.score_samples(X, labels, n_draws=n_draws) + math.log(share)
                for labels, share in self._condition.alternatives(X.shape[0])
            ]
            return logsumexp(parts, axis=0)
        return self._evidence(_log_density, X, y, n_draws)

    def evidence_lower_bound(self, X, y=None, *, n_draws=100) -> np.ndarray:
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

    def reconstruction_error(self, X, y=None, *, per_feature=False) -> np.ndarray:
        """Return the squared error of each row's reconstruction, or of each of its values.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training rows.

        y : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
            As in `fit`; needed with ``conditional=True``, ignored otherwise.

        per_feature : bool or array-like of shape (n_features,), default=False
            Whether to return the error of each value, which tells the columns that make a row
            unusual, instead of their sum. Names of where the columns come
            from sum them by these, in order of appearance.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_features)
            Squared errors, in the squared units of X.
        """
        check_is_fitted(self)
        given, X = X, self._with_condition(self._validate_rows(X), y)
        errors = self._apply(
            _squared_error if per_feature is False else _squared_errors,
            X,
            after=lambda error: error.astype(np.float64) * self.scale_**2,
            result_dtype=dtype_of_squares(X, self.scale_),
        )
        return errors[:, 0] if per_feature is False else by_column(self, errors, given, per_feature)

    def _evidence(self, function, X, y, n_draws):
        """Apply a function of the network, rows and draws that returns log-likelihoods."""
        if not isinstance(n_draws, Integral) or n_draws < 1:
            raise ValueError(f"n_draws={n_draws!r} must be a positive integer.")
        X = self._validate_rows(X)
        noise = _spread_normal(n_draws, self._n_features_out, self._seed)
        evidence = self._apply(
            partial(function, noise=noise),
            self._with_condition(X, y),
            result_dtype=np.float64,
        )[:, 0]
        if self.module_.likelihood.is_density:  # whose unit is that of the known values
            n_known = known_share(X) * self.n_features_in_
            evidence -= n_known * math.log(self.scale_)
        return evidence.astype(X.dtype)

    def _validate_rows(self, X):
        return validated_rows(self, X, reset=False, allow_nan=self.missing == "mask")

    def _refuse_idle_condition(self, y):
        if y is not None and self._condition is None:
            raise ValueError(
                f"y={y!r} has no effect, because {type(self).__name__} was fitted with "
                "conditional=False. Leave it out, or fit with conditional=True."
            )

    def _with_condition(self, X, y):
        """Return X, with the columns of the condition beside it if there is one."""
        return X if self._condition is None else beside(X, self._encoded_condition(X, y))

    def _encoded_condition(self, X, y):
        """Return the columns of the condition of each row."""
        if y is None:
            raise ValueError(
                f"y is None, but {type(self).__name__} was fitted with conditional=True: give "
                "the label or the columns of numbers of each row."
            )
        check_consistent_length(X, y)
        return self._condition.encode(y)

    def _standardized(self, rows):
        """Standardize rows, but for the columns of a condition."""
        n_features = len(self.mean_)
        Z = Units(self.mean_, self.scale_).standardize(rows[:, :n_features])
        return Z if rows.shape[1] == n_features else np.hstack([Z, rows[:, n_features:]])

    def _apply(self, function, X, **steps):
        """Apply a part of the network to rows, which are standardized before."""
        before = self._standardized
        return apply(function, self.module_, X, device=self.device, before=before, **steps)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = self.missing == "mask"
        tags.target_tags.required = self.conditional
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class _Rows(StandardizedRows):
    """Standardized rows whose batches keep what is missing: the network knows of it."""

    fills_holes = False


class _ConditionedRows(_Rows):
    """Standardized rows with the columns of a condition beside them, which are left as they are."""

    def _standardize(self, rows):
        n_features = len(self.mean)
        return np.hstack([super()._standardize(rows[:, :n_features]), rows[:, n_features:]])


def _posterior(network, Z):
    mean, log_variance = network.encoder.posterior(Z)
    return torch.cat([mean, (0.5 * log_variance).exp()], dim=1)


def _squared_errors(network, rows):
    reconstruction = network.reconstruct(rows)
    Z = rows[:, : reconstruction.shape[1]]
    return (reconstruction - Z).square().masked_fill(Z.isnan(), 0.0)


def _rebuild(network, rows):
    return network.reconstruct(rows)


def _codes_given(network, rows, before):
    """Return where codes lie given their conditions, of some rows and of those before."""
    n_codes = network.encoder.posterior(torch.zeros(1, len(rows.mean)))[0].shape[1]
    parts = evaluate(_posterior_beside_condition, network, rows).double().numpy()
    deviation = parts[:, n_codes : 2 * n_codes]
    columns = parts[:, 2 * n_codes :]
    codes = copy.deepcopy(before) or CodesGivenCondition(columns.shape[1], n_codes)
    codes.update(columns, parts[:, :n_codes], np.square(deviation), rows.sample_weight)
    return codes


def _posterior_beside_condition(network, rows, target):
    Z, condition = network.split(rows)
    return torch.cat([_posterior(network, Z), condition], dim=1)


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
