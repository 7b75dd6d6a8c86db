"""Makes the models beside this file with PyTorch's two exporters, and what PyTorch computes for them.

    python make.py          (needs torch and onnxscript; made with torch 2.13 and onnxscript 0.7)

NAME.onnx is the model; NAME.npz has for each of two sizes (0 and 1): the input x, the outputs y0, y1, and the gradients
of the sum of all cubed outputs with respect to those parameters that have their names in the model (and to x).
"""

from __future__ import annotations

import pathlib
import warnings
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn
from torch.nn import functional

FOLDER = pathlib.Path(__file__).parent


class Convolutional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.second = nn.Conv2d(6, 6, 3, padding=1, groups=2, bias=False)
        self.group = nn.GroupNorm(2, 6)
        self.up = nn.ConvTranspose2d(6, 4, 2, stride=2)
        self.out = nn.Linear(4, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.norm(self.first(x)))
        y = y + functional.gelu(self.group(self.second(y)))
        y = functional.max_pool2d(functional.interpolate(self.up(y), scale_factor=2.0, mode="bilinear"), 2)
        y = functional.avg_pool2d(functional.pad(y, (1, 1, 0, 0)), 2).mean((2, 3))
        return self.out(y.view(y.size(0), -1))


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)
        self.norm = nn.LayerNorm(8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, t, c = x.shape
        q, k, v = (f(x).view(n, t, 2, c // 2).transpose(1, 2) for f in (self.query, self.key, self.value))
        mask = torch.ones(t, t, dtype=torch.bool).tril()
        scores = (q @ k.transpose(-2, -1) / (c // 2) ** 0.5).masked_fill(~mask, float("-inf"))
        y = (torch.softmax(scores, -1) @ v).transpose(1, 2).reshape(n, t, c)
        return self.norm(x + y)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(6, 5, batch_first=True, bidirectional=True)
        self.gru = nn.GRU(10, 4, batch_first=True)
        self.out = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y, _ = self.gru(self.lstm(x)[0])
        return self.out(y[:, -1])


class Pieces(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 6))
        self.table = nn.Embedding(10, 6)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        a, b = torch.split(x @ self.weight, 3, -1)
        y = torch.cat([b.clamp(min=-1, max=1), a.pow(2)], -1) + self.table(torch.arange(x.size(1)) % 10)
        z = torch.where(y > 0, y, 0.1 * y).permute(1, 0, 2).reshape(x.size(1), -1)
        return z, torch.einsum("nti,nsi->nts", y, y).amax(-1)


NETS: dict[str, tuple[type[nn.Module], tuple[int, ...], tuple[int, ...]]] = {
    "convolutional": (Convolutional, (2, 3, 8, 8), (3, 3, 10, 12)),
    "attention": (Attention, (2, 5, 8), (3, 4, 8)),
    "recurrent": (
        Recurrent,
        (2, 5, 6),
        (4, 5, 6),
    ),  # the newer exporter fixes the length of a bidirectional layer
    "pieces": (Pieces, (2, 5, 4), (3, 6, 4)),
}


def values(net: nn.Module, x: torch.Tensor, known: set[str]) -> dict[str, np.ndarray]:
    net.zero_grad()
    x = x.clone().requires_grad_()
    outputs: Any = net(x)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    sum((y**3).sum() for y in outputs).backward()
    found = {"x": x, **{f"y{i}": y for i, y in enumerate(outputs)}, "gradient:x": x.grad}
    found.update((f"gradient:{n}", p.grad) for n, p in net.named_parameters() if n in known)
    return {n: v.detach().numpy() for n, v in found.items()}


def main() -> None:
    warnings.simplefilter("ignore")
    for name, (cls, first, second) in NETS.items():
        torch.manual_seed(0)
        net = cls().eval()
        inputs = [torch.randn(shape) for shape in (first, second)]
        axes = [i for i, (p, q) in enumerate(zip(first, second, strict=True)) if p != q]
        for exporter in ("script", "dynamo"):
            path = FOLDER / f"{name}-{exporter}.onnx"
            kind: dict[str, Any] = {"dynamo": False, "dynamic_axes": {"x": {i: f"size{i}" for i in axes}}}
            if exporter == "dynamo":
                dims = dict.fromkeys(axes, torch.export.Dim.AUTO)
                kind = {"dynamo": True, "dynamic_shapes": (dims,), "external_data": False, "verbose": False}
            torch.onnx.export(net, (inputs[0],), str(path), input_names=["x"], **kind)
            model = onnx.load(path)
            for node in model.graph.node:  # where in PyTorch's sources they come from
                del node.metadata_props[:]
                node.doc_string = ""
            del model.graph.metadata_props[:], model.metadata_props[:]
            onnx.save(model, path)
            known = {t.name for t in model.graph.initializer}
            arrays = {f"{k}:{n}": v for k, x in enumerate(inputs) for n, v in values(net, x, known).items()}
            np.savez_compressed(path.with_suffix(".npz"), **arrays)


if __name__ == "__main__":
    main()
