"""Arguments of the commands that run a model: where, and how."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .._runtime.models import Settings

__all__ = ["OPTIMIZATION_NAMES", "add_settings", "settings_of"]

OPTIMIZATION_NAMES = ("none", "basic", "extended", "all")  # a test holds them equal to the runtime's


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments about ONNX Runtime."""
    group = parser.add_argument_group("execution")
    group.add_argument(
        "--provider",
        default="cpu",
        metavar="NAME",
        help="cpu (default), cuda, cuda:1, or another of ONNX Runtime's",
    )
    group.add_argument(
        "--optimization",
        choices=OPTIMIZATION_NAMES,
        default="all",
        help="what ONNX Runtime may rewrite in the graph (default: all)",
    )
    group.add_argument(
        "--threads", type=int, default=0, metavar="N", help="for one operator (default: all cores)"
    )


def settings_of(args: argparse.Namespace) -> Settings:
    """The settings that the arguments say."""
    from .._runtime.models import Settings

    return Settings(args.provider, args.optimization, args.threads)
