"""AutoencoderTransformer: a dense autoencoder as a scikit-learn transformer."""

import copy
from dataclasses import replace
from functools import partial
from numbers import Integral, Real
from typing import ClassVar, Self

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from torch import nn

from ._assembly import (
    LOSSES,
    ColumnGroups,
    Layers,
    assemble,
    check_module,
    column_groups,
    missing_flags,
    n_codes_of,
    outputs_of,
    reconstruction_loss,
)
from ._candidates import CHOSEN, choices, table, tell, ways, widths
from ._checked_rows import check_rows, target_of
from ._contract import _fit_context
from ._fitting import (
    LEAST_SCALE,
    NOISE_CONSTRAINT,
    PENALTY_CONSTRAINT,
    TRAINING_CONSTRAINTS,
    Fit,
    Fitted,
    OnlyWith,
    Start,
    carry_out,
    checked_part,
    first_step,
    fitting,
    is_auto,
    labels_for,
    layer_sizes,
    of_one_call,
    penalties_of,
    refuse_other_structure,
    structure_of,
    training_settings,
    undisturbed,
    validation_set,
)
from ._holding_out import fit_rows
from ._idle import idle_settings, refuse_contradiction, warn_of_idle
from ._ordered_codes import N_CODES, cut_codes, errors_of_prefixes, keep_curve, n_to_train, numbered
from ._partners import penalized
from ._pretraining import blocks, levels_of, pretrain
from ._progress import Watchable
from ._reconstruction import ReconstructionMixin
from ._rows import beside, has_holes, mean_and_scale, standardized
from ._seeding import torch_generator
from ._training import train
from ._unit_interval import to_unit_interval
from .nn import (
    ACTIVATIONS,
    NORMALIZATIONS,
    Gate,
    NestedDropout,
    ObservedLoss,
    knows_missing,
    mlp,
    transposed_mlp,
)


