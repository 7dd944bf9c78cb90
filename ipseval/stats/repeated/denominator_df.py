"""Satterthwaite's and Kenward and Roger's degrees of freedom, for coefficients of Gaussian models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import fdtrc, stdtr, stdtrit

from ipseval import checks
from ipseval.errors import AnalysisError
from ipseval.stats.repeated.gaussian_blocks import Derivatives, Moments

Floats = NDArray[np.float64]

DF_METHODS = ("kenward_roger", "satterthwaite")


@dataclass(frozen=True)
class CoefficientInference:
    """What is known of the coefficients of a Gaussian model, at the estimated covariance.

    Attributes
    ----------
    coefficients : (p,) array
    covariance : (p, p) array
        With the variance parameters taken as known.
    adjusted_covariance : (p, p) array
        Kenward and Roger's, which adds what their estimation costs.
    """

    coefficients: Floats
    covariance: Floats
    adjusted_covariance: Floats
    _slopes: Floats
    _observed: Floats
    _expected: Floats

    def contrast(
        self, weights: ArrayLike, *, df: str = "kenward_roger", conf_level: float = 0.95
    ) -> LinearContrast:
        """Estimate a linear combination of the coefficients.

        Parameters
        ----------
        weights : (p,) array
        df : {"kenward_roger", "satterthwaite"}
            Kenward and Roger (1997) also enlarge the standard error; Satterthwaite does not.
        conf_level : float

        Returns
        -------
        LinearContrast
        """
        checks.one_of(df, DF_METHODS, "df")
        line = checks.float_array(weights, "weights")
        if line.shape != self.coefficients.shape:
            raise AnalysisError(
                f"weights has {line.size} numbers for {self.coefficients.size} coefficients. Give one each."
            )
        is_kr = df == "kenward_roger"
        variance = float(line @ (self.adjusted_covariance if is_kr else self.covariance) @ line)
        # Both agree for one combination, but for the information that the variance parameters are given.
        v = float(line @ self.covariance @ line)
        gradient = -np.einsum("a,jab,b->j", self.covariance @ line, self._slopes, self.covariance @ line)
        spread = float(gradient @ (self._expected if is_kr else self._observed) @ gradient)
        degrees = 2.0 * v * v / spread if spread > 0.0 else np.inf
        estimate, error = float(line @ self.coefficients), float(np.sqrt(variance))
        quantile = float(stdtrit(degrees, 0.5 + checks.confidence(conf_level) / 2.0))
        statistic = estimate / error if error > 0.0 else np.nan
        return LinearContrast(
            estimate, error, estimate - quantile * error, estimate + quantile * error,
            degrees, statistic, float(2.0 * stdtr(degrees, -abs(statistic))),
        )  # fmt: skip

    def test(self, weights: ArrayLike, *, df: str = "kenward_roger") -> FTest:
        """Test that several linear combinations of the coefficients are all zero.

        Parameters
        ----------
        weights : (q, p) array
            Rows that do not depend on each other.
        df : {"kenward_roger", "satterthwaite"}
            For Satterthwaite the q combinations are turned into independent ones, whose degrees of freedom
            are pooled as in SAS and lmerTest.
        """
        checks.one_of(df, DF_METHODS, "df")
        lines = np.atleast_2d(checks.float_array(weights, "weights"))
        if np.linalg.matrix_rank(lines) < len(lines):
            raise AnalysisError(
                f"The {len(lines)} rows of weights depend on each other. Leave out what follows from others."
            )
        return self._kenward_roger(lines) if df == "kenward_roger" else self._satterthwaite(lines)

    def _satterthwaite(self, lines: Floats) -> FTest:
        values, vectors = np.linalg.eigh(lines @ self.covariance @ lines.T)
        q = len(values)
        single = [self.contrast(line, df="satterthwaite") for line in vectors.T @ lines]
        f = float(np.mean([one.statistic**2 for one in single]))
        degrees = np.array([one.df for one in single])
        if np.allclose(degrees, degrees[0], rtol=1e-8):
            pooled = float(degrees.mean())
        else:
            usable = degrees[degrees > 2.0]
            total = float(np.sum(usable / (usable - 2.0)))
            pooled = 2.0 * total / (total - q) if total > q else 2.0
        return FTest(f, q, pooled, float(fdtrc(q, pooled, f)))

    def _kenward_roger(self, lines: Floats) -> FTest:
        phi, q = self.covariance, len(lines)
        middle = lines.T @ np.linalg.solve(lines @ phi @ lines.T, lines) @ phi
        each = middle @ self._slopes @ phi  # Theta Phi P_i Phi
        traces = np.trace(each, axis1=1, axis2=2)
        a1 = float(traces @ self._expected @ traces)
        a2 = float(np.sum(self._expected * np.einsum("iab,jba->ij", each, each)))
        b = (a1 + 6.0 * a2) / (2.0 * q)
        g = ((q + 1.0) * a1 - (q + 4.0) * a2) / ((q + 2.0) * a2)
        c1, c2, c3 = np.array([g, q - g, q + 2.0 - g]) / (3.0 * q + 2.0 * (1.0 - g))
        mean = 1.0 / (1.0 - a2 / q)
        variance = 2.0 / q * (1.0 + c1 * b) / ((1.0 - c2 * b) ** 2 * (1.0 - c3 * b))
        ratio = variance / (2.0 * mean**2)
        degrees = 4.0 + (q + 2.0) / (q * ratio - 1.0)
        scale = degrees / (mean * (degrees - 2.0))
        values = lines @ self.coefficients
        spread = lines @ self.adjusted_covariance @ lines.T
        f = float(scale * values @ np.linalg.solve(spread, values) / q)
        return FTest(f, q, float(degrees), float(fdtrc(q, degrees, f)))


@dataclass(frozen=True)
class LinearContrast:
    """A linear combination of coefficients, with its t interval and test against zero."""

    estimate: float
    std_error: float
    conf_low: float
    conf_high: float
    df: float
    statistic: float
    p_value: float


@dataclass(frozen=True)
class FTest:
    """An F test; ``statistic`` holds Kenward and Roger's scale."""

    statistic: float
    numerator_df: int
    denominator_df: float
    p_value: float


