"""Fine-Gray regression against cmprsk, Cox, and the sums of the paper written out person by person."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ipseval.errors import AnalysisError
from ipseval.stats.times.cox import cox
from ipseval.stats.times.fine_gray import fine_gray
from tests.reference_cases import data, expected

# Both climb to a score of 0, crr until its gradient is below 1e-10.
SAME_MAXIMUM = {"rtol": 1e-8}

CASES = {
    "b3_competing_alpha": ["arm", "age", "prior_work_months"],
    "b4_competing_mgus2": ["female", "age", "mspike"],
}


def random_sample(n, seed):
    """Return durations with ties, causes and two covariates, the second with an effect on cause 1."""
    rng = np.random.default_rng(seed)
    columns = np.column_stack([rng.integers(0, 2, n), rng.normal(size=n)])
    time = np.ceil(rng.exponential(20 * np.exp(-0.5 * columns[:, 1]))).astype(int)
    return time, rng.choice(3, n, p=[0.3, 0.45, 0.25]), columns


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("of", "which"), [(1, "event"), (2, "competing")])
def test_agrees_with_crr(case, of, which):
    frame, found = data(case), expected(case)["crr"][which]
    fit = fine_gray(frame["time"], frame["cr_status"], frame[CASES[case]], of=of)
    assert_allclose(fit.coef, list(found["coef"].values()), **SAME_MAXIMUM)
    assert_allclose(fit.std_error, list(found["se"].values()), **SAME_MAXIMUM)
    assert fit.loglik == pytest.approx(found["loglik"], rel=1e-12)
    assert fit.converged
    assert fit.n_event + fit.n_competing == (frame["cr_status"] > 0).sum()


def test_close_to_the_weighted_cox_model_of_survival():
    """R's finegray breaks ties between censoring and events otherwise: 2e-4 on days, 4e-4 on months."""
    for case, names in CASES.items():
        frame, found = data(case), expected(case)["finegray_coxph_event"]
        fit = fine_gray(frame["time"], frame["cr_status"], frame[names])
        assert_allclose(fit.coef, list(found["coef"].values()), atol=5e-4)


def test_without_competing_events_it_is_cox_with_breslow_ties_and_robust_errors():
    time, cause, columns = random_sample(120, 1)
    event = (cause > 0).astype(int)
    fit = fine_gray(time, event, columns)
    same = cox(time, event, columns, ties="breslow", cluster=np.arange(120))
    assert_allclose(fit.coef, same.coef, rtol=1e-9)
    assert_allclose(fit.covariance, same.robust_covariance, rtol=1e-9)


@pytest.mark.parametrize("grouped", [False, True])
def test_agrees_with_the_sums_of_the_paper_written_out(grouped):
    time, cause, columns = random_sample(70, 2)
    group = columns[:, 0].astype(int) if grouped else np.zeros(70, int)
    fit = fine_gray(time, cause, columns, censoring_group=group if grouped else None)
    score, information, shares = person_by_person(time, cause, columns, group, fit.coef)
    assert_allclose(score, 0, atol=1e-8)
    bread = np.linalg.inv(information)
    assert_allclose(fit.covariance, bread @ shares.T @ shares @ bread, rtol=1e-8)


def person_by_person(time, cause, columns, group, coef):
    """Return the score, information, and eta + psi per person, by loops over everyone (equations 5 to 8)."""
    n = time.size
    hazard = np.exp(columns @ coef)

    def uncensored(g, t):
        of_group = group == g
        past = np.unique(time[of_group & (cause == 0) & (time < t)])
        lost = [((time == u) & of_group & (cause == 0)).sum() / ((time >= u) & of_group).sum() for u in past]
        return np.prod(1 - np.array(lost))

    def weights(t):
        gone = [uncensored(group[i], t) / uncensored(group[i], time[i]) for i in range(n)]
        return np.where(time >= t, 1.0, np.where(cause == 2, gone, 0.0)) * hazard

    seen = {}
    for t in np.unique(time[cause == 1]):
        w = weights(t)
        mean = w @ columns / w.sum()
        spread = (w[:, None] * (columns - mean)).T @ (columns - mean) / w.sum()
        seen[t] = (w, mean, spread, ((time == t) & (cause == 1)).sum())
    score, information = np.zeros(coef.size), np.zeros((coef.size, coef.size))
    shares = np.zeros(columns.shape)
    for t, (w, mean, spread, d) in seen.items():
        now = (time == t) & (cause == 1)
        score += (columns[now] - mean).sum(axis=0)
        information += d * spread
        shares[now] += columns[now] - mean
        shares -= (columns - mean) * (w * d / w.sum())[:, None]
    for g in np.unique(group):
        for u in np.unique(time[(group == g) & (cause == 0)]):
            earlier = (group == g) & (cause == 2) & (time < u)
            q = sum(
                ((columns[earlier] - mean) * (w[earlier] * d / w.sum())[:, None]).sum(axis=0)
                for t, (w, mean, _, d) in seen.items()
                if t >= u
            )
            at_risk = (group == g) & (time >= u)
            lost = (group == g) & (time == u) & (cause == 0)
            shares[lost] += q / at_risk.sum()
            shares[at_risk] -= q * lost.sum() / at_risk.sum() ** 2
    return score, information, shares


