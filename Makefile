# `make demo` starts the product. `make test` is what a commit must pass, `make check` is everything.
# Each sets up its own virtual environment first.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt
FAST   := not proof and not slow and not browser
SLOW   := (slow or browser) and not proof
# Tests wait for half of their time: twice as many at once as the two cores that they are made for.
JOBS   ?= 4
# A few ask how long something takes, which others beside them may spoil: what failed must pass alone.
alone   = { [ $$? = 1 ] && echo "Once more, what failed beside others:" && \
          $(BIN)/pytest --last-failed --last-failed-no-failures none -m '$(1)'; }

.PHONY: demo test quick fast check slow pythons lint types contracts proof mutants bench shots docs deb release format clean
.DEFAULT_GOAL := demo

$(VENV)/.product: pyproject.toml constraints.txt
	@echo "Installing monitor and the packages that it needs into $(VENV), elsewhere nothing but pip's cache; this takes a minute."
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) -e .
	@touch $@

$(VENV)/.%: $(VENV)/.product
	@echo "Installing the extra '$*' into $(VENV), elsewhere nothing but pip's cache; this takes a minute."
	@$(PIP) -e '.[$*]'
	@touch $@

demo: $(VENV)/.product ## the whole product against a simulated service
	@$(BIN)/monitor demo

test: lint types contracts fast ## what a commit must pass, in less than five minutes

quick: $(VENV)/.dev ## the tests alone that open nothing, in less than twenty seconds
	$(BIN)/pytest -q -n $(JOBS) -m '$(FAST)' --pure

fast: $(VENV)/.dev
	@$(BIN)/pytest -n $(JOBS) -m '$(FAST)' || $(call alone,$(FAST))

check: test slow pythons ## everything

slow: $(VENV)/.dev ## real servers for seconds, disks that break, systemd, containers, browsers, foreign software
	@$(BIN)/pytest -n $(JOBS) -m '$(SLOW)' || $(call alone,$(SLOW))

pythons: $(VENV)/.dev ## the fast tests with every other Python that we support and the machine has
	JOBS=$(JOBS) .ci/pythons

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

contracts: $(VENV)/.dev
	$(BIN)/lint-imports

mutants: $(VENV)/.dev ## the pure core, each line made wrong in turn: a test must notice
	$(BIN)/python tests/mutation.py --least 90

BENCH_FIRST = $(shell chrt -r 1 true 2>/dev/null && echo 'chrt -r 1 ')
proof: mutants ## the full sizes: mutants, laws, simulation, crashes, long runs
	$(BIN)/pytest -n $(JOBS) -m 'not proof' --laws 50
	$(BIN)/pytest -m proof -s
	$(BIN)/python tests/bench/endurance.py 10
	-$(BENCH_FIRST)$(BIN)/python tests/bench/lateness.py --every 60 --seconds 300 --seeded 10000

BENCH = WRITE_DOCS=1 $(BENCH_FIRST)$(BIN)/python tests/bench
bench: $(VENV)/.dev ## what it costs, beside its targets, into docs/performance.md; half an hour
	-$(BENCH)/blackbox.py 5 200
	-$(BENCH)/ttft.py 5
	-$(BENCH)/once.py 5 500
	-$(BENCH)/stack.py 100 200
	-$(BENCH)/kuma.py 100 200
	-$(BENCH)/lateness.py 100 1000
	-$(BENCH)/start.py 5
	-$(BENCH)/endurance.py 5
	-$(BENCH)/many_vantages.py hub 120
	-$(BENCH)/storage.py 20000
	-$(BENCH)/history.py 1000
	-$(BENCH)/render.py 1000

shots: $(VENV)/.dev ## the README's pictures, small, with Debian's chromium
	cd tests/page && ../../$(BIN)/python shots.py

docs: $(VENV)/.docs ## the documentation as a site, in build/site; a link or anchor that leads nowhere ends it
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --site-dir build/site
	! grep -rlE '<(script|link|img|iframe)[^>]* (src|href)="?(https?:)?//' --include='*.html' build/site  # it fetches nothing from elsewhere

deb: ## a package for the Debian that this is, in build/deb, made by Debian's tools; downloads what is in it
	rm -rf build/deb && mkdir -p build/deb/monitor
	tar --exclude='./.*' --exclude=./build --exclude=./dist --exclude=./node_modules --exclude=__pycache__ -cf - . | tar -xf - -C build/deb/monitor
	cd build/deb/monitor && dpkg-buildpackage --no-sign --build=binary

release: $(VENV)/.dev $(VENV)/.release ## whether all that a release needs is there; then says what is left to a person, and does none of that
	@$(BIN)/python tests/release.py texts
	$(MAKE) test slow docs
	@$(BIN)/python tests/release.py packages

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
