"""Writes tools/kernels.json: which kernels ONNX Runtime has, by provider, operator, opset and element types.

    python tests/tools/make_kernels.py

Lists what the installed ONNX Runtime registers. That of the CPU provider needs any build; that of the CUDA provider
needs onnxruntime-gpu and CUDA's libraries, or the process ends with a segmentation fault inside ONNX Runtime.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as state

OUT = Path(__file__).parents[2] / "tools" / "kernels.json"
PROVIDERS = {"CPUExecutionProvider": "cpu", "CUDAExecutionProvider": "cuda"}
DOMAINS = ("", "ai.onnx.ml", "com.microsoft")
NEWEST = 2**31 - 1

Types = dict[str, list[str]]


def main() -> None:
    """Write the table, an operator a line."""
    onnxruntime.preload_dlls()
    found: dict[str, dict[str, dict[tuple[int, int], list[Types]]]] = {"cpu": {}, "cuda": {}}
    for kernel in state.get_all_opkernel_def():
        if kernel.provider in PROVIDERS and kernel.domain in DOMAINS:
            name = f"{kernel.domain}.{kernel.op_name}" if kernel.domain else kernel.op_name
            versions = found[PROVIDERS[kernel.provider]].setdefault(name, {})
            add(versions.setdefault(tuple(kernel.version_range), []), kernel.type_constraints)
    lines = [f'"version": {json.dumps(onnxruntime.__version__)}']
    for provider, operators in found.items():
        rows = [f"  {json.dumps(name)}: {text(versions)}" for name, versions in sorted(operators.items())]
        lines.append(f'"{provider}": {{\n' + ",\n".join(rows) + "\n}")
    OUT.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def add(kernels: list[Types], constraints: dict[str, list[str]]) -> None:
    """Take in a kernel; those that differ in the types of one operand only become one."""
    new = {key: sorted(types) for key, types in constraints.items()}
    for old in kernels:
        apart = [key for key in new if old.get(key) != new[key]]
        if old.keys() == new.keys() and len(apart) <= 1:
            for key in apart:
                old[key] = sorted({*old[key], *new[key]})
            return
    kernels.append(new)


def text(versions: dict[tuple[int, int], list[Types]]) -> str:
    """Rows of [first opset, last opset or null, element types by the names that ONNX's schema has for them]."""
    rows: list[Any] = []
    for (first, last), kernels in sorted(versions.items()):
        for kernel in kernels:
            types = {key: " ".join(map(short, values)) for key, values in sorted(kernel.items())}
            rows.append([first, None if last == NEWEST else last, types])
    return json.dumps(rows, separators=(",", ":"))


def short(name: str) -> str:
    """``tensor(float)`` as NumPy's float32; what is no tensor stays as it is."""
    if not name.startswith("tensor("):
        return name
    inner = name.removeprefix("tensor(").removesuffix(")")
    return {"float": "float32", "double": "float64"}.get(inner, inner)


if __name__ == "__main__":
    main()
