import numpy as np
import pytest

from ipseval.stats.repeated.panel_columns import SeparableColumns, WholeColumns, columns
from ipseval.stats.repeated.working_correlation import CORRELATIONS, WorkingCorrelation

N, T = 7, 4
DRAW = np.random.default_rng(6)
AGE, ARM, TIME = DRAW.normal(size=N), np.arange(N) % 2 - 0.37, np.arange(T) / 30.0
#: Level, arm, age, time, arm by time, and one month: each a number of the person times one of the visit.
PARTS = (
    (np.ones(N), np.ones(T)),
    (ARM, np.ones(T)),
    (AGE, np.ones(T)),
    (np.ones(N), TIME),
    (ARM, TIME),
    (np.ones(N), np.arange(T) == 2),
)
DESIGN = np.stack([np.multiply.outer(person, visit) for person, visit in PARTS], axis=-1)
APART = np.abs(np.subtract.outer(np.arange(T), np.arange(T)))
MATRICES = {
    "independence": np.eye(T),
    "exchangeable": np.where(APART == 0, 1.0, 0.3),
    "ar1": 0.6**APART,
    "unstructured": np.corrcoef(DRAW.normal(size=(T, 30))),
}


def whole(design):
    return WholeColumns(np.ascontiguousarray(design.transpose(2, 1, 0)))


def test_products_of_person_and_visit_are_found_and_share_their_profiles():
    found = columns(DESIGN)
    assert isinstance(found, SeparableColumns)
    assert len(set(found.profile[:3])) == 1  # of level, arm and age
    some = np.arange(N) > 4
    np.testing.assert_allclose(found.rows(some), whole(DESIGN).rows(some), rtol=1e-15)


def test_any_other_column_is_kept_whole():
    one = DESIGN.copy()
    one[3, 2, 4] += 1e-12
    assert isinstance(columns(one), WholeColumns)
    assert isinstance(columns(np.zeros_like(DESIGN)), SeparableColumns)  # a column of zeros breaks nothing


@pytest.mark.parametrize("kind", CORRELATIONS)
@pytest.mark.parametrize("make", [columns, whole])
def test_sums_are_those_of_matrices_person_by_person(kind, make):
    found, visits = make(DESIGN), np.arange(T)
    inverse = WorkingCorrelation(kind, MATRICES[kind]).inverse(visits)
    root, values = DRAW.random((T, N)) + 0.5, DRAW.normal(size=(T, N))
    beta = np.arange(1.0, 7.0)
    whole_inverse = np.linalg.inv(MATRICES[kind])
    products = found.products(root, inverse)
    for one in range(N):
        X, D = DESIGN[one], np.diag(root[:, one])
        np.testing.assert_allclose(found.linear(beta)[:, one], X @ beta, atol=1e-13)
        np.testing.assert_allclose(found.sums(values)[:, one], X.T @ values[:, one], atol=1e-13)
        np.testing.assert_allclose(products[:, :, one], X.T @ D @ whole_inverse @ D @ X, atol=1e-12)
        np.testing.assert_allclose(inverse.times(values)[:, one], whole_inverse @ values[:, one], atol=1e-13)


def test_the_inverse_of_some_visits_is_that_of_their_part():
    visits = np.array([0, 2, 3])
    for kind, matrix in MATRICES.items():
        found = WorkingCorrelation(kind, matrix).inverse(visits).times(np.eye(3))
        np.testing.assert_allclose(found, np.linalg.inv(matrix[np.ix_(visits, visits)]), atol=1e-13)
