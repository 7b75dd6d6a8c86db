"""The package list, the wheel, the type checkers' view and the layers are what pyproject.toml says."""

from __future__ import annotations

import ast
import importlib
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES: list[str] = PYPROJECT["tool"]["setuptools"]["packages"]
MAPPED: dict[str, str] = PYPROJECT["tool"]["setuptools"]["package-dir"]
DATA: dict[str, list[str]] = PYPROJECT["tool"]["setuptools"]["package-data"]
FOLDERS = {"gluon_onnx": "gluon_onnx", **MAPPED}


def modules() -> Iterator[tuple[str, Path]]:
    """Every Python file of the package with the name it is imported by."""
    for prefix, folder in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            yield ".".join([prefix, *(parts[:-1] if parts[-1] == "__init__" else parts)]), path


MODULES = dict(modules())


def package_of(name: str, path: Path) -> str:
    """The package that a module lies in, or is."""
    return name if path.name == "__init__.py" else name.rpartition(".")[0]


def place_of(name: str, path: Path) -> Path:
    """Where a module lies in the import tree, and so in the wheel."""
    place = Path(*name.split("."))
    return place / "__init__.py" if path.name == "__init__.py" else place.with_suffix(".py")


def imported(name: str, path: Path) -> Iterator[tuple[int, str]]:
    """(line, absolute dotted name) of each thing that a file imports."""
    package = package_of(name, path)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                base = ".".join(parts[: len(parts) - node.level + 1] + ([base] if base else []))
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def test_package_list_is_the_folders() -> None:
    folders = {package_of(name, path) for name, path in MODULES.items()}
    listed = set(PACKAGES)
    assert len(PACKAGES) == len(listed), "a package is listed twice"
    assert folders - listed == set(), "add these to packages in pyproject.toml: the wheel lacks them"
    assert listed - folders == set(), "these packages have no folder"


def test_every_package_has_an_init() -> None:
    assert [name for name in PACKAGES if MODULES.get(name, Path()).name != "__init__.py"] == []


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("gluon_onnx.graph")])
def test_graph_stands_on_its_own(name: str) -> None:
    allowed = {"gluon_onnx.graph", "numpy", "onnx", "google.protobuf", "onnx_ir", "ml_dtypes"} | sys.stdlib_module_names
    outside = [
        f"{MODULES[name].relative_to(ROOT)}:{line} imports {target}"
        for line, target in imported(name, MODULES[name])
        if not any(target == good or target.startswith(good + ".") for good in allowed)
    ]
    assert outside == []


def test_only_the_runtime_and_two_tools_import_onnxruntime() -> None:
    users = {
        name
        for name, path in MODULES.items()
        if any(target.split(".")[0] == "onnxruntime" for _, target in imported(name, path))
    }
    allowed = ("gluon_onnx._runtime", "gluon_onnx.tools.demo", "gluon_onnx.tools.doctor")
    assert [name for name in users if not name.startswith(allowed)] == []


def test_no_module_imports_graph_or_tools_by_bare_name() -> None:
    bare = [
        f"{path.relative_to(ROOT)}:{line}"
        for name, path in MODULES.items()
        for line, target in imported(name, path)
        if target.split(".")[0] in ("graph", "tools")
    ]
    assert bare == []


def test_tools_shadows_no_standard_module() -> None:
    clashes = {path.stem for path in (ROOT / "tools").glob("*.py")} & sys.stdlib_module_names
    assert clashes == set(), "whoever works in tools/ would import these instead of the standard library's"


def test_one_version() -> None:
    package = importlib.import_module("gluon_onnx")
    assert package.__version__ == PYPROJECT["project"]["version"]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## (\S+)", changelog, re.MULTILINE)
    assert newest is not None and newest[1] == package.__version__


def test_import_is_quiet_and_light() -> None:
    code = (
        "import sys, gluon_onnx\n"
        "heavy = {'onnxruntime', 'matplotlib', 'cv2', 'rich', 'requests', 'torch'}\n"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()\n"
        "gluon_onnx.nd.ones((2,)).asnumpy()\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def copy_sources(work: Path, *names: str) -> None:
    """Copy the package's folders and some files of the checkout: real files, since links would lead back."""
    for folder in FOLDERS.values():
        shutil.copytree(ROOT / folder, work / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in names:
        shutil.copy(ROOT / name, work)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from a copy: a build leaves build/lib behind, and takes what lies in it."""
    pytest.importorskip("setuptools", minversion="77")
    work = tmp_path_factory.mktemp("wheel")
    copy_sources(work, "pyproject.toml", "README.md", "LICENSE")
    done = subprocess.run(
        [sys.executable, "-c", "from setuptools import build_meta as b; b.build_wheel('dist')"],
        cwd=work, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = (work / "dist").glob("*.whl")
    return zipfile.ZipFile(path)


def test_wheel_holds_every_module_and_data_file_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    expected = {str(place_of(name, path)) for name, path in MODULES.items()}
    for package in PACKAGES:
        folder = MODULES[package].parent
        for pattern in DATA["*"] + DATA.get(package, []):
            expected |= {f"{package.replace('.', '/')}/{found.name}" for found in folder.glob(pattern)}
    assert {name for name in wheel.namelist() if ".dist-info/" not in name} == expected


@pytest.mark.parametrize("package", [name for name in DATA if name != "*"])
def test_package_data_exists(package: str) -> None:
    folder = MODULES[package].parent
    assert [pattern for pattern in DATA[package] if not list(folder.glob(pattern))] == []


def test_wheel_metadata(wheel: zipfile.ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = wheel.read(name).decode()
    assert "License-Expression: Apache-2.0" in metadata
    assert [line for line in metadata.splitlines() if line.startswith("Requires-Dist: onnxruntime-gpu>")]
    (entry,) = (name for name in wheel.namelist() if name.endswith(".dist-info/entry_points.txt"))
    assert "gluon-onnx = gluon_onnx.tools.cli:main" in wheel.read(entry).decode()
    assert [name for name in wheel.namelist() if name.endswith(".dist-info/licenses/LICENSE")]


def test_console_script_is_callable() -> None:
    module, _, function = PYPROJECT["project"]["scripts"]["gluon-onnx"].partition(":")
    assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_the_type_checkers_see_the_import_tree(tmp_path: Path) -> None:
    copy_sources(tmp_path, "Makefile")
    subprocess.run(["make", "-s", "view"], cwd=tmp_path, check=True, capture_output=True)
    view = tmp_path / "build" / "view"
    seen = {path.relative_to(view): path.resolve().relative_to(tmp_path) for path in view.rglob("*.py")}
    expected = {place_of(name, path): path.relative_to(ROOT) for name, path in MODULES.items()}
    assert seen == expected
