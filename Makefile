PYTHON ?= python3
PROFILE ?= laptop

.PHONY: help book test lab strip

help: ## what can be made
	@$(PYTHON) ci/help.py

book: ## the book: environment, data, every chapter executed, HTML (PROFILE=smoke is the quick one)
	@$(PYTHON) ci/book.py --profile $(PROFILE)

test: ## style, unit tests, every chapter executed twice and compared, HTML without a warning
	@$(PYTHON) ci/test.py

lab: ## JupyterLab on the chapters
	@$(PYTHON) ci/lab.py

strip: ## remove the outputs from the chapters, as they are kept in git
	@$(PYTHON) ci/strip.py
