"""Which rows a method can't be given, as far as it says so before it is fitted.

scikit-learn's estimators have tags that tell whether they take missing values and sparse rows. An
estimator that says nothing is tried; what it raises ends in its row.
"""

from typing import NamedTuple

from sklearn.base import MetaEstimatorMixin, OneToOneFeatureMixin
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import get_tags

from skae.comparison._packages import PACKAGES

# Estimators made of others, whose tags do not say what those take.
COMPOSITES = (ColumnTransformer, FeatureUnion, MetaEstimatorMixin)
# Libraries all of whose tags are to be believed, and those that have none: none of the latter
# takes missing values, and these take sparse rows.
TAGGED = {"sklearn", "skae"}
UNTAGGED = {package.module for package in PACKAGES.values()}
UNTAGGED_SPARSE = {"umap", "phate"}


class RowKind(NamedTuple):
    """What is special about the rows of a comparison, as methods are given them."""

    has_holes: bool
    is_sparse: bool


def refusal(estimator, kind):
    """Return why an estimator can't be fitted on rows of a kind; None if it can, or may."""
    steps = steps_of(estimator)
    for step in steps:
        takes_holes, takes_sparse = _takes(step)
        if kind.has_holes and not takes_holes:
            return f"{_subject(step, steps)} no missing values; {_remedy(step)}"
        if kind.is_sparse and not takes_sparse:
            return f"{_subject(step, steps)} no sparse rows"
        if not _keeps_holes(step):
            break  # what comes out is neither sparse nor has holes, or no one knows
    return None


def check_not_all_refuse(estimators, kind):
    """Raise an error that says what to do if no estimator can be fitted on rows of a kind.

    `estimators` is a dictionary from the names of methods.
    """
    if not all(refusal(estimator, kind) for estimator in estimators.values()):
        return
    names = ", ".join(repr(name) for name in estimators)
    if kind.has_holes:
        raise ValueError(
            f"X has missing values (NaN), and no method takes them ({names}). Name an autoencoder, "
            "such as 'autoencoder', give AutoencoderTransformer(missing='mask') as an estimator in "
            "methods, or fill them in before."
        )
    raise ValueError(
        f"X is sparse, and no method takes sparse rows ({names}). Name one that does, such as "
        "'pca' or 'autoencoder', or give X.toarray()."
    )


def takes_tables(estimator):
    """Tell whether an estimator is for tables of words and dates as they are, and not a matrix."""
    for first in steps_of(estimator)[:1]:
        if isinstance(first, FeatureUnion):
            return any(takes_tables(part) for _, part in first.transformer_list)
        if _searches(first):
            return takes_tables(first.estimator)
        if isinstance(first, COMPOSITES):
            return True
        if _speaks(first):
            tags = get_tags(first).input_tags
            return tags.categorical or tags.string
    return False


def says_it_takes_holes(estimator):
    """Tell whether an estimator can be given missing values, and says so."""
    for step in steps_of(estimator):
        if _searches(step):
            return says_it_takes_holes(step.estimator)
        if isinstance(step, COMPOSITES) or not _speaks(step):
            return False
        if get_tags(step).no_validation or not get_tags(step).input_tags.allow_nan:
            return False
        if not _keeps_holes(step):
            break
    return True


def needs_spmatrix(estimator):
    """Tell whether sparse rows have to be a scipy matrix, as UMAP does not know sparse arrays."""
    return any(_library(step) in UNTAGGED for step in steps_of(estimator))


def steps_of(estimator):
    """Return the estimators that a pipeline consists of, or the estimator itself."""
    if not isinstance(estimator, Pipeline):
        return [estimator]
    steps = [step for _, step in estimator.steps if hasattr(step, "fit")]
    return [part for step in steps for part in steps_of(step)]


def _takes(step):
    """Tell whether an estimator takes missing values, and sparse rows, or does not say."""
    library = _library(step)
    if library in UNTAGGED:
        return False, library in UNTAGGED_SPARSE
    if isinstance(step, COMPOSITES) or not _speaks(step):
        return True, True
    tags = get_tags(step)
    if tags.no_validation:
        return True, True
    return tags.input_tags.allow_nan, tags.input_tags.sparse


def _searches(step):
    """Tell whether an estimator is made of one other, as a grid search is."""
    return isinstance(step, MetaEstimatorMixin) and hasattr(step, "estimator")


def _library(step):
    return type(step).__module__.partition(".")[0]


def _keeps_holes(step):
    """Tell whether missing values stay missing in what a step makes of rows."""
    is_encoder_of_tables = type(step).__module__ == "skae._table_encoder"  # torch not imported
    return isinstance(step, OneToOneFeatureMixin) or is_encoder_of_tables


def _speaks(step):
    """Tell whether the tags of an estimator are to be believed."""
    return _library(step) in TAGGED or any(
        "__sklearn_tags__" in vars(one) and not one.__module__.startswith("sklearn.")
        for one in type(step).__mro__
    )


def _subject(step, steps):
    """Return who takes no such rows: a step of your pipeline, or the method as a whole."""
    is_ours = type(step).__module__.startswith(__package__)
    return "takes" if is_ours or len(steps) == 1 else f"its {type(step).__name__} takes"


def _remedy(step):
    """Return how rows with missing values can be given to the step after all."""
    can_mask = hasattr(step, "get_params") and "missing" in step.get_params(deep=False)
    return "set missing='mask'" if can_mask else "put an imputer before it"
