"""Files of text: every line that is a row is one, whatever the file looks like."""

import csv
import gzip
import io
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_iris

from skae._files import DECIMALS, DELIMITERS, BadInput, Form, Wanted, read_table
from skae._files._text import kind_of, lay_out, split_rows

IRIS = load_iris(as_frame=True)
FRAME = IRIS.data
X, SPECIES = FRAME.to_numpy(), IRIS.target_names[IRIS.target]
LABELED = FRAME.assign(species=SPECIES)


def read(path, target=None, drop=(), keep_index=False, **form):
    return read_table(path, Wanted(target, tuple(drop), keep_index), Form(**form))


@pytest.fixture
def write(tmp_path):
    """Return a function that writes lines of text to a file."""

    def write(*lines, name="rows.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes("".join(f"{line}\n" for line in lines).encode(encoding))
        return path

    return write


# Any table, written in any way


def written(rows, names, delimiter, decimal, quoting, line_end):
    """Return a table as text; floats as Python writes them, with the mark that is asked for."""
    mark = DECIMALS[decimal]
    cells = [[repr(value).replace(".", mark) for value in row] for row in rows]
    text = io.StringIO()
    separator = DELIMITERS[delimiter] or " "
    writer = csv.writer(text, delimiter=separator, quoting=quoting, lineterminator=line_end)
    writer.writerows(([names] if names else []) + cells)
    return text.getvalue()


@st.composite
def ways_to_write(draw):
    """Return how a table is written."""
    return {
        "delimiter": draw(st.sampled_from(list(DELIMITERS))),
        "decimal": draw(st.sampled_from(list(DECIMALS))),
        "quoting": draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
        "line_end": draw(st.sampled_from(["\n", "\r\n", "\r"])),
    }


@st.composite
def tables(draw, least_columns):
    width = draw(st.integers(least_columns, 6))
    numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-99, 99)
    row = st.lists(numbers, min_size=width, max_size=width)
    rows = draw(st.lists(row, min_size=1, max_size=12))
    names = [f"name {i}" for i in range(width)]
    return rows, draw(st.sampled_from([names, None]))


def read_back(text, encoding, compressed, **form):
    content = text.encode(encoding)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table"
        path.write_bytes(gzip.compress(content) if compressed else content)
        return read(path, **form)


encodings = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"])


@settings(max_examples=150, deadline=None)
@given(tables(least_columns=1), ways_to_write(), encodings, st.booleans())
def test_a_table_comes_back_as_it_was_written_if_the_user_says_how(
    table, way, encoding, compressed
):
    rows, names = table
    form = {"header": names is not None, "delimiter": way["delimiter"], "decimal": way["decimal"]}
    found = read_back(written(rows, names, **way), encoding, compressed, **form)
    np.testing.assert_array_equal(found.X, np.array(rows, dtype=float))


def may_mark_thousands(value):
    return 1 <= abs(value) < 1000 and len(repr(value).partition(".")[2]) == 3


@settings(max_examples=150, deadline=None)
@given(tables(least_columns=2), ways_to_write(), encodings, st.booleans())
@example(
    ([[0.0, 8.98846567431158e307, 0.0, 0.0, 0.0], [0.0] * 5], None),
    {"delimiter": "tab", "decimal": "point", "quoting": 0, "line_end": "\n"},
    "utf-8",
    False,
)
@example(
    ([[1.5, 2.5, 3.5]] * 3, None),
    {"delimiter": "semicolon", "decimal": "comma", "quoting": 0, "line_end": "\n"},
    "utf-8",
    False,
)
def test_a_table_comes_back_as_it_was_written_if_the_user_says_nothing(
    table, way, encoding, compressed
):
    rows, names = table
    assume(way["decimal"] == "point" or way["delimiter"] != "comma")
    assume(way["decimal"] == "point" or not all(may_mark_thousands(v) for row in rows for v in row))
    # Whole numbers that rise evenly may be the years of a header.
    assume(names or len(rows[0]) < 4 or len(set(np.diff(rows[0]))) > 1)
    found = read_back(written(rows, names, **way), encoding, compressed)
    np.testing.assert_array_equal(found.X, np.array(rows, dtype=float))


# The same rows in each kind of file


def lines_of(rows, separator, end=""):
    return "".join(separator.join(map(str, row)) + end + "\n" for row in rows).encode()


