"""Amounts of successive periods: days counted by hand, kernels pinned to R, and what is refused."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from pytest import approx

from ipseval import endpoints, words
from ipseval.disclosure import protect
from ipseval.endpoints.base import Endpoint
from ipseval.errors import AnalysisError
from ipseval.estimate.amounts.amounts import amounts
from ipseval.estimate.repeated.assessments import covariates_of
from ipseval.estimate.repeated.mixed import mixed
from ipseval.estimate.repeated.repeated_counts import Periods, periods
from ipseval.examples import example
from ipseval.results import Results
from ipseval.results.models import model_of
from ipseval.results.sentences import sentence
from ipseval.stats.repeated.negative_binomial_mixed import negative_binomial_mixed
from ipseval.trial import Trial
from tests.estimate.trials import two_arms, with_reference
from tests.make_trial import covered, job, make_trial, person, register_month

BY = [6, 12]
DAYS = endpoints.days_worked(by=BY)
# h(6) = floor(6 x 30.4375) = 182 and h(12) = 365: periods of 182 and 183 days.
FIRST, SECOND = 182, 183


def of(trial: Trial, endpoint: Endpoint) -> Periods:
    return periods(trial, endpoint, endpoint.evaluate(trial), covariates_of(trial, ()))


@cache
def levels() -> Trial:
    """Return a trial in which people's days per period vary as a negative binomial with normal levels."""
    rng = np.random.default_rng(11)
    people, jobs = two_arms(60), []
    level = np.exp(0.6 * rng.normal(size=60))
    for place, one in enumerate(people):
        if place % 9 == 8:
            one |= {"followed_until": int(rng.integers(40, 500)), "end_reason": "lost"}
        for begin in (0, 182, 365):
            mean = 12.0 * level[place] * (1.5 if one["arm"] == "IPS" else 1.0)
            worked = min(int(rng.poisson(mean * rng.gamma(3.0, 1 / 3.0))), 180)
            if worked and begin + worked < one["followed_until"]:
                jobs.append(job(str(one["participant_id"]), begin, begin + worked - 1))
    return make_trial(people, jobs=jobs)


PERIODS = endpoints.days_worked(by=[6, 12, 18])


@cache
def counted() -> Results:
    return mixed(levels(), PERIODS, model="negative_binomial")


# ---- days counted by hand


def test_days_of_each_period_and_the_days_seen_of_it() -> None:
    people = [
        person("stays"),
        person("leaves", 199, "lost", arm="usual"),
        person("dies", 49, "died"),
        person("gone", 181, "withdrawn", arm="usual"),
    ]
    jobs = [
        job("stays", 100, 250),
        job("leaves", 190, None),
        job("dies", 40, None),
        job("gone", -20, 9),
    ]
    found = of(make_trial(people, jobs=jobs), DAYS)
    assert found.amount.tolist()[:3] == [[82, 69], [0, 10], [10, 0]]
    assert found.amount[3, 0] == 10 and np.isnan(found.amount[3, 1])
    seen = dict(zip(zip(found.panel.person, found.panel.month, strict=True), found.exposure, strict=True))
    # Who died is seen in full: after death there is nothing more to see.
    assert seen == {(0, 0): 182, (0, 1): 183, (1, 0): 182, (1, 1): 18, (2, 0): 182, (2, 1): 183, (3, 0): 182}
    assert found.is_whole.tolist() == [[True, True], [True, False], [True, True], [True, False]]
    arm = np.array([1, 0, 1, 0])
    assert found.counted(arm, 1, 0, 1) == {"n": 3, "n_event": 2, "n_missing": 2}
    assert found.counted(arm, None, 0) == {"n": 2, "n_event": 2, "n_missing": 2}


def test_hours_that_were_not_recorded_leave_out_the_periods_from_then_on() -> None:
    jobs = [job("A", 0, 6), job("A", 200, 206, hours_per_week=None), job("B", 10, 16)]
    found = of(make_trial([person("A"), person("B")], jobs=jobs), endpoints.hours_worked(by=BY))
    assert found.amount[0, 0] == approx(20) and np.isnan(found.amount[0, 1])
    assert found.is_unrecorded and not found.is_whole[0, 1] and found.is_whole[1].all()


def test_periods_of_a_register_are_calendar_months() -> None:
    months = [
        register_month("A", f"2020-{month:02d}", days_worked=days)
        for month, days in ((2, 5.0), (7, 3.0), (8, 20.0))
    ]
    coverage = [covered("A", "2019-01-01", "2023-01-01"), covered("B", "2019-01-01", "2020-09-30")]
    trial = make_trial([person("A"), person("B")], months=months, coverage=coverage)
    found = of(trial, endpoints.days_worked(by=BY, source="months"))
    # Months 1 to 6 after January 2020 are February to July, 182 days; 7 to 12 August to January, 184.
    assert found.length.tolist() == [[182, 184], [182, 184]]
    assert found.amount[0].tolist() == [8, 20]
    assert found.exposure.tolist() == [182, 184, 182, 61]  # of B, August and September
    assert found.is_whole.tolist() == [[True, True], [True, False]]


# ---- rates


