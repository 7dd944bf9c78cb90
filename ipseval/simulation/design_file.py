"""From a design file (TOML) to a SimulationDesign; every section checked, unknown keys refused."""

from __future__ import annotations

import tomllib
from pathlib import Path

from ipseval import schema
from ipseval.errors import PlanError
from ipseval.simulation import design as parts
from ipseval.simulation.section import Section
from ipseval.trial import MISSING_RULES

_COVARIATE_TYPES = ("number", "category", "boolean")
_LEFT = tuple(reason for reason in schema.END_REASONS if reason not in ("completed", "died"))


def read_design(path: str | Path) -> parts.SimulationDesign:
    """Read the design of a simulated trial.

    Parameters
    ----------
    path : str or Path
        A TOML file such as ``data/synthetic/scion/design.toml``, whose comments document every key.

    Returns
    -------
    SimulationDesign

    Raises
    ------
    PlanError
        If the file is not there or not TOML, a key is unknown (the nearest known one is named),
        missing or of the wrong type, or the parts contradict each other.

    Examples
    --------
    >>> design = read_design("data/synthetic/scion/design.toml")
    >>> design.n("IPS"), design.n("usual")
    (70, 81)
    """
    path = Path(path)
    if not path.is_file():
        raise PlanError(f"There is no design file {path.name!r}. Pass the path of a design.toml.")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise PlanError(f"{path.name} is not a TOML file: {fault}. Correct that place.") from None
    return _design(Section(content))


def _design(file: Section) -> parts.SimulationDesign:
    study, trial = file.section("study"), file.section("trial")
    labels = trial.section("arms")
    arms = {arm: labels.text(arm) for arm in labels.keys}
    reference = trial.text("reference")
    if reference not in arms or len(arms) < 2:
        raise PlanError(
            f"trial.reference = {reference!r} is not among {len(arms)} arms. Name two or more arms."
        )
    months = trial.wholes("assessment_months")
    rule = trial.text("missing_outcomes")
    if rule not in MISSING_RULES:
        raise PlanError(f"trial.missing_outcomes = {rule!r}. Choose one of {', '.join(MISSING_RULES)}.")
    frailty = _frailty(file.section("frailty"))
    classes = len(frailty.first_job)
    sites = _sites(file.section("sites"), arms)
    service = _service(file.section("service"), arms)
    result = parts.SimulationDesign(
        seed=file.whole("seed"),
        name=study.text("name"),
        title=study.text("title"),
        currency=study.text("currency"),
        id_prefix=study.text("id_prefix"),
        arms=arms,
        reference=reference,
        months=months,
        tolerance_days=trial.whole("tolerance_days"),
        missing_outcomes=rule,
        data_cut=trial.day("data_cut"),
        sites=sites,
        recruitment=_recruitment(file.section("recruitment"), sites),
        frailty=frailty,
        covariates=_covariates(file.section("covariates", optional=True)),
        service=service,
        first_job=_first_job(file.section("first_job"), service, sites, arms),
        jobs=_jobs(file.section("jobs"), arms),
        leaving=_leaving(file.section("leaving"), arms),
        visits=_visits(file.section("visits")),
        scores=_scores(file.section("scores", optional=True), arms, months, classes),
        admissions=_admissions(file.section("admissions"), arms) if "admissions" in file else None,
        card=_card(file.section("card")),
    )
    for section in (study, trial, file):
        section.close()
    return result


def _sites(file: Section, arms: dict[str, str]) -> tuple[parts.Site, ...]:
    sites = []
    for name in file.keys:
        section = file.section(name)
        counts = section.per("n", arms)
        n = {arm: counts.whole(arm) for arm in arms}
        sites.append(parts.Site(name, n, section.multiplier("first_job", 1), section.multiplier("wage", 1)))
        section.close()
    if not sites:
        raise PlanError("sites is empty. Write at least one [sites.NAME] with n per arm.")
    return tuple(sites)


def _recruitment(file: Section, sites: tuple[parts.Site, ...]) -> parts.Recruitment:
    found = parts.Recruitment(file.day("starts_on"), file.day("ends_on"), file.whole("block", low=2))
    file.close()
    if found.ends_on < found.starts_on:
        raise PlanError("recruitment.ends_on is before recruitment.starts_on. Exchange them.")
    for site in sites:
        per_block, odd = divmod(found.block, len(site.n))
        over = max(site.n.values()) - min(site.n.values())
        full = min(site.n.values()) // per_block
        fits = all(n - full * per_block <= per_block for n in site.n.values())
        if odd or not fits:
            raise PlanError(
                f"sites.{site.name}: arms differ by {over}, which blocks of {found.block} cannot give "
                f"(only the last block is cut short). Change n or recruitment.block."
            )
    return found


def _frailty(file: Section) -> parts.Frailty:
    weights = file.weights("weights")
    length = len(weights.codes)
    found = parts.Frailty(
        weights,
        *(file.numbers(key, length, 1.0) for key in ("first_job", "tenure", "leaving", "admissions")),
    )
    file.close()
    return found


