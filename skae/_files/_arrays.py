"""Tables from files of arrays and of columns: .npy, .npz and .parquet, whose types are known."""

from importlib import import_module

import numpy as np

from skae._files._columns import BadInput, Columns, check_target, make_table
from skae._files._sample import sample_of, sample_of_parquet
from skae._frames import UnusableColumn, is_missing, read_column
from skae._sources import bytes_of
from skae._table_values import Values


def read_array(path, wanted):
    """Read a single array."""
    try:
        X = np.load(path, allow_pickle=False, mmap_mode="r")
    except (ValueError, EOFError):
        raise BadInput(f"{str(path)!r} is no .npy file of numbers") from None
    sample = sample_of(len(X), X.nbytes / len(X), wanted.memory) if X.ndim and len(X) else None
    return _split_array(np.array(X if sample is None else X[sample.places]), wanted, sample)


def read_arrays(path, wanted):
    """Read the arrays X and y."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except Exception:  # a broken archive raises whatever zipfile comes across
        raise BadInput(f"{str(path)!r} is no .npz file of arrays of numbers or text") from None
    name = next((name for name in ("X", "data") if name in arrays), None)
    if name is None and len(arrays) == 1:
        (name,) = arrays
    if name is None:
        raise BadInput(
            f"{str(path)!r} has the arrays {', '.join(arrays)}, but none is named X or data"
        )
    X = arrays[name]
    if wanted.target is not None and wanted.target not in arrays:
        return _split_array(X, wanted)
    labels = wanted.target or next((label for label in ("y", "target") if label in arrays), None)
    y = None if labels is None else arrays[labels]
    if y is not None and y.shape != X.shape[:1]:
        raise BadInput(f"the target has shape {y.shape}, but X has shape {X.shape}")
    table = _split_array(X, wanted._replace(target=None))
    target = None if labels is None else repr(labels)
    return table._replace(y=y, target=target, target_name=labels)


def _split_array(X, wanted, sample=None):
    """Separate the target from the features of an array."""
    if X.dtype.kind not in "biuf":
        raise BadInput(f"the array is of dtype {X.dtype}, but numbers are needed")
    if X.ndim < 2:
        raise BadInput(f"the array has shape {X.shape}, but rows and columns are needed")
    X = X.reshape(len(X), -1)  # images become rows
    columns = Columns([""] * X.shape[1])
    roles = columns.assign(wanted)
    y = None if roles.target is None else X[:, roles.target]
    features = [Values(str(i), "number", X[:, i]) for i in roles.features]
    return make_table(columns, roles, features, y, **_origin(len(X), sample))


def _origin(n_rows, sample):
    """Return what rows are called, and what is told of which of them were read."""
    places = range(n_rows) if sample is None else sample.places.tolist()
    form = [] if sample is None else [sample.told]
    return {"places": [f"row {place}" for place in places], "form": form}


def read_parquet(path, wanted):
    """Read columns of any kind."""
    sample, some = _sampled(path, wanted) or (None, None)
    names, found = zip(*_parquet_columns(path, some), strict=True)
    columns = Columns([name.strip() for name in names])
    roles = columns.assign(wanted)
    origin = _origin(len(found[0]), sample)
    y = None if roles.target is None else found[roles.target].to_numpy()
    if y is not None:
        check_target(columns, roles.target, y, is_missing, origin["places"])
    features = [_feature(names[i], found[i]) for i in roles.features]
    return make_table(columns, roles, features, y, **origin)


def _sampled(path, wanted):
    """Return which rows are read of a large file, and these; what is wrong is for the reader."""
    memory = bytes_of(wanted.memory)
    try:
        return sample_of_parquet(path, memory)
    except (OSError, ValueError):
        return None


def _feature(name, column):
    """Return what a column holds, or why it can't be a feature."""
    try:
        return read_column(name, column)
    except UnusableColumn as error:
        return error


def _parquet_columns(path, some=None):
    """Return names and columns of a Parquet file, by whichever reader is there.

    Of a large one some rows are there already, as a table of Arrow.
    """
    for reader in ("polars", "pandas"):
        try:
            module = import_module(reader)
            if reader == "polars" and _loses_columns(module):
                continue
            if some is None:
                frame = module.read_parquet(path)
            else:
                frame = module.from_arrow(some) if reader == "polars" else some.to_pandas()
        except ImportError:
            continue
        except Exception as error:  # each reader has errors of its own
            why = (str(error).splitlines() or [type(error).__name__])[0]
            raise BadInput(f"{str(path)!r} can't be read as Parquet by {reader}: {why}") from None
        # By position, for names may repeat; a polars frame is the one that has `get_columns`.
        if hasattr(frame, "get_columns"):
            found = frame.get_columns()
        else:
            found = [frame.iloc[:, i] for i in range(frame.shape[1])]
        if not found:
            raise BadInput(f"{str(path)!r} has no columns")
        return list(zip(map(str, frame.columns), found, strict=True))
    raise BadInput(
        "reading .parquet needs polars 1.41 or newer, or pandas with pyarrow: "
        "pip install --upgrade polars"
    )


def _loses_columns(polars) -> bool:
    """Whether this version keeps one of two columns of the same name, and says nothing."""
    major, minor, *_ = polars.__version__.split(".")
    return (int(major), int(minor)) < (1, 41)
