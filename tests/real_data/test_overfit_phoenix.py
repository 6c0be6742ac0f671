"""The recipe in scripts/configs/phoenix_overfit.yml learns five real German sentences by heart, umlauts included."""

import csv
from pathlib import Path

import pytest

from hf_slt.data.sources import convert_source
from hf_slt.training.arguments import AugmentationArguments, DataArguments, ModelArguments
from hf_slt.training.evaluate_slt import run_evaluate_slt
from hf_slt.training.evaluation_arguments import EvaluationArguments
from hf_slt.training.parsing import parse_arguments
from hf_slt.training.train_slt import run_train_slt
from hf_slt.training.training_arguments import SltTrainingArguments

CONFIG = Path(__file__).parents[2] / "scripts" / "configs" / "phoenix_overfit.yml"


@pytest.mark.real_data
def test_five_sentences_come_back_exactly(real_data_dir, tmp_path):
    corpus = convert_source("phoenix_skeletons", real_data_dir / "phoenix_skeletons", tmp_path / "corpus")
    data = ["--pose-dir", str(corpus / "pose"), "--metadata-csv", str(corpus / "meta.csv")]
    splits = ["--train-index", str(corpus / "index/train.csv")]
    run = tmp_path / "run"
    types = [DataArguments, ModelArguments, AugmentationArguments, SltTrainingArguments]
    arguments, effective = parse_arguments(
        types, [*data, *splits, "--config", str(CONFIG), "--output_dir", str(run), "--disable_tqdm", "true"]
    )
    run_train_slt(*arguments, effective)

    index = ["--checkpoint", str(run), "--index", str(corpus / "index/train.csv"), "--allow-overlap"]
    report = run_evaluate_slt(*parse_arguments([DataArguments, EvaluationArguments], [*data, *index])[0])
    (scores,) = report["checkpoints"]
    assert scores["exact_match"] == 100 and scores["cer"] == 0 and scores["clips"] == 5
    with (run / "eval_train" / "predictions.csv").open(encoding="utf-8", newline="") as file:
        predictions = {row["prediction"] for row in csv.DictReader(file)}
    assert "und nun die wettervorhersage für morgen donnerstag den zwölften august ." in predictions
