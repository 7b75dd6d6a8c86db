"""Operators that no gradient passes through, and why."""

from __future__ import annotations

__all__ = ["NOT_DIFFERENTIABLE"]

_COUNTS = "its results are integers"
_LOGIC = "its results are truth values"
_STEPS = "its results are constant between jumps"
_BITS = "it works on the bits of numbers"
_DRAWS = "its results are random numbers, which depend on the operand's shape or by chance on its value"
_FILLS = "its results do not depend on the values of its operands, or these are settings"
_QUANTA = "its results are rounded to the integers, or to the few numbers of eight bits or less"
_OLD = "it is no operator of the pinned opset: models that have it are read as what took its place"

#: Reasons by operator of ONNX's own domain. Where the operand of one depends on a value, its results count as constant.
NOT_DIFFERENTIABLE: dict[str, str] = {
    **dict.fromkeys(["And", "Or", "Xor", "Not"], _LOGIC),
    **dict.fromkeys(["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "IsNaN", "IsInf"], _LOGIC),
    "OptionalHasElement": _LOGIC,
    **dict.fromkeys(["Shape", "Size", "ArgMax", "ArgMin", "NonZero", "NonMaxSuppression"], _COUNTS),
    **dict.fromkeys(["SequenceLength", "Multinomial", "StringNormalizer", "TfIdfVectorizer"], _COUNTS),
    **dict.fromkeys(["BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot", "BitShift", "BitCast"], _BITS),
    **dict.fromkeys(["Floor", "Ceil", "Round", "Sign", "Hardmax"], _STEPS),
    "MelWeightMatrix": "the edges of its bands are rounded to whole frequencies: constant between jumps",
    **dict.fromkeys(["QuantizeLinear", "DynamicQuantizeLinear"], _QUANTA),
    **dict.fromkeys(["ConvInteger", "MatMulInteger", "QLinearConv", "QLinearMatMul"], _QUANTA),
    **dict.fromkeys(["Bernoulli", "RandomNormalLike", "RandomUniformLike"], _DRAWS),
    **dict.fromkeys(["RandomNormal", "RandomUniform"], _DRAWS),
    **dict.fromkeys(["Constant", "ConstantOfShape", "EyeLike", "SequenceEmpty", "ImageDecoder"], _FILLS),
    **dict.fromkeys(["BlackmanWindow", "HammingWindow", "HannWindow"], _FILLS),
    **dict.fromkeys(["RegexFullMatch", "StringConcat", "StringSplit"], "it works on texts"),
    **dict.fromkeys(["Scatter", "Upsample"], _OLD),
}
