"""Tables of numbers, categories and holes: codes, holes, unusual rows, new rows, features.

Each part is a module of `table_parts`, whose text says what it measures and beside what.

The tables are files of the folder that SKAE_DATA names (tables/*.csv or *.csv.gz), of which some
rows are taken; without it, a table that is made.

    SKAE_DATA=folder python benchmarks/tables.py [--tables penguins titanic] [--rows 2000]
        [--seeds 3] [--parts scores holes anomalies new_rows features] [--smoke]
"""

import argparse
import os
import warnings

from skae.exceptions import UnknownCategoryWarning
from table_parts import anomalies, features, holes, new_rows, scores
from table_parts.data import NAMES

PARTS = {
    "scores": scores.run,
    "holes": holes.run,
    "anomalies": anomalies.run,
    "new_rows": new_rows.run,
    "features": features.run,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    known = NAMES if "SKAE_DATA" in os.environ else ["made"]
    parser.add_argument("--tables", nargs="+", default=known)
    parser.add_argument("--rows", type=int, default=2000, help="at most")
    parser.add_argument("--seeds", type=int, default=3, help="splits of the scores")
    parser.add_argument("--parts", nargs="+", choices=[*PARTS], default=[*PARTS])
    parser.add_argument("--smoke", action="store_true", help="a table that is made, one split")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.tables, arguments.rows, arguments.seeds = ["made"], 200, 1
    warnings.simplefilter("ignore", UnknownCategoryWarning)
    warnings.simplefilter("ignore", FutureWarning)
    for part in arguments.parts:
        print(f"\n{part}", flush=True)
        PARTS[part](arguments.tables, arguments.rows, arguments.seeds, smoke=arguments.smoke)


if __name__ == "__main__":
    main()