def coefficient_inference(
    here: Moments, curvature: Derivatives, free: NDArray[np.bool_] | None = None
) -> CoefficientInference:
    """Prepare tests and intervals of the coefficients.

    Parameters
    ----------
    here : Moments
        At the estimate.
    curvature : Derivatives
        By REML. Satterthwaite takes the inverse of the observed information of the variance parameters
        (as SAS, lmerTest and mmrm do), Kenward and Roger that of the expected (as pbkrtest does).
    free : (k,) array of bool, optional
        False for a variance that was estimated as zero. It has no part in Satterthwaite's degrees of freedom
        (as in lmerTest); in Kenward and Roger's it has (as in pbkrtest).

    Notes
    -----
    Kenward and Roger's adjusted covariance is Phi + 2 Phi sum_ij W_ij (Q_ij - P_i Phi P_j - R_ij / 4) Phi.
    It depends on how a covariance structure that is not linear is parametrised.

    References
    ----------
    Kenward & Roger (1997), Biometrics 53:983-997. Satterthwaite (1946), Biometrics Bulletin 2:110-114.
    """
    phi = here.covariance
    slopes = -here.one[:, :-1, :-1]
    expected = np.asarray(np.linalg.pinv(curvature.expected, hermitian=True), dtype=np.float64)
    inner = here.two[:, :, :-1, :-1] - slopes[:, None] @ phi @ slopes[None] - here.bend[:, :, :-1, :-1] / 4.0
    correction = np.einsum("ij,ijab->ab", expected, inner)
    adjusted = phi + phi @ (correction + correction.T) @ phi
    inside = np.ones(len(slopes), dtype=bool) if free is None else free
    observed = np.zeros_like(expected)
    observed[np.ix_(inside, inside)] = _positive_inverse(curvature.observed[np.ix_(inside, inside)])
    return CoefficientInference(here.coefficients, phi, adjusted, slopes, observed, expected)


def _positive_inverse(information: Floats) -> Floats:
    """Invert along the directions in which there is information."""
    # Scaled first: a variance and a correlation may differ by many powers of ten.
    scale = 1.0 / np.sqrt(np.maximum(np.diag(information), np.sqrt(np.finfo(float).tiny)))
    values, vectors = np.linalg.eigh(information * np.outer(scale, scale))
    usable = values > 1e-8 * values.max()
    part = vectors[:, usable]
    return np.asarray(np.outer(scale, scale) * ((part / values[usable]) @ part.T), dtype=np.float64)
