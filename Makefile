.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
UV_VERSION := 0.13.9
BIN := .venv/bin
READY := .venv/.ready
# One thread a process: joblib runs the folds side by side.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

help: ## print the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 12

setup: $(READY) ## make .venv with everything in it (uv, from the lock file)

$(READY): requirements.lock setup.cfg setup.py pyproject.toml stance/_native.pyx stance/_native.hpp
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, got " + sys.version.split()[0])'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

demo: $(READY) ## classify a sample article and a sample collection, and write a page about each
	$(BIN)/stance classify stance/samples/article.txt --format table
	@$(BIN)/stance report stance/samples/article.txt --output out/demo/article
	@$(BIN)/stance classify stance/samples/collection.jsonl --articles --output out/demo/decisions.jsonl
	@$(BIN)/stance report out/demo/decisions.jsonl --output out/demo/collection
	@echo "Open them: out/demo/article/index.html and out/demo/collection/index.html (in Arabic: --lang ar)"

train: $(READY) ## train the shipped model anew from data/
	$(BIN)/stance train data --output stance/model.safetensors

evaluate: $(READY) ## cross-validate; measure the shipped model on the frozen split and the challenge
	$(BIN)/stance evaluate data --repeats 1 --report experiments/evaluation
	$(BIN)/stance train data --settings experiments/bag-of-words.json --output out/bag-of-words.safetensors
	$(BIN)/stance evaluate --test data/passages --split test --against out/bag-of-words.safetensors --report experiments/frozen
	$(BIN)/stance evaluate --test data/challenge.jsonl --against out/bag-of-words.safetensors --report experiments/challenge

audit: $(READY) ## what the corpus gives away, and how far its readers agree
	$(BIN)/stance audit data --folds 3 --report experiments/audit
	$(BIN)/stance agreement data/passages --raters first,second --by kind --output experiments/audit/agreement.json
	$(BIN)/stance agreement $$(ls data/passages/pages-*.jsonl) --raters first,second --output experiments/audit/agreement-pages.json

experiments: $(READY) ## run the experiments that changed, write their table and figure
	$(BIN)/python experiments/run.py

arabicstancex: $(READY) ## measure the package on a public benchmark: make arabicstancex DATA=folder
	$(BIN)/python experiments/arabicstancex.py $(DATA)

holders: $(READY) ## measure how well the holders of the corpus' passages are found
	$(BIN)/python experiments/holders.py data/passages

bench: $(READY) ## measure speed and memory beside scikit-learn and fastText: make bench ARGS="--only startup"
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint requirements.lock --override overrides.txt --extra bench --requirements setup.cfg
	$(BIN)/python -m experiments.bench $(ARGS)

report: $(READY) ## write report, sample page, model card and datasheet from the committed result
	$(BIN)/stance report experiments/evaluation/result.json --audit experiments/audit/audit.json --output experiments/evaluation
	$(BIN)/stance corpus stats data --report experiments/corpus > /dev/null
	$(BIN)/stance report stance/samples/article.txt --output out/sample
	cp out/sample/figures/course.png experiments/sample.png
	$(BIN)/python experiments/cards.py

test: $(READY) ## run the tests
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal

check: $(READY) ## lint, format, types, corpus; rewrites nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/stance corpus check data

lock: $(READY) ## resolve requirements.lock anew from setup.cfg
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-annotate --no-emit-index-url --no-emit-find-links --no-header --extra dev --override overrides.txt setup.cfg --output-file requirements.lock

clean: ## remove what the other targets made
	rm -rf .venv out build dist *.egg-info stance/_native.cpp stance/*.so .mypy_cache .pytest_cache .ruff_cache .hypothesis

.PHONY: help setup demo train evaluate audit experiments arabicstancex holders bench report test check lock clean
