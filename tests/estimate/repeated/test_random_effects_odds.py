"""Random slopes and random sites of a repeated yes or no against glmmTMB (case c10), and what must hold."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from ipseval import endpoints, words
from ipseval.errors import AnalysisError
from ipseval.estimate.repeated.mixed import mixed
from ipseval.estimate.repeated.random_slope_odds import QUANTITIES
from ipseval.examples import example
from ipseval.results import Results
from ipseval.results.models import model_of
from ipseval.trial import Trial
from tests import reference_cases
from tests.estimate.trials import two_arms
from tests.make_trial import make_trial, person, visit

ROOT = Path(__file__).parents[3]
CASE = "c10_glmm_random_effects"
MONTHS = [6, 12, 18, 24, 30]
ENDPOINT = endpoints.employed_at(month=MONTHS, source="visits")
OUTCOMES = {"random_slope": "work", "nested_site": "job"}


@cache
def trial_of(model: str) -> Trial:
    """Return the people of the case with the outcome that a model is about."""
    data = reference_cases.data(CASE)
    people = data.drop_duplicates("id")
    return make_trial(
        [
            person(row.id, arm="IPS" if row.arm else "usual", site=f"S{row.site:02d}")
            for row in people.itertuples()
        ],
        visits=[
            visit(row.id, row.month, employed=bool(getattr(row, OUTCOMES[model])))
            for row in data.itertuples()
        ],
        strata=("site",),
        assessment_months=tuple(MONTHS),
    )


@pytest.fixture(scope="module", params=list(OUTCOMES))
def fitted(request: pytest.FixtureRequest) -> tuple[Results, dict]:
    """By Laplace, as glmmTMB has it, without covariates."""
    model = request.param
    found = mixed(trial_of(model), ENDPOINT, model=model, adjust=[], points=1)
    return found, reference_cases.expected(CASE)[model]["by_month"]


def test_conditional_log_odds_ratios_are_those_of_glmmtmb(fitted: tuple[Results, dict]) -> None:
    found, want = fitted
    for at, month in enumerate(MONTHS):
        row = found.one(quantity="conditional_log_odds_ratio", time=month)
        # Both are at the maximum of the same function; what is left are differences that make the Hessian.
        assert row.estimate == pytest.approx(want["glmmTMB"]["coef"][5 + at], abs=1e-6)
        assert row.std_error == pytest.approx(want["glmmTMB"]["se"][5 + at], abs=1e-6)
        ratio = found.one(quantity="conditional_odds_ratio", time=month)
        assert ratio.std_error == row.std_error
        assert words.text("note.of_logarithm") in ratio.note
        assert np.log([ratio.estimate, ratio.conf_low, ratio.conf_high]) == pytest.approx(
            [row.estimate, row.conf_low, row.conf_high]
        )


def test_population_averages_are_integrals_over_the_random_effects(fitted: tuple[Results, dict]) -> None:
    found, want = fitted[0], fitted[1]["population_averaged"]
    for at, month in enumerate(MONTHS):
        for arm, p, se in (("usual", "p0", "se0"), ("IPS", "p1", "se1")):
            row = found.one(quantity="population_averaged_probability", arm=arm, time=month)
            assert [row.estimate, row.std_error] == pytest.approx([want[p][at], want[se][at]], abs=1e-6)
        row = found.one(quantity="population_averaged_difference", time=month)
        assert row.estimate == pytest.approx(want["p1"][at] - want["p0"][at], abs=1e-6)
        assert row.std_error == pytest.approx(want["se_difference"][at], abs=1e-6)
        row = found.one(quantity="population_averaged_ratio", time=month)
        assert row.estimate == pytest.approx(want["p1"][at] / want["p0"][at], abs=1e-5)


def test_spreads_are_those_of_glmmtmb(fitted: tuple[Results, dict]) -> None:
    found, want = fitted
    sd = want["glmmTMB"]["sd"]
    if "random_slope_sd" in set(found.frame["quantity"]):
        spreads = [found.one(quantity="random_intercept_sd", time=month).estimate for month in MONTHS]
        assert spreads == pytest.approx(want["population_averaged"]["spread"], abs=1e-5)
        assert found.one(quantity="random_slope_sd").estimate == pytest.approx(sd[1], abs=1e-6)
    else:
        rows = [found.one(quantity=name) for name in ("random_intercept_sd", "random_site_sd")]
        assert [row.estimate for row in rows] == pytest.approx(sd, abs=1e-6)
        assert all(row.conf_low < row.estimate < row.conf_high for row in rows)


def test_laplace_is_named_and_its_error_said(fitted: tuple[Results, dict]) -> None:
    frame = fitted[0].frame
    assert frame["method"].str.endswith("_laplace").all()
    assert frame["note"].str.contains("more quadrature points would move an estimate").all()
    assert (frame["status"] == "warned").all()


def test_the_quadrature_of_the_default_moves_no_more() -> None:
    found = mixed(trial_of("nested_site"), ENDPOINT, model="nested_site", points=11)
    assert found.records["mixed"]["arguments"]["adjust"] == []  # the stratum is the random site
    assert set(found.frame["method"]) == {"nested_site_logistic"}
    assert not found.frame["note"].str.contains("quadrature").any()
    assert not found.frame["note"].str.contains("fewer than ten sites").any()
    sentence, equation, judged = model_of(found, "mixed")
    assert "each site a level of its own" in sentence
    assert equation.endswith("month + arm × month + site + person")
    assert "with more quadrature points too" in judged


def test_few_sites_are_warned_and_fewer_refused() -> None:
    endpoint = endpoints.employed_at(month=[6, 18, 30], source="visits")
    found = mixed(example("scion"), endpoint, model="nested_site", points=7)
    assert found.frame["note"].str.contains("fewer than ten sites").all()
    assert (found.frame["status"] == "warned").all()
    none = found.one(quantity="random_site_sd")
    assert none.estimate == 0.0 and np.isnan(none.conf_low)
    assert "between sites is estimated as zero" in none.note
    people = two_arms(40)
    visits = [visit(f"P{i:03d}", month, employed=i % 3 == 1) for i in range(40) for month in (6, 18, 30)]
    with pytest.raises(AnalysisError, match="2 sites cannot say how far sites lie apart"):
        mixed(make_trial(people, visits=visits), endpoint, model="nested_site")


def test_what_the_models_do_not_have_is_refused() -> None:
    trial = example("scion")
    three = endpoints.employed_at(month=[6, 18, 30], source="visits")
    with pytest.raises(AnalysisError, match="'site' is a random effect of model='nested_site'"):
        mixed(trial, three, model="nested_site", adjust=["site"])
    with pytest.raises(AnalysisError, match="not a yes or no or a score at three or more"):
        mixed(trial, endpoints.employed_at(month=[6, 18], source="visits"), model="random_slope")
    with pytest.raises(AnalysisError, match="points=51 is not a whole number from 1"):
        mixed(trial, three, model="random_slope", points=51)
    with pytest.raises(AnalysisError, match="correlation='ar1' has no part in model='random_slope'"):
        mixed(trial, three, model="random_slope", correlation="ar1")


def test_a_boundary_is_said_in_every_row() -> None:
    endpoint = endpoints.employed_at(month=[6, 18, 30], source="visits")
    found = mixed(example("scion"), endpoint, model="random_slope", points=9)
    assert found.frame["note"].str.contains("level and course as perfectly correlated").all()
    test = found.one(quantity="random_slope_test")
    assert 0.0 < test.p_value <= 1.0


@pytest.mark.slow
def test_the_page_on_repeated_outcomes_has_the_numbers_of_the_bundled_trial() -> None:
    page = " ".join((ROOT / "docs/how-to/repeated-outcomes.md").read_text(encoding="utf-8").split())
    endpoint = endpoints.employed_at(month=[6, 12, 18], source="visits")
    level, course = (
        mixed(example("eqolise"), endpoint, model=model) for model in ("random_intercept", "random_slope")
    )
    one, other = (each.one(quantity="conditional_odds_ratio", time=18).estimate for each in (level, course))
    assert f"is {one:.1f} with a level per person and above 40 with a course as well" in page
    assert other > 40
    one, other = (
        100 * each.one(quantity="population_averaged_difference", time=18).estimate
        for each in (level, course)
    )
    assert f"is {one:.0f} points with the one and {other:.0f} with the other" in page


@pytest.mark.parametrize("model", ["random_intercept", "random_slope", "nested_site"])
def test_an_arm_that_nobody_was_seen_in_is_said_as_by_other_models(model: str) -> None:
    people = [person(f"P{i:03d}", arm="IPS" if i % 2 else "usual", site=f"S{i // 2 % 5}") for i in range(40)]
    visits = [
        visit(f"P{i:03d}", month, employed=None if i % 2 and month == 6 else (i + month) % 3 == 0)
        for i in range(40)
        for month in (6, 12, 18)
    ]
    trial = make_trial(people, visits=visits)
    found = mixed(trial, endpoints.employed_at([6, 12, 18], "visits"), model=model, points=1)
    assert set(found.frame["status"]) == {"failed"}
    assert found.frame["note"].str.startswith("nobody in the 'IPS' arm was seen at month 6").all()


def test_a_model_that_fails_says_so_of_every_quantity_it_has() -> None:
    found = mixed(
        example("eqolise"), endpoints.employed_at(month=[6, 12, 18]), model="random_slope", points=1
    )
    assert set(found.frame["status"]) == {"failed"}
    assert set(found.frame["quantity"]) == set(QUANTITIES)
    assert {"area_under_curve", "area_under_curve_difference", "area_under_curve_ratio"} <= set(QUANTITIES)