def as_r_writes(frame):
    """Return lines as R's write.table does: names of rows, and no name above them."""
    names = " ".join(f'"{name}"' for name in frame.columns)
    rows = [f'"{i + 1}" ' + " ".join(map(str, row)) for i, row in enumerate(frame.to_numpy())]
    return "\n".join([names, *rows]).encode()


KINDS = {
    "plain.csv": LABELED.to_csv(index=False).encode(),
    "no-header.csv": LABELED.to_csv(index=False, header=False).encode(),
    "sonar.all-data": lines_of(LABELED.to_numpy(), ","),
    "no-ending": lines_of(LABELED.to_numpy(), ","),
    "blanks.data": lines_of(LABELED.to_numpy(), ", "),
    "delimiter-last.data": lines_of(LABELED.to_numpy(), ",", end=","),
    "pipes.txt": lines_of(LABELED.to_numpy(), "|"),
    "tabs.tsv": LABELED.to_csv(index=False, sep="\t").encode(),
    "white-space.dat": lines_of(LABELED.to_numpy(), "   "),
    "indented.dat": b"  " + lines_of(LABELED.to_numpy(), "\t ", end="  "),
    "excel.csv": LABELED.to_csv(index=False, sep=";", decimal=",").encode("utf-8-sig"),
    "excel.txt": LABELED.to_csv(index=False, sep="\t", decimal=",").encode("utf-16"),
    "decimal-comma.txt": LABELED.to_csv(header=False, index=False, sep=" ", decimal=",").encode(),
    "latin.csv": LABELED.rename(columns={"species": "größe"}).to_csv(index=False).encode("latin-1"),
    "numbered.csv": LABELED.set_axis(range(5), axis=1).to_csv(index=False).encode(),
    "compressed.csv.gz": gzip.compress(LABELED.to_csv(index=False).encode()),
    "compressed.csv": gzip.compress(LABELED.to_csv(index=False).encode()),
    "not-compressed.gz": LABELED.to_csv(index=False).encode(),
    "quoted.csv": LABELED.to_csv(index=False, quoting=csv.QUOTE_ALL).encode(),
    "blank-lines.csv": LABELED.to_csv(index=False).replace("\n", "\n\n").encode(),
    "index.csv": LABELED.to_csv().encode(),
    "index-of-numbered.csv": LABELED.set_axis(range(5), axis=1).to_csv().encode(),
    "index-twice.csv": pd.read_csv(io.StringIO(LABELED.to_csv())).to_csv(index=False).encode(),
    "index-by-r.txt": as_r_writes(LABELED),
    "index-of-names.csv": LABELED.set_axis([f"flower {i}" for i in range(150)]).to_csv().encode(),
    "index-of-parts.csv": pd.concat([LABELED[:90], LABELED[:60]]).to_csv().encode(),
    "index-of-a-sample.csv": LABELED.sample(frac=1, random_state=0).to_csv().encode(),
}
ROWS = {
    "index-of-parts.csv": [*range(90), *range(60)],
    "index-of-a-sample.csv": LABELED.sample(frac=1, random_state=0).index,
}


