"""Which kernels ONNX Runtime has, without asking it: the table in kernels.json."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

import onnx

__all__ = ["PROVIDERS", "kernel_version", "missing_kernel", "node_types", "since_version"]

PROVIDERS = ("cpu", "cuda")
DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")

Rows = list[tuple[int, int | None, dict[str, str]]]

_ONNX_NAMES = {"float32": "float", "float64": "double"}

# Names that ONNX Runtime and NumPy's types have for the same thing.
_PLAIN = str.maketrans("", "", "_")


@lru_cache(maxsize=1)
def table() -> dict[str, Any]:
    """For each provider and operator: rows of first opset, last one (None: only the first) and element types."""
    text = files(__package__).joinpath("kernels.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def kernel_version() -> str:
    """The version of ONNX Runtime that the table is from."""
    return str(table()["version"])


def plain_name(node: onnx.NodeProto) -> str:
    """The operator as the table calls it."""
    return node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"


def schema_of(node: onnx.NodeProto, opset: int) -> onnx.defs.OpSchema | None:
    """ONNX's declaration of an operator; None if it has none in this version."""
    domain = "" if node.domain == "ai.onnx" else node.domain
    try:
        return onnx.defs.get_schema(node.op_type, opset, domain)
    except onnx.defs.SchemaError:
        return None


def since_version(node: onnx.NodeProto, opset: int) -> int | None:
    """The opset from which on the operator is what it is in `opset`; None if ONNX does not declare it."""
    schema = schema_of(node, opset)
    return None if schema is None or schema.deprecated else schema.since_version


def missing_kernel(
    provider: str, node: onnx.NodeProto, opset: int, types: Mapping[str, str | None]
) -> str | None:
    """Why a provider cannot compute a node, in words; None if it can.

    Parameters
    ----------
    provider : one of `PROVIDERS`.
    types : names of element types by the names of values; None where unknown.
    """
    reason = _own_kernel(provider, node, opset, types)
    if reason is None or node.op_type == "Constant" or _has_body(provider, node, opset, types):
        return None
    return reason


def _own_kernel(
    provider: str, node: onnx.NodeProto, opset: int, types: Mapping[str, str | None]
) -> str | None:
    """Why there is no kernel for the operator itself; None if there is one."""
    rows: Rows | None = table()[provider].get(plain_name(node))
    if rows is None:
        return f"no kernel for {plain_name(node)}"
    schema = schema_of(node, opset)
    if schema is None:  # of ONNX Runtime's own operators only the names are known here
        return None
    since = schema.since_version
    fitting = [
        kinds
        for first, last, kinds in rows
        if first == since or (last is not None and first <= since <= last)
    ]
    if not fitting:
        return f"no kernel for version {since} of {plain_name(node)}"
    used = {key: set(kinds) for key, kinds in node_types(node, schema, types)}
    if provider == "cpu":  # ONNX Runtime casts half precision back and forth
        used = {key: {"float32" if k == "float16" else k for k in kinds} for key, kinds in used.items()}
    for kinds in fitting:
        if all(
            used.get(key, set()) <= set(known.split()) for key, known in kinds.items() if "(" not in known
        ):
            return None
    return f"no kernel for {plain_name(node)} of {', '.join(sorted(set().union(*used.values())))}"


def _has_body(provider: str, node: onnx.NodeProto, opset: int, types: Mapping[str, str | None]) -> bool:
    """Whether ONNX defines the operator by others that the provider has.

    ONNX Runtime puts them in its place, if they are in `opset` what they were where the definition was written, or
    if the definition depends on the node.
    """
    schema: Any = schema_of(node, opset)  # the type stubs of onnx lack what follows
    if schema is None:
        return False
    kind = next((types[name] for name in node.input if types.get(name)), None)
    fixed = max((v for v in schema.function_opset_versions if v <= opset), default=None)
    varying = max((v for v in schema.context_dependent_function_opset_versions if v <= opset), default=None)
    if fixed is not None:
        written, content = fixed, schema.get_function_with_opset_version(fixed)
    elif varying is not None:
        operands = [_type_proto(types.get(name)) for name in node.input]
        written = varying
        content = schema.get_context_dependent_function_with_opset_version(
            varying, node.SerializeToString(), operands
        )
    else:
        return False
    version = written if fixed is None else opset
    return all(
        (fixed is None or since_version(inner, written) == since_version(inner, opset))
        and missing_kernel(provider, inner, version, _assumed(inner, version, kind)) is None
        for inner in onnx.FunctionProto.FromString(content).node
    )


def _type_proto(kind: str | None) -> bytes:
    """The type of an operand as onnx wants to be told it."""
    from .model_file import numpy_type

    proto = onnx.TypeProto()
    if kind not in (None, "string"):
        number = onnx.helper.np_dtype_to_tensor_dtype(numpy_type(kind))
        proto.CopyFrom(onnx.helper.make_tensor_type_proto(number, None))
    return bytes(proto.SerializeToString())


def _assumed(node: onnx.NodeProto, opset: int, kind: str | None) -> dict[str, str | None]:
    """Element types of a node inside a definition: that of the operand, wherever it is allowed."""
    schema = schema_of(node, opset)
    if schema is None or kind is None:
        return {}
    tensor = f"tensor({_ONNX_NAMES.get(kind, kind)})"
    allowed = {c.type_param_str: c.allowed_type_strs for c in schema.type_constraints}
    found: dict[str, str | None] = {}
    for names, formal in ((node.input, schema.inputs), (node.output, schema.outputs)):
        for number, name in enumerate(names):
            if formal and tensor in allowed.get(formal[min(number, len(formal) - 1)].type_str, ()):
                found[name] = kind
    return found


def node_types(
    node: onnx.NodeProto, schema: onnx.defs.OpSchema, types: Mapping[str, str | None]
) -> Iterator[tuple[str, Sequence[str]]]:
    """Element types of a node's operands, as far as they are known, by the names that the schema has for types."""
    found: dict[str, list[str]] = {}
    for names, formal in ((node.input, schema.inputs), (node.output, schema.outputs)):
        for number, name in enumerate(names):
            kind = types.get(name)
            if name and kind is not None and formal:
                found.setdefault(formal[min(number, len(formal) - 1)].type_str, []).append(
                    kind.translate(_PLAIN)
                )
    yield from found.items()
