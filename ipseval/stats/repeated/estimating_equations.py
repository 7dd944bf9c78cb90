"""Generalised estimating equations (GEE): population-averaged regression of correlated outcomes.

The coefficients mean what they would in ordinary regression of one visit: no random effect is conditioned
on. A working correlation makes them more precise; the variance holds whether it is right or wrong, with many
people. With few, two corrections and a t distribution mend most of what it lacks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.regression.binomial_logistic import binomial_logistic
from ipseval.stats.regression.canonical_models import MODELS, canonical_fit, mean_and_weight
from ipseval.stats.repeated.alike_people import AlikePeople, alike_people
from ipseval.stats.repeated.denominator_df import LinearContrast
from ipseval.stats.repeated.panel_columns import WholeColumns
from ipseval.stats.repeated.sandwich_corrections import CORRECTIONS, corrected
from ipseval.stats.repeated.working_correlation import (
    CORRELATIONS,
    Inverse,
    WorkingCorrelation,
    estimated,
    given,
)

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

VARIANCES = ("mancl_derouen", "kauermann_carroll", "robust", "model")

_MOST_STEPS = 200
#: In squared standard errors.
_SMALL_GAIN = 1e-17
#: Rows that tell where to begin, of many.
_FEW = 8192


@dataclass(frozen=True)
class EstimatingEquations:
    """A fitted GEE.

    Attributes
    ----------
    coefficients : (p,) array
    covariances : dict of str to (p, p) array
        "robust" is the sandwich, "mancl_derouen" and "kauermann_carroll" its corrections for few people,
        "model" assumes the working correlation.
    correlation : (visits, visits) array
        The working correlation.
    dispersion : float
        Mean squared Pearson residual.
    df : int
        People less coefficients: the degrees of freedom of a t interval.
    converged : bool
    steps : int
    n_people, n_rows : int
    """

    coefficients: Floats
    covariances: dict[str, Floats]
    correlation: Floats
    dispersion: float
    df: int
    converged: bool
    steps: int
    n_people: int
    n_rows: int

    def contrast(
        self, weights: ArrayLike, *, variance: str = "mancl_derouen", conf_level: float = 0.95
    ) -> LinearContrast:
        """Estimate a linear combination of the coefficients, with a t interval."""
        checks.one_of(variance, VARIANCES, "variance")
        line = checks.float_array(weights, "weights")
        if line.shape != self.coefficients.shape:
            raise AnalysisError(
                f"weights has {line.size} numbers for {self.coefficients.size} coefficients. Give one each."
            )
        estimate = float(line @ self.coefficients)
        error = float(np.sqrt(line @ self.covariances[variance] @ line))
        half = float(stdtrit(self.df, 0.5 + checks.confidence(conf_level) / 2.0)) * error
        statistic = estimate / error
        p_value = float(2.0 * stdtr(self.df, -abs(statistic)))
        return LinearContrast(
            estimate, error, estimate - half, estimate + half, float(self.df), statistic, p_value
        )


def estimating_equations(
    y: ArrayLike,
    X: ArrayLike,
    person: ArrayLike,
    visit: ArrayLike | None = None,
    *,
    model: str = "logistic",
    correlation: str | ArrayLike = "exchangeable",
) -> EstimatingEquations:
    """Fit generalised estimating equations.

    Visits that were missed are simply not among the rows. The answer is then valid if they are missing
    completely at random given X, which is more than a mixed model needs.

    Parameters
    ----------
    y : (rows,) array
    X : (rows, p) array
        With a column of ones first.
    person : (rows,) array of labels
    visit : (rows,) array, optional
        Needed for "ar1" and "unstructured"; sorts in the order of time. At most one row per person and visit.
    model : {"logistic", "linear", "poisson"}
        With its canonical link; "poisson" with 0/1 outcomes estimates log risk ratios.
    correlation : {"independence", "exchangeable", "ar1", "unstructured"} or (visits, visits) array
        "ar1" counts visits, also across missed ones. An array is taken as it is.

    Returns
    -------
    EstimatingEquations

    Raises
    ------
    AnalysisError
        Missing values, separation, collinear columns, no more people than coefficients, two rows for a visit
        of a person, a working correlation that is not positive definite.

    Notes
    -----
    The correlation is estimated by moments of Pearson residuals, each pair of visits with the same weight,
    the dispersion by their mean square, both without a correction for the number of coefficients: as geepack
    does (SAS and gee subtract p). Mancl and DeRouen's correction takes (I - H)^-1 of each person's residuals,
    Kauermann and Carroll's (I - H)^(-1/2).

    References
    ----------
    Liang & Zeger (1986), Biometrika 73:13-22. Mancl & DeRouen (2001), Biometrics 57:126-134.
    Kauermann & Carroll (2001), JASA 96:1387-1396.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> person, visit = np.divmod(np.arange(240), 4)
    >>> arm = (person % 2).astype(float)
    >>> employed = rng.random(240) < 0.2 + 0.2 * arm
    >>> fit = estimating_equations(employed, np.column_stack([np.ones(240), arm]), person, visit)
    >>> fit.converged, fit.df
    (True, 58)
    """
    checks.one_of(model, MODELS, "model")
    values, design = checks.float_array(y, "y"), checks.float_array(X, "X")
    who = _numbered(person, "person")
    when = _visits(who, visit, correlation if isinstance(correlation, str) else "given")
    n_rows, n_people = checks.same_length(y=values, X=design, person=who, visit=when), int(who.max()) + 1
    n_visits = int(when.max()) + 1
    if isinstance(correlation, str):
        checks.one_of(correlation, CORRELATIONS, "correlation")
        fixed = None
    else:
        fixed = given(correlation, n_visits)
    if n_people <= design.shape[1]:
        raise AnalysisError(
            f"{n_people} people cannot bear {design.shape[1]} coefficients. Use fewer, or more people."
        )
    # Sums of products lose digits where outcomes are far from 0, which those of a linear model may be.
    groups = alike_people(values, design, who, when, collapse=model != "linear")
    beta, steps, gain, foreseen = _start(values, design, groups, model), 0, 0.0, np.inf
    while True:
        fitted = [_fitted(group, beta, model) for group in groups]
        dispersion = sum(part.sum_of_squares for part in fitted) / n_rows
        working = fixed or estimated(str(correlation), fitted, dispersion, n_visits)
        if steps == _MOST_STEPS or foreseen <= _SMALL_GAIN:
            break
        information, score = _sums(fitted, working)
        move = np.linalg.solve(information, score)
        beta, steps, before, gain = beta + move, steps + 1, gain, float(score @ move) / dispersion
        foreseen = gain**2 / before if gain < before else gain  # by another step, falling as much again
    return EstimatingEquations(
        coefficients=beta,
        covariances=_covariances(fitted, working, dispersion),
        correlation=working.matrix,
        dispersion=dispersion,
        df=n_people - design.shape[1],
        converged=foreseen <= _SMALL_GAIN,
        steps=steps,
        n_people=n_people,
        n_rows=n_rows,
    )


@dataclass(frozen=True)
class _Fitted:
    """A group at some coefficients.

    ``root`` (t, cells) is the root of the variance function, ``residual`` (t, cells) sums Pearson residuals
    over the people of a cell, ``squares`` (t, t, cells) their products; None where every cell is one person.
    """

    group: AlikePeople
    root: Floats
    residual: Floats
    squares: Floats | None

    @property
    def visits(self) -> Indices:
        return self.group.visits

    @property
    def n_people(self) -> float:
        return float(self.group.people.sum())

    @cached_property
    def sum_of_squares(self) -> float:
        if self.squares is not None:
            return float(np.einsum("ttc->", self.squares))
        return float(np.einsum("tn,tn->", self.residual, self.residual))

    @property
    def square_of_sums(self) -> float:
        if self.squares is not None:
            return float(self.squares.sum())
        return float((self.residual.sum(axis=0) ** 2).sum())

    @property
    def products(self) -> Floats:
        if self.squares is not None:
            return np.asarray(self.squares.sum(axis=-1), dtype=np.float64)
        return np.asarray(np.einsum("tn,un->tu", self.residual, self.residual), dtype=np.float64)


def _fitted(group: AlikePeople, beta: Floats, model: str) -> _Fitted:
    mean, weight = mean_and_weight(group.columns.linear(beta), model)
    root = np.sqrt(weight)
    squares = None if group.products is None else group.squares(mean, root)
    return _Fitted(group, root, group.residual(mean, root), squares)


def _start(values: Floats, design: Floats, groups: list[AlikePeople], model: str) -> Floats:
    """Return coefficients as if rows were independent, or refuse what has none.

    Where there are many rows a few thousand of them tell where to begin: if those are not separated, all of
    them are not either.
    """
    if model == "logistic" and ((values == 0.0) | (values == 1.0)).all() and np.ptp(values) > 0.0:
        for share in dict.fromkeys((min(_FEW / len(values), 1.0), 1.0)):
            start = _logistic_start(groups, share)
            if start is not None:
                return start
    return canonical_fit(values, design, model).coefficients


def _logistic_start(groups: list[AlikePeople], share: float) -> Floats | None:
    """Return coefficients from cells of alike people and a share of the others; None where they have none."""
    draw = np.random.default_rng(1)
    totals, trials, rows = [], [], []
    for group in groups:
        chosen = draw.random(len(group.people)) < (share if group.products is None else 1.0)
        totals.append(group.total[:, chosen].ravel())
        trials.append(np.tile(group.people[chosen], len(group.visits)))
        rows.append(group.columns.rows(chosen))
    X = np.concatenate(rows)
    if share < 1.0 and np.linalg.matrix_rank(X.T @ X, hermitian=True) < X.shape[1]:
        return None
    fit = binomial_logistic(np.concatenate(totals), np.concatenate(trials), X)
    return fit.coefficients if fit.converged else None


def _sums(fitted: list[_Fitted], working: WorkingCorrelation) -> tuple[Floats, Floats]:
    """Return the information and the score, up to the dispersion."""
    information, score = [], []
    for part in fitted:
        inverse, columns = working.inverse(part.visits), part.group.columns
        information.append(columns.products(part.root, inverse) @ part.group.people)
        score.append(columns.sums(part.root * inverse.times(part.residual)).sum(axis=1))
    return np.sum(information, axis=0), np.sum(score, axis=0)


def _covariances(fitted: list[_Fitted], working: WorkingCorrelation, dispersion: float) -> dict[str, Floats]:
    """Return the covariance of the coefficients in each of `VARIANCES`.

    With the root L of the bread B = LL', and of each person the score s = L'X'D R^-1 e and the leverage
    A = L'X'D R^-1 D X L, both corrections are a power of I - A times s. No matrix has more than p columns.
    """
    bread = np.linalg.inv(_sums(fitted, working)[0])
    half = np.linalg.cholesky(bread)
    meats = {name: np.zeros_like(bread) for name in CORRECTIONS}
    for part in fitted:
        inverse, columns = working.inverse(part.visits), part.group.columns
        leverage = half.T @ np.tensordot(half, columns.products(part.root, inverse), (0, 0))
        if part.squares is None:
            score = half.T @ columns.sums(part.root * inverse.times(part.residual))
            for name, each in corrected(leverage, score[:, None]).items():
                meats[name] += each[:, 0] @ each[:, 0].T
        else:  # a cell knows the sum of the products ss' of its people
            products = half.T @ np.tensordot(half, _products_of_scores(part, inverse), (0, 0))
            for name, once in corrected(leverage, products).items():
                meats[name] += corrected(leverage, np.swapaxes(once, 0, 1))[name].sum(axis=-1)
    found = {name: half @ meat @ half.T for name, meat in meats.items()}
    return {**found, "model": dispersion * bread}


def _products_of_scores(part: _Fitted, inverse: Inverse) -> Floats:
    """Return the (p, p, cells) sums over the people of each cell of the products of their scores."""
    columns, squares = part.group.columns, part.squares
    assert isinstance(columns, WholeColumns) and squares is not None
    weighted = inverse.times(columns.each * part.root)
    one_side = np.einsum("ktc,tuc->kuc", weighted, squares)
    return np.asarray(np.einsum("kuc,luc->klc", one_side, weighted), dtype=np.float64)


def _numbered(labels: ArrayLike, name: str) -> Indices:
    """Number labels from 0 in their order; refuse missing ones."""
    given = np.asarray(labels)
    if given.dtype.kind in "iu" and given.size and np.ptp(given) <= 4 * given.size:  # as most labels are
        shifted = (given - given.min()).astype(np.intp, copy=False)
        present = np.bincount(shifted) > 0
        return shifted if present.all() else np.asarray((np.cumsum(present) - 1)[shifted], dtype=np.intp)
    code = pd.factorize(given, sort=True)[0].astype(np.intp)
    if missing := int((code < 0).sum()):
        raise AnalysisError(
            f"{name} is missing for {missing} of {code.size} rows. Say what each row belongs to."
        )
    return code


def _visits(who: Indices, visit: ArrayLike | None, correlation: str) -> Indices:
    """Return the number of each visit; without visits, any order within people."""
    if visit is not None:
        when = _numbered(visit, "visit")
        checks.same_length(person=who, visit=when)
        if twice := len(who) - _n_distinct(who * (int(when.max()) + 1) + when):
            raise AnalysisError(
                f"{twice} rows repeat a visit of the same person. Keep one row per person and visit."
            )
        return when
    if correlation in ("ar1", "unstructured"):
        raise AnalysisError(f"correlation={correlation!r} needs to know the visits. Pass visit=...")
    order = np.argsort(who, kind="stable")
    first = np.searchsorted(who[order], who[order])
    when = np.empty(len(who), dtype=np.intp)
    when[order] = np.arange(len(who)) - first
    return when


def _n_distinct(places: Indices) -> int:
    if (np.diff(places) > 0).all():  # sorted rows, as most are, need no sorting
        return len(places)
    return len(pd.unique(places))
