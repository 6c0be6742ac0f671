"""The recipe in scripts/configs/boston104.yml runs on the real corpus; its figures in README are of all its epochs."""

from pathlib import Path

import pytest

from hf_slt.data.sources import convert_source
from hf_slt.training.arguments import AugmentationArguments, DataArguments, ModelArguments
from hf_slt.training.evaluate_slt import run_evaluate_slt
from hf_slt.training.evaluation_arguments import EvaluationArguments
from hf_slt.training.parsing import parse_arguments
from hf_slt.training.train_slt import run_train_slt
from hf_slt.training.training_arguments import SltTrainingArguments

CONFIG = Path(__file__).parents[2] / "scripts" / "configs" / "boston104.yml"


@pytest.mark.real_data
def test_recipe_trains_and_reports_seen_and_unseen_sentences_apart(real_data_dir, tmp_path):
    corpus = convert_source("boston104", real_data_dir / "boston104", tmp_path / "corpus")
    data = ["--pose-dir", str(corpus / "pose"), "--metadata-csv", str(corpus / "meta.csv")]
    test, run = str(corpus / "index/test.csv"), str(tmp_path / "run")
    short = ["--config", str(CONFIG), "--output_dir", run, "--max-train-steps", "60", "--num-beams", "2"]
    types = [DataArguments, ModelArguments, AugmentationArguments, SltTrainingArguments]
    arguments, effective = parse_arguments(types, [*data, "--train-index", str(corpus / "index/train.csv"), *short])
    run_train_slt(*arguments, effective)

    argv = [*data, "--checkpoint", run, "--index", test]
    (scores,) = run_evaluate_slt(*parse_arguments([DataArguments, EvaluationArguments], argv)[0])["checkpoints"]
    assert (scores["clips"], scores["seen_clips"], scores["unseen_clips"]) == (40, 26, 14)
    low, high = scores["wer_interval"]
    assert low <= scores["wer"] <= high
    assert "tok:none" in scores["signature"]
    # Signs were learnt at all: most common glosses alone reach 80.
    assert scores["wer"] < 100
