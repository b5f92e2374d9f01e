"""The command line: read a table of numbers, compare methods on it, write what came out."""

import argparse
import csv
import difflib
import sys
from array import array
from collections.abc import Iterator
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np

from skae import __version__

DESCRIPTION = """\
Autoencoders beside PCA and other methods of dimensionality reduction, on your data.
"""

EXAMPLES = """\
examples:
  skae compare digits                        a built-in data set, the usual methods
  skae compare digits --methods pca,autoencoder --n-components 16
  skae compare cells.csv --target type --drop id,date --standardize
  skae compare rows.npz --output results     arrays X and y (or data and target)
"""

COMPARE_DESCRIPTION = """\
Fit methods of dimensionality reduction on the same rows and measure them on the
same held-out rows. Prints the table and writes comparison.png, comparison.csv
and comparison.json.
"""

DATA_HELP = """\
name of a built-in data set (`skae datasets` lists them), or a file: .csv or .tsv (a header is
recognized), .npy (one array), .npz (arrays X or data, and y or target), .parquet (with polars, or
pandas and pyarrow, installed). The columns are features, and all of them numbers.
"""

# Cells of a CSV file that stand for a value that is not there.
MISSING = {"", "na", "n/a", "nan", "null", "none", "?"}


class BadInput(ValueError):
    """What the user gave can't be used; the message says why and what to do."""


class Data(NamedTuple):
    """The rows to compare on."""

    X: np.ndarray  # (n_samples, n_features)
    y: np.ndarray | None  # (n_samples,)
    title: str


# Reading data


def read_data(source, *, target=None, drop=()):
    """Read a built-in data set or a file."""
    from skae.datasets import BUILT_IN, load_dataset

    if source in BUILT_IN:
        if target is not None or drop:
            raise BadInput(f"--target and --drop are for files; {source!r} has its own target")
        dataset = load_dataset(source)
        return Data(dataset.data, _named_target(dataset), source)

    path = Path(source)
    if not path.exists():
        raise BadInput(
            f"there is no file {source!r}, nor a built-in data set of this name"
            f"{_suggestion(source, BUILT_IN)}; built-in are {', '.join(BUILT_IN)}"
        )
    if not path.is_file():
        raise BadInput(f"{source!r} is not a file")
    if path.suffix.lower() not in READERS:
        raise BadInput(
            f"{source!r} is of no known kind; the name of a file ends in {', '.join(READERS)}"
        )
    X, y = READERS[path.suffix.lower()](path, target, drop)
    return Data(X, y, path.stem)


def _named_target(dataset):
    """Return the target of a built-in data set, classes by their names where they have any."""
    names = dataset.target_names
    if names is None or all(name.isdigit() for name in names):
        return dataset.target
    return np.asarray(names)[dataset.target]


def _read_csv(path, target, drop):
    """Read numbers, and a target that may be text, from lines of delimited cells."""
    values, labels, line_numbers = array("d"), [], []
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            first = file.readline()
            file.seek(0)
            reader = csv.reader(file, delimiter=max(",;\t", key=first.count))
            rows: Iterator[tuple[int, list[str]]]
            rows = ((reader.line_num, cells) for cells in reader if cells)
            first_line, head = next(rows, (0, []))
            if not head:
                raise BadInput(f"{str(path)!r} is empty")
            names = [cell.strip() for cell in head]
            if all(map(_is_number, head)):  # no header, but the first row
                names = [str(i) for i in range(len(head))]
                rows = chain([(first_line, head)], rows)
            label, features = _choose_columns(names, target, drop)
            for line, cells in rows:
                if len(cells) != len(names):
                    raise BadInput(
                        f"line {line} of {str(path)!r} has {len(cells)} cells, but the first "
                        f"line has {len(names)}"
                    )
                try:
                    values.extend([float(cells[i]) for i in features])
                except ValueError:
                    raise _not_numbers({names[i]: cells[i] for i in features}, line) from None
                if label is not None:
                    labels.append(cells[label].strip())
                line_numbers.append(line)
    except UnicodeDecodeError:
        raise BadInput(f"{str(path)!r} is not text in UTF-8") from None
    except csv.Error as error:
        raise BadInput(f"{str(path)!r} can't be read as CSV: {error}") from None

    X = np.frombuffer(values).reshape(-1, len(features))
    places = [f"line {line}" for line in line_numbers]
    _check_finite(X, [names[i] for i in features], places)
    return X, None if label is None else _parse_labels(labels, names[label], places)


def _read_array(path, target, drop):
    """Read a single array."""
    try:
        X = np.load(path, allow_pickle=False)
    except (ValueError, EOFError):
        raise BadInput(f"{str(path)!r} is no .npy file of numbers") from None
    return _split_array(X, target, drop)


