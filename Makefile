# SPDX-License-Identifier: Apache-2.0
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
PY := .venv/bin/python
RUN := .venv/.run
DEV := .venv/.dev
TRAIN := .venv/.train
FPGA := .venv/.fpga
NET ?= expression
PRECISION ?= float
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: help
help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(RUN): requirements.txt setup.sh
	./setup.sh requirements.txt $@
$(DEV): requirements-dev.txt requirements-nodeps.txt requirements.txt setup.sh
	./setup.sh requirements-dev.txt $@
$(TRAIN): requirements-train.txt requirements-dev.txt requirements.txt setup.sh
	./setup.sh requirements-train.txt $@
$(FPGA): requirements-fpga.txt requirements-dev.txt requirements-nodeps.txt requirements.txt setup.sh
	./setup.sh requirements-fpga.txt $@

.PHONY: setup run demo list
setup: $(RUN) ## .venv with all that the program needs, models and demo clip
run: $(RUN) ## the program: camera, or the demo if there is none (ARGS="..." passes flags on)
	$(PY) -m app $(ARGS)
demo: $(RUN) ## the program on the built-in clip
	$(PY) -m app --source demo $(ARGS)
list: $(RUN) ## devices, backends with reasons, models
	$(PY) -m app --list

.PHONY: test check format lint types imports
test: $(DEV) ## the test suite
	$(PY) -m pytest $(ARGS)
check: $(DEV) lint types imports test ## format, lint, types, imports, tests: what CI calls
lint: $(DEV)
	$(PY) -m ruff format --check . && $(PY) -m ruff check .
types: $(DEV)
	$(PY) -m mypy
imports: $(DEV)
	.venv/bin/lint-imports
format: $(DEV) ## rewrite the sources in the one format
	$(PY) -m ruff format . && $(PY) -m ruff check --fix .

# glibc gives each large tensor back to the system at once, and fetching it again cost a third of the time of a run.
train explore: export MALLOC_MMAP_MAX_ = 0
train explore: export MALLOC_TRIM_THRESHOLD_ = 17179869184
train explore: export MALLOC_TOP_PAD_ = 268435456
.PHONY: test-train train explore convert proof
test-train: $(TRAIN) ## tests of training and conversion (needs PyTorch: a large download)
	$(PY) -m pytest tests/models/train $(ARGS)
train: $(TRAIN) ## train a network, resuming where it stopped: NET=expression PRECISION=float|w1a2 ARGS="--seed 1"
	$(PY) -m models.train $(NET) --precision $(PRECISION) $(ARGS)
explore: $(TRAIN) ## train and time a grid of networks: out/explore/report.html
	$(PY) -m models.train.explore $(ARGS)
convert: $(TRAIN) ## trained weights to .tflite files, the low-bit program, and cards
	$(PY) -m models.convert $(NET) $(ARGS)
proof: $(TRAIN) ## PyTorch, QONNX and the emulator give the same integers, layer by layer, on 500 real faces
	$(PY) -m models.convert.proof $(ARGS)

SMALLER := tests/fpga/test_layers.py tests/fpga/test_faults.py tests/fpga/test_networks.py
.PHONY: fpga-sim sim coverage formal lint-rtl synth
fpga-sim: $(FPGA) ## the simulated accelerator, for --backend fpga-sim (minutes; again only when its sources change)
	$(PY) -m fpga.sim.build
sim: fpga-sim ## the accelerator against the emulator: modules, layers, networks, faults, driver; smaller arrays too
	EDGE_SIM=px4 $(PY) -m pytest tests/fpga tests/device/fpga tests/device/test_backends.py tests/app/bench/test_accelerator.py $(ARGS)
	$(PY) -m fpga.sim.build --px 1 && EDGE_SIM=px1 $(PY) -m pytest $(SMALLER) $(ARGS)
	$(PY) -m fpga.sim.build --px 2 && EDGE_SIM=px2 $(PY) -m pytest $(SMALLER) $(ARGS)
coverage: $(FPGA) ## lines and signals of the accelerator that the simulations reach; fails below 95 % of the lines
	$(PY) -m fpga.sim.coverage $(ARGS)
formal: $(FPGA) ## FIFO, ring, credits and addresses proven by induction, and every proof refuted on planted bugs
	$(PY) -m fpga.formal.prove $(ARGS)
lint-rtl: $(FPGA) ## the accelerator through Verilator, Icarus and yosys without a warning
	$(PY) -m fpga.sim.lint
synth: $(FPGA) ## estimated area on the Cyclone V, module by module, and a routed slice; fails above the limits
	$(PY) -m fpga.syn.area $(ARGS)
	$(PY) -m fpga.syn.proxy

.PHONY: bundle
bundle: $(RUN) ## several low-bit networks into one arena: ARGS="expression -o out/demo.bundle"
	$(PY) -m models.convert.bundle $(ARGS)

.PHONY: bench soak crowd golden count translations
bench: $(DEV) ## speed beside a peer, association rate; writes out/bench.json
	$(PY) -m app.bench --peers --json out/bench.json $(ARGS)
soak: $(DEV) ## ten minutes on the demo: memory must not grow
	$(PY) -m app.bench.soak $(ARGS)
crowd: $(DEV) ## an hour of a made-up crowd through the hybrid tracker, faster than real time; memory must stay level
	$(PY) -m app.bench.crowd $(ARGS)
golden: $(DEV) ## record the golden files again
	PYTHONPATH=. $(PY) tests/data/record_faces.py
	$(PY) -m tests.device.lowbit.golden
	$(PY) -m tests.device.lowbit.golden_networks
count: $(DEV) ## instructions on an emulated Cortex-A9, low bits beside float; writes out/instructions.json
	$(PY) -m tests.arm.count --json out/instructions.json $(ARGS)
	$(PY) -m tests.arm.count --net flow --runs 3 --json out/instructions-flow.json
translations: $(DEV) ## collect the window's texts and compile the Japanese ones
	.venv/bin/pyside6-lupdate -locations none -no-obsolete app/ui/*.py -ts app/ui/translations/edge_vision_ja.ts
	.venv/bin/pyside6-lrelease app/ui/translations/edge_vision_ja.ts

.PHONY: clean
clean: ## remove what was built (the cache of fetched files stays)
	rm -rf .venv build out .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
