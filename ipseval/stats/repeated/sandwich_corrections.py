"""Corrections of a sandwich variance for few people: residuals of people with leverage are too small."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Power of (I - H)^-1 that each correction takes.
CORRECTIONS = {"robust": 0.0, "mancl_derouen": 1.0, "kauermann_carroll": 0.5}

#: The leverages of all people add up to the number of columns p, so that at most 10 p people are beyond this.
_LARGE = 0.1
_SMALL_TERM = 1e-14


def corrected(leverage: Floats, score: Floats) -> dict[str, Floats]:
    """Return (I - A)^-power s of each person, for each of `CORRECTIONS`.

    Parameters
    ----------
    leverage : (p, p, n) array
        A, symmetric with eigenvalues from 0 to 1.
    score : (p, r, n) array
        s, a column or several.

    Notes
    -----
    The binomial series of (I - A)^-power falls by a factor of ten a term, or faster, for nearly everyone; the
    few with a larger leverage have their eigenvectors computed.
    """
    is_large = np.einsum("iin->n", leverage) > _LARGE
    small = np.where(is_large, 0.0, leverage)
    found = {name: score.copy() for name in CORRECTIONS}
    coefficient = dict.fromkeys(CORRECTIONS, 1.0)
    term, order, least = score, 0, _SMALL_TERM * float(np.abs(score).max())
    while float(np.abs(term).max()) > least:
        term = np.einsum("ijn,jrn->irn", small, term)
        for name, power in CORRECTIONS.items():
            coefficient[name] *= (power + order) / (order + 1.0)
            if power:
                found[name] += coefficient[name] * term
        order += 1
    values, vectors = np.linalg.eigh(np.moveaxis(leverage[:, :, is_large], -1, 0))
    along = np.swapaxes(vectors, 1, 2) @ np.moveaxis(score[:, :, is_large], -1, 0)
    for name, power in CORRECTIONS.items():
        stretched = (1.0 - np.clip(values, 0.0, 1.0 - 1e-12)) ** -power
        found[name][:, :, is_large] = np.moveaxis(vectors @ (stretched[:, :, None] * along), 0, -1)
    return found
