"""Data sets to learn and compare on: a name or a call, and rows to fit on.

scikit-learn's own data sets are offered by name as they are. What it lacks is here: MNIST and
Fashion-MNIST from the official files, noisy curves in the plane, and rows of files that memory need
not hold.
"""

import difflib
import gzip
import hashlib
import os
import struct
import warnings
import zlib
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from numbers import Integral, Real
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from sklearn.datasets import (
    fetch_olivetti_faces,
    fetch_openml,
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_wine,
)
from sklearn.utils import Bunch, check_random_state
from sklearn.utils._optional_dependencies import check_pandas_support
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import type_of_target

from ._contract import validate_params
from ._sources import open_rows

__all__ = [
    "BUILT_IN",
    "fetch_fashion_mnist",
    "fetch_mnist",
    "fetch_olivetti_faces",
    "load_breast_cancer",
    "load_dataset",
    "load_diabetes",
    "load_digits",
    "load_iris",
    "load_wine",
    "make_noisy_curve",
    "open_rows",
]


# Noisy curves


class Curve(NamedTuple):
    """A curve in the plane: where it starts and ends, and its point at each position."""

    start: float
    end: float
    point: Callable  # positions (n_samples,) -> x (n_samples,), y (n_samples,)


CURVES = {
    "sine": Curve(0.0, 2 * np.pi, lambda t: (t, np.sin(t))),
    "spiral": Curve(np.pi, 4 * np.pi, lambda t: (t * np.cos(t) / np.pi, t * np.sin(t) / np.pi)),
}


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "kind": [StrOptions(set(CURVES))],
        "noise": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_noisy_curve(n_samples=100, *, kind="sine", noise=0.1, random_state=None):
    r"""Generate points around a curve in the plane, which one number describes and PCA cannot.

    Parameters
    ----------
    n_samples : int, default=100
        Number of points.

    kind : {"sine", "spiral"}, default="sine"
        The curve, t in radians:

        - "sine": one period, :math:`(t, \sin t)` for t in :math:`[0, 2\pi)`;
        - "spiral": one and a half turns that grow from radius 1 to 4, two units apart,
          :math:`\frac{t}{\pi} (\cos t, \sin t)` for t in :math:`[\pi, 4\pi)`.

    noise : float, default=0.1
        Standard deviation of the Gaussian noise on both coordinates, in the units of X.

    random_state : int, RandomState instance or None, default=None
        Determines the positions and the noise. Pass an int for the same points each time.

    Returns
    -------
    X : ndarray of shape (n_samples, 2)
        The points.

    t : ndarray of shape (n_samples,)
        Position of each point along the curve before noise was added, in radians, drawn
        uniformly.

    Raises
    ------
    ValueError
        If a parameter is out of its range.

    See Also
    --------
    sklearn.datasets.make_swiss_roll : A spiral with a second dimension, in space.
    sklearn.datasets.make_s_curve : A folded sheet in space.

    Examples
    --------
    >>> from skae.datasets import make_noisy_curve
    >>> X, t = make_noisy_curve(200, kind="spiral", noise=0.05, random_state=0)
    >>> X.shape, t.shape
    ((200, 2), (200,))
    """
    random_state = check_random_state(random_state)
    curve = CURVES[kind]
    t = random_state.uniform(curve.start, curve.end, size=n_samples)
    X = np.column_stack(curve.point(t))  # (n_samples, 2)
    X += noise * random_state.standard_normal(size=X.shape)
    return X, t


def _load_curve(kind):
    """Return the same thousand points around a curve each time, with their positions."""
    X, t = make_noisy_curve(1000, kind=kind, noise=0.1, random_state=0)
    return Bunch(
        data=X,
        target=t,
        feature_names=["x", "y"],
        DESCR=f"1000 points around a {kind} in the plane (skae.datasets.make_noisy_curve); the "
        "target is the position along the curve, in radians.",
    )


# MNIST and Fashion-MNIST

N_TRAIN = 60_000
IMAGE_SHAPE = (1, 28, 28)  # channels, height, width

# Official names of the files with images and with labels.
FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
SUBSETS = {"all": ("train", "test"), "train": ("train",), "test": ("test",)}

# Published MD5 checksums of the uncompressed files, by folder.
CHECKSUMS = {
    "mnist": {
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    },
    "fashion-mnist": {
        "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
        "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
        "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
    },
}


