"""Linear mixed models: a random intercept, and slope, of a person, and a random intercept of a site."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.repeated.covariance_structures import Matrices, symmetric_units
from ipseval.stats.repeated.denominator_df import CoefficientInference, coefficient_inference
from ipseval.stats.repeated.gaussian_blocks import Block, derivatives, moments, regression

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

#: A variance below this share of the residual's is tried at zero.
_NEXT_TO_ZERO = 1e-6


@dataclass(frozen=True)
class LinearMixed:
    """A fitted linear mixed model.

    Attributes
    ----------
    coefficients : (p,) array
    std_error : (p,) array
        With the variances taken as known, as lme4 prints it.
    person_covariance : (q, q) array
        Of the random intercept (and slope) of a person.
    site_variance : float
        NaN where there are no sites in the model.
    residual_variance : float
    log_likelihood : float
        Restricted, where fitted by REML.
    at_boundary : bool
        Whether a variance is zero, or a random intercept and slope are perfectly correlated.
    converged : bool
    gain : float
        How much lower the deviance of another Newton step was foreseen to be.
    inference : CoefficientInference
        Contrasts and tests; after REML only.
    n_people, n_sites, n_rows : int
    """

    coefficients: Floats
    std_error: Floats
    person_covariance: Floats
    site_variance: float
    residual_variance: float
    log_likelihood: float
    at_boundary: bool
    converged: bool
    gain: float
    inference: CoefficientInference
    n_people: int
    n_sites: int
    n_rows: int


def linear_mixed(
    y: ArrayLike,
    X: ArrayLike,
    person: ArrayLike,
    *,
    slope: ArrayLike | None = None,
    correlated: bool = True,
    site: ArrayLike | None = None,
    reml: bool = True,
) -> LinearMixed:
    """Fit a linear mixed model.

    Parameters
    ----------
    y : (rows,) array
    X : (rows, p) array
        With a column of ones; no column a linear combination of others.
    person : (rows,) array of labels
    slope : (rows,) array, optional
        Time, for a random slope of the person beside the intercept.
    correlated : bool
        Whether intercept and slope may be correlated.
    site : (rows,) array of labels, optional
        For a random intercept of the site, in which people are nested. With fewer than about ten sites its
        variance is hardly known; sites as columns of X are the better choice.
    reml : bool
        False for full maximum likelihood, to compare models with different X.

    Returns
    -------
    LinearMixed

    Raises
    ------
    AnalysisError
        Missing values, collinear columns, no person (or site) with two outcomes, a person in two sites.

    Notes
    -----
    Agrees with lme4, lmerTest and pbkrtest. A variance whose maximum lies at zero is put there exactly.

    References
    ----------
    Laird & Ware (1982), Biometrics 38:963-974. Bates, Maechler, Bolker & Walker (2015), Journal of
    Statistical Software 67(1).

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> person = np.repeat(np.arange(40), 3)
    >>> arm = (person % 2).astype(float)
    >>> y = 5.0 + arm + rng.normal(size=40)[person] + rng.normal(size=120)
    >>> fit = linear_mixed(y, np.column_stack([np.ones(120), arm]), person)
    >>> fit.converged, round(fit.inference.contrast([0.0, 1.0]).df, 1)
    (True, 38.0)
    """
    model = regression(y, X)
    people, who = np.unique(np.asarray(person), return_inverse=True)
    random = np.ones((len(who), 1))
    if slope is not None:
        random = np.column_stack([random, checks.float_array(slope, "slope")])
    sites, where = np.unique(np.zeros(len(who)) if site is None else np.asarray(site), return_inverse=True)
    checks.same_length(y=model.residual, person=who, random=random, site=where)
    _refuse(who, where)
    scale = _Scale(random.shape[1], correlated, site is not None)

    if scale.has_site:
        blocks = _site_blocks(model.rows, random, who, where, scale)
    else:
        blocks = _blocks(model.rows, random, who, scale)
    theta, inside, gain = _maximise(blocks, scale, float(model.residual.var()), random, reml)
    here = moments(theta, blocks)
    curvature = derivatives(here, reml=reml)
    inference = coefficient_inference(here, curvature, inside)
    inference = replace(inference, coefficients=inference.coefficients + model.ordinary)
    within = scale.person(theta)
    return LinearMixed(
        coefficients=inference.coefficients,
        std_error=np.sqrt(np.diag(inference.covariance)),
        person_covariance=within,
        site_variance=float(theta[-2]) if scale.has_site else np.nan,
        residual_variance=float(theta[-1]),
        log_likelihood=-curvature.deviance / 2.0,
        at_boundary=not inside.all() or scale.is_singular(within),
        converged=bool(gain < 1e-6),
        gain=gain,
        inference=inference,
        n_people=len(people),
        n_sites=len(sites) if scale.has_site else 0,
        n_rows=len(who),
    )


@dataclass(frozen=True)
class _Scale:
    """The parameters: entries of the person's covariance, the variance of sites, the residual variance."""

    n_random: int
    correlated: bool
    has_site: bool

    @property
    def places(self) -> tuple[Indices, Indices]:
        rows, columns = np.tril_indices(self.n_random)
        kept = self.correlated | (rows == columns)
        return rows[kept], columns[kept]

    @property
    def n_person(self) -> int:
        return len(self.places[0])

    @property
    def size(self) -> int:
        return self.n_person + self.has_site + 1

    @property
    def basis(self) -> Floats:
        """The person's covariance is the sum of its parameters times these (q, q) matrices."""
        rows, columns = np.tril_indices(self.n_random)
        kept: Floats = symmetric_units(self.n_random)[self.correlated | (rows == columns)]
        return kept

    @property
    def variances(self) -> NDArray[np.bool_]:
        """Which parameters are variances that may be zero by themselves."""
        rows, columns = self.places
        alone = (rows == columns) & (not self.correlated or self.n_random == 1)
        return np.array([*alone, *([True] * self.has_site), False])

    def person(self, theta: Floats) -> Floats:
        return np.tensordot(theta[: self.n_person], self.basis, 1)

    def is_singular(self, within: Floats) -> bool:
        spread = np.sqrt(np.diag(within))
        if not (spread > 0.0).all():
            return True
        return bool(np.linalg.eigvalsh(within / np.outer(spread, spread))[0] < 1e-6)

    def natural(self, free: Floats) -> tuple[Floats, Floats]:
        """Return parameters and derivatives, from a Cholesky factor, a standard deviation, a log variance."""
        rows, columns = self.places
        factor = np.zeros((self.n_random, self.n_random))
        factor[rows, columns] = free[: self.n_person]
        i, j = rows[:, None], columns[:, None]
        jacobian = np.zeros((self.size, self.size))
        jacobian[: self.n_person, : self.n_person] = (i == rows) * factor[j, columns] + (j == rows) * factor[
            i, columns
        ]
        theta = np.empty(self.size)
        theta[: self.n_person] = (factor @ factor.T)[rows, columns]
        if self.has_site:
            theta[-2], jacobian[-2, -2] = free[-2] ** 2, 2.0 * free[-2]
        theta[-1] = jacobian[-1, -1] = np.exp(free[-1])
        return theta, jacobian

    def start(self, variance: float, random: Floats) -> Floats:
        """Half of the variance between people, spread over their random effects; the rest within."""
        size = np.sqrt(np.mean(random**2, axis=0)) * np.sqrt(self.n_random + self.has_site)
        rows, columns = self.places
        of_person = np.where(rows == columns, np.sqrt(variance / 2.0) / size[rows], 0.0)
        of_site = [np.sqrt(variance / 20.0)] * self.has_site
        return np.concatenate([of_person, of_site, [np.log(variance / 2.0)]])


