"""The command line ``gluon-onnx``.

A command is a module of this package with ``add_arguments(parser)`` and ``run(args) -> ExitCode``. It is
imported when it is called, so that ``--help`` and ``--version`` answer at once.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NamedTuple, Protocol, cast

from .outcome import CommandError, ExitCode

__all__ = ["COMMANDS", "main"]

EXIT_CODES = """exit codes:
  0  all is well
  1  a check failed: the command ran, and what it looked at is not in order
  2  bad input: wrong arguments, or a file that is missing or cannot be read
  3  not supported: an operator, type or provider that this version cannot handle
"""


class Command(Protocol):
    """What the module of a command offers."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's arguments."""

    def run(self, args: argparse.Namespace) -> ExitCode:
        """Do it."""


class Entry(NamedTuple):
    """A line of the table of commands."""

    module: str
    summary: str
    examples: tuple[str, ...]


COMMANDS: dict[str, Entry] = {
    "summary": Entry(
        "summary",
        "tell a model's inputs, outputs, parameters, cost and operators",
        (
            "gluon-onnx summary model-symbol.json --input data:1x3x224x224",
            "gluon-onnx summary model.onnx --format json",
            "gluon-onnx summary model.onnx --format html > model.html",
        ),
    ),
    "nodes": Entry(
        "nodes",
        "list the nodes of a model: operator, shapes, attributes, parameters, multiply-accumulates",
        (
            "gluon-onnx nodes model-symbol.json --op 'Convolution|FullyConnected'",
            "gluon-onnx nodes model.onnx --match 'stage1.*conv' --block features.5",
        ),
    ),
    "internals": Entry(
        "internals",
        "list every value inside a model with its shape, by the name that get_internals() knows",
        (
            "gluon-onnx internals model-symbol.json --input data:1x3x224x224",
            "gluon-onnx internals model-symbol.json --match '_output$'",
        ),
    ),
    "weights": Entry(
        "weights",
        "list shape and statistics of every stored array, and mark NaN, infinity and outliers",
        (
            "gluon-onnx weights model-0000.params",
            "gluon-onnx weights model.onnx --match 'conv.*weight' --outliers 12 --format json",
        ),
    ),
    "run": Entry(
        "run",
        "run a model on arrays, pictures or random inputs, and keep outputs and any values inside",
        (
            "gluon-onnx run model-symbol.json --input data=x.npy -o out.npz",
            "gluon-onnx run model-symbol.json --input data=photo.jpg --mean 123.7,116.3,103.5 --std 58.4,57.1,57.4",
            "gluon-onnx run model.onnx --input data:1x3x224x224 --seed 7 --dump 'conv.*_output' -o inside.npz",
        ),
    ),
    "compare": Entry(
        "compare",
        "run two models, or one in two ways, on the same inputs, and name the first layer that departs",
        (
            "gluon-onnx compare model-symbol.json model-0000.onnx",
            "gluon-onnx compare model.onnx --provider cpu --provider cuda",
            "gluon-onnx compare model-symbol.json --opset 26 --opset 18 --tolerance 1e-5",
        ),
    ),
    "profile": Entry(
        "profiling",
        "tell how long each operator and each layer of a model takes, and on which provider it runs",
        (
            "gluon-onnx profile model-symbol.json --input data:1x3x224x224 --runs 50",
            "gluon-onnx profile model.onnx --batch 8 --trace trace.json",
        ),
    ),
    "diff": Entry(
        "diff",
        "compare two models: structure, attributes, weights; exit code 1 if they differ",
        (
            "gluon-onnx diff before-symbol.json after-symbol.json",
            "gluon-onnx diff a.params b.params --tolerance 1e-6",
        ),
    ),
    "extract": Entry(
        "extract",
        "write the part of a model between named values to a file of its own",
        (
            "gluon-onnx extract model-symbol.json --to fc1_output -o features-symbol.json",
            "gluon-onnx extract model.onnx --from relu1 --to relu5 -o middle.onnx",
        ),
    ),
    "convert": Entry(
        "convert",
        "convert MXNet's files to ONNX, and back where MXNet's operators can express the model; verifies",
        (
            "gluon-onnx convert model-symbol.json model-0000.params -o model.onnx --input data:1x3x224x224",
            "gluon-onnx convert model-symbol.json -o model.onnx --opset 18 --dtype float16",
            "gluon-onnx convert model.onnx -o model-symbol.json",
        ),
    ),
    "plot": Entry(
        "plot",
        "draw a model: a page with zoom, search and details of every node, or a picture by Graphviz",
        (
            "gluon-onnx plot model-symbol.json -o model.html",
            "gluon-onnx plot model.onnx --input data:1x3x224x224 -o model.svg",
        ),
    ),
    "check": Entry(
        "check",
        "tell what of a model cannot be read, converted or run, all at once",
        (
            "gluon-onnx check model-symbol.json",
            "gluon-onnx check model.onnx --provider cuda --opset 18",
        ),
    ),
    "exec": Entry(
        "execute",
        "run a program written for MXNet, unchanged: import mxnet means this package in it",
        (
            "gluon-onnx exec train.py --epochs 3",
            "gluon-onnx exec - < program.py",
        ),
    ),
    "finetune": Entry(
        "finetune",
        "train a model on samples, with checkpoints and early stopping, and write it verified as ONNX",
        (
            "gluon-onnx finetune model.onnx --data samples.npz --trainable '^fc' --out tuned",
            "gluon-onnx finetune model-symbol.json --data pictures/ --size 3x112x112 --head 5 --epochs 20",
        ),
    ),
    "doctor": Entry(
        "doctor",
        "tell which versions, devices and libraries are here, what is missing and how to get it",
        ("gluon-onnx doctor",),
    ),
    "demo": Entry(
        "demo",
        "train a digit classifier, export it to ONNX and check the result",
        ("gluon-onnx demo --out demo-output --seed 1",),
    ),
}


