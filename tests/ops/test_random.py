"""Random operators: moments of what they draw, its type and shape, and that a seed fixes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import gluon_onnx as mx
from tests.ops.runner import resolve

_COUNT = 20_000


@dataclass(frozen=True)
class Draw:
    """An operator call and the distribution it draws from (a column a parameter set for ``sample_*``)."""

    op: str
    mean: Any
    variance: Any
    inputs: tuple[list[float], ...] = ()
    attrs: dict[str, Any] = field(default_factory=dict)
    dtype: str = "float32"
    low: float = -np.inf
    high: float = np.inf
    whole: bool = False

    @property
    def id(self) -> str:
        return "-".join([self.op.lstrip("_"), *map(str, self.attrs.values()), *map(str, self.inputs)])

    def run(self, seed: int) -> np.ndarray:
        mx.random.seed(seed)
        arrays = [mx.nd.array(values, dtype="float32") for values in self.inputs]
        if self.op.endswith("_like"):
            arrays = [mx.nd.zeros((_COUNT // 100, 100), dtype=self.dtype)]
            return resolve(mx.nd, self.op)(*arrays, **self.attrs).asnumpy()
        result: np.ndarray = resolve(mx.nd, self.op)(
            *arrays, shape=(_COUNT // 100, 100), **self.attrs
        ).asnumpy()
        return result


def _uniform(low: float, high: float) -> dict[str, Any]:
    return {"mean": (low + high) / 2, "variance": (high - low) ** 2 / 12, "low": low, "high": high}


def _gamma(alpha: float, beta: float) -> dict[str, Any]:
    return {"mean": alpha * beta, "variance": alpha * beta**2, "low": 0.0}


def _negative(k: float, p: float) -> dict[str, Any]:
    return {"mean": k * (1 - p) / p, "variance": k * (1 - p) / p**2, "low": 0.0, "whole": True}


def _general(mu: float, alpha: float) -> dict[str, Any]:
    return {"mean": mu, "variance": mu + alpha * mu**2, "low": 0.0, "whole": True}


def _two(*each: dict[str, Any]) -> dict[str, Any]:
    """Moments of two parameter sets."""
    merged = dict(each[0])
    for name in ("mean", "variance", "low", "high"):
        if name in merged:
            merged[name] = np.array([e[name] for e in each])
    return merged


_SCALAR: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "uniform": ({"low": -1.0, "high": 3.0}, _uniform(-1, 3)),
    "normal": ({"loc": 1.5, "scale": 2.0}, {"mean": 1.5, "variance": 4.0}),
    "gamma": ({"alpha": 2.5, "beta": 0.5}, _gamma(2.5, 0.5)),
    "exponential": ({"lam": 4.0}, {"mean": 0.25, "variance": 1 / 16, "low": 0.0}),
    "poisson": ({"lam": 3.5}, {"mean": 3.5, "variance": 3.5, "low": 0.0, "whole": True}),
    "negative_binomial": ({"k": 3, "p": 0.4}, _negative(3, 0.4)),
    "generalized_negative_binomial": ({"mu": 2.0, "alpha": 0.3}, _general(2.0, 0.3)),
}
DRAWS: list[Draw] = [
    *(Draw(f"_random_{name}", attrs=attrs, **moments) for name, (attrs, moments) in _SCALAR.items()),
    *(Draw(f"_random_{name}_like", attrs=attrs, **moments) for name, (attrs, moments) in _SCALAR.items()),
    *(
        Draw(f"_random_{name}", attrs={**attrs, "dtype": t}, dtype=t, **moments)
        for name, (attrs, moments) in _SCALAR.items()
        for t in ("float16", "float64")
    ),
    Draw("_random_uniform", **_uniform(0, 1)),
    Draw("_random_normal", mean=0.0, variance=1.0),
    Draw("_random_gamma", attrs={"alpha": 0.4, "beta": 2.0}, **_gamma(0.4, 2.0)),
    Draw("_random_poisson", attrs={"lam": 40.0}, mean=40.0, variance=40.0, low=0.0, whole=True),
    Draw(
        "_random_randint",
        attrs={"low": -3, "high": 5},
        dtype="int32",
        mean=0.5,
        variance=63 / 12,
        low=-3,
        high=4,
        whole=True,
    ),
    Draw(
        "_random_randint",
        attrs={"low": 0, "high": 1000, "dtype": "int64"},
        dtype="int64",
        mean=499.5,
        variance=999999 / 12,
        low=0,
        high=999,
        whole=True,
    ),
    Draw("_sample_uniform", inputs=([-1.0, 2.0], [3.0, 2.5]), **_two(_uniform(-1, 3), _uniform(2, 2.5))),
    Draw(
        "_sample_normal",
        inputs=([0.0, 5.0], [1.0, 0.25]),
        mean=np.array([0.0, 5.0]),
        variance=np.array([1.0, 1 / 16]),
    ),
    Draw("_sample_gamma", inputs=([0.5, 3.0], [2.0, 0.5]), **_two(_gamma(0.5, 2.0), _gamma(3.0, 0.5))),
    Draw(
        "_sample_exponential",
        inputs=([1.0, 4.0],),
        mean=np.array([1.0, 0.25]),
        variance=np.array([1.0, 1 / 16]),
        low=0.0,
    ),
    Draw(
        "_sample_poisson",
        inputs=([1.0, 12.0],),
        mean=np.array([1.0, 12.0]),
        variance=np.array([1.0, 12.0]),
        low=0.0,
        whole=True,
    ),
    Draw(
        "_sample_negative_binomial",
        inputs=([2.0, 5.0], [0.5, 0.8]),
        **_two(_negative(2, 0.5), _negative(5, 0.8)),
    ),
    Draw(
        "_sample_generalized_negative_binomial",
        inputs=([2.0, 1.0], [0.3, 0.7]),
        **_two(_general(2, 0.3), _general(1, 0.7)),
    ),
]


@pytest.mark.parametrize("draw", DRAWS, ids=lambda draw: draw.id)
def test_moments(draw: Draw) -> None:
    """Mean and variance lie within five standard errors, in the dtype and shape asked for."""
    found = draw.run(7)
    sets = len(draw.inputs[0]) if draw.inputs else 1
    assert found.shape == ((sets,) if draw.inputs else ()) + (_COUNT // 100, 100)
    assert found.dtype == draw.dtype
    rows = found.reshape(sets, -1).astype("float64")
    assert (draw.low <= rows.T).all()
    assert (draw.high >= rows.T).all()
    assert not draw.whole or (rows == np.floor(rows)).all()
    mean, variance = np.broadcast_to(draw.mean, sets), np.broadcast_to(draw.variance, sets)
    fourth = ((rows - mean[:, None]) ** 4).mean(axis=1)
    # Half precision rounds what it is given; two thousandths of the spread is more than that.
    slack = 2e-3 if draw.dtype == "float16" else 0.0
    assert (
        abs(rows.mean(axis=1) - mean) < 5 * np.sqrt(variance / rows.shape[1]) + slack * np.sqrt(variance)
    ).all()
    assert (
        abs(rows.var(axis=1) - variance)
        < 5 * np.sqrt((fourth - variance**2) / rows.shape[1]) + slack * variance
    ).all()


@pytest.mark.parametrize("draw", DRAWS, ids=lambda draw: draw.id)
def test_seed(draw: Draw) -> None:
    """One seed gives one result, another seed another."""
    first = draw.run(3)
    np.testing.assert_array_equal(draw.run(3), first)
    assert (draw.run(4) != first).any()


@pytest.mark.parametrize("op", sorted({draw.op for draw in DRAWS}))
def test_calls_differ(op: str) -> None:
    """Two calls draw different numbers without a new seed."""
    draw = next(d for d in DRAWS if d.op == op)
    first = draw.run(5)
    arrays = [mx.nd.array(values) for values in draw.inputs]
    if op.endswith("_like"):
        second = resolve(mx.nd, op)(mx.nd.zeros(first.shape), **draw.attrs)
    else:
        second = resolve(mx.nd, op)(*arrays, shape=(_COUNT // 100, 100), **draw.attrs)
    assert (second.asnumpy() != first).any()


_ODDS = [[0.1, 0.2, 0.7], [0.5, 0.5, 0.0]]


def test_multinomial() -> None:
    """Categories come with their probabilities, as int32."""
    mx.random.seed(1)
    found = mx.nd._internal._sample_multinomial(mx.nd.array(_ODDS), shape=(_COUNT,)).asnumpy()
    assert found.dtype == "int32"
    assert found.shape == (2, _COUNT)
    counts = np.stack([np.bincount(row, minlength=3) for row in found]) / _COUNT
    np.testing.assert_allclose(counts, _ODDS, atol=5 * 0.5 / np.sqrt(_COUNT))
    assert counts[1, 2] == 0


@pytest.mark.parametrize("shape", [(), (4,), (2, 3)])
def test_multinomial_shape(shape: tuple[int, ...]) -> None:
    """Without a shape there is one draw a row."""
    found = mx.nd._internal._sample_multinomial(mx.nd.array(_ODDS), shape=shape, dtype="float32")
    assert found.shape == (2, *shape)
    assert found.dtype == np.float32


def test_multinomial_log_probability() -> None:
    """``get_prob`` adds the logarithm of the probability of each draw, through which gradients flow."""
    odds = mx.nd.array(_ODDS)
    odds.attach_grad()
    with mx.autograd.record():
        drawn, log = mx.nd._internal._sample_multinomial(odds, shape=(5,), get_prob=True)
    log.backward()
    picked = np.take_along_axis(np.array(_ODDS), drawn.asnumpy().astype(int), axis=1)
    np.testing.assert_allclose(log.asnumpy(), np.log(picked), rtol=1e-5)
    expected = np.zeros((2, 3))
    np.add.at(
        expected, (np.repeat([0, 1], 5), drawn.asnumpy().astype(int).reshape(-1)), 1 / picked.reshape(-1)
    )
    np.testing.assert_allclose(odds.grad.asnumpy(), expected, rtol=1e-5)


def test_shuffle() -> None:
    """Rows change places and stay whole."""
    mx.random.seed(2)
    data = np.arange(120, dtype="float32").reshape(40, 3)
    found = mx.nd._internal._shuffle(mx.nd.array(data)).asnumpy()
    assert (found != data).any()
    np.testing.assert_array_equal(found[np.argsort(found[:, 0])], data)


@pytest.mark.parametrize("axes", [(), (1,), (0, 2)])
@pytest.mark.parametrize("mode", ["training", "always"])
def test_dropout(mode: str, axes: tuple[int, ...]) -> None:
    """A fraction p is zero, the rest is scaled, along `axes` together; the gradient has the same mask."""
    mx.random.seed(6)
    data = mx.nd.ones((30, 40, 50))
    data.attach_grad()
    with mx.autograd.record(train_mode=mode == "training"):
        out = mx.nd.Dropout(data, p=0.3, mode=mode, axes=axes)
    out.backward()
    found = out.asnumpy()
    np.testing.assert_allclose(np.unique(found), [0, 1 / 0.7], rtol=1e-6)
    np.testing.assert_array_equal(data.grad.asnumpy(), found)
    mask = found
    for axis in axes:
        mask = mask.take([0], axis)
        np.testing.assert_array_equal(found, np.broadcast_to(mask, found.shape))
    assert abs((mask == 0).mean() - 0.3) < 5 * np.sqrt(0.3 * 0.7 / mask.size)


def test_rrelu() -> None:
    """In training a negative element is scaled by a slope between the bounds, which the gradient shares."""
    mx.random.seed(8)
    data = mx.nd.array(np.where(np.arange(10_000) % 2, -2.0, 3.0))
    data.attach_grad()
    with mx.autograd.record():
        out = mx.nd.LeakyReLU(data, act_type="rrelu", lower_bound=0.1, upper_bound=0.5)[0]
    out.backward()
    slopes = out.asnumpy() / data.asnumpy()
    np.testing.assert_allclose(data.grad.asnumpy(), slopes, rtol=1e-5)
    np.testing.assert_array_equal(slopes[::2], 1)
    assert slopes[1::2].min() >= 0.1
    assert slopes[1::2].max() <= 0.5
    assert abs(slopes[1::2].mean() - 0.3) < 5 * 0.4 / np.sqrt(12 * 5000)


def test_unique_zipfian() -> None:
    """Different numbers for each row, and how often was drawn."""
    mx.random.seed(4)
    numbers, tries = mx.nd._internal._sample_unique_zipfian(1000, shape=(3, 20))
    assert numbers.dtype == np.int64
    assert tries.dtype == np.int64
    assert numbers.shape == (3, 20)
    assert tries.shape == (3,)
    assert all(len(set(row)) == 20 for row in numbers.asnumpy().tolist())
    assert (numbers.asnumpy() < 1000).all()
    assert (tries.asnumpy() >= 20).all()


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: mx.nd.random.uniform(2, 1), "expected low <= high, got low=2.0, high=1.0"),
        (lambda: mx.nd.random.normal(0, -1), "parameter 'scale': expected a number from 0 on, got -1.0"),
        (lambda: mx.nd.random.gamma(0, 1), "parameter 'alpha': expected a positive number, got 0.0"),
        (lambda: mx.nd.random.negative_binomial(3, 1.5), "0 < p <= 1, got k=3, p=1.5"),
        (lambda: mx.nd.random.randint(5, 5), "low=5, high=5 is not a range of int32"),
        (lambda: mx.nd.random.randint(0, 2**40), "is not a range of int32"),
        (
            lambda: mx.nd.random.uniform(mx.nd.zeros(2), 1),
            "all numbers or all NDArrays, got low: NDArray, high: int",
        ),
        (lambda: mx.random.seed("1"), "seed_state must be an integer, got '1'"),
    ],
)
def test_errors(call: Any, text: str) -> None:
    """Parameters that are none are refused by name."""
    with pytest.raises((mx.base.MXNetError, ValueError)) as caught:
        call()
    assert text in str(caught.value)


def test_out_gives_shape_and_type() -> None:
    """As in MXNet, an array to write into says what is drawn."""
    target = mx.nd.zeros((2, 3), dtype="float64")
    assert mx.nd.random.uniform(5, 6, out=target) is target
    assert ((target.asnumpy() >= 5) & (target.asnumpy() < 6)).all()
    mx.nd.random_normal(loc=100, out=target)
    assert (target.asnumpy() > 90).all()


def test_functions_take_arrays_or_numbers() -> None:
    """`mx.nd.random`, `mx.random` and `mx.sym.random` choose the operator by the type of the parameters."""
    mx.random.seed(9)
    rows = mx.nd.random.normal(mx.nd.array([0, 100]), mx.nd.array([1, 1]), shape=(4,)).asnumpy()
    assert rows.shape == (2, 4)
    assert (rows[1] > 90).all()
    assert mx.random.randn(2, 3, loc=50, scale=0.5).asnumpy().min() > 40
    mean = mx.sym.Variable("mean")
    drawn = mx.sym.random.poisson(mean, shape=3).eval(mean=mx.nd.array([0, 400]))[0].asnumpy()
    assert (drawn[0] == 0).all()
    assert (drawn[1] > 200).all()
