"""Numbers as a reader of each language expects them; rounded, never truncated.

The decimal sign, the thousands separator and the space before a percent sign follow the Unicode
CLDR patterns of English, Belgian Dutch, Belgian French and German; a test compares with them.
"""

from __future__ import annotations

import math
from decimal import ROUND_HALF_EVEN, Context, Decimal

from ipseval import checks
from ipseval.words.catalogue import LANGUAGES, text

_THIN, _NO_BREAK = "\u202f", "\u00a0"
_DECIMAL = {"en": ".", "nl": ",", "fr": ",", "de": ","}
_THOUSANDS = {"en": ",", "nl": ".", "fr": _THIN, "de": "."}
_PERCENT = {"en": "%", "nl": "%", "fr": f"{_NO_BREAK}%", "de": f"{_NO_BREAK}%"}
# Room for every digit of the largest float; the default context refuses beyond 28.
_EXACT = Context(prec=400)
_MINUS, _UNKNOWN = "\u2212", "\u2013"


def number(value: float, lang: str = "en", *, digits: int = 1, sign: bool = False) -> str:
    """Return ``value`` with ``digits`` decimals in the way of ``lang``.

    A missing value is an en dash, infinity its sign; ``sign=True`` writes a plus before a positive
    number, for differences. Halves go to the even digit of the shortest decimal that is the number.

    Examples
    --------
    >>> from ipseval import words
    >>> words.number(1234.5, "nl")
    '1.234,5'
    """
    return _written(value, lang, digits, sign=sign)


def percentage(share: float, lang: str = "en", *, digits: int = 0) -> str:
    """Return a proportion as a percentage: 0.4429 is 44%."""
    written = _written(share, lang, digits, hundredfold=True)
    return written if written == _UNKNOWN else written + _PERCENT[lang]


def percentage_points(difference: float, lang: str = "en", *, digits: int = 1) -> str:
    """Return a difference of proportions in percentage points, signed and without the unit."""
    return _written(difference, lang, digits, sign=True, hundredfold=True)


def _written(value: float, lang: str, digits: int, *, sign: bool = False, hundredfold: bool = False) -> str:
    """Round the shortest decimal that is the number; a hundredfold is taken of that decimal, exactly."""
    checks.one_of(lang, LANGUAGES, "lang")
    if value is None or math.isnan(value):
        return _UNKNOWN
    if math.isinf(value):
        return "\u221e" if value > 0 else f"{_MINUS}\u221e"
    decimal = Decimal(repr(float(value))).scaleb(2 if hundredfold else 0)
    rounded = decimal.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_EVEN, _EXACT)
    whole, _, decimals = f"{rounded.copy_abs():,f}".partition(".")
    written = whole.replace(",", _THOUSANDS[lang]) + (_DECIMAL[lang] + decimals if decimals else "")
    if rounded < 0:
        return _MINUS + written
    return f"+{written}" if sign and rounded > 0 else written


def interval(low: float, high: float, lang: str = "en", *, digits: int = 1, scale: float = 1.0) -> str:
    """Return an interval as "low to high" in words, so that a minus sign cannot be misread."""
    limits = [number(scale * limit, lang, digits=digits) for limit in (low, high)]
    return text("number.interval", lang, low=limits[0], high=limits[1])


def p_value(value: float, lang: str = "en") -> str:
    """Return a p value: three decimals, "<0.001" below, never 0."""
    if value is None or math.isnan(value):
        return _UNKNOWN
    if value < 0.001:
        return "<" + number(0.001, lang, digits=3)
    return number(value, lang, digits=3 if value < 0.2 else 2)


def p_relation(value: float, lang: str = "en") -> str:
    """Return what follows "p" in running text: "= 0.012", or "< 0.001" and never "= <0.001"."""
    shown = p_value(value, lang)
    return f"< {shown[1:]}" if shown.startswith("<") else f"= {shown}"
