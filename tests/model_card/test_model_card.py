"""The card of a run: its numbers with all that they mean, as text and as metadata of the hub."""

import logging
import os
import re

import pytest
from card_runs import METRICS, SIGNATURE, write_object
from huggingface_hub import ModelCard
from huggingface_hub.repocard_data import eval_results_to_model_index, model_index_to_eval_results

from hf_slt.errors import ConfigurationError, MissingDependencyError
from hf_slt.evaluation.metrics import compute_phoenix_legacy
from hf_slt.model_card import card, card_pictures, render_model_card, write_model_card

INFO = {
    "language": "es",
    "sign_language": "Argentine Sign Language",
    "sign_language_code": "aed",
    "license": "cc-by-4.0",
    "dataset_name": "My | corpus",
    "dataset_license": "research only",
    "dataset_ids": "me/corpus",
    "fps": 25,
    "limits": ["News only."],
    "pretrained_licenses": {"google-t5/t5-small": "Apache-2.0"},
}


def rows_of(text, start):
    return [line for line in text.splitlines() if line.startswith(f"| {start}")]


def test_scores_stand_with_their_interval_size_split_and_signature(make_run):
    text = render_model_card(make_run(), INFO)
    assert "### Split `test`: 2 clips" in text and "| score | value | 95 % interval |" in text
    assert "| BLEU-4 | 21.46 | 18.20 to 24.71 |" in text and f"- Signature: `{SIGNATURE}`" in text
    assert "| chrF | 40.00 | not measured |" in text
    assert "| CER (%) | not measured | not measured |" in text  # NaN
    assert "| WER (%) | not measured | not measured |" in text  # a main score, absent
    assert not any(
        name in text for name in ("| TER (%)", "chrF++ |", "risk-coverage")
    )  # of which the file knows nothing
    assert "(1000 resamples, seed 0)" in text and "- Data hash: `sha256:0123`" in text
    assert "- Rule: the step with the highest bleu\n- Split that chose: validation\n- Criterion: bleu (max)" in text
    assert "- Clips shared with training or validation: none\n" in text
    assert "- Decoding: num_beams 4, length_penalty 1.0" in text


def test_data_and_licences(make_run):
    text = render_model_card(make_run(), INFO)
    assert "| train | 3 | 2 | 9000 | 0.10 |" in text  # 9000 frames of 25 a second
    assert "| test | 2 | 2 | not measured | not measured |" in text
    assert "5 clips broke the data contract and were left out." in text
    assert "Of 2 different test sentences, 1 also occur in training or validation." in text
    assert "| data: My \\| corpus | research only |" in text
    assert "| pretrained, text decoder: `google-t5/t5-small` | Apache-2.0 |" in text
    assert "| pretrained, image backbone: `vit` | not documented |" in text
    assert "| weights | cc-by-4.0 |" in text and "- Parameters: 1.25 million" in text
    assert "- Consent: not documented" in text and "Signers: not documented" in text and "- News only." in text


def test_how_to_reproduce_has_no_path_of_the_machine(make_run):
    folder = make_run()
    text = render_model_card(folder, INFO)
    command, *_ = text.partition("```bash\n")[2].replace(" \\\n ", "").splitlines()
    flags = "--pose-dir D/pose --metadata-csv D/meta.csv --train-index D/index/train.csv --val-index D/index/val.csv"
    start = "accelerate launch scripts/train_slt.py --config run_config.json"
    assert command == f"{start} {flags} --test-index D/index/test.csv --output_dir runs/mine"
    assert (
        "python scripts/eval_slt.py --checkpoint runs/mine --pose-dir D/pose" in text
        and "--index D/index/test.csv" in text
    )
    assert "| seed | 7 |" in text and "| epochs (planned) | 40 |" in text and "transformers 4.57.6" in text
    assert "alice" not in text and "hf_secret" not in text and str(folder.parent) not in text


def test_metadata_is_what_the_hub_reads(make_run, tmp_path):
    path = write_model_card(make_run(), INFO, name="mine", folder=tmp_path / "card")
    loaded = ModelCard.load(path)
    data = loaded.data
    assert str(loaded) == path.read_text(encoding="utf-8")
    assert (data.library_name, data.pipeline_tag, data.license) == ("transformers", "translation", "cc-by-4.0")
    assert (
        data.language == ["es", "aed"] and data.datasets == ["me/corpus"] and data.base_model == ["google-t5/t5-small"]
    )
    assert data.metrics == ["bleu", "chrf"] and "sign-language-translation" in data.tags
    name, results = model_index_to_eval_results(eval_results_to_model_index("mine", data.eval_results))
    bleu, chrf = results
    assert (name, bleu.metric_value, bleu.dataset_split, bleu.dataset_type) == ("mine", 21.46, "test", "me/corpus")
    args = {"interval": [18.2, 24.71], "confidence": 0.95, "n": 2, "signature": SIGNATURE.split()[0]}
    args |= METRICS["decoding"]
    assert bleu.metric_args == args and bleu.dataset_args == {"n": 2, "data_hash": "sha256:0123"}
    assert chrf.metric_args == {"n": 2, "signature": SIGNATURE.split()[1], **METRICS["decoding"]}


