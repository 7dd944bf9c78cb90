"""Uniform draws and the tables through which they become values.

The same seed gives the same bytes on every platform: the only random source is
``Generator(PCG64).random``, and a uniform number becomes a value through a written table, by
addition, multiplication and division alone. Those are rounded identically everywhere; the
logarithms and exponentials of a mathematical library are not, so none is used.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import floor
from zlib import crc32

from numpy.random import PCG64, Generator, SeedSequence

#: Days in a month of the generating process; month m begins on day floor(30.4375 m).
_DAYS_PER_MONTH = 30.4375


@dataclass(frozen=True)
class Draws:
    """Independent streams of uniform numbers, one per purpose and person.

    A stream depends on the seed, the purpose and the person, and on nothing else, so that a change
    to one part of the people (their wages, say) leaves every other part as it was.
    """

    seed: int

    def stream(self, purpose: str, person: int = 0) -> Iterator[float]:
        """Return an endless stream of uniform numbers in [0, 1)."""
        key = (crc32(purpose.encode("ascii")), person)
        generator = Generator(PCG64(SeedSequence(self.seed, spawn_key=key)))
        while True:
            yield from generator.random(8).tolist()


@dataclass(frozen=True)
class Quantiles:
    """A distribution given by points (probability, value), straight lines in between."""

    chances: tuple[float, ...]
    values: tuple[float, ...]

    def value(self, uniform: float) -> float:
        """Return the quantile at ``uniform``."""
        right = min(bisect_right(self.chances, uniform), len(self.chances) - 1)
        low, high = self.chances[right - 1], self.chances[right]
        share = (uniform - low) / (high - low)
        return self.values[right - 1] + share * (self.values[right] - self.values[right - 1])

    def whole(self, uniform: float, *, per_unit: int = 1) -> int:
        """Return the quantile as a whole number of steps, ``per_unit`` of them to one unit."""
        return floor(self.value(uniform) * per_unit + 0.5)


@dataclass(frozen=True)
class Weights:
    """A list of codes, each with a whole-number weight."""

    codes: tuple[str, ...]
    weights: tuple[int, ...]

    def code(self, uniform: float) -> str:
        """Return the code in whose share of [0, 1) ``uniform`` falls."""
        return self.codes[position(self.weights, uniform)]

    def share(self, code: str) -> float:
        """Return the probability of ``code``; 0 for a code that is not in the list."""
        return sum(w for c, w in zip(self.codes, self.weights, strict=True) if c == code) / sum(self.weights)


@dataclass(frozen=True)
class Hazard:
    """The probability per month that something happens to someone to whom it has not happened yet.

    Piecewise constant: ``levels[j]`` holds from month ``months[j]`` on, the last one for good.
    """

    months: tuple[int, ...]
    levels: tuple[float, ...]

    def in_month(self, month: int, multiplier: float = 1.0) -> float:
        """Return the probability in ``month`` (0 = the first), multiplied and at most 1."""
        return min(self.levels[bisect_right(self.months, month) - 1] * multiplier, 1.0)

    def day(self, uniform: float, months: int, multiplier: float = 1.0) -> int | None:
        """Return the day on which it happens, or None if not within ``months`` months.

        The month is the first whose cumulative probability exceeds ``uniform``; within it every
        day is equally likely.
        """
        free = 1.0
        for month in range(months):
            chance = free * self.in_month(month, multiplier)
            happened = 1.0 - free
            if uniform < happened + chance:
                first, after = month_start(month), month_start(month + 1)
                share = max(0.0, (uniform - happened) / chance)
                return min(first + floor(share * (after - first)), after - 1)
            free -= chance
        return None


def position(weights: Sequence[int], uniform: float) -> int:
    """Return the index in whose share of [0, 1) ``uniform`` falls, given whole-number weights."""
    target, total = floor(uniform * sum(weights)), 0
    for index, weight in enumerate(weights):
        total += weight
        if target < total:
            return index
    raise ValueError("uniform is not below 1")  # pragma: no cover - Generator.random is below 1


def shuffled(codes: Sequence[str], uniforms: Iterator[float]) -> list[str]:
    """Return ``codes`` in random order (Fisher and Yates)."""
    order = list(codes)
    for last in range(len(order) - 1, 0, -1):
        other = floor(next(uniforms) * (last + 1))
        order[last], order[other] = order[other], order[last]
    return order


def month_start(month: int) -> int:
    """Return the first study day of month ``month`` (0 = the first)."""
    return floor(_DAYS_PER_MONTH * month)
