"""Models that PyTorch exports (tests/data/onnx/make.py): outputs and gradients are PyTorch's, at two sizes."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest

from gluon_onnx import autograd, gluon, nd
from gluon_onnx.gluon import SymbolBlock

DATA = pathlib.Path(__file__).parents[1] / "data" / "onnx"
NAMES = sorted(p.stem for p in DATA.glob("*.onnx"))


@pytest.mark.parametrize("name", NAMES)
def test_outputs_and_gradients(name: str) -> None:
    block = SymbolBlock.imports(DATA / f"{name}.onnx")
    params = block.collect_params()
    expected = dict(np.load(DATA / f"{name}.npz"))
    for size in ("0", "1"):
        values = {k.partition(":")[2]: v for k, v in expected.items() if k.startswith(f"{size}:")}
        x = nd.array(values.pop("x"))
        wanted = [values.pop(k) for k in ("y0", "y1") if k in values]
        found = block(x)
        for y, e in zip(found if isinstance(found, list) else [found], wanted, strict=True):
            np.testing.assert_allclose(y.asnumpy(), e, rtol=1e-4, atol=1e-5)
        x.attach_grad()
        with autograd.record():
            outputs = block(x)
            outputs = outputs if isinstance(outputs, list) else [outputs]
            loss = (outputs[0] ** 3).sum()
            for y in outputs[1:]:
                loss = loss + (y**3).sum()
        loss.backward()
        scale = max(np.abs(e).max() for e in values.values())  # that of a key's bias is exactly zero
        for key, e in values.items():
            parameter = key.removeprefix("gradient:")
            gradient = x.grad if parameter == "x" else params[parameter].grad()
            np.testing.assert_allclose(gradient.asnumpy(), e, rtol=1e-3, atol=1e-5 * scale)


@pytest.mark.parametrize("name", NAMES)
def test_training(name: str) -> None:
    """Every parameter that has a gradient moves, and the loss falls."""
    block = SymbolBlock.imports(DATA / f"{name}.onnx")
    x = nd.array(np.load(DATA / f"{name}.npz")["0:x"])
    params = {n: p for n, p in block.collect_params().items() if p.grad_req == "write"}
    before = {n: p.data().asnumpy() for n, p in params.items()}
    trainer = gluon.Trainer(params, "adam", {"learning_rate": 0.02})
    losses = []
    for _ in range(6):
        with autograd.record():
            outputs = block(x)
            loss = ((outputs[0] if isinstance(outputs, list) else outputs) - 1).square().sum()
        loss.backward()
        trainer.step(1, ignore_stale_grad=True)
        losses.append(loss.asscalar())
    assert losses[-1] < losses[0]
    assert all(np.isfinite(losses))
    moved = [n for n, p in params.items() if np.abs(p.data().asnumpy() - before[n]).max() > 1e-4]
    assert len(moved) > len(params) / 2


def test_there_are_models() -> None:
    assert len(NAMES) == 8