def load(name: str) -> Command:
    """Import the module of a command."""
    return cast(Command, importlib.import_module(f".{COMMANDS[name].module}", __package__))


def build_parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    """The parser for these arguments: only the command that they name is imported and declares its own."""
    parser = argparse.ArgumentParser(
        prog="gluon-onnx",
        description="Train, inspect and deploy MXNet and ONNX models with ONNX Runtime.",
        epilog="examples:\n"
        + "".join(f"  {entry.examples[0]}\n" for entry in COMMANDS.values())
        + "\n"
        + EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    called = next((word for word in argv if not word.startswith("-")), None)
    for name, entry in COMMANDS.items():
        sub = commands.add_parser(
            name,
            help=entry.summary,
            description=entry.summary[0].upper() + entry.summary[1:] + ".",
            epilog="\n  ".join(("examples:", *entry.examples)) + f"\n\n{EXIT_CODES}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if name == called:
            load(name).add_arguments(sub)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code.

    Parameters
    ----------
    argv : the arguments after the program's name; those of the process if None.
    """
    argv = sys.argv[1:] if argv is None else argv
    parser = build_parser(argv)
    args = parser.parse_args(argv)
    if args.version:
        from .. import __version__

        print(f"gluon-onnx {__version__}")
        return ExitCode.OK
    if args.command is None:
        parser.print_help()
        return ExitCode.OK
    if getattr(args, "isolate", False):
        from . import isolate

        if not isolate.inside:
            return isolate.isolated(args.command, argv)
    try:
        code = int(load(args.command).run(args))
        sys.stdout.flush()
        return code
    except CommandError as error:
        return report(args.command, error, error.code)
    except BrokenPipeError:  # whoever reads the output has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except OSError as error:
        text = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        return report(args.command, text, ExitCode.BAD_INPUT)
    except RuntimeError as error:
        from ..graph.errors import AttributeParseError, FormatError, UnsupportedOperatorError

        if isinstance(error, UnsupportedOperatorError):
            return report(args.command, error, ExitCode.UNSUPPORTED)
        if isinstance(error, FormatError | AttributeParseError):
            return report(args.command, error, ExitCode.BAD_INPUT)
        raise


def report(command: str, error: Exception | str, code: ExitCode) -> int:
    """Say on standard error why a command ended."""
    print(f"gluon-onnx {command}: {error}", file=sys.stderr)
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
