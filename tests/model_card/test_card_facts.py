"""Facts of data and training: what the files recorded goes before what a person or a plan says."""

import json
import logging

import pytest
from card_runs import COUNTED, METRICS, SETTINGS, write_object

from hf_slt.model_card import render_model_card


def set_seconds(folder, seconds):
    splits = {**COUNTED, "train": {**COUNTED["train"], "seconds": seconds}}
    write_object(folder / "contract_report.json", {"splits": splits})
    return folder


@pytest.mark.parametrize(
    ("fps", "warnings"),
    [(25, ["says 25 frames a second, the data of the train split 12.5: its hours are"]), (12.4, [])],
)
def test_hours_are_those_of_the_data(make_run, caplog, fps, warnings):
    with caplog.at_level(logging.WARNING, "hf_slt"):
        text = render_model_card(set_seconds(make_run(), 720.0), {"fps": fps})
    assert "| train | 3 | 2 | 9000 | 0.20 |" in text  # not 0.10, which 25 frames a second give
    assert [record.message for record in caplog.records if not any(part in record.message for part in warnings)] == []
    assert len(caplog.records) == len(warnings)


def test_hours_of_the_data_need_no_person(make_run):
    assert "| train | 3 | 2 | 9000 | 0.20 |" in render_model_card(set_seconds(make_run(), 720.0))
    assert "| train | 3 | 2 | 9000 | not measured |" in render_model_card(make_run("b"))


def test_epochs_and_steps_that_were_trained_are_told_from_those_that_were_planned(make_run):
    folder = make_run()
    write_object(folder / "train_results.json", {"epoch": 11.5, "train_loss": 1.0})
    text = render_model_card(folder)
    assert "| epochs (trained) | 11.5 |" in text and "| epochs (planned) | 40 |" in text and "steps (" not in text
    write_object(folder / "trainer_state.json", {"epoch": 12.0, "global_step": 1234567890, "log_history": []})
    text = render_model_card(folder)
    assert "| epochs (trained) | 12 |\n| steps (trained) | 1234567890 |" in text and "11.5" not in text
    assert "(trained)" not in render_model_card(make_run("b"))


def test_a_number_of_steps_leaves_no_planned_epochs(make_run):
    text = render_model_card(make_run(settings={**SETTINGS, "max_steps": 300}))
    assert "| steps (planned) | 300 |" in text and "epochs (planned)" not in text


def test_the_language_of_the_run(make_run, caplog):
    folder = make_run(settings={**SETTINGS, "language": "zh-TW"})
    text = render_model_card(folder)
    assert "Language of the sentences: zh-TW." in text and "language:\n- zh\n" in text
    with caplog.at_level(logging.WARNING, "hf_slt"):
        assert "language:\n- zh\n" in render_model_card(folder, {"language": "zh"})
        assert caplog.text == ""
        assert "Language of the sentences: de." in render_model_card(folder, {"language": "de"})
    assert "says the language de, the run --language zh-TW: the card shows the former" in caplog.text


def test_scores_that_a_file_does_not_know_have_no_row(make_run):
    folder = make_run(metrics={**METRICS, "aurc": None, "ter": 60.0})
    write_object(folder / "eval_results.json", {"eval_bleu": 30.0, "eval_chrf": 1.0})
    text = render_model_card(folder)
    test, validation = text.partition("### Split `test`")[2].split("### Split `validation`")
    assert "| area under the risk-coverage curve (%) | not measured |" in test and "| TER (%) | 60.00 |" in test
    rows = [line.split(" | ")[0] for line in validation.splitlines() if line.startswith("| ")]
    assert rows[:6] == ["| score", "| ---", "| BLEU-4", "| chrF", "| CER (%)", "| WER (%)"]
    assert "TER" not in validation and "risk-coverage" not in validation


def test_the_card_says_how_to_install_hf_slt(make_run):
    assert "With `hf_slt` installed (`pip install .` in a clone of the hf_slt repository):" in render_model_card(
        make_run()
    )


def test_seconds_of_a_split_are_known_where_each_clip_has_a_length(tmp_path):
    from contract_checks import check_corpus
    from factories import write_corpus

    texts, splits = {"a": "x", "b": "y", "c": "z"}, {"train": ["a", "b"], "validation": ["c"], "test": []}
    paths = write_corpus(tmp_path, texts, {k: v for k, v in splits.items() if v}, streams=("pose",))
    paths.metadata_csv.write_text("video_id,text,duration,fps\na,x,2.5,50\nb,y,,12\nc,z,,\n", encoding="utf-8")
    records, report = check_corpus(paths)
    frames = records["train"][1].n_frames
    assert report.splits["train"]["seconds"] == pytest.approx(2.5 + frames / 12, abs=1e-3)
    assert "seconds" not in report.splits["validation"] and json.dumps(report.splits)
