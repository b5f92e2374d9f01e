"""The methods that `compare` knows by name, and what it has to know of any other."""

import difflib

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, clone
from sklearn.decomposition import PCA, KernelPCA
from sklearn.manifold import TSNE, Isomap, LocallyLinearEmbedding
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted, validate_data

from skae.comparison._packages import PACKAGED_METHODS, PACKAGES, import_estimator
from skae.comparison._refusals import steps_of

# Methods whose fit takes the square or the cube of the number of rows.
NOT_SCALABLE = (KernelPCA, Isomap, LocallyLinearEmbedding)


class UnitVarianceScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Centre the rows and divide them by one number, so that their total variance is 1.

    Distances keep their proportions, unlike with `StandardScaler`; a kernel's width then means
    the same for every data set.
    """

    def fit(self, X, y=None):
        X = validate_data(self, X, dtype=np.float64)
        self.mean_ = X.mean(axis=0)
        self.scale_ = np.sqrt(X.var(axis=0).sum()) or 1.0
        return self

    def transform(self, X):
        check_is_fitted(self)
        return (validate_data(self, X, dtype=np.float64, reset=False) - self.mean_) / self.scale_

    def inverse_transform(self, X):
        check_is_fitted(self)
        return X * self.scale_ + self.mean_


def _pca(n_components, n_samples, random_state):
    """Principal component analysis: the best linear reconstruction."""
    return PCA(n_components, random_state=random_state)


def _famd(n_components, n_samples, random_state):
    """Factor analysis of mixed data: PCA of numbers and categories."""
    from skae._table_encoder import TableEncoder

    return make_pipeline(TableEncoder(), PCA(n_components, random_state=random_state))


def _kernel_pca(n_components, n_samples, random_state):
    """Kernel PCA: an RBF kernel as wide as the rows lie apart."""
    # Rows of total variance 1 lie apart by sqrt(2), root mean square: gamma = 1 / (2 * 2). The
    # inverse is a kernel ridge on the codes with the same gamma, hence the small penalty.
    kernel_pca = KernelPCA(
        n_components,
        kernel="rbf",
        gamma=0.25,
        alpha=1e-3,
        fit_inverse_transform=True,
        random_state=random_state,
    )
    return make_pipeline(UnitVarianceScaler(), kernel_pca)


def _isomap(n_components, n_samples, random_state):
    """Isomap: distances along the graph of the 10 nearest neighbors."""
    return Isomap(n_components=n_components, n_neighbors=min(10, n_samples - 1))


def _lle(n_components, n_samples, random_state):
    """Locally linear embedding: rows as means of their 10 neighbors."""
    return LocallyLinearEmbedding(
        n_components=n_components,
        n_neighbors=min(10, n_samples - 1),
        random_state=random_state,
    )


def _tsne(n_components, n_samples, random_state):
    """t-SNE: neighborhoods of the rows at hand."""
    return TSNE(
        n_components,
        perplexity=min(30.0, (n_samples - 1) / 3),
        method="barnes_hut" if n_components <= 3 else "exact",
        random_state=random_state,
    )


def _of_autoencoder(summary, **parameters):
    """Return a factory of an AutoencoderTransformer with some of its parameters set.

    What is callable among them is called, so that torch is not imported before it is used.
    """

    def build(n_components, n_samples, random_state):
        from skae._autoencoder import AutoencoderTransformer

        made = {name: part() if callable(part) else part for name, part in parameters.items()}
        return AutoencoderTransformer(n_components, random_state=random_state, **made)

    build.__doc__ = summary
    return build


def _deep_autoencoder(n_components, n_samples, random_state):
    """Deeper autoencoder, with three hidden layers."""
    from skae._autoencoder import AutoencoderTransformer
    from skae._fitting import MANY_ROWS

    # Of few rows, wider ones take four times as long and explain no more of new ones.
    sizes = (512, 256, 128) if n_samples > MANY_ROWS else (256, 128, 64)
    return AutoencoderTransformer(n_components, hidden_layer_sizes=sizes, random_state=random_state)


def _gaussian_noise():
    from skae.noise import GaussianNoise

    return GaussianNoise(0.3)


def _kl_sparsity():
    from skae.penalty import KLSparsity

    return KLSparsity(0.1)


def _k_sparse_autoencoder(n_components, n_samples, random_state):
    """Autoencoder that keeps the larger half of the numbers of each code."""
    from skae._autoencoder import AutoencoderTransformer
    from skae.activation import TopK

    return AutoencoderTransformer(
        n_components,
        latent_activation=TopK(max(1, n_components // 2)),
        random_state=random_state,
    )


def _convolutional_autoencoder(n_components, n_samples, random_state):
    """Convolutional autoencoder, for rows that are images."""
    from skae._convolutional import ConvolutionalAutoencoderTransformer

    return ConvolutionalAutoencoderTransformer(n_components, random_state=random_state)


def _variational_autoencoder(n_components, n_samples, random_state):
    """Variational autoencoder: codes are distributions."""
    from skae._variational import VariationalAutoencoderTransformer

    return VariationalAutoencoderTransformer(n_components, random_state=random_state)


# name -> function of (n_components, n_samples, random_state), where n_samples is the number of
# rows that the method is sure to see.
METHODS = {
    "pca": _pca,
    "famd": _famd,
    "kernel_pca": _kernel_pca,
    "isomap": _isomap,
    "lle": _lle,
    "tsne": _tsne,
    "neighbor_autoencoder": _of_autoencoder(
        "Autoencoder whose codes keep neighbors together, as t-SNE does.",
        penalty="neighbors",
        hidden_layer_sizes=(256, 128, 64),
        init="random",  # which the start at PCA is not ahead of here, and takes as long again
    ),
    "autoencoder": _of_autoencoder(
        "Autoencoder with its defaults: it is PCA unless it can do better."
    ),
    "deep_autoencoder": _deep_autoencoder,
    "random_autoencoder": _of_autoencoder(
        "Textbook autoencoder, which starts from random weights.", init="random", noise=None
    ),
    "denoising_autoencoder": _of_autoencoder(
        "Autoencoder trained to undo Gaussian noise.", noise=_gaussian_noise
    ),
    "sparse_autoencoder": _of_autoencoder(
        "Autoencoder with an L1 penalty on its codes.", penalty="l1"
    ),
    "kl_sparse_autoencoder": _of_autoencoder(
        "Autoencoder whose codes, between 0 and 1, are seldom active.",
        penalty=_kl_sparsity,
        latent_activation="logistic",
    ),
    "k_sparse_autoencoder": _k_sparse_autoencoder,
    "contractive_autoencoder": _of_autoencoder(
        "Autoencoder whose codes hardly move with the rows.", penalty="contraction"
    ),
    "tied_autoencoder": _of_autoencoder(
        "Autoencoder whose decoder has the encoder's weights, transposed.", tied_weights=True
    ),
    "dropout_autoencoder": _of_autoencoder(
        "Autoencoder with dropout and batch normalization.", dropout=0.1, normalization="batch"
    ),
    "pretrained_autoencoder": _of_autoencoder(
        "Autoencoder whose layers are pretrained one by one.", pretrain=True
    ),
    "ordered_autoencoder": _of_autoencoder(
        "Autoencoder whose codes are sorted by what they explain.", ordered=True
    ),
    "convolutional_autoencoder": _convolutional_autoencoder,
    "variational_autoencoder": _variational_autoencoder,
    **PACKAGED_METHODS,
}

# Those that are compared where none are named: each answers another question.
DEFAULT_METHODS = (
    "pca",
    "kernel_pca",
    "isomap",
    "lle",
    "tsne",
    "neighbor_autoencoder",
    "autoencoder",
    "deep_autoencoder",
)


# Those of a table of numbers and categories, of whose matrix PCA is factor analysis.
DEFAULT_METHODS_OF_TABLES = ("famd", *(name for name in DEFAULT_METHODS if name != "pca"))


def check_methods(methods, default=DEFAULT_METHODS):
    """Return `methods` as a dictionary from a name to a key of METHODS or an estimator."""
    if methods is None:
        methods = default
    if isinstance(methods, str):
        methods = [methods]
    if not hasattr(methods, "items"):
        methods = {name: name for name in methods}
    if not methods:
        raise ValueError("methods is empty; name at least one of: " + ", ".join(METHODS) + ".")
    for name, method in methods.items():
        if not isinstance(name, str):
            raise TypeError(
                f"A method is named by a string, not by {name!r}; give estimators as a "
                "dictionary, such as {'mine': PCA(2)}."
            )
        if isinstance(method, str) and method not in METHODS:
            raise ValueError(_unknown_method(method))
    for method in methods.values():
        if isinstance(method, str) and method in PACKAGES:
            import_estimator(method)  # what is not installed is said before the work
    return dict(methods)


def _unknown_method(name):
    """Return the message for a name that METHODS does not have."""
    close = difflib.get_close_matches(name, METHODS, n=1)
    suggestion = f" Did you mean {close[0]!r}?" if close else ""
    return f"There is no method {name!r}.{suggestion} The methods are: {', '.join(METHODS)}."


def build_method(method, n_components, n_samples, random_state, kind, encoder=None):
    """Return an unfitted estimator for rows of a kind: a new one of METHODS, or a clone.

    `encoder` is the `TableEncoder` whose matrix the rows are, if they are one.
    """
    if not isinstance(method, str):
        return clone(method)
    if encoder is not None and method == "famd":
        method = "pca"  # the rows are what it is PCA of
    estimator = METHODS[method](n_components, n_samples, random_state)
    has_holes = kind.has_holes or encoder is not None
    if has_holes and "missing" in estimator.get_params(deep=False):
        estimator.set_params(missing="mask")
    if encoder is not None:
        _give_loss(estimator, encoder)
    if kind.is_sparse and isinstance(estimator, TSNE):
        estimator.set_params(init="random")  # the other one is for dense rows only
    return estimator


def _give_loss(estimator, encoder):
    """Have the columns of a table count in the loss as they do in the score, where that can be."""
    from skae._autoencoder import AutoencoderTransformer

    if type(estimator) is AutoencoderTransformer:  # convolutions have no loss of columns
        estimator.set_params(loss=encoder.loss())


def is_scalable(estimator):
    """Tell whether the estimator can be fitted on any number of rows."""
    return not any(isinstance(step, NOT_SCALABLE) for step in steps_of(estimator))


def needs_target(estimator):
    """Tell whether the estimator can't be fitted without a target."""
    return any(get_tags(step).target_tags.required for step in steps_of(estimator))


def embeds_new_rows(estimator):
    """Tell whether the estimator can embed rows that it was not fitted on."""
    return hasattr(estimator, "transform")