def _covariates(file: Section) -> tuple[parts.Covariate, ...]:
    found = []
    for name in _new_names(file, "participants"):
        section = file.section(name)
        kind = section.text("type")
        if kind not in _COVARIATE_TYPES:
            raise PlanError(
                f"{section.place('type')} = {kind!r}. Choose one of {', '.join(_COVARIATE_TYPES)}."
            )
        codes = None
        if kind != "number":
            codes = section.weights("codes", ("true", "false") if kind == "boolean" else ())
        effects = section.per("first_job", codes.codes if codes else (), optional=True)
        labels = section.per("labels", codes.codes if codes else (), optional=True)
        found.append(
            parts.Covariate(
                name=name,
                type=kind,
                label=section.text("label"),
                unit=section.text("unit", ""),
                labels={code: labels.text(code) for code in labels.keys},
                quantiles=section.quantiles("quantiles") if kind == "number" else None,
                codes=codes,
                first_job={code: effects.multiplier(code) for code in effects.keys},
                missing=section.chance("missing", 0),
            )
        )
        section.close()
    return tuple(found)


def _service(file: Section, arms: dict[str, str]) -> parts.Service:
    received = file.per("received", arms)
    found = parts.Service(
        {arm: received.weights(arm, (*arms, "none")) for arm in arms}, file.quantiles("started_after_days")
    )
    file.close()
    return found


def _first_job(
    file: Section, service: parts.Service, sites: tuple[parts.Site, ...], arms: dict[str, str]
) -> parts.FirstJob:
    services = dict.fromkeys(code for arm in arms for code in service.received[arm].codes)
    hazards = file.hazards("per_month", services)
    forced: dict[str, int] = {}
    if "force_counts" in file:
        counts = file.per("force_counts", arms)
        forced = {arm: counts.whole(arm) for arm in arms}
    for arm, count in forced.items():
        n = sum(site.n[arm] for site in sites)
        if count > n:
            raise PlanError(
                f"first_job.force_counts.{arm} = {count}, but {n} are randomised to it. Lower it."
            )
    file.close()
    return parts.FirstJob(hazards, forced)


def _jobs(file: Section, arms: dict[str, str]) -> parts.Jobs:
    kinds = file.per("kinds", schema.JOB_KINDS, optional=True)
    found = {}
    for kind in kinds.keys:
        section = kinds.section(kind)
        wage = section.quantiles("wage_per_hour") if "wage_per_hour" in section else None
        found[kind] = parts.JobKind(section.quantiles("hours_per_week"), wage)
        section.close()
    if "competitive" not in found:
        raise PlanError("jobs.kinds.competitive is missing. Write its hours_per_week and wage_per_hour.")
    tenure = file.per("tenure_days", arms)
    result = parts.Jobs(
        kinds=found,
        sectors=file.weights("sectors"),
        tenure_days={arm: tenure.quantiles(arm) for arm in arms},
        gap_days=file.quantiles("gap_days"),
        second_job=file.chance("second_job"),
        under_way=file.weights("under_way", ("none", *found)),
        under_way_since_days=file.quantiles("under_way_since_days"),
        under_way_remaining_days=file.quantiles("under_way_remaining_days"),
        other_per_month=file.hazards("other_per_month", arms),
        other_kinds=file.weights("other_kinds", [kind for kind in found if kind != "competitive"]),
        other_tenure_days=file.quantiles("other_tenure_days"),
        missing_hours=file.chance("missing_hours"),
        missing_wage=file.chance("missing_wage"),
        missing_sector=file.chance("missing_sector"),
    )
    file.close()
    return result


def _leaving(file: Section, arms: dict[str, str]) -> parts.Leaving:
    reasons = file.per("reasons", arms)
    found = parts.Leaving(
        file.hazards("per_month", arms),
        {arm: reasons.weights(arm, _LEFT) for arm in arms},
        file.hazard("death_per_month"),
    )
    file.close()
    return found


def _visits(file: Section) -> parts.Visits:
    chances = (file.chance(key) for key in ("missed", "missing_employed", "missing_scores"))
    found = parts.Visits(file.quantiles("late_days"), *chances)
    file.close()
    return found


def _scores(
    file: Section, arms: dict[str, str], months: tuple[int, ...], classes: int
) -> tuple[parts.Score, ...]:
    found = []
    for name in _new_names(file, "visits"):
        section = file.section(name)
        change = section.per("change", [str(month) for month in months])
        effect = section.per("arm_effect", arms)
        score = parts.Score(
            name=name,
            label=section.text("label"),
            higher_is=section.text("higher_is"),
            low=section.number("low"),
            high=section.number("high"),
            decimals=section.whole("decimals"),
            step=section.whole("step", low=1),
            person=section.quantiles("person"),
            frailty=section.numbers("frailty", classes, 0.0),
            change={month: change.number(str(month)) for month in months},
            arm_effect={arm: effect.number(arm) for arm in arms},
            working_effect=section.number("working_effect"),
            noise=section.quantiles("noise"),
        )
        section.close()
        found.append(score)
    return tuple(found)


def _new_names(file: Section, table: str) -> tuple[str, ...]:
    """Return the names declared in a section; refuse those of columns that the table has anyway."""
    taken = [name for name in file.keys if name in schema.table(table).names]
    if taken:
        raise PlanError(f"{file.place(taken[0])}: {table} has a column of that name already. Choose another.")
    return file.keys


def _admissions(file: Section, arms: dict[str, str]) -> parts.Admissions:
    found = parts.Admissions(file.hazards("per_month", arms), file.quantiles("days"))
    file.close()
    return found


def _card(file: Section) -> parts.Card:
    found = parts.Card(
        file.text("about"), file.texts("matched"), file.text("source"), file.text("unverified")
    )
    file.close()
    return found
