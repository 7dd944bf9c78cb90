import numpy as np
import pytest
from scipy.linalg import fractional_matrix_power

from ipseval.stats.repeated.sandwich_corrections import CORRECTIONS, corrected

DRAW = np.random.default_rng(8)


def leverage(*eigenvalues):
    vectors = np.linalg.qr(DRAW.normal(size=(3, 3)))[0]
    return vectors @ np.diag(eigenvalues) @ vectors.T


# Both sides of the leverage from which eigenvectors are computed, and none at all.
LEVERAGES = [leverage(0.0, 0.0, 0.0), leverage(1e-9, 0.0, 1e-3), leverage(0.03, 0.03, 0.039)]
LEVERAGES += [leverage(0.0, 0.02, 0.09), leverage(0.0, 0.3, 0.95)]


@pytest.mark.parametrize("name", CORRECTIONS)
def test_powers_are_those_of_scipy(name):
    score = DRAW.normal(size=(3, 2, len(LEVERAGES)))
    found = corrected(np.stack(LEVERAGES, axis=-1), score)[name]
    for one, matrix in enumerate(LEVERAGES):
        power = fractional_matrix_power(np.eye(3) - matrix, -CORRECTIONS[name])
        np.testing.assert_allclose(found[:, :, one], power @ score[:, :, one], rtol=1e-11, atol=1e-12)
