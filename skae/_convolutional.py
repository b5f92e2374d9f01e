"""ConvolutionalAutoencoderTransformer: an autoencoder of images that are rows."""

import math
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
import torch
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from torch import nn

from ._assembly import LOSSES, Layers
from ._autoencoder import AutoencoderTransformer
from ._column_order import on_columns_of_X
from ._fitting import (
    NOISE_CONSTRAINT,
    PENALTY_CONSTRAINT,
    TRAINING_CONSTRAINTS,
    training_settings,
)
from ._idle import idle_settings, refuse_contradiction, warn_of_idle
from ._rows import reordered
from ._training import resolve_device
from .nn import (
    ACTIVATIONS,
    IMAGE_NORMALIZATIONS,
    POOLINGS,
    UPSAMPLINGS,
    ChannelsLast,
    MapShape,
    ReorderedNetwork,
    check_all_pixels_are_seen,
    check_levels_fit,
    convolution_levels,
    convolutional_decoder,
    convolutional_encoder,
    map_shapes,
    read_image_shape,
)

_LARGEST_BATCH = 64  # rows, that batch_size="auto" takes


class ConvolutionalAutoencoderTransformer(AutoencoderTransformer):
    """Dimensionality reduction of images by a convolutional autoencoder.

    Rows are images, and the layers are convolutions: the same few weights look at every place
    of an image [1]_, [2]_. Each level of the encoder makes the image smaller, by a stride or by
    pooling; the decoder mirrors it.

    With a number as ``n_components``, a dense layer leads from the last map to the code, and
    training starts at PCA, as in `AutoencoderTransformer`: ``code = P x + f(x)`` and
    ``x = P' code + g(code)``, where f and g are convolutional and start at zero. With
    ``n_components=None`` the code is the last map itself, flattened, and nothing in the network
    is dense.

    Parameters
    ----------
    n_components : int, float, "auto" or None, default=2
        Number of numbers in a code. A share in (0, 1) stands for the smallest number of ordered
        codes that explain it on rows not trained on; see `ordered`. None takes the last map of
        the encoder as the code, flattened; its shape is ``code_shape_``.

    image_shape : array-like of int or dict, default=None
        How a row is read, in the order of its values: (height, width); (channels, height, width);
        (height, width, channels), if the last is 1, 3 or 4 and the first is larger; (length,) for
        a series, (channels, length) or (length, channels) for one of 2 to 4 channels. A dictionary
        says it in words: ``{"height": 9, "width": 9, "channels": 5}``, or
        ``{"channels": 12, "length": 50}``. None is a square of one channel, or a line if the
        number of columns is no square.

    channels : int or array-like of int, default=(16, 64)
        Filters of the convolution of each level, from the image to the code.

    kernel_size : int or array-like of int, default=3
        Height and width of the filters, one number for all levels or one for each.

    pool_size : int or array-like of int, default=2
        What each level divides height and width by, one number for all levels or one for each;
        1 leaves them. What is left over of odd sizes is pooled too, so nothing is lost.

    pooling : {"max", "average", "stride"}, default="max"
        How levels divide them: by the maximum or the mean of each window, or by a convolution
        that is evaluated at every ``pool_size``-th pixel only [3]_, which is faster.

    upsampling : {"transposed", "nearest"}, default="transposed"
        How the decoder multiplies them again: by a transposed convolution [4]_, or by a
        convolution each value of which is then repeated.

    activation : {"identity", "relu", "leaky_relu", "elu", "gelu", "silu", "tanh", \
            "logistic", "softplus"}, default="silu"
        What follows each hidden layer.

    latent_activation : str or part, default="identity"
        What the code passes through, a name as in ``activation`` or a part with a method
        ``activate``, such as `skae.activation.TopK`. Where the code is a map, this takes the
        place of the activation of the last convolution, after its pooling.

    output_activation : str, default=None
        What the reconstruction passes through, in the units of X: "logistic" bounds it to
        [0, 1], "relu" and "softplus" to positive numbers. A name as in ``activation``. None
        is "identity", and "logistic" for the log loss.

    loss : {"squared_error", "absolute_error", "huber", "log_loss"}, callable or dict, \
            default="squared_error"
        What training minimizes, a mean over columns and rows, as in `AutoencoderTransformer`.
        "log_loss" is for X in [0, 1]. A callable takes a reconstruction and the rows
        themselves, two tensors of shape (batch, n_features) in the units of X, and returns a
        tensor: a number for each value, for each row, or one for the batch, which must be a
        mean. A dictionary maps losses to the columns that they are for.

    init : {"auto", "pca", "random"}, default="auto"
        Where training starts: "pca" with a linear path at the principal axes beside the
        convolutions; "random" with nothing but these, and torch's starting weights, uniform up
        to ``1 / sqrt(n_in)``. "auto" is "pca" where the code has a number of components, and
        "random" where it is a map, for which there is no other start.

    ordered : bool, default=False
        Whether codes are sorted by what they are worth, like principal components: while
        training, half of the rows are decoded from the first of their codes only, how many
        being drawn anew each time [5]_. Codes may then be cut before `inverse_transform`.

    dropout : float, default=0.0
        Share of the values of each hidden layer that are zeroed while training, in [0, 1).
        The linear path is spared; to drop pixels, see `noise`.

    normalization : {"batch", "layer"}, default=None
        What each filter of the hidden layers is normalized by, before the activation: the
        statistics of its values in the mini-batch, or those of all values of the image.

    noise : {"gaussian", "masking", "salt_and_pepper", "swap"} or part, default=None
        What happens to rows on their way into the network while training, and only then; the
        clean row is the target. A name stands for a part of `skae.noise` with its
        defaults; a part of your own is an object with a method ``corrupt(rows, generator)``.

    penalty : {"l1", "kl", "contraction", "neighbors", "distances"}, part or list of these, \
            default=None
        What is added to the loss, for the rows held out too. A name stands for a part of
        `skae.penalty` with its defaults; a part of your own is an object with a method
        ``penalize(batch)``.

    missing : {"error", "mask"}, default="error"
        What to do with missing values (NaN) in dense X. "mask" takes the mean of the column
        for them, and counts no error where nothing is known; `impute` fills them. Training
        with masking noise then teaches the network to do without some values.

    alpha : float, default=0.0
        Weight decay: "adam", "nadam" and "radam" take the share ``learning_rate * alpha`` off
        every weight at each step, the other solvers add ``alpha`` times the weight to its
        gradient. Biases and the linear path are exempt: what decays is the departure from
        PCA. Large networks that are trained long want it, some 0.3.

    solver : {"adam", "sgd", "nadam", "radam", "adamax", "adagrad", "rmsprop"}, \
            default="adam"
        What changes the weights. "adam", "nadam" and "radam" decay weights apart from the
        gradient [6]_; "sgd" has a Nesterov momentum of 0.9.

    learning_rate : {"one_cycle", "cosine", "constant", "adaptive"}, default="one_cycle"
        How the step changes over the ``max_iter`` epochs. "cosine" falls to zero along half
        a cosine, "one_cycle" rises before over 5 % of the steps [7]_, and "adaptive" divides
        by five whenever the loss did not fall by ``tol`` in two epochs in a row (the
        validation loss with early stopping).

    learning_rate_init : float, default=0.003
        The largest step.

    batch_size : int or "auto", default="auto"
        Rows in a mini-batch. "auto" is a fortieth of the rows, at least 32 and at most 64.

    max_iter : int or "auto", default="auto"
        Epochs: how often each row is seen. "auto" aims at 2000 steps, with at least 20 and
        at most 300 epochs.

    early_stopping : bool, default=True
        Whether to hold rows out and keep the best epoch by their loss. The start counts as
        epoch 0 and is kept unless the best epoch lowers the loss of the rows held out
        significantly (a paired t-test, one-sided, at 1 %; other rows may still be rebuilt a
        little worse). What is kept at epoch 0 is fitted to all rows: with ``init="pca"``,
        PCA. False trains ``max_iter`` epochs on all rows and keeps the last.

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
        The least fall of a loss that counts; for a loss of your own, which may be of any size and
        sign, in units of the rows' standard deviation before the first epoch.

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

    image_shape_ : tuple of int
        How rows were read, as a named tuple in the order of ``X.reshape(-1, *image_shape_)``. An
        `image_shape` elsewhere reads it by its names.

    code_shape_ : tuple of int
        With ``n_components=None`` only: the same of the map that a code is, in the same order, for
        ``codes.reshape(-1, *code_shape_)``.

    n_features_in_ : int
        Number of columns seen in `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, where all are strings.

    See Also
    --------
    AutoencoderTransformer : The same with dense layers, for rows that are no images.
    sklearn.decomposition.PCA : The linear method that this one starts from.

    Notes
    -----
    Two networks of tutorials::

        tutorial = {
            "n_components": None, "upsampling": "nearest", "activation": "relu",
            "loss": "log_loss",
        }
        ConvolutionalAutoencoderTransformer(
            channels=32, latent_activation="relu", **tutorial
        )
        ConvolutionalAutoencoderTransformer(
            channels=(128, 32, 1), kernel_size=(7, 2, 7), pool_size=(2, 2, 1), **tutorial
        )

    The first has codes of 32 × 14 × 14 numbers for images of 28 × 28, the second of 7 × 7.

    References
    ----------
    .. [1] LeCun, Y. et al. (1989). Backpropagation applied to handwritten zip code
       recognition. Neural Computation 1, 541-551. :doi:`10.1162/neco.1989.1.4.541`
    .. [2] Masci, J., Meier, U., Cireşan, D. & Schmidhuber, J. (2011). Stacked convolutional
       auto-encoders for hierarchical feature extraction. ICANN, 52-59.
       :doi:`10.1007/978-3-642-21735-7_7`
    .. [3] Springenberg, J. T. et al. (2015). Striving for simplicity: the all convolutional
       net. :arxiv:`1412.6806`
    .. [4] Zeiler, M. D., Krishnan, D., Taylor, G. W. & Fergus, R. (2010). Deconvolutional
       networks. CVPR, 2528-2535. :doi:`10.1109/CVPR.2010.5539957`
    .. [5] Rippel, O., Gelbart, M. & Adams, R. (2014). Learning ordered representations with
       nested dropout. :arxiv:`1402.0915`
    .. [6] Loshchilov, I. & Hutter, F. (2019). Decoupled weight decay regularization.
       :arxiv:`1711.05101`
    .. [7] Smith, L. N. & Topin, N. (2017). Super-convergence. :arxiv:`1708.07120`

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import ConvolutionalAutoencoderTransformer
    >>> X, _ = load_digits(return_X_y=True)
    >>> autoencoder = ConvolutionalAutoencoderTransformer(
    ...     2, image_shape=(8, 8), channels=8, max_iter=10, early_stopping=False, random_state=0
    ... ).fit(X)
    >>> autoencoder.transform(X).shape
    (1797, 2)
    >>> autoencoder.set_params(n_components=None, channels=(8, 1)).fit(X).code_shape_
    MapShape(channels=1, height=2, width=2)
    """

    image_shape_: MapShape | ChannelsLast
    code_shape_: MapShape | ChannelsLast
    # What a network that is trained on can't change any more.
    _structural: ClassVar[tuple[str, ...]] = (
        "n_components",
        "image_shape",
        "channels",
        "kernel_size",
        "pool_size",
        "pooling",
        "upsampling",
        "activation",
        "latent_activation",
        "output_activation",
        "loss",
        "init",
        "ordered",
        "dropout",
        "normalization",
    )

    _parameter_constraints: ClassVar[dict] = {
        "n_components": [*AutoencoderTransformer._parameter_constraints["n_components"], None],
        "image_shape": ["array-like", dict, None],
        "channels": ["array-like", Interval(Integral, 1, None, closed="left")],
        "kernel_size": ["array-like", Interval(Integral, 1, None, closed="left")],
        "pool_size": ["array-like", Interval(Integral, 1, None, closed="left")],
        "pooling": [StrOptions({*POOLINGS, "stride"})],
        "upsampling": [StrOptions(set(UPSAMPLINGS))],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "latent_activation": [StrOptions(set(ACTIVATIONS)), HasMethods("activate")],
        "output_activation": [StrOptions(set(ACTIVATIONS)), None],
        "loss": [StrOptions(set(LOSSES)), callable, dict],
        "init": [StrOptions({"auto", "pca", "random"})],
        "ordered": ["boolean"],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "normalization": [StrOptions(set(IMAGE_NORMALIZATIONS)), None],
        "noise": NOISE_CONSTRAINT,
        "penalty": PENALTY_CONSTRAINT,
        "missing": [StrOptions({"error", "mask"})],
        **TRAINING_CONSTRAINTS,
    }

    def __init__(
        self,
        n_components=2,
        *,
        image_shape=None,
        channels=(16, 64),
        kernel_size=3,
        pool_size=2,
        pooling="max",
        upsampling="transposed",
        activation="silu",
        latent_activation="identity",
        output_activation=None,
        loss="squared_error",
        init="auto",
        ordered=False,
        dropout=0.0,
        normalization=None,
        noise=None,
        penalty=None,
        missing="error",
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
        self.image_shape = image_shape
        self.channels = channels
        self.kernel_size = kernel_size
        self.pool_size = pool_size
        self.pooling = pooling
        self.upsampling = upsampling
        self.activation = activation
        self.latent_activation = latent_activation
        self.output_activation = output_activation
        self.loss = loss
        self.init = init
        self.ordered = ordered
        self.dropout = dropout
        self.normalization = normalization
        self.noise = noise
        self.penalty = penalty
        self.missing = missing
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

    def _check_combination(self):
        """Refuse parameters that contradict each other, and warn of those that are idle."""
        self._check_outputs_and_codes()
        if self.n_components is None:
            if self.init == "pca":
                raise ValueError(
                    "init='pca' needs a number of principal axes, but with n_components=None the "
                    "code is a map of convolutions. Leave init at 'auto', or set n_components."
                )
            reason = "with n_components=None all places of the code share their weights"
            refuse_contradiction(self, "ordered", reason)
        check_all_pixels_are_seen(self._levels(), self.pooling, self.upsampling)
        warn_of_idle(self, self._idle_parameters())

    def _idle_parameters(self):
        """Yield why parameters have nothing to do beside the others, and their names."""
        yield from idle_settings(self)
        levels = self._levels()
        if all(level.pool_size == 1 for level in levels):
            yield "pool_size is 1 in all levels", ["pooling", "upsampling"]
            if self.n_components is None and len(levels) == 1:
                yield "there are no hidden layers", ["activation", "normalization", "dropout"]

    def _check_data(self, X, weight, groups):
        """Refuse values that the loss can't express, and rows that are no such images."""
        X = super()._check_data(X, weight, groups)
        if self.image_shape is not None:  # tables have as few columns as they like
            check_levels_fit(self._map_shape(self.n_features_in_), self._levels(), self.pool_size)
        return X

    def _training_settings(self, n_rows):
        # What a step costs beyond its rows is little, so more steps are better than larger ones.
        return training_settings(self, n_rows, self._own(self.noise), largest_batch=_LARGEST_BATCH)

    def _starts_at_pca(self):
        return self.init == "pca" or (self.init == "auto" and self.n_components is not None)

    def _given_layers(self):
        return []

    def _levels(self):
        return convolution_levels(self.channels, self.kernel_size, self.pool_size)

    def _map_shape(self, n_features) -> MapShape:
        """Return channels, height and width of the image that a row is, in this order."""
        if self.image_shape is None:
            side = math.isqrt(n_features)
            return MapShape(1, side, side) if side**2 == n_features else MapShape(1, 1, n_features)
        shape = read_image_shape(self.image_shape)
        if math.prod(shape) != n_features:
            raise ValueError(
                f"image_shape={self.image_shape!r} has {math.prod(shape)} values, but X has "
                f"{n_features} columns. Set it to the shape of the images that rows of X are."
            )
        return shape.map_shape

    def _column_order(self):
        """Return which columns of X come first for the layers, None if they are in its order."""
        shape = None if self.image_shape is None else read_image_shape(self.image_shape)
        return shape.columns if isinstance(shape, ChannelsLast) else None

    def _paired(self, X, y, sample_weight, *, reset):
        """Return rows with their channels first, beside them their targets, and their weights."""
        X, weight = super()._paired(X, y, sample_weight, reset=reset)
        self._map_shape(self.n_features_in_)  # which is refused before columns are moved
        order = self._column_order()
        if order is not None:
            starts = range(0, X.shape[1], self.n_features_in_)
            X = reordered(X, np.concatenate([order.numpy() + start for start in starts]))
        return X, weight

    def _column_groups(self):
        groups, order = super()._column_groups(), self._column_order()
        if groups is None or order is None:
            return groups
        back = order.argsort().numpy()
        return groups._replace(columns=[back[columns] for columns in groups.columns])

    def _own(self, part):
        order = self._column_order()
        return part if order is None else on_columns_of_X(part, order)

    def _trained(self):
        network, mean, scale = super()._trained()
        order = self._column_order()
        if order is None:
            return network, mean, scale
        return network.without(), mean[order.numpy()], scale

    def _n_codes(self, fit, several=None):
        """Return how many codes to train: the size of the last map, if that is the code."""
        if self.n_components is None and not fit.resumed:
            image_shape = self._map_shape(self.n_features_in_)
            return math.prod(map_shapes(image_shape, self._levels())[-1]), None
        return super()._n_codes(fit, several)

    def _layers(self, n_features, n_codes, generator) -> Layers:
        """Return the convolutions, which start at zero beside a linear path."""
        build = {
            "image_shape": self._map_shape(n_features),
            "levels": self._levels(),
            "activation": self.activation,
            "n_components": None if self.n_components is None else n_codes,
            "generator": generator,
            "zero_last": self._starts_at_pca(),
            "normalization": self.normalization,
            "dropout": self.dropout,
        }
        encode = convolutional_encoder(**build, pooling=self.pooling)
        decode = convolutional_decoder(**build, upsampling=self.upsampling)
        # Channels-last, as a forward and a backward pass of 256 images of 28 by 28 then take half
        # the time on one thread: of 8 + 16 to 32 + 64 filters 29 ms instead of 58 and 152
        # instead of 265 (float32), 18 instead of 37 and 57 instead of 139 (bfloat16); of
        # 128 + 32 filters of 7 by 7 1311 instead of 1929, and 493 instead of 906. To ask for it
        # by the weights is faster than by the images. But Apple's GPUs give wrong gradients:
        # https://github.com/pytorch/pytorch/issues/175189
        if resolve_device(self.device) != "mps":
            for body in (encode, decode):
                body.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return Layers(encode, decode)

    def _pretrain(self, network, loss, rows, settings, pretraining):
        """Leave the layers as they are: convolutions are not pretrained."""

    def _choices(self, n_rows, resumed):
        return [{}]  # the start follows from the code, and convolutions have other sizes

    def _keep(self, fitted, some, *, cut):
        """Set the fitted attributes, all at once."""
        super()._keep(fitted, some, cut=cut)
        # Of the network, which a warm start does not build anew.
        shapes = [
            next(m.unflattened_size for m in part.modules() if isinstance(m, nn.Unflatten))
            for part in (self.module_.encoder, self.module_.decoder)
        ]
        self.image_shape_, codes = MapShape(*shapes[0]), None
        self.__dict__.pop("code_shape_", None)
        if self.n_components is None:
            self.code_shape_ = MapShape(*shapes[1])
        order = self._column_order()
        if order is not None:
            self.image_shape_ = self.image_shape_.channels_last
            if self.n_components is None:
                self.code_shape_ = self.code_shape_.channels_last
                codes = self.code_shape_.columns
            self.mean_ = self.mean_[order.argsort().numpy()]
            self.module_ = ReorderedNetwork(self.module_, order, codes)
