"""Rules about the people randomised: each once, in one arm, followed from randomisation onwards."""

from __future__ import annotations

import pandas as pd

from ipseval.errors import Problem
from ipseval.loading.messages import found
from ipseval.loading.tables import Tables


def one_row_each(tables: Tables) -> list[Problem]:
    """Each person once; rows that repeat another in full, or differ, or put a person in two arms."""
    people = tables.people
    by_person = people.dropna(subset=["participant_id"]).groupby("participant_id")
    arms = people["participant_id"].map(by_person["arm"].nunique()).fillna(0)
    in_two_arms = arms > 1
    repeated = repeats(people, ["participant_id"]) & ~in_two_arms
    problems = found(
        people,
        in_two_arms,
        table="participants",
        column="arm",
        rule="person_in_two_arms",
        message="{n} of {total} <row|rows> [is|are] of a person who is in two arms.",
        remedy="Find out which arm was randomised, or quarantine person_in_two_arms to set all of "
        "the person's rows aside.",
    )
    return problems + found(
        people,
        repeated,
        table="participants",
        column="participant_id",
        rule="duplicate_person",
        message="{n} of {total} <row|rows> [is|are] of a person who has a row already.",
        remedy="Keep one row per person; if two people share an id, give them different ones.",
    )


def repeats(frame: pd.DataFrame, key: list[str]) -> pd.Series:
    """Mark the rows whose key occurs again: later ones if the rows are equal, else all of them."""
    differing = frame.drop_duplicates()
    differing = differing[differing.duplicated(key, keep=False) & differing[key[0]].notna()]
    clashing = pd.MultiIndex.from_frame(frame[key]).isin(pd.MultiIndex.from_frame(differing[key]))
    again = frame.duplicated(keep="first") & frame.duplicated(key, keep=False) & frame[key[0]].notna()
    return again | pd.Series(clashing, index=frame.index)


def followed_from_randomisation(tables: Tables) -> list[Problem]:
    """Follow-up does not end before it begins."""
    people = tables.people
    return found(
        people,
        people["followed_until"] < people["randomised_on"],
        table="participants",
        column="followed_until",
        rule="followed_until_before_randomised",
        message="{n} of {total} <person|people> [is|are] followed until a day before randomisation.",
        remedy="Correct one of the two dates; someone never followed is followed until randomised_on.",
    )


def each_arm_has_people(tables: Tables) -> list[Problem]:
    """An arm without people leaves nothing to compare; unread codes are reported elsewhere."""
    arms = tables.people["arm"]
    return [
        Problem(
            "error",
            "participants",
            "arm",
            "arm_empty",
            f"Nobody is in the arm {arm!r}.",
            "Check the codes of the arms under [tables.participants.codes.arm].",
        )
        for arm in tables.design.arms
        if len(arms) and not arms.isna().any() and not (arms == arm).any()
    ]


def no_person_is_called_an_arm(tables: Tables) -> list[Problem]:
    """A pseudonym that is the name of an arm would stand in every public file."""
    people, design = tables.people, tables.design
    of_labels = {word for text in design.arm_labels.values() for word in text.split() if not word.isdecimal()}
    names = of_labels.union(design.arms)
    return found(
        people,
        people["participant_id"].isin(sorted(names)),
        table="participants",
        column="participant_id",
        rule="person_called_an_arm",
        message="{n} of {total} <person|people> [has|have] an id that is the name of an arm, or a word "
        "of its label.",
        remedy="Give another pseudonym: results name the arms, and would seem to name a person.",
    )


def completed_in_full(tables: Tables) -> list[Problem]:
    """Those who completed were followed to the planned end, within the tolerance."""
    people, design = tables.people, tables.design
    needed = design.horizon_day(design.follow_up_months) - 1 - design.tolerance_days
    followed = (people["followed_until"] - people["randomised_on"]).dt.days
    return found(
        people,
        (people["end_reason"] == "completed") & (followed >= 0) & (followed < needed),
        table="participants",
        column="followed_until",
        rule="completed_short",
        severity="notice",
        message="{n} of {total} <person|people> completed follow-up, yet [was|were] followed short of the "
        f"planned {design.follow_up_months} months by more than {design.tolerance_days} days.",
        remedy="The date given is what counts; widen tolerance_days only if that is the protocol.",
    )


def inside_the_data_cut(tables: Tables) -> list[Problem]:
    """Nobody is followed past the day on which the data were frozen."""
    people, cut = tables.people, tables.design.data_cut
    if cut is None:
        return []
    return found(
        people,
        people["followed_until"] > pd.Timestamp(cut),
        table="participants",
        column="followed_until",
        rule="followed_after_data_cut",
        severity="notice",
        message="{n} of {total} <person|people> [is|are] followed past the data cut of "
        + f"{cut.isoformat()}.",
        remedy="Correct followed_until, or data_cut.",
    )


def sites_and_end_reasons(tables: Tables) -> list[Problem]:
    """Say what the table of participants cannot tell: one site, no reasons for the end of follow-up."""
    people = tables.frames["participants"]
    problems = []
    if "site" in people and len(people["site"].dropna().unique()) == 1:
        message = "Everybody is at one site; nothing can be stratified by site."
        problems.append(Problem("notice", "participants", "site", "one_site", message))
    if "end_reason" not in people:
        message = "There is no end_reason: nobody counts as having completed follow-up or died."
        problems.append(Problem("notice", "participants", "end_reason", "no_end_reason", message))
    if not {"jobs", "visits", "months"} & (set(tables.frames) | tables.unread):
        message = "There is no table of jobs, visits or months: no outcome can be computed."
        problems.append(Problem("notice", "participants", "", "no_outcomes", message))
    return problems