def _md5(content):
    """Return the hexadecimal MD5 checksum of some bytes."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _as_idx(array):
    """Write an array of uint8 as the content of an IDX file."""
    header = struct.pack(f">HBB{array.ndim}I", 0, 0x08, array.ndim, *array.shape)
    return header + array.tobytes()


def _from_idx(content):
    """Read the content of an IDX file as an array of uint8."""
    n_dimensions = content[3]
    shape = struct.unpack_from(f">{n_dimensions}I", content, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * n_dimensions).reshape(shape)


def _read_idx(path, checksum):
    """Read one IDX file, compressed or not, if it has the published content."""
    content = path.read_bytes()
    if path.suffix == ".gz":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise OSError(f"{path} is damaged and can't be decompressed: {error}") from error
    found = _md5(content)
    if found != checksum:
        raise OSError(
            f"{path} is not the official file: its uncompressed content should have the MD5 "
            f"checksum {checksum}, but has {found}. Copy the file anew."
        )
    return _from_idx(content)


def _find(folder, file):
    """Return the path of a file, or of its compressed form, or None if there is neither."""
    candidates = (folder / file, folder / f"{file}.gz")
    return next((path for path in candidates if path.is_file()), None)


def _read_folder(name, parts):
    """Read pixels and labels of each part from the folder that SKAE_DATA names."""
    folder = Path(os.environ["SKAE_DATA"]).expanduser() / name
    files = [file for part in parts for file in FILES[part]]
    missing = [file for file in files if _find(folder, file) is None]
    if missing:
        raise FileNotFoundError(
            f"SKAE_DATA is set to {os.environ['SKAE_DATA']!r}, but {folder} lacks "
            f"{', '.join(missing)} (or the same with .gz). Put the official files there, or unset "
            "SKAE_DATA to download the data from OpenML."
        )
    arrays = [_read_idx(_find(folder, file), CHECKSUMS[name][file]) for file in files]
    return arrays[0::2], arrays[1::2]


def _read_openml(name, openml_name, parts, data_home):
    """Fetch pixels and labels of each part from OpenML, which has them in one table."""
    try:
        table = fetch_openml(
            openml_name,
            version=1,
            data_home=data_home,
            as_frame=False,
            parser="pandas" if find_spec("pandas") else "liac-arff",
        )
    except OSError as error:
        raise OSError(
            f"{name} can't be fetched from OpenML ({error}). Without a connection, set SKAE_DATA "
            f"to a folder that holds the official files in {name}/."
        ) from error

    # OpenML has numbers for pixels and strings for labels.
    pixels = np.asarray(table.data).astype(np.uint8).reshape(-1, *IMAGE_SHAPE[1:])
    labels = np.asarray(table.target).astype(np.uint8)
    rows = {"train": slice(N_TRAIN), "test": slice(N_TRAIN, None)}
    subsets = [(pixels[rows[part]], labels[rows[part]]) for part in parts]

    for part, arrays in zip(parts, subsets, strict=True):
        for file, array in zip(FILES[part], arrays, strict=True):
            if _md5(_as_idx(array)) != CHECKSUMS[name][file]:
                warnings.warn(
                    f"The rows of {openml_name} from OpenML are not those of the official file "
                    f"{file} in their order, so scores on them can't be compared with published "
                    "ones.",
                    stacklevel=5,  # past the validation of parameters
                )
    return [images for images, _ in subsets], [digits for _, digits in subsets]


def _pixel_names(height, width):
    """Name the columns of flattened images as `load_digits` does."""
    return [f"pixel_{row}_{column}" for row in range(height) for column in range(width)]


def _fetch_images(name, openml_name, subset, target_names, descr, return_X_y, as_frame, data_home):
    """Fetch a data set in the format of MNIST, scaled to [0, 1]."""
    parts = SUBSETS[subset]
    if os.environ.get("SKAE_DATA"):
        pixels, labels = _read_folder(name, parts)
    else:
        pixels, labels = _read_openml(name, openml_name, parts, data_home)

    images = np.divide(np.concatenate(pixels), 255, dtype=np.float32)  # (n_samples, 28, 28)
    data = images.reshape(len(images), -1)
    target = np.concatenate(labels).astype(np.int64)
    feature_names = _pixel_names(*IMAGE_SHAPE[1:])

    frame = None
    if as_frame:
        pd = check_pandas_support("as_frame=True")
        data = pd.DataFrame(data, columns=feature_names)
        target = pd.Series(target, name="target")
        frame = pd.concat([data, target], axis=1)
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        frame=frame,
        feature_names=feature_names,
        target_names=list(target_names),
        images=images,
        image_shape=IMAGE_SHAPE,
        DESCR=descr,
    )


@validate_params(
    {
        "subset": [StrOptions(set(SUBSETS))],
        "return_X_y": ["boolean"],
        "as_frame": ["boolean"],
        "data_home": [str, os.PathLike, None],
    },
    prefer_skip_nested_validation=True,
)
def fetch_mnist(*, subset="all", return_X_y=False, as_frame=False, data_home=None):
    """Load MNIST: handwritten digits, 28 x 28 pixels (classification).

    =================   ===========================
    Classes                                      10
    Samples             60000 training, 10000 test
    Dimensionality                              784
    Features            float32, between 0 and 1
    =================   ===========================

    If the environment variable ``SKAE_DATA`` names a folder, the official IDX files (as they are,
    or with .gz) are read from its folder ``mnist`` and their checksums are verified. Otherwise
    the data are downloaded from OpenML ("mnist_784", version 1) and cached.

    Parameters
    ----------
    subset : {"all", "train", "test"}, default="all"
        The rows to load, in the official order: "all" has the 60000 training rows first.

    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a Bunch.

    as_frame : bool, default=False
        Whether data is a pandas DataFrame and target a Series.

    data_home : str or path-like, default=None
        Where scikit-learn caches what it downloads, by default ``~/scikit_learn_data``. Not used
        if ``SKAE_DATA`` is set.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Dictionary-like object, with the following attributes.

        data : {ndarray, DataFrame} of shape (n_samples, 784)
            The images, one a row: float32, 0 for black paper and 1 for full ink.
        target : {ndarray, Series} of shape (n_samples,)
            The digits, as int64.
        frame : DataFrame of shape (n_samples, 785) or None
            Data and target, if `as_frame` is True.
        feature_names : list of str
            "pixel_0_0" to "pixel_27_27", row and column.
        target_names : list of str
            "0" to "9".
        images : ndarray of shape (n_samples, 28, 28)
            The rows of data as images.
        image_shape : tuple
            ``(1, 28, 28)``: channels, height and width, as convolutional estimators take it.
        DESCR : str
            Source and licence.

    (data, target) : tuple if `return_X_y` is True
        The first two attributes above.

    Raises
    ------
    OSError
        If a file differs from the published one, if ``SKAE_DATA`` is set and a file is not there
        (FileNotFoundError), or if OpenML can't be reached.

    See Also
    --------
    fetch_fashion_mnist : Images of clothes in the same format.
    sklearn.datasets.load_digits : Digits of 8 x 8 pixels that need no download.

    References
    ----------
    .. [1] Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-based learning applied to
       document recognition", Proceedings of the IEEE 86, 1998. :doi:`10.1109/5.726791`

    Examples
    --------
    >>> from skae.datasets import fetch_mnist
    >>> X_train, y_train = fetch_mnist(subset="train", return_X_y=True)  # doctest: +SKIP
    >>> X_train.shape  # doctest: +SKIP
    (60000, 784)
    """
    return _fetch_images(
        name="mnist",
        openml_name="mnist_784",
        subset=subset,
        target_names="0123456789",
        descr="MNIST (LeCun, Cortes and Burges), CC BY-SA 3.0: handwritten digits, 60000 training "
        "and 10000 test images of 28 x 28 pixels, here scaled to [0, 1]. doi:10.1109/5.726791",
        return_X_y=return_X_y,
        as_frame=as_frame,
        data_home=data_home,
    )


@validate_params(
    {
        "subset": [StrOptions(set(SUBSETS))],
        "return_X_y": ["boolean"],
        "as_frame": ["boolean"],
        "data_home": [str, os.PathLike, None],
    },
    prefer_skip_nested_validation=True,
)
def fetch_fashion_mnist(*, subset="all", return_X_y=False, as_frame=False, data_home=None):
    """Load Fashion-MNIST: clothes and shoes, 28 x 28 pixels (classification).

    =================   ===========================
    Classes                                      10
    Samples             60000 training, 10000 test
    Dimensionality                              784
    Features            float32, between 0 and 1
    =================   ===========================

    If the environment variable ``SKAE_DATA`` names a folder, the official IDX files (as they are,
    or with .gz) are read from its folder ``fashion-mnist`` and their checksums are verified.
    Otherwise the data are downloaded from OpenML ("Fashion-MNIST", version 1) and cached.

    Parameters
    ----------
    subset : {"all", "train", "test"}, default="all"
        The rows to load, in the official order: "all" has the 60000 training rows first.

    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a Bunch.

    as_frame : bool, default=False
        Whether data is a pandas DataFrame and target a Series.

    data_home : str or path-like, default=None
        Where scikit-learn caches what it downloads, by default ``~/scikit_learn_data``. Not used
        if ``SKAE_DATA`` is set.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Dictionary-like object with the attributes that :func:`fetch_mnist` describes;
        target_names are "T-shirt/top", "Trouser" and so on.

    (data, target) : tuple if `return_X_y` is True
        The rows and their classes.

    Raises
    ------
    OSError
        If a file differs from the published one, if ``SKAE_DATA`` is set and a file is not there
        (FileNotFoundError), or if OpenML can't be reached.

    See Also
    --------
    fetch_mnist : Handwritten digits in the same format.

    References
    ----------
    .. [1] H. Xiao, K. Rasul and R. Vollgraf, "Fashion-MNIST: a novel image dataset for
       benchmarking machine learning algorithms", 2017. :arxiv:`1708.07747`

    Examples
    --------
    >>> from skae.datasets import fetch_fashion_mnist
    >>> fashion = fetch_fashion_mnist(subset="test")  # doctest: +SKIP
    >>> fashion.data.shape, fashion.target_names[fashion.target[0]]  # doctest: +SKIP
    ((10000, 784), 'Ankle boot')
    """
    return _fetch_images(
        name="fashion-mnist",
        openml_name="Fashion-MNIST",
        subset=subset,
        target_names=[
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ],
        descr="Fashion-MNIST (Xiao, Rasul and Vollgraf; Zalando SE, 2017), MIT licence: clothes "
        "and shoes, 60000 training and 10000 test images of 28 x 28 pixels, here scaled to "
        "[0, 1]. arXiv:1708.07747",
        return_X_y=return_X_y,
        as_frame=as_frame,
        data_home=data_home,
    )


# All of them by name

BUILT_IN = MappingProxyType(
    {
        "digits": load_digits,
        "iris": load_iris,
        "wine": load_wine,
        "breast-cancer": load_breast_cancer,
        "diabetes": load_diabetes,
        "olivetti": fetch_olivetti_faces,
        "mnist": fetch_mnist,
        "fashion-mnist": fetch_fashion_mnist,
        "sine": partial(_load_curve, "sine"),
        "spiral": partial(_load_curve, "spiral"),
    }
)
"""Name of each built-in data set and the function that loads it as a Bunch."""


def load_dataset(name) -> Bunch:
    """Load a built-in data set by its name.

    Parameters
    ----------
    name : str
        A key of `BUILT_IN`: "digits", "iris", "wine", "breast-cancer", "diabetes", "olivetti",
        "mnist", "fashion-mnist", "sine" or "spiral". Olivetti and the two MNISTs are downloaded
        once if they are not there.

    Returns
    -------
    dataset : :class:`~sklearn.utils.Bunch`
        What the loader of that name returns, with these attributes for all of them:

        data : ndarray of shape (n_samples, n_features)
            The rows.
        target : ndarray of shape (n_samples,)
            Class of each row as an integer, or a number for a continuous target.
        target_type : {"binary", "multiclass", "continuous"}
            What the target is, in the words of :func:`~sklearn.utils.multiclass.type_of_target`.
        feature_names : list of str
            Names of the columns.
        target_names : list of str or None
            Names of the classes, None for a continuous target.
        image_shape : tuple or None
            Channels, height and width, if the rows are images.
        name : str
            The name given.
        DESCR : str
            Description.

    Raises
    ------
    ValueError
        If there is no data set of that name.
    OSError
        If a data set that is to be downloaded or read from ``SKAE_DATA`` can't be had.

    See Also
    --------
    fetch_mnist : Says where MNIST comes from.
    make_noisy_curve : Makes "sine" and "spiral", with other sizes and noise.

    Examples
    --------
    >>> from skae.datasets import load_dataset
    >>> digits = load_dataset("digits")
    >>> digits.data.shape, digits.image_shape, digits.target_type
    ((1797, 64), (1, 8, 8), 'multiclass')
    >>> load_dataset("diabetes").target_type
    'continuous'
    """
    if name not in BUILT_IN:
        close = difflib.get_close_matches(str(name), BUILT_IN, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(
            f"There is no built-in data set {name!r}; the names are {', '.join(BUILT_IN)}.{hint}"
        )
    dataset = BUILT_IN[name]()

    # Class labels are integers in all of them. The target of diabetes is continuous, though its
    # numbers happen to be whole.
    continuous = dataset.target.dtype.kind == "f"
    images = dataset.get("images")
    if images is not None and "feature_names" not in dataset:
        dataset.feature_names = _pixel_names(*images.shape[1:])

    dataset.name = name
    dataset.target_type = "continuous" if continuous else type_of_target(dataset.target)
    dataset.feature_names = [str(feature) for feature in dataset.feature_names]
    dataset.target_names = (
        None
        if continuous
        else [str(label) for label in dataset.get("target_names", np.unique(dataset.target))]
    )
    dataset.image_shape = None if images is None else (1, *images.shape[1:])
    return dataset