def test_unit_order_and_origin_do_not_matter():
    time, cause, columns = random_sample(90, 3)
    turned = np.random.default_rng(4).permutation(90)
    moved = columns[turned] * [1, 12] + [0, 1000]
    fit, same = fine_gray(time, cause, columns), fine_gray(time[turned] / 30.4375, cause[turned], moved)
    assert_allclose(same.coef * [1, 12], fit.coef, rtol=1e-7)
    assert_allclose(same.std_error * [1, 12], fit.std_error, rtol=1e-7)
    assert same.wald_test.statistic == pytest.approx(fit.wald_test.statistic)


def test_an_arm_without_the_event_has_an_infinite_coefficient_and_says_so():
    fit = fine_gray([1, 2, 3, 4, 5, 6], [1, 1, 1, 2, 0, 2], [1, 1, 1, 0, 0, 0])
    assert fit.coef[0] == np.inf
    assert np.isnan(fit.std_error[0])
    assert not fit.converged
    assert "Infinite coefficient of 1 column" in fit.reason


def test_refusals():
    with pytest.raises(AnalysisError, match="No event of cause 2 among 3 people"):
        fine_gray([1, 2, 3], [1, 1, 0], [0, 1, 1], of=2)
    with pytest.raises(AnalysisError, match="same for everybody"):
        fine_gray([1, 2, 3], [1, 1, 0], [1, 1, 1])
    with pytest.raises(AnalysisError, match="Collinear"):
        fine_gray([1, 2, 3, 4], [1, 1, 0, 1], [[0, 1], [1, 3], [1, 3], [0, 1]])
    with pytest.raises(AnalysisError, match="covariates is missing or not finite for 1 of 3"):
        fine_gray([1, 2, 3], [1, 1, 0], [0, 1, np.nan])
    with pytest.raises(AnalysisError, match="cause has 1 of 3 entries"):
        fine_gray([1, 2, 3], [1, 4, 0], [0, 1, 1])
    with pytest.raises(AnalysisError, match="differ in length"):
        fine_gray([1, 2, 3], [1, 1, 0], [0, 1, 1], censoring_group=[1, 1])


@pytest.mark.slow
def test_finds_a_subdistribution_hazard_ratio_and_covers_it():
    """Fine and Gray (1999), section 4: F1(t | z) = 1 - (1 - p (1 - exp(-t)))^exp(b z), b = 0.7, p = 0.5."""
    rng = np.random.default_rng(5)
    estimates, covered = [], 0
    for _ in range(400):
        z = np.repeat([0, 1], 150)
        ratio = np.exp(0.7 * z)
        ever = 1 - 0.5**ratio
        drawn = rng.random(300)
        first = drawn < ever
        latent = -np.log(1 - (1 - (1 - np.minimum(drawn, ever)) ** (1 / ratio)) / 0.5 * (1 - 1e-12))
        time = np.where(first, latent, rng.exponential(1.0, 300))
        lost = rng.uniform(0.5, 3, 300)
        fit = fine_gray(np.minimum(time, lost), np.where(time > lost, 0, np.where(first, 1, 2)), z)
        estimates.append(fit.coef[0])
        covered += abs(fit.coef[0] - 0.7) < 1.959964 * fit.std_error[0]
    error = np.std(estimates) / np.sqrt(400)
    assert np.mean(estimates) == pytest.approx(0.7, abs=3 * error + 0.02)  # 0.02: finite-sample bias
    assert covered / 400 == pytest.approx(0.95, abs=3 * np.sqrt(0.95 * 0.05 / 400))
