# make book    build the book            make test    run every test
# make lab     open JupyterLab           make serve   show the built book
# make study STUDY=trifeature PROFILE=laptop          train, resume, publish
# make lint    format, lint, types, imports      make bench   measure speeds      make clean
#
# Everything runs in .venv, which is made on first use and made again when requirements change.

PYTHON ?= python3
STUDY ?= trifeature
PROFILE ?= laptop
PORT ?= 8000
PY := .venv/bin/python

# A stamp is named by a hash of what it installed.
hash = $(shell cat $(1) | cksum | tr ' ' '-')
BASE := .venv/.installed-$(call hash,requirements.txt pyproject.toml)
TEST := .venv/.installed-test-$(call hash,requirements.txt requirements-cluster.txt requirements-test.txt pyproject.toml)

.PHONY: book test test-quick lab serve study lint bench address clean
.DEFAULT_GOAL := book

$(BASE):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=...")'
	test -x $(PY) || $(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(TEST): $(BASE)
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements-test.txt
	@touch $@

book: $(BASE)
	@$(PY) -m kdfair_core build

# A worker a core; tests of a file stay together, since they share what they look at. The order is
# that of tests/conftest.py: xdist's own would leave files of few tests, however slow, to the end.
SPREAD := OMP_NUM_THREADS=1 $(PY) -m pytest -n auto --dist loadfile --no-loadscope-reorder

test: $(TEST)
	$(SPREAD)

# Without what is slow or needs a browser.
test-quick: $(TEST)
	$(SPREAD) -m "not slow and not browser"

lab: $(BASE)
	$(PY) -m jupyterlab notebooks

serve: book
	@$(PY) -m kdfair_core serve --port $(PORT)

study: $(BASE)
	$(PY) -m kdfair_core run $(STUDY) --profile $(PROFILE)
	$(PY) -m kdfair_core publish $(STUDY) --profile $(PROFILE)

lint: $(TEST)
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	.venv/bin/lint-imports

bench: $(TEST)
	@for file in benchmarks/*.py; do echo "== $$file"; $(PY) $$file || exit 1; done

# make address URL=https://github.com/you/kdfair: after a move. _config.yml holds the address; this
# sets it there and in the few files that must repeat it.
OLD = $(shell sed -n 's/^  url: *//p' _config.yml)
address:
	@test -n "$(URL)" || { echo "give the address: make address URL=https://github.com/you/kdfair"; exit 2; }
	@git grep -lF "$(OLD)" | xargs sed -i 's#$(OLD)#$(URL)#g'
	@git diff --stat

# What was built; not .venv, runs/ or datasets/.
clean:
	rm -rf _build .build book/studies book/_static/vendor .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
