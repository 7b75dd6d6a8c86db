"""Gradient rules of pooling and resizing."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest

from gluon_onnx.graph.autodiff.engine import vjp
from gluon_onnx.graph.builder import Builder, Tensor
from gluon_onnx.graph.dims import Dim
from gluon_onnx.graph.program import finish
from tests.graph.autodiff.slopes import Slope, check_first, check_second, check_torch, row

_STREAM = np.random.RandomState(6)


def _distinct(*shape: int) -> np.ndarray[Any, Any]:
    """No two elements are near each other."""
    return _STREAM.permutation(int(np.prod(shape))).reshape(shape) / 4.0 - 3.0


def _ties(*shape: int) -> np.ndarray[Any, Any]:
    """Few different values, so that most windows have several maxima."""
    return _STREAM.randint(-2, 3, size=shape).astype(np.float64)


def _pool(op: str, **attributes: Any) -> Any:
    return lambda g, x: g.op(op, x, **attributes)


def _torch(kind: str, kernel: list[int], **options: Any) -> Any:
    def function(x: Any) -> Any:
        import torch

        return getattr(torch.nn.functional, f"{kind}_pool{len(kernel)}d")(x, kernel, **options)

    return function


def _rows() -> list[Any]:
    """Each window as maximum (of distinct values, and with ties) and as mean (padding counted, and not)."""
    windows: dict[str, tuple[tuple[int, ...], list[int], dict[str, Any]]] = {
        "tiles": ((2, 2, 4, 6), [2, 3], {"strides": [2, 3]}),
        "tiles_rest": ((1, 2, 5, 7), [2, 3], {"strides": [2, 3]}),
        "overlap": ((1, 2, 5, 6), [3, 2], {"strides": [2, 1]}),
        "pads": ((1, 2, 5, 5), [3, 3], {"strides": [2, 2], "pads": [1, 1]}),
        "ceil": ((1, 1, 6, 7), [3, 2], {"strides": [2, 3], "ceil_mode": 1}),
        "ceil_pads": ((1, 1, 6, 8), [3, 3], {"strides": [2, 2], "pads": [1, 1], "ceil_mode": 1}),
        "gaps": ((1, 2, 7, 8), [2, 2], {"strides": [3, 3]}),
        "1d": ((2, 2, 8), [2], {"strides": [2]}),
        "3d": ((1, 1, 4, 5, 4), [2, 3, 2], {"strides": [2, 1, 2], "pads": [1, 1, 0]}),
    }
    rows = []
    for name, (shape, kernel, given) in windows.items():
        rank = len(kernel)
        pads = given.get("pads", [0] * rank)
        attributes = {**given, "kernel_shape": kernel, "pads": pads * 2}
        options = {"stride": given["strides"], "padding": pads, "ceil_mode": bool(given.get("ceil_mode"))}
        for data, make in (("distinct", _distinct), ("ties", _ties)):
            rows.append(
                row(
                    f"max-{name}-{data}",
                    _pool("MaxPool", **attributes),
                    make(*shape),
                    torch=_torch("max", kernel, **options),
                )
            )
        for include in (0, 1):
            build = _pool("AveragePool", count_include_pad=include, **attributes)
            mean = _torch("avg", kernel, count_include_pad=bool(include), **options)
            rows.append(row(f"mean-{name}-{include}", build, _distinct(*shape), torch=mean))
    return rows


def _dilated(x: Any) -> Any:
    import torch

    return torch.nn.functional.max_pool2d(x, [2, 3], stride=[1, 2], dilation=[2, 2])


def _over(op: str, **options: Any) -> Any:
    """A reduction over the spatial axes."""

    def function(x: Any) -> Any:
        import torch

        return getattr(torch, op)(x, dim=tuple(range(2, x.ndim)), keepdim=True, **options)

    return function


WINDOWS = [
    *_rows(),
    row(
        "max-dilated",
        _pool("MaxPool", kernel_shape=[2, 3], strides=[1, 2], dilations=[2, 2]),
        _distinct(1, 2, 6, 7),
        torch=_dilated,
    ),
]
GLOBAL = [
    row("mean", _pool("GlobalAveragePool"), _distinct(2, 3, 2, 3), torch=_over("mean")),
    row("max", _pool("GlobalMaxPool"), _distinct(2, 3, 4), torch=_over("amax")),
    row("norm", _pool("GlobalLpPool", p=2), _distinct(2, 2, 2, 3), torch=_over("norm", p=2)),
]
NORMS = [
    row(f"norm{p}-{name}", _pool("LpPool", p=p, kernel_shape=[2, 2], **options), _distinct(1, 2, 4, 5))
    for p in (1, 2, 3)
    for name, options in {"plain": {}, "pads": {"strides": [2, 1], "pads": [1, 0, 1, 1]}}.items()
]


def _resize(scales: list[float] | None = None, sizes: list[int] | None = None, **attributes: Any) -> Any:
    def build(g: Builder, x: Tensor) -> Tensor:
        factors = None if scales is None else g.const(np.asarray(scales, np.float32))
        return g.op("Resize", x, None, factors, None if sizes is None else g.ints(*sizes), **attributes)

    return build


def _interpolate(**options: Any) -> Any:
    def function(x: Any) -> Any:
        import torch

        return torch.nn.functional.interpolate(x, **options)

    return function


_IMAGE = _distinct(1, 2, 3, 4)
_FLOOR = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
_CORNERS: dict[str, Any] = {"coordinate_transformation_mode": "align_corners"}
_LINEAR: dict[str, Any] = {"mode": "linear"}
_CUBIC: dict[str, Any] = {"mode": "cubic"}
RESIZED = [
    row(name, _resize(scales, sizes, **attributes), _IMAGE, torch=_interpolate(**options))
    for name, scales, sizes, attributes, options in (
        ("nearest", [1, 1, 2, 3], None, _FLOOR, {"scale_factor": (2, 3)}),
        ("nearest_sizes", None, [1, 2, 5, 7], _FLOOR, {"size": (5, 7)}),
        ("linear", [1, 1, 2, 2], None, _LINEAR, {"scale_factor": 2, "mode": "bilinear"}),
        ("linear_down", None, [1, 2, 2, 3], _LINEAR, {"size": (2, 3), "mode": "bilinear"}),
        ("linear_corners", None, [1, 2, 6, 5], {**_LINEAR, **_CORNERS},
         {"size": (6, 5), "mode": "bilinear", "align_corners": True}),
        ("cubic", None, [1, 2, 7, 8], _CUBIC, {"size": (7, 8), "mode": "bicubic"}),
        ("cubic_corners", None, [1, 2, 5, 6], {**_CUBIC, **_CORNERS},
         {"size": (5, 6), "mode": "bicubic", "align_corners": True}),
    )
]  # fmt: skip
OTHER_RESIZED = [
    row(name, _resize(scales, **attributes), _IMAGE)
    for name, scales, attributes in (
        ("round_prefer_floor", [1, 1, 2, 1.5], {}),
        ("round_prefer_ceil", [1, 1, 2, 2], {"nearest_mode": "round_prefer_ceil"}),
        ("ceil", [1, 1, 0.5, 2], {"nearest_mode": "ceil"}),
        ("symmetric", [1, 1, 2.5, 2], {**_LINEAR, "coordinate_transformation_mode": "half_pixel_symmetric"}),
        ("pytorch", [1, 1, 0.34, 2], {**_LINEAR, "coordinate_transformation_mode": "pytorch_half_pixel"}),
        ("outside", [1, 1, 2, 2], {**_CUBIC, "exclude_outside": 1, "cubic_coeff_a": -0.5}),
        ("axes", [2, 3], {**_LINEAR, "axes": [2, 3]}),
    )
]


@pytest.mark.parametrize("slope", [*WINDOWS, *GLOBAL, *RESIZED])
def test_torch(slope: Slope) -> None:
    check_torch(slope)


@pytest.mark.parametrize("slope", NORMS)
def test_differences(slope: Slope) -> None:
    check_first(slope)


@pytest.mark.parametrize(
    "slope",
    [
        p
        for p in [*WINDOWS, *GLOBAL]
        if p.id in ("mean-pads-0", "max-tiles-distinct", "max-1d-distinct", "norm")
    ],
)
def test_second_order(slope: Slope) -> None:
    check_second(slope)


def _session(g: Builder, outputs: list[Tensor]) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    model = finish(g, outputs).model.SerializeToString()
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("symbolic", ["none", "batch", "all"])
@pytest.mark.parametrize("slope", WINDOWS)
def test_single_precision(slope: Slope, symbolic: str, request: pytest.FixtureRequest) -> None:
    """ONNX Runtime's kernels in float32 against PyTorch, with known and with symbolic sizes."""
    torch = pytest.importorskip("torch")
    if symbolic == "all" and "ceil" in request.node.name:
        pytest.skip("rounding up needs the sizes")
    x = slope.inputs[0].astype(np.float32)
    dims: list[Any] = list(x.shape)
    for axis in range(x.ndim):
        if (symbolic != "none" and axis == 0) or (symbolic == "all" and axis > 1):
            dims[axis] = Dim.symbol(f"d{axis}")
    g = Builder()
    data = g.input("x", np.float32, dims)
    y = slope.build(g, data)
    dy = g.input("dy", np.float32, y.dims)
    (dx,) = vjp(g, [y], [dy], [data])
    assert dx is not None and slope.torch is not None
    leaf = torch.tensor(x, requires_grad=True)
    result = slope.torch(leaf)
    head = np.random.RandomState(0).standard_normal(tuple(result.shape)).astype(np.float32)
    result.backward(torch.tensor(head))
    found = _session(g, [y, dx]).run(None, {"x": x, "dy": head})
    np.testing.assert_allclose(found[0], result.detach().numpy(), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found[1], leaf.grad.numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("slope", [*RESIZED, *OTHER_RESIZED])
def test_resize_is_the_transpose(slope: Slope) -> None:
    """Resizing is linear: <resize(x), dy> = <x, gradient(dy)> with ONNX Runtime's own resizing."""
    g = Builder()
    x = slope.inputs[0].astype(np.float32)
    data = g.input("x", np.float32, x.shape)
    y = slope.build(g, data)
    dy = g.input("dy", np.float32, y.dims)
    (dx,) = vjp(g, [y], [dy], [data])
    assert dx is not None
    head = np.random.RandomState(0).standard_normal([int(d) for d in y.dims]).astype(np.float32)
    value, grad = _session(g, [y, dx]).run(None, {"x": x, "dy": head})
    np.testing.assert_allclose(
        (value * head).sum(dtype=np.float64), (x * grad).sum(dtype=np.float64), rtol=1e-5
    )
