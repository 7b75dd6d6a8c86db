"""Counts of multiply-accumulates and of memory: against numbers worked out by hand, and published ones."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from gluon_onnx.graph.ops.registry import names
from gluon_onnx.tools.kernels import table
from gluon_onnx.tools.macs import COSTS, activation_peak, layer_macs, total_macs
from gluon_onnx.tools.model_file import Layer, ModelFile, Tensor, open_path

from .commands import ONNX, SMALL

Size = tuple[int, ...]


def layer(
    operator: str, ins: list[Size], outs: list[Size], **attributes: str
) -> tuple[Layer, dict[str, Size]]:
    sizes = {f"i{n}": size for n, size in enumerate(ins)} | {f"o{n}": size for n, size in enumerate(outs)}
    outputs = tuple(Tensor(f"o{n}", "float32", size) for n, size in enumerate(outs))
    return Layer("n", operator, tuple(f"i{n}" for n in range(len(ins))), outputs, attributes), sizes


@pytest.mark.parametrize(
    ("operator", "ins", "outs", "attributes", "expected"),
    [
        ("Convolution", [(2, 6, 9, 9), (4, 3, 3, 3), (4,)], [(2, 4, 7, 7)], {}, 2 * 4 * 49 * 27),
        ("Convolution", [(2, 9, 9, 3), (4, 3, 3, 3)], [(2, 7, 7, 4)], {"layout": "NHWC"}, 2 * 4 * 49 * 27),
        ("Deconvolution", [(1, 6, 5, 5), (6, 4, 2, 2)], [(1, 4, 10, 10)], {}, 6 * 25 * 4 * 4),
        ("FullyConnected", [(5, 2, 3), (7, 6), (7,)], [(5, 7)], {}, 5 * 7 * 6),
        ("FullyConnected", [(5, 2, 3), (7, 3)], [(5, 2, 7)], {"flatten": "False"}, 5 * 2 * 7 * 3),
        ("dot", [(5, 2), (2, 3)], [(5, 3)], {}, 30),
        ("dot", [(2, 5), (2, 3)], [(5, 3)], {"transpose_a": "True"}, 30),
        ("batch_dot", [(4, 2, 5), (4, 2, 3)], [(4, 5, 3)], {"transpose_a": "1"}, 4 * 30),
        ("_linalg_gemm2", [(4, 5, 2), (4, 2, 3)], [(4, 5, 3)], {}, 4 * 30),
        # T=3, N=2; one layer of 5 units on 4 inputs: gates * (5*4 + 5*5) weights and gates * 2*5 biases
        ("RNN", [(3, 2, 4), (4 * 55,)], [(3, 2, 5)], {"mode": "lstm", "state_size": "5", "num_layers": "1"}, 6 * 180),
        ("RNN", [(3, 2, 4), (2 * 55,)], [(3, 2, 10)],
         {"mode": "rnn_tanh", "state_size": "5", "num_layers": "1", "bidirectional": "True"}, 6 * 90),
        ("RNN", [(3, 2, 4), (1, 5, 4), (1, 5, 5)], [(3, 1, 2, 5)], {"hidden_size": "5"}, 6 * 45),
        ("LSTM", [(3, 2, 4), (1, 20, 4), (1, 20, 5)], [(3, 1, 2, 5)], {}, 6 * 180),
        ("Correlation", [(1, 8, 9, 9), (1, 8, 9, 9)], [(1, 25, 9, 9)], {"kernel_size": "1"}, 25 * 81 * 8),
        ("_contrib_DeformableConvolution", [(1, 6, 9, 9), (1, 18, 7, 7), (4, 6, 3, 3)], [(1, 4, 7, 7)], {},
         4 * 49 * 54),
        ("_contrib_interleaved_matmul_selfatt_qk", [(7, 2, 3 * 12)], [(8, 7, 7)], {"heads": "4"}, 8 * 49 * 3),
        ("_contrib_interleaved_matmul_selfatt_valatt", [(7, 2, 3 * 12), (8, 7, 7)], [(7, 2, 12)], {"heads": "4"},
         7 * 2 * 12 * 7),
        ("Conv", [(2, 6, 9), (4, 3, 3)], [(2, 4, 7)], {}, 2 * 4 * 7 * 9),
        ("QLinearConv", [(1, 3, 9, 9), (), (), (4, 3, 3, 3), (), ()], [(1, 4, 7, 7)], {}, 4 * 49 * 27),
        ("ConvTranspose", [(1, 6, 5, 5), (6, 4, 2, 2)], [(1, 4, 10, 10)], {}, 6 * 25 * 4 * 4),
        ("Gemm", [(2, 5), (2, 3)], [(5, 3)], {"transA": "1"}, 30),
        ("MatMul", [(6, 5, 2), (2, 3)], [(6, 5, 3)], {}, 6 * 30),
        ("MatMul", [(2,), (2,)], [()], {}, 2),
        ("com.microsoft.FusedMatMul", [(4, 2, 5), (4, 2, 3)], [(4, 5, 3)], {"transA": "1"}, 4 * 30),
        ("Einsum", [(4, 5, 2), (4, 2, 3)], [(4, 5, 3)], {"equation": "bij,bjk->bik"}, 4 * 30),
        ("Einsum", [(4, 7, 5, 2), (2, 3)], [(4, 7, 5, 3)], {"equation": "...ij,jk"}, 28 * 30),
        ("Attention", [(2, 4, 7, 3), (2, 4, 9, 3), (2, 4, 9, 5)], [(2, 4, 7, 5)], {}, 2 * 4 * 7 * 9 * 8),
        ("Attention", [(2, 7, 12), (2, 9, 6), (2, 9, 10)], [(2, 7, 20)],
         {"q_num_heads": "4", "kv_num_heads": "2"}, 2 * 7 * 9 * (12 + 20)),
        ("Relu", [(2, 3)], [(2, 3)], {}, 0),
    ],
)  # fmt: skip
def test_multiply_accumulates(
    operator: str, ins: list[Size], outs: list[Size], attributes: dict[str, str], expected: int
) -> None:
    assert layer_macs(*layer(operator, ins, outs, **attributes)) == expected


def test_an_unknown_shape_makes_the_count_unknown() -> None:
    node, sizes = layer("Conv", [(2, 6, 9), (4, 3, 3)], [(2, 4, 7)])
    del sizes["o0"]
    assert layer_macs(node, sizes) is None


def test_every_counted_operator_exists() -> None:
    known = {
        *names(),
        *(schema.name for schema in onnx.defs.get_all_schemas()),
        *table()["cpu"],
        *table()["cuda"],
    }
    assert set(COSTS) - known == set()


def test_both_forms_of_a_model_cost_the_same() -> None:
    first, second = open_path(SMALL), open_path(ONNX)
    # 4 * 12*12 * 9 + 8 * 6*6 * 36 + 10 * 72
    assert total_macs(first) == total_macs(second) == 5184 + 10368 + 720
    # the second of two values of 4 x 12 x 12, made from the first
    assert activation_peak(first) == activation_peak(second) == 2 * 4 * 144 * 4


def test_memory_of_a_chain_with_a_branch(tmp_path: Path) -> None:
    x, a, b, y = (Tensor(name, dtype, (n,)) for name, dtype, n in (
        ("x", "float32", 10), ("a", "float64", 20), ("b", "float16", 30), ("y", "float32", 5)
    ))  # fmt: skip
    layers = [
        Layer("1", "Relu", ("x",), (a,), {}),
        Layer("2", "Relu", ("a",), (b,), {}),
        Layer("3", "Add", ("a", "b"), (y,), {}),
    ]
    model = ModelFile(tmp_path, "", {}, [x], [y], layers)
    model.sizes = {t.name: t.size or () for t in (x, a, b, y)}
    assert activation_peak(model) == 160 + 60 + 20  # a, b and y; x has gone by then
    model.outputs.append(x)
    assert activation_peak(model) == 40 + 160 + 60 + 20
    del model.sizes["b"]
    assert activation_peak(model) is None


@pytest.mark.parametrize(
    ("name", "published"),
    [("resnet50_v1", 3.86e9), ("mobilenetv2_1.0", 0.3e9), ("vgg16", 15.5e9), ("squeezenet1.0", 0.82e9)],
)
def test_networks_of_the_model_zoo(name: str, published: float, tmp_path: Path) -> None:
    import gluon_onnx as mx
    from gluon_onnx.gluon.model_zoo import vision
    from gluon_onnx.graph.exporters.symbol_json import to_json

    path = tmp_path / "net-symbol.json"
    path.write_text(to_json(vision.get_model(name)(mx.sym.var("data"))), encoding="utf-8")
    model = open_path(path, shapes={"data": (1, 3, 224, 224)})
    assert total_macs(model) == pytest.approx(published, rel=0.05)
