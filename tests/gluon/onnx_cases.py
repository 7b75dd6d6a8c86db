"""The node tests that ship inside of the onnx package, as cases by operator."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

from gluon_onnx.graph.builder import IR_VERSION, OPSET

#: Operators that onnx tests. Those of a newer onnx go into the row "others".
_NAMES = """
Abs Acos Acosh Adam Adagrad Add AffineGrid And ArgMax ArgMin ArrayFeatureExtractor Asin Asinh Atan Atanh Attention
AveragePool BatchNormalization Bernoulli Binarizer BitCast BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor
BlackmanWindow Cast CastLike CausalConvWithState Ceil Celu CenterCropPad Clip Col2Im Compress Concat Constant
ConstantOfShape Conv ConvInteger ConvTranspose Cos Cosh CumProd CumSum DFT DeformConv DepthToSpace DequantizeLinear
Det Div Dropout DynamicQuantizeLinear Einsum Elu Equal Erf Exp Expand EyeLike FlexAttention Flatten Floor GRU Gather
GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual GridSample
GroupNormalization HammingWindow HannWindow HardSigmoid HardSwish Hardmax Identity If ImageDecoder
InstanceNormalization IsInf IsNaN LRN LSTM LabelEncoder LayerNormalization LeakyRelu Less LessOrEqual
LinearAttention Log LogSoftmax Loop LpNormalization LpPool MatMul MatMulInteger Max MaxPool MaxUnpool Mean
MeanVarianceNormalization MelWeightMatrix Min Mish Mod Momentum Mul Neg NegativeLogLikelihoodLoss NonMaxSuppression
NonZero Not OneHot OptionalGetElement OptionalHasElement Or PRelu Pad Pow QLinearConv QLinearMatMul QuantizeLinear
RMSNormalization RNN Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin
ReduceProd ReduceSum ReduceSumSquare RegexFullMatch Relu Reshape Resize ReverseSequence RoiAlign RotaryEmbedding
Round STFT Scan Scatter ScatterElements ScatterND Selu SequenceInsert SequenceMap Shape Shrink Sigmoid Sign Sin Sinh
Size Slice Softmax SoftmaxCrossEntropyLoss Softplus Softsign SpaceToDepth Split SplitToSequence Sqrt Squeeze
StringConcat StringNormalizer StringSplit Sub Sum Swish Tan Tanh TensorScatter TfIdfVectorizer ThresholdedRelu Tile
TopK Transpose TreeEnsemble Trilu Unique Unsqueeze Upsample Where Xor
"""
OPERATORS = _NAMES.split()
OTHERS = "others"


@lru_cache(maxsize=1)
def _by_operator() -> dict[str, list[Any]]:
    """All cases by the operator that they are about. Making them takes some seconds, once a process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's, about the operands of the reference implementations
        from onnx.backend.test.case.node import collect_testcases

        cases = collect_testcases(None)  # type: ignore[arg-type]
    about = {c.name: c.model.graph.node[0].op_type for c in cases}
    found: dict[str, list[Any]] = {}
    for case in cases:
        name = case.name.partition("_expanded")[0]
        op_type = about.get(name, about[case.name])
        found.setdefault(op_type if op_type in OPERATORS else OTHERS, []).append(case)
    return found


def cases_of(operator: str) -> list[Any]:
    """The cases of a row."""
    return _by_operator().get(operator, [])


def array(value: Any) -> Any:
    """A value of a case, as an array where it is one."""
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    return value if value is None or isinstance(value, list) else np.asarray(value)


def are_arrays(model: onnx.ModelProto) -> bool:
    """Whether all inputs and outputs of a model are tensors of numbers."""
    return all(
        v.type.HasField("tensor_type") and v.type.tensor_type.elem_type != onnx.TensorProto.STRING
        for v in (*model.graph.input, *model.graph.output)
    )


def assert_same(found: Any, expected: Any, rtol: float, atol: float) -> None:
    """Two results of a case are equal within its tolerances, with shapes and element types."""
    if isinstance(expected, list):
        assert isinstance(found, list) and len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            assert_same(a, b, rtol, atol)
        return
    if expected is None:
        assert found is None
        return
    a, b = np.asarray(found), np.asarray(expected)
    assert (a.shape, a.dtype) == (b.shape, b.dtype)
    if a.dtype.kind in "OSU":
        assert a.tolist() == b.tolist()
        return
    if a.dtype.kind not in "biuf":
        a, b = a.astype(np.float32), b.astype(np.float32)
    np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


def bare_session(model: bytes | str) -> onnxruntime.InferenceSession:
    """A session as anybody would make it, on one thread and silent."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def in_other_opsets(case: Any) -> Iterator[onnx.ModelProto]:
    """A case of one node under every older and newer version of its operator that ONNX Runtime accepts."""
    own = [o.version for o in case.model.opset_import if not o.domain]
    if len(case.model.graph.node) > 1 or not own:
        return
    for version in versions(case.model.graph.node[0].op_type):
        if version != own[0]:
            model = onnx.ModelProto()
            model.CopyFrom(case.model)
            model.ir_version = min(model.ir_version, 8 if version < 21 else IR_VERSION)
            next(o for o in model.opset_import if not o.domain).version = version
            yield model


@lru_cache
def versions(op_type: str) -> list[int]:
    """The opsets that ONNX Runtime accepts in which an operator changed."""
    schemas = onnx.defs.get_all_schemas_with_history()
    found = {s.since_version for s in schemas if not s.domain and s.name == op_type and not s.deprecated}
    return sorted(v for v in found if 7 <= v <= OPSET)


def bare_passes(case: Any) -> bool:
    """Whether ONNX Runtime alone passes a case, of a newer opset if need be under the newest that it accepts."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    model.ir_version = min(model.ir_version, IR_VERSION)
    for o in model.opset_import:
        o.version = min(o.version, OPSET)
    try:
        session = bare_session(model.SerializeToString())
        for inputs, outputs in case.data_sets:
            feed = {v.name: array(x) for v, x in zip(case.model.graph.input, inputs, strict=False)}
            for found, expected in zip(session.run(None, feed), outputs, strict=True):
                assert_same(found, array(expected), case.rtol, case.atol)
    except Exception:  # noqa: BLE001  (whatever it is that fails)
        return False
    return True
