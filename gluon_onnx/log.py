"""Loggers with MXNet's format: a coloured letter for the level, then time, process and place."""

from __future__ import annotations

import logging
import warnings
from logging import CRITICAL, DEBUG, ERROR, INFO, NOTSET, WARNING

__all__ = ["CRITICAL", "DEBUG", "ERROR", "INFO", "NOTSET", "WARNING", "getLogger", "get_logger"]

_LETTERS = {CRITICAL: "C", ERROR: "E", WARNING: "W", INFO: "I", DEBUG: "D"}


class _Formatter(logging.Formatter):
    """``W0523 12:00:01 42 file.py:function:7] message``, the head in red, green or blue."""

    def __init__(self) -> None:
        super().__init__(datefmt="%m%d %H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        record = logging.makeLogRecord(record.__dict__)  # the head must not reach other handlers
        colour = 31 if record.levelno >= WARNING else 32 if record.levelno >= INFO else 34
        head = (
            f"\x1b[{colour}m{_LETTERS.get(record.levelno, 'U')}{self.formatTime(record, self.datefmt)} "
            f"{record.process} {record.pathname}:{record.funcName}:{record.lineno}]\x1b[0m "
        )
        record.msg, record.args = head + record.getMessage(), None
        return super().format(record)


def get_logger(
    name: str | None = None, filename: str | None = None, filemode: str | None = None, level: int = WARNING
) -> logging.Logger:
    """A logger that writes to standard error, or to a file.

    Parameters
    ----------
    name : the logger's name; without one the root logger is returned as it is.
    filename : a file to write to, uncoloured.
    filemode : mode of the file, "a" by default.
    level : level of a logger that is asked for the first time.
    """
    logger = logging.getLogger(name)
    if name is not None and not logger.handlers:
        handler: logging.Handler
        if filename:
            handler = logging.FileHandler(filename, filemode or "a")
        else:
            handler = logging.StreamHandler()
            handler.setFormatter(_Formatter())
        logger.addHandler(handler)
        logger.setLevel(level)
    return logger


def getLogger(
    name: str | None = None, filename: str | None = None, filemode: str | None = None, level: int = WARNING
) -> logging.Logger:
    """The old name of `get_logger`."""
    warnings.warn("getLogger is deprecated, use get_logger instead", DeprecationWarning, stacklevel=2)
    return get_logger(name, filename, filemode, level)