def _read_arrays(path, target, drop):
    """Read the arrays X and y."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except Exception:  # a broken archive raises whatever zipfile comes across
        raise BadInput(f"{str(path)!r} is no .npz file of arrays of numbers or text") from None
    X = next((arrays[name] for name in ("X", "data") if name in arrays), None)
    if X is None and len(arrays) == 1:
        (X,) = arrays.values()
    if X is None:
        raise BadInput(
            f"{str(path)!r} has the arrays {', '.join(arrays)}, but none is named X or data"
        )
    if target is None:
        y = next((arrays[name] for name in ("y", "target") if name in arrays), None)
    elif target in arrays:
        y = arrays[target]
    else:
        return _split_array(X, target, drop)
    if y is not None and y.shape != X.shape[:1]:
        raise BadInput(f"the target has shape {y.shape}, but X has shape {X.shape}")
    return _split_array(X, None, drop)[0], y


def _split_array(X, target, drop):
    """Separate the target from the features of an array."""
    if X.dtype.kind not in "biuf":
        raise BadInput(f"the array is of dtype {X.dtype}, but numbers are needed")
    if X.ndim < 2:
        raise BadInput(f"the array has shape {X.shape}, but rows and columns are needed")
    X = X.reshape(len(X), -1)  # images become rows
    names = [str(i) for i in range(X.shape[1])]
    label, features = _choose_columns(names, target, drop)
    places = [f"row {i}" for i in range(len(X))]
    _check_finite(X, names, places)
    return X[:, features], None if label is None else X[:, label]


def _read_parquet(path, target, drop):
    """Read columns of numbers, and a target that may be text."""
    columns = _parquet_columns(path)
    names = list(columns)
    label, features = _choose_columns(names, target, drop)
    others = {
        names[i]: columns[names[i]][0]
        for i in features
        if columns[names[i]].dtype.kind not in "biuf" and len(columns[names[i]])
    }
    if others:
        raise _not_numbers(others, "row 0")
    X = np.column_stack([columns[names[i]] for i in features]).astype(np.float64)
    _check_finite(X, [names[i] for i in features], [f"row {i}" for i in range(len(X))])
    return X, None if label is None else columns[names[label]]


def _parquet_columns(path):
    """Return the columns of a Parquet file as arrays, by whichever reader is installed."""
    for reader in ("polars", "pandas"):
        try:
            frame = import_module(reader).read_parquet(path)
        except ImportError:
            continue
        except Exception:  # each reader has errors of its own
            raise BadInput(f"{str(path)!r} can't be read as Parquet by {reader}") from None
        return {str(name): frame[name].to_numpy() for name in frame.columns}
    raise BadInput("reading .parquet needs polars, or pandas with pyarrow: pip install polars")


READERS = {
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".npy": _read_array,
    ".npz": _read_arrays,
    ".parquet": _read_parquet,
}


def _choose_columns(names, target, drop):
    """Return the position of the target, or None, and those of the features."""
    label = None if target is None else _find_column(names, target, "--target")
    dropped = {_find_column(names, name, "--drop") for name in drop}
    if label in dropped:
        raise BadInput(f"column {names[label]!r} is both the target and dropped")
    features = [i for i in range(len(names)) if i != label and i not in dropped]
    if not features:
        raise BadInput("there is no column of features")
    return label, features


def _find_column(names, name, option):
    """Return the position of a column given by its name or, if there is none, its number."""
    if name in names:
        return names.index(name)
    if name.removeprefix("-").isdigit() and -len(names) <= int(name) < len(names):
        return int(name) % len(names)
    known = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    raise BadInput(
        f"{option}: there is no column {name!r}{_suggestion(name, names)}; the columns are {known}"
    )


def _suggestion(name, names):
    """Return a question that offers the name that is nearest, if one is near."""
    close = difflib.get_close_matches(name, list(names), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _is_number(cell):
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _not_numbers(cells, line):
    """Return the error that says which cells of a line are not numbers."""
    wrong = {name: cell for name, cell in cells.items() if not _is_number(cell)}
    text = {name: cell for name, cell in wrong.items() if str(cell).strip().lower() not in MISSING}
    place = f"line {line}" if isinstance(line, int) else line
    if not text:
        return BadInput(
            f"a value is missing in column {next(iter(wrong))!r}, {place}; fill it in or leave "
            "the row or the column out"
        )
    names = ", ".join(repr(name) for name in text)
    hold = "s {} hold" if len(text) > 1 else " {} holds"
    return BadInput(
        f"column{hold.format(names)} text (such as {next(iter(text.values()))!r}, {place}); leave "
        f"it out with --drop {','.join(text)}, name it with --target or encode it as numbers"
    )


def _check_finite(X, names, places):
    """Raise an error that says where the first value is that is missing or infinite."""
    if X.dtype.kind != "f" or np.isfinite(X).all():
        return
    i, j = np.argwhere(~np.isfinite(X))[0]
    what = "a value is missing" if np.isnan(X[i, j]) else "a value is infinite"
    raise BadInput(
        f"{what} in column {names[j]!r}, {places[i]}; fill it in or leave the row or the column out"
    )


def _parse_labels(labels, name, places):
    """Return the target as whole numbers, as numbers or as text: the first that it is."""
    if "" in labels:
        place = places[labels.index("")]
        raise BadInput(f"a value is missing in the target {name!r}, {place}; leave the row out")
    for dtype in (int, float):
        try:
            return np.array([dtype(label) for label in labels])
        except (ValueError, OverflowError):
            pass
    return np.array(labels)


# Commands


def run_compare(arguments):
    """Print the table and write the three files."""
    from skae.comparison import compare

    data = read_data(arguments.data, target=arguments.target, drop=arguments.drop)
    output = Path(arguments.output)
    output.mkdir(parents=True, exist_ok=True)  # before the work, not after it
    comparison = compare(
        data.X,
        data.y,
        methods=arguments.methods,
        n_components=arguments.n_components,
        test_size=arguments.test_size,
        standardize=arguments.standardize,
        max_samples=arguments.max_samples,
        random_state=arguments.seed,
        verbose=sys.stderr.isatty() and not arguments.quiet,
    )
    print(comparison)
    comparison.to_csv(output / "comparison.csv")
    comparison.to_json(output / "comparison.json")
    written = ["comparison.csv", "comparison.json"]
    try:
        comparison.plot(title=data.title).savefig(output / "comparison.png", dpi=150)
        written.append("comparison.png")
    except ImportError as error:
        print(f"skae: no comparison.png: {error}", file=sys.stderr)
    print(f"\nWritten to {output}: {', '.join(written)}")
    return 0 if comparison.embeddings else 1


def run_methods(arguments):
    """Print the methods that `compare` knows by name; those of the default have a star."""
    from skae.comparison import DEFAULT_METHODS, METHODS

    width = max(len(name) for name in METHODS) + 3
    for name, method in METHODS.items():
        marked = f"{name} *" if name in DEFAULT_METHODS else name
        print(f"{marked:{width}}{method.__doc__}")
    print("\n* compared where --methods names none")
    return 0


def run_datasets(arguments):
    """Print the names of the built-in data sets."""
    from skae.datasets import BUILT_IN

    print("\n".join(BUILT_IN))
    return 0


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message):
        self.exit(2, f"{self.prog}: error: {message} ({self.prog} --help explains)\n")


def make_parser():
    """Return the parser of the command line."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = Parser(prog="skae", description=DESCRIPTION, epilog=EXAMPLES, formatter_class=raw)
    parser.add_argument("--version", action="version", version=f"skae {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    compare = commands.add_parser(
        "compare",
        help="fit methods on one data set and show them side by side",
        description=COMPARE_DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=raw,
    )
    compare.set_defaults(run=run_compare)
    compare.add_argument("data", metavar="DATA", help=DATA_HELP)
    columns = compare.add_argument_group("columns of a file")
    columns.add_argument(
        "--target",
        metavar="COLUMN",
        help="the column to tell from the codes, by its name or its number (-1 is the last): "
        "text and whole numbers that repeat are classes, other numbers a measured quantity; "
        "of .npz also the name of an array",
    )
    columns.add_argument(
        "--drop",
        metavar="A,B,...",
        type=_names,
        default=(),
        help="columns that are neither features nor the target",
    )
    methods = compare.add_argument_group("what to compare")
    methods.add_argument(
        "--methods",
        metavar="A,B,...",
        type=_names,
        help="names of methods (`skae methods` lists them, and marks the default)",
    )
    methods.add_argument(
        "--n-components",
        metavar="K",
        type=int,
        default=2,
        help="numbers in the code of a row (default: 2)",
    )
    methods.add_argument(
        "--standardize",
        action="store_true",
        help="give each column the mean 0 and the variance 1 first",
    )
    methods.add_argument(
        "--test-size",
        metavar="SHARE",
        type=float,
        default=0.25,
        help="share of the rows that is held out (default: 0.25)",
    )
    methods.add_argument(
        "--max-samples",
        metavar="N",
        type=int,
        default=2000,
        help="the most rows that methods that do not scale are fitted on, and that all methods "
        "are measured on (default: 2000)",
    )
    methods.add_argument(
        "--seed",
        metavar="S",
        type=int,
        default=0,
        help="seed of the split, the samples and the methods (default: 0)",
    )
    results = compare.add_argument_group("results")
    results.add_argument(
        "--output",
        metavar="DIR",
        default=".",
        help="where the three files go (default: the current directory)",
    )
    results.add_argument("--quiet", action="store_true", help="show no progress bar")

    commands.add_parser("methods", help="list the methods").set_defaults(run=run_methods)
    commands.add_parser("datasets", help="list the built-in data sets").set_defaults(
        run=run_datasets
    )
    return parser


def _names(text):
    """Return the names in a list separated by commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def main(argv=None):
    """Run the command line; return 0, 2 for bad input, 1 if all methods fail, 130 if stopped."""
    arguments = make_parser().parse_args(argv)
    try:
        return arguments.run(arguments)
    except KeyboardInterrupt:
        print("skae: interrupted", file=sys.stderr)
        return 130
    except (OSError, ValueError, ImportError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        print(f"skae: error: {lines[0]}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
