"""Running a program and describing its result in JSON. Runs under MXNet's interpreter and under the tests'."""

from __future__ import annotations

import ast
import re
import warnings
from typing import Any

import numpy as np

MODULES = ("nd", "sym", "gluon", "autograd", "init", "random", "context")


def names(mx: Any) -> dict[str, Any]:
    """What a program finds: `mx`, its usual modules, and NumPy."""
    found = {name: getattr(mx, name) for name in MODULES}
    return {"mx": mx, "np": np, "nn": mx.gluon.nn, "NDArray": mx.nd.NDArray, **found}


def run(program: str, mx: Any, start: str = "") -> Any:
    """Run a program after `start`; the description of its last expression (None without one), or of the exception it ends with."""
    tree = ast.parse(program)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else ast.Expr(ast.Constant(None))
    scope = names(mx)
    with mx.name.NameManager(), warnings.catch_warnings():  # names do not depend on other programs
        warnings.simplefilter("ignore")
        exec(start, scope)
        try:
            exec(compile(tree, "<program>", "exec"), scope)
            value = eval(
                compile(ast.fix_missing_locations(ast.Expression(last.value)), "<program>", "eval"), scope
            )
            return describe(value, mx)
        except Exception as e:  # noqa: BLE001 - whatever it is, it is the program's result
            return {"raises": kinds(type(e), mx)}


def kinds(cls: type, mx: Any) -> list[str]:
    """The names by which a program can catch an exception, the closest first."""
    if issubclass(cls, mx.base.MXNetError) and mx.__name__ == "mxnet":
        return ["MXNetError"]
    found = ["MXNetError"] if issubclass(cls, mx.base.MXNetError) else []
    return found + [
        c.__name__
        for c in cls.__mro__
        if c.__module__ == "builtins" and c not in (Exception, BaseException, object)
    ]


def describe(value: Any, mx: Any) -> Any:
    """A value in JSON, so that equal descriptions are equal values of equal types."""
    if isinstance(value, mx.nd.NDArray):
        return {"NDArray": str(np.dtype(value.dtype)), **_array(value.asnumpy())}
    if isinstance(value, mx.sym.Symbol):
        return {"Symbol": value.list_outputs(), "inputs": value.list_inputs()}
    if isinstance(value, np.ndarray) and value.dtype == object:
        return {"objects": list(value.shape), "values": [describe(v, mx) for v in value.ravel()]}
    if isinstance(value, np.ndarray):
        return {"numpy": value.dtype.name, **_array(value)}
    if isinstance(value, np.generic):
        return {"scalar": value.dtype.name, "values": value.item()}
    if isinstance(value, dict):
        items = sorted(value.items(), key=lambda item: str(item[0]))  # MXNet's own order is arbitrary
        return {"dict": [[describe(k, mx), describe(v, mx)] for k, v in items]}
    if isinstance(value, list | tuple):
        return {type(value).__name__: [describe(v, mx) for v in value]}
    if isinstance(value, type | np.dtype):
        return {
            "type": np.dtype(value).name
            if isinstance(value, np.dtype) or issubclass(value, np.generic)
            else value.__name__
        }
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return {"text": value}
    return {"repr": re.sub(r"0x[0-9a-f]+", "0x", repr(value))}


def _array(value: np.ndarray) -> dict[str, Any]:
    return {
        "shape": list(value.shape),
        "values": value.astype(np.float64 if value.dtype.kind == "f" else value.dtype).ravel().tolist(),
    }
