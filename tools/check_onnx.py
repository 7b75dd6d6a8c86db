"""Checks of ONNX models: operators, validity, shapes, opset, kernels, and whether the importer takes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import onnx

from ..graph.builder import IR_VERSION, OPSET
from ..graph.errors import GraphError, UnsupportedOperatorError
from ..graph.importers.onnx import import_onnx
from .check import Findings, Problem, check_kernels
from .kernels import DOMAINS, plain_name, since_version, table
from .model_file import ModelFile
from .onnx_file import read_onnx
from .outcome import CommandError
from .tables import counted

__all__ = ["check_model"]


def check_model(
    path: Path, shapes: Mapping[str, tuple[int, ...]], provider: str, opset: int | None
) -> Findings:
    """Look at an ONNX model.

    Parameters
    ----------
    shapes : of inputs, by name.
    opset : the newest that whoever runs the model knows.

    Raises
    ------
    CommandError : the file is no model, or `shapes` are not of inputs.
    OSError : the file is missing.
    """
    model = read_onnx(path, {})
    proto = model.proto
    assert proto is not None
    nodes = list(all_nodes(proto.graph))
    found = Findings(len(nodes), notes=[note for note in model.notes if "does not follow" not in note])
    versions = {o.domain if o.domain != "ai.onnx" else "": o.version for o in proto.opset_import}
    _check_operators(nodes, versions, found)
    _check_versions(proto, nodes, versions, opset, found)
    if shapes:
        try:
            model = read_onnx(path, shapes)
            found.tried.append("shapes")
        except CommandError as error:
            found.problems.append(Problem("shape", "", "", str(error)))
    if any(problem.kind == "operator" for problem in found.problems):
        found.notes.append("validity and import were not tried, since operators are missing")
    else:
        _check_file(path, model, found)
    types = {name: tensor.dtype for name, tensor in model.tensors.items()}
    missing = {problem.node for problem in found.problems if problem.kind == "operator"}
    rest = onnx.ModelProto(opset_import=proto.opset_import)
    rest.graph.node.extend(node for node in proto.graph.node if name_of(node) not in missing)
    check_kernels(rest, types, provider, found, {})
    return found


def all_nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """The nodes of a graph and of the bodies of its loops and branches."""
    waiting = [graph]
    while waiting:
        current = waiting.pop()
        for node in current.node:
            yield node
            for attribute in node.attribute:
                waiting += [*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])]


def name_of(node: onnx.NodeProto) -> str:
    """The node's name, or that of its first output."""
    return node.name or (node.output[0] if node.output else "")


def _check_operators(nodes: list[onnx.NodeProto], versions: Mapping[str, int], found: Findings) -> None:
    """Whether each operator exists in the version that the model declares."""
    found.tried.append("operators")
    for node in nodes:
        domain = "" if node.domain == "ai.onnx" else node.domain
        name = plain_name(node)
        if domain not in versions:
            text = f"the model declares no version of the operators {domain or 'ai.onnx'}"
        elif domain not in DOMAINS:
            text = f"operators {domain} are not known: they need a library of their own"
        elif domain == "com.microsoft":
            if name in table()["cpu"] or name in table()["cuda"]:
                continue
            text = f"ONNX Runtime has no operator {name}"
        elif since_version(node, versions[domain]) is not None:
            continue
        else:
            text = f"opset {versions[domain]} has no operator {name}"
        found.problems.append(Problem("operator", name_of(node), name, text, True))


def _check_versions(
    proto: onnx.ModelProto,
    nodes: list[onnx.NodeProto],
    versions: Mapping[str, int],
    opset: int | None,
    found: Findings,
) -> None:
    """Whether ONNX Runtime, and whoever knows `opset` only, knows the versions of the model."""
    found.tried.append("opset" if opset is None else f"opset {opset}")
    version = versions.get("", OPSET)
    if version > OPSET:
        text = f"opset {version} is newer than {OPSET}, the newest that is supported"
        found.problems.append(Problem("opset", "", "", text, True))
    if proto.ir_version > IR_VERSION:
        text = f"IR version {proto.ir_version} is newer than {IR_VERSION}, the newest that is supported"
        found.problems.append(Problem("opset", "", "", text, True))
    if opset is None or opset >= version:
        return
    newer: Counter[tuple[str, int]] = Counter()
    for node in nodes:
        since = since_version(node, version) if node.domain in ("", "ai.onnx") else None
        if since is not None and since > opset:
            newer[node.op_type, since] += 1
    for (name, since), count in sorted(newer.items()):
        text = f"{counted(count, 'node')} in the form that {name} has since opset {since}"
        found.problems.append(Problem("opset", "", name, text))
    if not newer:
        found.notes.append(f"declares opset {version}, but uses nothing that is newer than {opset}")


def _check_file(path: Path, model: ModelFile, found: Findings) -> None:
    """Whether the model is valid, and can be read as a block."""
    found.tried += ["validity", "import"]
    try:
        onnx.checker.check_model(path, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        found.problems.append(Problem("file", "", "", " ".join(str(error).split())))
        return
    try:
        import_onnx(path)
    except UnsupportedOperatorError as error:
        for operator, node in error.operators:
            text = f"SymbolBlock.imports does not know {operator}"
            found.problems.append(Problem("conversion", node, operator, text, True))
    except GraphError as error:
        found.problems.append(Problem("conversion", "", "", str(error), True))