@pytest.mark.parametrize("name", KINDS)
def test_the_rows_of_the_table_are_the_rows_of_the_file(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(KINDS[name])
    rows = ROWS.get(name, range(150))
    table = read(path, target="-1")
    np.testing.assert_array_equal(table.X, X[rows])
    np.testing.assert_array_equal(table.y, SPECIES[rows])
    assert ("left out: the index" in " ".join(table.remarks)) is name.startswith("index")


@pytest.mark.parametrize(
    ("name", "form", "target"),
    [
        ("plain.csv", ["header in line 1"], "'species' (4)"),
        ("no-header.csv", ["no header"], "4"),
        (
            "delimiter-last.data",
            ["no header", "left out: the last column, which is empty"],
            "4",
        ),
        ("pipes.txt", ["no header", "pipes between cells"], "4"),
        (
            "excel.csv",
            ["header in line 1", "semicolons between cells", "decimal comma"],
            "'species' (4)",
        ),
        ("white-space.dat", ["no header", "white space between cells"], "4"),
        ("latin.csv", ["header in line 1", "text in cp1252"], "'größe' (4)"),
        ("numbered.csv", ["header in line 1"], "'4' (4)"),
    ],
)
def test_what_was_guessed_is_said(tmp_path, name, form, target):
    path = tmp_path / name
    path.write_bytes(KINDS[name])
    table = read(path, target="-1")
    assert (table.form, table.target) == (form, target)


def test_a_file_may_start_with_blank_lines(write):
    table = read(write("", "  ", "a,b", "1,2", "3,4"))
    np.testing.assert_array_equal(table.X, [[1, 2], [3, 4]])
    assert table.form == ["header in line 3"]


def test_lines_after_those_that_guesses_are_made_from_are_read_the_same_way(write):
    lines = [f"{i},5;True" for i in range(5000)]
    table = read(write("a;b", *lines))
    np.testing.assert_array_equal(table.X, [[i + 0.5, 1] for i in range(5000)])


def test_names_that_numpy_writes_behind_a_hash_are_a_header(tmp_path):
    path = tmp_path / "rows.txt"
    np.savetxt(path, X, header="a b c d")
    table = read(path, drop=["a"])
    np.testing.assert_array_equal(table.X, X[:, 1:])


# Header or row


@pytest.mark.parametrize(
    ("lines", "header"),
    [
        (["0.1,0.2,R", "0.3,0.4,R", "0.5,0.6,M"], False),  # sonar
        (["AAT,0.49,cp", "ACE,0.07,cp", "ADK,0.61,im"], False),  # ecoli
        (["?,38.5,?", "1,39.2,4", "1,?,2"], False),  # horse-colic
        (["M,0.4,15", "M,0.3,7", "F,0.5,9"], False),  # abalone
        (["True,1", "False,2", "True,2"], False),
        (["1,2", "3,4", "5,6"], False),
        (["1", "2", "4"], False),
        (["length,width", "3,4", "5,6"], True),
        (["length,width,kind", "3,4,a", "5,6,b"], True),
        (["flag,1st", "True,4", "False,6"], True),
        (["RI,Na,Ca", "3,4,1", "5,6,1"], True),  # glass: sodium is no missing value
        (["length,width,", "3,4,0", "5,6,1"], True),
        (["length,width", "?,4", "5,?"], True),
        (["country,1990,1991,1992,1993", "a,5,3,9,4", "b,6,1,7,1"], True),
        (["0,1,2,3", "0.5,0.1,0.7,0.3", "0.6,0.2,0.2,0.9"], True),  # pandas, without names
        (["0,1,2,3", "4,5,6,7", "8,9,10,11"], False),  # rows that rise evenly, all of them
        ([",0,1", "0,0.5,0.1", "1,0.6,0.2"], True),
        (["name,city", "Ann,Rome", "Bob,Rome"], True),
        (["Rome,Ann", "Oslo,Bob", "Rome,Cid"], False),
    ],
)
def test_line_1_is_a_header_if_it_differs_in_kind_from_the_lines_below(lines, header):
    head = list(split_rows(lines, "comma"))
    layout = lay_out("rows.csv", head, "comma", "point", None)
    assert layout.header is header
    assert len(layout.names) == len(head[0][1])


def test_a_line_that_may_be_a_header_as_well_as_a_row_is_asked_about(write):
    path = write("id,2010,2015", "1,5,6", "2,7,9")
    with pytest.raises(BadInput, match=r"line 1 .* \('id' stands above .* or a row \('2010'"):
        read(path)
    assert len(read(path, drop=["id"], header=True).X) == 2
    assert len(read(path, drop=["0"], header=False).X) == 3


@pytest.mark.parametrize("header", [True, False])
def test_the_user_may_say_whether_there_is_a_header(write, header):
    path = write("1,2", "3,5", "8,6")
    np.testing.assert_array_equal(
        read(path, header=header).X, [[1, 2], [3, 5], [8, 6]][int(header) :]
    )


# Cells


def test_true_and_false_are_one_and_zero(write):
    table = read(write("a,flag", "0.5,True", "0.25,FALSE", "1,true"))
    np.testing.assert_array_equal(table.X, [[0.5, 1], [0.25, 0], [1, 1]])


def test_a_column_of_numbers_and_of_true_and_false_is_one_of_words(write):
    (_, b) = read(write("a,b", "1,2", "3,4", "5,True")).columns
    assert (b.kind, b.levels) == ("category", ["2", "4", "True"])
    (_, b) = read(write("a,b", "1,True", "3,False", "5,7")).columns
    assert (b.kind, b.levels) == ("category", ["7", "False", "True"])


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        ("1", "number"),
        (" -1.5e3 ", "number"),
        ("1_000", "text"),
        ("1,5", "text"),
        ("True", "truth"),
        ("NaN", "missing"),
        (" ", "missing"),
        ("?", "missing"),
        ("<NA>", "missing"),
        ("#N/A", "missing"),
        ("NaT", "missing"),
        ("T", "text"),
    ],
)
def test_a_cell_is_missing_a_truth_a_number_or_text(cell, kind):
    assert kind_of(cell, "point") == kind