def _maximise(
    blocks: list[Block], scale: _Scale, variance: float, random: Floats, reml: bool
) -> tuple[Floats, NDArray[np.bool_], float]:
    """Return the parameters, which of them are not put at zero, and the gain of another Newton step."""

    def deviance(free: Floats, inside: NDArray[np.bool_], whole: Floats) -> tuple[float, Floats]:
        whole = whole.copy()
        whole[inside] = free
        theta, jacobian = scale.natural(whole)
        found = derivatives(moments(theta, blocks), reml=reml)
        return found.deviance, (jacobian.T @ found.gradient)[inside]

    inside = np.ones(scale.size, dtype=bool)
    free = scale.start(variance, random)
    while True:
        search = minimize(
            deviance, free[inside], (inside, free), jac=True, method="L-BFGS-B",
            options={"maxiter": 500, "ftol": 1e-14, "gtol": 1e-8},
        )  # fmt: skip
        free[inside] = search.x
        theta = scale.natural(free)[0]
        small = inside & scale.variances & (theta < _NEXT_TO_ZERO * theta[-1])
        at_zero = np.where(small, 0.0, theta)
        if not small.any() or (derivatives(moments(at_zero, blocks), reml=reml).gradient[small] < 0.0).any():
            break
        free[small], inside = 0.0, inside & ~small
    theta = scale.natural(free)[0]
    if inside[: scale.n_person].all() and scale.is_singular(scale.person(theta)):
        # On the edge of the positive matrices the gradient need not vanish; the search's own end counts.
        return theta, inside, 0.0 if search.success else np.inf
    theta, gain = _polished(theta, inside, blocks, reml)
    return theta, inside, gain


