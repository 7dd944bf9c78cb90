"""Estimating equations against geepack (case c9), and what must hold."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import stdtrit

from ipseval import endpoints
from ipseval.errors import AnalysisError
from ipseval.estimate.repeated.mixed import mixed
from ipseval.results import Results
from ipseval.results.models import model_of
from ipseval.trial import Trial
from tests import reference_cases
from tests.estimate.repeated.test_repeated_scores import alpha
from tests.estimate.trials import two_arms
from tests.make_trial import make_trial, visit

CASE = reference_cases.expected("c9_repeated_assessments")["gee"]
MONTHS = [6, 12, 18, 24, 30]
AT_WORK = endpoints.employed_at(month=MONTHS, source="visits")


@pytest.fixture(scope="module")
def found() -> Results:
    return mixed(alpha(), AT_WORK, model="gee", variance="robust", adjust=["prior"])


@pytest.mark.parametrize("at", range(5))
def test_odds_ratios_and_probabilities_are_those_of_geepack(found: Results, at: int) -> None:
    month = float(MONTHS[at])
    # geepack's own iterations for the correlation leave a few units in the fourth digit (case c6)
    row = found.one(quantity="population_averaged_log_odds_ratio", time=month)
    assert [row.estimate, row.std_error] == pytest.approx(
        [CASE["log_odds_ratio"][at], CASE["log_odds_ratio_se"][at]], rel=1e-3, abs=1e-4
    )
    for arm, place in (("usual", at), ("IPS", 5 + at)):
        row = found.one(quantity="population_averaged_probability", arm=arm, time=month)
        assert [row.estimate, row.std_error] == pytest.approx(
            [CASE["p"][place], CASE["p_se"][place]], rel=1e-3
        )
    row = found.one(quantity="population_averaged_difference", time=month)
    assert [row.estimate, row.std_error] == pytest.approx(
        [CASE["difference"][at], CASE["difference_se"][at]], rel=1e-3, abs=1e-5
    )


def test_averages_over_the_months_are_those_of_geepack(found: Results) -> None:
    for arm, value, error in zip(("usual", "IPS"), CASE["average"], CASE["average_se"], strict=True):
        row = found.one(quantity="population_averaged_probability", arm=arm, term="average")
        assert [row.estimate, row.std_error] == pytest.approx([value, error], rel=1e-3)


def test_intervals_are_t_with_people_less_coefficients(found: Results) -> None:
    row = found.one(quantity="population_averaged_odds_ratio", time=18)
    assert row.df == CASE["n_people"] - 11
    half = float(stdtrit(row.df, 0.975)) * row.std_error
    assert np.log([row.conf_low, row.conf_high]) == pytest.approx(
        [np.log(row.estimate) - half, np.log(row.estimate) + half]
    )
    row = found.one(quantity="population_averaged_probability", arm="IPS", time=18)
    logit = np.log(row.estimate / (1 - row.estimate))
    half = float(stdtrit(row.df, 0.975)) * row.std_error / (row.estimate * (1 - row.estimate))
    assert row.conf_high == pytest.approx(1 / (1 + np.exp(-logit - half)))


def test_corrections_for_few_people_widen_the_intervals_and_are_named_in_the_rows() -> None:
    variances = ("robust", "kauermann_carroll", "mancl_derouen")
    found = [mixed(alpha(), AT_WORK, model="gee", variance=each, name=each) for each in variances]
    rows = [part.one(quantity="population_averaged_difference", time=30) for part in found]
    widths = [float(row.std_error) for row in rows]
    assert widths == sorted(widths)
    assert widths[0] < widths[2]
    assert [row.setting for row in rows] == ["variance=robust", "variance=kauermann_carroll", ""]
    assert len(found[0] + found[1] + found[2]) == sum(map(len, found))
    assert "Variance: sandwich." in found[0].explain()
    test = found[0].one(quantity="arm_by_month_test")
    assert test.setting == "variance=robust; numerator_df=4"


def test_the_common_odds_ratio_has_an_f_test_with_both_degrees_of_freedom(found: Results) -> None:
    test = found.one(quantity="arm_by_month_test")
    assert test.setting == "adjust=prior; variance=robust; numerator_df=4"
    assert test.df == CASE["n_people"] - 11
    assert 0 < test.p_value < 1


def test_complete_data_without_covariates_give_back_the_rates() -> None:
    visits = [
        visit(f"P{i:03d}", month, employed=(7 * i + month) % 5 < 2) for i in range(40) for month in (6, 18)
    ]
    trial = make_trial(two_arms(40), visits=visits)
    got = mixed(trial, endpoints.employed_at([6, 18], "visits"), model="gee", adjust=[])
    rows = got.select(quantity="population_averaged_probability", term="").frame
    assert rows["estimate"].tolist() == pytest.approx((rows["n_event"] / rows["n"]).tolist(), abs=1e-9)
    assert "exchangeable correlation" in model_of(got, "mixed")[1]


def test_separation_and_an_unseen_arm_are_told_in_months_and_arms() -> None:
    def trial(employed: Callable[[int, int], bool | None]) -> Trial:
        visits = [visit(f"P{i:03d}", m, employed=employed(i, m)) for i in range(40) for m in (6, 18)]
        return make_trial(two_arms(40), visits=visits)

    endpoint = endpoints.employed_at([6, 18], "visits")
    never = mixed(trial(lambda i, m: bool(i % 4 == 1) and m == 18), endpoint, model="gee")
    assert set(never.frame["status"]) == {"failed"}
    note = never.frame["note"].iloc[0]
    assert "month 6" in note
    assert "column 0" not in note
    assert "firth" not in note.lower()
    unseen = mixed(trial(lambda i, m: None if i % 2 and m == 6 else i % 3 == 0), endpoint, model="gee")
    assert unseen.frame["note"].str.contains("nobody in the 'IPS' arm was seen at month 6").all()


def test_options_of_other_models_are_refused() -> None:
    for options, said in (
        ({"correlation": "ar1"}, "correlation='ar1' has no part in model='random_intercept'"),
        ({"model": "gee", "points": 7}, "this model has correlation, variance"),
        ({"model": "gee", "correlation": "ar2"}, "correlation='ar2' is not an option"),
        ({"model": "mmrm"}, "model='mmrm' is not an option"),
    ):
        with pytest.raises(AnalysisError, match=said):
            mixed(alpha(), AT_WORK, **options)
