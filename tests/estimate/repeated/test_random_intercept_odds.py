"""Hazard ratios, profile intervals, likelihood-ratio tests, areas under the curve: against R, properties."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from scipy.stats import chi2, norm

from ipseval import endpoints, words
from ipseval.errors import AnalysisError
from ipseval.estimate.repeated.mixed import mixed
from ipseval.estimate.repeated.population_averages import trapezoid
from ipseval.results import Results
from ipseval.results.models import model_of
from ipseval.stats.repeated.random_intercept_logistic import random_intercept_logistic
from ipseval.trial import Trial
from tests import reference_cases
from tests.estimate.alpha import alpha
from tests.estimate.repeated.test_repeated_scores import alpha as alpha_with_prior
from tests.estimate.trials import two_arms
from tests.make_trial import make_trial, visit

CASE = reference_cases.expected("c13_cloglog_and_profiles")
MONTHS = [6, 12, 18, 24, 30]
AT_WORK = endpoints.employed_at(month=MONTHS, source="visits")
LINKS = pytest.mark.parametrize("link", ["logit", "cloglog"])
RATIO = {"logit": "odds_ratio", "cloglog": "hazard_ratio"}


@cache
def found(link: str, interval: str = "profile") -> Results:
    return mixed(alpha(), AT_WORK, adjust=[], link=link, interval=interval)


def made(
    employed: Callable[[int, int], bool | None], n: int = 40, months: tuple[int, ...] = (6, 18, 30)
) -> Trial:
    """Return people in two arms, seen where ``employed`` of (person, month) is not None."""
    visits = [visit(f"P{i:03d}", month, employed=employed(i, month)) for i in range(n) for month in months]
    return make_trial(two_arms(n), visits=visits)


@LINKS
@pytest.mark.parametrize("month", MONTHS)
def test_ratios_and_their_profile_limits_are_those_of_a_search_in_r(link: str, month: int) -> None:
    want, name = CASE[f"alpha_{link}"]["brute_force"], f"arm_month_{month}"
    row = found(link).one(quantity=f"conditional_log_{RATIO[link]}", time=month)
    # Quadrature with 25 points against the integral itself: 1e-5.
    assert [row.estimate, row.std_error] == pytest.approx([want["coef"][name], want["se"][name]], abs=1e-5)
    assert [row.conf_low, row.conf_high] == pytest.approx(want["profile_95"][name], abs=1e-5)
    ratio = found(link).one(quantity=f"conditional_{RATIO[link]}", time=month)
    assert np.log([ratio.estimate, ratio.conf_low, ratio.conf_high]) == pytest.approx(
        [row.estimate, row.conf_low, row.conf_high]
    )
    assert (row.p_value < 0.05) == (row.conf_low > 0), "test and interval are of one likelihood"
    assert row.statistic == pytest.approx(-norm.ppf(row.p_value / 2))


@LINKS
def test_the_spread_between_people_and_its_profile_limits_are_those_of_r(link: str) -> None:
    want = CASE[f"alpha_{link}"]["brute_force"]
    row = found(link).one(quantity="random_intercept_sd")
    assert row.estimate == pytest.approx(want["sd"], abs=1e-5)
    assert [row.conf_low, row.conf_high] == pytest.approx(np.exp(want["profile_95"]["log_sd"]), abs=1e-4)
    assert row.unit == {"logit": "log_odds", "cloglog": "log_hazard"}[link]
    assert words.text(f"unit.{row.unit}", "nl").startswith("log-")


@LINKS
def test_likelihood_ratio_tests_are_those_of_r(link: str) -> None:
    want = CASE[f"alpha_{link}"]
    # Quadrature with 25 points against the integral itself: 2e-5 of a log-likelihood.
    whole, reduced = want["brute_force"]["loglik"], want["loglik"]
    for quantity, name, df in (
        ("arm_effect_test", "no_arm", 5),
        ("arm_by_month_test", "same_every_month", 4),
    ):
        row = found(link).one(quantity=quantity)
        statistic = 2 * (whole - reduced[name])
        assert (row.method, row.df) == ("likelihood_ratio", df)
        assert [row.statistic, row.p_value] == pytest.approx([statistic, chi2.sf(statistic, df)], abs=1e-4)
    row = found(link).one(quantity="intercept_variance_test")
    statistic = 2 * (whole - reduced["sd_zero"])
    assert row.statistic == pytest.approx(statistic, abs=1e-4)
    assert row.p_value == pytest.approx(chi2.sf(statistic, 1) / 2, rel=1e-4)


@LINKS
@pytest.mark.parametrize("at", range(10))
def test_population_averaged_probabilities_are_those_of_r(link: str, at: int) -> None:
    want = CASE[f"alpha_{link}"]["population_averaged"][at]
    arm, month = ("usual", "IPS")[at // 5], MONTHS[at % 5]
    row = found(link).one(quantity="population_averaged_probability", arm=arm, time=month)
    assert [row.estimate, row.std_error] == pytest.approx([want["estimate"], want["se"]], abs=1e-5)


def area_rows(got: Results) -> dict[str, tuple[float, float]]:
    """Return areas of the arms, their difference and log ratio, with standard errors."""
    arms = {
        f"arm_{at}": got.one(quantity="area_under_curve", arm=arm) for at, arm in enumerate(("usual", "IPS"))
    }
    rows = {name: (row.estimate, row.std_error) for name, row in arms.items()}
    row = got.one(quantity="area_under_curve_difference")
    rows["difference"] = (row.estimate, row.std_error)
    row = got.one(quantity="area_under_curve_ratio")
    return rows | {"log_ratio": (np.log(row.estimate), row.std_error)}


@LINKS
def test_areas_under_the_curve_are_those_of_r(link: str) -> None:
    want = CASE[f"alpha_{link}"]["area_6_to_30_months"]
    for name, (estimate, std_error) in area_rows(found(link)).items():
        # Months: a probability is good to 1e-6 here, and there are 24 of them.
        assert [estimate, std_error] == pytest.approx([want[name]["estimate"], want[name]["se"]], abs=5e-5)


def test_areas_by_estimating_equations_are_those_of_geepack() -> None:
    got = mixed(alpha_with_prior(), AT_WORK, model="gee", variance="robust", adjust=["prior"])
    want = CASE["alpha_gee"]["area_6_to_30_months"]
    for name, (estimate, std_error) in area_rows(got).items():
        # geepack stops its iterations for the correlation early (case c6).
        assert [estimate, std_error] == pytest.approx([want[name]["estimate"], want[name]["se"]], rel=2e-3)


def test_the_area_joins_unequal_months_by_straight_lines_and_begins_at_the_first() -> None:
    assert trapezoid((6.0, 18.0, 20.0, 30.0)) == {6.0: 6.0, 18.0: 7.0, 20.0: 6.0, 30.0: 5.0}
    got = mixed(
        made(lambda i, m: (7 * i + m) % 5 < 2, months=(6, 18, 20, 30)),
        endpoints.employed_at([6, 18, 20, 30], "visits"),
        adjust=[],
    )
    p = [
        got.one(quantity="population_averaged_probability", arm="IPS", time=m).estimate
        for m in (6, 18, 20, 30)
    ]
    row = got.one(quantity="area_under_curve", arm="IPS")
    assert row.estimate == pytest.approx(6 * p[0] + 7 * p[1] + 6 * p[2] + 5 * p[3])
    assert (row.time_from, row.time, row.unit) == (6, 30, "months")
    assert 0 < row.conf_low < row.estimate < row.conf_high < 24
    other = got.one(quantity="area_under_curve", arm="usual").estimate
    contrast = got.one(quantity="area_under_curve_difference")
    assert contrast.estimate == pytest.approx(row.estimate - other)
    assert -24 < contrast.conf_low < contrast.estimate < contrast.conf_high < 24
    assert got.one(quantity="area_under_curve_ratio").estimate == pytest.approx(row.estimate / other)


def test_wald_and_profile_share_their_estimates_and_say_what_they_are() -> None:
    by_wald, by_profile = found("logit", "wald"), found("logit")
    for quantity in ("conditional_log_odds_ratio", "conditional_odds_ratio"):
        one, other = (each.one(quantity=quantity, time=18) for each in (by_wald, by_profile))
        assert one.estimate == other.estimate
        assert (one.setting, other.setting) == ("", "interval=profile")
    said = by_profile.select(quantity="conditional_odds_ratio", time=18.0).explain()
    assert "Interval by profile likelihood" in said
    assert by_wald.one(quantity="arm_by_month_test").method == "adaptive_gauss_hermite_25"
    assert by_wald.one(quantity="arm_effect_test").method == "likelihood_ratio"


def test_the_model_of_hazards_says_that_it_is_one() -> None:
    sentence, equation, converged = model_of(found("cloglog"), "mixed")
    assert "complementary log-log" in sentence and "25 points" in sentence
    assert equation.startswith("log(-log(1 - P(")
    assert converged == model_of(found("logit"), "mixed")[2]
    assert "complementary log-log" in found("cloglog").select(quantity="conditional_hazard_ratio").explain()


def test_people_missed_at_the_end_or_in_between_take_part_with_what_was_seen() -> None:
    draw = np.random.default_rng(4)
    level, chance = draw.normal(size=60) * 1.5, draw.random((60, 31))
    last = draw.integers(0, 4, 60)

    def monotone(i: int, month: int) -> bool | None:
        return (
            None
            if (6, 18, 30).index(month) > last[i]
            else bool(chance[i, month] < 1 / (1 + np.exp(-level[i])))
        )

    def intermittent(i: int, month: int) -> bool | None:
        return None if (i + month) % 4 == 0 else bool(chance[i, month] < 1 / (1 + np.exp(-level[i])))

    for answer in (monotone, intermittent):
        got = mixed(made(answer, 60), endpoints.employed_at([6, 18, 30], "visits"), adjust=[])
        seen = [
            (i, at, month)
            for i in range(60)
            for at, month in enumerate((6, 18, 30))
            if answer(i, month) is not None
        ]
        i, at, month = (np.array(column) for column in zip(*seen, strict=True))
        y = [float(bool(answer(*each))) for each in zip(i.tolist(), month.tolist(), strict=True)]
        levels = (at[:, None] == np.arange(3)).astype(float)
        fit = random_intercept_logistic(y, np.hstack([levels, levels * (i % 2)[:, None]]), i, collapse=False)
        row = got.one(quantity="conditional_log_odds_ratio", time=30)
        assert [row.estimate, row.std_error] == pytest.approx(
            [fit.coefficients[5], fit.std_error[5]], rel=1e-6
        )
        assert row.n == (month == 30).sum() and row.n_missing == 60 - row.n
        assert "missing at random" in row.note


def test_one_assessment_of_everybody_is_a_reason_and_of_some_is_none() -> None:
    once = mixed(
        made(lambda i, m: i % 3 == 0 if m == (6, 18, 30)[i // 2 % 3] else None),
        endpoints.employed_at([6, 18, 30], "visits"),
    )
    assert set(once.frame["status"]) == {"failed"}
    assert once.frame["note"].str.contains("has a single observation").all()
    draw = np.random.default_rng(8).random((40, 31))
    some = mixed(
        made(lambda i, m: bool(draw[i, m] < 0.4) if i > 9 or m == 6 else None),
        endpoints.employed_at([6, 18, 30], "visits"),
    )
    assert set(some.frame["status"]) <= {"ok", "warned"}


@LINKS
@pytest.mark.parametrize("interval", ["wald", "profile"])
def test_a_variance_of_zero_is_said_and_has_an_upper_limit_by_profile(link: str, interval: str) -> None:
    # Everybody works at one of two months, the arms at another one: nobody's answers are alike.
    got = mixed(
        made(lambda i, m: (m == 18) == (i % 8 < 5), 40, (6, 18)),
        endpoints.employed_at([6, 18], "visits"),
        adjust=[],
        link=link,
        interval=interval,
    )
    row = got.one(quantity="random_intercept_sd")
    assert row.estimate == 0 and words.text("note.intercept_variance_at_zero") in row.note
    if interval == "wald":
        assert np.isnan(row.conf_low) and np.isnan(row.conf_high)
    else:
        assert row.conf_low == 0 < row.conf_high
    assert got.one(quantity="intercept_variance_test").p_value == 1
    for arm in ("IPS", "usual"):
        each = got.one(quantity="population_averaged_probability", arm=arm, time=18)
        assert each.estimate == pytest.approx(each.n_event / each.n)
        assert each.std_error == pytest.approx(np.sqrt(each.estimate * (1 - each.estimate) / each.n))
    assert "op nul geschat" in got.explain(lang="nl")


@LINKS
def test_separation_and_an_outcome_of_nobody_are_told(link: str) -> None:
    endpoint = endpoints.employed_at([6, 18], "visits")
    never = mixed(made(lambda i, m: i % 4 == 1 and m == 18, 40, (6, 18)), endpoint, link=link)
    assert set(never.frame["status"]) == {"failed"}
    assert "month 6" in never.frame["note"].iloc[0] and "counted from" not in never.frame["note"].iloc[0]
    nobody = mixed(made(lambda i, m: False, 40, (6, 18)), endpoint, link=link)
    assert set(nobody.frame["status"]) == {"not_defined"}
    assert f"conditional_{RATIO[link]}" in set(nobody.frame["quantity"]) == set(never.frame["quantity"])


def test_options_are_checked_and_belong_to_random_intercepts() -> None:
    for options, said in (
        ({"link": "probit"}, "link='probit' is not an option"),
        ({"interval": "bayes"}, "interval='bayes' is not an option"),
        ({"model": "gee", "link": "cloglog"}, "link='cloglog' has no part in model='gee'"),
        ({"model": "gee", "interval": "profile"}, "interval='profile' has no part in model='gee'"),
    ):
        with pytest.raises(AnalysisError, match=said):
            mixed(alpha(), AT_WORK, **options)


@LINKS
def test_a_ratio_has_the_standard_error_of_its_logarithm_and_says_so(link: str) -> None:
    keys = {"contrast": found(link).frame["contrast"].max()}
    of_log = found(link).select(quantity=f"conditional_log_{RATIO[link]}", **keys).frame
    ratio = found(link).select(quantity=f"conditional_{RATIO[link]}", **keys).frame
    assert ratio["std_error"].notna().all()
    assert ratio["std_error"].tolist() == of_log["std_error"].tolist()
    assert ratio["note"].str.contains(words.text("note.of_logarithm"), regex=False).all()
