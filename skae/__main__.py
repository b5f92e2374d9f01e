"""The command line: compare methods on the rows of a file, or report on them; write the result."""

import argparse
import contextlib
import sys
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from skae import __version__
from skae._files import (
    DECIMALS,
    DELIMITERS,
    BadInput,
    Form,
    Wanted,
    account_of,
    read_table,
    suggestion,
    title,
)
from skae._labels import kind_of_target
from skae._table_values import Values

DESCRIPTION = """\
Autoencoders beside PCA and other methods of dimensionality reduction, on your data.
"""

EXAMPLES = """\
examples:
  skae compare digits                        a built-in data set, the usual methods
  skae compare digits --methods pca,autoencoder --n-components 16
  skae compare cells.csv --target type --drop id,date --standardize
  skae compare rows.npz --output results     arrays X and y (or data and target)
  skae report cells.csv --target type        a page about a table: cells.html
"""

COMPARE_DESCRIPTION = """\
Fit methods of dimensionality reduction on the same rows and measure them on the
same held-out rows. Prints the table and writes comparison.png, comparison.csv
and comparison.json.
"""

REPORT_DESCRIPTION = """\
Write one page of HTML about a table, which can be sent and needs no network: what
its columns are, all rows in two numbers each, what those mean, methods side by side,
the most unusual rows, and what missing values were filled with. The page holds
values of the rows that it shows.
"""

DATA_HELP = """\
name of a built-in data set (`skae datasets` lists them), or a file: lines of text (.csv, .tsv,
.data, .txt, ..., also .gz), .npy (one array), .npz (arrays X or data, and y or target), .parquet
(with polars, or pandas and pyarrow, installed). The columns are features: numbers, words, True and
False, dates (2024-12-31), with holes (empty, ?, NA). Where there is more than numbers (pandas or
polars has to be installed), all columns have the same say, whatever their units. The first lines
printed say what was made of a file.
"""

EVERYTHING, GUESSED = Wanted(), Form()


class Data(NamedTuple):
    """The rows to compare on."""

    X: Any  # (n_samples, n_features), an array or a DataFrame
    y: np.ndarray | None  # (n_samples,)
    title: str
    account: str | None  # what was made of a file
    columns: list[Values]  # what the columns of X hold, where they have names
    target: str | None = None  # the name of y, where it has one


# Reading data


def read_data(source, *, wanted=EVERYTHING, form=GUESSED):
    """Read a built-in data set or a file."""
    from skae.datasets import BUILT_IN, load_dataset

    if source in BUILT_IN:
        if wanted != EVERYTHING or form != GUESSED:
            raise BadInput(
                f"options about columns and text are for files; {source!r} has its own target"
            )
        dataset = load_dataset(source)
        pairs = zip(dataset.feature_names, dataset.data.T, strict=True)
        columns = [Values(name, "number", numbers) for name, numbers in pairs]
        return Data(dataset.data, _named_target(dataset), source, None, columns)

    path = Path(source)
    if not path.exists():
        raise BadInput(
            f"there is no file {source!r}, nor a built-in data set of this name"
            f"{suggestion(source, BUILT_IN)}; built-in are {', '.join(BUILT_IN)}"
        )
    if not path.is_file():
        raise BadInput(f"{source!r} is not a file")
    table = read_table(path, wanted, form)
    account = _account(path.name, table)
    return Data(table.X, table.y, title(path), account, table.columns, table.target_name)


def _named_target(dataset):
    """Return the target of a built-in data set, classes by their names where they have any."""
    names = dataset.target_names
    if names is None or all(name.isdigit() for name in names):
        return dataset.target
    return np.asarray(names)[dataset.target]


def _account(name, table):
    """Say what was made of a file: in a line, and of other columns than numbers in some more."""
    n_samples, n_features = table.X.shape
    what = "feature" if isinstance(table.X, np.ndarray) else "column"
    parts = [f"{name}: {_number(n_samples, 'row')} of {_number(n_features, what)}", *table.form]
    if table.y is not None:
        classes = kind_of_target(table.y) == "classes"
        kind = _number(len(np.unique(table.y)), "class", "classes") if classes else "continuous"
        parts.append(f"target {table.target} ({kind})")
    return "\n".join(["; ".join([*parts, *table.remarks]), *account_of(table)])


