"""The gradient of MaxRoiPool, for which ONNX Runtime has no kernel of the pinned opset, against differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime

from gluon_onnx.graph.autodiff.engine import joint
from gluon_onnx.graph.builder import Builder
from gluon_onnx.graph.program import finish

_SCALE, _ROWS, _COLUMNS = 0.5, 2, 3
_REGIONS = np.array([[0, 0, 0, 8, 8], [1, 2, 3, 9, 10], [1, 4, 1, 5, 12]], np.float32)

Array = np.ndarray[Any, Any]


def _bounds(start: int, size: int, parts: int, k: int, length: int) -> slice:
    begin, end = int(np.floor(k * size / parts)) + start, int(np.ceil((k + 1) * size / parts)) + start
    return slice(min(max(begin, 0), length), min(max(end, 0), length))


def _pooled(x: Array) -> Array:
    """As R. Girshick, "Fast R-CNN", 2015."""
    y = np.zeros((len(_REGIONS), x.shape[1], _ROWS, _COLUMNS))
    for i, (image, *corners) in enumerate(_REGIONS):
        x0, y0, x1, y1 = (int(np.floor(c * _SCALE + 0.5)) for c in corners)
        for p, q in np.ndindex(_ROWS, _COLUMNS):
            rows = _bounds(y0, max(y1 - y0 + 1, 1), _ROWS, p, x.shape[2])
            columns = _bounds(x0, max(x1 - x0 + 1, 1), _COLUMNS, q, x.shape[3])
            part = x[int(image), :, rows, columns]
            y[i, :, p, q] = part.max((1, 2)) if part.size else 0.0
    return y


def test_max_roi_pool() -> None:
    g = Builder()
    x, rois = g.input("x", np.float32, (2, 3, 6, 5)), g.input("rois", np.float32, _REGIONS.shape)
    y = g.op("MaxRoiPool", x, rois, pooled_shape=[_ROWS, _COLUMNS], spatial_scale=_SCALE)
    gradient = joint(finish(g, [y]), [0], [0])
    session = onnxruntime.InferenceSession(
        gradient.model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    random = np.random.RandomState(0)
    images = (random.permutation(180).reshape(2, 3, 6, 5) / 50).astype(np.float32)
    head = random.rand(3, 3, _ROWS, _COLUMNS).astype(np.float32)
    (slope,) = session.run(None, dict(zip(gradient.input_names, [images, _REGIONS, head], strict=True)))
    way = random.uniform(-1e-3, 1e-3, images.shape)
    wide = images.astype(np.float64)
    expected = ((_pooled(wide + way) - _pooled(wide - way)) * head).sum() / 2
    np.testing.assert_allclose((slope * way).sum(), expected, rtol=1e-5)