def test_rates_without_covariates_are_days_over_days_seen() -> None:
    trial = example("scion")
    found = mixed(trial, endpoints.days_worked(by=[6, 12, 18, 24, 30]), adjust=[])
    jobs = trial.table("jobs")
    jobs = jobs.loc[jobs["kind"].isin(list(trial.design.competitive))]
    people = trial.participants.set_index("participant_id")
    edges = [0, *(trial.design.horizon_day(month) for month in (6, 12, 18, 24, 30))]
    for arm in trial.design.arms:
        had, seen = np.zeros(5), np.zeros(5)
        for place, (name, one) in enumerate(people.iterrows()):
            if one["arm"] != arm:
                continue
            last = int(trial.followed_days[place])
            worked: set[int] = set()
            for _, spell in jobs.loc[jobs["participant_id"] == name].iterrows():
                start = (spell["started_on"] - one["randomised_on"]).days
                ended = spell["ended_on"]
                end = last if ended is None or ended != ended else (ended - one["randomised_on"]).days
                worked |= set(range(max(start, 0), min(end, last) + 1))
            whole = [trial.is_followed_to(edge)[place] or trial.died[place] for edge in edges[1:]]
            for k, (a, b) in enumerate(pairwise(edges)):
                had[k] += sum(a <= day < b for day in worked)
                seen[k] += b - a if whole[k] else max(0, min(last + 1, b) - a)
        rates = found.frame.loc[
            (found.frame["quantity"] == "mean") & (found.frame["arm"] == arm) & (found.frame["term"] == "")
        ]
        assert rates["estimate"].tolist() == approx(had / seen * np.diff(edges))


def test_where_everybody_was_seen_the_whole_window_has_the_plain_mean() -> None:
    people = two_arms(40)
    jobs = [job(f"P{i:03d}", 20 + 7 * i, 30 + 12 * i) for i in range(40) if i % 3]
    trial = make_trial(people, jobs=jobs, missing_outcomes="as_not_employed")
    found, plain = mixed(trial, DAYS), amounts(trial, endpoints.days_worked(by=12), replicates=100)
    for arm in ("usual", "IPS"):
        whole = found.one(quantity="mean", arm=arm, term="whole_window")
        first = found.one(quantity="mean", arm=arm, time=6)
        second = found.one(quantity="mean", arm=arm, time=12, term="")
        assert whole.estimate == approx(first.estimate + second.estimate)
        assert whole.estimate == approx(plain.main.one(quantity="mean", arm=arm).estimate)
        assert found.frame["note"].str.contains("not seen in full").sum() == 0


def test_swapping_the_arms_turns_ratios_over_and_keeps_p_values() -> None:
    found, turned = (mixed(trial, PERIODS) for trial in (levels(), with_reference(levels(), "IPS")))
    for keys in ({"time": 6.0}, {"term": "average"}):
        one, other = (each.one(quantity="rate_ratio", **keys) for each in (found, turned))
        assert one.estimate == approx(1 / other.estimate)
        assert one.conf_low == approx(1 / other.conf_high)
        assert one.p_value == approx(other.p_value)
    one, other = (each.one(quantity="mean_difference", term="whole_window") for each in (found, turned))
    assert [one.estimate, one.conf_low] == approx([-other.estimate, -other.conf_high])


def test_weeks_and_earnings_are_days_in_another_unit() -> None:
    days = mixed(levels(), PERIODS)
    for endpoint, factor in (
        (endpoints.weeks_worked(by=[6, 12, 18]), 1 / 7),
        (endpoints.earnings(by=[6, 12, 18]), 20 / 7 * 15),
    ):
        found = mixed(levels(), endpoint)
        ratio, same = (each.one(quantity="rate_ratio", term="average") for each in (found, days))
        assert ratio.estimate == approx(same.estimate) and ratio.std_error == approx(same.std_error)
        mean, scaled = (each.one(quantity="mean", arm="IPS", time=6) for each in (found, days))
        assert mean.conf_high == approx(scaled.conf_high * factor)
    assert found.one(quantity="mean", arm="IPS", time=6).unit == "EUR"


# ---- the mixed model


def test_rows_are_those_of_the_kernel() -> None:
    seen = of(levels(), PERIODS)
    fit = negative_binomial_mixed(seen.panel.y, seen.panel.design, seen.panel.person, exposure=seen.exposure)
    found = counted()
    for place, month in enumerate((6, 12, 18)):
        ratio, row = fit.log_contrast(np.eye(6)[3 + place]), found.one(quantity="rate_ratio", time=month)
        assert [row.estimate, row.conf_low, row.conf_high, row.p_value] == approx(
            [ratio.estimate, ratio.conf_low, ratio.conf_high, ratio.p_value]
        )
        means = [found.one(quantity="mean", arm=arm, time=month, term="") for arm in ("usual", "IPS")]
        assert means[1].estimate / means[0].estimate == approx(row.estimate)
    spread = found.one(quantity="random_intercept_sd")
    assert [spread.estimate, spread.conf_low] == approx([fit.random_intercept_sd, fit.sd_limits()[0]])
    assert found.one(quantity="overdispersion").estimate == approx(fit.overdispersion)
    assert found.one(quantity="rate_ratio", time=18).time_from == 12


