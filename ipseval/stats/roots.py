"""Roots of many decreasing functions at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from ipseval.stats.tables import FloatArray

_TOLERANCE = 1e-14  # relative to a root beyond 1 in size, absolute within
_MOST_STEPS = 200  # far beyond what halving alone needs from any finite bracket


def decreasing_root(
    function: Callable[[FloatArray], FloatArray], low: ArrayLike, high: ArrayLike
) -> FloatArray:
    """Where decreasing functions cross zero, by Chandrupatla's bracketing method.

    Interpolates where the last three points allow it and halves the bracket where they do not, so
    that values may be infinite. A function that is never positive gives ``low``, one that is never
    negative gives ``high``: the bracket is the range of the answer.

    Parameters
    ----------
    function : callable
        Maps an array of arguments to an array of values of the same shape.
    low, high : array_like
        Ends of the brackets.

    Returns
    -------
    array
        Roots to about 1e-14; NaN where an end is NaN.

    References
    ----------
    Chandrupatla (1997), Advances in Engineering Software 28:145-149.
    """
    a, b = (np.array(end, dtype=np.float64) for end in np.broadcast_arrays(low, high))
    with np.errstate(all="ignore"):
        f_a, f_b = function(a), function(b)
        a, b = np.where(f_b >= 0, b, a), np.where(f_a <= 0, a, b)
        fraction = np.full(a.shape, 0.5)
        for _ in range(_MOST_STEPS):
            # a is the newest point, b the other end of the bracket, c the point that was left out
            new = a + fraction * (b - a)
            f_new = function(new)
            same_side = (f_new > 0) == (f_a > 0)
            c, f_c = np.where(same_side, a, b), np.where(same_side, f_a, f_b)
            b, f_b = np.where(same_side, b, a), np.where(same_side, f_b, f_a)
            a, f_a = new, f_new
            least = _TOLERANCE * np.maximum(np.abs(a), 1.0) / np.abs(b - a)
            if not ((least < 0.5) & (f_a != 0)).any():
                break
            fraction = np.clip(_next_fraction(a, b, c, f_a, f_b, f_c), least, 1 - least)
    root: FloatArray = np.where(np.abs(f_a) <= np.abs(f_b), a, b)
    return root


def narrowed(
    function: Callable[[FloatArray], FloatArray],
    inner: tuple[FloatArray, FloatArray],
    outer: tuple[FloatArray, FloatArray],
) -> tuple[FloatArray, FloatArray]:
    """Return brackets of the roots of decreasing functions that use a guess where it holds.

    Parameters
    ----------
    function : callable
        As for `decreasing_root`.
    inner : tuple of arrays
        Between which a root probably lies; NaN where there is no guess.
    outer : tuple of arrays
        Between which it certainly lies.
    """
    (left, right), (low, high) = inner, outer
    with np.errstate(all="ignore"):
        at_left, at_right = function(left), function(right)
    low = np.where(at_right > 0, right, np.where(at_left > 0, left, low))
    high = np.where(at_left < 0, left, np.where(at_right < 0, right, high))
    return low, high


def _next_fraction(
    a: FloatArray, b: FloatArray, c: FloatArray, f_a: FloatArray, f_b: FloatArray, f_c: FloatArray
) -> FloatArray:
    """How far to go from ``a`` to ``b``: inverse quadratic interpolation if it stays inside, else half."""
    xi, phi = (a - b) / (c - b), (f_a - f_b) / (f_c - f_b)
    inside = (phi**2 < xi) & ((1 - phi) ** 2 < 1 - xi)
    linear = f_a / (f_b - f_a) * f_c / (f_b - f_c)
    quadratic = (c - a) / (b - a) * f_a / (f_c - f_a) * f_b / (f_c - f_b)
    return np.where(inside, linear + quadratic, 0.5)