def _number(count, one, many=None):
    return f"{count} {one if count == 1 else many or one + 's'}"


# Commands


def _read(arguments, *without):
    """Read the data that a command asks for, but some columns, and say what was made of it."""
    drop = (*arguments.drop, *without)
    wanted = Wanted(
        arguments.target,
        drop,
        arguments.keep_index,
        tuple(arguments.categories),
        arguments.memory,
    )
    data = read_data(arguments.data, wanted=wanted, form=_form(arguments))
    if data.account is not None:
        print(data.account, flush=True)  # before the work, which takes a while
    return data


def _form(arguments):
    return Form(arguments.header, arguments.delimiter, arguments.decimal, arguments.encoding)


def run_compare(arguments):
    """Print the table and write the three files."""
    from skae.comparison import compare

    data = _read(arguments)
    output = Path(arguments.output)
    output.mkdir(parents=True, exist_ok=True)  # before the work, not after it
    with warnings.catch_warnings():
        warnings.showwarning = _print_warning
        comparison = compare(
            data.X,
            data.y,
            methods=arguments.methods,
            n_components=arguments.n_components,
            test_size=arguments.test_size,
            standardize=arguments.standardize,
            max_samples=arguments.max_samples,
            repeats=arguments.repeats,
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


def _print_warning(message, *where):
    """Show a warning as a line, and not the line of code that it is from."""
    print(f"skae: {message}", file=sys.stderr)


def _labels(arguments):
    """Read the column that rows are called by: as a target, which may have any words."""
    try:
        wanted = Wanted(arguments.label, memory=arguments.memory)
        return read_data(arguments.data, wanted=wanted, form=_form(arguments)).y
    except BadInput as error:
        raise BadInput(str(error).replace("--target", "--label")) from None


def run_report(arguments):
    """Write the page of a table."""
    from skae._frames import frame_of
    from skae.reporting._findings import NO_NAME
    from skae.reporting._report import report_on

    labels = None if arguments.label is None else _labels(arguments)
    data = _read(arguments, *([] if labels is None else [arguments.label]))
    table = data.X
    if data.columns and isinstance(table, np.ndarray):
        with contextlib.suppress(ImportError):  # without pandas and polars columns have no names
            table = frame_of(data.columns)
    target = None if data.y is None else (data.target or NO_NAME, data.y)
    output = Path(arguments.output or f"{data.title}.html")
    if output.is_dir():
        raise BadInput(f"{str(output)!r} is a folder; give the file of the page in --output")
    output.parent.mkdir(parents=True, exist_ok=True)  # before the work, not after it
    made = report_on(
        table,
        target,
        labels=labels,
        title=arguments.title or data.title,
        methods=arguments.methods,
        max_rows=arguments.max_rows,
        random_state=arguments.seed,
        verbose=sys.stderr.isatty() and not arguments.quiet,
        account=data.account,
    )
    made.to_html(output)
    print(f"\nWritten to {output}, which holds values of {len(made.findings.drawn)} rows")
    return 0


def run_methods(arguments):
    """Print the methods that `compare` knows by name; those of the default have a star."""
    from skae.comparison import DEFAULT_METHODS, METHODS

    width = max(len(name) for name in METHODS) + 3
    for name, method in METHODS.items():
        marked = f"{name} *" if name in DEFAULT_METHODS else name
        print(f"{marked:{width}}{method.__doc__}")
    print("\n* compared where --methods names none; of a table of other columns than numbers, famd")
    print("  in the place of pca")
    return 0


def run_datasets(arguments):
    """Print the names of the built-in data sets."""
    from skae.datasets import BUILT_IN

    print("\n".join(BUILT_IN))
    return 0


def run_info(arguments):
    """Print what a model file, or the journal of a fit, holds."""
    from skae._model_files import information

    print(information(arguments.file))
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
    _add_data(compare)
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
        help="give each column of numbers the mean 0 and the variance 1 first (where there are "
        "other columns, all have the same say anyway)",
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
        "--repeats",
        metavar="N",
        type=int,
        default=1,
        help="how often all is done, with other splits and seeds; from 2 on the table has means, "
        "their spreads, and how far a method finds the same codes again (default: 1)",
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

    report = commands.add_parser(
        "report",
        help="write a page of HTML about a table, to look at and to send",
        description=REPORT_DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=raw,
    )
    report.set_defaults(run=run_report)
    _add_data(report)
    page = report.add_argument_group("the page")
    page.add_argument(
        "--label",
        metavar="COLUMN",
        help="the column of a file that rows are called by, which is no feature then (default: "
        "their numbers from 0)",
    )
    page.add_argument("--output", metavar="FILE", help="the page (default: DATA.html, here)")
    page.add_argument("--title", metavar="TEXT", help="its title (default: the name of the data)")
    page.add_argument(
        "--methods",
        metavar="A,B,...",
        type=_names,
        help='methods to compare, as in `skae compare`; "" for none (default: the same but for '
        "variants of the autoencoder)",
    )
    page.add_argument(
        "--max-rows",
        metavar="N",
        type=int,
        default=2000,
        help="the most rows that its pictures show, and so the page holds (default: 2000)",
    )
    page.add_argument(
        "--seed",
        metavar="S",
        type=int,
        default=0,
        help="seed of networks, folds and samples (default: 0)",
    )
    page.add_argument("--quiet", action="store_true", help="show no progress bar")

    info = commands.add_parser(
        "info",
        help="tell what a model file holds",
        description="Tell what a file of skae.save holds, without building the model, or how far "
        "the fit was that a checkpoint is of, and whether it is as it was written.",
    )
    info.set_defaults(run=run_info)
    info.add_argument("file", metavar="FILE")

    commands.add_parser("methods", help="list the methods").set_defaults(run=run_methods)
    commands.add_parser("datasets", help="list the built-in data sets").set_defaults(
        run=run_datasets
    )
    return parser


def _add_data(command):
    """Add what says which rows a command reads, and what their columns are."""
    command.add_argument("data", metavar="DATA", help=DATA_HELP)
    columns = command.add_argument_group("columns of a file")
    columns.add_argument(
        "--target",
        metavar="COLUMN",
        help="the column to tell from the codes, by its name or its number (0 is the first, "
        "-1 the last): text and whole numbers that repeat are classes, other numbers a measured "
        "quantity; of .npz also the name of an array",
    )
    columns.add_argument(
        "--drop",
        metavar="A,B,...",
        type=_names,
        default=(),
        help="columns that are neither features nor the target, by their names or numbers",
    )
    columns.add_argument(
        "--categories",
        metavar="A,B,...",
        type=_names,
        default=(),
        help="columns of numbers that are codes, such as 1, 2 and 3 for names of places, by their "
        "names or numbers: what is far from what then does not matter",
    )
    columns.add_argument(
        "--keep-index",
        action="store_true",
        help="take a first column without a name for a feature, though its values are those of an "
        "index (whole numbers that never repeat, or names of rows)",
    )
    columns.add_argument(
        "--memory",
        metavar="BYTES",
        default=EVERYTHING.memory,
        help="what the rows of an .npy or .parquet file may take, such as 500MB or 8GB; of a "
        f"larger file a random sample of so many is read (default: {EVERYTHING.memory})",
    )
    text = command.add_argument_group(
        "a file of text", "What is not given here is guessed from the first lines."
    )
    text.add_argument(
        "--header",
        action=argparse.BooleanOptionalAction,
        help="whether the first line has the names of the columns",
    )
    text.add_argument("--delimiter", choices=DELIMITERS, help="what separates cells")
    text.add_argument("--decimal", choices=DECIMALS, help="the decimal mark")
    text.add_argument("--encoding", metavar="NAME", help="of letters, such as utf-8 or latin-1")


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
