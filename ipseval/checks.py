"""Argument checks shared by every room, so that each refusal has one sentence shape.

What is wrong, with the value -> how much of it there is -> what to do next.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipseval.errors import AnalysisError


def one_of(value: object, options: Collection[Any], name: str) -> None:
    """Refuse a value that is not among the options, and list them."""
    if value not in options:
        listed = ", ".join(repr(option) for option in options)
        raise AnalysisError(f"{name}={value!r} is not an option. Choose one of {listed}.")


def confidence(conf_level: float) -> float:
    """Return ``conf_level`` if it lies strictly between 0 and 1."""
    if not isinstance(conf_level, int | float | np.number) or not 0.0 < conf_level < 1.0:
        raise AnalysisError(
            f"conf_level={conf_level!r} is not between 0 and 1. Write 95% as conf_level=0.95."
        )
    return float(conf_level)


def float_array(values: ArrayLike, name: str, *, allow_missing: bool = False) -> NDArray[np.float64]:
    """Return ``values`` as floats; refuse text, and missing or infinite entries unless allowed."""
    try:
        given = np.asarray(values)
        if given.dtype.kind in "USc" or (
            given.dtype.kind == "O" and any(isinstance(v, str) for v in given.flat)
        ):
            raise TypeError("text that looks like a number is still text")
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise AnalysisError(
            f"{name} holds values that are not numbers. Convert it to numbers first."
        ) from None
    unusable = int(np.isinf(array).sum() if allow_missing else (~np.isfinite(array)).sum())
    if unusable:
        raise AnalysisError(
            f"{name} is missing or not finite for {unusable} of {array.size} entries. "
            f"Restrict the population, or say how missing values are to be counted."
        )
    return array


def count_array(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """Return whole, non-negative counts as floats, so that large products cannot overflow."""
    array = float_array(values, name)
    wrong = int(((array < 0) | (array != np.floor(array))).sum())
    if wrong:
        raise AnalysisError(
            f"{name} has {wrong} of {array.size} entries that are not whole numbers of 0 or more. "
            f"Pass counts, not proportions."
        )
    return array


def same_length(**arrays: NDArray[Any]) -> int:
    """Return the common length of the arrays, or refuse with the length of each."""
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name}: {length}" for name, length in lengths.items())
        raise AnalysisError(f"Arrays differ in length ({listed}). Pass one entry per person to each.")
    return next(iter(lengths.values()))


def boolean_array(values: ArrayLike, name: str) -> NDArray[np.bool_]:
    """Return a boolean array; 0/1 is accepted, any other code (2 for a competing event) is refused."""
    if getattr(values, "dtype", None) == np.bool_:
        return np.asarray(values)
    numbers = float_array(values, name)
    wrong = int((~np.isin(numbers, (0.0, 1.0))).sum())
    if wrong:
        raise AnalysisError(
            f"{name} has {wrong} of {numbers.size} entries other than 0 and 1. "
            f"Pass True where the event happened and False elsewhere."
        )
    return numbers.astype(np.bool_)


def not_negative(array: NDArray[Any], name: str) -> None:
    """Refuse entries below zero."""
    wrong = int((array < 0).sum())
    if wrong:
        raise AnalysisError(
            f"{name} is negative for {wrong} of {array.size} entries. "
            f"Check the dates: nothing can happen before randomisation (day 0)."
        )


def names(values: Iterable[str], name: str) -> tuple[str, ...]:
    """Return several names as a tuple; refuse a bare text, whose letters would pass for names."""
    if isinstance(values, str):
        raise AnalysisError(f"{name}={values!r} is not a list. Write {name}=[{values!r}].")
    listed = tuple(values) if isinstance(values, Iterable) else (None,)
    if not all(isinstance(value, str) for value in listed):
        raise AnalysisError(f"{name}={values!r} is not a list of names. Write {name}=['site'], say.")
    return listed


def column(value: object, name: str) -> str:
    """Return the name of one column; refuse anything else."""
    if not isinstance(value, str):
        raise AnalysisError(f"{name}={value!r} is not the name of one column. Write {name}='coach', say.")
    return value


def whole_number(value: object, name: str, *, low: int, high: int) -> int:
    """Return ``value`` if it is a whole number from ``low`` to ``high``."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not low <= value <= high:
        raise AnalysisError(f"{name}={value!r} is not a whole number from {low} to {high}.")
    return int(value)


def is_number(value: object) -> bool:
    """Whether a value is a finite number; True and False are none, although Python counts with them."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        return False
    return bool(np.isfinite(float(value)))


def named_list(names: Iterable[str], at_most: int = 3) -> str:
    """Join names for a message: the first few, then how many more."""
    listed = list(names)
    shown = ", ".join(listed[:at_most])
    rest = len(listed) - at_most
    return f"{shown} and {rest} more" if rest > 0 else shown


def number_of(count: int, noun: str) -> str:
    """Return "1 column", or "2 columns", for a message."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