def test_weeks_are_counted_in_days_and_hours_in_whole_ones_and_both_are_said() -> None:
    weeks = mixed(levels(), endpoints.weeks_worked(by=[6, 12, 18]), model="negative_binomial")
    same = {"quantity": "rate_ratio", "term": "average"}
    assert weeks.one(**same).estimate == approx(counted().one(**same).estimate)
    mean = {"quantity": "mean", "arm": "IPS", "term": "whole_window"}
    assert weeks.one(**mean).estimate == approx(counted().one(**mean).estimate / 7)
    assert "weeks are counted in days" in weeks.one(**mean).note
    hours = mixed(levels(), endpoints.hours_worked(by=[6, 12, 18]), model="negative_binomial")
    assert "whole hours" in hours.one(**mean).note and hours.one(**mean).unit == "hours"


def test_days_of_which_most_have_none_are_refused_with_what_was_expected() -> None:
    found = mixed(example("scion"), PERIODS, model="negative_binomial")
    assert set(found.frame["status"]) == {"failed"}
    assert found.frame["note"].str.contains("more than twice.*what was seen.*model='gee'").all()
    # Public files say why, in every language.
    public = protect(found)
    for lang in words.LANGUAGES:
        assert words.text("note.not_this_model", lang) in sentence(public.frame.iloc[0], public, lang=lang)


def test_an_arm_without_any_and_one_with_a_few_are_refused() -> None:
    few = make_trial(two_arms(40), jobs=[job(f"P{i:03d}", 5, 90) for i in (1, 3, 5, 7, 9, 11, 2)])
    for model in ("gee", "negative_binomial"):
        found = mixed(few, DAYS, model=model)
        assert set(found.frame["status"]) == {"failed"}
        assert found.frame["note"].str.contains("Only 1 of 20 people in the usual arm").all()
    late = [job(f"P{i:03d}", 200, 290) for i in range(0, 40, 2)]
    early = [job(f"P{i:03d}", 5, 290) for i in range(1, 40, 2)]
    found = mixed(make_trial(two_arms(40), jobs=late + early), DAYS)
    assert found.frame["note"].str.contains("months 0 to 6.*an amount of 0 perfectly").all()
    assert found.frame["note"].str.contains("ips.amounts").all()


@pytest.mark.parametrize(
    ("endpoint", "options", "message"),
    [
        (endpoints.earnings(by=BY), {"model": "negative_binomial"}, "amount of money.*model='gee'"),
        (endpoints.longest_job(by=BY), {}, "does not add up over successive periods"),
        (endpoints.days_worked(by=6), {}, "nor an amount by several months"),
        (endpoints.ever_employed(by=BY), {}, "is not a yes or no or a score at several"),
        (DAYS, {"points": 9}, "points=9 has no part in model='gee' of a amount|has no part"),
        (DAYS, {"variance": "model"}, "variance='model' is not an option"),
        (DAYS, {"model": "mmrm"}, "model='mmrm' is not an option"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    endpoint: Endpoint, options: dict[str, object], message: str
) -> None:
    with pytest.raises(AnalysisError, match=message):
        mixed(levels(), endpoint, **options)


# ---- words


@pytest.mark.parametrize("lang", words.LANGUAGES)
def test_every_row_and_both_models_say_themselves(lang: str) -> None:
    for found in (counted(), mixed(levels(), PERIODS, adjust=["site"])):
        said, equation, _ = model_of(found, "mixed", lang)
        assert len(said) > 100 and "{" not in said + equation
        assert equation.startswith("log E(")
        for _, row in found.frame.iterrows():
            assert "{" not in sentence(row, found, lang=lang)


def test_a_ratio_says_its_period_and_its_equality_is_said_once_by_the_model() -> None:
    row = counted().frame.query("quantity == 'rate_ratio' and time == 12").iloc[0]
    assert "from 6 to 12 months" in sentence(row, counted())
    assert "days seen count" in row.note
    assert "also the ratio of averages over people" in model_of(counted(), "mixed")[0]


def test_another_variance_is_named_in_the_rows() -> None:
    found = mixed(levels(), DAYS, model="gee", variance="robust")
    assert set(found.frame["setting"]) == {"variance=robust", "variance=robust; numerator_df=1"}


@pytest.mark.parametrize("model", ["gee", "negative_binomial"])
def test_many_sites_in_which_nobody_had_any_are_named_as_one_is(model: str) -> None:
    people = [person(f"P{i:03d}", arm="IPS" if i % 2 else "usual", site=f"S{i:03d}") for i in range(60)]
    jobs = [job(f"P{i:03d}", begin, begin + i % 7) for i in range(24) for begin in (20, 200, 400)]
    found = mixed(make_trial(people, jobs=jobs), PERIODS, model=model, adjust=["site"])
    assert set(found.frame["status"]) == {"failed"}
    note = found.frame["note"].iloc[0]
    assert "separated: a combination of 36 columns (site=S024, site=S025" in note
    assert "leave covariates out" in note
