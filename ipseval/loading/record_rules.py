"""Rules about records of people: jobs, visits and other tables beside each person's follow-up."""

from __future__ import annotations

import pandas as pd

from ipseval import schema
from ipseval.errors import Problem
from ipseval.loading.messages import found
from ipseval.loading.person_rules import repeats
from ipseval.loading.tables import Tables

_KEEP_ONE = "Keep one row of each, or quarantine {rule} to set them aside: repeats of an equal row, "
_KEEP_ONE += "all rows where they differ."


def person_was_randomised(tables: Tables) -> list[Problem]:
    """Every record is of somebody randomised."""
    problems = []
    for name, frame in tables.records.items():
        problems += found(
            frame,
            ~tables.is_known(frame) & frame["participant_id"].notna(),
            table=name,
            column="participant_id",
            rule="unknown_person",
            message=f"{{n}} of {{total}} <row|rows> of {name} [is|are] of a person who is not among the "
            "participants.",
            remedy="Compare how ids are written in the two files (leading zeros, case, spaces).",
        )
    return problems


def one_row_per_key(tables: Tables) -> list[Problem]:
    """One row per person and month, site and review, ... where the data dictionary says so."""
    problems = []
    for name, frame in tables.frames.items():
        key = [column for column in schema.table(name).key if column in frame]
        if name != "participants" and key:
            problems += found(
                frame,
                repeats(frame, key),
                table=name,
                column=", ".join(key),
                rule="duplicate_key",
                message=f"{{n}} of {{total}} <row|rows> [repeats|repeat] another row's {' and '.join(key)}.",
                remedy=_KEEP_ONE.format(rule="duplicate_key"),
            )
        elif name != "participants":
            problems += found(
                frame,
                frame.duplicated(),
                table=name,
                column="",
                rule="duplicate_rows",
                severity="notice",
                message="{n} of {total} <row|rows> [repeats|repeat] another row in every column, and "
                "[is|are] kept: days count once, but hours, earnings and amounts count again.",
                remedy="If they are copies, quarantine duplicate_rows.",
            )
    return problems


def periods_in_order(tables: Tables) -> list[Problem]:
    """What ends does not end before it starts."""
    problems = []
    for name, start, end in (
        ("jobs", "started_on", "ended_on"),
        ("coverage", "covered_from", "covered_until"),
    ):
        frame = tables.frames.get(name)
        if frame is None or not {start, end} <= set(frame):
            continue
        problems += found(
            frame,
            frame[end] < frame[start],
            table=name,
            column=end,
            rule="ends_before_start",
            message=f"{{n}} of {{total}} <row|rows> of {name} [ends before it starts|end before they start].",
            remedy="Correct one of the two dates in the source.",
        )
    return problems


def jobs_and_follow_up(tables: Tables) -> list[Problem]:
    """Jobs lie in a person's life; what lies outside follow-up is counted and clipped later."""
    jobs = tables.frames.get("jobs")
    if jobs is None or not {"participant_id", "started_on"} <= set(jobs):
        return []
    person = tables.follow_up(jobs)
    start = jobs["started_on"]
    end = jobs["ended_on"] if "ended_on" in jobs else pd.Series(pd.NaT, index=jobs.index, dtype=start.dtype)
    died = (person["end_reason"] == "died").fillna(False).astype("bool")
    after, before = start > person["followed_until"], end < person["randomised_on"]
    under_way = (start < person["randomised_on"]) & ~before
    problems = found(
        jobs,
        after & died,
        table="jobs",
        column="started_on",
        rule="job_after_death",
        message="{n} of {total} <job|jobs> [starts|start] after the person died.",
        remedy="Correct the date of the job or of the death, or quarantine job_after_death.",
    )
    for rule, mask, message in (
        (
            "job_after_follow_up",
            after & ~died,
            "[starts|start] after the person's follow-up and [does|do] not count.",
        ),
        ("job_before_randomisation", before, "ended before randomisation and [does|do] not count."),
        (
            "job_under_way",
            under_way,
            "[was|were] under way at randomisation and [is|are] not new; competitive ones count for days "
            "and hours.",
        ),
        (
            "job_past_death",
            (end > person["followed_until"]) & died & ~after,
            "[ends|end] after the person died.",
        ),
    ):
        column = "ended_on" if rule == "job_past_death" else "started_on"
        text = "{n} of {total} <job|jobs> " + message
        problems += found(jobs, mask, table="jobs", column=column, rule=rule, severity="notice", message=text)
    return problems


