"""`mx.np`: not part of this package. The module exists so that programs which import it, and test
``isinstance(x, mx.np.ndarray)``, run; using anything else of it is an error that says so."""

from __future__ import annotations

from typing import Any, NoReturn

from .base import MXNetError

__all__ = ["ndarray"]

_WHY = (
    "MXNet's NumPy interface (mx.np, mx.npx) is not part of gluon_onnx; use mx.nd, whose arrays convert with "
    "asnumpy() and nd.array()"
)


class ndarray:
    """The array class of `mx.np`. No array is an instance of it."""

    def __new__(cls, *args: Any, **kwargs: Any) -> NoReturn:
        raise MXNetError(f"cannot make a {cls.__module__}.{cls.__name__}: {_WHY}")


def __getattr__(name: str) -> NoReturn:
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}: {_WHY}")
