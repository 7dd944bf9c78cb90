"""Look up a text by key and language, and fill in its fields."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

from ipseval import checks

LANGUAGES = ("en", "nl", "fr", "de")


@cache
def _catalogue() -> dict[str, dict[str, str]]:
    """Every text of every topic file: dotted key -> language -> text."""
    found: dict[str, dict[str, str]] = {}
    folder = files("ipseval.words") / "texts"
    for file in sorted(folder.iterdir(), key=lambda item: item.name):
        if file.name.endswith(".toml"):
            _flatten(tomllib.loads(file.read_text(encoding="utf-8")), "", found)
    return found


def _flatten(node: dict[str, object], prefix: str, found: dict[str, dict[str, str]]) -> None:
    if all(isinstance(value, str) for value in node.values()):
        if prefix in found:
            raise ValueError(f"the catalogue of words has {prefix!r} twice")
        found[prefix] = {language: str(value) for language, value in node.items()}
        return
    for name, value in node.items():
        if not isinstance(value, dict):
            raise ValueError(f"the catalogue of words has a stray text at {prefix}.{name}")
        _flatten(value, f"{prefix}.{name}" if prefix else name, found)


def keys() -> tuple[str, ...]:
    """Every key of the catalogue."""
    return tuple(_catalogue())


def has(key: str) -> bool:
    """Whether the catalogue has a text under ``key``."""
    return key in _catalogue()


def text(key: str, lang: str = "en", /, **fields: object) -> str:
    """Return the text under ``key`` in ``lang`` with its ``{fields}`` filled in.

    Raises
    ------
    AnalysisError
        For a language that the catalogue does not have.
    KeyError
        For a key that does not exist, which is a fault of ours and not the user's.

    Examples
    --------
    >>> from ipseval import words
    >>> words.text("unit.days", "nl")
    'dagen'
    """
    checks.one_of(lang, LANGUAGES, "lang")
    return _catalogue()[key][lang].format(**fields)
