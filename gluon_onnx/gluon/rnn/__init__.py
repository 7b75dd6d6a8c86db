"""Recurrent layers and cells."""

from __future__ import annotations

from . import rnn_cell, rnn_layer
from .rnn_cell import *  # noqa: F403 - the same names as rnn_cell.__all__
from .rnn_layer import *  # noqa: F403

__all__ = [*rnn_cell.__all__, *rnn_layer.__all__]
