"""The recurrent operator in NumPy, for what MXNet has on NVIDIA devices only: sequence lengths, clipped cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

Outputs = list[np.ndarray]


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _blocks(flat: np.ndarray, shapes: list[tuple[int, ...]]) -> Iterator[np.ndarray]:
    start = 0
    for shape in shapes:
        size = int(np.prod(shape))
        yield flat[start : start + size].reshape(shape)
        start += size


def _step(
    mode: str,
    x: np.ndarray,
    h: np.ndarray,
    c: np.ndarray,
    weights: list[np.ndarray],
    clip: tuple[float, float] | None,
) -> tuple[np.ndarray, np.ndarray]:
    wx, wh, bx, bh = weights[:4]
    a, b = x @ wx.T + bx, h @ wh.T + bh
    if mode in ("rnn_relu", "rnn_tanh"):
        return (np.maximum(a + b, 0) if mode == "rnn_relu" else np.tanh(a + b)), c
    if mode == "gru":
        (ar, az, an), (br, bz, bn) = np.split(a, 3, axis=-1), np.split(b, 3, axis=-1)
        z = _sigmoid(az + bz)
        return (1 - z) * np.tanh(an + _sigmoid(ar + br) * bn) + z * h, c
    i, f, g, o = np.split(a + b, 4, axis=-1)
    c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
    if clip is not None:
        c = np.clip(c, *clip)
    return _sigmoid(o) * np.tanh(c), c


def recurrent(
    inputs: list[np.ndarray],
    *,
    mode: str,
    hidden: int,
    layers: int = 1,
    both: bool = False,
    lengths: np.ndarray | None = None,
    clip: tuple[float, float] | None = None,
) -> Outputs:
    """Output and final states; past an example's length outputs are zero and states stay.

    Parameters
    ----------
    inputs : data (steps, batch, width), parameters, state (layers * directions, batch, hidden), and the cell of "lstm".
    """
    x, flat, state = (v.astype("float64") for v in inputs[:3])
    cell = inputs[3].astype("float64") if mode == "lstm" else np.zeros_like(state)
    directions = 2 if both else 1
    gates = {"gru": 3, "lstm": 4}.get(mode, 1) * hidden
    widths = [
        x.shape[2] if layer == 0 else hidden * directions
        for layer in range(layers)
        for _ in range(directions)
    ]
    shapes: list[tuple[int, ...]] = [s for width in widths for s in ((gates, width), (gates, hidden))]
    parts = list(_blocks(flat, shapes + [(gates,)] * (2 * len(widths))))
    steps, batch = x.shape[:2]
    valid = np.full(batch, steps) if lengths is None else lengths.astype(int)
    last_h, last_c = [], []
    for layer in range(layers):
        found = []
        for direction in range(directions):
            k = layer * directions + direction
            weights = [
                *parts[2 * k : 2 * k + 2],
                *parts[2 * len(widths) + 2 * k : 2 * len(widths) + 2 * k + 2],
            ]
            h, c = state[k], cell[k]
            out = np.zeros((steps, batch, hidden))
            for t in reversed(range(steps)) if direction else range(steps):
                new_h, new_c = _step(mode, x[t], h, c, weights, clip)
                live = (t < valid)[:, None]
                h, c = np.where(live, new_h, h), np.where(live, new_c, c)
                out[t] = np.where(live, h, 0)
            found.append(out)
            last_h.append(h)
            last_c.append(c)
        x = np.concatenate(found, axis=-1)
    return [x, np.stack(last_h), *([np.stack(last_c)] if mode == "lstm" else [])]


def slopes(
    function: Callable[[list[np.ndarray]], Outputs], inputs: list[np.ndarray], heads: list[np.ndarray]
) -> Outputs:
    """Gradients of ``sum(output * head)`` for each input, by central differences in double precision."""
    wide = [v.astype("float64") for v in inputs]
    found = [np.zeros_like(v) for v in wide]
    for value, grad in zip(wide, found, strict=True):
        for index in np.ndindex(*value.shape):
            kept, sums = value[index], []
            for step in (1e-5, -1e-5):
                value[index] = kept + step
                sums.append(sum(float((o * h).sum()) for o, h in zip(function(wide), heads, strict=True)))
            value[index] = kept
            grad[index] = (sums[0] - sums[1]) / 2e-5
    return found
