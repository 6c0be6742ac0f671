"""Cards that real runs leave behind."""

import json
import logging
import shutil

from card_runs import METRICS, write_object
from huggingface_hub import ModelCard

import hf_slt
from hf_slt.model_card import load_card_info, render_model_card, run_card, write_model_card
from hf_slt.model_card.rendering import templates_folder
from hf_slt.model_card.run_card import refresh_run_card, write_run_card
from hf_slt.training.model_hash import hash_weights


def text_of(run):
    return (run / "README.md").read_text(encoding="utf-8")


def data_hashes(run):
    return {split: part["data_hash"] for split, part in json.loads((run / "splits.json").read_text()).items()}


def test_a_translation_run_leaves_a_card(translation_run):
    text, results = text_of(translation_run), json.loads((translation_run / "test_results.json").read_text())
    low, high = results["test_chrf_interval"]
    assert f"| chrF | {results['test_chrf']:.2f} | {low:.2f} to {high:.2f} |" in text
    assert "### Split `test`: 1 clips" in text and results["test_signature"] in text
    assert "the lowest loss on the validation split" in text and "| train | 4 | 4 |" in text
    assert f"hf_slt {hf_slt.__version__}" in text and "torch 2." in text
    assert "D/index/train.csv" in text and str(translation_run.parent) not in text and "someone" not in text
    hashes = data_hashes(translation_run)
    assert f"- Data hash: `{hashes['test']}`" in text
    assert (
        f"- Data hash of the training: train `{hashes['train']}`, validation `{hashes['validation']}`, test `" in text
    )
    data = ModelCard.load(translation_run / "README.md").data
    assert data.pipeline_tag == "translation" and data.eval_results[0].metric_args["n"] == 1


def test_a_gloss_run_leaves_a_card(gloss_run):
    text, results = text_of(gloss_run), json.loads((gloss_run / "test_results.json").read_text())
    low, high = results["test_accuracy_interval"]
    assert f"| top-1 accuracy | {results['test_accuracy']:.3f} | {low:.3f} to {high:.3f} |" in text
    assert "4 glosses, 2 categories" in text and "| train | 16 | 1 |" in text
    assert "Signers of the test split who also occur in training or validation: none." in text
    assert "the highest accuracy on the validation split" in text
    assert "--keypoints D/test --labels-csv D/test.csv" in text and "someone" not in text
    data = ModelCard.load(gloss_run / "README.md").data
    assert data.pipeline_tag == "video-classification" and data.eval_results[0].metric_type == "accuracy"
    assert data.eval_results[0].metric_args["n"] == 4


def test_an_evaluation_refreshes_the_card_of_its_run(translation_run, gloss_run, tmp_path):
    from hf_slt.training.arguments import DataArguments
    from hf_slt.training.evaluate_gloss import run_evaluate_gloss
    from hf_slt.training.evaluate_slt import run_evaluate_slt
    from hf_slt.training.evaluation_arguments import EvaluationArguments
    from hf_slt.training.gloss_evaluation_arguments import GlossEvaluationArguments

    run, gloss = shutil.copytree(translation_run, tmp_path / "run"), shutil.copytree(gloss_run, tmp_path / "gloss")
    assert "from `eval_test`" not in text_of(run) and "from `eval_test`" not in text_of(gloss)
    settings = json.loads((run / "run_config.json").read_text())
    data = DataArguments(pose_dir=settings["pose_dir"], metadata_csv=settings["metadata_csv"])
    (run / "versions.json").write_text('{"torch": "of the training"}')
    own = {"checkpoint": [str(run)], "index": settings["test_index"], "num_workers": 0, "device": "cpu"}
    run_evaluate_slt(data, EvaluationArguments(**own, resamples=0))
    text = text_of(run)
    assert (
        "### Split `test`: 1 clips, from `eval_test`" in text and "- Versions of the training: torch of the t" in text
    )
    assert "![Risk of the answered clips over their share](eval_test/risk_coverage.png)" in text
    settings = json.loads((gloss / "run_config.json").read_text())
    clips = {"keypoints": settings["keypoints_test"], "labels_csv": settings["labels_test_csv"]}
    run_evaluate_gloss(GlossEvaluationArguments(str(gloss), **clips, cache_dir=settings["cache_dir"], resamples=0))
    assert "### Split `test`: 4 clips, from `eval_test`" in text_of(gloss)


