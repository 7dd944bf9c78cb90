"""The design that ``trial.toml`` states: the arms, the reference among them, and the follow-up planned."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ipseval import schema
from ipseval.errors import Problem
from ipseval.loading.messages import did_you_mean
from ipseval.loading.section import Section
from ipseval.months import MONTH_RULES
from ipseval.trial import MISSING_RULES, Design

_CALENDAR_MONTHS = Problem(
    "notice",
    "trial.toml",
    "design.month",
    "calendar_months",
    "Months are January, February, ..., the same dates for everyone.",
    'For months since each person\'s randomisation write month = "anniversary".',
)

_MAP_ARMS = "Map the code of the source to that name under [tables.participants.codes.arm]."


def design_of(
    section: Section, labels: Section, *, currency: str, columns: Collection[str]
) -> tuple[tuple[str, ...], Design | None]:
    """Return the arms, and the design or None when they or the planned follow-up are not known.

    ``columns`` are those of the participants, among which the strata must be.
    """
    arms, reference = section.texts("arms"), section.text("reference")
    follow_up = section.whole("follow_up_months")
    if follow_up == 0:
        remedy = "Write the months that were planned from randomisation, 30, say."
        section.complain("follow_up_months", "no_follow_up", "Follow-up of 0 months has no outcomes.", remedy)
    tolerance = section.whole("tolerance_days")
    competitive = section.texts("competitive") or ("competitive",)
    for kind in competitive:
        if kind not in schema.JOB_KINDS:
            remedy = did_you_mean(kind, schema.JOB_KINDS)
            section.complain("competitive", "unknown_option", f"{kind!r} is not a kind of job.", remedy)
    missing_outcomes = section.text("missing_outcomes", options=MISSING_RULES)
    month = section.text("month", "anniversary", MONTH_RULES)
    if month == "calendar":
        section.problems.append(_CALENDAR_MONTHS)
    allocation = _of_arms(section.section("allocation"), arms)
    freeze = section.section("freeze_dates")
    months = section.texts("assessment_months")
    design: dict[str, Any] = {
        "strata": section.texts("strata"),
        "randomisation": section.text("randomisation"),
        "data_cut": section.day("data_cut"),
        "freeze_dates": {key: day for key in freeze.keys if (day := freeze.day(key))},
        "allocation": {arm: share for arm in allocation.keys if (share := allocation.number(arm))},
        "assessment_months": tuple(int(month) for month in months if month.isdecimal()),
    }
    if len(design["assessment_months"]) < len(months):
        section.complain("assessment_months", "wrong_type", "Not every month is a whole number.")
    _check_names_of_arms(section, arms)
    arm_labels = _of_arms(labels, arms)
    design["arm_labels"] = {arm: text for arm in arm_labels.keys if (text := arm_labels.text(arm))}
    for arm, text in design["arm_labels"].items():
        if not text.isprintable():
            arm_labels.complain(
                arm,
                "not_one_line",
                f"The label {text!r} holds a line break or another character that cannot be printed.",
                "Write it on one line; figures break long labels themselves.",
            )
    for name in design["strata"]:
        if name not in columns:
            remedy = did_you_mean(name, columns)
            section.complain("strata", "unknown_column", f"The stratum {name!r} is no column.", remedy)
    section.close()
    if not _arms_are_known(section, arms, reference) or follow_up is None:
        if "follow_up_months" not in section:
            section.complain(
                "follow_up_months",
                "follow_up_not_stated",
                "The planned follow-up is not stated.",
                "Write follow_up_months = 30, say.",
            )
        return tuple(dict.fromkeys(arms)) if len(set(arms)) > 1 else (), None
    ordered = (reference, *(arm for arm in arms if arm != reference))
    return ordered, Design(
        ordered,
        follow_up_months=follow_up,
        tolerance_days=14 if tolerance is None else tolerance,
        month=month,
        competitive=competitive,
        missing_outcomes=missing_outcomes,
        currency=currency,
        **design,
    )


def _arms_are_known(section: Section, arms: tuple[str, ...], reference: str) -> bool:
    if len(set(arms)) < 2 or len(set(arms)) < len(arms):
        section.complain(
            "arms",
            "arms_not_declared",
            f"{len(set(arms))} different arms are declared in a list of {len(arms)}; two or more are needed.",
            'Write arms = ["IPS", "usual"], each once.',
        )
        return False
    if not reference:
        options = " or ".join(f'reference = "{arm}"' for arm in arms)
        section.complain(
            "reference",
            "reference_not_named",
            "The reference arm (the control) is not named, and it is never guessed.",
            f"Write {options}.",
        )
        return False
    if reference not in arms:
        section.complain(
            "reference",
            "reference_not_named",
            f"The reference arm {reference!r} is not among the arms.",
            did_you_mean(reference, arms),
        )
        return False
    return True


def _check_names_of_arms(section: Section, arms: tuple[str, ...]) -> None:
    """Refuse names of arms that results could not write in one line, or that would pass for a contrast."""
    for arm in arms:
        if not arm.isprintable() or not arm.strip():
            section.complain(
                "arms",
                "not_one_line",
                f"The arm {arm!r} is blank, or holds a character that cannot be printed: a line break, say.",
                f"Name it in one line. {_MAP_ARMS}",
            )
        elif " - " in arm:
            section.complain(
                "arms",
                "reads_as_contrast",
                f'The arm {arm!r} holds " - ", which stands between the two arms of every contrast.',
                f"Write {arm.replace(' - ', '-')!r}, say. {_MAP_ARMS}",
            )


def _of_arms(section: Section, arms: tuple[str, ...]) -> Section:
    """Return the section after checking that every key of it is an arm."""
    for key in section.keys:
        if arms and key not in arms:
            section.complain(key, "undeclared_arm", f"{key!r} is not an arm.", did_you_mean(key, arms))
    return section
