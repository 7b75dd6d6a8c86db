"""The models of `training.py` in PyTorch, eager and compiled."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Step = Callable[[], Any]
Array = Callable[[], Tensor]

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


def _mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))


def _lenet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 20, 5), nn.Tanh(), nn.MaxPool2d(2), nn.Conv2d(20, 50, 5), nn.Tanh(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(800, 500), nn.Tanh(), nn.Linear(500, 10),
    )  # fmt: skip


def _conv_bn(cin: int, cout: int, k: int, stride: int = 1, groups: int = 1, act: Any = nn.ReLU) -> nn.Module:
    layers: list[nn.Module] = [
        nn.Conv2d(cin, cout, k, stride, k // 2, groups=groups, bias=False),
        nn.BatchNorm2d(cout),
    ]
    return nn.Sequential(*layers, *([act()] if act else []))


class _Residual(nn.Module):
    """The two kinds of residual blocks of ResNet v1."""

    def __init__(self, cin: int, cout: int, stride: int, bottleneck: bool) -> None:
        super().__init__()
        if bottleneck:  # Gluon's v1 puts the stride into the first convolution
            self.body = nn.Sequential(
                _conv_bn(cin, cout // 4, 1, stride),
                _conv_bn(cout // 4, cout // 4, 3),
                _conv_bn(cout // 4, cout, 1, act=None),
            )
        else:
            self.body = nn.Sequential(_conv_bn(cin, cout, 3, stride), _conv_bn(cout, cout, 3, act=None))
        same = stride == 1 and cin == cout
        self.shortcut = nn.Identity() if same else _conv_bn(cin, cout, 1, stride, act=None)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.body(x) + self.shortcut(x))


def _resnet(layers: list[int], widths: list[int], bottleneck: bool) -> nn.Module:
    blocks: list[nn.Module] = [_conv_bn(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)]
    cin = 64
    for i, (count, width) in enumerate(zip(layers, widths, strict=True)):
        for j in range(count):
            blocks.append(_Residual(cin, width, 2 if i and not j else 1, bottleneck))
            cin = width
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(cin, 1000))


class _Inverted(nn.Module):
    """A block of MobileNet v2."""

    def __init__(self, cin: int, cout: int, expand: int, stride: int) -> None:
        super().__init__()
        wide = cin * expand
        self.body = nn.Sequential(
            _conv_bn(cin, wide, 1, act=nn.ReLU6),
            _conv_bn(wide, wide, 3, stride, groups=wide, act=nn.ReLU6),
            _conv_bn(wide, cout, 1, act=None),
        )
        self.same = stride == 1 and cin == cout

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return x + y if self.same else y


def _mobilenet() -> nn.Module:
    blocks: list[nn.Module] = [_conv_bn(3, 32, 3, 2, act=nn.ReLU6)]
    cin = 32
    for expand, cout, count, stride in [
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
    ]:  # fmt: skip
        for j in range(count):
            blocks.append(_Inverted(cin, cout, expand, stride if j == 0 else 1))
            cin = cout
    blocks += [_conv_bn(320, 1280, 1, act=nn.ReLU6), nn.AdaptiveAvgPool2d(1)]
    return nn.Sequential(*blocks, nn.Conv2d(1280, 1000, 1, bias=False), nn.Flatten())


class _LanguageModel(nn.Module):
    def __init__(self, vocabulary: int = 10000, hidden: int = 256) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, hidden)
        self.lstm = nn.LSTM(hidden, hidden, 2)
        self.decoder = nn.Linear(hidden, vocabulary)

    def forward(self, tokens: Tensor) -> Tensor:
        y: Tensor = self.decoder(self.lstm(self.embedding(tokens))[0])
        return y.flatten(0, 1)


class _Transformer(nn.Module):
    def __init__(self, units: int = 256, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(units), nn.LayerNorm(units)
        self.qkv, self.out = nn.Linear(units, 3 * units), nn.Linear(units, units)
        self.wide, self.narrow = nn.Linear(units, 4 * units), nn.Linear(4 * units, units)

    def forward(self, x: Tensor) -> Tensor:
        n, t, c = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(n, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, t, c)
        x = x + self.out(mixed)
        y: Tensor = x + self.narrow(F.gelu(self.wide(self.norm2(x))))
        return y


def _training(
    make: Callable[[], nn.Module], x: Array, y: Array, loss: Callable[..., Tensor], compiled: bool
) -> Callable[[], Step]:
    def prepare() -> Step:
        net = make()
        run: Any = torch.compile(net) if compiled else net
        optimizer = torch.optim.SGD(net.parameters(), 1e-3, momentum=0.9)
        data, label = x(), y()

        def step() -> None:
            optimizer.zero_grad()
            loss(run(data), label).backward()
            optimizer.step()

        return step

    return prepare


def _inference(make: Callable[[], nn.Module], x: Array, compiled: bool) -> Callable[[], Step]:
    def prepare() -> Step:
        net = make().eval()
        run: Any = torch.compile(net) if compiled else net
        data = x()

        def step() -> None:
            with torch.inference_mode():
                run(data)

        return step

    return prepare


def cases(compiled: bool = False) -> dict[str, Callable[[], Step]]:
    """The models, eager or through ``torch.compile``."""

    def train(make: Callable[[], nn.Module], x: Array, y: Array, loss: Any = F.cross_entropy) -> Any:
        return _training(make, x, y, loss, compiled)

    def values(*shape: int) -> Array:
        return lambda: torch.rand(*shape)

    def classes(count: int, *shape: int) -> Array:
        return lambda: torch.randint(0, count, shape)

    def resnet18() -> nn.Module:
        return _resnet([2, 2, 2, 2], [64, 128, 256, 512], False)

    def resnet50() -> nn.Module:
        return _resnet([3, 4, 6, 3], [256, 512, 1024, 2048], True)

    sequence = values(16, 128, 256)
    return {
        "mlp": train(_mlp, values(128, 784), classes(10, 128)),
        "lenet": train(_lenet, values(64, 1, 28, 28), classes(10, 64)),
        "resnet18": train(resnet18, values(16, 3, 224, 224), classes(1000, 16)),
        "resnet50-inference-1": _inference(resnet50, values(1, 3, 224, 224), compiled),
        "resnet50-inference-8": _inference(resnet50, values(8, 3, 224, 224), compiled),
        "mobilenetv2": train(_mobilenet, values(16, 3, 224, 224), classes(1000, 16)),
        "lstm": train(_LanguageModel, classes(10000, 35, 32), classes(10000, 35 * 32)),
        "transformer": train(_Transformer, sequence, sequence, F.mse_loss),
    }
