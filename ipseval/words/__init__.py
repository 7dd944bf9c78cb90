"""Words and numbers in four languages: one catalogue of terms, one way of writing a number.

The catalogue is TOML, a file per topic, the languages of a text side by side so that a reader sees
all of them at once::

    [figure.months_since_randomisation]
    en = "Months since randomisation"
    nl = "Maanden sinds randomisatie"

Every key exists in every language with the same ``{fields}``; a test keeps it.
"""

from ipseval.words.catalogue import LANGUAGES, has, keys, text, translated
from ipseval.words.numbers import interval, number, p_relation, p_value, percentage, percentage_points

__all__ = [
    "LANGUAGES",
    "has",
    "interval",
    "keys",
    "number",
    "p_relation",
    "p_value",
    "percentage",
    "percentage_points",
    "text",
    "translated",
]
