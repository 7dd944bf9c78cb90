"""Read the codes of a category: declared ones, source codes that the mapping translates, no others.

Two spellings of one code are never merged in silence: the error names them and the lines to add.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from ipseval.loading.cells import Fault
from ipseval.loading.mapping import TableSource, toml_key
from ipseval.loading.messages import quoted, toml_list


def read_codes(
    texts: Sequence[str],
    *,
    source: TableSource,
    column: str,
    allowed: Collection[str],
    labels: Mapping[str, str],
) -> dict[str, str | Fault]:
    """Return for each distinct source code its canonical code, or the fault it has.

    Parameters
    ----------
    texts : distinct source codes
    allowed : canonical codes
        Empty when the trial leaves the list open: then every spelling is a code of its own, and two
        spellings that differ in case or spaces alone are a fault.
    labels : mapping of source code to the value label that the file gives it
        A label is looked up where the code itself says nothing.
    """
    codes = source.codes.get(column, {})
    read: dict[str, str | Fault] = {}
    for text in texts:
        label = labels.get(text, "")
        named = codes.get(text) or codes.get(label) or (label if label in allowed else "")
        if named or text in allowed or not allowed:
            read[text] = named or text
    unknown = [text for text in texts if text not in read]
    twins = _twins(unknown, allowed) if allowed else _variants(code for code in texts if code not in codes)
    place = f"[tables.{source.name}.codes.{column}]"
    for text in unknown:
        read[text] = _undeclared([code for code in unknown if code not in twins], allowed, place)
    spelling = _spelling(twins, place) if twins else None
    return {**read, **dict.fromkeys(twins, spelling)} if spelling else read


def _same(code: str) -> str:
    """A code without its case and its spaces at either end or in a row."""
    return " ".join(code.split()).casefold()


def _twins(unknown: Iterable[str], allowed: Collection[str]) -> dict[str, str]:
    """Return the unknown codes that are a declared code in another spelling, with that code."""
    declared = {_same(code): code for code in allowed}
    return {code: declared[_same(code)] for code in unknown if _same(code) in declared}


def _variants(texts: Iterable[str]) -> dict[str, str]:
    """Return the codes of an open list that differ in case or spaces alone, with a name for each group."""
    groups: dict[str, list[str]] = defaultdict(list)
    for text in texts:
        groups[_same(text)].append(text)
    return {text: min(group).strip() for group in groups.values() if len(group) > 1 for text in group}


def _spelling(twins: Mapping[str, str], place: str) -> Fault:
    groups: dict[str, list[str]] = defaultdict(list)
    for spelling, code in sorted(twins.items()):
        groups[code].append(spelling)
    spellings = "; ".join(f"{quoted(group)} for {code!r}" for code, group in groups.items())
    lines = [f"{toml_key(code)} = {toml_list(group)}" for code, group in groups.items()]
    remedy = "If they are the same, add to trial.toml:\n" + "\n".join([place, *lines])
    return Fault("code_spelling", "[spells|spell] a code in another way: {shown}", remedy, spellings)


def _undeclared(codes: Sequence[str], allowed: Collection[str], place: str) -> Fault:
    # CODE is refused when it is pasted as it stands: which code is meant is never suggested.
    line = f"CODE = {toml_list(codes[:1])}"
    return Fault(
        "undeclared_code",
        "[is a code|are codes] that [is|are] not declared: {shown}",
        f"Say what each means, with a declared code in place of CODE:\n{place}\n{line}",
        f"{quoted(sorted(codes))} (declared: {quoted(allowed, 12)})",
    )
