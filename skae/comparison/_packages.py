"""Methods of other packages, which `compare` knows by name and imports where they are installed."""

from importlib import import_module
from typing import NamedTuple


class Package(NamedTuple):
    """Where a method is found."""

    module: str
    estimator: str  # its class
    project: str  # what pip installs


PACKAGES = {
    "umap": Package("umap", "UMAP", "umap-learn"),
    "pacmap": Package("pacmap", "PaCMAP", "pacmap"),
    "phate": Package("phate", "PHATE", "phate"),
    "trimap": Package("trimap", "TRIMAP", "trimap"),
}


def import_estimator(name):
    """Return the class of a method, or raise an ImportError that says what to install."""
    module, estimator, project = PACKAGES[name]
    try:
        return getattr(import_module(module), estimator)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise _broken(name, error) from error
        raise ImportError(
            f"The method {name!r} is in a package that is not installed: pip install {project}"
        ) from None
    except AttributeError:
        raise ImportError(
            f"The method {name!r} is {estimator} of {project}, but the module {module!r} that is "
            f"installed has none, and is another one: pip install {project}"
        ) from None
    except ImportError as error:
        raise _broken(name, error) from error


def _broken(name, error):
    """Return the error for a package that is there and does not load."""
    return ImportError(
        f"The method {name!r} needs {PACKAGES[name].project}, which can't be imported: {error}"
    )


def _umap(n_components, n_samples, random_state):
    """UMAP: a graph of the 15 nearest neighbors; of umap-learn."""
    return import_estimator("umap")(
        n_components=n_components,
        n_neighbors=min(15, n_samples - 1),
        random_state=random_state,
        n_jobs=1,  # more are not used with a seed
    )


def _pacmap(n_components, n_samples, random_state):
    """PaCMAP: pairs of rows that are near, less near and far; of pacmap."""
    # Without its tree, transform would have to be given the training rows again.
    return import_estimator("pacmap")(
        n_components=n_components, random_state=random_state, save_tree=True
    )


def _phate(n_components, n_samples, random_state):
    """PHATE: distances by diffusion, for what branches; of phate."""
    return import_estimator("phate")(
        n_components=n_components,
        knn=min(5, n_samples - 1),
        random_state=random_state,
        n_jobs=1,
        verbose=0,
    )


def _trimap(n_components, n_samples, random_state):
    """TriMap: which of two rows is nearer; of trimap."""
    return import_estimator("trimap")(n_dims=n_components, n_inliers=min(12, n_samples // 4))


PACKAGED_METHODS = {"umap": _umap, "pacmap": _pacmap, "phate": _phate, "trimap": _trimap}
