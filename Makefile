# Everything runs in .venv, which is made once and made again only when pyproject.toml or constraints.txt change.
SHELL := bash
PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed
SUM := $(shell cat pyproject.toml constraints.txt | cksum | tr ' ' -)
RUN := $(VENV)/bin
# The exact version comes first, alone: it picks the small build without CUDA where an index or folder offers one.
TORCH := $(shell grep '^torch==' constraints.txt)

.PHONY: demo test check docs install clean

install:
	@if [ "$$(cat $(STAMP) 2>/dev/null)" != "$(SUM)" ]; then \
	  set -e; \
	  [ -x $(RUN)/python ] || $(PYTHON) -m venv $(VENV); \
	  $(RUN)/python -m pip install --quiet "$(TORCH)"; \
	  $(RUN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,docs]'; \
	  echo "$(SUM)" > $(STAMP); \
	fi

demo: install
	@mkdir -p out
	$(RUN)/orchestrion generate "a slow waltz in D minor for flute and strings" --seed 1 --output out/waltz.wav

test: install
	$(RUN)/python -m pytest

check: install
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/lint-imports
	$(RUN)/pyright

docs: install
	$(RUN)/python docs/generate.py
	NO_MKDOCS_2_WARNING=1 $(RUN)/mkdocs build --strict --quiet

clean:
	rm -rf out site
