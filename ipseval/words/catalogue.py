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


@cache
def _keys_by_text() -> dict[str, str]:
    by_text = {"note.", "label."}
    return {
        languages["en"]: key
        for key, languages in _catalogue().items()
        if any(key.startswith(prefix) for prefix in by_text)
    }


def translated(note: str, lang: str = "en") -> str:
    """Return a note or label that stands in English in the results, in another language.

    A note of several parts is translated part by part; a part that the catalogue does not know, such
    as the words of an error or a trial's own label, stays as it is.

    Examples
    --------
    >>> from ipseval import words
    >>> words.translated("not defined for these data", "nl")
    'niet gedefinieerd voor deze gegevens'
    """
    parts = note.split("; ")
    keys_ = [_keys_by_text().get(part) for part in parts]
    return "; ".join(text(key, lang) if key else part for key, part in zip(keys_, parts, strict=True))


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
