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


def is_composed(schema: onnx.defs.OpSchema | None) -> bool:
    """Whether ONNX defines the operator by others, which ONNX Runtime then puts in its place."""
    declared: Any = schema  # the type stubs of onnx lack the two attributes
    return schema is not None and bool(declared.has_function or declared.has_context_dependent_function)


def missing_kernel(
    provider: str, node: onnx.NodeProto, opset: int, types: Mapping[str, str | None]
) -> str | None:
    """Why a provider cannot compute a node, in words; None if it can.

    Parameters
    ----------
    provider : one of `PROVIDERS`.
    types : names of element types by the names of values; None where unknown.
    """
    rows: Rows | None = table()[provider].get(plain_name(node))
    schema = schema_of(node, opset)
    if rows is None:
        written_out = is_composed(schema) or node.op_type == "Constant"
        return None if written_out else f"no kernel for {plain_name(node)}"
    if schema is None:  # of ONNX Runtime's own operators only the names are known here
        return None
    since = schema.since_version
    fitting = [
        kinds
        for first, last, kinds in rows
        if first == since or (last is not None and first <= since <= last)
    ]
    if not fitting:
        return None if is_composed(schema) else f"no kernel for version {since} of {plain_name(node)}"
    used = {key: set(kinds) for key, kinds in node_types(node, schema, types)}
    if provider == "cpu":  # ONNX Runtime casts half precision back and forth
        used = {key: {"float32" if k == "float16" else k for k in kinds} for key, kinds in used.items()}
    for kinds in fitting:
        if all(
            used.get(key, set()) <= set(known.split()) for key, known in kinds.items() if "(" not in known
        ):
            return None
    if is_composed(schema):
        return None
    return f"no kernel for {plain_name(node)} of {', '.join(sorted(set().union(*used.values())))}"


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
