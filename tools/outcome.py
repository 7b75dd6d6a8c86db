"""Exit codes of the command line, and the error that carries one."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["CommandError", "ExitCode"]


class ExitCode(IntEnum):
    """What a script may rely on after running ``gluon-onnx``."""

    OK = 0
    CHECK_FAILED = 1
    BAD_INPUT = 2
    UNSUPPORTED = 3


class CommandError(Exception):
    """Ends a command with a message on standard error and an exit code."""

    def __init__(self, message: str, code: ExitCode = ExitCode.BAD_INPUT) -> None:
        super().__init__(message)
        self.code = code
