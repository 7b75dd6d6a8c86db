"""Densities of distributions at samples, differentiable in samples and parameters."""

from __future__ import annotations

import math
from typing import Any

from ..builder import Builder, Tensor
from ..errors import ShapeError
from ..shapes import ShapeContext
from ._distributions import constant
from .registry import Operator, find, operator

__all__: list[str] = []


def _log_gamma(g: Builder, x: Tensor) -> Tensor:
    return find("gammaln").function(g, x)  # type: ignore[return-value]


def _log(g: Builder, x: Tensor) -> Tensor:
    return g.op("Log", x)


def _aligned(g: Builder, sample: Tensor, **parameters: Tensor) -> list[Tensor]:
    """Parameters, whose axes are the first ones of the samples', in a shape that broadcasts."""
    result = []
    for name, p in parameters.items():
        if p.dims != sample.dims[: p.ndim]:
            raise ShapeError(
                f"argument {name!r}: expected the first axes of the samples, {sample.dims}, got {p.dims}"
            )
        result.append(g.reshape(p, (*p.dims, *(1,) * (sample.ndim - p.ndim))))
    return result


def _result(g: Builder, log_density: Tensor, is_log: bool) -> Tensor:
    return log_density if is_log else g.op("Exp", log_density)


@operator("_random_pdf_uniform", "random_pdf_uniform")
def pdf_uniform(g: Builder, sample: Tensor, low: Tensor, high: Tensor, *, is_log: bool = False) -> Tensor:
    """_random_pdf_uniform(sample, low, high, is_log=False)

    1 / (high - low) for each sample, wherever it lies. The samples' first axes are those of the parameters.
    """
    a, b = _aligned(g, sample, low=low, high=high)
    width = g.expand(b - a, sample.dims)
    return -_log(g, width) if is_log else 1.0 / width


@operator("_random_pdf_normal", "random_pdf_normal")
def pdf_normal(g: Builder, sample: Tensor, mu: Tensor, sigma: Tensor, *, is_log: bool = False) -> Tensor:
    """_random_pdf_normal(sample, mu, sigma, is_log=False)

    The normal density with mean `mu` and standard deviation `sigma`.
    """
    m, s = _aligned(g, sample, mu=mu, sigma=sigma)
    z = (sample - m) / s
    return _result(g, z * z * -0.5 - _log(g, s) - 0.5 * math.log(2.0 * math.pi), is_log)


@operator("_random_pdf_gamma", "random_pdf_gamma")
def pdf_gamma(g: Builder, sample: Tensor, alpha: Tensor, beta: Tensor, *, is_log: bool = False) -> Tensor:
    """_random_pdf_gamma(sample, alpha, beta, is_log=False)

    The gamma density with shape `alpha` and rate `beta` (where the draws' `beta` is a scale).
    """
    a, b = _aligned(g, sample, alpha=alpha, beta=beta)
    return _result(g, a * _log(g, b) + (a - 1.0) * _log(g, sample) - b * sample - _log_gamma(g, a), is_log)


@operator("_random_pdf_exponential", "random_pdf_exponential")
def pdf_exponential(g: Builder, sample: Tensor, lam: Tensor, *, is_log: bool = False) -> Tensor:
    """_random_pdf_exponential(sample, lam, is_log=False)

    The exponential density with rate `lam`.
    """
    (rate,) = _aligned(g, sample, lam=lam)
    return _result(g, _log(g, rate) - rate * sample, is_log)


@operator("_random_pdf_poisson", "random_pdf_poisson")
def pdf_poisson(g: Builder, sample: Tensor, lam: Tensor, *, is_log: bool = False) -> Tensor:
    """_random_pdf_poisson(sample, lam, is_log=False)

    The Poisson probability with mean `lam`. The gradient of the samples, which are whole numbers, is zero.
    """
    (mean,) = _aligned(g, sample, lam=lam)
    x = constant(g, sample)
    return _result(g, x * _log(g, mean) - mean - _log_gamma(g, x + 1.0), is_log)


def _negative_binomial(g: Builder, sample: Tensor, k: Tensor, p: Tensor) -> Tensor:
    x = constant(g, sample)
    ways = _log_gamma(g, x + k) - _log_gamma(g, x + 1.0) - _log_gamma(g, k)
    return ways + k * _log(g, p) + x * _log(g, 1.0 - p)


@operator("_random_pdf_negative_binomial", "random_pdf_negative_binomial")
def pdf_negative_binomial(
    g: Builder, sample: Tensor, k: Tensor, p: Tensor, *, is_log: bool = False
) -> Tensor:
    """_random_pdf_negative_binomial(sample, k, p, is_log=False)

    The probability of `sample` failures before `k` successes of probability `p`.
    """
    limit, chance = _aligned(g, sample, k=k, p=p)
    return _result(g, _negative_binomial(g, sample, limit, chance), is_log)


@operator("_random_pdf_generalized_negative_binomial", "random_pdf_generalized_negative_binomial")
def pdf_generalized_negative_binomial(
    g: Builder, sample: Tensor, mu: Tensor, alpha: Tensor, *, is_log: bool = False
) -> Tensor:
    """_random_pdf_generalized_negative_binomial(sample, mu, alpha, is_log=False)

    The negative binomial probability with mean `mu` and variance ``mu + alpha * mu ** 2``.
    """
    m, a = _aligned(g, sample, mu=mu, alpha=alpha)
    return _result(g, _negative_binomial(g, sample, 1.0 / a, 1.0 / (m * a + 1.0)), is_log)


@operator("_random_pdf_dirichlet", "random_pdf_dirichlet")
def pdf_dirichlet(g: Builder, sample: Tensor, alpha: Tensor, *, is_log: bool = False) -> Tensor:
    """_random_pdf_dirichlet(sample, alpha, is_log=False)

    The Dirichlet density: the last axes of `sample` and of `alpha` are the vectors, the axes before them in `alpha` are
    the samples' first ones. The result has the samples' shape without the last axis.
    """
    rest = alpha.ndim - 1
    if alpha.dims[:-1] != sample.dims[:rest] or alpha.dims[-1] != sample.dims[-1]:
        raise ShapeError(f"argument 'alpha': {alpha.dims} does not fit samples of shape {sample.dims}")
    extra = sample.ndim - alpha.ndim
    a = g.reshape(alpha, (*alpha.dims[:-1], *(1,) * extra, alpha.dims[-1]))
    weighted = g.reduce("Sum", (a - 1.0) * _log(g, sample), [-1])
    return _result(
        g,
        weighted + _log_gamma(g, g.reduce("Sum", a, [-1])) - g.reduce("Sum", _log_gamma(g, a), [-1]),
        is_log,
    )


def _shape(s: ShapeContext, a: Any) -> None:
    s.set("sample", s[0])
    s.set(0, s["sample"])


_OPERATORS: tuple[Operator, ...] = (
    pdf_uniform,
    pdf_normal,
    pdf_gamma,
    pdf_exponential,
    pdf_poisson,
    pdf_negative_binomial,
    pdf_generalized_negative_binomial,
)
for _op in _OPERATORS:
    _op.infer_shape(_shape)
