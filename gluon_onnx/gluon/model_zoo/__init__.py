"""Pre-defined models, with MXNet's pre-trained parameters where a mirror of them can be reached."""

from . import model_store, vision
from .vision import get_model

__all__ = ["get_model", "model_store", "vision"]
