"""The mixed model for repeated measures (MMRM): Gaussian outcomes at planned visits, no random effects."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.repeated.covariance_structures import Matrices, Structure, structure
from ipseval.stats.repeated.denominator_df import CoefficientInference, coefficient_inference
from ipseval.stats.repeated.gaussian_blocks import Block, derivatives, fisher_scoring, moments, regression

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True)
class RepeatedMeasures:
    """A fitted MMRM.

    Attributes
    ----------
    coefficients : (p,) array
    std_error : (p,) array
        With the covariance of the visits taken as known, as R's ``gls`` and ``mmrm`` print it.
    covariances : (groups, visits, visits) array
        Of the visits of one person, per group.
    log_likelihood : float
        Restricted, where fitted by REML.
    structure : str
    n_parameters : int
        Of the covariance.
    converged : bool
    gain : float
        How much lower the deviance of another step was foreseen to be.
    steps : int
    inference : CoefficientInference
        Contrasts and tests; after REML only.
    n_people, n_rows : int
    """

    coefficients: Floats
    std_error: Floats
    covariances: Floats
    log_likelihood: float
    structure: str
    n_parameters: int
    converged: bool
    gain: float
    steps: int
    inference: CoefficientInference
    n_people: int
    n_rows: int


def repeated_measures(
    y: ArrayLike,
    X: ArrayLike,
    person: ArrayLike,
    visit: ArrayLike,
    *,
    covariance: str = "unstructured",
    group: ArrayLike | None = None,
    reml: bool = True,
) -> RepeatedMeasures:
    """Fit a linear model whose errors are correlated within people, by REML.

    Visits that were missed are simply not among the rows. The answer is then valid if they are missing at
    random, given the outcomes that were seen and X.

    Parameters
    ----------
    y : (rows,) array
    X : (rows, p) array
        With a column of ones; no column a linear combination of others.
    person : (rows,) array of labels
    visit : (rows,) array
        Numbers or labels that sort in the order of time; at most one row per person and visit.
    covariance : str
        One of `ipseval.stats.repeated.covariance_structures.STRUCTURES`.
    group : (rows,) array of labels, optional
        A covariance of its own for each group of people (such as the arm).
    reml : bool
        False for full maximum likelihood, to compare models with different X.

    Returns
    -------
    RepeatedMeasures
        ``converged`` is False where no maximum was found; a simpler covariance is then the way out.

    Raises
    ------
    AnalysisError
        Missing values, two rows for one visit of a person, a person in two groups, collinear columns, a visit
        or pair of visits that too few people have.

    Notes
    -----
    Fisher scoring on the exact derivatives, with Levenberg's damping. Agrees with ``nlme::gls`` and with the
    SAS convention of Satterthwaite degrees of freedom; the REML constant is that of lme4 and mmrm (without
    log det X'X). The autoregressive structures count visits, also across missed ones.

    References
    ----------
    Mallinckrodt, Clark & David (2001), Journal of Biopharmaceutical Statistics 11:9-21.
    Harville (1977), JASA 72:320-338, for the derivatives.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> person, visit = np.divmod(np.arange(120), 3)
    >>> arm = (person % 2).astype(float)
    >>> y = 5.0 + arm + rng.normal(size=40)[person] + rng.normal(size=120)
    >>> fit = repeated_measures(y, np.column_stack([np.ones(120), arm]), person, visit)
    >>> found = fit.inference.contrast([0.0, 1.0])
    >>> fit.converged, round(found.df, 1)
    (True, 38.0)
    """
    model = regression(y, X)
    people, who = np.unique(np.asarray(person), return_inverse=True)
    times, when = np.unique(np.asarray(visit), return_inverse=True)
    groups, whose = np.unique(np.zeros(len(who)) if group is None else np.asarray(group), return_inverse=True)
    checks.same_length(y=model.residual, person=who, visit=when, group=whose)
    _refuse(who, when, whose)
    form = Grouped(structure(covariance, len(times)), len(groups))
    if covariance == "unstructured":
        _refuse_unseen_pairs(times, who, when, whose)

    blocks = _blocks(model.rows, who, when, whose, form)
    start = form.start(_spread(model.residual, when, whose, (len(groups), len(times))))
    path = fisher_scoring(start, blocks, form.natural, reml=reml)
    here = moments(path.theta, blocks)
    curvature = derivatives(here, reml=reml)
    with np.errstate(over="ignore", invalid="ignore"):  # where nothing converged, which is said
        inference = coefficient_inference(here, curvature)
    inference = replace(inference, coefficients=inference.coefficients + model.ordinary)
    return RepeatedMeasures(
        coefficients=inference.coefficients,
        std_error=np.sqrt(
            np.where(np.diag(inference.covariance) >= 0.0, np.diag(inference.covariance), np.nan)
        ),
        covariances=np.array([form.matrices(path.theta, number).value for number in range(len(groups))]),
        log_likelihood=-curvature.deviance / 2.0,
        structure=covariance,
        n_parameters=len(path.theta),
        converged=path.converged,
        gain=path.gain,
        steps=path.steps,
        inference=inference,
        n_people=len(people),
        n_rows=len(who),
    )


@dataclass(frozen=True)
class Grouped:
    """One structure with parameters of its own in each group of people."""

    form: Structure
    n_groups: int

    def own(self, group: int) -> slice:
        """Return which parameters are those of a group."""
        return slice(group * self.form.size, (group + 1) * self.form.size)

    def start(self, sd: Floats) -> Floats:
        """Return free numbers to begin with, from (groups, visits) standard deviations."""
        return np.concatenate([self.form.start(row) for row in sd])

    def natural(self, free: Floats) -> tuple[Floats, Floats]:
        """Return all parameters, and their derivatives in the free numbers."""
        theta, jacobian = np.empty(len(free)), np.zeros((len(free), len(free)))
        for group in range(self.n_groups):
            own = self.own(group)
            theta[own], jacobian[own, own] = self.form.natural(free[own])
        return theta, jacobian

    def matrices(self, theta: Floats, group: int) -> Matrices:
        """Return the covariance of all visits in a group."""
        return self.form.matrices(theta[self.own(group)])


def _blocks(rows: Floats, who: Indices, when: Indices, whose: Indices, form: Grouped) -> list[Block]:
    """Gather people of one group who were seen at the same visits."""
    order = np.lexsort((when, who))
    n_visits = int(when.max()) + 1
    seen = np.zeros((int(who.max()) + 1, n_visits), dtype=bool)
    seen[who, when] = True
    group = np.empty(len(seen), dtype=np.intp)
    group[who] = whose
    kinds, kind = np.unique(np.column_stack([group, seen]), axis=0, return_inverse=True)
    kind_of_row = kind.ravel()[who[order]]
    blocks = []
    for number, (whole, *visits) in enumerate(kinds):
        present = np.flatnonzero(visits)
        mine = rows[order[kind_of_row == number]].reshape(-1, len(present), rows.shape[1])

        def covariance(theta: Floats, group: int = int(whole), present: Indices = present) -> Matrices:
            return form.matrices(theta, group).of(present)

        blocks.append(Block(mine, covariance, form.own(int(whole))))
    return blocks


def _spread(residual: Floats, when: Indices, whose: Indices, shape: tuple[int, int]) -> Floats:
    """Return the standard deviation per group and visit; the overall one where nothing or nobody varies."""
    cell = whose * shape[1] + when
    counts = np.bincount(cell, minlength=shape[0] * shape[1])
    sums = np.bincount(cell, residual**2, minlength=shape[0] * shape[1])
    overall = float(np.mean(residual**2))
    mean = np.divide(sums, counts, out=np.full(len(sums), overall), where=counts > 1)
    return np.sqrt(np.where(mean > 1e-6 * overall, mean, overall)).reshape(shape)


def _refuse(who: Indices, when: Indices, whose: Indices) -> None:
    twice = len(who) - len(np.unique(np.column_stack([who, when]), axis=0))
    if twice:
        raise AnalysisError(
            f"{twice} rows repeat a visit of the same person. Keep one row per person and visit."
        )
    several = len(np.unique(np.column_stack([who, whose]), axis=0)) - (int(who.max()) + 1)
    if several:
        raise AnalysisError(f"{several} people are in more than one group. Give every person one group.")


def _refuse_unseen_pairs(times: NDArray[Any], who: Indices, when: Indices, whose: Indices) -> None:
    """Refuse an unstructured covariance where nobody shows how two visits go together."""
    for group in np.unique(whose):
        mine = whose == group
        seen = np.zeros((int(who.max()) + 1, len(times)))
        seen[who[mine], when[mine]] = 1.0
        first, second = np.nonzero(np.tril(seen.T @ seen < 2.0))
        if len(first):
            pairs = checks.named_list(
                f"{times[j]} and {times[i]}" for i, j in zip(first, second, strict=True)
            )
            raise AnalysisError(
                f"Fewer than two people were seen at both of these visits: {pairs}. Their covariance cannot "
                "be estimated. Use covariance='compound_symmetry' or leave a visit out."
            )
