"""Print the package's requirements at their lower bounds, with plain onnxruntime for onnxruntime-gpu."""

import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
lines = list(project["dependencies"])
for extra in sys.argv[1:]:
    lines += project["optional-dependencies"][extra]
for requirement in map(Requirement, lines):
    runtime = requirement.name.startswith("onnxruntime")
    here = requirement.marker is None or requirement.marker.evaluate()
    if requirement.name == "onnxruntime" or (here and not runtime):
        print(f"{requirement.name}{str(requirement.specifier).replace('>=', '==')}")