def test_underscores_make_no_number_in_any_line(write):
    with pytest.raises(BadInput, match=r"holds text .such as '1_0', line 5"):
        read(write("1,2", "3,5", "8,6", "4,4", "1_0,3"))


def test_commas_that_may_mark_thousands_are_asked_about(write):
    path = write("1,234;5", "5,678;6")
    with pytest.raises(BadInput, match="give --decimal comma"):
        read(path)
    np.testing.assert_array_equal(read(path, decimal="comma").X, [[1.234, 5], [5.678, 6]])


def test_a_point_among_decimal_commas_is_no_number(write):
    with pytest.raises(BadInput, match=r"holds text .such as '1\.234,5', line 2"):
        read(write("0,5;1", "1.234,5;2", "1,5;7"))


@pytest.mark.parametrize(
    ("cells", "dtype"),
    [(["1", "2"], "i"), (["1", "2.5"], "f"), (["1", "two"], "U"), ([str(2**70), "1"], "f")],
)
def test_a_target_is_whole_numbers_numbers_or_text(write, cells, dtype):
    path = write("a,t", *(f"{i},{cell}" for i, cell in enumerate(cells)))
    assert read(path, target="t").y.dtype.kind == dtype


def test_a_target_may_have_decimal_commas(write):
    table = read(write("a;t", "0,5;1,5", "1,5;2,25"), target="t")
    np.testing.assert_array_equal(table.y, [1.5, 2.25])


@pytest.mark.parametrize("labels", ["1 2 ?", "1 2 none", "a b ?", "a b NA"])
def test_a_label_that_is_missing_is_no_class(write, labels):
    path = write("a,t", *(f"{i},{label}" for i, label in enumerate(labels.split())))
    with pytest.raises(BadInput, match=r"missing in the target 't' \(1\), line 4"):
        read(path, target="t")


def test_none_is_a_class_among_words(write):
    path = write("a,damage", "1,none", "2,some", "3,much")
    assert list(read(path, target="damage").y) == ["none", "some", "much"]


# Columns of words


def test_words_dates_and_holes_are_read_as_they_come(write):
    table = read(
        write("name,size,born,age,ill", "Ann,S,2001-02-03,?,True", "Bob,M,,7,FALSE", "Cid,,NA,9,")
    )
    name, size, born, age, ill = table.columns
    assert (name.levels, size.levels, ill.levels) == (
        ["Ann", "Bob", "Cid"], ["M", "S"], [False, True],
    )  # fmt: skip
    assert [one.kind for one in table.columns] == [*["category"] * 2, "date", "number", "category"]
    np.testing.assert_array_equal(size.numbers, [1, 0, np.nan])
    np.testing.assert_array_equal(age.numbers, [np.nan, 7, 9])
    np.testing.assert_array_equal(ill.numbers, [1, 0, np.nan])
    seconds = np.datetime64("2001-02-03", "s").astype(float)
    np.testing.assert_array_equal(born.numbers, [seconds, np.nan, np.nan])
    assert list(table.X.columns) == ["name", "size", "born", "age", "ill"]


@pytest.mark.parametrize("hole", ["NULL", "None", "NaT", "<NA>"])
def test_a_hole_among_dates_is_no_word(write, hole):
    (born,) = read(write("born", "2001-02-03", hole, "2001-02-04")).columns
    assert born.kind == "date"
    np.testing.assert_array_equal(np.isnan(born.numbers), [False, True, False])


def test_words_are_read_alike_after_the_lines_that_guesses_are_made_from(write):
    lines = [f"{i},{'abc'[i % 3]}" if i != 3000 else "3000,d" for i in range(5000)]
    table = read(write("a,b", *lines))
    assert table.columns[1].levels == ["a", "b", "c", "d"]
    assert table.columns[1].numbers[3000] == 3
    # The first word may come late.
    with pytest.raises(BadInput, match=r"'a' \(0\) is one of numbers, .* 'x', line 4002\); corr"):
        read(write("a,b", *lines[:4000], "x,a", *lines[4000:]))


