"""The frame of the command line: help, version, exit codes, laziness."""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from gluon_onnx import __version__
from gluon_onnx.graph.errors import FormatError, ShapeError, UnsupportedOperatorError
from gluon_onnx.tools import cli
from gluon_onnx.tools.outcome import CommandError, ExitCode

ROOT = Path(__file__).parents[2]


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"gluon-onnx {__version__}\n"


@pytest.mark.parametrize("argv", [[], ["--help"]], ids=["nothing", "help"])
def test_help_lists_every_command_and_exit_code(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = cli.main(argv)
    except SystemExit as ended:
        code = ended.code  # type: ignore[assignment]
    out = capsys.readouterr().out
    assert code == 0
    assert [name for name in cli.COMMANDS if not re.search(rf"^    {name}\s", out, re.MULTILINE)] == []
    assert [f"  {code.value}  " for code in ExitCode if f"  {code.value}  " not in out] == []


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_help_of_a_command_has_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([name, "--help"])
    assert ended.value.code == 0
    assert f"examples:\n  gluon-onnx {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "argv", [["no-such-command"], ["demo", "--no-such-option"], ["demo", "--epochs", "x"]]
)
def test_wrong_arguments_are_bad_input(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(argv)
    assert ended.value.code == ExitCode.BAD_INPUT
    assert "error:" in capsys.readouterr().err


def command(action: Callable[[], ExitCode]) -> SimpleNamespace:
    """A command that does this."""

    def add_arguments(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--x")

    return SimpleNamespace(add_arguments=add_arguments, run=lambda args: action())


def fail(error: Exception) -> Callable[[], ExitCode]:
    def action() -> ExitCode:
        raise error

    return action


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CommandError("wrong"), ExitCode.BAD_INPUT),
        (CommandError("differs", ExitCode.CHECK_FAILED), ExitCode.CHECK_FAILED),
        (OSError("no room"), ExitCode.BAD_INPUT),
        (FormatError("a.params: bad magic"), ExitCode.BAD_INPUT),
        (UnsupportedOperatorError([("Foo", "foo0")]), ExitCode.UNSUPPORTED),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_becomes_a_message_and_a_code(
    error: Exception, code: ExitCode, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "load", lambda name: command(fail(error)))
    assert cli.main(["doctor"]) == code
    assert capsys.readouterr().err == f"gluon-onnx doctor: {error}\n"


def test_a_missing_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.onnx"
    assert cli.main(["summary", str(path)]) == ExitCode.BAD_INPUT
    assert capsys.readouterr().err == f"gluon-onnx summary: {path}: No such file or directory\n"


def test_an_error_of_the_program_itself_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "load", lambda name: command(fail(ShapeError("a bug"))))
    with pytest.raises(ShapeError, match="a bug"):
        cli.main(["doctor"])


def test_a_failed_check_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "load", lambda name: command(lambda: ExitCode.CHECK_FAILED))
    assert cli.main(["doctor"]) == 1


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from gluon_onnx.tools import cli\n"
        "try:\n"
        "    cli.main(['--help'])\n"
        "except SystemExit:\n"
        "    pass\n"
        "print({'onnx', 'onnxruntime', 'onnx_ir', 'matplotlib', 'rich', 'numpy'} & sys.modules.keys())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


MEASURE = """
import sys, time
from gluon_onnx.tools import cli
code = cli.main(sys.argv[1:])
print(code, time.process_time(), file=sys.stderr)
"""


@pytest.mark.parametrize("kind", ["symbol", "onnx"])
def test_a_model_of_five_hundred_nodes_opens_quickly(kind: str, tmp_path: Path) -> None:
    """Time of the processor from the start of the process, which does not depend on what else the machine does."""
    path = tmp_path / ("net.onnx" if kind == "onnx" else "net-symbol.json")
    (write_onnx_chain if kind == "onnx" else write_symbol_chain)(path, 500)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, "nodes", str(path), "--input", "data:1x4x16x16", "--format", "json"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    code, seconds = done.stderr.split()
    assert code == "0" and done.stdout.count('"operator"') == 500
    assert float(seconds) < 2


def write_symbol_chain(path: Path, count: int) -> None:
    """Convolutions, normalizations and activations in a row."""
    nodes: list[dict[str, object]] = [{"op": "null", "name": "data", "inputs": []}]
    last = 0
    for number in range(count):
        kind, roles, attrs = CHAIN[number % 4]
        inputs = [last]
        for role in roles:
            nodes.append({"op": "null", "name": f"n{number}_{role}", "inputs": []})
            inputs.append(len(nodes) - 1)
        nodes.append(
            {"op": kind, "name": f"n{number}", "attrs": attrs, "inputs": [[i, 0, 0] for i in inputs]}
        )
        last = len(nodes) - 1
    document = {"nodes": nodes, "heads": [[last, 0, 0]], "attrs": {"mxnet_version": ["int", 10901]}}
    path.write_text(json.dumps(document), encoding="utf-8")


CHAIN = [
    ("Convolution", ["weight", "bias"], {"kernel": "(3, 3)", "pad": "(1, 1)", "num_filter": "4"}),
    ("BatchNorm", ["gamma", "beta", "moving_mean", "moving_var"], {}),
    ("Activation", [], {"act_type": "relu"}),
    ("Pooling", [], {"kernel": "(3, 3)", "pad": "(1, 1)", "pool_type": "max"}),
]


def write_onnx_chain(path: Path, count: int) -> None:
    """The same for ONNX."""
    weight = numpy_helper.from_array(np.ones((4, 4, 3, 3), np.float32), "w")
    nodes = [
        helper.make_node("Conv", [f"v{n}", "w"], [f"v{n + 1}"], pads=[1, 1, 1, 1])
        if n % 2
        else helper.make_node("Relu", [f"v{n}"], [f"v{n + 1}"])
        for n in range(count)
    ]
    nodes[0].input[0] = "data"
    ins = [helper.make_tensor_value_info("data", 1, ["batch", 4, "height", "width"])]
    outs = [helper.make_tensor_value_info(f"v{count}", 1, None)]
    graph = helper.make_graph(nodes, "g", ins, outs, [weight])
    onnx.save(helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)]), path)


def test_a_closed_pipe_is_no_error() -> None:
    code = "from gluon_onnx.tools import cli; raise SystemExit(cli.main(['nodes', 'tests/data/models/small.onnx']))"
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0
