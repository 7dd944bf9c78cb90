"""Results in a terminal and a notebook: nothing is lost but what is said above or counted."""

from __future__ import annotations

import pytest

import ipseval as ips
from ipseval.results import printed

TRIAL = ips.example("scion")


@pytest.fixture(scope="module")
def rates() -> ips.Results:
    return ips.rates(TRIAL, ips.ever_employed(by=30))


def test_the_main_rates_are_read_in_a_terminal(rates: ips.Results) -> None:
    lines = repr(rates.main).splitlines()
    assert lines[1] == "ever_employed, randomised, 0 to 30 months, 95% intervals, missing=as_not_employed"
    assert any(line.split()[:5] == ["proportion", "IPS", "wilson", "0.4429", "0.3325"] for line in lines)
    assert any("31/70" in line and line.endswith("12") for line in lines)
    assert len(lines) == 3 + len(rates.main)


def test_a_note_stands_once_and_every_row_names_its_own(rates: ips.Results) -> None:
    shared, rows, notes = printed.table(rates)
    assert len(notes) == len(set(notes))
    for said, row in zip(rates.frame["note"], rows["note"], strict=True):
        assert "; ".join(notes[int(place) - 1] for place in row.split(",") if place) == said
    assert "0 to 30 months" in shared and "period" not in rows


def test_what_is_left_out_is_counted() -> None:
    curves = ips.survival(TRIAL, ips.time_to_first_job(horizon=30))
    shared, rows, _ = printed.table(curves)
    assert f"{len(curves) - len(rows)} more rows in .frame" in shared
    steps = curves.select(time_unit="days")
    assert len(printed.table(steps)[1]) == min(len(steps), 60)


def test_what_rows_do_not_share_stays_in_a_column(rates: ips.Results) -> None:
    both = rates + ips.rates(TRIAL, ips.ever_employed(by=18), name="sooner", conf_level=0.9)
    shared, rows, _ = printed.table(both)
    assert {"analysis", "period", "level"} <= set(rows.columns)
    assert "interval" in rows and "months" not in shared


def test_a_notebook_gets_the_same_rows_escaped(rates: ips.Results) -> None:
    html = rates._repr_html_()
    assert html.count("<tr") == 1 + len(rates) and "IPS - usual" in html
