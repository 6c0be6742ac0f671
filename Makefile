PYTHON ?= python3

.PHONY: setup quality test demo

setup:  ## install the pinned set and hf_slt itself
	$(PYTHON) -m pip install -r requirements.txt

quality:  ## lint and formatting
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

test:  ## the whole suite; tests on real recordings skip without them
	$(PYTHON) -m pytest

demo:  ## train on the synthetic signer, three to four minutes on 2 cores
	accelerate launch scripts/train_slt.py --demo --output_dir runs/demo
