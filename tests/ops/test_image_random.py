"""Random changes of images: their arithmetic at fixed limits, and that what is random differs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gluon_onnx as mx
from gluon_onnx.base import MXNetError

PIXELS = [[[10, 200, 30], [255, 0, 7]]]
GREY = np.array([0.299, 0.587, 0.114])


def _image(dtype: str = "float32") -> Any:
    return mx.nd.array(np.array(PIXELS), dtype=dtype)


@pytest.mark.parametrize(
    ("name", "factor", "dtype", "expected"),
    [
        ("brightness", 1.5, "float32", [[[15, 300, 45], [382.5, 0, 10.5]]]),
        ("brightness", 1.5, "uint8", [[[15, 255, 45], [255, 0, 10]]]),
        ("brightness", 2.0, "int32", [[[20, 400, 60], [510, 0, 14]]]),
        (
            "contrast",
            0.3,
            "float32",
            [[[73.298546, 130.29855, 79.298546], [146.79855, 70.298546, 72.398544]]],
        ),
        ("contrast", 3.0, "uint8", [[[0, 255, 0], [255, 0, 0]]]),
        ("hue", 0.3, "float32", [[[9.999999, 27.999949, 200], [57.999966, 255, 0]]]),
        ("hue", 1.3, "float32", [[[9.999999, 27.999949, 200], [57.999966, 255, 0]]]),
        ("hue", 0.0, "uint8", PIXELS),
    ],
)
def test_fixed_factor(name: str, factor: float, dtype: str, expected: Any) -> None:
    """Values that MXNet gave with both limits at `factor`."""
    change = getattr(mx.nd.image, f"random_{name}")
    found = change(_image(dtype), min_factor=factor, max_factor=factor)
    assert found.dtype == np.dtype(dtype)
    np.testing.assert_allclose(found.asnumpy(), expected, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("factor", [0.0, 0.5, 2.0])
def test_saturation(factor: float) -> None:
    """The distance from a pixel's brightness; MXNet takes the part of the blue channel alone for it."""
    found = mx.nd.image.random_saturation(_image(), min_factor=factor, max_factor=factor).asnumpy()
    x = np.array(PIXELS)
    grey = x @ GREY
    np.testing.assert_allclose(found, x * factor + (1 - factor) * grey[..., None], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("name", ["contrast", "saturation", "hue"])
def test_one_channel(name: str) -> None:
    """An image of one channel has a contrast, but no colours."""
    x = mx.nd.array([[[10.0], [30.0]]])
    found = getattr(mx.nd.image, f"random_{name}")(x, min_factor=0.5, max_factor=0.5).asnumpy()
    np.testing.assert_allclose(found.ravel(), [15.0, 25.0] if name == "contrast" else [10.0, 30.0], rtol=1e-6)


@pytest.mark.parametrize(("name", "axis"), [("left_right", 1), ("top_bottom", 0)])
def test_random_flip(name: str, axis: int) -> None:
    """Both outcomes come up, and no other."""
    x = np.arange(3 * 4 * 3, dtype=np.uint8).reshape(3, 4, 3)
    mx.random.seed(3)
    flip = getattr(mx.nd.image, f"random_flip_{name}")
    found = [flip(mx.nd.array(x, dtype="uint8")).asnumpy() for _ in range(64)]
    same = [np.array_equal(f, x) for f in found]
    assert all(s or np.array_equal(f, np.flip(x, axis)) for f, s in zip(found, same, strict=True))
    assert 16 < sum(same) < 48


@pytest.mark.parametrize("limits", [(1.2, 0.8), (-0.5, 1.0)])
def test_limits(limits: tuple[float, float]) -> None:
    """Limits that are out of order or negative are refused by name."""
    with pytest.raises(MXNetError, match=r"limits in order|min_factor"):
        mx.nd.image.random_brightness(_image(), min_factor=limits[0], max_factor=limits[1])


@pytest.mark.parametrize(
    ("changes", "allowed"),
    [
        ({"brightness": 0.5}, "brightness"),
        ({"brightness": 0.5, "contrast": 0.5}, "affine"),
        ({"hue": 0.5, "saturation": 0.0}, "hue"),
        ({"brightness": 0.2, "contrast": 0.3, "saturation": 0.4, "hue": 0.1}, "any"),
        ({}, "same"),
    ],
)
def test_color_jitter(changes: dict[str, float], allowed: str) -> None:
    """Changes leave alone what they are not about, and differ from call to call."""
    mx.random.seed(5)
    amounts = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0, **changes}
    x = np.array(PIXELS, np.float32)
    found = [mx.nd.image.random_color_jitter(_image(), **amounts).asnumpy() for _ in range(8)]
    if allowed == "same":
        np.testing.assert_array_equal(found, [x] * 8)
        return
    assert len({f.tobytes() for f in found}) == 8
    for f in found:
        if allowed == "brightness":
            ratio = f[0, 0, 0] / x[0, 0, 0]
            assert 0.5 <= ratio <= 1.5
            np.testing.assert_allclose(f, x * ratio, rtol=1e-5)
        elif allowed == "affine":
            slope = (f[0, 0, 1] - f[0, 0, 0]) / 190
            np.testing.assert_allclose(f - f[0, 0, 0], (x - 10) * slope, rtol=1e-4, atol=1e-3)
        elif allowed == "hue":
            np.testing.assert_allclose(f.max(-1), x.max(-1), rtol=1e-5)
            np.testing.assert_allclose(f.min(-1), x.min(-1), rtol=1e-5, atol=1e-4)


def test_random_lighting() -> None:
    """The same three numbers for every pixel, of the standard deviation asked for."""
    mx.random.seed(7)
    x = mx.nd.zeros((2, 2, 3))
    found = np.stack([mx.nd.image.random_lighting(x, alpha_std=0.1).asnumpy() for _ in range(300)])
    assert (found == found[:, :1, :1]).all()
    axes = np.stack([mx.nd.image.adjust_lighting(x, alpha=np.eye(3)[i]).asnumpy()[0, 0] for i in range(3)])
    alpha = found[:, 0, 0] @ np.linalg.inv(axes)
    np.testing.assert_allclose(alpha.std(axis=0), 0.1, rtol=0.15)
    np.testing.assert_allclose(alpha.mean(axis=0), 0.0, atol=0.025)
