from functools import partial

import numpy as np
import pytest

from ipseval.errors import AnalysisError
from ipseval.stats.repeated import estimating_equations as module
from ipseval.stats.repeated.alike_people import alike_people
from ipseval.stats.repeated.estimating_equations import VARIANCES, estimating_equations
from ipseval.stats.repeated.working_correlation import CORRELATIONS
from tests.reference_cases import data, expected

MONTHS = (6, 12, 18, 24, 30)
VARIANCE_NAMES = {
    "robust": "robust_se",
    "model": "naive_se",
    "mancl_derouen": "mancl_derouen_se",
    "kauermann_carroll": "kauermann_carroll_se",
}
#: model of the case: outcome, model here, whether arm x month, covariate
CASES = {
    "logit_main": ("employed", "logistic", False, "prior_work_months"),
    "logit_interaction": ("employed", "logistic", True, None),
    "log_link_binary_poisson_variance": ("employed", "poisson", False, None),
    "gaussian_qol": ("qol", "linear", False, "qol0"),
    "completers_logit_main": ("employed", "logistic", False, "prior_work_months"),
}
FITS = [
    (case, name) for case in CASES for name in expected("c6_gee_alpha")[case] if not name.startswith("moment")
]


def rows(case):
    outcome, model, interaction, covariate = CASES[case]
    found = data("c6_gee_alpha")
    found = found[found["employed"].notna()]
    found = found[found[outcome].notna()]
    if case.startswith("completers"):
        found = found[found.groupby("pid")["pid"].transform("size") == 5]
    arm, month = found["arm"].to_numpy(float), found["month"].to_numpy()
    months = np.column_stack([month == later for later in MONTHS[1:]]).astype(float)
    parts = [np.ones(len(found)), arm, months]
    parts += [found[covariate].to_numpy()] if covariate else []
    parts += [months * arm[:, None]] if interaction else []
    return (found[outcome].to_numpy(float), np.column_stack(parts), found["pid"], month), model


def theirs_and_ours(case, name, correlation):
    """Yield every number of geepack with ours."""
    theirs = expected("c6_gee_alpha")[case][name]
    arguments, model = rows(case)
    fit = estimating_equations(*arguments, model=model, correlation=correlation)
    assert fit.converged
    yield fit.coefficients, list(theirs["coef"].values())
    for variance, key in VARIANCE_NAMES.items():
        yield np.sqrt(np.diag(fit.covariances[variance])), list(theirs[key].values())
    yield fit.dispersion, theirs["scale_phi"]


@pytest.mark.parametrize(("case", "name"), FITS)
def test_at_its_correlation_every_number_is_that_of_geepack(case, name):
    alpha = list(expected("c6_gee_alpha")[case][name]["alpha"].values() if name != "independence" else [0.0])
    apart = np.abs(np.subtract.outer(np.arange(5), np.arange(5)))
    if name == "unstructured":
        correlation = np.eye(5)
        correlation[np.triu_indices(5, 1)] = alpha
        correlation = np.maximum(correlation, correlation.T)
    else:
        correlation = alpha[0] ** apart if name == "ar1" else np.where(apart > 0, alpha[0], 1.0)
    for ours, theirs in theirs_and_ours(case, name, correlation):
        # alpha is given with 15 digits, and their iterations stop at a relative change of 1e-12
        np.testing.assert_allclose(ours, theirs, rtol=1e-7)


@pytest.mark.parametrize(("case", "name"), FITS)
def test_the_correlation_is_that_of_geepack(case, name):
    for ours, theirs in theirs_and_ours(case, name, name):
        # geepack weighs the pairs of an autoregressive correlation by a scheme of its own.
        np.testing.assert_allclose(ours, theirs, rtol=0.03 if name == "ar1" else 2e-4)


def small(seed=2, n=40):
    rng = np.random.default_rng(seed)
    person, visit = np.divmod(np.arange(4 * n), 4)
    arm = (person % 2).astype(float)
    y = (rng.random(4 * n) < 0.3 + 0.2 * arm).astype(float)
    kept = rng.random(4 * n) < 0.8
    return y[kept], np.column_stack([np.ones(4 * n), arm])[kept], person[kept], visit[kept]


def test_corrections_are_those_of_the_formula_with_whole_matrices():
    y, X, person, visit = small()
    fit = estimating_equations(y, X, person, visit, correlation="ar1")
    mean = 1.0 / (1.0 + np.exp(-X @ fit.coefficients))
    weight = mean * (1.0 - mean)
    bread, meats = np.zeros((2, 2)), {name: np.zeros((2, 2)) for name in VARIANCES[:3]}
    people = []
    for one in np.unique(person):
        mine = person == one
        slope = X[mine] * weight[mine, None]
        root = np.sqrt(weight[mine])
        inverse = np.linalg.inv(np.outer(root, root) * fit.correlation[np.ix_(visit[mine], visit[mine])])
        people.append((slope, inverse, (y - mean)[mine]))
        bread += slope.T @ inverse @ slope
    bread = np.linalg.inv(bread)
    for slope, inverse, residual in people:
        left = np.eye(len(residual)) - slope @ bread @ slope.T @ inverse
        values, vectors = np.linalg.eig(left)
        root = (vectors / np.sqrt(values)) @ np.linalg.inv(vectors)
        powers = {
            "robust": np.eye(len(residual)),
            "mancl_derouen": np.linalg.inv(left),
            "kauermann_carroll": root.real,
        }
        for name, power in powers.items():
            score = slope.T @ inverse @ power @ residual
            meats[name] += np.outer(score, score)
    for name, meat in meats.items():
        np.testing.assert_allclose(fit.covariances[name], bread @ meat @ bread, rtol=1e-8)