def test_nothing_is_claimed_without_scores_settings_or_info(make_run):
    text = render_model_card(make_run(metrics=None, settings=None))
    assert "Scores: not measured." in text and "Settings: not recorded." in text and "Command: not recorded." in text
    assert (
        "Corpus: not documented." in text and "Limits: not documented" in text and "unknown: no run_config.json" in text
    )
    assert "model-index" not in text and "No part was pretrained" not in text and "license:" not in text


def test_an_override_of_the_guard_is_printed(make_run):
    text = render_model_card(make_run(metrics={**METRICS, "overlap": {"video_ids": 3, "groups": 1}}))
    assert "model-index" not in text and "| BLEU-4 | 21.46 |" in text  # the metadata has no place for a caveat
    assert "3 clips by their id, 1 clips by signer, text and source video **(the guard was overridden" in text
    unknown = render_model_card(make_run("b", metrics={**METRICS, "overlap": None}))
    assert "- Clips shared with training or validation: not recorded\n" in unknown and "overridden" not in unknown
    half = render_model_card(make_run("c", metrics={**METRICS, "overlap": {"video_ids": 0, "groups": None}}))
    assert "none by their id; groups of signer, text and source video: not recorded\n" in half


def test_scores_on_training_clips_are_marked_and_no_metadata(make_run):
    folder = make_run()
    write_object(folder / "eval_train" / "metrics.json", {**METRICS, "split": "train", "bleu": 99.5})
    text = render_model_card(folder)
    assert text.count("**The model was trained on this split: its scores are too good**") == 1
    assert "| BLEU-4 | 99.50 |" in text and "value: 99.5" not in text and "value: 21.46" in text


def test_evaluations_of_one_split_are_kept_apart(make_run):
    folder = make_run()
    other = {**METRICS, "bleu": 50.0, "n": 7, "data_hash": "sha256:other", "decoding": {"num_beams": 1}}
    write_object(folder / "eval_b" / "metrics.json", other)
    text = render_model_card(folder)
    assert "### Split `test`: 2 clips, from `eval_test`" in text and "### Split `test`: 7 clips, from `eval_b`" in text
    found = {
        result.dataset_config: (result.metric_value, result.dataset_args, result.metric_args["num_beams"])
        for result in ModelCard(text).data.eval_results
        if result.metric_type == "bleu"
    }
    assert found == {
        "eval_test": (21.46, {"n": 2, "data_hash": "sha256:0123"}, 4),
        "eval_b": (50.0, {"n": 7, "data_hash": "sha256:other"}, 1),
    }


def test_scores_of_the_run_itself_where_no_evaluation_has_the_split(make_run):
    folder = make_run()
    write_object(folder / "test_results.json", {"test_bleu": 99.0})
    write_object(folder / "eval_results.json", {"eval_bleu": 30.0, "eval_bleu_interval": [29, 31], "epoch": 2})
    text = render_model_card(folder)
    assert "99.00" not in text and "| BLEU-4 | 30.00 | 29.00 to 31.00 |" in text
    assert text.index("### Split `test`") < text.index("### Split `validation`: 1 clips")
    assert text.count("**The run chose its weights on this split: its scores are too good**") == 1
    assert "value: 30.0" not in text  # of the model-index: there is a better split


def test_an_evaluation_of_earlier_weights_is_left_out(make_run, caplog):
    folder = make_run()
    os.utime(folder / "eval_test" / "metrics.json", (0, 0))
    os.utime(folder / "model.safetensors", (9, 9))
    with caplog.at_level(logging.WARNING, "hf_slt"):
        assert "Scores: not measured." in render_model_card(folder)
    assert "metrics.json is older than the weights beside it: it is left out of the model card" in caplog.text


def test_signers_are_numbers_unless_their_names_may_be_shown(make_run):
    folder = make_run()
    table = "signer,clips,bleu,bleu_low,bleu_high,note\nAda|Lovelace,12,20.0,10.0,30.0,few\n007,3,,,,few\n"
    (folder / "eval_test" / "per_signer.csv").write_text(table, encoding="utf-8")
    assert "| 1 | 12 | 20.00 [10.00, 30.00] |\n| 2 | 3 | not measured |" in render_model_card(folder)
    shown = render_model_card(folder, {"show_signers": True})
    assert "| Ada\\|Lovelace | 12 | 20.00 [10.00, 30.00] |\n| 007 | 3 | not measured |" in shown


