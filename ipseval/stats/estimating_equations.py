"""Generalised estimating equations (GEE): population-averaged regression of correlated outcomes.

The coefficients mean what they would in ordinary regression of one visit: no random effect is conditioned
on. A working correlation makes them more precise; the variance holds whether it is right or wrong, with many
people. With few, two corrections and a t distribution mend most of what it lacks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import stdtr, stdtrit

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.alike_people import AlikePeople, alike_people
from ipseval.stats.binomial_logistic import binomial_logistic
from ipseval.stats.canonical_models import MODELS, canonical_fit, mean_and_weight
from ipseval.stats.denominator_df import LinearContrast

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

CORRELATIONS = ("independence", "exchangeable", "ar1", "unstructured")
VARIANCES = ("mancl_derouen", "kauermann_carroll", "robust", "model")

_MOST_STEPS = 200
_SMALL_GAIN = 1e-14


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
        kind, working = correlation, np.eye(n_visits)
    else:
        kind, working = "given", _given(correlation, n_visits)
    if n_people <= design.shape[1]:
        raise AnalysisError(
            f"{n_people} people cannot bear {design.shape[1]} coefficients. Use fewer, or more people."
        )
    # Sums of products lose digits where outcomes are far from 0, which those of a linear model may be.
    groups = alike_people(values, design, who, when, collapse=model != "linear")
    beta, steps, gain = _independent(values, design, groups, model), 0, np.inf
    while True:
        fitted = [_fitted(group, beta, model) for group in groups]
        dispersion = sum(float(np.trace(part.squares)) for part in fitted) / n_rows
        if kind != "given":
            working = _working(fitted, dispersion, n_visits, kind)
        if steps == _MOST_STEPS or gain <= _SMALL_GAIN:
            break
        information, score = _sums(fitted, working)
        move = np.linalg.solve(information, score)
        beta, steps, gain = beta + move, steps + 1, float(score @ move) / dispersion
    return EstimatingEquations(
        coefficients=beta,
        covariances=_covariances(fitted, working, dispersion),
        correlation=working,
        dispersion=dispersion,
        df=n_people - design.shape[1],
        converged=gain <= _SMALL_GAIN,
        steps=steps,
        n_people=n_people,
        n_rows=n_rows,
    )


@dataclass(frozen=True)
class _Fitted:
    """A group at some coefficients, all divided by the root of the variance function.

    ``design`` (cells, t, p), ``residual`` (cells, t) sums over the people of a cell, ``squares`` (t, t) sum
    of the products of residuals over all people.
    """

    group: AlikePeople
    mean: Floats
    root: Floats
    design: Floats
    residual: Floats
    squares: Floats

    @property
    def place(self) -> tuple[Indices, ...]:
        """Where the visits of the group are in a matrix of all visits."""
        return np.ix_(self.group.visits, self.group.visits)


def _fitted(group: AlikePeople, beta: Floats, model: str) -> _Fitted:
    mean, weight = mean_and_weight(group.design @ beta, model)
    root = np.sqrt(weight)
    design, residual = group.design * root[:, :, None], group.residual(mean, root)
    return _Fitted(group, mean, root, design, residual, group.all_squares(mean, root))


def _independent(values: Floats, design: Floats, groups: list[AlikePeople], model: str) -> Floats:
    """Return the coefficients as if all rows were independent, or refuse what has none."""
    if model == "logistic" and np.isin(values, (0.0, 1.0)).all() and np.ptp(values) > 0.0:
        p = design.shape[1]
        trials = [np.repeat(group.people, len(group.visits)) for group in groups]
        rows = np.concatenate([group.design.reshape(-1, p) for group in groups])
        totals = np.concatenate([group.total.ravel() for group in groups])
        fit = binomial_logistic(totals, np.concatenate(trials), rows)
        if fit.converged:
            return fit.coefficients
    return canonical_fit(values, design, model).coefficients


def _numbered(labels: ArrayLike, name: str) -> Indices:
    """Number labels from 0 in their order; refuse missing ones."""
    given = np.asarray(labels)
    if given.dtype.kind in "iu" and given.size and np.ptp(given) <= 4 * given.size:  # as most labels are
        shifted = given - given.min()
        present = np.bincount(shifted) > 0
        return np.asarray((np.cumsum(present) - 1)[shifted], dtype=np.intp)
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


def _given(correlation: ArrayLike, n_visits: int) -> Floats:
    matrix = checks.float_array(correlation, "correlation")
    if (
        matrix.shape != (n_visits, n_visits)
        or not np.allclose(matrix, matrix.T)
        or not np.all(np.diag(matrix) == 1)
    ):
        raise AnalysisError(
            f"correlation is not a symmetric matrix with ones on the diagonal for {n_visits} visits. "
            f"Pass one, or a name: {checks.named_list(CORRELATIONS, 4)}."
        )
    return _positive(matrix, "given")


def _positive(correlation: Floats, kind: str) -> Floats:
    if np.linalg.eigvalsh(correlation)[0] < 1e-8:
        raise AnalysisError(
            f"The {kind} working correlation is not positive definite with these {len(correlation)} visits. "
            "Use correlation='independence'; the robust variance holds all the same."
        )
    return correlation


def _n_distinct(places: Indices) -> int:
    if (np.diff(places) > 0).all():  # sorted rows, as most are, need no sorting
        return len(places)
    return len(pd.unique(places))


def _working(fitted: list[_Fitted], dispersion: float, n_visits: int, kind: str) -> Floats:
    """Return the working correlation, from the mean product of the residuals of each pair of visits."""
    if kind == "independence" or n_visits == 1:
        return np.eye(n_visits)
    products, pairs = np.zeros((n_visits, n_visits)), np.zeros((n_visits, n_visits))
    for part in fitted:
        products[part.place] += part.squares / dispersion
        pairs[part.place] += part.group.people.sum()
    above = np.triu(np.ones((n_visits, n_visits), dtype=bool), 1)
    if not pairs[above].any():
        raise AnalysisError("Nobody was seen at two visits. Use correlation='independence'.")
    if kind == "unstructured":
        if (pairs[above] == 0).any():
            raise AnalysisError(
                f"{int((pairs[above] == 0).sum())} pairs of visits were never seen in the same person. "
                "Use correlation='exchangeable' or 'ar1'."
            )
        found = np.divide(products, pairs, out=np.ones_like(products), where=pairs > 0)
    elif kind == "exchangeable":
        found = np.full((n_visits, n_visits), products[above].sum() / pairs[above].sum())
    else:
        apart = np.abs(np.subtract.outer(np.arange(n_visits), np.arange(n_visits)))
        found = _autoregressive(products[above], pairs[above], apart[above]) ** apart
    np.fill_diagonal(found, 1.0)
    return _positive(found, kind)


def _autoregressive(products: Floats, pairs: Floats, apart: NDArray[np.int_]) -> float:
    """Solve the estimating equation of alpha: products near alpha^distance, each pair with weight one."""

    def equation(alpha: float) -> float:
        slope = apart * alpha ** (apart - 1.0)
        return float(np.sum(slope * (products - pairs * alpha**apart)))

    grid = np.linspace(-0.99, 0.99, 199)
    distance = [np.sum(pairs * alpha ** (2.0 * apart) - 2.0 * products * alpha**apart) for alpha in grid]
    best = int(np.argmin(distance))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    if equation(low) * equation(high) > 0.0:
        return float(grid[best])
    return float(brentq(equation, low, high, xtol=1e-14))


def _sums(fitted: list[_Fitted], working: Floats) -> tuple[Floats, Floats]:
    """Return the information and the score, up to the dispersion."""
    p = fitted[0].design.shape[2]
    information, score = np.zeros((p, p)), np.zeros(p)
    for part in fitted:
        inverse = np.linalg.inv(working[part.place])
        weighted = (inverse @ part.design).reshape(-1, p)
        people = np.repeat(part.group.people, len(part.group.visits))
        information += (weighted * people[:, None]).T @ part.design.reshape(-1, p)
        score += weighted.T @ part.residual.ravel()
    return information, score


def _covariances(fitted: list[_Fitted], working: Floats, dispersion: float) -> dict[str, Floats]:
    """Return the covariance of the coefficients in each of `VARIANCES`."""
    information, _ = _sums(fitted, working)
    bread = np.linalg.inv(information)
    half = np.linalg.cholesky(bread)
    meats = {name: np.zeros_like(bread) for name in ("robust", "mancl_derouen", "kauermann_carroll")}
    for part in fitted:
        white = np.linalg.inv(np.linalg.cholesky(working[part.place]))
        # With white noise H = U U' is symmetric, and its eigenvectors are those of the small U'U.
        design = white @ part.design
        spread = design @ half
        values, vectors = np.linalg.eigh(np.swapaxes(spread, 1, 2) @ spread)
        values = np.clip(values, 0.0, 1.0 - 1e-12)
        directions = spread @ vectors
        for name, meat in meats.items():
            meat += _meat(part, white, _corrected(name, design, directions, values))
    found = {name: bread @ meat @ bread for name, meat in meats.items()}
    return {**found, "model": dispersion * bread}


def _meat(part: _Fitted, white: Floats, design: Floats) -> Floats:
    """Return the sum over people of their squared scores, from the (corrected) design of white noise."""
    group = part.group
    if group.products is None:
        score = np.einsum("ntp,nt->np", design, part.residual @ white.T)
        return np.asarray(score.T @ score, dtype=np.float64)
    squares = white @ group.squares(part.mean, part.root) @ white.T
    return np.asarray((np.swapaxes(design, 1, 2) @ squares @ design).sum(axis=0), dtype=np.float64)


def _corrected(kind: str, design: Floats, directions: Floats, values: Floats) -> Floats:
    """Return (I - H)^-1 or (I - H)^(-1/2) times the design; H has `values` along `directions`."""
    if kind == "robust":
        return design
    power = 1.0 if kind == "mancl_derouen" else 0.5
    # ((1 - h)^-power - 1) / h tends to the power as h vanishes; directions have the length u'u = h.
    small = values < 1e-6
    factor = np.where(small, power, ((1.0 - values) ** -power - 1.0) / np.where(small, 1.0, values))
    along = np.swapaxes(directions, 1, 2) @ design
    corrected: Floats = design + directions @ (factor[:, :, None] * along)
    return corrected
