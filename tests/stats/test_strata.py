"""Labels of strata: none is lost, none is made up."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ipseval.errors import AnalysisError
from ipseval.stats.strata import stratum_codes, stratum_codes_of_arms


def test_a_site_called_na_is_a_site():
    assert stratum_codes(pd.Series(["NA", "Ghent", "NA"], dtype="string")).tolist() == [0, 1, 0]


def test_site_1_is_one_site_whether_stored_as_whole_number_or_float():
    assert stratum_codes_of_arms(([1, 2], [2.0, 1.0]), 2, 2).tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize(
    "labels",
    [
        ["a", None, "b"],
        ["a", float("nan"), "b"],
        [1.0, np.nan, 2.0],
        pd.array(["a", pd.NA, "b"], dtype="string"),
        pd.Series(["a", None, "b"], dtype="category"),
        pd.Series(pd.to_datetime(["2020-01-01", None, "2020-01-02"])),
    ],
)
def test_a_missing_stratum_is_refused(labels):
    with pytest.raises(AnalysisError, match="stratum is missing for 1 of 3 people"):
        stratum_codes(labels)


def test_labels_of_the_wrong_length_are_refused():
    with pytest.raises(AnalysisError, match=r"differ in length \(y0: 2, strata_0: 1\)"):
        stratum_codes_of_arms((["a", "b"], ["a"]), 2, 2)
