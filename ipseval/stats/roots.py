"""Roots of many decreasing functions at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from ipseval.stats.tables import FloatArray

_TOLERANCE = 1e-14  # relative to a root beyond 1 in size, absolute within
_LAST_STEP = 1e-8  # of Newton's method, whose error is squared by each
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


def decreasing_root_by_slope(
    function: Callable[[FloatArray], tuple[FloatArray, FloatArray]],
    guess: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
) -> FloatArray:
    """Where decreasing functions whose slope is known cross zero, by Newton's method within a bracket.

    A step that would leave the bracket, which every value narrows, halves it instead, so that values may be
    infinite there.

    Parameters
    ----------
    function : callable
        Maps an array of arguments to values and slopes of the same shape.
    guess : array_like
        Where to begin; the middle of the bracket where it is NaN or outside.
    low, high : array_like
        Ends of the brackets; a bracket without width is its own root.

    Returns
    -------
    array
        Roots to about 1e-14.
    """
    at, a, b = (np.array(given, dtype=np.float64) for given in np.broadcast_arrays(guess, low, high))
    with np.errstate(all="ignore"):
        at = np.where((at >= a) & (at <= b), at, (a + b) / 2)
        for _ in range(_MOST_STEPS):
            value, slope = function(at)
            a, b = np.where(value > 0, at, a), np.where(value < 0, at, b)
            new = at - value / slope
            is_newton = (new >= a) & (new <= b)
            new = np.where(is_newton, new, (a + b) / 2)
            # The next error is of the order of this step squared.
            size = np.maximum(np.abs(new), 1.0)
            near = (is_newton & (np.abs(new - at) <= _LAST_STEP * size)) | (b - a <= _TOLERANCE * size)
            at = new
            if near.all():
                break
    return at


def _next_fraction(
    a: FloatArray, b: FloatArray, c: FloatArray, f_a: FloatArray, f_b: FloatArray, f_c: FloatArray
) -> FloatArray:
    """How far to go from ``a`` to ``b``: inverse quadratic interpolation if it stays inside, else half."""
    xi, phi = (a - b) / (c - b), (f_a - f_b) / (f_c - f_b)
    inside = (phi**2 < xi) & ((1 - phi) ** 2 < 1 - xi)
    linear = f_a / (f_b - f_a) * f_c / (f_b - f_c)
    quadratic = (c - a) / (b - a) * f_a / (f_c - f_a) * f_b / (f_c - f_b)
    return np.where(inside, linear + quadratic, 0.5)
