"""What displays ask of fitted estimators: codes, rows, weights, and the maps within a network.

Anything with `transform` and `inverse_transform` will do, a `PCA` or a `Pipeline` as well.
"""

import numpy as np
from scipy.sparse import issparse
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.validation import check_is_fitted

from skae._frames import library_of
from skae._inverse import without_imputers
from skae._labels import is_unlabeled
from skae.nn import read_image_shape
from skae.plotting._images import check_image_shape, is_drawable


def fitted(estimator, *methods):
    """Return a fitted estimator, of a search the best one, that has some methods."""
    check_is_fitted(estimator)
    estimator = getattr(estimator, "best_estimator_", estimator)
    for method in methods:
        if not hasattr(estimator, method):
            raise TypeError(
                f"{type(estimator).__name__} has no {method}, which this display needs; give an "
                "estimator that has it (a Pipeline has it if all of its steps do)."
            )
    return estimator


def last_step(estimator):
    """Return the last step of a pipeline, of another estimator the estimator itself."""
    return _steps_of(estimator)[-1]


def as_last_step_sees(estimator, X):
    """Return rows after all steps of a pipeline but the last."""
    for step in _steps_of(estimator)[:-1]:
        X = step.transform(X)
    return numbers(X)


def _steps_of(estimator):
    """Return the steps of a pipeline that do something, those of one at its end among them."""
    estimator = fitted(estimator)
    if not isinstance(estimator, Pipeline):
        return [estimator]
    steps = [step for _, step in estimator.steps if step not in (None, "passthrough")]
    return [*steps[:-1], *_steps_of(steps[-1])] if steps else [estimator]


def numbers(X):
    """Return what an estimator returned, or was given, as a dense array of finite numbers."""
    X = X.toarray() if issparse(X) else X
    return check_array(X, dtype=np.float64)


def rows_of(X):
    """Return rows to draw, which may have missing values, as a dense array."""
    X = X.toarray() if issparse(X) else X
    how = {"dtype": np.float64, "ensure_all_finite": "allow-nan", "input_name": "X"}
    if are_numbers(X):
        return check_array(X, **how)
    try:
        return check_array(X, **how)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"X has columns that are no numbers ({error}), which this display can't draw. Of "
            "tables, LatentSpaceDisplay shows codes, CodeEffectsDisplay what they stand for, and "
            "ReconstructionDisplay rows beside what they were rebuilt as."
        ) from error


def are_numbers(X):
    """Return whether the types of all columns are those of numbers or flags."""
    library = library_of(X)
    if library == "numpy":
        return getattr(X, "dtype", np.dtype(float)).kind not in "OUSM"
    if library == "polars":
        return all(kind.is_numeric() or str(kind) == "Boolean" for kind in X.dtypes)
    return all(getattr(kind, "kind", "O") in "iufb" for kind in X.dtypes)


def target_of(y):
    """Return labels or values as a column, in which none is missing."""
    if y is None:
        return None
    y = column_or_1d(y)
    if is_unlabeled(y, np.nan).any():
        raise ValueError(
            "y contains NaN, or another missing value, which has no color; leave these rows out, "
            "or give them a label of their own."
        )
    return y


def encode(estimator, X):
    """Return the codes of rows."""
    return numbers(fitted(estimator, "transform").transform(X))


def decode(estimator, codes):
    """Return the rows that codes stand for."""
    estimator = without_imputers(fitted(estimator))
    return numbers(fitted(estimator, "inverse_transform").inverse_transform(codes))


def column_names(X, n_features):
    """Return the names of the columns, of an array their numbers."""
    names = getattr(X, "columns", [f"feature {i}" for i in range(n_features)])
    return [str(name) for name in names]


def image_shape_in(estimator, image_shape, n_features):
    """Return the image shape asked for, else the one that a convolutional estimator has found.

    That one is None if it has channels that are not colors.
    """
    if image_shape is not None or estimator is None:
        return image_shape
    found = getattr(last_step(estimator), "image_shape_", None)
    if found is None or np.prod(found) != n_features:
        return None
    return found if is_drawable(read_image_shape(found)) else None


def checked_image_shape(estimator, image_shape, n_features):
    """Return the shape of the rows that an estimator takes, or None if they are no images."""
    return check_image_shape(image_shape_in(estimator, image_shape, n_features), n_features)


def module_of(estimator, what):
    """Return the fitted torch module of the last step."""
    estimator = last_step(estimator)
    if not hasattr(estimator, "module_"):
        raise TypeError(
            f"{type(estimator).__name__} has no module_, a fitted torch network, and so no {what}; "
            "give an autoencoder, or a pipeline that ends in one."
        )
    return estimator.module_


def first_weights(estimator):
    """Return the weights of the first layer, of shape (n_units, ...).

    Of a convolution these are the filters, (n_filters, channels, height, width).
    """
    last = last_step(estimator)
    if hasattr(last, "module_"):
        return _first_layer(last.module_.encoder)
    if hasattr(last, "components_"):
        return np.asarray(last.components_, dtype=float)
    if hasattr(last, "coefs_"):
        return np.asarray(last.coefs_[0], dtype=float).T
    raise TypeError(
        f"{type(last).__name__} has neither a network (module_) nor components_ or coefs_, so it "
        "has no weights to draw; give an autoencoder, a PCA or an MLPClassifier, for example."
    )


def _first_layer(encoder):
    """Return the weights of the first layer of the nonlinear path, if there is one."""
    from torch import nn

    paths = [m.correction for m in encoder.modules() if hasattr(m, "correction")]
    for layer in (paths or [getattr(encoder, "body", encoder)])[0].modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            return layer.weight.detach().cpu().double().numpy()
    raise TypeError(
        "The encoder has neither a dense layer nor a convolution, so it has no weights to draw."
    )


def maps_in(encoder, X, layer):
    """Return the maps after a convolution and its activation, before it is pooled.

    They have the shape (n_samples, n_maps, height, width).
    """
    import torch
    from torch import nn

    convolutions = [m for m in encoder.modules() if isinstance(m, nn.Conv2d)]
    if not convolutions:
        raise TypeError(
            "The encoder has no convolution, and so no feature maps; WeightsDisplay draws what a "
            "dense layer has learnt."
        )
    if not 0 <= layer < len(convolutions):
        raise ValueError(
            f"layer={layer}, but the encoder has {len(convolutions)} convolutions, counted from 0."
        )

    seen = []  # layer and output, in the order of their work

    def remember(module, _, output):
        seen.append((module, output))

    handles = [
        m.register_forward_hook(remember) for m in encoder.modules() if not any(m.children())
    ]
    try:
        with torch.no_grad():
            encoder(torch.as_tensor(X, dtype=torch.float32))
    finally:
        for handle in handles:
            handle.remove()

    start = next(i for i, (module, _) in enumerate(seen) if module is convolutions[layer])
    maps = seen[start][1]
    for module, output in seen[start + 1 :]:
        if isinstance(module, nn.Conv2d) or output.shape != maps.shape:
            break
        maps = output
    return maps.double().numpy()
