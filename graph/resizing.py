"""Resizing as linear algebra: ONNX's Resize treats axes one by one, and each as a product with a matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .builder import Builder, Tensor
from .dims import is_static, prod
from .errors import GraphError, NeedsStaticShape

__all__ = ["block_factors", "enlarge", "multiply_axis", "resize_matrices"]

Matrix = np.ndarray[Any, np.dtype[np.float64]]


def enlarge(g: Builder, x: Tensor, factors: Sequence[int]) -> Tensor:
    """`x` with every element repeated along the spatial axes (from 2 on), `factors` times."""
    if all(f == 1 for f in factors):
        return x
    scales = g.const(np.asarray([1, 1, *factors], np.float32))
    dims = (*x.dims[:2], *(d * f for d, f in zip(x.dims[2:], factors, strict=True)))
    return g.with_dims(
        "Resize",
        dims,
        x,
        None,
        scales,
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )


def block_factors(
    attributes: Mapping[str, Any], scales: Tensor | None, sizes: Tensor | None
) -> list[int] | None:
    """Whole numbers by which a Resize repeats elements, where it does nothing else; None where it does."""
    if attributes.get("mode", "nearest") != "nearest" or attributes.get("axes") or sizes is not None:
        return None
    if attributes.get("coordinate_transformation_mode", "half_pixel") != "asymmetric":
        return None
    if (
        attributes.get("nearest_mode", "round_prefer_floor") != "floor"
        or scales is None
        or scales.const is None
    ):
        return None
    factors = [float(s) for s in scales.const.reshape(-1)]
    return [int(f) for f in factors] if all(f >= 1 and f == int(f) for f in factors) else None


def resize_matrices(
    attributes: Mapping[str, Any],
    x: Tensor,
    y: Tensor,
    scales: Tensor | None,
    sizes: Tensor | None,
    roi: Tensor | None = None,
) -> dict[int, Matrix]:
    """For each axis that a Resize changes, the matrix (results, elements) that it multiplies with.

    What it puts in place of elements outside of the data (mode "tf_crop_and_resize") is added to that by the caller.

    Raises
    ------
    NeedsStaticShape : an axis has a symbolic size.
    GraphError : the way of resizing is not a fixed linear map, or not known.
    """
    if attributes.get("antialias"):
        raise GraphError("ONNX Resize: antialias is not supported here")
    coordinates = attributes.get("coordinate_transformation_mode", "half_pixel")
    axes = [a % x.ndim for a in attributes.get("axes") or range(x.ndim)]
    crop = None
    if coordinates == "tf_crop_and_resize":
        if roi is None or roi.const is None:
            raise GraphError("ONNX Resize: mode 'tf_crop_and_resize' is not supported here without a constant roi")
        crop = roi.const.astype(np.float64).reshape(2, -1)
    given = (
        scales.const.reshape(-1)
        if scales is not None and scales.const is not None and scales.const.size
        else None
    )
    if attributes.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        given = np.full(len(axes), _common_scale(attributes, x, axes, sizes))
    result = {}
    for k, axis in enumerate(axes):
        n, m = x.dims[axis], y.dims[axis]
        part = None if crop is None else (float(crop[0, k]), float(crop[1, k]))
        if n == m and (given is None or float(given[k]) == 1.0) and part in (None, (0.0, 1.0)):
            continue
        if not isinstance(n, int) or not isinstance(m, int):
            raise NeedsStaticShape(f"ONNX Resize: axis {axis} has the symbolic size {n} or {m}")
        scale = float(given[k]) if given is not None else m / n
        result[axis] = _matrix(n, m, scale, coordinates, attributes, part)
    return result


def _common_scale(
    attributes: Mapping[str, Any], x: Tensor, axes: Sequence[int], sizes: Tensor | None
) -> float:
    """The scale of all axes where they keep their ratio."""
    if sizes is None or sizes.const is None or not is_static([x.dims[a] for a in axes]):
        raise NeedsStaticShape("ONNX Resize: keep_aspect_ratio_policy needs constant sizes of static axes")
    ratios = [int(m) / int(x.dims[a]) for m, a in zip(sizes.const.reshape(-1), axes, strict=True)]
    return min(ratios) if attributes["keep_aspect_ratio_policy"] == "not_larger" else max(ratios)


def _places(n: int, m: int, scale: float, coordinates: str, crop: tuple[float, float] | None) -> Matrix:
    """Where the elements of the result lie on the axis of the data."""
    i = np.arange(m, dtype=np.float64)
    if crop is not None:
        begin, span = crop[0] * (n - 1), (crop[1] - crop[0]) * (n - 1)
        return begin + (i * span / (m - 1) if m > 1 else i + span / 2)
    if coordinates == "asymmetric":
        return i / scale
    if coordinates == "align_corners":
        return i * (n - 1) / (m - 1) if m > 1 else i * 0.0
    if coordinates == "pytorch_half_pixel" and m == 1:
        return i * 0.0
    places = (i + 0.5) / scale - 0.5
    if coordinates == "half_pixel_symmetric":
        exact = n * scale
        places = n / 2 * (1 - m / exact) + places
    return places


def _matrix(
    n: int,
    m: int,
    scale: float,
    coordinates: str,
    attributes: Mapping[str, Any],
    crop: tuple[float, float] | None = None,
) -> Matrix:
    places = _places(n, m, scale, coordinates, crop)
    matrix = _weights(n, places, attributes)
    if crop is not None:
        matrix[(places < 0) | (places > n - 1)] = 0.0
    return matrix


def _weights(n: int, places: Matrix, attributes: Mapping[str, Any]) -> Matrix:
    """The weights of the elements of an axis in values at `places`."""
    mode, rows = attributes.get("mode", "nearest"), np.arange(len(places))
    matrix = np.zeros((len(places), n))
    if mode == "nearest":
        matrix[rows, np.clip(_rounded(places, attributes), 0, n - 1)] = 1.0
        return matrix
    if mode == "linear":
        places = np.clip(places, 0, n - 1)
        low = np.minimum(np.floor(places).astype(int), n - 1)
        part = places - low
        np.add.at(matrix, (rows, low), 1.0 - part)
        np.add.at(matrix, (rows, np.minimum(low + 1, n - 1)), part)
        return matrix
    base = np.floor(places).astype(int)
    a = float(attributes.get("cubic_coeff_a", -0.75))
    weights = np.stack([_cubic(np.abs(places - base - k), a) for k in (-1, 0, 1, 2)])
    inside = np.stack([(base + k >= 0) & (base + k < n) for k in (-1, 0, 1, 2)])
    if attributes.get("exclude_outside"):
        weights = np.where(inside, weights, 0.0)
        weights = weights / weights.sum(axis=0)
    for k, w in zip((-1, 0, 1, 2), weights, strict=True):
        np.add.at(matrix, (rows, np.clip(base + k, 0, n - 1)), w)
    return matrix


def _cubic(distance: Matrix, a: float) -> Matrix:
    """Keys' convolution kernel with parameter `a`."""
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))


def _rounded(places: Matrix, attributes: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    how = attributes.get("nearest_mode", "round_prefer_floor")
    if how == "floor":
        return np.floor(places).astype(int)
    if how == "ceil":
        return np.ceil(places).astype(int)
    half = places - np.floor(places) == 0.5
    if how == "round_prefer_floor":
        return np.where(half, np.floor(places), np.round(places)).astype(int)
    return np.where(half, np.ceil(places), np.round(places)).astype(int)


def multiply_axis(g: Builder, x: Tensor, axis: int, matrix: Matrix) -> Tensor:
    """`x` with its `axis` multiplied by a matrix (new size, old size)."""
    if axis == x.ndim - 1:
        return g.op("MatMul", x, matrix.T.astype(x.dt))
    if axis == x.ndim - 2:
        return g.op("MatMul", matrix.astype(x.dt), x)
    flat = g.reshape(x, (*x.dims[: axis + 1], prod(x.dims[axis + 1 :])))
    y = g.op("MatMul", matrix.astype(x.dt), flat)
    return g.reshape(y, (*x.dims[:axis], matrix.shape[0], *x.dims[axis + 1 :]))
