"""Programs written for MXNet, unchanged: `install` makes ``import mxnet`` mean this package."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType

import numpy as np

__all__ = ["install", "uninstall"]

_OLD, _NEW = "mxnet", __package__

# Names that NumPy has dropped since MXNet's time and that its programs still use.
_NUMPY_NAMES: dict[str, object] = {
    "bool": bool,
    "int": int,
    "float": float,
    "complex": complex,
    "object": object,
    "str": str,
    "float_": np.float64,
    "product": np.prod,
    "cumproduct": np.cumprod,
    "alltrue": np.all,
    "sometrue": np.any,
    "Inf": np.inf,
    "Infinity": np.inf,
    "NaN": np.nan,
}


class _Loader(importlib.abc.Loader):
    """Gives a module that exists under another name."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module
        self._spec = module.__spec__

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec  # the import system has put the alias's there


class _Finder(importlib.abc.MetaPathFinder):
    """Finds ``mxnet.a.b`` as ``gluon_onnx.a.b``."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != _OLD and not fullname.startswith(_OLD + "."):
            return None
        real = _NEW + fullname[len(_OLD) :]
        if real not in sys.modules and importlib.util.find_spec(real) is None:
            raise ModuleNotFoundError(
                f"no module named {fullname!r}: gluon-onnx, which stands in for MXNet here, has no {real!r}",
                name=fullname,
            )
        module = importlib.import_module(real)
        return importlib.machinery.ModuleSpec(
            fullname, _Loader(module), is_package=hasattr(module, "__path__")
        )


_finder = _Finder()


def install(numpy_names: bool = True) -> None:
    """Make ``import mxnet`` and its submodules mean this package, from now on in this process.

    Parameters
    ----------
    numpy_names : also give NumPy back the names that it dropped (``np.bool``, ``np.float_``, ...).

    Raises
    ------
    ImportError : the real MXNet is imported already.
    """
    loaded = sys.modules.get(_OLD)
    if loaded is not None and loaded.__name__ != _NEW:
        raise ImportError("compat.install: the real mxnet is imported already")
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
    if numpy_names:
        for name, value in _NUMPY_NAMES.items():
            if name not in np.__dict__:
                setattr(np, name, value)


def uninstall() -> None:
    """Undo `install` (NumPy's names stay)."""
    if _finder in sys.meta_path:
        sys.meta_path.remove(_finder)
    for name in [n for n in sys.modules if n == _OLD or n.startswith(_OLD + ".")]:
        del sys.modules[name]
