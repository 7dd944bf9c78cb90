"""Tables: each cell is one number of one row, written as its row says itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ipseval import words
from ipseval.disclosure import protect
from ipseval.estimate.describe import describe
from ipseval.render import tables
from ipseval.render.tables.cells import capital
from ipseval.results import QUANTITIES, Results
from ipseval.results.sentences import figures, value
from tests.make_trial import make_trial, person
from tests.render.shown import by_hand, public, scion


def lines_of(table: tables.Table) -> dict[str, tuple[str, ...]]:
    """Return the cells of each line under "group: heading"."""
    found, group = {}, ""
    for line in table.lines:
        if not line.cells:
            group = line.heading
        else:
            found[f"{group}: {line.heading}"] = line.cells
    return found


def cells(table: tables.Table) -> list[str]:
    return [cell for line in table.lines for cell in line.cells]


def test_the_dutch_trial_reads_31_of_70_against_20_of_81() -> None:
    # Newcombe's limits 4.4 to 33.8 points are those of another program (statsmodels, 31/70 v 20/81).
    got = lines_of(tables.estimates_table(public(), "rates", ""))
    assert got["Within 30 months: Proportion, IPS"][0] == "44.3%"
    assert got["Within 30 months: Proportion, IPS"][3:5] == ("31 of 70", "12")
    assert got["Within 30 months: Proportion, usual vocational rehabilitation"][3] == "20 of 81"
    difference = got["Within 30 months: Risk difference, IPS minus usual vocational rehabilitation"]
    assert difference[:2] == ("+19.6 percentage points", "+4.4 to +33.8")


@pytest.mark.parametrize("lang", words.LANGUAGES)
@pytest.mark.parametrize("analysis", ["rates", "survival", "amounts"])
def test_every_line_holds_the_numbers_of_its_row(analysis: str, lang: str) -> None:
    results = scion()
    table = tables.estimates_table(results, analysis, "", lang=lang)
    has_p = any(column.heading == "p" for column in table.columns)
    rows = results.main.select(analysis=analysis).frame
    rows = rows.loc[(rows["time_unit"] == "months") & ~rows["quantity"].isin(tables_of_counts())]
    shown = [line.cells for line in table.lines if line.cells]
    assert len(shown) == len(rows)
    for _, row in rows.iterrows():
        assert expected(row, lang, has_p) in [line[: 3 if has_p else 2] for line in shown]


def tables_of_counts() -> list[str]:
    return ["number_at_risk", "cumulative_events", "cumulative_censored"]


def expected(row: pd.Series, lang: str, has_p: bool) -> tuple[str, ...]:
    """Return estimate, interval and p value of a row, by the formats that rows say themselves in."""
    if row["status"] == "not_defined":
        return (words.text("status.not_defined", lang), "", "")[: 3 if has_p else 2]
    p = "" if pd.isna(row["p_value"]) else words.p_value(row["p_value"], lang)
    interval = ""
    if not (pd.isna(row["conf_low"]) and pd.isna(row["conf_high"])):
        low, high = (figures(row[name], row, lang) for name in ("conf_low", "conf_high"))
        interval = words.text("number.interval", lang, low=low, high=high)
        if row["quantity"] == "number_needed_to_treat" and row["conf_low"] > 0 > row["conf_high"]:
            harm = figures(-row["conf_high"], row, lang)
            interval = words.text("report.table.through_infinity", lang, benefit=low, harm=harm)
    if QUANTITIES[row["quantity"]].scale == "test":
        statistic = words.number(row["statistic"], lang, digits=2)
        degrees = words.number(row["df"], lang, digits=0)
        estimate = words.text("report.table.statistic", lang, statistic=statistic, df=degrees)
    else:
        estimate = value(row, lang)
    return (estimate, interval, p)[: 3 if has_p else 2]


def test_the_order_of_rows_in_the_results_does_not_matter() -> None:
    results = scion()
    shuffled = results.frame.sample(frac=1.0, random_state=7).reset_index(drop=True)
    for analysis in ("rates", "survival"):
        original = tables.estimates_table(results, analysis, "")
        moved = tables.estimates_table(replace(results, frame=shuffled), analysis, "")
        assert lines_of(moved) == lines_of(original)
        assert [line.heading for line in moved.lines] == [line.heading for line in original.lines]


def test_a_suppressed_line_says_so_and_holds_no_number() -> None:
    protected = public()
    hidden = protected.main.select(analysis="rates", status="suppressed").frame
    assert len(hidden) > 0
    table = tables.estimates_table(protected, "rates", "")
    method = len(table.columns) - 1
    suppressed = [line for line in table.lines if line.cells and line.cells[0] == "small cell"]
    assert len(suppressed) == len(hidden)
    assert {line.cells[1:method] for line in suppressed} == {("",) * (method - 1)}
    assert any("fewer than 5 people" in text for _, text in table.notes)


def test_an_estimate_without_a_value_says_why() -> None:
    table = tables.estimates_table(scion(), "survival", "", lang="nl")
    line = next(line for line in table.lines if line.cells and line.cells[0] == "geen waarde")
    notes = dict(table.notes)
    assert [notes[mark] for mark in line.marks] == [
        "Niet bereikt: minder dan de helft had de gebeurtenis binnen de horizon"
    ]


def test_a_number_needed_to_treat_through_infinity_is_written_as_benefit_and_harm() -> None:
    row = {
        "analysis": "rates",
        "quantity": "number_needed_to_treat",
        "contrast": "IPS - usual",
        "estimate": 12.5,
        "conf_low": 4.25,
        "conf_high": -14.5,
        "conf_level": 0.95,
        "unit": "people",
    }
    results = Results.from_rows([row], records={"rates": {"main": {}}})
    interval = tables.estimates_table(results, "rates", "").lines[1].cells[1]
    assert interval == "4.25 (benefit) to ∞ to 14.5 (harm)"


def test_an_unknown_number_of_people_too_small_to_show_is_not_a_zero() -> None:
    results = by_hand({"IPS": (30, 70), "usual": (20, 80)}, n_missing=None)
    table = tables.estimates_table(results, "rates", "")
    at = [column.heading for column in table.columns].index("Outcome unknown")
    assert {line.cells[at] for line in table.lines if line.cells} == {"not shown"}


def test_months_in_a_line_each_hold_both_arms_and_their_difference() -> None:
    results = scion()
    table = tables.series_table(results, "by_month", "")
    assert [line.heading for line in table.lines] == [str(month) for month in range(1, 13)]
    row = results.main.one(analysis="by_month", time=12, quantity="risk_difference")
    arms = [
        results.main.one(analysis="by_month", time=12, quantity="proportion", arm=arm)
        for arm in ("IPS", "usual")
    ]
    wanted = [f"{value(arm)} ({arm['n_event']} of {arm['n']})" for arm in arms]
    wanted += [
        f"{100 * row['estimate']:+.1f}".replace("-", "−"),
        table.lines[-1].cells[3],
        str(row["n_missing"]),
    ]
    assert list(table.lines[-1].cells) == wanted


def test_every_way_of_counting_the_unknown_has_a_line_and_one_is_the_main_one() -> None:
    for analysis, n_ways in (("rates", 6), ("amounts", 3)):
        headings = [line.heading for line in tables.unknown_table(scion(), analysis, "").lines]
        assert len(headings) == n_ways
        assert sum("(main analysis)" in heading for heading in headings) == 1


def test_a_way_of_counting_says_what_it_is_worth_also_where_its_contrast_is_not_shown() -> None:
    found = scion()
    hidden = found.select(analysis="rates", setting="missing=completers", contrast="IPS - usual").frame.index
    frame = found.frame.copy()
    frame.loc[hidden, "status"] = "suppressed"
    part = Results(frame, found.records, found.endpoints, found.provenance)
    for results in (found, part):
        table = tables.unknown_table(results, "rates", "")
        noted = {
            line.heading: {text for sign, text in table.notes if sign in line.marks} for line in table.lines
        }
        assert noted["Only people followed to the end, or to their death"] == {
            capital(words.text("note.completers"))
        }
        assert noted["People lost leave on the day they are lost"] == {capital(words.text("note.censored"))}


def test_every_interval_method_of_the_main_counts_has_a_line() -> None:
    results = scion()
    stated = ["missing=as_not_employed", "missing=as_not_employed; strata=site"]
    rows = results.select(analysis="rates", time=30, setting=stated).frame
    rows = rows.loc[rows["conf_low"].notna()]
    shown = [line for line in tables.methods_table(results, "rates", "").lines if line.cells]
    assert len(shown) == len(rows)
    within_sites = [line for line in shown if line.heading.endswith(": site")]
    assert len(within_sites) == (rows["setting"] == stated[1]).sum() == 5


def test_numbers_at_risk_stand_under_their_months() -> None:
    results = scion()
    table = tables.at_risk_table(results, "survival", "")
    assert [column.heading for column in table.columns] == ["0", "6", "12", "18", "24", "30"]
    got = lines_of(table)
    for arm, label in (("IPS", "IPS"), ("usual", "usual vocational rehabilitation")):
        at_risk = results.select(quantity="number_at_risk", arm=arm).frame.sort_values("time")["estimate"]
        assert got[f"Number at risk: {label}"] == tuple(f"{count:.0f}" for count in at_risk)
    rounded = tables.at_risk_table(public(), "survival", "")
    assert any("multiples of 5" in text for _, text in rounded.notes)
    assert "small cell" in cells(rounded)
    assert all(int(cell) % 5 == 0 for cell in cells(rounded) if cell != "small cell")


def test_the_flow_adds_up_to_the_people_randomised() -> None:
    got = lines_of(tables.flow_table(scion(), "describe", ""))
    ends = [line for key, line in got.items() if key.startswith("How follow-up ended: ")]
    totals = np.array([[int(cell.split(" ")[0]) for cell in line] for line in ends]).sum(axis=0)
    assert list(totals) == [70, 81]


def test_baseline_shows_numbers_categories_and_what_was_not_recorded_without_p_values() -> None:
    results = scion()
    table = tables.baseline_table(results, "describe", "")
    assert [column.heading for column in table.columns] == [
        "IPS",
        "Usual vocational rehabilitation",
        "Standardised difference",
    ]
    age = next(at for at, line in enumerate(table.lines) if line.heading.startswith("Age"))
    mean, spread = (
        results.one(term="age", arm="IPS", quantity=quantity)["estimate"]
        for quantity in ("mean", "standard_deviation")
    )
    assert table.lines[age + 1].cells[0] == f"{mean:.1f} ({spread:.1f})"
    balance = results.one(term="age", quantity="standardised_mean_difference")["estimate"]
    assert table.lines[age].cells == ("", "", f"{balance:.2f}".replace("-", "−"))
    unknown = results.select(term="qol_baseline", quantity="mean").frame.set_index("arm")["n_missing"]
    quality = next(at for at, line in enumerate(table.lines) if line.heading.startswith("Quality of life"))
    assert table.lines[quality + 3].cells[:2] == (str(unknown["IPS"]), str(unknown["usual"]))


def test_a_declared_label_is_used_and_translated() -> None:
    results = scion()
    trial = {
        **results.provenance["trial"],
        "covariates": {"sex": {"label": "Sex", "labels": {"F": "women", "M": "men"}}},
    }
    told = replace(results, provenance={**results.provenance, "trial": trial})
    headings = [line.heading for line in tables.baseline_table(told, "describe", "", lang="de").lines]
    at = headings.index("Geschlecht")
    assert headings[at + 1 : at + 3] == ["Frauen", "Männer"]


def test_what_is_missing_is_counted_per_arm() -> None:
    results = scion()
    got = lines_of(tables.missing_table(results, ""))
    for arm, at in (("IPS", 0), ("usual", 1)):
        row = results.main.one(analysis="rates", time=30, quantity="proportion", arm=arm)
        assert got["Ever in competitive work: Within 30 months"][at] == str(row["n_missing"])
    assert "In competitive work, by month: At 6 months" in got
    assert "In competitive work, by month: At 5 months" not in got


def test_published_percentages_stand_beside_the_reproduced_counts() -> None:
    got = {line.heading: line.cells for line in tables.published_table(scion(), "").lines}
    assert got["IPS"][:2] == ("44%", "31 of 70 = 44.3%")
    assert got["Usual vocational rehabilitation"][:2] == ("25%", "20 of 81 = 24.7%")
    readings = {line.heading: line.cells for line in tables.readings_table(scion(), "").lines}
    # 3.5 to 32.8 is Newcombe's interval of 31/71 v 20/80 by another program (statsmodels).
    assert readings["31 of 71 against 20 of 80"] == ("+18.7 percentage points", "+3.5 to +32.8", "unverified")
    assert readings["31 of 70 against 20 of 81"][2] == "read"


def test_without_anything_published_the_tables_are_empty() -> None:
    results = by_hand({"IPS": (30, 70), "usual": (20, 80)})
    assert tables.published_table(results, "").lines == ()
    assert tables.readings_table(results, "").lines == ()
    assert tables.comparison_of(results) is None


def test_a_cell_of_people_without_a_value_is_never_blank() -> None:
    people = [
        person(f"P{at:02d}", arm="IPS" if at % 2 else "usual", weight=70.0 + at if at % 2 else None)
        for at in range(40)
    ]
    found = describe(make_trial(people), variables=["weight"])
    for results, absent in ((found, ("0", "20")), (protect(found), ("0", "20"))):
        lines = lines_of(tables.baseline_table(results, "describe", ""))
        assert lines[": not recorded (number)"][:2] == absent
        assert lines[": mean (standard deviation)"][:2] == ("90.0 (11.8)", "no value")
    # One arm in a small cell, the other shown: the hidden number says that it is.
    few = [row | {"site": "A" if at > 2 else "B"} for at, row in enumerate(people)]
    few = [row | {"site": None} if row["arm"] == "usual" and at < 16 else row for at, row in enumerate(few)]
    lines = lines_of(tables.baseline_table(protect(describe(make_trial(few))), "describe", ""))
    assert lines[": not recorded (number)"][:2] == ("not shown", "8")
    assert all(lines[f": {site}"][:2] for site in "AB")
