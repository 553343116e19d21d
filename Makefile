PYTHON ?= python3
PROFILE ?= laptop

.PHONY: help book test ablation ablation-extra limits inside edits bench lab strip student

help: ## what can be made
	@$(PYTHON) ci/help.py

book: ## the book: environment, data, every chapter executed, HTML (PROFILE=smoke is the quick one)
	@$(PYTHON) ci/book.py --profile $(PROFILE)

test: ## style, unit tests, every chapter executed twice and compared, HTML without a warning
	@$(PYTHON) ci/test.py

ablation: ## Table 1 with five seeds into data/results/ (interrupted, it goes on)
	@$(PYTHON) ci/ablation.py --profile $(PROFILE)

ablation-extra: ## controls, experiments and mechanisms switched off, with three seeds
	@$(PYTHON) ci/ablation.py --extra --profile $(PROFILE)

limits: ## what limits the network: photographs, width or training
	@$(PYTHON) ci/limits.py --profile $(PROFILE)

inside: ## section 4.3 measured: fooling the full model, its maps, the rules it knows
	@$(PYTHON) ci/inside.py --profile $(PROFILE)

edits: ## what edits through the full model are truly worth, beside the best and others
	@$(PYTHON) ci/edits.py --profile $(PROFILE)

bench: ## speed and memory, as ratios measured in one run, into data/results/ (an idle machine)
	@$(PYTHON) ci/bench.py

lab: ## JupyterLab on the chapters
	@$(PYTHON) ci/lab.py

strip: ## the chapters as they are kept in git: no outputs, and the cell that installs the package
	@$(PYTHON) ci/strip.py

student: ## copies of the chapters without the solutions, to work in, into _build/student/
	@$(PYTHON) ci/student.py
