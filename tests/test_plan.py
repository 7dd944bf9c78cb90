"""A plan: all its faults at once, its prose, and a fingerprint of what it means."""

from __future__ import annotations

from pathlib import Path

import pytest

from ipseval.errors import PlanError
from ipseval.plan import Plan, read_plan
from ipseval.results.vocabulary import FIGURES
from tests.estimate.alpha import alpha

GOOD = """
title = "Main analysis"
registration = "NTR0000"
hypotheses = ["More people find work."]

[endpoint.first_job]
is = "ever_employed"
by = [18, 30]

[endpoint.time]
is = "time_to_first_job"

[analysis.primary]
estimator = "rates"
endpoint = "first_job"
summary = "difference in proportions"
missing = "as_not_employed"

[analysis.people]
estimator = "describe"

[display.figure_1]
figure = "rates"
analysis = "primary"

[disclosure]
minimum = 10
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "plan.toml"
    file.write_text(text, encoding="utf-8")
    return file


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(PlanError) as caught:
        read_plan(written(folder, text))
    return str(caught.value)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return read_plan(written(tmp_path, GOOD))


def test_a_good_plan_is_read(plan: Plan) -> None:
    assert [analysis.name for analysis in plan.analyses] == ["primary", "people"]
    assert plan.endpoints["first_job"].months == (18.0, 30.0)
    assert plan.analyses[0].arguments == {"missing": "as_not_employed"}
    assert plan.policy.minimum == 10
    assert plan.hypotheses == ("More people find work.",)


def test_it_says_itself_in_prose(plan: Plan) -> None:
    said = plan.say(alpha().design)
    for part in (
        "Main analysis",
        "Hypothesis: More people find work.",
        "1. primary (rates)",
        "Population: everyone randomised.",
        "Treatments: IPS against usual.",
        "Endpoint first_job:",
        "Summary: difference in proportions.",
        "Settings: missing = as_not_employed.",
        "Settings: the defaults.",
        "No number of people below 10 is shown",
        plan.fingerprint[:16],
    ):
        assert part in said


# text to replace, replacement, what is said
FAULTS = [
    ('title = "Main analysis"', "title = 3", "title = 3 is not a text"),
    (
        'title = "Main',
        'titel = "x"\ntitle = "Main',
        "the plan has an unknown entry 'titel'. Did you mean 'title'?",
    ),
    ('["More people find work."]', '"More people"', "hypotheses = 'More people' is not a list of texts"),
    ('is = "ever_employed"', 'is = "ever_employd"', "not 'ever_employd'. Did you mean 'ever_employed'?"),
    ("by = [18, 30]", "bye = 18", "[endpoint.first_job] has an unknown entry 'bye'. Did you mean 'by'?"),
    ("by = [18, 30]", "by = [18, 18]", "[endpoint.first_job]: by=[18, 18] is not a month"),
    (
        'estimator = "rates"',
        'estimator = "rate"',
        "[analysis.primary] needs an estimator, not 'rate'. Did you mean 'rates'?",
    ),
    (
        'endpoint = "first_job"',
        'endpoint = "first_jb"',
        "which the plan does not define. Did you mean 'first_job'?",
    ),
    ('endpoint = "first_job"', 'endpoint = "time"', "'time' is a time outcome, and rates takes binary"),
    ('estimator = "describe"', 'estimator = "describe"\nendpoint = "time"', "describe takes no endpoint"),
    ("missing = ", "mising = ", "[analysis.primary] has an unknown entry 'mising'. Did you mean 'missing'?"),
    (
        'missing = "as_not_employed"',
        'missing = "imputed"',
        "[analysis.primary]: missing='imputed' is not an option",
    ),
    (
        'missing = "as_not_employed"',
        "conf_level = 95",
        "[analysis.primary]: conf_level=95 is not between 0 and 1",
    ),
    ('figure = "rates"', 'figure = "rats"', "the figure 'rats', which does not exist. Did you mean 'rates'?"),
    ('analysis = "primary"', 'analysis = "primry"', "which the plan does not have. Did you mean 'primary'?"),
    ("minimum = 10", "minimum = 0", "[disclosure]: minimum=0 is not a whole number"),
    ("minimum = 10", "minimun = 10", "[disclosure] has an unknown entry 'minimun'. Did you mean 'minimum'?"),
    ("[analysis.people]", "[analysis.published]", "[analysis.published] has a name that is kept"),
    (
        "[display.figure_1]",
        '[display.Figure_1]\nfigure = "rates"\nanalysis = "primary"\n[display.figure_1]',
        "differ in capitals only",
    ),
    ("[display.figure_1]", '[display."../figure"]', "has a name that cannot be a file"),
    ("[display.figure_1]", "[shells]\n[display.figure_1]", "the plan has an unknown entry 'shells'"),
]


@pytest.mark.parametrize(("old", "new", "said"), FAULTS)
def test_a_fault_is_said_with_its_place_and_the_nearest_name(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert old in GOOD
    message = refusal(tmp_path, GOOD.replace(old, new, 1))
    assert said in message
    assert "plan.toml cannot be carried out as written" in message


def test_all_faults_are_said_at_once(tmp_path: Path) -> None:
    text = GOOD
    for old, new, _ in (FAULTS[1], FAULTS[3], FAULTS[6], FAULTS[14], FAULTS[15]):
        text = text.replace(old, new, 1)
    message = refusal(tmp_path, text)
    for *_, said in (FAULTS[1], FAULTS[3], FAULTS[6], FAULTS[14], FAULTS[15]):
        assert said in message
    assert "faults: 5" in message
    assert len(message.splitlines()) == 6


@pytest.mark.parametrize("section", ["endpoint", "analysis", "display", "disclosure"])
def test_a_section_that_is_none_is_a_fault_and_not_a_crash(tmp_path: Path, section: str) -> None:
    assert f"{section} = 3 is not a section" in refusal(tmp_path, f"{section} = 3\n")
    if section != "disclosure":
        assert "is not a section" in refusal(tmp_path, f"[{section}]\nname = 3\n")


def test_a_plan_without_an_analysis_is_none(tmp_path: Path) -> None:
    assert "it has no analysis" in refusal(tmp_path, 'title = "x"\n')


def test_a_file_that_is_not_there_or_is_not_toml(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="There is no plan at"):
        read_plan(tmp_path / "none.toml")
    with pytest.raises(PlanError, match=r"plan.toml is not a TOML file: .*line 1"):
        read_plan(written(tmp_path, "title = = 3"))
    (tmp_path / "plan.toml").write_bytes(b"title = '\xff'")
    with pytest.raises(PlanError, match="is not a TOML file"):
        read_plan(tmp_path / "plan.toml")


def test_the_fingerprint_is_of_the_content_and_not_of_its_layout(tmp_path: Path, plan: Plan) -> None:
    same = "# a comment\n" + GOOD.replace("by = [18, 30]", "by = [ 18,\n 30 ]  # months")
    assert read_plan(written(tmp_path, same)).fingerprint == plan.fingerprint
    with_mark = tmp_path / "bom.toml"
    with_mark.write_text(GOOD, encoding="utf-8-sig")
    assert read_plan(with_mark).fingerprint == plan.fingerprint
    for old, new in (
        ("[18, 30]", "[18, 24]"),
        ("minimum = 10", "minimum = 5"),
        ("Main", "Other"),
        ("difference", "ratio"),
    ):
        assert read_plan(written(tmp_path, GOOD.replace(old, new, 1))).fingerprint != plan.fingerprint


def test_the_figures_a_plan_may_ask_for_are_those_there_are() -> None:
    figures = pytest.importorskip("ipseval.render.figures")
    assert set(FIGURES) == set(figures.FAMILIES)


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        ('is = "score"', "does not say scale. Write scale = ..."),
        ('is = "works_at_least"\nhours = "x"', "hours='x' is not a number of hours above 0"),
        ('is = "works_at_least"\nhours = true', "hours=True is not a number of hours above 0"),
        ('is = "durable_employment"\nmonths = inf', "months=inf is not a whole number of months above 0"),
        ('is = "durable_employment"\ngap_days = [3]', "is not a whole number of days of 0 or more"),
        ('is = "months_with_hours"\nat_least = 1979-05-27', "is not a number of hours above 0"),
    ],
)
def test_a_wrong_value_of_an_endpoint_is_said_in_its_own_words(
    tmp_path: Path, endpoint: str, said: str
) -> None:
    text = f'[endpoint.wrong]\n{endpoint}\n\n[analysis.people]\nestimator = "describe"\n'
    with pytest.raises(PlanError) as refused:
        read_plan(written(tmp_path, text))
    assert said in str(refused.value)
    for of_python in ("argument", "supported between", "cannot convert"):
        assert of_python not in str(refused.value)
