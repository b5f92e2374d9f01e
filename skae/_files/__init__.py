"""Reading tables from files, for the command line: a path in, rows and a target out.

It guesses what a file does not say, gives an account of what it made of it, and takes options for
what a guess can't settle. Columns are known by their position, for names repeat, lack and lie.
"""

from pathlib import Path

from skae._files._account import account_of
from skae._files._arrays import read_array, read_arrays, read_parquet
from skae._files._columns import BadInput, Table, Wanted, suggestion
from skae._files._text import DECIMALS, DELIMITERS, Form, read_text

__all__ = [
    "DECIMALS",
    "DELIMITERS",
    "BadInput",
    "Form",
    "Table",
    "Wanted",
    "account_of",
    "read_table",
    "suggestion",
    "title",
]

# By the ending of the name. What has another is text, or of no known kind.
READERS = {".npy": read_array, ".npz": read_arrays, ".parquet": read_parquet}


def read_table(path, wanted, form):
    """Read the rows of a file.

    Parameters
    ----------
    path : path-like
        A file, of text or with one of the endings in ``READERS``.
    wanted : Wanted
        Which columns are what.
    form : Form
        How cells are written in a text file.
    """
    path = Path(path)
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        return read_text(path, wanted, form)
    if form != Form():
        raise BadInput(
            f"{str(path)!r} holds arrays or columns: --header, --no-header, --delimiter, --decimal "
            "and --encoding are for files of text"
        )
    return reader(path, wanted)


def title(path):
    """Return the name of a file without its folder and its endings."""
    path = Path(path)
    return Path(path.stem).stem if path.suffix.lower() == ".gz" else path.stem
