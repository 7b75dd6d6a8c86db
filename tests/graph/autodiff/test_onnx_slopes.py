"""Every operator of ONNX has a gradient or a reason to have none, and those of onnx's own node tests are right."""

from __future__ import annotations

from typing import Any

import onnx
import pytest

from gluon_onnx.graph.autodiff.constant import NOT_DIFFERENTIABLE
from gluon_onnx.graph.autodiff.engine import has_rule
from gluon_onnx.graph.builder import OPSET
from tests.graph.autodiff.onnx_slopes import Case, case_of, check, gradient_case, rows

_FLOATS = {"tensor(float)", "tensor(double)", "tensor(float16)", "tensor(bfloat16)"}


def _kinds(schema: onnx.defs.OpSchema, formals: Any) -> set[str]:
    known = {c.type_param_str: set(c.allowed_type_strs) for c in schema.type_constraints}
    return set().union(*(known.get(f.type_str, {f.type_str}) for f in formals))


def _is_float(kinds: set[str]) -> bool:
    return any(f in k for k in kinds for f in _FLOATS)


#: Operators of the pinned opset, and of older ones that the newest onnx still knows.
ALL = sorted(
    {s.name for s in onnx.defs.get_all_schemas_with_history() if not s.domain and s.since_version <= OPSET}
)


@pytest.mark.parametrize("operator", ALL)
def test_has_a_rule_or_a_reason(operator: str) -> None:
    schema = onnx.defs.get_schema(operator, OPSET)
    rule, reason = has_rule(operator), NOT_DIFFERENTIABLE.get(operator)
    assert not (rule and reason)
    if _is_float(_kinds(schema, schema.inputs)) and _is_float(_kinds(schema, schema.outputs)):
        assert rule or reason


def test_reasons_are_about_operators_that_exist() -> None:
    assert set(NOT_DIFFERENTIABLE) <= set(ALL)


#: Tests that lie at kinks: they are done a little aside.
_KINKY = """
Abs Acosh Ceil Clip DeformConv Elu Floor GridSample HardSwish Hardmax LeakyRelu LpNormalization Max MaxPool Min PRelu
Pow Range ReduceMax ReduceMin Relu RoiAlign Round Selu Shrink Sign Softsign ThresholdedRelu TopK Unique
"""
_KINKS = frozenset(_KINKY.split())
#: Operators that ONNX Runtime computes in single precision for double operands.
_ROUGH = frozenset(["Shrink"])
#: Steps that are shorter than usual, because kinks lie near.
_STEPS = {"LpNormalization": 1e-6, "MaxPool": 1e-7}
#: Tests that say nothing about gradients, by the beginning of their names.
_APART = {
    "test_training_dropout": "random",
    "test_bernoulli": "random",
    "test_scan_sum": "of a form of opset 8 that is not read",
    "test_spacetodepth_crd": "of opset 28",
    "test_maxunpool_export_with_output_shape": "ONNX Runtime counts places in the shape that is given, ONNX in another",
    "test_optional_get_element_optional": "its input is no tensor",
    "test_mod_float_edge_cases": "at zeros and infinities",
}

_OPERATORS = """
Abs Acos Acosh Add AffineGrid Asin Asinh Atan Atanh Attention AveragePool BatchNormalization Cast Ceil Celu
CenterCropPad Clip Col2Im Compress Concat Conv ConvTranspose Cos Cosh CumProd CumSum DFT DeformConv DepthToSpace Det Div
Dropout Einsum Elu Erf Exp Expand Flatten Floor GRU Gather GatherElements GatherND Gelu Gemm GlobalAveragePool
GlobalMaxPool GridSample GroupNormalization HardSigmoid HardSwish Hardmax Identity InstanceNormalization LRN LSTM
LayerNormalization LeakyRelu Log LogSoftmax Loop LpNormalization LpPool MatMul Max MaxPool MaxUnpool Mean
MeanVarianceNormalization Min Mish Mod Mul Neg NegativeLogLikelihoodLoss OneHot OptionalGetElement PRelu
Pad Pow RMSNormalization RNN Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean
ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Resize ReverseSequence RoiAlign RotaryEmbedding Round STFT
Scan ScatterElements ScatterND Selu Shrink Sigmoid Sign Sin Sinh Slice Softmax SoftmaxCrossEntropyLoss Softplus Softsign
SpaceToDepth Split Sqrt Squeeze Sub Sum Swish Tan Tanh TensorScatter ThresholdedRelu Tile TopK Transpose Unique
Unsqueeze Upsample Where
"""
OPERATORS = _OPERATORS.split()


def _cases(operator: str) -> list[tuple[str, Case]]:
    found = []
    for test in rows(operator):
        if test.name.startswith(tuple(_APART)):
            continue
        case = case_of(test)
        if case is not None:
            case.reference = operator in _ROUGH
            case.step = _STEPS.get(operator, case.step)
            found.append((test.name, case))
    return found


def _checked(cases: list[tuple[str, Case]], aside: bool) -> None:
    assert cases
    wrong = []
    for name, case in cases:
        try:
            check(case, name, aside)
        except AssertionError as e:
            wrong.append(f"{name}: {e}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("operator", OPERATORS)
def test_gradients(operator: str) -> None:
    """Along random directions, for every operand in floating point, against central differences."""
    _checked(_cases(operator), operator in _KINKS)


#: Smooth operators, or those that are linear in one of their operands.
_SMOOTH = """
AffineGrid Attention AveragePool BatchNormalization Col2Im Conv ConvTranspose CumProd DFT Det Einsum GRU Gather GatherND
Gelu GridSample GroupNormalization InstanceNormalization LRN LSTM LayerNormalization LogSoftmax Loop LpNormalization
LpPool MatMul MeanVarianceNormalization Mish Pad RMSNormalization ReduceLogSumExp ReduceProd Resize STFT Scan
ScatterElements ScatterND Softmax SoftmaxCrossEntropyLoss Swish TensorScatter
"""
SMOOTH = _SMOOTH.split()


@pytest.mark.parametrize("operator", SMOOTH)
def test_gradients_of_gradients(operator: str) -> None:
    """Two tests of each operator, the first and the last."""
    cases = _cases(operator)
    ends = dict([cases[0], cases[-1]])
    _checked([(n, gradient_case(c, operator in _KINKS)) for n, c in ends.items()], False)
