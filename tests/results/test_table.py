"""The one table: what it refuses, how it is bound and read, and that it comes back bit for bit."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ipseval import endpoints
from ipseval.disclosure import protect
from ipseval.errors import AnalysisError, DataError
from ipseval.estimate.proportions.rates import rates
from ipseval.estimate.repeated.mixed import mixed
from ipseval.estimate.times.survival import survival
from ipseval.examples import example
from ipseval.results import PublicResults, Results
from ipseval.results.table import frame_of, typed
from ipseval.results.vocabulary import COLUMNS, COUNTS, KEY, NUMBERS, Declaration
from tests.estimate.alpha import alpha

ROW = {"analysis": "a", "quantity": "proportion", "arm": "IPS", "estimate": 0.1, "n": 10, "n_event": 1}


@pytest.fixture(scope="module")
def found() -> Results:
    return rates(example("scion"), endpoints.ever_employed(by=[18, 30]))


def test_a_row_of_an_unknown_column_is_our_fault() -> None:
    with pytest.raises(ValueError, match=r"columns that results do not have: \['estimat'\]"):
        frame_of([{**ROW, "estimat": 1}])


def test_what_a_row_leaves_out_is_missing_in_the_dtype_of_its_column() -> None:
    frame = frame_of([ROW])
    assert list(frame.columns) == list(COLUMNS)
    assert [frame[name].dtype for name in COUNTS] == ["Int64"] * 3
    assert all(frame[name].dtype == "float64" for name in NUMBERS)
    assert frame["note"].tolist() == [""]
    assert frame["status"].tolist() == ["ok"]
    assert frame["n_missing"].isna().all()
    assert list(frame_of([]).dtypes) == list(frame.dtypes)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ([ROW, ROW], "2 rows share their key with another, first: analysis=a"),
        ([{**ROW, "quantity": "rate"}], r"quantity holds \['rate'\]"),
        ([{**ROW, "status": "fine"}], r"status holds \['fine'\]"),
        ([{**ROW, "conf_low": 0.2, "conf_high": 0.1}], "1 rows have conf_low above conf_high"),
        ([{**ROW, "status": "failed"}], "1 rows failed, warned or are not defined without a reason"),
        ([{**ROW, "contrast": "IPS - usual"}], "1 rows name an arm and a contrast"),
        ([{**ROW, "n_event": 11}], "1 rows count more people with the outcome than people"),
    ],
)
def test_an_unsound_table_is_refused(wrong: list[dict[str, object]], said: str) -> None:
    with pytest.raises(AnalysisError, match=said):
        Results.from_rows(wrong)


def test_every_fault_of_a_table_is_said_at_once() -> None:
    with pytest.raises(AnalysisError, match=r"share their key.*closed list"):
        Results.from_rows([{**ROW, "quantity": "rate"}] * 2)
    with pytest.raises(AnalysisError, match="not those of the results table"):
        Results(pd.DataFrame({"estimate": [1.0]}))


def test_a_number_needed_to_treat_may_run_through_infinity() -> None:
    Results.from_rows([{**ROW, "quantity": "number_needed_to_treat", "conf_low": 5.0, "conf_high": -9.0}])


def test_binding_keeps_all_rows_and_refuses_a_clash(found: Results) -> None:
    curves = survival(example("scion"), endpoints.time_to_first_job(30))
    both = found + curves
    assert len(both) == len(found) + len(curves)
    assert set(both.records) == {"rates", "survival"}
    assert set(both.endpoints) == {"ever_employed", "time_to_first_job"}
    with pytest.raises(AnalysisError, match=r"rows are in both results \(analysis rates\).*name="):
        found + found


def test_results_of_two_trials_are_not_bound(found: Results) -> None:
    with pytest.raises(AnalysisError, match="two data sets \\('scion' and 'eqolise'"):
        found + rates(example("eqolise"), endpoints.ever_employed(by=18))


def test_one_name_is_not_given_to_two_analyses(found: Results) -> None:
    """The record says which rows are main: bound silently, one analysis would be read by the other's."""
    other = rates(example("scion"), endpoints.employed_at(month=18), missing="observed")
    with pytest.raises(
        AnalysisError, match="Two analyses are called rates and were asked with other settings"
    ):
        found + other
    assert len(found + rates(example("scion"), endpoints.employed_at(month=18)))


def test_an_endpoint_asked_at_other_months_is_described_with_all_of_them(found: Results) -> None:
    other = rates(example("scion"), endpoints.ever_employed(by=[6, 30]), name="early")
    described = (found + other).endpoints["ever_employed"]
    assert described["months"] == [6.0, 18.0, 30.0]
    assert described["parameters"]["by"] == [6.0, 18.0, 30.0]


def test_public_results_are_not_bound(found: Results) -> None:
    public = protect(found)
    for one, other in ((public, found), (found, public), (public, public)):
        with pytest.raises(AnalysisError, match="Bind the internal results first"):
            one + other


def test_select_one_and_main(found: Results) -> None:
    assert set(found.select(arm="IPS", time=[18, 30]).frame["arm"]) == {"IPS"}
    assert len(found.select(n_missing=-1)) == 0
    with pytest.raises(AnalysisError, match="column='arms' is not an option"):
        found.select(arms="IPS")
    with pytest.raises(AnalysisError, match=r"rows meet .*, not one. Name more of the key columns"):
        found.one(arm="IPS")
    main = found.main.frame
    assert not main.duplicated(["quantity", "arm", "contrast", "time"]).any()
    of_strata = main["quantity"] == "homogeneity_test"
    assert set(main.loc[~of_strata, "setting"]) == {"missing=as_not_employed"}
    assert isinstance(protect(found).main, PublicResults)


