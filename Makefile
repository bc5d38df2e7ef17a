# What people do with this repository. `make demo` and `make test` install what they need.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: translations demo test quick check dev clean bench-ingest bench-pdf bench-timing bench-attack bench-validate bench-viewer bench-worklist bench-rules bench-page

demo: $(VENV)/demo.stamp
	@scripts/install-packages demo
	@echo "Starting the demo…"
	@exec $(BIN)/studykey demo $(DEMO)

test: $(VENV)/test.stamp
	@scripts/install-packages test
	@scripts/test

quick: $(VENV)/test.stamp
	$(BIN)/python -m pytest -q -m "not orthanc and not browser and not slow" -n auto --dist loadfile --no-loadscope-reorder

check: $(VENV)/test.stamp
	@scripts/check

# Both doors and the follower, beside whatever Orthanc the environment names.
dev: $(VENV)/demo.stamp
	@exec env STUDYKEY_MODE=dev STUDYKEY_BASE_URL=http://localhost:8045 \
	  STUDYKEY_CLINIC_NAME="Development Clinic" STUDYKEY_CLINIC_PHONE="+1 555 0100" $(BIN)/studykey serve

$(VENV)/bin/python:
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
	  echo "Installing python3-venv…"; \
	  if [ "$$(id -u)" -eq 0 ]; then S=; else S=sudo; fi; \
	  $$S apt-get update -qq && $$S apt-get install -y -qq python3-venv; }
	@scripts/patiently "Making a virtual environment…" $(PYTHON) -m venv $(VENV)

$(VENV)/demo.stamp: setup.cfg pyproject.toml | $(VENV)/bin/python
	@scripts/patiently "Installing Python packages…" $(BIN)/pip install -q --disable-pip-version-check -e '.[demo]'
	@touch $@

$(VENV)/test.stamp: setup.cfg pyproject.toml | $(VENV)/bin/python
	@scripts/patiently "Installing Python packages…" $(BIN)/pip install -q --disable-pip-version-check -e '.[demo,test,check]'
	@touch $@

# Texts changed? This brings the catalogues up to date; fill in what is new in app/translations.
translations: $(VENV)/test.stamp
	@scripts/translations

clean:
	rm -rf $(VENV) build *.egg-info

# Benchmarks: a table, and one JSON object as the last line.
bench-ingest: $(VENV)/test.stamp
	@scripts/install-packages demo
	@$(BIN)/python -m bench.ingest

bench-pdf: $(VENV)/test.stamp
	@scripts/install-packages demo
	@$(BIN)/python -m bench.pdf

# Whether the clock or the answer tells why an attempt was refused (about six minutes).
bench-timing: $(VENV)/test.stamp
	@$(BIN)/python -m bench.timing $(BENCH)

# Whether patients get in, and attackers don't, while the public door is under attack (about a minute and a half).
bench-attack: $(VENV)/test.stamp
	@$(BIN)/python -m bench.attack $(BENCH)

# Requests a second for "may this token do this?", with 10,000 and 1,000,000 grants (about six minutes).
bench-validate: $(VENV)/test.stamp
	@scripts/install-packages bench
	@$(BIN)/python -m bench.validate $(BENCH)

# What the gate costs somebody who reads 300 slices (about two minutes).
bench-viewer: $(VENV)/test.stamp
	@scripts/install-packages demo
	@$(BIN)/python -m bench.viewer $(BENCH)

# How long the list of studies takes, up to a million of them, on SQLite and PostgreSQL (about five minutes).
bench-worklist: $(VENV)/test.stamp
	@scripts/install-packages test
	@$(BIN)/python -m bench.worklist $(BENCH)

# Access by DICOM tag: 1,000,000 studies, 2,000 rules (about ten minutes).
bench-rules: $(VENV)/test.stamp
	@scripts/install-packages bench
	@$(BIN)/python -m bench.rules $(BENCH)

# What the landing page weighs on the wire, and how soon a phone on a slow line can use it (about a minute).
bench-page: $(VENV)/test.stamp
	@scripts/install-packages test
	@$(BIN)/python -m bench.page $(BENCH)