class AutoencoderTransformer(ClassNamePrefixFeaturesOutMixin, ReconstructionMixin, Watchable):
    """Dimensionality reduction by a dense autoencoder that is PCA unless it can do better.

    An encoder maps each row to a code of a few numbers, a decoder maps the code back to a
    row, and both are trained so that the row changes as little as possible [1]_. A linear
    autoencoder that minimizes the squared error spans the principal subspace [2]_; with
    hidden layers between, codes can follow curved surfaces, which PCA can't.

    With ``init="pca"`` the network is a linear path plus a nonlinear one,
    ``code = P x + f(x)`` and ``x = P' code + g(code)``. P starts at the principal axes and
    f and g start at zero: before the first epoch this estimator *is* PCA. Training departs
    from there, and only as far as rows that were not trained on confirm: see
    `early_stopping`.

    By default a fit chooses for itself where to start, whether to add noise to the rows that it
    is trained on, how wide the layers are and how many epochs to train. Candidates are trained
    side by side, rows held out decide between them and PCA, and the worst leave early:
    ``candidates_`` tells how they did. What is set is not chosen.

    The network sees ``(X - mean) / scale`` with one scale for all columns, the root of their
    mean variance, so what it minimizes is the squared error in the units of X, as in PCA. To
    give columns of different units the same say, put a
    `sklearn.preprocessing.StandardScaler` before it.

    Parameters
    ----------
    n_components : int, float or "auto", default=2
        Number of numbers in a code. It may exceed the number of columns or rows; with
        ``init="pca"`` the codes beyond the rank of the data then start at zero. A share in
        (0, 1) stands for the smallest number of ordered codes that explain it on rows not
        trained on (on the training rows without early stopping); see `ordered`. "auto" is the
        smallest number to which rows held out ask for no more, with some trainings beforehand to
        find it; see ``components_curve_`` and the notes.

    hidden_layer_sizes : int, array-like of int or "auto", default="auto"
        Widths of the encoder's hidden layers, from the rows to the codes. Empty for none. "auto"
        is two layers: (64, 32), from 500 rows on (128, 64), and from 5000 rows on and in
        `partial_fit` (256, 128).

    decoder_layer_sizes : int or array-like of int, default=None
        Widths of the decoder's hidden layers, from the codes to the rows. None mirrors
        ``hidden_layer_sizes``.

    activation : {"identity", "relu", "leaky_relu", "elu", "gelu", "silu", "tanh", \
            "logistic", "softplus"}, default="silu"
        What follows each hidden layer.

    latent_activation : str or part, default="identity"
        What the code passes through, a name as in ``activation`` or a part with a method
        ``activate``, such as `skae.activation.TopK`. Any but "identity" makes
        the start a near relative of PCA: codes of unit variance through the activation, and
        a linear decoder fitted to them by least squares.

    output_activation : str, default=None
        What the reconstruction passes through, in the units of X: "logistic" bounds it to
        [0, 1], "relu" and "softplus" to positive numbers. A name as in ``activation``. None
        is "identity", and "logistic" for the log loss.

    loss : {"squared_error", "absolute_error", "huber", "log_loss"}, callable or dict, \
            default="squared_error"
        What training minimizes, a mean over columns and rows. The first three are measured
        on standardized rows; the Huber loss is quadratic up to one ``scale_``. "log_loss"
        is the cross-entropy of X, which must lie in [0, 1], and of the probability that the
        network gives. A callable takes a reconstruction and the rows themselves, two tensors
        of shape (batch, n_features) in the units of X, and returns a tensor: a number for
        each value, for each row, or one for the batch, which must be a mean. A dictionary
        gives columns losses of their own: ``{"log_loss": [0, 3], "squared_error": [1, 2]}``
        maps each loss to columns, as integers, a slice, a boolean mask or names; columns of
        the log loss then have logistic outputs, all others linear ones.

        The start does not depend on the loss: with ``init="pca"`` it is PCA, the minimum of
        the squared error, and the epochs are judged by the loss. For outputs that pass
        through an activation it is the least-squares fit to PCA's reconstruction before the
        activation.

    init : {"auto", "pca", "random"}, default="auto"
        Where training starts. "random" is the textbook network, layer for layer, without a
        linear path, with torch's starting weights: uniform up to ``1 / sqrt(n_in)``. "auto"
        trains both and keeps the one that rebuilds rows held out better, or PCA. It is "pca"
        where nothing can be chosen (see `early_stopping` and `callbacks`), for more than 10 000
        rows or ten million values, where the choice costs more than it gains, and for a share as
        `n_components`.

    pretrain : bool, default=False
        Whether the layers are first trained one by one, each with its mirror image in the
        decoder as an autoencoder of the codes of the layer below, ``max_iter`` epochs each
        [6]_. With ``init="pca"`` these are the hidden layers, and the start still is PCA.

    tied_weights : bool, default=False
        Whether the decoder's weights are the encoder's, transposed, as they are for PCA: half
        as many parameters. Biases stay free. Behind an activation of code or output, the start
        is then a rougher relative of PCA.

    ordered : bool, default=False
        Whether codes are sorted by what they are worth, like principal components: while
        training, half of the rows are decoded from the first of their codes only, how many
        being drawn anew each time [7]_. Codes may then be cut before `inverse_transform`.

    dropout : float, default=0.0
        Share of the values of each hidden layer that are zeroed while training, in [0, 1).
        The linear path is spared; to drop inputs, see `noise`.

    normalization : {"batch", "layer"}, default=None
        What the hidden layers are normalized by, before their activation: the statistics of
        the mini-batch or those of the row.

    noise : {"auto", "gaussian", "masking", "salt_and_pepper", "swap"}, part or None, \
            default="auto"
        What happens to rows on their way into the network while training, and only then; the
        clean row is the target [8]_. Rows held out are corrupted too when epochs are judged, as
        PCA may be hard to beat where there is no noise to undo. A name stands for a part of
        `skae.noise` with its defaults; a part of your own is an object with a method
        ``corrupt(rows, generator)``. With ``pretrain=True``, parts of `skae.noise` corrupt the
        codes that each layer is trained on, and a part of your own the rows alone. "auto" is
        none or ``GaussianNoise(0.4)``, which keeps a network from learning few rows by heart,
        whichever rebuilds clean rows held out better; none where `init` would be "pca".

    penalty : {"l1", "kl", "contraction", "neighbors", "distances"}, part or list of these, \
            default=None
        What is added to the loss, for the rows held out too. A name stands for a part of
        `skae.penalty` with its defaults; a part of your own is an object with a method
        ``penalize(batch)``.

    missing : {"error", "mask", "flag"}, default="error"
        What to do with missing values (NaN) in dense X. "mask" takes the mean of the column
        for them, and counts no error where nothing is known; `impute` fills them. Training
        with masking noise then teaches the network to do without some values. With "flag" the
        encoder is told, too, which values are missing, by columns of 0 and 1 beside the row [10]_;
        what masking noise hides is missing for it. That is best for filling.

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
        gradient [4]_; with ``early_stopping=False`` and an averaged step they average squares of
        gradients over an epoch (``optimizer__betas`` in `net_params` says otherwise). "sgd" has a
        Nesterov momentum of 0.9.

    learning_rate : {"averaged", "one_cycle", "cosine", "constant", "adaptive"}, \
            default="averaged"
        How the step changes over the ``max_iter`` epochs. "averaged" rises over 5 % of the steps
        and is constant then, and the network is an average of its weights over about the last
        eighth of the steps so far [9]_, after any epoch as good as one whose step has fallen.
        "cosine" falls to zero along half a cosine, "one_cycle" rises before over 5 % of the steps
        [5]_, and "adaptive" divides by five whenever the loss did not fall by ``tol`` in two
        epochs in a row (the validation loss with early stopping).

    learning_rate_init : float or "auto", default="auto"
        The largest step. "auto" is 0.008, for more than 10 000 rows 0.004; with another
        `learning_rate` than "averaged", and in `partial_fit`, 0.003.

    batch_size : int or "auto", default="auto"
        Rows in a mini-batch. "auto" is a twentieth of the rows (with another `learning_rate` than
        "averaged" a fortieth), at least 32 and at most 256.

    max_iter : int or "auto", default="auto"
        Epochs: how often each row is seen. "auto" aims at 1200 steps, with at least 20 and
        at most 250 epochs; with another `learning_rate` than "averaged" at 2000 and 300.

    early_stopping : bool, default=True
        Whether to hold rows out and keep the best epoch by their loss. The start counts as
        epoch 0 and is kept unless the best epoch lowers the loss of the rows held out
        significantly (a paired t-test, one-sided, at 1 % divided by the number of candidates, of
        at least 30 rows; others may still be rebuilt a little worse). What is kept at epoch 0 is
        fitted to all rows: with ``init="pca"``, PCA. False trains ``max_iter`` epochs on all rows
        and keeps the last.

    validation_fraction : float, "auto", splitter or rows, default="auto"
        What to hold out, as a share of the rows. "auto" is 0.1 from 2000 rows on. Below, it is a
        five-fold cross-validation, of as many folds as it takes to hold out 250 rows, and a last
        training on all rows has the number of epochs that was best. With `groups` in `fit`, whole
        groups are held out. A splitter of scikit-learn, such as
        `sklearn.model_selection.TimeSeriesSplit`, decides it otherwise, and rows of your own, X or
        a tuple (X, y), are not trained on.

    n_iter_no_change : int or "auto", default="auto"
        Epochs to wait for the validation loss to fall by ``tol``. "auto" is an eighth of
        ``max_iter`` (with another `learning_rate` than "averaged" a sixth), and at least 10.

    tol : float, default=1e-4
        The least fall of a loss that counts; for a loss of your own, which may be of any size and
        sign, in units of the rows' standard deviation before the first epoch.

    shuffle : bool, default=True
        Whether the rows are put in a new order for each epoch. Without, they keep that of X.

    warm_start : bool, default=False
        Whether another `fit` goes on from the weights of the last one, with its ``mean_``
        and ``scale_``. Parameters of the network itself must be what they were.

    random_state : int, RandomState instance or None, default=None
        Decides the starting weights, the rows held out and the order of the rows. An int
        gives the same result bit for bit on the same machine. None is different each time,
        without a draw from numpy's global generator.

    verbose : bool, default=False
        Whether to show a progress bar with the losses, and what was chosen, on the standard error.
        Bars of scikit-learn (`sklearn.callback.ProgressBar`) take its place.

    checkpoint : str, path-like or tuple (path, seconds), default=None
        A file in which `fit` writes down how far it is, at the end of an epoch: as often as takes
        no more than a twentieth of the time, or when the seconds have passed. A `fit` that finds
        it goes on from there, with the same parameters and rows only; when it ends, the file is
        removed. Each fit needs a path of its own, and a model file does not have it.

    device : {"auto", "cpu", "cuda", "mps"}, default="auto"
        Where to compute. "auto" takes a GPU if there is one. The fitted network is on the CPU.

    precision : {"float32", "bfloat16"}, default="float32"
        Of the matrix products of training. "bfloat16" has eight bits and is several times
        faster on processors that have instructions for it.

    callbacks : list of skorch.callbacks.Callback, default=None
        Called while the network is trained that becomes ``module_``, so with callbacks there is
        one candidate: "auto" is "pca" and no noise. In a cross-validation
        each fold has copies of them; those that ask for the validation loss need a number
        as ``validation_fraction``, as the last training there holds no rows out.
        scikit-learn's own callbacks are set by `set_callbacks`.

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

    explained_variance_ratio_ : ndarray of shape (n_components,)
        With ordered codes only: the share of variance that each adds to what those before it
        explain, on rows not trained on (on the training rows without early stopping).

    init_, noise_, hidden_layer_sizes_ : str, part or None, tuple of int
        What the parameters of these names stand for in ``module_``.

    candidates_ : dict of lists or None
        How the candidates did, each key a column of a table, as in ``cv_results_`` of scikit-learn:
        the parameters ("param_init", …), the epochs trained ("n_iter") and the best of them
        ("best_iter"), the lowest loss of the rows held out ("validation_loss") and all of them
        ("validation_loss_curve"). None where there was nothing to choose.

    components_curve_ : dict of lists
        With ``n_components="auto"`` only: the numbers of codes that were tried
        ("n_components"), the share of variance that as many explain of the rows held out ("r2"),
        its standard error ("r2_error"), and the share that as many principal components explain
        ("pca_r2"). The codes are those of networks that serve several numbers at once; one of the
        number chosen, as ``module_`` is, may explain more.

    pretraining_loss_curves_ : list of list of float
        With ``pretrain=True`` only: training losses of each layer, the first layer's first.

    n_components_ : int
        Number of numbers in a code.

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

    With ``n_components="auto"``, a network is trained in which each row is decoded from the first
    of its codes only, how many being drawn (as for `ordered`). It has as many codes as there are
    principal components that explain 1 % of the variance each, or as explain half of it, and at
    most 64. A number of codes is enough if no larger one explains more of the rows held out than
    as many directions of noise would, alike in all dimensions that are left (as in
    probabilistic PCA [11]_), and more than 1 % of the variance for each code; both by the test of
    `early_stopping`. Up to what was enough it is done again, until all codes are asked for.

    Sparse rows stay sparse: only a mini-batch of them is dense at a time. Rows that memory does not
    hold are read a block at a time, by all methods: see `skae.datasets.open_rows`.

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
    .. [6] Bengio, Y. et al. (2006). Greedy layer-wise training of deep networks. NeurIPS 19.
       https://papers.nips.cc/paper/2006/hash/5da713a690c067105aeb2fae32403405-Abstract.html
    .. [7] Rippel, O., Gelbart, M. & Adams, R. (2014). Learning ordered representations with
       nested dropout. :arxiv:`1402.0915`
    .. [8] Vincent, P. et al. (2010). Stacked denoising autoencoders. Journal of Machine
       Learning Research 11, 3371-3408. https://jmlr.org/papers/v11/vincent10a.html
    .. [9] Shamir, O. & Zhang, T. (2013). Stochastic gradient descent for non-smooth optimization:
       convergence results and optimal averaging schemes. ICML. :arxiv:`1212.1824`
    .. [10] Lipton, Z. C., Kale, D. C. & Wetzel, R. (2016). Modeling missing data in clinical time
       series with RNNs. :arxiv:`1606.04130`
    .. [11] Tipping, M. E. & Bishop, C. M. (1999). Probabilistic principal component analysis.
       Journal of the Royal Statistical Society B 61, 611-622. :doi:`10.1111/1467-9868.00196`

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

    explained_variance_ratio_ = OnlyWith(
        "the codes of an autoencoder share what they explain, unless they are sorted: fit it with "
        "ordered=True, or with a share as n_components. score(X) is that of all codes together."
    )

    components_curve_ = OnlyWith(
        "what codes explain by their number is found with n_components='auto' only."
    )

    # What a network that is trained on can't change any more.
    _structural: ClassVar[tuple[str, ...]] = (
        "n_components",
        "hidden_layer_sizes",
        "decoder_layer_sizes",
        "activation",
        "latent_activation",
        "output_activation",
        "loss",
        "init",
        "pretrain",
        "tied_weights",
        "ordered",
        "dropout",
        "normalization",
        "encoder",
        "decoder",
    )

    _parameter_constraints: ClassVar[dict] = {
        "n_components": N_CODES,
        "hidden_layer_sizes": [
            StrOptions({"auto"}),
            "array-like",
            Interval(Integral, 1, None, closed="left"),
        ],
        "decoder_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left"), None],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "latent_activation": [StrOptions(set(ACTIVATIONS)), HasMethods("activate")],
        "output_activation": [StrOptions(set(ACTIVATIONS)), None],
        "loss": [StrOptions(set(LOSSES)), callable, dict, HasMethods(["of", "output"])],
        "init": [StrOptions({"auto", "pca", "random"})],
        "pretrain": ["boolean"],
        "tied_weights": ["boolean"],
        "ordered": ["boolean"],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "normalization": [StrOptions(set(NORMALIZATIONS)), None],
        "noise": [StrOptions({"auto"}), *NOISE_CONSTRAINT],
        "penalty": PENALTY_CONSTRAINT,
        "missing": [StrOptions({"error", "mask", "flag"})],
        "encoder": [nn.Module, callable, None],
        "decoder": [nn.Module, callable, None],
        **TRAINING_CONSTRAINTS,
        "learning_rate_init": [StrOptions({"auto"}), *TRAINING_CONSTRAINTS["learning_rate_init"]],
    }

    def __init__(
        self,
        n_components=2,
        *,
        hidden_layer_sizes="auto",
        decoder_layer_sizes=None,
        activation="silu",
        latent_activation="identity",
        output_activation=None,
        loss="squared_error",
        init="auto",
        pretrain=False,
        tied_weights=False,
        ordered=False,
        dropout=0.0,
        normalization=None,
        noise="auto",
        penalty=None,
        missing="error",
        encoder=None,
        decoder=None,
        alpha=0.0,
        solver="adam",
        learning_rate="averaged",
        learning_rate_init="auto",
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
        self.latent_activation = latent_activation
        self.output_activation = output_activation
        self.loss = loss
        self.init = init
        self.pretrain = pretrain
        self.tied_weights = tied_weights
        self.ordered = ordered
        self.dropout = dropout
        self.normalization = normalization
        self.noise = noise
        self.penalty = penalty
        self.missing = missing
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
            Training rows. Those of a file, or of an array that is not in memory, are what
            `skae.datasets.open_rows` returns.

        y : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            What the rows are to be rebuilt as, such as clean rows where those of X are noisy, in
            the same units. ``mean_``, ``scale_`` and the start are then those of y. With a penalty
            that needs labels (``NeighborPreservation(supervised=0.5)``), the label of each row, of
            shape (n_samples,); None, NaN or -1 stands for none. Anything else is ignored, as
            transformers do.

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
            If a parameter or X is not what is expected, if parameters exclude each other,
            or if training diverges without early stopping.
        """
        with fitting(self, X, y, sample_weight, judged=not self.early_stopping):
            carry_out([self._to_fit(X, y, sample_weight, groups)])
        return self

    def _to_fit(self, X, y=None, sample_weight=None, groups=None) -> Fit:
        resumed = self.warm_start and hasattr(self, "module_")
        rows, columns = self._rows_to_fit(X, y, sample_weight, groups, resumed)
        some = self._choices(None if resumed or rows.is_streamed else len(rows), resumed)
        settings = self._training_settings(len(rows))
        pretraining: list[list[list[float]]] = []

        def keep(estimator, fitted):
            estimator._keep(fitted, some, cut=self._is_share())
            estimator._keep_pretraining(pretraining, resumed)
            keep_curve(estimator, curve, resumed)
            if estimator is self and settings.verbose:  # not a copy that a callback looks at
                tell(some, fitted.chosen, fitted.best_iter)

        def several(n_codes, pretraining):
            return ways(self, some, rows, columns, n_codes, settings, resumed, pretraining)

        measure = errors_of_prefixes if self._is_ordered() else None
        fit = Fit(self, (), rows, settings, keep, resumed, measure)
        n_codes, curve = self._n_codes(fit, several)
        return fit._replace(ways=several(n_codes, pretraining))

    @numbered
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, sample_weight=None) -> Self:
        """Train for one epoch on the rows of X, from where the last call ended.

        The first call decides what `fit` reads from all rows: the columns' means, the
        scale and, for ``init="pca"``, the principal axes; for a share as ``n_components``, as
        many codes as PCA needs for it are kept. The learning rate is
        ``learning_rate_init`` throughout, and no rows are held out. The solver's moments
        are kept from call to call, as long as its settings are, though not in a pickle. With
        ``n_components="auto"`` there is no `partial_fit`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            A batch of training rows.

        y : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            What the rows are to be rebuilt as, as in `fit`.

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
        with fitting(self, X, y, sample_weight, judged=True, whole=False):
            return self._partial_fit(X, y, sample_weight)

    def _partial_fit(self, X, y, sample_weight):
        resumed = hasattr(self, "module_")
        rows, columns = self._rows_to_fit(X, y, sample_weight, None, resumed, merge=False)
        some = self._choices(None, resumed)
        step = first_step(self.learning_rate_init, "constant", len(rows))
        settings = of_one_call(self._training_settings(len(rows)), step)
        if resumed:  # other noise than in the last call
            settings = replace(settings, seed=(settings.seed + self.n_iter_) % 2**31)
        solver = (self.solver, self.alpha, repr(self.net_params))
        pretraining: list[list[list[float]]] = []
        with undisturbed(self._parts(), settings.seed):
            n_codes, _ = self._n_codes(Fit(self, (), rows, settings, resumed=resumed))
            (way,) = ways(self, some, rows, columns, n_codes, settings, resumed, pretraining)
            start = way.build(rows.indices, rows.weight)
            settings = way.trained_by(settings)
            last_solver, state = getattr(self, "_solver_state", (None, None))
            state = state if solver == last_solver else None
            curve, state = train(*start, settings, solver_state=state)
            measured = errors_of_prefixes(start.network, start.rows) if self._is_ordered() else None
            curve = (list(self.loss_curve_) if resumed else []) + curve
            self._keep(Fitted(start, curve, None, len(curve), measured), some, cut=False)
        self._solver_state = (solver, state)
        self._keep_pretraining(pretraining, resumed)
        return self

    def _rows_to_fit(self, X, y, sample_weight, groups, resumed, *, merge=True):
        """Return the rows to train on, with their targets beside them, and the loss of columns."""
        self._check_combination()
        if resumed:
            refuse_other_structure(self, self._structural, self._structure)
        paired, weight = self._paired(X, y, sample_weight, reset=not resumed)
        columns = self._column_groups()
        paired = self._check_data(paired, weight, columns)
        given, validation = validation_set(self), None
        if given is not None:
            validation, ones = self._paired(*given, None, reset=False)
            if validation.shape[1] != paired.shape[1]:
                raise ValueError(
                    "Rows have targets in fit and none in validation_fraction, or the other way "
                    "round. Give both or neither: validation_fraction=(X, y)."
                )
            validation = self._check_data(validation, ones, columns)
        rows = fit_rows(
            paired,
            weight,
            shuffle=self.shuffle,
            merge=merge,
            y=y,
            groups=groups if self.early_stopping else None,
            validation=validation,
            **labels_for(self.penalty, y, paired, given),
        )
        return rows, columns

    def _paired(self, X, y, sample_weight, *, reset):
        """Return rows with their targets beside them, if they have any, and the rows' weights."""
        masked = self.missing != "error"
        X, weight = check_rows(self, X, sample_weight, reset=reset, allow_nan=masked)
        target = target_of(X, y, allow_nan=masked)
        return X if target is None else beside(X, target), weight

    def _keep_pretraining(self, curves, resumed):
        """Set the curves of the last pretraining, of the network that is kept, if there was one."""
        if not resumed:
            self.__dict__.pop("pretraining_loss_curves_", None)
        if curves:
            self.pretraining_loss_curves_ = curves[-1]

    def _check_combination(self):
        """Refuse parameters that contradict each other, and warn of those that are idle."""
        refuse = partial(refuse_contradiction, self)
        self._check_outputs_and_codes()
        encoder_sizes, decoder_sizes = self._hidden_sizes()
        if self.encoder is not None or self.decoder is not None:
            for name in ("tied_weights", "pretrain"):
                refuse(name, "it needs the layers of both encoder and decoder to be skae's own")
        for name in ("encoder", "tied_weights", "pretrain") if self.missing == "flag" else ():
            refuse(name, "missing='flag' gives the encoder columns that the decoder has not")
        if self.tied_weights:
            refuse("decoder_layer_sizes", "tied_weights=True mirrors the encoder")
        if self.pretrain and decoder_sizes != encoder_sizes[::-1]:
            refuse("decoder_layer_sizes", "pretrain=True trains each layer with its mirror image")
        warn_of_idle(self, self._idle_parameters())

    def _idle_parameters(self):
        """Yield why parameters have nothing to do beside the others, and their names."""
        yield from idle_settings(self)
        of_layers = ("activation", "normalization", "dropout")
        encoder_given, decoder_given = self.encoder is not None, self.decoder is not None
        if encoder_given and decoder_given:
            sizes = ("hidden_layer_sizes", "decoder_layer_sizes")
            yield "encoder and decoder are both given as modules", (*sizes, *of_layers)
        elif decoder_given:
            yield "decoder is given as a module", ["decoder_layer_sizes"]
        elif encoder_given and self.decoder_layer_sizes is not None:
            reason = "the encoder is a module and the decoder has its own sizes"
            yield reason, ["hidden_layer_sizes"]
        if not any(self._hidden_sizes()):
            yield "there are no hidden layers", (*of_layers, "pretrain")
            if self.init == "pca" and not (encoder_given or decoder_given):
                yield "there are no weights beside the linear path, which is exempt", ["alpha"]

    def _hidden_sizes(self):
        """Return the widths of the hidden layers of encoder and decoder that are skae's own."""
        encoder_sizes = self._encoder_sizes() if self.encoder is None else ()
        return encoder_sizes, self._decoder_sizes() if self.decoder is None else ()

    def _check_outputs_and_codes(self):
        """Refuse what contradicts the loss, the codes' number or their order."""
        if self.loss == "log_loss" and self.output_activation not in (None, "logistic"):
            raise ValueError(
                f"output_activation={self.output_activation!r} does not go with "
                "loss='log_loss', whose outputs are probabilities. Leave it at None, or use "
                "another loss."
            )
        if isinstance(self.loss, dict):
            refuse_contradiction(self, "output_activation", "each column's follows from its loss")
        if self._is_share() and not self._starts_at_pca():
            raise ValueError(
                f"n_components={self.n_components!r} is chosen among as many codes as PCA "
                f"needs, so it does not go with init={self.init!r}. Leave init at 'pca', or "
                "give a number of components."
            )
        checked_part(self.latent_activation)
        for loss in self.loss if isinstance(self.loss, dict) else [self.loss]:
            checked_part(loss)

    def _choices(self, n_rows, resumed):
        """Return what "auto" may stand for; what was chosen before, if a fit is gone on with."""
        if resumed:
            return [{name: getattr(self, f"{name}_") for name in CHOSEN}]
        return choices(self, n_rows, self.n_features_in_)

    def _training_settings(self, n_rows):
        return training_settings(self, n_rows, self._own(self.noise))

    def _starts_at_pca(self):
        return self.init != "random"

    def _is_ordered(self):
        return self.ordered or self._is_share()

    def _is_share(self):
        return not isinstance(self.n_components, Integral | str | None)

    def _encoder_sizes(self):
        sizes = self.hidden_layer_sizes
        return widths(None) if is_auto(sizes) else layer_sizes(sizes)

    def _decoder_sizes(self):
        if self.decoder_layer_sizes is None:
            return self._encoder_sizes()[::-1]
        return layer_sizes(self.decoder_layer_sizes)

    def _column_groups(self) -> ColumnGroups | None:
        """Return the columns of each loss, if columns have losses of their own."""
        names = getattr(self, "feature_names_in_", None)
        return column_groups(self.loss, self.n_features_in_, names)

    def _check_data(self, X, weight, groups):
        """Refuse values that the loss or the output can't express, and mend what rounding did."""
        logistic = None
        if groups is not None:
            pairs = zip(groups.losses, groups.columns, strict=True)
            logistic = np.concatenate([[], *(to for loss, to in pairs if loss == "log_loss")])
        elif self.loss != "log_loss":
            return X
        n_features = self.n_features_in_
        if X.shape[1] > n_features:  # the loss is that of the target
            target = np.arange(n_features) if logistic is None else logistic
            logistic = target + n_features
        return to_unit_interval(
            X,
            weight,
            reason="loss='log_loss'",
            otherwise="use another loss",
            columns=None if logistic is None else logistic.astype(int),
        )

    def _parts(self):
        """Return what may be of the user's making, and draw random numbers."""
        penalties = self.penalty if isinstance(self.penalty, list | tuple) else [self.penalty]
        parts = [self.noise, self.callbacks, self.latent_activation, *self._given_layers()]
        return [*parts, *penalties, *(self.loss if isinstance(self.loss, dict) else [self.loss])]

    def _own(self, part):
        """Return a part such that it sees the columns of X, in whatever order the layers do."""
        return part

    def _trained(self):
        """Return the network of the last fit, to be trained on, with its mean and scale."""
        return copy.deepcopy(self.module_), self.mean_, self.scale_

    def _given_layers(self):
        return [self.encoder, self.decoder]

    def _n_codes(self, fit, several=None):
        """Return how many codes to train, and what was found of other numbers, if it was asked."""
        return n_to_train(fit, self._targets(fit.rows.X), several)

    def _targets(self, X):
        """Return what rows are to be rebuilt as: the columns beside them, or themselves."""
        return X if X.shape[1] == self.n_features_in_ else X[:, self.n_features_in_ :]

    def _start(self, fit, groups, n_codes, settings, resumed, pretraining, *training) -> Start:
        """Return a network before training, its loss and its standardized rows."""
        X, (indices, weight), generator = fit.X, training, torch_generator(settings.seed)
        if resumed:
            network, mean, scale = self._trained()
        else:
            targets = self._targets(X)
            mean, scale = mean_and_scale(targets, indices, weight, scatter=self._starts_at_pca())
            scale = scale if scale > LEAST_SCALE else 1.0  # constant columns need none
            network = assemble(
                targets,
                indices,
                weight,
                mean,
                scale,
                self._layers(len(mean), n_codes, generator),
                n_components=n_codes,
                pca=self._starts_at_pca(),
                latent_activation=self.latent_activation,
                outputs=outputs_of(self.loss, self.output_activation, groups),
                groups=groups,
                between=NestedDropout() if self._is_ordered() else None,
            )
        loss = reconstruction_loss(network.encoder.standardize, self._own(self.loss), groups)
        if self.missing != "error" and has_holes(X):
            loss = ObservedLoss(loss)
        rows = standardized(X, indices, weight, mean, scale, knows_missing(network.encoder))
        if not resumed:
            self._pretrain(network, loss, rows, settings, pretraining)
        penalties = [self._own(part) for part in penalties_of(self.penalty)]
        encode, seed = network.encoder.from_standardized, settings.seed
        n_laid = None if resumed else n_codes
        return Start(network, penalized(loss, penalties, encode, rows, fit, n_laid, seed), rows)

    def _layers(self, n_features, n_codes, generator) -> Layers:
        """Return the nonlinear layers, which start at zero beside a linear path."""
        flags, n_in = missing_flags(self, n_features)
        sizes = (n_in, *layer_sizes(self.hidden_layer_sizes), n_codes)
        encode = self._body("encoder", sizes, generator)
        if self.tied_weights and encode is not None:
            decode = transposed_mlp(
                encode, self.activation, normalization=self.normalization, dropout=self.dropout
            )
        else:
            sizes = (n_codes, *self._decoder_sizes(), n_features)
            decode = self._body("decoder", sizes, generator)
        if self.tied_weights and self.init == "pca" and encode is not None:
            _give_zero(decode, n_codes)
        return Layers(encode, decode, self.tied_weights, flags)

    def _body(self, name, sizes, generator):
        """Return the layers of the encoder or the decoder: ours, or those the user gives."""
        given = getattr(self, name)
        pca = self.init == "pca"
        if given is None:
            if pca and len(sizes) == 2:
                return None
            return mlp(
                sizes,
                self.activation,
                generator=generator,
                zero_last=pca,
                normalization=self.normalization,
                dropout=self.dropout,
            )
        body = copy.deepcopy(given) if isinstance(given, nn.Module) else given(sizes[0], sizes[-1])
        check_module(name, body, sizes[0], sizes[-1])
        return Gate(body, sizes[-1]) if pca else body

    def _pretrain(self, network, loss, rows, settings, pretraining):
        """Train the hidden layers one by one, each with its mirror image, if that is wanted.

        Beside a linear path, the layers next to the code and the data start at zero again.
        """
        pca = self.init == "pca"
        if not self.pretrain or (pca and not any(self._hidden_sizes())):
            return
        encoder, decoder = network.encoder, network.decoder
        encode = encoder.body.correction if pca else encoder.body
        decode = decoder.body.correction if pca else decoder.body
        into, out_of = blocks(encode), blocks(decode)[::-1]
        if pca:
            into, out_of = into[:-1], out_of[:-1]
        else:
            into[-1] = nn.Sequential(*into[-1], encoder.activation)
        levels = levels_of(network, loss, into, out_of)
        trained = pretrain(levels, rows, [settings] * len(levels))
        pretraining.append([level.loss_curve for level in trained])
        network.eval()  # as its layers are now
        if pca:
            last = decode[-1]
            with torch.no_grad():
                last.bias.zero_()
                if not self.tied_weights:
                    last.weight.zero_()
            if self.tied_weights:
                _give_zero(decode, network.encoder.body.linear_path.out_features)

    def _keep(self, fitted, some, *, cut):
        """Set the fitted attributes, all at once."""
        for name, value in some[fitted.chosen].items():
            setattr(self, f"{name}_", value)
        self.__dict__.pop("_solver_state", None)  # that of partial_fit, for other weights
        self.candidates_ = table(some, fitted.validated) if len(some) > 1 else None
        self.mean_, self.scale_ = fitted.start.rows.mean, fitted.start.rows.scale
        network = fitted.shown_by(self)
        self.__dict__.pop("explained_variance_ratio_", None)
        if self._is_ordered():
            self.explained_variance_ratio_ = -np.diff(fitted.measured) / (fitted.measured[0] or 1)
        if cut:
            explained = cut_codes(network, self.explained_variance_ratio_, self.n_components)
            self.explained_variance_ratio_ = explained
        self.module_ = network
        self._structure = structure_of(self, self._structural)
        # Of the network, not of n_components, which may be set to something else after a fit.
        self.n_components_ = self._n_features_out = n_codes_of(network)


def _give_zero(decode, n_codes):
    """Choose the last bias of a decoder whose codes do not matter yet such that it gives zero."""
    training = decode.training
    with torch.no_grad():
        decode[-1].bias -= decode.eval()(torch.zeros(1, n_codes, dtype=torch.float32))[0]
    decode.train(training)
