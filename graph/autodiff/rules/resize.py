"""The gradient of a Resize that smooths: by the matrices that Resize itself makes of identity matrices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...builder import Builder, Tensor
from ...dims import prod
from ...errors import NeedsStaticShape, NotDifferentiableError

__all__ = ["antialiased"]

_KEPT = (
    "mode",
    "antialias",
    "coordinate_transformation_mode",
    "cubic_coeff_a",
    "exclude_outside",
    "nearest_mode",
)


def antialiased(
    g: Builder, attributes: Mapping[str, Any], x: Tensor, dy: Tensor, scales: Tensor | None
) -> Tensor:
    """The gradient of `x`: every axis is a product with the transposed matrix of that axis."""
    ratios = attributes.get("keep_aspect_ratio_policy", "stretch") != "stretch"
    if ratios or attributes.get("coordinate_transformation_mode") == "tf_crop_and_resize":
        raise NotDifferentiableError(
            "no gradient rule for the ONNX operator 'Resize' with antialias and keep_aspect_ratio_policy or "
            "'tf_crop_and_resize'"
        )
    axes = [a % x.ndim for a in attributes.get("axes") or range(x.ndim)]
    kept = {k: v for k, v in attributes.items() if k in _KEPT}
    for k, axis in enumerate(axes):
        n, m = x.dims[axis], dy.dims[axis]
        if n == m:
            continue
        if not isinstance(n, int) or not isinstance(m, int):
            raise NeedsStaticShape(f"ONNX Resize: axis {axis} has the symbolic size {n} or {m}")
        eye = g.const(np.eye(n, dtype=np.float32).reshape(1, 1, n, n))
        if scales is not None and scales.const is not None and scales.const.size:
            scale = np.array([1, 1, scales.const.reshape(-1)[k], 1], np.float32)
            matrix = g.with_dims("Resize", (1, 1, m, n), eye, None, g.const(scale), **kept)
        else:
            matrix = g.with_dims("Resize", (1, 1, m, n), eye, None, None, g.ints(1, 1, m, n), **kept)
        turned = g.cast(g.transpose(g.reshape(matrix, (m, n)), [1, 0]), dy.dt)
        flat = g.reshape(dy, (*dy.dims[:axis], m, prod(dy.dims[axis + 1 :])))
        dy = g.reshape(g.op("MatMul", turned, flat), (*dy.dims[:axis], n, *dy.dims[axis + 1 :]))
    return dy
