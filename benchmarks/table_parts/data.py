"""Files of numbers and words as tables, and one that is made."""

import os
from pathlib import Path

import numpy as np
import pandas as pd

NAMES = ["penguins", "titanic", "mpg", "german", "horse-colic", "abalone", "diamonds", "adult"]
WITHOUT_HEADER = {"german", "horse-colic", "abalone", "adult"}
LEFT_OUT = {"mpg": ["name"]}  # a new word in nearly each row


def made(n_rows=400):
    """Return a table in which one hidden number decides most."""
    random = np.random.RandomState(0)
    hidden = random.normal(size=n_rows)
    return pd.DataFrame(
        {
            "a": hidden + random.normal(size=n_rows) / 3,
            "b": hidden**2 + random.normal(size=n_rows) / 3,
            "c": np.array([*"wxyz"])[np.digitize(hidden, [-1, 0, 1])],
            "d": random.choice([*"pq"], n_rows),
            "e": hidden > random.normal(size=n_rows) / 2,
        }
    )


def load(name, n_rows):
    """Return some rows of a table, in an order of their own."""
    if name == "made":
        return made(n_rows)
    (path,) = Path(os.environ["SKAE_DATA"], "tables").glob(f"{name.split('.')[0]}*.csv*")
    header = None if name in WITHOUT_HEADER else "infer"
    table = pd.read_csv(path, header=header, na_values="?", skipinitialspace=True)
    table = table.drop(columns=LEFT_OUT.get(name, [])).rename(columns=str)
    return table.sample(min(n_rows, len(table)), random_state=0).reset_index(drop=True)


def plain(table):
    """Return a table whose columns are numbers with a decimal point, or words."""
    table = table.astype({c: float for c in table if table[c].dtype.kind in "iuf"})
    return table.astype({c: object for c in table if table[c].dtype.kind != "f"})


def numbers_of(table):
    """Return the names of the columns that are numbers."""
    return [name for name in table if table[name].dtype.kind in "iuf"]


def words_of(table):
    """Return the names of the other columns."""
    return [name for name in table if table[name].dtype.kind not in "iuf"]
