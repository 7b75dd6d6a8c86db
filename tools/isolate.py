"""``--isolate``: a command in a process of its own, so that a crash of ONNX Runtime is an error message."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from .outcome import ExitCode

__all__ = ["add_isolate", "isolated"]

inside = False  # whether this process is the isolated one

_FAILED = 70  # status of the process after an exception that nothing caught, which Python would make 1

_CHILD = f"""
import sys, traceback
from gluon_onnx.tools import isolate
from gluon_onnx.tools.cli import main
isolate.inside = True
try:
    code = main(sys.argv[1:])
except Exception:
    traceback.print_exc()
    code = {_FAILED}
sys.exit(code)
"""


def add_isolate(parser: argparse.ArgumentParser) -> None:
    """Declare the flag, in the form that every command has that makes sessions."""
    parser.add_argument(
        "--isolate",
        action="store_true",
        help="run in a process of its own: if it crashes, that is an error message and exit code 3",
    )


def isolated(command: str, argv: Sequence[str]) -> int:
    """Run the command line `argv` in another process.

    Returns
    -------
    int : its exit code; 3 if it crashed, which is said on standard error.
    """
    sys.stdout.flush()
    done = subprocess.run([sys.executable, "-c", _CHILD, *argv], env=_environment(), check=False)
    if done.returncode in set(ExitCode):
        return done.returncode
    if done.returncode >= 0:
        how = f"ended with status {done.returncode}"
    else:
        try:
            how = f"was ended by {signal.Signals(-done.returncode).name}"
        except ValueError:
            how = f"was ended by signal {-done.returncode}"
    print(f"gluon-onnx {command}: the isolated process {how}", file=sys.stderr)
    return int(ExitCode.UNSUPPORTED)


def _environment() -> dict[str, str]:
    """The environment, in which Python finds this very package."""
    root = str(Path(sys.modules["gluon_onnx"].__file__ or "").parents[1])
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
