"""The check of proportional hazards against R's cox.zph, and lifelines as the second opinion it is."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ipseval.errors import AnalysisError
from ipseval.stats.times.proportional_hazards import (
    TRANSFORMS,
    lifelines_proportional_hazards,
    proportional_hazards,
)
from tests.reference_cases import data, expected

needs_lifelines = pytest.mark.skipif(
    importlib.util.find_spec("lifelines") is None, reason="lifelines is absent: it caps pandas below 3"
)

# Both evaluate closed forms at an iterated estimate.
SAME = {"rtol": 1e-6, "atol": 1e-9}
MODELS = [
    ("b1_survival_veteran", "cox_test_only", ["test"]),
    ("b1_survival_veteran", "cox_adjusted", ["test", "karno", "age", "prior"]),
    ("b2_survival_alpha", "cox_arm", ["arm"]),
    ("b2_survival_alpha", "cox_adjusted", ["arm", "age", "prior_work_months", "symptoms0"]),
]


def trial(case):
    frame = data(case)
    return frame.assign(test=(frame["trt"] == 2).astype(int)) if "trt" in frame else frame


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize(("case", "key", "terms"), MODELS)
def test_score_test_agrees_with_cox_zph(case, key, terms, transform):
    frame = trial(case)
    got = proportional_hazards(frame["time"], frame["status"], frame[terms], transform=transform)
    found = expected(case)[key]["zph"][transform]
    assert_allclose([*got.statistic, got.global_statistic], [row["chisq"] for row in found], **SAME)
    assert_allclose([*got.p_value, got.global_p_value], [row["p"] for row in found], **SAME)
    assert (got.global_df, got.transform) == (found[-1]["df"], transform)


def test_a_unit_of_time_or_of_a_covariate_changes_nothing():
    frame = trial("b1_survival_veteran")
    here = proportional_hazards(frame["time"], frame["status"], frame[["test", "karno"]], transform="log")
    there = proportional_hazards(
        frame["time"] / 30.4375, frame["status"], frame[["test", "karno"]] * [-1, 0.1], transform="log"
    )
    assert_allclose(there.statistic, here.statistic, rtol=1e-6)


@needs_lifelines
def test_lifelines_is_asked_with_the_data_as_given():
    frame = trial("b1_survival_veteran")
    got = lifelines_proportional_hazards(frame["time"], frame["status"], frame["test"])
    table = frame[["time", "status", "test"]]
    fit = importlib.import_module("lifelines").CoxPHFitter().fit(table, "time", "status")
    statistics = importlib.import_module("lifelines.statistics")
    theirs = statistics.proportional_hazard_test(fit, table, time_transform="km")
    assert_allclose(got.statistic, theirs.test_statistic, rtol=1e-6)
    assert got.method.startswith("lifelines 0.")
    assert np.isnan(got.global_statistic)


@needs_lifelines
def test_lifelines_approximation_misses_cox_zph_by_as_much_as_we_say():
    """A figure of the docstring: 2.20 for 4.91 in cox.zph. If lifelines changes, so must the text."""
    frame = trial("b1_survival_veteran")
    got = lifelines_proportional_hazards(frame["time"], frame["status"], frame["test"], transform="identity")
    r = expected("b1_survival_veteran")["cox_test_only"]["zph"]["identity"][0]["chisq"]
    assert (round(got.statistic[0], 2), round(r, 2)) == (2.20, 4.91)


def test_lifelines_is_not_imported_before_it_is_asked_for():
    check = (
        "import sys, ipseval.stats.times.proportional_hazards; "
        "assert not {'lifelines', 'pandas', 'scipy.stats'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", check], check=True)


def test_without_lifelines_the_remedy_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "lifelines", None)
    with pytest.raises(AnalysisError, match="pip install lifelines"):
        lifelines_proportional_hazards([3, 5, 7, 9, 11, 13], [1, 1, 1, 1, 1, 0], [1, 0, 1, 1, 0, 0])


@pytest.mark.parametrize(
    "check",
    [proportional_hazards, pytest.param(lifelines_proportional_hazards, marks=needs_lifelines)],
)
def test_refusals(check):
    time, event, arm = [0, 5, 7, 9, 11, 13], [1, 1, 1, 1, 1, 0], [1, 0, 1, 1, 0, 0]
    with pytest.raises(AnalysisError, match="1 events at time 0"):
        check(time, event, arm, transform="log")
    with pytest.raises(AnalysisError, match="transform='sqrt' is not an option"):
        check(time, event, arm, transform="sqrt")
    with pytest.raises(AnalysisError, match=r"cannot be checked\. Infinite coefficient"):
        check([2, 3, 5, 7, 8, 9], [1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1])


@pytest.mark.slow
def test_the_score_test_holds_its_level():
    """Proportional hazards with ratio 2, 60 a group: 5% within Monte Carlo error (1,000 samples, se 0.7%)."""
    random = np.random.default_rng(24)
    arm, rejected = np.repeat([0, 1], 60), []
    for _ in range(1000):
        work, leave = random.exponential(10 / 2.0**arm), random.exponential(30, 120)
        test = proportional_hazards(np.minimum(work, leave), work <= leave, arm)
        rejected.append(test.p_value[0] < 0.05)
    assert abs(np.mean(rejected) - 0.05) < 0.025
