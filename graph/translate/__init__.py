"""ONNX models as Symbols of MXNet's operators, where these can express them."""

from __future__ import annotations

from . import arithmetic, layers, recurrent, shaping
from .translation import Inexpressible, Translated, translate

__all__ = ["Inexpressible", "Translated", "arithmetic", "layers", "recurrent", "shaping", "translate"]
