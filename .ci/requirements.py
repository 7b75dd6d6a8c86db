"""Print the package's requirements at their lower bounds, with plain onnxruntime for onnxruntime-gpu."""

import tomllib
from pathlib import Path

from packaging.requirements import Requirement

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
for requirement in map(Requirement, project["dependencies"]):
    runtime = requirement.name.startswith("onnxruntime")
    here = requirement.marker is None or requirement.marker.evaluate()
    if requirement.name == "onnxruntime" or (here and not runtime):
        print(f"{requirement.name}{str(requirement.specifier).replace('>=', '==')}")