def test_order_labels_and_reversed_outcomes():
    y, X, person, visit = small()
    fit = estimating_equations(y, X, person, visit)
    order = np.random.default_rng(0).permutation(len(y))
    other = estimating_equations(1.0 - y[order], X[order], person[order].astype(str), visit[order])
    np.testing.assert_allclose(other.coefficients, -fit.coefficients, atol=1e-9)
    for name in VARIANCES:
        np.testing.assert_allclose(other.covariances[name], fit.covariances[name], rtol=1e-7)


def test_the_contrast_is_a_t_interval_of_people_less_coefficients():
    fit = estimating_equations(*small())
    found = fit.contrast([0.0, 1.0], variance="robust")
    assert found.df == fit.n_people - 2
    assert found.std_error == pytest.approx(np.sqrt(fit.covariances["robust"][1, 1]))
    with pytest.raises(AnalysisError, match="3 numbers for 2 coefficients"):
        fit.contrast([0.0, 1.0, 0.0])


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        (lambda y, x, p, v: (y, x, p), {"correlation": "ar1"}, "Pass visit="),
        (lambda y, x, p, v: (y, x, p, 0 * v), {}, "rows repeat a visit of the same person"),
        (lambda y, x, p, v: (y, x, p % 2, np.arange(len(y))), {}, "2 people cannot bear 2 coefficients"),
        (lambda y, x, p, v: (x[:, 1], x, p, v), {}, "column 1"),
        (
            lambda y, x, p, v: (y, x, p, np.where(p < 20, v, v + 9)),
            {"correlation": "unstructured"},
            "never seen",
        ),
    ],
)
def test_what_cannot_be_fitted_is_said(change, options, said):
    with pytest.raises(AnalysisError, match=said):
        estimating_equations(*change(*small()), **options)


def test_adding_up_alike_people_changes_nothing():
    rng = np.random.default_rng(4)
    person, visit = np.divmod(np.arange(600), 3)
    X = np.column_stack([np.ones(600), person % 2, visit, visit * (person % 2)]).astype(float)
    y = (rng.random(600) < 0.3 + 0.1 * (person % 2)).astype(float)
    kept = rng.random(600) < 0.9
    collapsed = alike_people(y[kept], X[kept], person[kept], visit[kept], collapse=True)
    assert any(group.products is not None for group in collapsed)
    assert sum(group.people.sum() for group in collapsed) == len(np.unique(person[kept]))
    for correlation in ("exchangeable", "unstructured"):
        ours = estimating_equations(y[kept], X[kept], person[kept], visit[kept], correlation=correlation)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "alike_people", partial(by_person, alike_people))
            each = estimating_equations(y[kept], X[kept], person[kept], visit[kept], correlation=correlation)
        np.testing.assert_allclose(ours.coefficients, each.coefficients, rtol=1e-9, atol=1e-12)
        for name in VARIANCES:
            np.testing.assert_allclose(ours.covariances[name], each.covariances[name], rtol=1e-9)


@pytest.mark.parametrize("correlation", CORRELATIONS)
def test_taking_columns_apart_changes_nothing(correlation):
    """A covariate of the person is taken apart; with one number changed by a little the columns are whole."""
    rng = np.random.default_rng(5)
    person, visit = np.divmod(np.arange(400), 4)
    X = np.column_stack([np.ones(400), person % 2, visit, rng.normal(size=100)[person]])
    y = (rng.random(400) < 0.3 + 0.1 * (person % 2)).astype(float)
    other = X.copy()
    other[7, 3] *= 1.0 + 1e-13
    apart, whole = (
        estimating_equations(y, each, person, visit, correlation=correlation) for each in (X, other)
    )
    np.testing.assert_allclose(apart.coefficients, whole.coefficients, rtol=1e-9, atol=1e-12)
    for name in VARIANCES:
        np.testing.assert_allclose(apart.covariances[name], whole.covariances[name], rtol=1e-9)


def test_many_rows_that_are_separated_are_refused_as_few_are():
    """A part of the people says where to begin; it does not hide what they all say."""
    person = np.arange(20_000) // 10
    rng = np.random.default_rng(9)
    y = (rng.random(20_000) < 0.4).astype(float)
    rare = np.isin(person, (3, 1203))
    y[rare] = 1.0
    with pytest.raises(AnalysisError, match="separated"):
        estimating_equations(
            y, np.column_stack([np.ones(20_000), rng.normal(size=2000)[person], rare]), person
        )


def by_person(gather, *arguments, collapse):
    return gather(*arguments, collapse=False)


def test_missing_labels_are_refused():
    y, X, person, visit = small()
    with pytest.raises(AnalysisError, match="person is missing for 1 of"):
        estimating_equations(y, X, np.where(np.arange(len(y)) == 3, np.nan, person), visit)


def test_without_anybody_seen_twice_there_is_no_correlation():
    y, X, person, visit = small()
    once = np.unique(person, return_index=True)[1]
    with pytest.raises(AnalysisError, match="Nobody was seen at two visits"):
        estimating_equations(y[once], X[once], person[once], visit[once])
    assert estimating_equations(
        y[once], X[once], person[once], visit[once], correlation="independence"
    ).converged
