"""Results -> PublicResults: what is written for others names no person and lets none be inferred.

With ``minimum`` people as the smallest number that may be shown, and an empty cell shown unless
``zeros="hide"`` because nobody can be picked out of it:

* **Small cells.** A row is suppressed when it rests on fewer people, or when fewer of them had, or did
  not have, the outcome.
* **What can be subtracted.** Within an arm all numbers about one course of events (ever in work by some
  month, counted in some way; points of its curve) are shown only if they are equal or differ by at
  least the minimum. Main rows and the longest horizon come first: what matters most is what stays. The
  same holds for how many were left out of a row, for how many were lost, and for the numbers of people
  that rows of any analysis rest on; a proportion without its number of people is a whole percentage.
* **What adds up.** Of a variable's categories never so few are hidden that their sum tells on them; an
  average goes with its months, a contrast with its arms, and one over all months with an arm at any.
* **Curves.** Points that are left stand at least the minimum of events apart; of a mean number of events,
  the minimum of people with a first one. Numbers at risk are rounded to multiples of the minimum, and
  suppressed below it: a few rounded down would read as nobody.
* **Texts.** Notes that hold numbers stay inside, and so do draws and covariances.

* **Digits.** Numbers are rounded to four significant digits, those of curves to three decimals: more would
  let hidden counts be solved for. With degrees of freedom that count people goes what gives them back.

Published figures are public, and stay as they are. Two limits: four digits are enough for a
model without covariates whose intercepts do not vary to give back its rates, and that whoever knows the sizes
of strata may find by trial which counts in them agree with a common effect; and numbers that other people
publish about the same trial are not known here. The minimum is 5 unless said otherwise; ask the holder
of the data what applies.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ipseval.disclosure.outgoing import outgoing
from ipseval.disclosure.policy import Policy
from ipseval.disclosure.sheet import Sheet
from ipseval.errors import AnalysisError
from ipseval.results import PublicResults, Results

__all__ = ["Policy", "names_in", "protect"]


def protect(results: Results, policy: Policy | None = None) -> PublicResults:
    """Return results from which no person can be recognised.

    Parameters
    ----------
    results : Results
    policy : Policy, optional
        By default a minimum of 5 people, empty cells shown.

    Returns
    -------
    PublicResults
        The same rows in the same order, except curve points, of which only those remain whose step
        is large enough. Suppressed rows keep their key and have status "suppressed".

    Raises
    ------
    AnalysisError
        For results that were protected before, under a looser policy.

    Examples
    --------
    >>> import ipseval as ips
    >>> found = ips.rates(ips.example("scion"), ips.ever_employed(by=30))
    >>> type(ips.protect(found)).__name__
    'PublicResults'
    """
    if isinstance(results, PublicResults):
        return _protected_before(results, policy)
    policy = policy or Policy()
    sheet = Sheet(results, policy)
    sheet.hide_small_cells()
    sheet.hide_left_out()
    sheet.hide_differences()
    sheet.hide_with_few_workers()
    sheet.hide_more_categories()
    sheet.hide_averages()
    sheet.blank_numbers_apart()
    sheet.hide_contrasts()
    sheet.blank_degrees_of_freedom()
    sheet.blank_numbers_missing()
    sheet.round_flow()
    return outgoing(sheet)


def _protected_before(results: PublicResults, policy: Policy | None) -> PublicResults:
    """Return public results as they are, or refuse to tighten what can no longer be tightened."""
    applied = results.provenance["disclosure"]
    if policy and (
        policy.minimum > applied["minimum"] or (policy.zeros == "hide") > (applied["zeros"] == "hide")
    ):
        raise AnalysisError(
            f"These results were made public with minimum={applied['minimum']} and "
            f"zeros={applied['zeros']!r}, which is looser than {policy}. Protect the internal results again."
        )
    return results


def names_in(text: str, pseudonyms: Iterable[str]) -> list[str]:
    """Return the pseudonyms that stand in a text as whole words; every public file is searched."""
    found = set(re.findall(r"[\w.-]+", text))
    found |= {word.strip(".-") for word in found} | set(re.findall(r"\w+", text))
    return sorted(set(pseudonyms) & found)
