"""
A table from a CSV file
=======================

Words, numbers and holes, as they are in a file: two codes for each row, and back. The codes make a
picture of the rows; the way back fills holes and points at values that do not fit the others.
"""

# sphinx_gallery_thumbnail_number = 1

# %%
# From the file to codes
# ----------------------
#
# The file has penguins of three species [1]_: four measures, island and sex, with some holes. Where
# it can't be had, penguins are drawn from what is known of the three species.

import os
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skae import AutoencoderTransformer, TableAutoencoderTransformer, TableEncoder
from skae.plotting import CodeEffectsDisplay, LatentSpaceDisplay, ReconstructionDisplay


def penguins_drawn(random, n_rows=340):
    """Return penguins as they might be: around the means of their species and sexes, with holes."""
    names = np.array(["Adelie", "Chinstrap", "Gentoo"])
    species = random.choice(3, n_rows, p=[0.44, 0.2, 0.36])
    anywhere = random.choice(["Biscoe", "Dream", "Torgersen"], n_rows)
    male = random.choice([-1, 1], n_rows)
    table = pandas.DataFrame(
        {"species": names[species], "island": np.choose(species, [anywhere, "Dream", "Biscoe"])}
    )
    for name, means, deviation in (
        ("bill_length_mm", [38.8, 48.8, 47.5], 2.0),
        ("bill_depth_mm", [18.3, 18.4, 15.0], 0.8),
        ("flipper_length_mm", [190, 196, 217], 5.0),
        ("body_mass_g", [3700, 3733, 5076], 280.0),
    ):
        table[name] = np.choose(species, means) + deviation * (male + random.normal(size=n_rows))
    table["sex"] = np.where(male > 0, "MALE", "FEMALE")
    return table.round(1).mask(random.uniform(size=table.shape) < 0.01)


file = Path(os.environ.get("SKAE_DATA", "")) / "tables" / "penguins.csv"
if not file.is_file():
    file = Path(tempfile.mkdtemp()) / "penguins_drawn.csv"
    penguins_drawn(np.random.RandomState(0)).to_csv(file, index=False)

table = pandas.read_csv(file)
print(f"{file.name}: {len(table)} rows")
print(table.head().to_string())

# %%
# A quarter of the rows is kept for what follows. Nothing has to be said about the columns: words
# are categories, and holes count neither as input nor as error. The linear counterpart is FAMD,
# principal components of the same columns. It can't do without values, so means and frequencies
# take the place of holes.

train, test = train_test_split(table, test_size=0.25, random_state=0)
autoencoder = TableAutoencoderTransformer(2, random_state=0).fit(train)

encoder = autoencoder.encoder_
fill_holes = FunctionTransformer(np.nan_to_num)
famd = make_pipeline(TableEncoder(), fill_holes, PCA(2)).fit(train)

figure, axes = plt.subplots(2, 2, figsize=(10, 8), layout="constrained")
for line, name, method in zip(axes, ["FAMD", "autoencoder"], [famd, autoencoder], strict=True):
    for ax, column in zip(line, ["species", "sex"], strict=True):
        LatentSpaceDisplay.from_estimator(method, table, column, ax=ax)
        ax.set_title(name)
plt.show()

# %%
# FAMD's two codes tell the species. Those of the autoencoder tell species and sex: a group of
# points for each pair.
#
# How much of each column is in two codes?
# ----------------------------------------
#
# Of the rows that were kept, rebuilt from their codes: 1 is the column itself, 0 is no better than
# its mean or its frequencies.


def shares(rebuilt):
    """Return the share of each column that is rebuilt."""
    return 1 - np.nanmean(encoder.column_errors(encoder.transform(test), rebuilt), axis=0)


of_famd = shares(famd[1:].inverse_transform(famd.transform(test)))
of_autoencoder = shares(autoencoder.autoencoder_.inverse_transform(autoencoder.transform(test)))

figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
places = np.arange(len(table.columns))
ax.barh(places - 0.2, of_famd, height=0.36, color="#b7c3d0", label="FAMD")
ax.barh(places + 0.2, of_autoencoder, height=0.36, color="#3f90da", label="autoencoder")
ax.set_yticks(places, table.columns)
ax.set(xlim=(0, 1), xlabel="share rebuilt from two codes")
ax.invert_yaxis()
ax.spines[["top", "right"]].set_visible(False)
ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
plt.show()

# %%
# What does each code mean?
# -------------------------
#
# Each code goes over its range, while the other one stays as it is in the rows. Numbers are in
# their own units, categories are the probabilities of their levels. Above each panel is how far it
# goes, in units of the column's variance.

CodeEffectsDisplay.from_estimator(autoencoder, train, n_shown=7)
plt.show()

# %%
# Filling holes
# -------------
#
# An autoencoder that is to fill holes is best trained on holes that are made. Here a value in five
# is hidden in the rows that were kept, and compared with what is filled in.

masking = AutoencoderTransformer(noise="masking", early_stopping=False, max_iter=200)
filler = TableAutoencoderTransformer(4, autoencoder=masking, random_state=0).fit(train)

known = test.dropna()
hidden = np.random.RandomState(0).uniform(size=known.shape) < 0.2
filled = filler.impute(known.mask(hidden))

lines = []
for name, hole in zip(table, hidden.T, strict=True):
    true, guess = known[name][hole], filled[name][hole]
    if pandas.api.types.is_numeric_dtype(true):
        errors = [np.sqrt(np.square(one - true).mean()) for one in (train[name].mean(), guess)]
        lines.append((name, "error", *(f"{error:.1f}" for error in errors)))
    else:
        right = [(one == true).mean() for one in (train[name].mode()[0], guess)]
        lines.append((name, "right", *(f"{share:.0%}" for share in right)))
columns = ["column", "", "mean or most frequent", "autoencoder"]
print(pandas.DataFrame(lines, columns=columns).to_string(index=False))

# %%
# Rows that do not fit
# --------------------
#
# Two mistakes are made in the rows that were kept: a Gentoo is put on an island where none lives,
# and the heaviest one becomes a female. Each value is a usual one; together they are not. So both
# are among the rows that are rebuilt worst, and the columns in orange say why.

strange = test.dropna().reset_index(drop=True)
gentoo = strange[strange["species"] == "Gentoo"]
strange.loc[gentoo.index[0], "island"] = "Torgersen"
strange.loc[gentoo["body_mass_g"].idxmax(), "sex"] = "FEMALE"
ReconstructionDisplay.from_estimator(autoencoder, strange, n_shown=5, select="worst")
plt.show()

# %%
# .. [1] Gorman, K. B., Williams, T. D. and Fraser, W. R. (2014). Ecological sexual dimorphism and
#    environmental variability within a community of Antarctic penguins (genus Pygoscelis). PLoS ONE
#    9(3). `doi:10.1371/journal.pone.0090081 <https://doi.org/10.1371/journal.pone.0090081>`_. The
#    data: Horst, A. M., Hill, A. P. and Gorman, K. B. (2020), palmerpenguins, CC0.
