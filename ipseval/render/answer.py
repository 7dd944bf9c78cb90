"""The answer in the first sentence: out of how many, how many more, how sure."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from ipseval import words
from ipseval.endpoints.base import label
from ipseval.render.tables.cells import Writer
from ipseval.results import Results
from ipseval.results.sentences import sentence, when
from ipseval.results.setting import part_of


class Compared(NamedTuple):
    """The rows that answer: both arms and their difference, of one yes or no at one month."""

    active: pd.Series
    reference: pd.Series
    difference: pd.Series


def compared(results: Results) -> list[Compared]:
    """Return the main rates at the longest month that may be shown, a triple per contrast.

    The first analysis of rates decides, in the order in which analyses were carried out.
    """
    main = results.main.frame
    for analysis, record in _in_order(results):
        rows = main.loc[(main["analysis"] == analysis) & main["status"].isin(["ok", "warned"])]
        differences = rows.loc[rows["quantity"] == "risk_difference"]
        if record.get("section") != "rates" or differences.empty:
            continue
        write = Writer(results)
        last = differences.loc[differences["time"] == differences["time"].max()]
        arms = rows.loc[(rows["quantity"] == "proportion") & (rows["time"] == differences["time"].max())]
        of = {row["arm"]: row for _, row in arms.iterrows()}
        found = {row["contrast"]: (write.pair(row["contrast"]), row) for _, row in last.iterrows()}
        return [
            Compared(of[active], of[reference], row)
            for (active, reference), row in (found[name] for name in write.contrasts if name in found)
        ]
    return []


def _in_order(results: Results) -> list[tuple[str, dict[str, object]]]:
    """Return analyses with their records in the order of their rows."""
    present = [str(name) for name in pd.unique(results.frame["analysis"])]
    return [(name, dict(results.records.get(name, {}))) for name in present]


def answer(results: Results, *, lang: str = "en") -> list[str]:
    """Return what was found in one sentence per contrast, and how many outcomes were unknown.

    Without rates, the first difference that can be shown is said, before ratios and tests and at the
    longest month; without any, that nothing can be.
    """
    write = Writer(results, lang)
    found = compared(results)
    if found:
        return [_rates(write, rows) for rows in found] + _unknown(write, found[0].difference)
    main = results.main.frame
    shown = main.loc[(main["contrast"] != "") & main["status"].isin(["ok", "warned"])]
    if len(shown):
        is_difference = shown["quantity"].str.endswith("_difference")
        told = shown.loc[is_difference] if is_difference.any() else shown
        latest = told.sort_values("time", ascending=False, kind="stable", na_position="last")
        return [sentence(latest.iloc[0], results, lang=lang)]
    return [write.say("answer.hidden")]


def _digits(rows: Compared) -> int:
    """Return how many decimals the sentence needs for its difference to be that of its percentages.

    None if the rounded numbers add up, else one: 44% and 25% are not 20 points apart, 44.3% and 24.7%
    are 19.6.
    """
    active, reference, difference = (round(100 * float(row["estimate"])) for row in rows)
    return 0 if active - reference == difference else 1


def _rates(write: Writer, rows: Compared) -> str:
    lang, digits = write.lang, _digits(rows)
    share = {
        f"{name}_{side}": said
        for side, row in (("active", rows.active), ("reference", rows.reference))
        for name, said in (
            ("x", write.number(row["n_event"])),
            ("n", write.number(row["n"])),
            ("p", words.percentage(row["estimate"], lang, digits=digits)),
        )
    }
    low, value, high = (float(rows.difference[name]) for name in ("conf_low", "estimate", "conf_high"))
    if value < 0:
        low, value, high = -high, -value, -low
    fields = {
        **share,
        "active": write.arm(rows.active["arm"]),
        "reference": write.arm(rows.reference["arm"]),
        "points": words.number(100 * value, lang, digits=digits),
        "level": words.percentage(rows.difference["conf_level"], lang),
        "interval": words.interval(low, high, lang, digits=digits, scale=100),
    }
    direction = "fewer" if rows.difference["estimate"] < 0 else "more"
    points = write.say(
        f"answer.{direction}", points=fields["points"], level=fields["level"], interval=fields["interval"]
    )
    described = write.results.endpoints.get(rows.difference["endpoint"], {})
    if described.get("name") == "ever_employed":
        months = words.number(rows.difference["time"], lang, digits=0)
        return write.say("answer.found_work", **fields, months=months, difference=points)
    outcome = label(described, lang) if described else write.outcome(rows.difference["endpoint"])
    return write.say(
        "answer.general", **fields, outcome=outcome, when=when(rows.difference, lang), difference=points
    )


def _unknown(write: Writer, difference: pd.Series) -> list[str]:
    """Return how many outcomes were unknown and how they were counted; nothing where none was."""
    rule = write.named("setting", part_of(difference["setting"], "missing"))
    people = write.number(difference["n"])
    if pd.isna(difference["n_missing"]):
        return [write.say("answer.not_shown_unknown", n=people, rule=rule)]
    if not difference["n_missing"]:
        return [write.say("answer.none_unknown", n=people)]
    return [write.say("answer.unknown", n_missing=write.number(difference["n_missing"]), n=people, rule=rule)]
