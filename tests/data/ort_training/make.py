"""Make the directories and the losses beside this file with onnxruntime-training-cpu 1.19.2 (Python 3.11).

Run: PYTHON make.py
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

warnings.filterwarnings("ignore")

import numpy as np  # noqa: E402
import onnx  # noqa: E402
import onnxruntime.training.api as training  # noqa: E402
from onnx import helper, numpy_helper  # noqa: E402
from onnxruntime.training import artifacts  # noqa: E402

HERE = Path(__file__).parent
BATCH, CLASSES, STEPS, RATE = 8, 3, 20, 0.01
Graph = tuple[list[onnx.NodeProto], dict[str, np.ndarray], tuple[int, list[int]]]


def node(op_type: str, inputs: str, outputs: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op_type, inputs.split(), outputs.split(), **attributes)


def mlp(random: np.random.RandomState) -> Graph:
    nodes = [
        node("Gemm", "input fc1.weight fc1.bias", "h", transB=1),
        node("Relu", "h", "r"),
        node("Gemm", "r fc2.weight fc2.bias", "output", transB=1),
    ]
    values = {
        "fc1.weight": random.randn(16, 10) * 0.3,
        "fc1.bias": np.zeros(16),
        "fc2.weight": random.randn(CLASSES, 16) * 0.3,
        "fc2.bias": np.zeros(CLASSES),
    }
    return nodes, values, (onnx.TensorProto.FLOAT, [10])


def conv(random: np.random.RandomState) -> Graph:
    nodes = [
        node("Conv", "input conv.weight", "c", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node(
            "BatchNormalization", "c bn.weight bn.bias bn.mean bn.var", "b m v", training_mode=1, momentum=0.9
        ),
        node("Tanh", "b", "t"),
        node("MaxPool", "t", "p", kernel_shape=[2, 2], strides=[2, 2]),
        node("Flatten", "p", "f"),
        node("Gemm", "f fc.weight fc.bias", "output", transB=1),
    ]
    values = {
        "conv.weight": random.randn(4, 1, 3, 3) * 0.3,
        "bn.weight": np.ones(4),
        "bn.bias": np.zeros(4),
        "bn.mean": np.zeros(4),
        "bn.var": np.ones(4),
        "fc.weight": random.randn(CLASSES, 64) * 0.2,
        "fc.bias": np.zeros(CLASSES),
    }
    return nodes, values, (onnx.TensorProto.FLOAT, [1, 8, 8])


def sequence(random: np.random.RandomState) -> Graph:
    """Embedding, layer normalization, GELU and softmax, as PyTorch writes them at opset 15."""
    nodes = [
        node("Gather", "embedding input", "e", axis=0),
        node("MatMul", "e mix", "x"),
        node("ReduceMean", "x", "last", axes=[1], keepdims=0),
        node("ReduceMean", "last", "mu", axes=[-1], keepdims=1),
        node("Sub", "last mu", "d"),
        node("Pow", "d two", "d2"),
        node("ReduceMean", "d2", "s", axes=[-1], keepdims=1),
        node("Add", "s eps", "se"),
        node("Sqrt", "se", "root"),
        node("Div", "d root", "n"),
        node("Mul", "n norm.weight", "nw"),
        node("Add", "nw norm.bias", "normed"),
        node("Gemm", "normed fc1.weight fc1.bias", "z", transB=1),
        node("Div", "z sqrt2", "zd"),
        node("Erf", "zd", "ze"),
        node("Add", "ze one", "zo"),
        node("Mul", "z zo", "zz"),
        node("Mul", "zz half", "g"),
        node("Split", "g", "g1 g2", axis=1),
        node("Softmax", "g1", "soft", axis=1),
        node("Concat", "soft g2", "joined", axis=1),
        node("Gemm", "joined fc2.weight fc2.bias", "output", transB=1),
    ]
    values: dict[str, np.ndarray] = {
        "embedding": random.randn(12, 5) * 0.5,
        "mix": random.randn(5, 6) * 0.5,
        "norm.weight": np.ones(6),
        "norm.bias": np.zeros(6),
        "fc1.weight": random.randn(8, 6) * 0.4,
        "fc1.bias": np.zeros(8),
        "fc2.weight": random.randn(CLASSES, 8) * 0.4,
        "fc2.bias": np.zeros(CLASSES),
    }
    constants = {"two": 2.0, "eps": 1e-5, "sqrt2": 2**0.5, "one": 1.0, "half": 0.5}
    values |= {f"const {k}": np.array(v) for k, v in constants.items()}
    return nodes, values, (onnx.TensorProto.INT64, [7])


MODELS: dict[str, tuple[Callable[[np.random.RandomState], Graph], artifacts.OptimType]] = {
    "mlp_adamw": (mlp, artifacts.OptimType.AdamW),
    "mlp_sgd": (mlp, artifacts.OptimType.SGD),
    "conv": (conv, artifacts.OptimType.AdamW),
    "sequence": (sequence, artifacts.OptimType.AdamW),
    "decay_first": (mlp, artifacts.OptimType.AdamW),
    "decay_last": (mlp, artifacts.OptimType.AdamW),
}
MODES = {"decay_first": 0, "decay_last": 1}  # adam_mode


def generate(name: str) -> list[str]:
    """Write a directory; returns the names of its trainable parameters."""
    build, optimizer = MODELS[name]
    nodes, values, (kind, shape) = build(np.random.RandomState(0))
    initializers = [
        numpy_helper.from_array(v.astype(np.float32), n.removeprefix("const ")) for n, v in values.items()
    ]
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("input", kind, ["batch", *shape])],
        [helper.make_tensor_value_info("output", onnx.TensorProto.FLOAT, ["batch", CLASSES])],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    frozen = [n for n in values if n in ("bn.mean", "bn.var")]
    trained = [n for n in values if n not in frozen and not n.startswith("const ")]
    (HERE / name).mkdir(exist_ok=True)
    artifacts.generate_artifacts(
        model,
        requires_grad=trained,
        frozen_params=frozen,
        loss=artifacts.LossType.CrossEntropyLoss,
        optimizer=optimizer,
        artifact_directory=HERE / name,
    )
    if name in MODES:
        path = HERE / name / "optimizer_model.onnx"
        optimizer_model = onnx.load(path)
        values = {"adam_mode": MODES[name], "weight_decay": 0.5}
        for attribute in optimizer_model.graph.node[0].attribute:
            if attribute.name in values:
                value = helper.make_attribute(attribute.name, values[attribute.name])
                attribute.CopyFrom(value)
        onnx.save(optimizer_model, path)
    return trained


def batches(name: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """The batches that the losses belong to."""
    random = np.random.RandomState(3)
    kind, shape = MODELS[name][0](random)[2]
    random = np.random.RandomState(3)
    found = []
    for _ in range(STEPS):
        x = random.randn(BATCH, *shape).astype(np.float32)
        if kind == onnx.TensorProto.INT64:
            x = random.randint(0, 12, (BATCH, *shape)).astype(np.int64)
        found.append((x, random.randint(0, CLASSES, BATCH).astype(np.int64)))
    return found


def train(name: str) -> dict[str, Any]:
    """Losses, and parameters after the last step."""
    folder = HERE / name
    state = training.CheckpointState.load_checkpoint(str(folder / "checkpoint"))
    # Its model for evaluation has a normalization with three outputs, which its own checker refuses.
    evaluation = None if name == "conv" else str(folder / "eval_model.onnx")
    module = training.Module(str(folder / "training_model.onnx"), state, evaluation)
    optimizer = training.Optimizer(str(folder / "optimizer_model.onnx"), module)
    optimizer.set_learning_rate(RATE)
    losses = []
    for x, y in batches(name):
        module.train()
        losses.append(float(module(x, y)))
        optimizer.step()
        module.lazy_reset_grad()
    training.CheckpointState.save_checkpoint(state, str(folder / "trained"), include_optimizer_state=True)
    return {"losses": losses, "parameters": {n: p.data.tolist() for n, p in state.parameters}}


if __name__ == "__main__":
    results = {}
    for key in MODELS:
        generate(key)
        results[key] = train(key)
        np.savez_compressed(
            HERE / key / "batches.npz",
            **{f"{k}{i}": v for i, b in enumerate(batches(key)) for k, v in zip("xy", b, strict=True)},
        )
    (HERE / "results.json").write_text(json.dumps(results) + "\n")
