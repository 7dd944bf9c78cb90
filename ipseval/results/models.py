"""The model behind an analysis in words: a sentence, an equation, and whether it converged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ipseval import words
from ipseval.endpoints.base import joined, label

if TYPE_CHECKING:
    from ipseval.results.table import Results

#: How each family of models is judged to have converged; the others are likelihoods.
_JUDGED = {
    "ancova": "exact",
    "gee": "equations",
    "gee_rates": "equations",
    "negative_binomial_mixed": "quadrature",
    "random_intercept_logistic": "quadrature",
    "random_intercept_cloglog": "quadrature",
    "random_slope_logistic": "quadrature",
    "nested_site_logistic": "quadrature",
}
_CHOICES = ("covariance", "df", "correlation", "variance")


def model_of(results: Results, analysis: str, lang: str = "en") -> list[str]:
    """Return what was fitted in an analysis: sentence, equation, convergence; empty where there is no model.

    Parameters
    ----------
    results : Results
    analysis : str
        Whose record holds a ``model``: the key of its words, whether it converged, and what was chosen.
    lang : {"en", "nl", "fr", "de"}

    Examples
    --------
    >>> import ipseval as ips
    >>> from ipseval.results.models import model_of
    >>> found = ips.mixed(ips.example("scion"), ips.score("qol", months=[6, 18, 30]))
    >>> print(model_of(found, "mixed")[1])
    score qol at month m = month + arm × month + site + qol_baseline + error(m); errors of a person: unstructured covariance
    """  # noqa: E501
    model = results.records.get(analysis, {}).get("model")
    if not model:
        return []
    fields = _fields(model, results, analysis, lang)
    key = f"model.{model['words']}"
    judged = _JUDGED.get(model["words"], "likelihood")
    sentence = words.text(f"{key}.sentence", lang, **fields)
    if model["adjusted"] and judged in ("likelihood", "exact"):  # the models of scores
        sentence += f" {words.text('model.adjusted_means', lang)}"
    return [
        sentence,
        words.text(f"{key}.equation", lang, **fields),
        words.text(f"model.converged.{judged}", lang),
    ]


def _fields(model: Mapping[str, Any], results: Results, analysis: str, lang: str) -> dict[str, str]:
    """Return the words of what was chosen, as the texts of models ask for them."""
    called = {n: words.text(f"term.{n}", lang) if words.has(f"term.{n}") else n for n in model["adjusted"]}
    names = list(called.values())
    if by_month := model.get("by_month"):
        called[by_month] = words.text("model.by_month", lang, name=called[by_month])
    chosen = {part: words.text(f"model.{part}.{model[part]}", lang) for part in _CHOICES if part in model}
    if model.get("per_arm"):
        chosen["covariance"] = words.text("model.per_arm", lang, covariance=chosen["covariance"])
    return {
        **chosen,
        "points": str(model.get("points", "")),
        "outcome": _outcome(results, analysis, lang),
        "adjusted": words.text("model.adjusted", lang, names=joined(names, lang)) if names else "",
        "covariates": "".join(f" + {name}" for name in called.values()),
    }


def _outcome(results: Results, analysis: str, lang: str) -> str:
    """Return the label of the endpoint as it stands inside a sentence: German nouns keep their capital."""
    rows = results.frame.loc[(results.frame["analysis"] == analysis).to_numpy(dtype=bool)]
    described = results.endpoints.get(str(rows["endpoint"].iloc[0])) if len(rows) else None
    named = label(described, lang) if described else analysis
    return named if lang == "de" else named[:1].lower() + named[1:]
