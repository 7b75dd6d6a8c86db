"""What the tests of the model zoo look at, written for MXNet and this package alike."""

from __future__ import annotations

import itertools
import json
import lzma
import pathlib
import zlib
from typing import Any

import numpy as np

GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "model_zoo.json.xz"

NAMES = [
    *(f"resnet{n}_v{v}" for v, n in itertools.product((1, 2), (18, 34, 50, 101, 152))),
    *(f"vgg{n}{bn}" for bn, n in itertools.product(("", "_bn"), (11, 13, 16, 19))),
    "alexnet",
    *(f"densenet{n}" for n in (121, 161, 169, 201)),
    "squeezenet1.0",
    "squeezenet1.1",
    "inceptionv3",
    *(
        f"{family}{m}"
        for family, m in itertools.product(("mobilenet", "mobilenetv2_"), ("1.0", "0.75", "0.5", "0.25"))
    ),
]

# Models whose outputs are in the golden file, with the height and width of the input.
FORWARD = {
    "mobilenet0.25": 64,
    "mobilenetv2_0.25": 70,
    "resnet18_v1": 64,
    "resnet18_v2": 50,
    "squeezenet1.1": 224,
}


def size_of(name: str) -> int:
    """The height and width that a model is made for."""
    return 299 if name == "inceptionv3" else 224


def build(mx: Any, name: str, **kwargs: Any) -> Any:
    """A model whose names do not depend on what was made before."""
    with mx.name.NameManager():
        return mx.gluon.model_zoo.vision.get_model(name, prefix="net_", **kwargs)


def describe(mx: Any, name: str) -> dict[str, Any]:
    """Names, shapes, structure and graph of a model, as JSON has them."""
    net = build(mx, name)
    with mx.name.NameManager():
        out = net(mx.sym.var("data"))
    args, outputs, aux = out.infer_shape(data=(2, 3, size_of(name), size_of(name)))
    shapes = dict(zip(out.list_arguments(), args, strict=True))
    shapes.update(zip(out.list_auxiliary_states(), aux, strict=True))
    graph = json.loads(out.tojson())
    described = {
        "params": [
            [k, shapes[k], p.grad_req, np.dtype(p.dtype).name] for k, p in net.collect_params().items()
        ],
        "paths": [[k, p.name] for k, p in net._collect_params_with_prefix().items()],
        "internals": out.get_internals().list_outputs(),
        "outputs": [out.list_outputs(), outputs],
        "nodes": [[n["op"], n["name"], n.get("attrs", {}), n["inputs"]] for n in graph["nodes"]],
        "repr": repr(net),
    }
    result: dict[str, Any] = json.loads(json.dumps(described))
    return result


def value(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The value of the parameter `name` in tests: the same everywhere, and of a size that keeps numbers in range."""
    drawn = np.random.RandomState(zlib.crc32(name.encode())).random_sample(shape).astype(np.float32) * 2 - 1
    if name.endswith("weight"):
        return drawn * np.float32(np.sqrt(6 / np.prod(shape[1:])))
    if name.endswith(("gamma", "var")):
        return drawn * np.float32(0.5) + np.float32(1)
    return drawn * np.float32(0.1)


def image(name: str, size: int, batch: int) -> np.ndarray:
    """A batch of images for the model `name`."""
    return value(f"{name}_image", (batch, 3, size, size)) * np.float32(10)


def fill(mx: Any, net: Any, size: int) -> None:
    """Give all parameters of a model the values of `value`."""
    net.infer_shape(mx.nd.zeros((1, 3, size, size)))
    for parameter in net.collect_params().values():
        parameter.initialize(init=mx.init.Zero())
        parameter.set_data(mx.nd.array(value(parameter.name, parameter.shape)))


def read() -> dict[str, Any]:
    """The golden file: what `describe` gave with MXNet 1.9.1, and outputs of the models in `FORWARD`."""
    result: dict[str, Any] = json.loads(lzma.decompress(GOLDEN.read_bytes()))
    return result