def test_parts_streams_and_abstention(make_run):
    legacy = compute_phoenix_legacy(["a b c d e", "x"], ["a b c d e", "y"])
    extra = {
        "unseen": {"n": 1, "bleu": 5.0, "bleu_interval": [1, 9]},
        "phoenix_legacy": legacy,
        "ablation": {"without pose": {"bleu": 2.0}},
        "abstention": {
            **{"threshold": -0.5, "target_risk": 20, "calibration_clips": 80, "calibration_split": "val"},
            **{"coverage": 0.25, "risk": None},
        },
    }
    text = render_model_card(make_run(metrics={**METRICS, **extra}))
    assert "| Sentences that do not | 1 | 5.00 [1.00, 9.00] |" in text
    table = text.partition("PHOENIX legacy")[2]
    for label, key in {
        "BLEU-1": "bleu1",
        "BLEU-4": "bleu4",
        "ROUGE-L": "rouge_l",
        "WER (%)": "wer",
        "chrF": "chrf",
    }.items():
        assert f"| {label} | {legacy[key]:.2f} |\n" in table
    assert f"- Signature: `{legacy['signature']}`" in table and "tok:none" in legacy["signature"]
    assert "| without pose | 2.00 |" in text
    assert "a share of 0.25 with a risk of not measured %" in text


def test_a_card_of_a_person_is_never_overwritten(make_run, tmp_path, caplog):
    folder = make_run()
    (folder / "README.md").write_text("# Mine\n", encoding="utf-8")
    with caplog.at_level(logging.WARNING, "hf_slt"):
        assert write_model_card(folder) == folder / "README.md"
        staged = write_model_card(folder, folder=tmp_path / "staged")
    assert staged.read_text(encoding="utf-8") == (folder / "README.md").read_text(encoding="utf-8") == "# Mine\n"
    assert "was written by a person and is kept as the model card" in caplog.text


def test_our_own_card_is_written_again(make_run):
    folder = make_run()
    first = write_model_card(folder, {"name": "best"}).read_text(encoding="utf-8")
    assert write_model_card(folder, {"name": "other"}).read_text(encoding="utf-8") == re.sub(
        r"(?m)^(# |- name: )best$", r"\1other", first
    )


def test_pictures_of_training_and_of_evaluations(make_run):
    folder = make_run()
    (folder / "train_log.csv").write_text("epoch,step,loss\n1,10,2.0\n2,20,1.0\n", encoding="utf-8")
    for name in ("length.png", "attention.png"):
        (folder / "eval_test" / name).write_bytes(b"png")
    text = write_model_card(folder).read_text(encoding="utf-8")
    picture = "![Length of predictions and references, and scores by length](eval_test/length.png)"
    places = [
        text.index(part) for part in ("## Evaluation", picture, "## Training", "![Training](training_curves.png)")
    ]
    assert places == sorted(places) and text.count("eval_test/length.png") == 1
    assert "attention.png" not in text  # it shows sentences
    assert list(card_pictures(folder)) == ["training_curves.png", "eval_test/length.png"]
    write_object(folder / "eval_test" / "metrics.json", {**METRICS, "model_hash": "sha256:of other weights"})
    assert list(card_pictures(folder)) == ["training_curves.png"]
    assert (folder / "training_curves.png").read_bytes().startswith(b"\x89PNG")


def test_no_curves_without_matplotlib_or_numbers(make_run, monkeypatch, caplog):
    from hf_slt.evaluation import training_curves

    folder = make_run()
    (folder / "train_log.csv").write_text("epoch,step,loss\n", encoding="utf-8")
    with caplog.at_level(logging.WARNING, "hf_slt"):
        assert not card.draw_curves(folder / "a.png", folder / "train_log.csv")

        def missing(*_):
            raise MissingDependencyError("pip install 'hf_slt[plots]'")

        monkeypatch.setattr(training_curves, "plot_training_curves", missing)
        assert "training_curves.png" not in write_model_card(folder).read_text(encoding="utf-8")
    assert caplog.text.count("no training curves in the model card") == 2 and "hf_slt[plots]" in caplog.text


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "expected the folder of a trained model, with config.json"),
        ({"model_type": "t5"}, "expected a model type out of multistream_slt, sign_transformer.*found 't5'"),
    ],
)
def test_a_folder_of_something_else(make_run, config, message):
    with pytest.raises(ConfigurationError, match=message):
        render_model_card(make_run(config=config))


def test_a_file_that_is_damaged_is_named(make_run):
    folder = make_run()
    (folder / "splits.json").write_text("[1", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"expected a JSON object for the model card, found .*splits\.json"):
        render_model_card(folder)


@pytest.mark.parametrize("content", ['{"train": 5}', '{"train": {}, "test": []}'])
def test_members_of_splits_are_objects(make_run, content):
    folder = make_run()
    (folder / "splits.json").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"expected an object for each split in .*splits\.json, found"):
        render_model_card(folder)


def test_a_card_that_is_no_text_is_named(make_run):
    folder = make_run()
    (folder / "README.md").write_bytes("# Se\u00f1as".encode("latin-1"))
    with pytest.raises(ConfigurationError, match=r"expected a model card in UTF-8, found .*README\.md: .*save it"):
        write_model_card(folder)
