PYTHON ?= python3

.PHONY: setup extraction quality test test-latest test-lowest demo

setup:  ## install the pinned set and hf_slt itself
	$(PYTHON) -m pip install -r requirements.txt

extraction:  ## install what turns videos into landmarks and crops (Python 3.11 or 3.12)
	$(PYTHON) -m pip install -e '.[extraction]'
	$(PYTHON) -m pip install --no-deps mediapipe==0.10.21

quality:  ## lint, formatting and types
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy

test:  ## the whole suite; tests on real recordings skip without them
	$(PYTHON) -m pytest

.venvs/%/ready: .ci/requirements-%.txt
	$(PYTHON) -m venv --clear .venvs/$*
	.venvs/$*/bin/python -m pip install -r $<
	.venvs/$*/bin/python -m pip check
	touch $@

# What each set saves, the other one opens (tests/models/test_specimens.py).
test-latest test-lowest: test-%: .venvs/%/ready  ## the suite on the latest, or the lowest, versions, in an environment of their own
	$(PYTHON) tests/specimens.py .venvs/specimens-$*/pinned
	.venvs/$*/bin/python tests/specimens.py .venvs/specimens-$*/$*
	HF_SLT_SPECIMENS=.venvs/specimens-$* $(PYTHON) -m pytest tests/models/test_specimens.py
	HF_SLT_SPECIMENS=.venvs/specimens-$* PATH="$(CURDIR)/.venvs/$*/bin:$$PATH" python -m pytest

.PRECIOUS: .venvs/%/ready

demo:  ## train on the synthetic signer, three to four minutes on 2 cores
	accelerate launch scripts/train_slt.py --demo --output_dir runs/demo
