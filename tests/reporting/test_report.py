"""report(): a table in, a page out."""

import numpy as np
import pytest

import skae
from made_up_findings import mixed_table, quick
from skae.reporting._gathering import labels_of


@pytest.fixture(scope="module")
def made():
    return skae.report(
        mixed_table(), "tall", title="People", methods=["famd"], autoencoder=quick(), random_state=0
    )


def test_a_page_is_written_as_it_is_returned(made, tmp_path):
    assert made.to_html(tmp_path / "page.html") is None
    assert (tmp_path / "page.html").read_bytes() == made.to_html().encode()


def test_rows_are_called_as_the_user_says():
    table = mixed_table(named=True)
    assert labels_of(table) == [f"row {i}" for i in range(60)]
    assert labels_of(table, np.arange(60)) == [str(i) for i in range(60)]
    assert labels_of(table.to_numpy()) == [str(i) for i in range(60)]
    with pytest.raises(ValueError, match="inconsistent numbers"):
        skae.report(table, labels=["a", "b"])


def test_columns_that_say_nothing_are_shown_and_stop_nothing():
    table = mixed_table(30).assign(same="a", year=2020, none=np.nan)
    text = skae.report(table, methods=[], autoencoder=quick(), random_state=0).to_html()
    assert "always the same" in text
    assert "no value is known" in text


def test_a_page_has_its_title_and_its_methods(made):
    text = made.to_html()
    assert "<title>People</title>" in text
    assert "60 rows as famd embeds them" not in text
    assert "15 rows as famd embeds them" in text


@pytest.mark.slow
def test_the_same_seed_gives_the_same_page_of_polars_as_of_pandas(made, capsys):
    polars = pytest.importorskip("polars")
    parameters = {"methods": [], "autoencoder": quick(), "random_state": 3, "verbose": 1}
    pages = []
    table = mixed_table()
    lists = {name: table[name].astype(object).where(table[name].notna(), None) for name in table}
    same = polars.DataFrame({name: column.tolist() for name, column in lists.items()})
    for one in (table, same):
        again = skae.report(one, **parameters)
        again.when = made.when
        pages.append(again.to_html())
    assert pages[0] == pages[1]
    assert "Seed 3" in pages[0]
    assert "unusual rows" in capsys.readouterr().err  # what is being done


def test_a_notebook_shows_the_page_in_a_frame_of_its_own(made):
    shown = made._repr_html_()
    assert shown.startswith("<iframe srcdoc=")
    assert "<script" not in shown
    assert 'sandbox="allow-scripts"' in shown


def test_a_report_says_in_a_line_what_it_is(made):
    assert repr(made).startswith("<Report of 60 rows of 3 columns, of which two codes rebuild ")


def test_dates_are_those_of_their_time_zone():
    table = mixed_table(30)
    days = np.arange("2020-01-01", "2020-01-31", dtype="datetime64[D]")
    local = table.assign(day=days)
    local["day"] = local["day"].dt.tz_localize("Europe/Berlin")
    one, other = (
        skae.report(some, methods=[], autoencoder=quick(), random_state=0).to_html()
        for some in (local, table.assign(day=days))
    )
    assert "2020-01-01" in one
    assert "2019-12-31" not in one
    assert one == other
