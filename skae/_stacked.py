"""StackedAutoencoderClassifier: autoencoders one upon the other, and a softmax layer on top."""

import copy
from dataclasses import replace
from functools import cache, partial
from numbers import Integral, Real
from typing import ClassVar, NamedTuple, Self

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin
from sklearn.metrics import accuracy_score
from sklearn.utils import check_array, column_or_1d
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted
from torch import nn

from ._assembly import (
    LOSSES,
    Layers,
    assemble,
    outputs_of,
    reconstruction_loss,
    standardization,
)
from ._checked_rows import DTYPES, check_rows, says_way_out, validated_rows
from ._classifier_rows import classifier_rows, hold_out
from ._contract import ClassifierMixin, TransformerMixin, _fit_context, available_if
from ._fitting import (
    NOISE_CONSTRAINT,
    PENALTY_CONSTRAINT,
    TRAINING_CONSTRAINTS,
    checked_part,
    fit_seed,
    fitting,
    layer_sizes,
    of_one_call,
    part_of,
    penalties_of,
    recognize,
    refuse_other_structure,
    structure_of,
    training_settings,
    undisturbed,
    validation_set,
)
from ._holding_out import FitRows
from ._idle import idle_settings, refuse_contradiction, warn_of_idle
from ._labels import (
    as_labels,
    encode_labels,
    has_columns,
    has_minus_one_beside_counts,
    is_unlabeled,
    plain_labels,
)
from ._pretraining import Level, blocks, encoded_rows, explained, levels_of, pretrain
from ._progress import View, Watchable, report_of_fit
from ._racing import Candidate, Contest, train_with_validation
from ._reconstruction import decoded, encoded
from ._rows import LabeledRows, PartlyLabeledRows, Units, has_holes
from ._seeding import torch_generator
from ._training import apply, evaluate, train
from ._unit_interval import lies_in_unit_interval, to_unit_interval
from ._warnings import warn
from .exceptions import MarkerAmongClassesWarning
from .joint import JOINT
from .nn import (
    ACTIVATIONS,
    NORMALIZATIONS,
    ClassifierNetwork,
    CrossEntropy,
    Encoder,
    ErrorRate,
    LadderLoss,
    LadderNetwork,
    ObservedLoss,
    Outputs,
    PenalizedLoss,
    hidden_layers,
    linear,
    mlp,
    transposed_mlp,
)

# What an epoch is judged by on rows held out.
_JUDGES = {"accuracy": ErrorRate, "loss": CrossEntropy}


class Stage(NamedTuple):
    """A stage of a fit, and what it gave."""

    name: str
    loss_curve: list[float]  # (n_epochs,)
    validation_loss_curve: list[float] | None  # (n_epochs + 1,), the start first
    best_iter: int
    score: float


_OF_PRETRAINING = (
    "pretrain_noise",
    "pretrain_max_iter",
    "pretrain_learning_rate_init",
    "loss",
    "tied_weights",
    "penalty",
)


def _has_decoder(classifier) -> bool:
    """Whether codes can be decoded; an error says why not."""
    if classifier.joint is not None or not classifier.pretrain:
        raise AttributeError(
            "inverse_transform needs the decoders of pretraining, and there are none with "
            f"pretrain={classifier.pretrain!r} and joint={classifier.joint!r}: the decoder of a "
            "ladder works beside its encoder only."
        )
    return True