def hours_known(tables: Tables) -> list[Problem]:
    """Count the jobs without hours: they are missing, never zero."""
    jobs = tables.frames.get("jobs")
    if jobs is None or "hours_per_week" not in jobs:
        return []
    return found(
        jobs,
        jobs["hours_per_week"].isna(),
        table="jobs",
        column="hours_per_week",
        rule="blank_hours",
        severity="notice",
        message="{n} of {total} <job|jobs> [has|have] no hours; hours worked are unknown there, not zero.",
    )


def somebody_worked(tables: Tables) -> list[Problem]:
    """Say when no arm has a single new competitive job, or no visit finds anybody employed."""
    jobs, visits = tables.frames.get("jobs"), tables.frames.get("visits")
    problems = []
    if jobs is not None and len(jobs) and {"participant_id", "started_on", "kind"} <= set(jobs):
        person = tables.follow_up(jobs)
        outside = (jobs["started_on"] < person["randomised_on"]) | (
            jobs["started_on"] > person["followed_until"]
        )
        other = ~jobs["kind"].isin(tables.design.competitive) & jobs["kind"].notna()
        if (outside | other).all():  # a job without a date or kind may be one
            message = "Nobody in any arm started a competitive job during follow-up."
            remedy = "If that is not so, check the codes of kind, and competitive under [design]."
            problems.append(Problem("notice", "jobs", "kind", "nobody_employed", message, remedy))
    if visits is not None and "employed" in visits and not visits["employed"].fillna(False).any():
        message = "No visit records anybody as employed."
        remedy = "If that is not so, check the codes of employed."
        problems.append(Problem("notice", "visits", "employed", "nobody_employed", message, remedy))
    return problems


def visits_took_place(tables: Tables) -> list[Problem]:
    """What a visit recorded has a date, and the person was alive."""
    visits = tables.frames.get("visits")
    if visits is None or not {"participant_id", "visit_month", "visited_on"} <= set(visits):
        return []
    person, day = tables.follow_up(visits), visits["visited_on"]
    died = (person["end_reason"] == "died").fillna(False).astype("bool")
    recorded = visits.drop(columns=["participant_id", "visit_month", "visited_on"]).notna().any(axis=1)
    after, early = day > person["followed_until"], day < person["randomised_on"]
    later_month = (visits["visit_month"] > 0).fillna(False).astype("bool")
    problems = found(
        visits,
        recorded & day.isna(),
        table="visits",
        column="visited_on",
        rule="visit_without_date",
        message="{n} of {total} <visit|visits> [has|have] a result but no date; a blank date says that no "
        "visit took place.",
        remedy="Complete visited_on, or blank the result.",
    )
    problems += found(
        visits,
        after & died,
        table="visits",
        column="visited_on",
        rule="visit_after_death",
        message="{n} of {total} <visit|visits> took place after the person died.",
        remedy="Correct the date of the visit or of the death.",
    )
    return problems + found(
        visits,
        (after & ~died) | (early & later_month),
        table="visits",
        column="visited_on",
        rule="visit_outside_follow_up",
        severity="notice",
        message="{n} of {total} <visit|visits> took place outside the person's follow-up.",
    )


def visits_planned(tables: Tables) -> list[Problem]:
    """Count the people without visits, and the visits at months that the design does not plan."""
    visits, people = tables.frames.get("visits"), tables.people
    if visits is None or not {"participant_id", "visit_month"} <= set(visits):
        return []
    problems = found(
        people,
        ~people["participant_id"].isin(visits["participant_id"]),
        table="visits",
        column="participant_id",
        rule="no_visits",
        severity="notice",
        message="{n} of {total} <person|people> [has|have] no visit.",
    )
    planned = (0, *tables.design.assessment_months)
    if len(planned) > 1:
        problems += found(
            visits,
            ~visits["visit_month"].isin(planned) & visits["visit_month"].notna(),
            table="visits",
            column="visit_month",
            rule="unplanned_month",
            severity="notice",
            message="{n} of {total} <visit|visits> [is|are] at a month outside assessment_months.",
        )
    return problems


def sites_known(tables: Tables) -> list[Problem]:
    """A fidelity review is of a site at which people were randomised."""
    reviews, people = tables.frames.get("fidelity"), tables.people
    if reviews is None or "site" not in people or "site" not in reviews:
        return []
    sites = set(people["site"].dropna())
    return found(
        reviews,
        ~reviews["site"].isin(sites) & reviews["site"].notna(),
        table="fidelity",
        column="site",
        rule="unknown_site",
        message="{n} of {total} <review|reviews> [is|are] of a site at which nobody was randomised.",
        remedy="Compare how sites are written in the two files, or map [tables.fidelity.codes.site].",
    )
