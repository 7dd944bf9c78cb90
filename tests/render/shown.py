"""Results to show: of a bundled trial, and small ones written by hand whose every number is known."""

from __future__ import annotations

from functools import cache
from typing import Any

import ipseval as ips
from ipseval.results import PublicResults, Results


@cache
def scion() -> Results:
    """Return several analyses of the bundled trial, with what was published beside them."""
    trial = ips.example("scion")
    found = ips.describe(trial)
    found = found + ips.rates(trial, ips.ever_employed(by=[18, 30]))
    found = found + ips.rates(trial, ips.employed_monthly(until=12), name="by_month")
    found = found + ips.survival(trial, ips.time_to_first_job(horizon=30))
    found = found + ips.amounts(trial, ips.days_worked(by=30), replicates=100)
    return found + ips.published_results("scion")


@cache
def public() -> PublicResults:
    """Return the same as it may be shown to others."""
    return ips.protect(scion())


def by_hand(counts: dict[str, tuple[int, int]], **row: Any) -> Results:
    """Return rates of the given counts (yes, people) per arm, IPS against usual, at one horizon.

    Limits are not those of any method: they are recognisable numbers for reading back.
    """
    keys = {"analysis": "rates", "endpoint": "ever_employed", "time_from": 0.0, "time": 12.0}
    keys |= {"time_unit": "months", "setting": "missing=as_not_employed", "n_missing": 0, "conf_level": 0.95}
    keys |= row
    arms = [
        {
            **keys,
            "quantity": "proportion",
            "arm": arm,
            "estimate": x / n,
            "n": n,
            "n_event": x,
            "conf_low": x / n - 0.0111,
            "conf_high": x / n + 0.0222,
            "method": "wilson",
        }
        for arm, (x, n) in counts.items()
    ]
    (x1, n1), (x0, n0) = counts["IPS"], counts["usual"]
    difference = {
        **keys,
        "quantity": "risk_difference",
        "contrast": "IPS - usual",
        "estimate": x1 / n1 - x0 / n0,
        "conf_low": x1 / n1 - x0 / n0 - 0.1,
        "conf_high": x1 / n1 - x0 / n0 + 0.2,
        "n": n1 + n0,
        "n_event": x1 + x0,
        "method": "newcombe",
    }
    endpoint = {
        "name": "ever_employed",
        "words": "endpoint.ever_employed",
        "kind": "binary",
        "unit": "",
        "cumulative": True,
        "months": [12.0],
        "parameters": {"by": [12.0]},
    }
    record = {"estimator": "rates", "section": "rates", "figure": "rates", "arguments": {}}
    main = {"method": {}, "setting": {"proportion": "missing=as_not_employed"}}
    trial = {
        "name": "small",
        "title": "A small trial",
        "simulated": False,
        "arms": ["usual", "IPS"],
        "arm_labels": {"IPS": "IPS", "usual": "usual vocational rehabilitation"},
    }
    return Results.from_rows(
        [*arms, difference],
        records={"rates": {**record, "main": main}},
        endpoints={"ever_employed": endpoint},
        provenance={"trial": trial},
    )
