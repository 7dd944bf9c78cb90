"""One section of a TOML file, read key by key with its type; every mistake becomes a Problem.

A key that nobody asked for is unknown: the keys that are read *are* the format, so no second list
of them can go stale.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from typing import Any

from ipseval.errors import Problem
from ipseval.loading.messages import did_you_mean


class Section:
    """A table of a TOML file, with its path for messages and the list that collects problems."""

    def __init__(self, values: dict[str, Any], path: str, problems: list[Problem]) -> None:
        self._values = values
        self._asked: set[str] = set()
        self.path = path
        self.problems = problems

    def __contains__(self, key: str) -> bool:
        return key in self._values

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that the file has, in its order."""
        return tuple(self._values)

    def complain(self, key: str, rule: str, message: str, remedy: str = "") -> None:
        """Add an error about one key."""
        place = ".".join(part for part in (self.path, key) if part)
        self.problems.append(Problem("error", "trial.toml", place, rule, message, remedy))

    def _get(self, key: str, kind: type | tuple[type, ...], words: str, example: str) -> Any:
        self._asked.add(key)
        value = self._values.get(key)
        is_flag_for_number = isinstance(value, bool) and kind is not bool
        if value is None or (isinstance(value, kind) and not is_flag_for_number):
            return value
        self.complain(key, "wrong_type", f"{value!r} is not {words}.", f"Write {key} = {example}.")
        return None

    def text(self, key: str, default: str = "", options: Collection[str] = ()) -> str:
        """Return a text, one of ``options`` if those are given."""
        value = self._get(key, str, "a text in quotes", '"...", in quotes')
        if value is None:
            return default
        if options and value not in options:
            listed = ", ".join(repr(option) for option in options)
            self.complain(key, "unknown_option", f"{value!r} is not an option.", f"Choose one of {listed}.")
            return default
        return str(value)

    def flag(self, key: str) -> bool:
        """Return true or false; false when absent."""
        return bool(self._get(key, bool, "true or false", "true or false, without quotes"))

    def whole(self, key: str) -> int | None:
        """Return a whole number of 0 or more."""
        value = self._get(key, int, "a whole number", "30, say, without quotes")
        if value is not None and value < 0:
            self.complain(key, "wrong_type", f"{value} is negative.", "Write a whole number of 0 or more.")
            return None
        return value  # type: ignore[no-any-return]

    def number(self, key: str) -> float | None:
        """Return a number."""
        value = self._get(key, (int, float), "a number", "1.5, say, without quotes")
        return None if value is None else float(value)

    def day(self, key: str) -> date | None:
        """Return a TOML date, written without quotes."""
        value = self._get(key, date, "a date", "2013-01-31, say, without quotes")
        return value.date() if isinstance(value, datetime) else value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts; one text stands for a list of one, whole numbers for their digits."""
        value = self._get(key, (list, str, int), "a list of texts", '["...", "..."]')
        items = value if isinstance(value, list) else [] if value is None else [value]
        wrong = [item for item in items if isinstance(item, bool) or not isinstance(item, (str, int))]
        if wrong:
            self.complain(key, "wrong_type", f"{wrong[0]!r} is not a text.", "Put each item in quotes.")
            return ()
        return tuple(str(item) for item in items)

    def section(self, key: str) -> Section:
        """Return a section below this one; empty when absent."""
        value = self._get(key, dict, "a section of its own", "{ ... }, or a section of that name")
        return Section(value or {}, ".".join(part for part in (self.path, key) if part), self.problems)

    def close(self) -> None:
        """Report the keys that nobody asked for, each with the nearest known one."""
        for key in self._values:
            if key not in self._asked:
                self.complain(
                    key, "unknown_key", f"{key!r} is not a key here.", did_you_mean(key, sorted(self._asked))
                )
