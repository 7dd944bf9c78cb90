"""Reading one section of a design file: every key is typed, and unknown keys are refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from difflib import get_close_matches
from itertools import pairwise
from typing import Any

from ipseval.checks import named_list, number_of
from ipseval.errors import PlanError
from ipseval.simulation.draws import Hazard, Quantiles, Weights

_MISSING = object()


class Section:
    """A table of a TOML file, read key by key; ``close`` refuses keys that nobody asked for."""

    def __init__(self, content: Mapping[str, Any], path: str = "") -> None:
        self._content = content
        self._path = path
        self._known: dict[str, None] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._content

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys written in the file, in order."""
        return tuple(self._content)

    def place(self, key: str) -> str:
        """Return the full name of ``key``, as an error message shows it."""
        return f"{self._path}.{key}" if self._path else key

    def _take(self, key: str, kinds: type | tuple[type, ...], what: str, default: Any = _MISSING) -> Any:
        self._known[key] = None
        value = self._content.get(key, default)
        if value is _MISSING:
            hint = get_close_matches(key, [other for other in self._content if other not in self._known], 1)
            found = f" (found {hint[0]!r}: is that it?)" if hint else ""
            raise PlanError(f"{self.place(key)} is missing{found}. Write {what} for it.")
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in _as_tuple(kinds)):
            raise PlanError(f"{self.place(key)} = {value!r} is not {what}. Write {what}.")
        return value

    def text(self, key: str, default: Any = _MISSING) -> str:
        """Return a text."""
        return str(self._take(key, str, "a text", default))

    def texts(self, key: str, default: Any = _MISSING) -> tuple[str, ...]:
        """Return a list of texts."""
        return tuple(str(item) for item in self._take(key, (list, tuple), "a list of texts", default))

    def day(self, key: str) -> date:
        """Return a date."""
        value: date = self._take(key, date, "a date such as 2010-06-30")
        return value

    def whole(self, key: str, default: Any = _MISSING, *, low: int = 0) -> int:
        """Return a whole number of ``low`` or more."""
        value = int(self._take(key, int, "a whole number", default))
        if value < low:
            raise PlanError(
                f"{self.place(key)} = {value} is below {low}. Write a whole number from {low} on."
            )
        return value

    def number(self, key: str, default: Any = _MISSING, *, low: float = -1e9, high: float = 1e9) -> float:
        """Return a number between ``low`` and ``high``."""
        value = float(self._take(key, (int, float), "a number", default))
        if not low <= value <= high:
            raise PlanError(f"{self.place(key)} = {value:g} is outside {low:g} to {high:g}.")
        return value

    def chance(self, key: str, default: Any = _MISSING) -> float:
        """Return a probability."""
        return self.number(key, default, low=0.0, high=1.0)

    def multiplier(self, key: str, default: Any = _MISSING) -> float:
        """Return a number of 0 or more."""
        return self.number(key, default, low=0.0)

    def numbers(self, key: str, length: int, default: float | None = None) -> tuple[float, ...]:
        """Return a list of ``length`` numbers; a key left out is ``default`` throughout."""
        fallback = _MISSING if default is None else [default] * length
        values = self._take(key, list, f"a list of {length} numbers", fallback)
        if len(values) != length:
            raise PlanError(
                f"{self.place(key)} has {len(values)} numbers, not {length}. Write one per class."
            )
        inner = Section({str(i): value for i, value in enumerate(values)}, self.place(key))
        return tuple(inner.number(str(i)) for i in range(length))

    def wholes(self, key: str) -> tuple[int, ...]:
        """Return a list of whole numbers that increase."""
        values = self._take(key, list, "a list of whole numbers")
        inner = Section({str(i): value for i, value in enumerate(values)}, self.place(key))
        numbers = tuple(inner.whole(str(i), low=1) for i in range(len(values)))
        if not numbers or any(b <= a for a, b in pairwise(numbers)):
            raise PlanError(f"{self.place(key)} = {list(numbers)} does not increase. List months in order.")
        return numbers

    def section(self, key: str, *, optional: bool = False) -> Section:
        """Return a section inside this one; an optional one that is left out is empty."""
        return Section(self._take(key, dict, "a section", {} if optional else _MISSING), self.place(key))

    def per(self, key: str, names: Collection[str], *, optional: bool = False) -> Section:
        """Return a section whose keys must be among ``names``, and all of them unless optional."""
        inner = self.section(key, optional=optional)
        inner._known = dict.fromkeys(names)
        inner.close()
        if not optional:
            for name in names:
                inner._take(name, object, "a value")
        return inner

    def weights(self, key: str, codes: Collection[str] = ()) -> Weights:
        """Return codes with whole-number weights; with ``codes`` given, only those are accepted."""
        inner = self.per(key, codes, optional=True) if codes else self.section(key)
        found = {code: inner.whole(code) for code in inner.keys}
        if not sum(found.values()):
            raise PlanError(f"{self.place(key)} has no weight above 0. Write CODE = WEIGHT, whole numbers.")
        return Weights(tuple(found), tuple(found.values()))

    def _points(self, key: str, what: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
        points = self._take(key, list, what)
        if not points or not all(_is_point(point) for point in points):
            raise PlanError(f"{self.place(key)} is not {what}. Write pairs of numbers in square brackets.")
        lows, values = zip(*points, strict=True)
        if any(b <= a for a, b in pairwise(lows)):
            raise PlanError(
                f"{self.place(key)}: the first number of each pair must increase. Order the pairs."
            )
        return tuple(map(float, lows)), tuple(map(float, values))

    def quantiles(self, key: str) -> Quantiles:
        """Return a distribution written as [[0, lowest], ..., [1, highest]]."""
        chances, values = self._points(key, "a list of [probability, value] from 0 to 1")
        if len(chances) < 2 or chances[0] != 0 or chances[-1] != 1:
            raise PlanError(f"{self.place(key)} does not run from probability 0 to 1. Add the end points.")
        if any(b < a for a, b in pairwise(values)):
            raise PlanError(f"{self.place(key)}: values fall somewhere. Quantiles never decrease.")
        return Quantiles(chances, values)

    def hazard(self, key: str) -> Hazard:
        """Return a hazard written as [[0, chance per month], [from month, chance per month], ...]."""
        months, levels = self._points(key, "a list of [from month, chance per month]")
        if months[0] != 0 or any(month != int(month) for month in months):
            raise PlanError(f"{self.place(key)} must start at month 0 and step at whole months.")
        if not all(0 <= level <= 1 for level in levels):
            raise PlanError(f"{self.place(key)} has a chance outside 0 to 1. Write 0.02 for 2% a month.")
        return Hazard(tuple(map(int, months)), levels)

    def hazards(self, key: str, names: Collection[str]) -> dict[str, Hazard]:
        """Return one hazard for each of ``names``."""
        inner = self.per(key, names)
        return {name: inner.hazard(name) for name in names}

    def close(self) -> None:
        """Refuse keys that are not part of the format, naming the nearest that is."""
        unknown = [key for key in self._content if key not in self._known]
        if not unknown:
            return
        hints = {key: get_close_matches(key, self._known, 1, cutoff=0.5) for key in unknown}
        named = [
            f"{self.place(key)!r}" + (f" (did you mean {h[0]!r}?)" if h else "") for key, h in hints.items()
        ]
        known = named_list(list(self._known), 12) or "none"
        raise PlanError(
            f"The design has {number_of(len(unknown), 'key')} that it cannot have: {', '.join(named)}. "
            f"Rename or remove them; known here: {known}."
        )


def _as_tuple(kinds: type | tuple[type, ...]) -> tuple[type, ...]:
    return kinds if isinstance(kinds, tuple) else (kinds,)


def _is_point(point: object) -> bool:
    return (
        isinstance(point, list)
        and len(point) == 2
        and all(isinstance(item, (int, float)) and not isinstance(item, bool) for item in point)
    )