def test_a_selection_of_nothing_says_nothing(found: Results) -> None:
    nothing = found.select(time=999)
    assert len(nothing) == 0
    assert len(nothing.main) == 0
    assert nothing.explain() == ""


def test_a_median_not_reached_is_no_failure() -> None:
    curves = survival(example("scion"), endpoints.time_to_first_job(30))
    median = curves.one(quantity="median_time", arm="usual")
    assert (median.status, math.isnan(median.estimate)) == ("not_defined", True)
    assert curves.failures.empty
    assert "median_time" in set(curves.not_defined["quantity"])


@pytest.mark.parametrize("formats", [("csv",), ("csv", "parquet", "long")])
def test_numbers_come_back_bit_for_bit(tmp_path: Path, formats: tuple[str, ...]) -> None:
    if "parquet" in formats:
        pytest.importorskip("pyarrow")
    trial = alpha()
    computed = rates(trial, endpoints.ever_employed(by=[18])) + mixed(
        trial, endpoints.employed_at(month=[6, 18], source="visits")
    )
    awkward = computed.frame.copy()
    awkward.loc[0, "estimate"] = 0.1 + 0.2
    awkward.loc[1, "conf_high"] = np.inf
    awkward.loc[2, "note"] = 'a "quoted", two-line\nnote; NA'
    awkward.loc[3, "setting"] = "NA"
    computed = replace(computed, frame=awkward)
    computed.write(tmp_path, formats=formats)
    back = Results.read(tmp_path)
    pd.testing.assert_frame_equal(back.frame, computed.frame, check_exact=True)
    assert back.records == computed.records
    assert list(back.records) == list(computed.records), "the order of analyses is part of the plan"
    assert back.endpoints == computed.endpoints
    assert back.provenance == computed.provenance
    assert back.sidecar.keys() == computed.sidecar.keys()
    assert all(np.array_equal(back.sidecar[name], computed.sidecar[name]) for name in back.sidecar)
    if "parquet" in formats:
        stored = typed(pd.read_parquet(tmp_path / "results.parquet"))
        pd.testing.assert_frame_equal(stored, computed.frame, check_exact=True)


def test_public_results_come_back_public_and_internal_ones_are_not_taken_for_them(
    tmp_path: Path, found: Results
) -> None:
    public = protect(found)
    found.write(tmp_path / "internal")
    public.write(tmp_path / "public")
    back = PublicResults.read(tmp_path / "public")
    assert isinstance(back, PublicResults)
    pd.testing.assert_frame_equal(back.frame, public.frame, check_exact=True)
    with pytest.raises(DataError, match=r"holds internal results. Point at the public folder"):
        PublicResults.read(tmp_path / "internal")
    with pytest.raises(DataError, match=r"holds no results.csv and no results.json"):
        Results.read(tmp_path)
    with pytest.raises(AnalysisError, match="formats='xlsx' is not an option"):
        found.write(tmp_path, formats=("xlsx",))


def test_no_sidecar_is_left_beside_public_results(tmp_path: Path) -> None:
    fitted = mixed(alpha(), endpoints.employed_at(month=[6, 18], source="visits"))
    fitted.write(tmp_path, formats=("csv", "long"))
    assert (tmp_path / "sidecar.npz").exists()
    protect(fitted).write(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["results.csv", "results.json"]


def test_the_long_form_has_every_number_once(tmp_path: Path, found: Results) -> None:
    found.write(tmp_path, formats=("long",))
    long = pd.read_csv(tmp_path / "results_long.csv", keep_default_na=False)
    numbers = [name for name in (*NUMBERS, *COUNTS) if name not in KEY]
    assert len(long) == found.frame[numbers].notna().sum().sum()
    estimates = long.loc[long["stat_name"] == "estimate", "stat"].astype(float)
    assert estimates.sum() == pytest.approx(found.frame["estimate"].sum())


def test_comparing_finds_exactly_what_moved(found: Results) -> None:
    assert found.compare(found).empty
    frame = found.frame.copy()
    frame.loc[3, "std_error"] = 0.5
    frame.loc[5, "estimate"] += 1e-6
    frame.loc[7, "note"] = "new"
    moved = found.compare(replace(found, frame=frame.drop(index=9).reset_index(drop=True)))
    assert len(moved) == 4
    assert moved["stands_in"].value_counts().to_dict() == {"both": 3, "before only": 1}
    shown = {name.removesuffix("_before") for name in moved.columns if name.endswith("_before")}
    assert shown == {"std_error", "estimate", "note"}
    assert len(found.compare(replace(found, frame=frame), tolerance=1e-3)) == 2


def test_it_prints_what_it_holds_and_escapes_html(found: Results) -> None:
    assert repr(found).startswith(f"{len(found)} estimates of simulated people (rates)")
    assert "could not be computed" in repr(
        Results.from_rows([{**ROW, "estimate": None, "status": "failed", "note": "why"}])
    )
    assert repr(Results.from_rows([])) == "No estimates"
    html = Results.from_rows([{**ROW, "analysis": "<script>", "arm": "<b>IPS</b>"}])._repr_html_()
    assert "<script>" not in html
    assert "<b>IPS" not in html


def test_a_declaration_of_a_quantity_that_does_not_exist_is_our_fault() -> None:
    with pytest.raises(ValueError, match="declares quantities that do not exist"):
        Declaration("x", (), ("rate",), "x")


def test_numbers_are_read_to_the_last_bit_without_a_setting_that_pandas_drops(tmp_path: Path) -> None:
    hard = [0.1 + 0.2, 1 / 3, 5e-324, 1.7976931348623157e308, 123456789.123456789]
    made = Results.from_rows([{**ROW, "time": float(at), "estimate": value} for at, value in enumerate(hard)])
    made.write(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Results.read(tmp_path).frame["estimate"].tolist() == hard