def test_a_refreshed_card_loses_nothing_that_a_person_said(make_run, tmp_path, monkeypatch, caplog):
    folder = make_run(metrics=None)
    results = folder / "eval_test"
    refresh_run_card(folder, results)
    assert not (folder / "README.md").exists()  # a folder without a card gets none
    told = ({"info": {"limits": "Few."}}, {"repo_id": "me/mine"}, {"name": "B"})
    for text in ("# Mine\n", *(write_model_card(folder, **facts).read_text() for facts in told)):
        (folder / "README.md").write_text(text)
        refresh_run_card(folder, results)
        assert text_of(folder) == text
    (folder / "README.md").unlink()
    before = write_model_card(folder).read_text()
    write_object(results / "metrics.json", METRICS)
    refresh_run_card(folder, tmp_path / "eval_test")
    refresh_run_card(folder, folder / "scores")
    assert text_of(folder) == before  # these results are in no place that a card shows
    monkeypatch.setattr(run_card, "write_model_card", lambda folder: 1 / 0)
    with caplog.at_level(logging.WARNING, "hf_slt"):
        refresh_run_card(folder, results)
    assert "no new model card: division by zero; the evaluation itself is complete" in caplog.text
    monkeypatch.undo()
    refresh_run_card(folder, results)
    assert "| BLEU-4 | 21.46 |" in text_of(folder) and not (folder / "versions.json").exists()


def test_an_evaluation_hashes_the_clips_and_the_weights_as_the_run_did(translation_run, tmp_path):
    from hf_slt.training.arguments import DataArguments
    from hf_slt.training.evaluate_slt import run_evaluate_slt
    from hf_slt.training.evaluation_arguments import EvaluationArguments

    settings = json.loads((translation_run / "run_config.json").read_text())
    data = DataArguments(pose_dir=settings["pose_dir"], metadata_csv=settings["metadata_csv"])
    own = {"checkpoint": [str(translation_run)], "index": settings["test_index"], "output_dir": str(tmp_path / "out")}
    run_evaluate_slt(data, EvaluationArguments(**own, num_workers=0, device="cpu", resamples=0))
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["data_hash"] == data_hashes(translation_run)["test"]
    assert metrics["model_hash"] == hash_weights(translation_run)


def test_a_gloss_evaluation_does_too(gloss_run, tmp_path):
    from hf_slt.training.evaluate_gloss import run_evaluate_gloss
    from hf_slt.training.gloss_evaluation_arguments import GlossEvaluationArguments

    settings = json.loads((gloss_run / "run_config.json").read_text())
    clips = {"keypoints": settings["keypoints_test"], "labels_csv": settings["labels_test_csv"]}
    places = {"cache_dir": settings["cache_dir"], "output_dir": str(tmp_path / "out")}
    metrics = run_evaluate_gloss(GlossEvaluationArguments(checkpoint=str(gloss_run), **clips, **places, resamples=0))
    assert metrics["data_hash"] == data_hashes(gloss_run)["test"] and metrics["model_hash"] == hash_weights(gloss_run)


def test_facts_of_the_nepali_alphabet_fit_a_gloss_run(gloss_run):
    text = render_model_card(gloss_run, load_card_info(templates_folder() / "nsl_alphabet.yml"))
    assert "# nsl-alphabet\n" in text and "not documented" not in text.partition("## Licences")[0].replace(
        "not documented with the landmarks", ""
    )
    assert "| `conv_transformer` (1.9 M parameters) | 0.90 [0.83, 0.95]; seed 1: 0.93 [0.88, 0.97] |" in text


def test_a_card_that_fails_does_not_cost_the_run(tmp_path, monkeypatch, caplog):
    def fail(folder):
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr(run_card, "write_model_card", fail)
    with caplog.at_level(logging.WARNING, "hf_slt"):
        write_run_card(tmp_path)
    assert "no model card: of all things; the run itself is complete" in caplog.text
    assert json.loads((tmp_path / "versions.json").read_text())["hf_slt"] == hf_slt.__version__
