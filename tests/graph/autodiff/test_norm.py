"""Gradient rules of normalizations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnxruntime
import pytest

from gluon_onnx.graph.autodiff.engine import vjp
from gluon_onnx.graph.builder import Builder, Tensor
from gluon_onnx.graph.dims import prod
from gluon_onnx.graph.program import Program, finish
from tests.graph.autodiff import slopes
from tests.graph.autodiff.slopes import Slope, check_first, check_second, check_torch, row

_STREAM = np.random.RandomState(7)
_EPS = 2.0**-10  # attributes are single precision: a number that both hold


def _random(*shape: int) -> np.ndarray[Any, Any]:
    return _STREAM.standard_normal(shape).round(3)


def _positive(*shape: int) -> np.ndarray[Any, Any]:
    return _STREAM.uniform(0.5, 2.0, shape).round(3)


def _op(op: str, **attributes: Any) -> Any:
    return lambda g, *x: g.op(op, *x, **attributes)


def _output(op: str, index: int, count: int, **attributes: Any) -> Any:
    return lambda g, *x: g.multi(op, count, *x, **attributes)[index]


def _torch(name: str, *places: int, **options: Any) -> Any:
    """A function of torch.nn.functional whose arguments are the operands in the order `places`."""

    def function(*x: Any) -> Any:
        import torch

        return getattr(torch.nn.functional, name)(*(x[i] for i in places), **options)

    return function


def _layer(axis: int, shape: tuple[int, ...]) -> Any:
    def function(x: Any, weight: Any, bias: Any = None) -> Any:
        import torch

        return torch.nn.functional.layer_norm(x, shape, weight, bias, eps=_EPS)

    return function


def _instance(x: Any, weight: Any, bias: Any) -> Any:
    import torch

    return torch.nn.functional.instance_norm(x, weight=weight, bias=bias, eps=_EPS)


def _group(x: Any, weight: Any, bias: Any) -> Any:
    import torch

    return torch.nn.functional.group_norm(x, 2, weight, bias, eps=_EPS)


def _rms(x: Any, weight: Any) -> Any:
    import torch

    return torch.nn.functional.rms_norm(x, weight.shape, weight, eps=_EPS)


def _local(x: Any) -> Any:
    import torch

    return torch.nn.functional.local_response_norm(x, 3, alpha=0.3, beta=0.6, k=1.5)


_X = _random(2, 4, 3)
_INSTANCE = _op("InstanceNormalization", epsilon=_EPS)
FIVE = (_random(2, 3, 2, 2), _positive(3), _random(3), _random(3), _positive(3))
ROWS = [
    row("layer", _op("LayerNormalization", epsilon=_EPS), _X, _positive(3), _random(3), torch=_layer(-1, (3,))),
    row("layer_axis1", _op("LayerNormalization", axis=1, epsilon=_EPS), _X, _positive(4, 3), _random(4, 3),
        torch=_layer(1, (4, 3))),
    row("layer_no_bias", _op("LayerNormalization", epsilon=_EPS), _X, _positive(3), torch=_layer(-1, (3,))),
    row("layer_saved", _output("LayerNormalization", 0, 3, epsilon=_EPS), _X, _positive(3), _random(3),
        torch=_layer(-1, (3,))),
    row("instance", _INSTANCE, _random(2, 3, 4), _positive(3), _random(3), torch=_instance),
    row("instance_2d", _INSTANCE, _random(2, 2, 3, 2), _positive(2), _random(2), torch=_instance),
    row("group", _op("GroupNormalization", num_groups=2, epsilon=_EPS), _random(2, 4, 3), _positive(4), _random(4),
        torch=_group),
    row("rms", _op("RMSNormalization", epsilon=_EPS), _X, _positive(3), torch=_rms),
    row("neighbours", _op("LRN", size=3, alpha=0.3, beta=0.6, bias=1.5), _random(2, 5, 2, 2), torch=_local),
]  # fmt: skip
BY_DIFFERENCES = [
    row("batch", _op("BatchNormalization", epsilon=_EPS), *FIVE),
    row("neighbours_even", _op("LRN", size=4, alpha=0.5), _random(1, 5, 2, 2)),
    row("mean_variance", _op("MeanVarianceNormalization"), _random(2, 2, 2, 3)),
    row("mean_variance_axes", _op("MeanVarianceNormalization", axes=[1, 2]), _random(2, 2, 3)),
    row("unit_l1", _op("LpNormalization", axis=1, p=1), _positive(2, 3, 2)),
    row("unit_l2", _op("LpNormalization", axis=-1, p=2), _random(2, 3)),
]


@pytest.fixture(autouse=True)
def _by_onnxruntime(monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX's reference implementation normalizes in single precision; ONNX Runtime's kernels do not."""

    def runner(program: Program) -> Callable[[Sequence[np.ndarray[Any, Any]]], list[np.ndarray[Any, Any]]]:
        model = program.model.SerializeToString()
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        return lambda feeds: session.run(None, dict(zip(program.input_names, feeds, strict=True)))  # type: ignore[no-any-return]

    monkeypatch.setattr(slopes, "runner", runner)


@pytest.mark.parametrize("slope", ROWS)
def test_torch(slope: Slope) -> None:
    check_torch(slope)


@pytest.mark.parametrize("slope", BY_DIFFERENCES)
def test_differences(slope: Slope) -> None:
    check_first(slope)


@pytest.mark.parametrize(
    "slope", [p for p in [*ROWS, *BY_DIFFERENCES] if p.id in ("batch", "layer", "instance", "neighbours")]
)
def test_second_order(slope: Slope) -> None:
    check_second(slope)


def test_running_statistics_have_gradients() -> None:
    """Each is a result of its own, made of the batch's and of the one before."""

    def build(g: Builder, *x: Tensor) -> Tensor:
        y, mean, var = g.multi("BatchNormalization", 3, *x, training_mode=1, momentum=0.7)
        return g.op("Concat", g.reshape(y, (prod(y.dims),)), mean * 2.0, var, axis=0)

    check_first(Slope(build, FIVE))
    check_second(Slope(build, FIVE))


def test_statistics_of_layer_normalization() -> None:
    """They are results with gradients of their own, in single precision by definition."""
    torch = pytest.importorskip("torch")
    g = Builder()
    x = g.input("x", np.float32, (3, 5))
    results = g.multi("LayerNormalization", 3, x, g.const(np.ones(5, np.float32)))
    heads = [g.input(f"dy{i}", np.float32, r.dims) for i, r in enumerate(results)]
    (dx,) = vjp(g, results, heads, [x])
    assert dx is not None
    data = _STREAM.standard_normal((3, 5)).astype(np.float32)
    values = [_STREAM.standard_normal([int(d) for d in r.dims]).astype(np.float32) for r in results]
    feeds = {"x": data, **{f"dy{i}": v for i, v in enumerate(values)}}
    session = onnxruntime.InferenceSession(
        finish(g, [dx]).model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    leaf = torch.tensor(data.astype(np.float64), requires_grad=True)
    inverse = 1 / (leaf.var(1, keepdim=True, unbiased=False) + 1e-5).sqrt()
    mean = leaf.mean(1, keepdim=True)
    parts = ((leaf - mean) * inverse, mean, inverse)
    sum((p * torch.tensor(v)).sum() for p, v in zip(parts, values, strict=True)).backward()
    np.testing.assert_allclose(session.run(None, feeds)[0], leaf.grad.numpy(), rtol=1e-5, atol=1e-6)