class StackedAutoencoderClassifier(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClassifierMixin, Watchable
):
    """A classifier whose layers are first trained as autoencoders.

    A fit has up to three stages. Each hidden layer is trained as an autoencoder of the codes of
    the layer below [1]_, for a denoising one with noise on its way in [2]_. A softmax layer is
    trained on the codes of the last one. Then all layers are trained together. The first stage
    needs no labels: rows without one, marked as `unlabeled` says, take part in it.

    With ``joint="ladder"`` there is one stage instead: the layers learn to denoise one another
    while the labels are learnt [3]_. It takes several times as long, and is what to use where
    few of many rows have a label.

    A row may have several labels: y is then an indicator matrix, as for
    `sklearn.neural_network.MLPClassifier`, and the last layer a logistic one, which tells each
    label by itself. A one-hot matrix is an indicator matrix like any other; where exactly one
    label is right for each row, ``y.argmax(axis=1)`` lets the labels compete.

    Pretraining pays where labels are few, and where a network is regularized by its noise; with
    many labels and today's activations and solvers it changes little. See the benchmarks.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(128, 64)
        Widths of the hidden layers, from the rows to the codes of the last one.

    activation : {"identity", "relu", "leaky_relu", "elu", "gelu", "silu", "tanh", \
            "logistic", "softplus"}, default="relu"
        What follows each hidden layer.

    normalization : {"batch", "layer"}, default=None
        What hidden layers are normalized by, before their activation: the statistics of the
        mini-batch or those of the row.

    dropout : float, default=0.0
        Share of the values of each hidden layer that are zeroed while training, in [0, 1).

    noise : {"gaussian", "masking", "salt_and_pepper", "swap"} or part, default=None
        What happens to rows on their way into the network in fine-tuning. A name stands for a
        part of `skae.noise` with its defaults; a part of your own is an object with a method
        ``corrupt(rows, generator)``. Rows held out are not corrupted.

    label_smoothing : float, default=0.0
        How much of each label is spread over all classes, in [0, 1) [4]_; of an indicator matrix,
        over having the label and having it not.

    pretrain : bool, default=True
        Whether the layers are first trained as autoencoders, one after the other.

    pretrain_noise : {"gaussian", "masking", "salt_and_pepper", "swap"} or part, \
            default="masking"
        What happens in pretraining to rows and, if it is a part of `skae.noise`, to the codes
        that the layers above are trained on. The clean ones are the target. None for none.

    pretrain_max_iter : int, array-like of int or "auto", default="auto"
        Epochs that each layer is trained for, one number or one for each layer. "auto" aims at
        700 steps, with at least 8 and at most 100 epochs.

    pretrain_learning_rate_init : float, default=0.003
        The largest step in pretraining.

    loss : {"auto", "squared_error", "absolute_error", "huber", "log_loss"} or callable, \
            default="auto"
        What pretraining minimizes for the first layer, as in `AutoencoderTransformer`. "auto" is
        the log loss where all of X lies in [0, 1], and else the squared error, which the layers
        above have in any case.

    tied_weights : bool, default=False
        Whether the weights of the decoders are those of the encoders, transposed.

    penalty : {"l1", "kl", "contraction"}, part or list of these, default=None
        What is added to the loss of each layer in pretraining. A name stands for a part of
        `skae.penalty` with its defaults; a part of your own is an object with a method
        ``penalize(batch)``.

    softmax_max_iter : int or "auto", default="auto"
        Epochs that the softmax layer is trained for, on codes that stay as they are. "auto" is as
        for ``pretrain_max_iter``.

    softmax_learning_rate_init : float, default=0.01
        The largest step in the training of the softmax layer.

    fine_tune : bool, default=True
        Whether there is the last stage. False stops after the softmax layer.

    freeze_encoder : bool, default=False
        Whether fine-tuning trains the softmax layer alone, on rows with noise, and leaves the
        codes as they are. The stage of the softmax layer is then left out.

    joint : {"ladder"} or part, default=None
        What all layers learn at once, instead of the stages above: a part of `skae.joint`, or a
        name that stands for one with its defaults. It brings noise and normalization with it.

    unlabeled : scalar, default=None
        What stands in y for a row without a label, such as -1, "?" or ``np.nan``, which stands
        for None too. Such rows take part in pretraining, and in what is learnt jointly without
        labels, and in nothing else. A row of an indicator matrix is one of them if it has the
        marker for every label. None: all rows have a label.

    missing : {"error", "mask"}, default="error"
        What to do with missing values (NaN) in dense X. "mask" takes the mean of the column for
        them, in `predict` too, and counts no error of reconstruction or of denoising where nothing
        is known. With masking noise, the default of pretraining, the network learns to do without
        some values.

    class_weight : dict or "balanced", default=None
        What the labels of each class weigh, by the class. "balanced" gives all classes the same
        weight together. Of an indicator matrix the classes are its columns: the weight is that of
        a column's cross-entropy, and "balanced" gives, for each label by itself, the rows with it
        and the rows without it the same weight together.

    alpha : float, default=0.0
        Weight decay: "adam", "nadam" and "radam" take the share ``learning_rate * alpha`` off
        every weight at each step, the other solvers add ``alpha`` times the weight to its
        gradient. Biases are exempt.

    solver : {"adam", "sgd", "nadam", "radam", "adamax", "adagrad", "rmsprop"}, \
            default="adam"
        What changes the weights.

    learning_rate : {"one_cycle", "cosine", "constant", "adaptive"}, default="one_cycle"
        How the step changes over the epochs of a stage, as in `AutoencoderTransformer`.

    learning_rate_init : float, default=0.003
        The largest step in fine-tuning and in joint training.

    batch_size : int or "auto", default="auto"
        Rows in a mini-batch. "auto" is a fortieth of the rows of the stage, at least 32 and at
        most 256. In joint training with unlabelled rows, up to half as many labelled ones are
        added to each.

    max_iter : int or "auto", default="auto"
        Epochs of fine-tuning, through the labelled rows, or of joint training, through all rows.
        "auto" aims at 1000 steps, with at least 20 and at most 150 epochs, and at twice as many
        without pretraining and in joint training.

    early_stopping : bool, default=False
        Whether to hold labelled rows out, of each class the same share (of an indicator matrix,
        any of them), and to keep the epoch that tells them best, the start counted. They take no
        part in any stage.

    scoring : {"accuracy", "loss"}, default="accuracy"
        What tells the best epoch: how many rows held out are told correctly, or their
        cross-entropy.

    validation_fraction : float, splitter or tuple (X, y), default=0.1
        What early stopping holds out: a share of the labelled rows, in (0, 1); what the first
        split of a splitter tests on, such as `sklearn.model_selection.GroupShuffleSplit`, which
        sees X, y and the groups of `fit`, rows without a label among them; or rows and labels of
        your own, none of which are trained on. Rows held out without a label judge nothing.

    n_iter_no_change : int or "auto", default="auto"
        With early stopping, epochs to wait for what is judged to get better by ``tol``. "auto" is
        a sixth of ``max_iter``, and at least 10.

    tol : float, default=1e-4
        The least fall of a loss, or of the share of wrong answers, that counts. A stage that
        learns labels ends when its training loss is below, which leaves nothing to gain.

    shuffle : bool, default=True
        Whether the rows are put in a new order for each epoch. Without, they keep that of X.

    warm_start : bool, default=False
        Whether another `fit` goes on from the weights of the last one, in its last stage.
        Parameters of the network itself, and the classes, must be what they were.

    random_state : int, RandomState instance or None, default=None
        Decides the starting weights, the rows held out, the order of the rows and all noise. An
        int gives the same result bit for bit on the same machine. None is different each time,
        without a draw from numpy's global generator.

    verbose : bool, default=False
        Whether to show a progress bar for each stage, on the standard error.
        Bars of scikit-learn (`sklearn.callback.ProgressBar`) take its place.

    checkpoint : str, path-like or tuple (path, seconds), default=None
        A file in which `fit` writes down how far it is, at the end of an epoch: as often as takes
        no more than a twentieth of the time, or when the seconds have passed. A `fit` that finds
        it goes on from there, with the same parameters and rows only; when it ends, the file is
        removed. Each fit needs a path of its own, and a model file does not have it.

    device : {"auto", "cpu", "cuda", "mps"}, default="auto"
        Where to compute. "auto" takes a GPU if there is one. The fitted network is on the CPU.

    precision : {"float32", "bfloat16"}, default="float32"
        Of the matrix products of training.

    callbacks : list of skorch.callbacks.Callback, default=None
        Called in the last stage.
        scikit-learn's own callbacks are set by `set_callbacks`.

    net_params : dict, default=None
        Further parameters of `skorch.NeuralNet` for all stages, such as
        ``{"optimizer__betas": (0.9, 0.99)}``.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes, sorted; the marker of unlabelled rows is not among them. Those of an
        indicator matrix are the numbers of its columns.

    multilabel_ : bool
        Whether y was an indicator matrix, so that a row may have several labels.

    module_ : torch.nn.Module
        The network, on the CPU. ``module_.encoder`` takes rows in the units of X and returns
        codes, ``module_.head`` takes codes and returns logits. After pretraining,
        ``module_.decoder`` takes codes and returns rows.

    autoencoders_ : list of torch.nn.Module
        The autoencoder of each layer as pretraining left it, which fine-tuning does not change;
        empty without pretraining. ``autoencoders_[0].encoder`` takes rows in the units of X, and
        each of the others the codes of the one before.

    stages_ : list of Stage
        What each stage gave, a named tuple of its ``name``, its ``loss_curve`` (a number for
        each epoch), its ``validation_loss_curve`` (of the rows held out, the start first: the
        share of wrong answers, or the cross-entropy in nats; or None), its ``best_iter``, the
        epochs after which its weights were kept, and its ``score``. That is the share of
        variance that a layer's autoencoder explains of its training rows, and the accuracy
        after the later stages: on the rows held out if there are any, else on the labelled
        training rows, each counted as its weight and that of its class say. For an indicator
        matrix the accuracy is the share of rows all of whose labels are told.

    loss_curve_ : list of float
        Training loss of each epoch of the last stage.

    validation_loss_curve_ : list of float or None
        That of the last stage in ``stages_``.

    n_iter_ : int
        Number of epochs of the last stage.

    best_iter_ : int
        Number of epochs of the last stage after which ``module_`` is taken.

    mean_ : ndarray of shape (n_features,)
        Means of the columns of the rows that ``module_`` was trained on.

    scale_ : float
        Root of their mean variance, in the units of X.

    n_features_in_ : int
        Number of columns seen in `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, where all are strings.

    See Also
    --------
    AutoencoderTransformer : With ``pretrain=True``, the same pretraining of an autoencoder.
    sklearn.neural_network.MLPClassifier : A network without pretraining.
    sklearn.semi_supervised.SelfTrainingClassifier : Labels for unlabelled rows from a classifier.
    sklearn.semi_supervised.LabelSpreading : The same from a graph of neighbours.

    Notes
    -----
    `score` leaves rows out that are marked as unlabelled, so that a cross-validation of partly
    labelled rows measures what it should. A scorer of scikit-learn, such as
    ``scoring="accuracy"``, takes the marker for a class; `skae.metrics.labeled_scorer` makes one
    that leaves such rows out.

    Rows that are equal in their values and their label are merged and weighted.

    References
    ----------
    .. [1] Bengio, Y. et al. (2006). Greedy layer-wise training of deep networks. NeurIPS 19.
       https://papers.nips.cc/paper/2006/hash/5da713a690c067105aeb2fae32403405-Abstract.html
    .. [2] Vincent, P. et al. (2010). Stacked denoising autoencoders. Journal of Machine
       Learning Research 11, 3371-3408. https://jmlr.org/papers/v11/vincent10a.html
    .. [3] Rasmus, A. et al. (2015). Semi-supervised learning with ladder networks.
       :arxiv:`1507.02672`
    .. [4] Szegedy, C. et al. (2016). Rethinking the Inception architecture for computer vision.
       :arxiv:`1512.00567`

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import train_test_split
    >>> from skae import StackedAutoencoderClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)
    >>> classifier = StackedAutoencoderClassifier(
    ...     (32, 16), pretrain_max_iter=5, max_iter=20, random_state=0
    ... ).fit(X_train, y_train)
    >>> [stage.name for stage in classifier.stages_]
    ['layer 1', 'layer 2', 'softmax layer', 'fine-tuning']
    >>> classifier.score(X_test, y_test) > 0.9
    True
    """

    # What a network that is trained on can't change any more.
    _structural: ClassVar[tuple[str, ...]] = (
        "hidden_layer_sizes",
        "activation",
        "normalization",
        "dropout",
        "tied_weights",
        "pretrain",
        "joint",
    )

    _parameter_constraints: ClassVar[dict] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "normalization": [StrOptions(set(NORMALIZATIONS)), None],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "noise": NOISE_CONSTRAINT,
        "pretrain": ["boolean"],
        "pretrain_noise": NOISE_CONSTRAINT,
        "pretrain_max_iter": ["array-like", *TRAINING_CONSTRAINTS["max_iter"]],
        "pretrain_learning_rate_init": TRAINING_CONSTRAINTS["learning_rate_init"],
        "loss": [StrOptions({"auto", *LOSSES}), callable],
        "tied_weights": ["boolean"],
        "penalty": PENALTY_CONSTRAINT,
        "softmax_max_iter": TRAINING_CONSTRAINTS["max_iter"],
        "softmax_learning_rate_init": TRAINING_CONSTRAINTS["learning_rate_init"],
        "fine_tune": ["boolean"],
        "freeze_encoder": ["boolean"],
        "joint": [StrOptions(set(JOINT)), HasMethods("noise_and_weights"), None],
        "unlabeled": [Real, str, None],
        "missing": [StrOptions({"error", "mask"})],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        **TRAINING_CONSTRAINTS,
        "scoring": [StrOptions(set(_JUDGES))],
        # Of each class the same share; there is no cross-validation.
        "validation_fraction": TRAINING_CONSTRAINTS["validation_fraction"][1:],
    }

    def __init__(
        self,
        hidden_layer_sizes=(128, 64),
        *,
        activation="relu",
        normalization=None,
        dropout=0.0,
        noise=None,
        label_smoothing=0.0,
        pretrain=True,
        pretrain_noise="masking",
        pretrain_max_iter="auto",
        pretrain_learning_rate_init=0.003,
        loss="auto",
        tied_weights=False,
        penalty=None,
        softmax_max_iter="auto",
        softmax_learning_rate_init=0.01,
        fine_tune=True,
        freeze_encoder=False,
        joint=None,
        unlabeled=None,
        missing="error",
        class_weight=None,
        alpha=0.0,
        solver="adam",
        learning_rate="one_cycle",
        learning_rate_init=0.003,
        batch_size="auto",
        max_iter="auto",
        early_stopping=False,
        scoring="accuracy",
        validation_fraction=0.1,
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
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.normalization = normalization
        self.dropout = dropout
        self.noise = noise
        self.label_smoothing = label_smoothing
        self.pretrain = pretrain
        self.pretrain_noise = pretrain_noise
        self.pretrain_max_iter = pretrain_max_iter
        self.pretrain_learning_rate_init = pretrain_learning_rate_init
        self.loss = loss
        self.tied_weights = tied_weights
        self.penalty = penalty
        self.softmax_max_iter = softmax_max_iter
        self.softmax_learning_rate_init = softmax_learning_rate_init
        self.fine_tune = fine_tune
        self.freeze_encoder = freeze_encoder
        self.joint = joint
        self.unlabeled = unlabeled
        self.missing = missing
        self.class_weight = class_weight
        self.alpha = alpha
        self.solver = solver
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.scoring = scoring
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
    def fit(self, X, y, sample_weight=None, groups=None) -> Self:
        """Fit the classifier, stage by stage.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.

        y : {array-like, sparse matrix} of shape (n_samples,) or (n_samples, n_classes)
            Their labels, of any type, or the marker `unlabeled`. Several columns are an indicator
            matrix: 1 for a label that a row has, and 0 for one that it has not.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative, in all stages. A row of weight two is the same as
            that row twice. None weighs all rows alike.

        groups : array-like of shape (n_samples,), default=None
            Which rows belong together, as those of one person do: early stopping holds them out
            together. Of no effect without.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, X or y is not what is expected, if parameters exclude each other, if
            there are fewer than two classes, or if training diverges without early stopping.
        """
        with fitting(self, X, y, sample_weight, judged=not self.early_stopping):
            return self._fit(X, y, sample_weight, groups)

    def _fit(self, X, y, sample_weight, groups):
        resumed = self.warm_start and hasattr(self, "module_")
        self._check_combination()
        if resumed:
            refuse_other_structure(self, self._structural, self._structure)
        seed = fit_seed(self.random_state)
        known = (self.classes_, self.multilabel_) if resumed else (None, None)
        X, weight, labels = self._check_data(X, y, sample_weight, *known, reset=not resumed)
        if not resumed and self.unlabeled is None and has_minus_one_beside_counts(labels.classes):
            warn(
                f"y has the classes {labels.classes[:5].tolist()}: -1 is taken as a class like any "
                "other. If it stands for rows without a label, as in scikit-learn's "
                "semi-supervised estimators, say so: unlabeled=-1.",
                MarkerAmongClassesWarning,
            )
        fit_rows, labels = self._rows_to_fit(X, y, weight, labels, groups)
        recognize(self, fit_rows, labels.values)
        standardized = (self.mean_, self.scale_) if resumed else None
        how = self.validation_fraction if self.early_stopping else None
        rows = hold_out(fit_rows, labels, self.class_weight, how, seed, standardized)
        with undisturbed(self._parts(), seed):
            self._run_stages(rows, seed, resumed=resumed)
        self.__dict__.pop("_solver_state", None)  # that of partial_fit, for other weights
        return self

    def _rows_to_fit(self, X, y, weight, labels, groups):
        """Return the rows that differ, and the labels of all, those of a validation set too."""
        given, validation, others = validation_set(self), None, None
        if given is not None:
            if given[1] is None:
                raise ValueError(
                    "validation_fraction has rows without labels, but a classifier is judged by "
                    "the labels of the rows held out. Give both: validation_fraction=(X, y)."
                )
            known = labels.classes, labels.multilabel
            validation, _, others = self._check_data(*given, None, *known, reset=False)
        rows = FitRows(
            X,
            weight,
            shuffle=self.shuffle,
            labels=labels.numbers,
            y=y,
            groups=groups if self.early_stopping else None,
            validation=validation,
            validation_labels=None if others is None else others.numbers,
        )
        labels = labels if others is None else labels.then(others)
        label_weight = labels.of(rows.indices).weigh_rows(rows.weight, self.class_weight)
        if not label_weight.any():
            raise ValueError(
                f"None of {len(rows)} rows has a label that counts: unlabeled="
                f"{self.unlabeled!r}, class_weight={self.class_weight!r}. Give some labels."
            )
        return rows, labels

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, classes=None, sample_weight=None) -> Self:
        """Train for one epoch of the last stage, from where the last call or fit ended.

        The first call decides what `fit` reads from all rows: the columns' means, the scale and
        the loss of the first layer. It runs the stages before fine-tuning, such as pretraining,
        with all their epochs on its rows alone, so give it many; they need not be labelled. The
        learning rate of the last stage is constant from then on, no rows are held out, and
        ``class_weight="balanced"`` counts the labels of each call. The solver's moments are kept
        from call to call, as long as its settings are, though not in a pickle.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            A batch of training rows. Those without a label count in the first call and in joint
            training only.

        y : {array-like, sparse matrix} of shape (n_samples,) or (n_samples, n_classes)
            Their labels, or the marker `unlabeled`, as in `fit`.

        classes : array-like of shape (n_classes,), default=None
            All classes there will be. The first call needs them, but for an indicator matrix,
            which has a column for each; later ones may leave them out.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, X or y is not what is expected, if a label is not among the classes,
            or if no row of a later call has a label and there is nothing to learn without.
        """
        with fitting(self, X, y, sample_weight, judged=True, whole=False):
            return self._partial_fit(X, y, classes, sample_weight)

    def _partial_fit(self, X, y, classes, sample_weight):
        resumed = hasattr(self, "module_")
        self._check_combination()
        multilabel = self.multilabel_ if resumed else None
        known = None
        if classes is not None:
            known = as_labels(list(classes))
            known = np.unique(plain_labels(known[~is_unlabeled(known, self.unlabeled)]))
        if resumed:
            refuse_other_structure(self, self._structural, self._structure)
            if known is not None and not np.array_equal(known, self.classes_):
                raise ValueError(
                    f"classes={known.tolist()} are other than in the first call of partial_fit, or "
                    f"in fit: {self.classes_.tolist()}."
                )
            known = self.classes_
        elif known is None and not has_columns(y):
            raise ValueError("classes must be given in the first call of partial_fit.")
        seed = fit_seed(self.random_state)
        if resumed:  # other noise than in the last call
            seed = (seed + self.n_iter_) % 2**31
        X, weight, labels = self._check_data(
            X, y, sample_weight, known, multilabel, reset=not resumed
        )
        indices = np.flatnonzero(weight)
        standardized = (self.mean_, self.scale_) if resumed else None
        which = X, indices, weight[indices], labels, self.class_weight
        rows = classifier_rows(*which, standardized=standardized)
        can_do_without = self.joint is not None or (self.pretrain and not resumed)
        if not can_do_without and not rows.label_weight.any():
            raise ValueError(
                f"y has no label that counts in {len(indices)} rows: unlabeled="
                f"{self.unlabeled!r}, class_weight={self.class_weight!r}. Rows without a label are "
                "for pretraining, in the first call of partial_fit, or for joint='ladder'."
            )
        with undisturbed(self._parts(), seed):
            self._run_stages(rows, seed, resumed=resumed, one_epoch=True)
        return self

    def _check_combination(self):
        """Refuse parameters that contradict each other, and warn of those that are idle."""
        sizes = layer_sizes(self.hidden_layer_sizes)
        if not sizes:
            raise ValueError(
                "hidden_layer_sizes is empty, but a stack needs at least one layer. Without one, "
                "use sklearn.linear_model.LogisticRegression."
            )
        if self.joint is not None:
            for name in ("fine_tune", "freeze_encoder"):
                refuse_contradiction(self, name, "joint training is one stage, of all layers")
            part_of(self.joint, JOINT, "joint").noise_and_weights(len(sizes) + 1)
        elif self.pretrain and not isinstance(self.pretrain_max_iter, str | Integral):
            counts = list(self.pretrain_max_iter)
            if len(counts) != len(sizes) or not all(
                isinstance(n, Integral) and int(n) >= 1 for n in counts
            ):
                raise ValueError(
                    f"pretrain_max_iter={self.pretrain_max_iter!r} must be a positive integer, or "
                    f"one for each of the {len(sizes)} hidden layers."
                )
        checked_part(self.loss)
        warn_of_idle(self, self._idle_parameters())

    def _idle_parameters(self):
        """Yield why parameters have nothing to do beside the others, and their names."""
        yield from idle_settings(self, ends_by_tol=True)
        of_softmax = ("softmax_max_iter", "softmax_learning_rate_init")
        if self.joint is not None:
            own = ("pretrain", "noise", "normalization", "dropout")
            reason = "joint training has one stage, and its own noise and normalization"
            yield reason, (*_OF_PRETRAINING, *of_softmax, *own)
            return
        if not self.pretrain:
            yield "pretrain=False trains no autoencoders", _OF_PRETRAINING
        if not self._has_softmax_stage():
            reason = "there is no stage for the softmax layer alone"
            yield f"{reason}: fine-tuning trains it from its start", of_softmax
        if not self.fine_tune:
            of_fine_tuning = ("freeze_encoder", "noise", "learning_rate_init", "max_iter")
            yield "fine_tune=False stops after the softmax layer", of_fine_tuning
        if not self.pretrain and (self.freeze_encoder or not self.fine_tune):
            yield "no stage trains the hidden layers", ["dropout"]

    def _n_stages(self, resumed):
        if resumed or self.joint is not None:
            return 1
        return self.pretrain + self._has_softmax_stage() + self.fine_tune

    def _has_softmax_stage(self):
        return not self.fine_tune or (self.pretrain and not self.freeze_encoder)

    def _check_data(self, X, y, sample_weight, classes, multilabel, *, reset):
        """Return rows, their weights and their labels, whose classes and kind may be known."""
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        holes = self.missing == "mask"
        X, weight = check_rows(self, X, sample_weight, reset=reset, allow_nan=holes)
        labels = encode_labels(y, X, weight, self.unlabeled, classes, multilabel)
        if self.loss == "log_loss" and self.pretrain and self.joint is None:
            X = to_unit_interval(X, weight, reason="loss='log_loss'", otherwise="use loss='auto'")
        return X, weight, labels

    def _parts(self):
        """Return what may be of the user's making, and draw random numbers."""
        penalties = self.penalty if isinstance(self.penalty, list | tuple) else [self.penalty]
        return [self.noise, self.pretrain_noise, self.loss, self.callbacks, *penalties]

    def _run_stages(self, rows, seed, *, resumed, one_epoch=False):
        """Train stage after stage, the last one only if resumed, and keep what they gave."""
        stages: list[Stage] = []
        autoencoders: list[nn.Module] = []
        report_of_fit().open(self._n_stages(resumed))

        def look(estimator, moment):
            curves, n_epochs = (moment.loss_curve, moment.validation_loss_curve), moment.n_epochs
            now = Stage("", *curves, n_epochs, float("nan"))
            estimator._keep(copy.deepcopy(network).cpu().eval(), autoencoders, [now], rows)

        judging = cache(lambda fold: rows.to_judge() or rows.to_learn())
        view = None if one_epoch else View(look, judging)
        if resumed:
            network, autoencoders = copy.deepcopy(self.module_), self.autoencoders_
        elif self.joint is not None:
            network = self._ladder(rows, seed)
        else:
            network, autoencoders, stages = self._stack(rows, seed)
            if self._has_softmax_stage():
                stages += self._train_softmax_layer(network, rows, seed, view)
        state = None
        if resumed or self.fine_tune:
            state = getattr(self, "_solver_state", None) if one_epoch else None
            what = network, rows, seed, state, view
            last, state = self._train_last_stage(*what, one_epoch=one_epoch)
            stages += last
        if resumed and one_epoch:
            stages = _continued(self.stages_, stages)
        self._keep(network.eval(), autoencoders, stages, rows)
        self._solver_state = state

    def _stack(self, rows, seed):
        """Return a network whose layers are trained as autoencoders, if that is wanted.

        And a copy of each autoencoder, and what its training gave.
        """
        generator = torch_generator(seed)
        sizes = (rows.X.shape[1], *layer_sizes(self.hidden_layer_sizes))
        data = rows.to_encode()
        loss_name = self.loss
        if loss_name == "auto":
            unit = lies_in_unit_interval(rows.X[data.indices])
            loss_name = "log_loss" if unit else "squared_error"
        encode = hidden_layers(
            sizes,
            self.activation,
            generator=generator,
            normalization=self.normalization,
            dropout=self.dropout,
        )
        if self.tied_weights:
            decode = transposed_mlp(encode, self.activation)
        else:
            decode = mlp(sizes[::-1], self.activation, generator=generator)
        network = assemble(
            rows.X,
            data.indices,
            data.sample_weight,
            rows.mean,
            rows.scale,
            Layers(encode, decode, tied=self.tied_weights),
            n_components=sizes[-1],
            pca=False,
            latent_activation="identity",
            outputs=outputs_of(loss_name, None, None),
            groups=None,
            between=None,
        )
        head = linear(sizes[-1], len(rows.labels.classes), generator=generator, zero=True)
        if not self.pretrain:
            return ClassifierNetwork(network.encoder, head), [], []
        loss = reconstruction_loss(network.encoder.standardize, loss_name, None)
        loss = ObservedLoss(loss) if has_holes(rows.X) else loss
        levels = levels_of(network, loss, blocks(encode), blocks(decode)[::-1])
        trained = pretrain(
            [self._penalized(level) for level in levels],
            data,
            self._pretraining_settings(len(levels), len(data), seed),
            measure=explained,
        )
        stages = [
            Stage(f"layer {number}", level.loss_curve, None, len(level.loss_curve), level.measured)
            for number, level in enumerate(trained, start=1)
        ]
        autoencoders = copy.deepcopy([level.network.eval() for level in levels])
        network.eval()  # as its layers are now
        return ClassifierNetwork(network.encoder, head, network.decoder), autoencoders, stages

    def _penalized(self, level):
        penalties = penalties_of(self.penalty, with_partners=False)
        if not penalties:
            return level
        encode = level.network.encoder.from_standardized
        return Level(level.network, PenalizedLoss(level.loss, penalties, encode))

    def _pretraining_settings(self, n_layers, n_rows, seed):
        counts = self.pretrain_max_iter
        counts = [counts] * n_layers if isinstance(counts, str | Integral) else list(counts)
        return [
            self._settings(
                n_rows,
                seed,
                noise=self.pretrain_noise,
                max_iter=count,
                stage="early",
                learning_rate_init=self.pretrain_learning_rate_init,
            )
            for count in counts
        ]

    def _train_softmax_layer(self, network, rows, seed, view):
        """Train the softmax layer on codes that stay as they are, if there are labels."""
        data, judged = rows.to_learn(), rows.to_judge()
        if data is None:
            return []
        n_codes = network.head.in_features
        identity = Encoder(standardization(np.zeros(n_codes), 1.0), nn.Identity(), nn.Identity())
        settings = self._softmax_settings(len(data), seed)
        callbacks = () if self.fine_tune else settings.callbacks  # those are for the last stage
        settings = replace(settings, callbacks=callbacks, view=view)
        stage, _ = self._train(
            "softmax layer",
            ClassifierNetwork(identity, network.head),
            CrossEntropy(rows.outputs, self.label_smoothing),
            _codes_of(network.encoder, data),
            None if judged is None else _codes_of(network.encoder, judged),
            settings,
        )
        return [stage]

    def _ladder(self, rows, seed):
        """Return the network of a joint training."""
        sizes = (rows.X.shape[1], *layer_sizes(self.hidden_layer_sizes), len(rows.labels.classes))
        noise, weights = part_of(self.joint, JOINT, "joint").noise_and_weights(len(sizes) - 1)
        return LadderNetwork(
            standardization(rows.mean, rows.scale),
            sizes,
            self.activation,
            noise=noise,
            weights=weights,
            outputs=rows.outputs,
            generator=torch_generator(seed),
        )

    def _train_last_stage(self, network, rows, seed, state, view, *, one_epoch):
        """Train the network for labels and all that is learnt with them, if there is anything."""
        data: LabeledRows | None
        loss: CrossEntropy | LadderLoss
        if self.joint is not None:
            loss = LadderLoss(rows.outputs, self.label_smoothing)
            name, data = "joint training", rows.to_join()
            settings = self._settings_for_labels(len(data), seed)
        else:
            data, loss = rows.to_learn(), CrossEntropy(rows.outputs, self.label_smoothing)
            if data is None:
                return [], None
            network.freeze(self.freeze_encoder or not self.fine_tune)
            if self.fine_tune:
                name, stage = "fine-tuning", "fine-tuning" if self.pretrain else "last"
                settings = self._settings_for_labels(len(data), seed, self.noise, stage=stage)
            else:
                name, settings = "softmax layer", self._softmax_settings(len(data), seed)
        settings = replace(settings, view=view)
        if one_epoch:
            settings = of_one_call(settings, settings.learning_rate_init)
        solver = self.solver, self.alpha, repr(self.net_params), name
        state = state[1] if state is not None and state[0] == solver else None
        stage, state = self._train(name, network, loss, data, rows.to_judge(), settings, state)
        if self.joint is None:
            network.freeze(False)
        return [stage], (solver, state)

    def _train(self, name, network, loss, data, judged, settings, state=None):
        """Train a network for labels, with early stopping if rows are held out."""
        if judged is None:
            curve, state = train(network, loss, data, settings, solver_state=state, label=name)
            validation_curve, best_iter = None, len(curve)
        else:
            judge = _JUDGES[self.scoring](loss.outputs)
            contest = Contest([Candidate([(network, loss, data)], [judged])])
            found = train_with_validation([contest], settings, judge=judge, label=name)
            [(_, [(curve, validation_curve, best_iter)])] = found
        score = _accuracy(network, loss.outputs, data if judged is None else judged)
        return Stage(name, curve, validation_curve, best_iter, score), state

    def _softmax_settings(self, n_rows, seed):
        return self._settings_for_labels(
            n_rows,
            seed,
            max_iter=self.softmax_max_iter,
            stage="early",
            learning_rate_init=self.softmax_learning_rate_init,
        )

    def _settings(self, n_rows, seed, noise=None, **of_stage):
        return replace(training_settings(self, n_rows, noise, **of_stage), seed=seed)

    def _settings_for_labels(self, n_rows, seed, noise=None, **of_stage):
        """Return settings of a stage that ends when its loss can't fall by `tol` any more.

        A solver that scales its steps goes on at full speed where gradients are next to none, and
        learns what rows of next to no weight have, or the rounding.
        """
        return replace(self._settings(n_rows, seed, noise, **of_stage), enough=self.tol)

    def _keep(self, network, autoencoders, stages, rows):
        """Set the fitted attributes, all at once."""
        self.classes_, self.multilabel_ = rows.labels.classes, rows.labels.multilabel
        self._outputs = rows.outputs
        self.mean_, self.scale_ = rows.mean, rows.scale
        self.module_, self.autoencoders_, self.stages_ = network, autoencoders, stages
        last = stages[-1]
        self.loss_curve_, self.validation_loss_curve_ = last.loss_curve, last.validation_loss_curve
        self.n_iter_, self.best_iter_ = len(last.loss_curve), last.best_iter
        self._structure = structure_of(self, self._structural)
        self._n_features_out = layer_sizes(self.hidden_layer_sizes)[-1]

    def predict(self, X) -> np.ndarray:
        """Tell the class of rows, or which labels they have.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training rows.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            The class of the largest probability, one of ``classes_``; after an indicator matrix
            another one, with 1 for each label whose probability is above a half.
        """
        probability = torch.from_numpy(self.predict_proba(X))
        decided = self._outputs.decide(probability).numpy()
        return decided if self.multilabel_ else self.classes_[decided]

    def predict_proba(self, X) -> np.ndarray:
        """Return the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of ``classes_`` and in the dtype of X (float32 or
            float64). Those of a row add up to one, but for labels of an indicator matrix: each
            has a probability of its own.
        """
        return self._apply(_probabilities, X)

    def predict_log_proba(self, X) -> np.ndarray:
        """Return the logarithm of the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Natural logarithms, in the order of ``classes_`` and in the dtype of X (float32 or
            float64).
        """
        return self._apply(_log_probabilities, X)

    def _apply(self, function, X):
        """Apply the network to rows, after validation."""
        check_is_fitted(self)
        X = self._validate_rows(X)
        function, before = partial(function, self._outputs), Units(self.mean_, self.scale_)
        return apply(function, self.module_, X, device=self.device, before=before.standardize)

    def _validate_rows(self, X):
        return validated_rows(self, X, reset=False, allow_nan=self.missing == "mask")

    def score(self, X, y, sample_weight=None) -> float:
        """Return the accuracy on the rows that have a label.

        For an indicator matrix, that is the share of rows all of whose labels are told correctly,
        as for scikit-learn's multilabel classifiers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training rows.

        y : {array-like, sparse matrix} of shape (n_samples,) or (n_samples, n_classes)
            Their labels. Rows marked as `unlabeled` says are left out.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        float
            Share of the labelled rows that are told correctly.

        Raises
        ------
        ValueError
            If no row has a label.
        """
        predicted = self.predict(X)
        y = as_labels(y)
        labeled = ~is_unlabeled(y, self.unlabeled)
        if not labeled.any():
            raise ValueError(
                f"All {len(y)} rows are marked unlabeled={self.unlabeled!r}, which leaves none to "
                "score. Give rows with labels; in a cross-validation, each part needs some."
            )
        y, predicted = plain_labels(y[labeled]), predicted[labeled]
        if sample_weight is not None:
            sample_weight = column_or_1d(sample_weight)[labeled]
        return float(accuracy_score(y, predicted, sample_weight=sample_weight))

    def transform(self, X) -> np.ndarray:
        """Return the codes of the last hidden layer.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training rows.

        Returns
        -------
        ndarray of shape (n_samples, n_codes)
            Activations of the last hidden layer, in the dtype of X (float32 or float64).
        """
        check_is_fitted(self)
        return encoded(self, self._validate_rows(X))

    @available_if(_has_decoder)
    def inverse_transform(self, X) -> np.ndarray:
        """Decode codes of the last hidden layer, back through the stack.

        The decoders are those of pretraining; tied ones follow the encoder. Fine-tuning moves the
        codes away from what the decoders were made for, so rows come back best with
        ``freeze_encoder=True`` or ``fine_tune=False``. There is no way back without pretraining.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_codes)
            Codes as `transform` returns them.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Reconstructed rows in the units of the training rows.

        Raises
        ------
        ValueError
            If X has another number of columns than the last hidden layer has units.
        """
        check_is_fitted(self)
        with says_way_out(X):
            X = check_array(X, dtype=DTYPES, input_name="X")
        if X.shape[1] != self._n_features_out:
            raise ValueError(
                f"X has {X.shape[1]} features, but {type(self).__name__}.inverse_transform "
                f"expects codes with {self._n_features_out}, as transform returns them."
            )
        return decoded(self, X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = self.missing == "mask"
        tags.classifier_tags.multi_label = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _codes_of(encoder, rows: LabeledRows) -> LabeledRows:
    codes = encoded_rows(encoder, rows)
    how = codes.indices, codes.sample_weight, codes.mean, codes.scale
    return LabeledRows(codes.X, *how, rows.labels.numpy())


def _continued(before: list[Stage], now: list[Stage]) -> list[Stage]:
    """Return the stages after another epoch of the last one."""
    if not now or before[-1].name != now[0].name:
        return [*before, *now]
    curve = before[-1].loss_curve + now[0].loss_curve
    return [*before[:-1], now[0]._replace(loss_curve=curve, best_iter=len(curve))]


def _accuracy(network, outputs: Outputs, rows: LabeledRows) -> float:
    """Return the share of rows whose label is told, each as often as its weight says."""
    told = evaluate(partial(_is_told, outputs), network, rows).double().numpy()
    weight = (
        rows.label_weight.numpy() if isinstance(rows, PartlyLabeledRows) else rows.sample_weight
    )
    return float(np.average(told, weights=weight)) if weight.any() else float("nan")


def _is_told(outputs, network, Z, labels):
    return ~outputs.are_wrong(network(Z).logits, labels)


def _probabilities(outputs, network, Z):
    probability = outputs.probabilities(network(Z.nan_to_num(0.0)).logits)
    return probability.clamp(min=torch.finfo(probability.dtype).tiny)  # it has a logarithm


def _log_probabilities(outputs, network, Z):
    return outputs.log_probabilities(network(Z.nan_to_num(0.0)).logits)
