"""Refuse columns that identify people directly: national numbers, e-mail, phone, names, birth dates.

A column is judged on its distinct values, used or not. A check digit that is passed by chance (one
pseudonym of nine digits in eleven passes the Dutch test) does not condemn a column; passing it
clearly more often than chance does.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scipy.special import bdtrc

from ipseval.errors import Problem
from ipseval.loading.formats import RawColumn, RawTable
from ipseval.loading.messages import counted

# A column of pseudonyms is refused by mistake less than once in 100 000 columns.
_BY_CHANCE = 1e-5
_PSEUDONYM = "Replace it with a pseudonym before the file comes here, and keep the key elsewhere."
_REMOVE = "Remove the column before the file comes here; the analysis does not need it."

_NUMBER_NAMES = re.compile(
    r"(^|_)(insz|niss|rrn|nrn|bis|rijksregister\w*|nationa\w*_(number|nummer)|(numero_)?registre_national|"
    r"bsn|burgerservicenummer|sofi\w*|ssn)(_|$)"
)
_PERSON_NAMES = re.compile(
    r"(^|_)(voor|achter|familie|roep|geslachts)?naam$|^(pre)?nom(_de_famille)?$|"
    r"^((full|first|last|given|family|patient|client|participant|person)_?)?name$|^surname$|^initials$|"
    r"^(vor|nach|familien)?name$|^(cog)?nome$|^nombre$|^apellidos?$|"
    r"^(naam|nom|name)_(client|patient|persoon|deelnemer|participant|person)$"
)
_ADDRESS_NAMES = re.compile(r"^(street|straat|strasse|rue|(home_)?address|adres|adresse|woonadres)(_|$)")
_BIRTH_NAMES = re.compile(
    r"(^|_)(birth_?da(te|y)|da(te|y)_?of_?birth|dob|geboorte_?(datum|dag)|geb_?dat(um)?|"
    r"date_(de_)?naissance|ddn|geburts(datum|tag))(_|$)"
)
_PHONE_NAMES = re.compile(r"(^|_)(tele?(ph|f)\w*|tel|phone|gsm|mobile|mobiel|handy|portable)(_|$)")
_EMAIL = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+\.[A-Za-z]{2,}")
_PHONE = re.compile(
    r"\+\d{1,3}[ ./-]?(\(0\))?\d([ ./-]?\d){6,11}"  # +32 470 12 34 56
    r"|0[1-9]\d{0,2}[ ./-]{1,3}\d{2,3}([ .]?\d{2,3}){1,3}"  # 02/123 45 67, 06-12345678
    r"|0[1-9]\d{7,8}"  # 0470123456
)
_FULL_DATE = re.compile(r"\d{4}[./-]\d{1,2}[./-]\d{1,2}|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{8}")
_SEPARATORS = re.compile(r"[\s./-]")


def is_belgian_national_number(text: str) -> bool:
    """Whether a text is a Belgian national or BIS number: 11 digits with check digits that fit.

    Dots, dashes and spaces are allowed. The check is 97 minus the first nine digits modulo 97, with a
    2 before them for births from 2000. A BIS number adds 20 or 40 to the month; month and day may be
    00 when unknown.

    Examples
    --------
    >>> is_belgian_national_number("85.07.30-033.28"), is_belgian_national_number("85073003329")
    (True, False)
    """
    digits = _SEPARATORS.sub("", text)
    if len(digits) != 11 or not (digits.isascii() and digits.isdecimal()):
        return False
    month, day, check = int(digits[2:4]), int(digits[4:6]), int(digits[9:])
    if month % 20 > 12 or month > 52 or day > 31:
        return False
    return check in (97 - int(digits[:9]) % 97, 97 - int("2" + digits[:9]) % 97)


def is_dutch_citizen_number(text: str) -> bool:
    """Whether a text is nine digits that pass the eleven test of the Dutch citizen service number.

    Examples
    --------
    >>> is_dutch_citizen_number("111222333"), is_dutch_citizen_number("111222334")
    (True, False)
    """
    digits = _SEPARATORS.sub("", text)
    if len(digits) != 9 or not (digits.isascii() and digits.isdecimal()) or not int(digits):
        return False
    weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
    return sum(weight * int(digit) for weight, digit in zip(weights, digits, strict=True)) % 11 == 0


@dataclass(frozen=True)
class _Number:
    """A national number: its length, its test, and how often random digits pass it."""

    rule: str
    called: str
    length: int
    passes: Callable[[str], bool]
    by_chance: float


_NUMBERS = (
    # Two check numbers of 97, and about 12 in 100 random digits make a possible month and day.
    _Number(
        "belgian_national_number", "Belgian national numbers", 11, is_belgian_national_number, 0.12 * 2 / 97
    ),
    _Number(
        "dutch_citizen_number", "Dutch citizen service numbers (BSN)", 9, is_dutch_citizen_number, 1 / 11
    ),
)


def direct_identifiers(table: str, raw: RawTable) -> list[Problem]:
    """Return an error for each source column that identifies people directly.

    The messages count values and never show one.
    """
    problems = []
    for name, column in raw.columns.items():
        if reason := _reason(name, column):
            rule, message, remedy = reason
            problems.append(Problem("error", table, name, rule, message, remedy))
    return problems


def _reason(name: str, column: RawColumn) -> tuple[str, str, str] | None:
    """Return rule, message and remedy of the first way in which a column identifies people."""
    values = [str(value) for value in column.text.dropna().unique()]
    plain = _plain(name)
    if not values:
        return None
    for number in _NUMBERS:
        if reason := _national_number(number, values, plain, column.is_number):
            return reason
    if emails := sum(bool(_EMAIL.search(value)) for value in values):
        message = counted(
            "{n} of {total} <value|values> [holds|hold] an e-mail address.", emails, len(values)
        )
        return "email_address", message, _REMOVE
    if reason := _phone(values, plain, column.is_number):
        return reason
    if _PERSON_NAMES.search(plain):
        remedy = _REMOVE + " If it does not name people, give it another name."
        return "person_name", f"The column is called {name!r}, which names people.", remedy
    if _ADDRESS_NAMES.search(plain):
        return "address", f"The column is called {name!r}, which says where people live.", _REMOVE
    if _BIRTH_NAMES.search(plain) and any(_FULL_DATE.match(value) for value in values):
        remedy = "Replace it with the age at randomisation or the year of birth."
        return "birth_date", "The column holds full dates of birth.", remedy
    return None


def _national_number(
    number: _Number, values: Sequence[str], name: str, is_number: bool
) -> tuple[str, str, str] | None:
    digits = [value.zfill(number.length) if is_number else value for value in values]
    candidates = [value for value in digits if len(_SEPARATORS.sub("", value)) == number.length]
    candidates = [value for value in candidates if _SEPARATORS.sub("", value).isdecimal()]
    passing = [value for value in candidates if number.passes(value)]
    if not passing:
        return None
    is_formatted = any(re.fullmatch(r"\d\d\.\d\d\.\d\d-\d{3}[.-]\d\d", value) for value in passing)
    more_than_chance = bdtrc(len(passing) - 1, len(candidates), number.by_chance) < _BY_CHANCE
    if not (more_than_chance or is_formatted or _NUMBER_NAMES.search(name)):
        return None
    message = "{n} of {total} <value|values> [passes|pass] the check of {shown}."
    message = counted(message, len(passing), len(values), shown=number.called)
    return number.rule, message, _PSEUDONYM


def _phone(values: Sequence[str], name: str, is_number: bool) -> tuple[str, str, str] | None:
    phones = [
        value for value in values if _PHONE.fullmatch(value.strip()) and not _FULL_DATE.fullmatch(value)
    ]
    is_named = bool(_PHONE_NAMES.search(name))
    is_international = any(value.strip().startswith("+") for value in phones)
    if is_number or not phones or not (is_named or is_international or 2 * len(phones) >= len(values) >= 3):
        return None
    message = "{n} of {total} <value|values> [looks like a telephone number|look like telephone numbers]."
    return "phone_number", counted(message, len(phones), len(values)), _REMOVE


def _plain(name: str) -> str:
    """A column name in lower case, without accents, with words joined by one underscore."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    letters = unicodedata.normalize("NFKD", spaced).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", letters.casefold()).strip("_")