def test_a_few_numbers_among_which_are_words_are_categories(write):
    (_, grade) = read(write("a,grade", *(f"{i},{'K123'[i % 4]}" for i in range(40)))).columns
    assert grade.levels == ["1", "2", "3", "K"]


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        (["a,name", "0,name 0", "1,name 1"], ["a", "name"]),
        (["who,what", '"Roe, Ann",the cat sat', '"Doe, Bob",a dog ran'], ["who", "what"]),
        (["film;kind;year", "Up;a, b;1", "It;c, d;2"], ["film", "kind", "year"]),
        (["film,kind", "Up,Old|Short", "It,New|Long"], ["film", "kind"]),
        (["size color", "1.5 red", "2.5 blue"], ["size", "color"]),
    ],
)
def test_words_do_not_hide_what_separates_cells(write, lines, names):
    assert [values.name for values in read(write(*lines)).columns] == names


def test_a_word_that_is_new_in_nearly_each_row_is_left_out_and_said(write):
    table = read(write("a,name", *(f"{i % 7},name {i}" for i in range(50))))
    assert table.left_out == {"name": "50 different words in 50 rows, such as 'name 0'"}
    np.testing.assert_array_equal(table.X, [[i % 7] for i in range(50)])


@pytest.mark.parametrize(
    ("cell", "time"),
    [
        ("2024-12-31", "2024-12-31"),
        ("2024-12-31 12:30", "2024-12-31T12:30"),
        ("2024-12-31T12:30:15.5", "2024-12-31T12:30:15.500"),
        ("2024-12-31T12:30:15Z", "2024-12-31T12:30:15"),
        ("2024-12-31T12:30:15+02:00", "2024-12-31T10:30:15"),
        ("2024-02-30", None),
        ("31.12.2024", None),
        ("20241231T1200", None),
    ],
)
def test_days_and_times_as_the_standard_has_them_are_dates(write, cell, time):
    (_, date) = read(write("a;date", f"1.5;{cell}", "2;")).columns
    assert date.kind == ("category" if time is None else "date")
    if time is not None:
        assert date.numbers[0] == np.datetime64(time, "us").astype(float) / 1e6


# What is no table


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "is empty"),
        (["a,b", "1,2", "3"], "line 3 of .* has 1 cell, but other lines have 2"),
        (["size", "1,5", "3,4"], "line 1 of .* has 1 cell, but other lines have 2"),
        (["1", "1,2", "3,4"], "line 1 of .* has 1 cell, but other lines have 2"),
        (["a,b", *["1,2"] * 300, "3,4,5"], "line 302 of .* has 3 cells, but other lines have 2"),
        (["a,b", "1,2", '3,"4', "5,6"], "can't be read as a table"),
        (["a,b", '"1" 2,3'], "can't be read as a table"),
    ],
)
def test_a_line_that_does_not_fit_is_an_error(write, lines, words):
    with pytest.raises(BadInput, match=words):
        read(write(*lines))


def test_a_quote_that_is_not_closed_swallows_no_rows(write):
    path = write("a,b,c", *["1,2,x"] * 200, '3,4,"y', *["5,6,z"] * 200)
    with pytest.raises(BadInput, match="can't be read as a table"):
        read(path, target="c")


@pytest.mark.parametrize("content", [b"PK\x03\x04\x00\x00", b"\x00\x01" * 50, b"1,2\n\x00,3\n"])
def test_what_is_no_text_is_refused(tmp_path, content):
    path = tmp_path / "sheet.xlsx"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"'.*sheet.xlsx' is of no known kind: .* save a sheet"):
        read(path)


def test_a_broken_archive_is_refused(tmp_path):
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress(LABELED.to_csv().encode())[:-50])
    with pytest.raises(BadInput, match="is compressed, and broken"):
        read(path)


@pytest.mark.parametrize("name", ["klingon", "base64", "zlib"])
def test_an_encoding_that_is_not_known_is_refused(write, name):
    with pytest.raises(BadInput, match=f"--encoding: there is none for text that is .*{name}"):
        read(write("1,2"), encoding=name)


def test_an_encoding_that_does_not_fit_is_refused(write):
    path = write("größe,b", "1,2", encoding="latin-1")
    with pytest.raises(BadInput, match="is not text in utf-8; give --encoding"):
        read(path, encoding="utf-8")


def test_the_user_may_say_which_encoding(write):
    path = write("длина,b", "1,2", "2,3", encoding="cp1251")
    assert read(path, target="длина", encoding="cp1251").target == "'длина' (0)"
