# Everything runs in .venv, which is made here. PYTHON names the interpreter it is made from (3.11 or newer).
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PY     := $(BIN)/python
JOBS   ?= auto

.PHONY: help demo test fuzz lint types view oracle bench clean

help:
	@echo "make demo    train, hybridize, export and check a digit classifier (results in demo-output/)"
	@echo "make test    the test suite"
	@echo "make fuzz    damaged files for each reader: make fuzz FUZZ_SECONDS=3600"
	@echo "make lint    ruff"
	@echo "make types   mypy --strict on graph/, gluon_onnx/ and tools/"
	@echo "make oracle  compare live with MXNet 1.9.1: make oracle MXNET_PYTHON=/path/to/python"
	@echo "make bench   table of speed ratios measured in one run: make bench MXNET_PYTHON=... BENCH_ARGS=--torch"
	@echo "make clean   remove .venv and everything built"

$(PY):
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) not found: install Python 3.11 or newer, or say make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "gluon-onnx needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Say make PYTHON=python3.x" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# One stamp for each set of extras; pyproject.toml decides what is installed.
$(VENV)/installed-%: pyproject.toml | $(PY)
	$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@

demo: $(VENV)/installed-plot
	$(BIN)/gluon-onnx demo --out demo-output

test: $(VENV)/installed-test
	$(PY) -m pytest -n $(JOBS)

# Seconds for each of the three file formats.
FUZZ_SECONDS ?= 20
fuzz: $(VENV)/installed-test
	$(PY) -m tests.fuzz $(FUZZ_SECONDS)

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .

# mypy follows folders, not package-dir: it is shown the import tree, made of links.
view:
	rm -rf build/view
	mkdir -p build/view
	cp -rs "$(CURDIR)/gluon_onnx" build/view/
	cp -rs "$(CURDIR)/graph" build/view/gluon_onnx/
	cp -rs "$(CURDIR)/tools" build/view/gluon_onnx/

types: view $(VENV)/installed-dev
	cd build/view && "$(abspath $(BIN))/mypy" --config-file ../../pyproject.toml --cache-dir ../../.mypy_cache

oracle: $(VENV)/installed-test
	@test -n "$(MXNET_PYTHON)" || { echo "say make oracle MXNET_PYTHON=<python of an environment with mxnet==1.9.1 and numpy<1.24>" >&2; exit 2; }
	MXNET_PYTHON="$(MXNET_PYTHON)" $(PY) -m pytest -m oracle

bench: $(VENV)/installed-test
	$(PY) benchmarks/basics.py $(if $(MXNET_PYTHON),--mxnet-python "$(MXNET_PYTHON)") $(BENCH_ARGS)

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache demo-output
