"""``gluon-onnx exec``: a program written for MXNet, unchanged, on this package."""

from __future__ import annotations

import argparse
import builtins
import importlib.machinery
import os
import sys
from pathlib import Path
from types import CodeType, ModuleType, TracebackType

from .outcome import CommandError, ExitCode

__all__ = ["add_arguments", "execute", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--no-numpy-names",
        action="store_true",
        help="do not give NumPy back the names that it dropped since MXNet's time (np.bool, np.float_, ...)",
    )
    parser.add_argument("script", help="the program: a file, or - for standard input")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="its arguments, passed on as they are")


def run(args: argparse.Namespace) -> ExitCode:
    """Run the program; never returns, but ends as Python itself would."""
    from ..compat import install

    try:
        code = read_program(args.script)
    except SyntaxError as error:
        _print(error, None)
        raise SystemExit(1) from None
    install(numpy_names=not args.no_numpy_names)
    raise SystemExit(execute(code, args.script, args.arguments))


def read_program(script: str) -> CodeType:
    """The program, compiled.

    Raises
    ------
    CommandError : it is a folder.
    SyntaxError, OSError : it is no Python program, or cannot be read.
    """
    name = "<stdin>" if script == "-" else os.path.abspath(script)
    if script != "-" and Path(script).is_dir():
        raise CommandError(f"{script}: expected a file, this is a folder")
    source = sys.stdin.buffer.read() if script == "-" else Path(script).read_bytes()
    try:
        return compile(source, name, "exec", dont_inherit=True)
    except ValueError as error:  # null bytes, before Python 3.12
        raise SyntaxError(str(error), (name, None, None, None)) from error


def execute(code: CodeType, script: str, arguments: list[str]) -> int | str | None:
    """Run a program as the process's main one.

    Returns
    -------
    int, str or None : what ``sys.exit`` takes: 0 after a normal end, 1 after an exception, which is printed, else what
        the program gave.
    """
    main = ModuleType("__main__")
    # As for `python script.py`: there is no spec, and the script's folder comes first on the path.
    vars(main).update(__cached__=None, __builtins__=builtins)
    folder = ""
    if script != "-":
        path = os.path.abspath(script)
        folder = os.path.dirname(os.path.realpath(script))
        main.__file__ = path
        main.__loader__ = importlib.machinery.SourceFileLoader("__main__", path)
    sys.modules["__main__"] = main
    sys.argv[:] = [script, *arguments]
    sys.path.insert(0, folder)
    try:
        exec(code, vars(main))
    except SystemExit as ended:
        return ended.code
    except KeyboardInterrupt as error:
        _print(error, error.__traceback__)
        return 130
    except BaseException as error:  # noqa: BLE001 (as the interpreter does)
        _print(error, error.__traceback__)
        return 1
    return 0


def _print(error: BaseException, trace: TracebackType | None) -> None:
    """Print an exception with a traceback that begins in the program."""
    inner = trace.tb_next if trace is not None else None
    sys.excepthook(type(error), error.with_traceback(inner), inner)
