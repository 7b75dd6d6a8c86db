"""Make tests/data/mxnet_api.txt, the public names of MXNet 1.9.1 with the names of their arguments.

Run with an interpreter that has ``mxnet==1.9.1`` and ``numpy<1.24``::

    python tests/golden/make_api.py

A name is public where the module that has it, or a module of that package, defines it. Operators are left out: they are
made from a registry, which tests/data/mxnet_ops.json lists.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import os
import pathlib

import mxnet

MODULES = """
attribute autograd base callback context contrib.amp contrib.autograd contrib.io contrib.ndarray contrib.onnx
contrib.quantization contrib.svrg_optimization contrib.symbol contrib.tensorboard contrib.text.embedding
contrib.text.utils contrib.text.vocab engine error executor executor_manager gluon gluon.contrib.cnn
gluon.contrib.data gluon.contrib.estimator gluon.contrib.nn gluon.contrib.rnn gluon.data gluon.data.vision
gluon.data.vision.transforms gluon.loss gluon.model_zoo.model_store gluon.model_zoo.vision gluon.nn gluon.rnn
gluon.utils image initializer io kvstore libinfo log lr_scheduler metric model module monitor name ndarray
ndarray.contrib ndarray.image ndarray.linalg ndarray.random ndarray.sparse operator optimizer profiler random
recordio registry rnn rtc runtime symbol symbol.contrib symbol.image symbol.linalg symbol.random symbol.sparse
test_utils util visualization
""".split()  # noqa: SIM905
GENERATED = ("op", "_internal", "register")  # modules that hold operators
#: What modules import from MXNet's C interface.
HELPERS = """
MXCallbackList add_fileline_to_docstring build_param_doc c2pyerror c_array c_array_buf c_handle_array c_str c_str_array
check_call classproperty ctypes2buffer ctypes2numpy_shared get_last_ffi_error mx_float_p with_metaclass
""".split()  # noqa: SIM905


def arguments(value: object) -> str:
    """The names of the arguments; those that have defaults end in =."""
    try:
        given = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return ""
    words = []
    for p in given:
        stars = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        words.append(f"{stars}{p.name}{'' if p.default is p.empty else '='}")
    return " ".join(words)


def defined(value: object, module: str) -> bool:
    """Whether `module` (or a module in it) is where the value comes from."""
    home = str(getattr(value, "__module__", None))
    inside = home == f"mxnet.{module}" or home.startswith(f"mxnet.{module}.")
    if module in ("random", "contrib.ndarray", "contrib.symbol"):
        inside = inside or home in ("mxnet.ndarray.random",)
    return (
        inside and home.rpartition(".")[2] not in GENERATED and not home.rpartition(".")[2].startswith("gen_")
    )


def members(path: str, cls: type) -> list[str]:
    """Methods and properties that a class defines itself."""
    found = []
    for name, value in sorted(vars(cls).items()):
        if name.startswith("_") and name not in (
            "__call__",
            "__getitem__",
            "__setitem__",
            "__len__",
            "__iter__",
        ):
            continue
        if isinstance(value, property):
            found.append(f"{path}.{name}")
        elif callable(value) or isinstance(value, staticmethod | classmethod):
            found.append(f"{path}.{name}({arguments(getattr(cls, name))})")
    return found


def main() -> None:
    lines: list[str] = []
    for module in MODULES:
        with open(os.devnull, "w") as null, contextlib.redirect_stderr(null):
            try:
                loaded = importlib.import_module(f"mxnet.{module}")
            except ImportError as e:
                print(f"not imported: {module}: {e}")
                continue
        listed = set(getattr(loaded, "__all__", ()))
        for name, value in sorted(vars(loaded).items()):
            if (
                name.startswith("_")
                or name.endswith("_")
                or name in HELPERS
                or inspect.ismodule(value)
                or not callable(value)
            ):
                continue
            if not defined(value, module) and name not in listed:
                continue
            if inspect.isfunction(value) and not os.path.exists(value.__code__.co_filename):
                continue  # an operator's
            path = f"{module}.{name}"
            if inspect.isclass(value):
                lines.append(f"{path}({' '.join(arguments(value).split())})")
                lines += members(path, value)
            else:
                lines.append(f"{path}({arguments(value)})")
    folder = pathlib.Path(__file__).resolve().parents[1] / "data"
    (folder / "mxnet_api.txt").write_text("\n".join(dict.fromkeys(lines)) + "\n")
    print(f"MXNet {mxnet.__version__}: {len(lines)} names")


if __name__ == "__main__":
    main()
