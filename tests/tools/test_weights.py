"""`weights`: statistics of arrays of every type, marks, and memory that does not grow with the file."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from gluon_onnx.graph.exporters.params import write_params
from gluon_onnx.tools.model_file import Parameter
from gluon_onnx.tools.weights import Statistics, remark, statistics

from .commands import MXNET, PARAMS, SMALL, answer, complaint, lines

ROOT = Path(__file__).parents[2]


def parameter(values: np.ndarray, chunk: int = 1 << 22) -> Parameter:
    def blocks(count: int):  # type: ignore[no-untyped-def]
        flat = values.ravel()
        return (flat[start : start + chunk] for start in range(0, flat.size, chunk))

    return Parameter("w", values.dtype.name, values.shape, values.nbytes, lambda: values, blocks)


def test_weights_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert lines(capsys, "weights", PARAMS, "--match", "batchnorm|bias") == [
        "name dtype shape min max mean std zeros remark",
        "small_batchnorm0_gamma float32 (4) 1.047 1.5 1.258 0.1763 0",
        "small_batchnorm0_beta float32 (4) -0.3906 0.4531 -0.0625 0.3129 0",
        "small_batchnorm0_running_mean float32 (4) -0.4375 0.04688 -0.168 0.179 0",
        "small_batchnorm0_running_var float32 (4) 1.016 1.391 1.16 0.152 0",
        "small_conv1_bias float32 (8) -0.4219 0.5 0.001953 0.3056 0",
        "small_dense0_bias float32 (10) -0.4688 0.4219 0.06094 0.2669 0",
        "6 arrays, 34 elements",
    ]


@pytest.mark.parametrize("chunk", [1, 7, 1000])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "uint8", "int64", "bool"])
def test_statistics_do_not_depend_on_the_pieces(dtype: str, chunk: int) -> None:
    values = (np.random.RandomState(3).normal(2, 3, (5, 20)).round(1)).astype(dtype)
    found = statistics(parameter(values, chunk))
    numbers = values.astype(np.float64)
    assert found.min == pytest.approx(numbers.min(), abs=1e-12)
    assert found.max == pytest.approx(numbers.max(), abs=1e-12)
    assert found.mean == pytest.approx(numbers.mean(), rel=1e-12)
    assert found.std == pytest.approx(numbers.std(), rel=1e-12)
    assert (found.zeros, found.nan, found.inf) == (int((numbers == 0).sum()), 0, 0)
    farthest = np.abs(numbers - numbers.mean()).max() / numbers.std()
    assert found.farthest == pytest.approx(farthest, rel=1e-12)


def test_statistics_of_bfloat16() -> None:
    values = np.array([1, -2.5, 0, 3], ml_dtypes.bfloat16)
    found = statistics(parameter(values))
    assert (found.min, found.max, found.mean, found.zeros) == (-2.5, 3.0, 0.375, 1)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.zeros((3, 2), np.float32), "all zero"),
        (np.full(5, 2.0, np.float32), "constant"),
        (np.full(1, 2.0, np.float32), ""),
        (np.array([1, np.nan, np.inf, -np.inf], np.float32), "1 NaN, 2 infinite"),
        (np.array([*[0.0, 1.0] * 500, 40.0], np.float32), "outlier at 29 sigma"),
        (np.array([*[0.0, 1.0] * 500, 5.0], np.float32), ""),
        (np.empty((0, 3), np.float32), ""),
    ],
    ids=["zero", "constant", "scalar", "not-finite", "outlier", "near", "empty"],
)
def test_remarks(values: np.ndarray, expected: str) -> None:
    assert remark(statistics(parameter(values)), 10) == expected


def test_the_limit_for_outliers_can_be_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "w.params"
    write_params(path, [np.array([*[0.0, 1.0] * 500, 5.0], np.float32)], ["w"])
    (row,) = answer(capsys, "weights", path, "--outliers", "5")
    assert row["remark"] == "outlier at 9 sigma"
    assert "--outliers 0.0: expected a positive number" in complaint(
        capsys, "weights", path, "--outliers", "0"
    )


def test_sparse_and_other_types_in_files(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {row["name"]: row for row in answer(capsys, "weights", MXNET / "1.9.1" / "arrays.params")}
    assert (rows["csr"]["min"], rows["csr"]["max"], rows["csr"]["shape"]) == (-3.0, 2.0, [4, 3])
    assert (rows["rows"]["min"], rows["rows"]["max"]) == (-3.0, 2.0)
    assert rows["no_csr"]["min"] is None
    assert (rows["bfloat16"]["dtype"], rows["bfloat16"]["min"]) == ("bfloat16", -2.5)


def test_weights_of_a_graph_are_those_of_its_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(capsys, "weights", SMALL) == answer(capsys, "weights", PARAMS)


@pytest.mark.parametrize("kind", ["int4", "uint4", "float8e4m3fn", "string"])
def test_element_types_of_onnx_alone(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if kind == "string":
        stored = helper.make_tensor("w", TensorProto.STRING, [2], [b"a", b"b"])
    else:
        dtype = helper.tensor_dtype_to_np_dtype(getattr(TensorProto, kind.upper()))
        stored = numpy_helper.from_array(np.array([1, 0, 3], np.float32).astype(dtype), "w")
    y = helper.make_tensor_value_info("y", stored.data_type, None)
    graph = helper.make_graph([helper.make_node("Identity", ["w"], ["y"])], "g", [], [y], [stored])
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 23)]), path)
    (row,) = answer(capsys, "weights", path)
    assert (row["min"], row["max"], row["zeros"]) == ((None, None, 0) if kind == "string" else (0.0, 3.0, 1))


def write_sparse(path: Path, elements: int, count: int) -> None:
    """A .params file of `count` arrays of zeros that takes no room on the disk, but for the last element of each."""
    with path.open("wb") as stream:
        stream.write(struct.pack("<QQQ", 0x112, 0, count))
        for number in range(count):
            stream.write(struct.pack("<IiIqiii", 0xF993FAC9, 0, 1, elements, 1, 0, 0))
            stream.seek((elements - 1) * 4, os.SEEK_CUR)
            stream.write(struct.pack("<f", number + 1))
        stream.write(struct.pack("<Q", count))
        for number in range(count):
            name = f"arg:w{number}".encode()
            stream.write(struct.pack("<Q", len(name)) + name)


MEASURE = """
import json, resource, sys
from gluon_onnx.tools import cli
import gluon_onnx.graph.importers.params, numpy, rich.console
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
code = cli.main(["weights", sys.argv[1], "--format", "json"])
print(json.dumps([code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="resource.ru_maxrss has other units elsewhere")
def test_a_gigabyte_is_not_read_into_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.params"
    write_sparse(path, elements=1 << 26, count=4)
    assert path.stat().st_size > 1 << 30
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert '"name": "w3"' in done.stdout and '"max": 4.0' in done.stdout
    code, kilobytes = json.loads(done.stdout.splitlines()[-1])
    assert code == 0
    assert kilobytes < 150_000


def test_statistics_have_no_hidden_state() -> None:
    found = statistics(parameter(np.array([1.0, 3.0])))
    assert found == Statistics("w", "float64", (2,), 1.0, 3.0, 2.0, 1.0, 0, 0, 0, 1.0)
