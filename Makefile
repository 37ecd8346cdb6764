# `make quickstart` and `make test` do everything on a machine with Python 3.11 to 3.13.
PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin/python
# PLATFORM=gpu also installs CUDA's libraries.
KIND = $(if $(filter gpu,$(PLATFORM)),-gpu)
INSTALLED = $(VENV)/installed$(KIND)

.PHONY: quickstart app test lint docs notebooks clean

quickstart: $(INSTALLED)
	$(RUN) -m export.quickstart --output_dir=quickstart $(QUICKSTART_FLAGS)

app: $(VENV)/installed-app
	$(RUN) -m export.app $(APP_FLAGS)

test: $(VENV)/installed-dev lint
	$(RUN) -m pytest -n 2 --dist=loadfile
	rm -rf docs/tutorials/own_test
	PYTHONPATH=$(CURDIR) $(RUN) -m pytest -n 2 --nbmake docs/tutorials

lint: $(VENV)/installed-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

docs: $(VENV)/installed-dev $(VENV)/installed-app
	PYTHONPATH=. $(RUN) docs/api.py site/api

notebooks: $(VENV)/installed-dev
	PYTHONPATH=. $(RUN) docs/notebooks.py

$(INSTALLED): requirements$(KIND).txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "Python 3.11, 3.12 or 3.13 is needed, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements$(KIND).txt
	@touch $@

$(VENV)/installed-app: requirements-app.txt $(INSTALLED)
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements-app.txt
	@touch $@

# Optional: without torch, the tests of reading published .pth files are skipped; without Apache
# Beam, those of its pipelines; without the data extras, those of Parquet and TensorFlow Datasets.
$(VENV)/installed-%: requirements-%.txt $(VENV)/installed-dev
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements-$*.txt
	@touch $@

$(VENV)/installed-dev: requirements-dev.txt $(INSTALLED)
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

clean:
	rm -rf $(VENV) quickstart site docs/tutorials/own_test docs/tutorials/exported
