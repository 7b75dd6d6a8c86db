"""``gluon-onnx check``: what of a model cannot be read, converted or run, all at once. Makes no session."""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from .model_file import add_model_arguments, choose_file, open_path, parse_inputs
from .outcome import CommandError, ExitCode
from .tables import Facts, Grid, Report, counted, emit

if TYPE_CHECKING:
    import onnx

__all__ = ["Findings", "Problem", "add_arguments", "check_kernels", "run"]


@dataclass(frozen=True)
class Problem:
    """Something that stands in the way.

    Attributes
    ----------
    kind : "operator", "attribute", "shape", "type", "parameter", "conversion", "opset", "kernel", "provider" or
        "file".
    node, operator : where; empty if it is not about one node.
    unsupported : this version cannot do it, whatever the file says; otherwise something is wrong with the file.
    """

    kind: str
    node: str
    operator: str
    message: str
    unsupported: bool = False


@dataclass
class Findings:
    """What a check found.

    Attributes
    ----------
    nodes : how many nodes the model has.
    tried : what was looked at, in words; `notes` says what was not, and why.
    """

    nodes: int
    problems: list[Problem] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def coverage(self) -> float | None:
        """The share of nodes that can be converted and run; None without a graph."""
        bad = {(p.node, p.operator) for p in self.problems if p.unsupported and p.node}
        return 1 - len(bad) / self.nodes if self.nodes else None

    @property
    def code(self) -> ExitCode:
        """3 if something is not supported, else 1 if there is a problem, else 0."""
        if any(problem.unsupported for problem in self.problems):
            return ExitCode.UNSUPPORTED
        return ExitCode.CHECK_FAILED if self.problems else ExitCode.OK


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_model_arguments(parser)
    parser.add_argument(
        "--provider", choices=("cpu", "cuda"), default="cpu", help="where the model shall run (default: cpu)"
    )
    parser.add_argument(
        "--opset", type=int, metavar="N", help="the newest opset that whoever runs the ONNX model knows"
    )


def run(args: argparse.Namespace) -> ExitCode:
    """Print what was found."""
    shapes = parse_inputs(args.input)
    path = choose_file(args.file)[0] if args.file.is_dir() else args.file
    if args.opset is not None and args.opset < 1:
        raise CommandError(f"--opset {args.opset}: expected a positive number")
    if path.suffix == ".json":
        from .check_mxnet import check_symbol

        found = check_symbol(path, args.params, shapes, args.provider, args.opset)
    elif path.suffix == ".onnx":
        from .check_onnx import check_model

        found = check_model(path, shapes, args.provider, args.opset)
    else:
        model = open_path(path, args.params, shapes)
        found = Findings(0, tried=[f"the headers of {len(model.parameters)} arrays"])
        found.notes.append("this file holds parameters only: there is no graph to check")
    if found.nodes:
        check_provider(args.provider, found)
    emit(report(str(args.file), args.provider, found), args.format)
    return found.code


def check_provider(provider: str, found: Findings) -> None:
    """Whether this machine has the provider."""
    if provider == "cpu":
        return
    from .._runtime.devices import num_gpus
    from ..graph.errors import GraphError

    try:
        count = num_gpus()
    except GraphError as error:
        found.problems.append(Problem("provider", "", "", str(error)))
        return
    if count == 0:
        text = "CUDA cannot be used here: gluon-onnx doctor says what is missing"
        found.problems.append(Problem("provider", "", "", text))


def check_kernels(
    proto: onnx.ModelProto,
    types: dict[str, str | None],
    provider: str,
    found: Findings,
    where: dict[str, str],
) -> None:
    """Whether ONNX Runtime has a kernel for every node.

    Parameters
    ----------
    types : names of element types by the names of values.
    where : for a name of an ONNX node, the node of the file that it came from.
    """
    from .kernels import kernel_version, missing_kernel

    opsets = {o.domain if o.domain != "ai.onnx" else "": o.version for o in proto.opset_import}
    elsewhere: dict[str, int] = {}
    for node in proto.graph.node:
        opset = opsets.get("" if node.domain == "ai.onnx" else node.domain, 1)
        name = node.name or (node.output[0] if node.output else "")
        reason = missing_kernel("cpu", node, opset, types)
        if provider == "cuda" and missing_kernel("cuda", node, opset, types) is not None:
            if reason is None:
                elsewhere[node.op_type] = elsewhere.get(node.op_type, 0) + 1
                continue
        elif provider == "cuda":
            continue
        if reason is not None:
            text = f"{reason} on the {'CPU' if provider == 'cpu' else 'GPU or the CPU'}{_detour(node)}"
            found.problems.append(Problem("kernel", where.get(name, name), node.op_type, text, True))
    if elsewhere:
        kinds = ", ".join(f"{count} {name}" for name, count in sorted(elsewhere.items()))
        found.notes.append(f"on the CPU, with copies to and from the GPU: {kinds}")
    found.tried.append(f"kernels of ONNX Runtime {kernel_version()} ({provider})")


def _detour(node: onnx.NodeProto) -> str:
    from ..graph.passes.kernels import DETOURS

    known = node.op_type in DETOURS and node.domain in ("", "ai.onnx")
    return "; SymbolBlock.imports computes it by other operators" if known else ""


def report(name: str, provider: str, found: Findings) -> Report:
    """The findings for a person and a program."""
    coverage = found.coverage
    unsupported = sorted({p.operator for p in found.problems if p.unsupported and p.operator})
    data = {
        "file": name,
        "provider": provider,
        "nodes": found.nodes,
        "coverage": coverage,
        "unsupported_operators": unsupported,
        "problems": [asdict(problem) for problem in found.problems],
        "checked": found.tried,
        "notes": found.notes,
        "exit_code": int(found.code),
    }
    verdicts = {
        ExitCode.OK: "no problems",
        ExitCode.CHECK_FAILED: "problems",
        ExitCode.UNSUPPORTED: "not supported",
    }
    rows: list[tuple[str, object]] = [("result", verdicts[found.code])]
    if coverage is not None:
        share = f"{coverage:.1%}" if coverage in (0, 1) else f"{min(max(coverage, 0.001), 0.999):.1%}"
        rows.append(("coverage", f"{share} of {counted(found.nodes, 'node')} can be converted and run"))
    if unsupported:
        rows.append(("not supported", ", ".join(unsupported)))
    rows.append(("checked", ", ".join(found.tried)))
    parts: list[Facts | Grid | str] = [Facts(rows)]
    if found.problems:
        cells = [(p.kind, p.node, p.operator, p.message) for p in found.problems]
        headers = ("problem", "node", "operator", "message")
        marked = [p.unsupported for p in found.problems]
        parts.append(Grid(headers, cells, (), marked, counted(len(found.problems), "problem")))
    return Report(name, data, [*parts, *(f"note: {note}" for note in found.notes)])