def _polished(
    theta: Floats, inside: NDArray[np.bool_], blocks: list[Block], reml: bool
) -> tuple[Floats, float]:
    """Take Newton steps in the parameters themselves, from next to the maximum; foretell one more."""
    gain = np.inf
    for _ in range(4):
        here = derivatives(moments(theta, blocks), reml=reml)
        chosen = np.ix_(inside, inside)
        slope = here.gradient[inside] / 2.0
        move = np.linalg.solve(here.observed[chosen], slope)
        gain = abs(float(slope @ move))
        tried = theta.copy()
        tried[inside] -= move
        if gain < 1e-12 or tried[-1] <= 0.0:
            break
        if derivatives(moments(tried, blocks), reml=reml).deviance > here.deviance + 1e-10:
            break
        theta = tried
    return theta, gain


def _linear(basis: Floats) -> Callable[[Floats], Matrices]:
    return lambda theta: Matrices(np.tensordot(theta, basis, 1), basis)


def _of_person(random: Floats, scale: _Scale) -> Floats:
    """Return what each parameter of a person adds to the covariance of outcomes with these random effects."""
    added: Floats = np.einsum("ap,kpq,bq->kab", random, scale.basis, random)
    return added


def _blocks(rows: Floats, random: Floats, who: Indices, scale: _Scale) -> list[Block]:
    """Gather people with the same rows of random effects."""
    order = np.lexsort((*random.T[::-1], who))
    parts = np.split(order, np.flatnonzero(np.diff(who[order])) + 1)
    alike: dict[bytes, list[Indices]] = {}
    for part in parts:
        alike.setdefault(random[part].tobytes(), []).append(part)
    blocks = []
    for members in alike.values():
        basis = np.concatenate([_of_person(random[members[0]], scale), np.eye(len(members[0]))[None]])
        blocks.append(Block(rows[np.array(members)], _linear(basis), slice(0, scale.size)))
    return blocks


def _site_blocks(rows: Floats, random: Floats, who: Indices, where: Indices, scale: _Scale) -> list[Block]:
    """Gather the outcomes of each site."""
    blocks = []
    for site in np.unique(where):
        mine = np.flatnonzero(where == site)
        same = who[mine][:, None] == who[mine]
        size = len(mine)
        basis = np.concatenate(
            [_of_person(random[mine], scale) * same, np.ones((1, size, size)), np.eye(size)[None]]
        )
        blocks.append(Block(rows[mine][None], _linear(basis), slice(0, scale.size)))
    return blocks


def _refuse(who: Indices, where: Indices) -> None:
    if len(np.unique(who)) == len(who):
        raise AnalysisError(
            f"None of the {len(who)} people has two outcomes, so that people and outcomes cannot be told "
            "apart. Use ordinary regression."
        )
    several = len(np.unique(np.column_stack([who, where]), axis=0)) - (int(who.max()) + 1)
    if several:
        raise AnalysisError(f"{several} people are in more than one site. Give every person one site.")
