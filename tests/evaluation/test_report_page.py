"""The page of an evaluation: what it says, what it does not know, and that nothing of it is markup of others."""

import re

import pytest

from hf_slt.evaluation.report_facts import facts, format_number, score_rows, warnings_of
from hf_slt.evaluation.report_page import (
    Example,
    Picture,
    TokenWeights,
    render_report,
    table_of_csv,
    table_of_scores,
)

METRICS = {
    "model": "mine",
    "runtime": "torch",
    "split": "test",
    "n": 12,
    "bleu": 12.5,
    "bleu_interval": [10.0, 15.5],
    "cer": 70.0,
    "length_ratio": 1.1,
    "signature": "BLEU|nrefs:1",
    "selection": {"split": "validation", "rule": "the step with the lowest loss on the validation split"},
    "overlap": {"video_ids": 0, "groups": 0},
    "data_hash": "sha256:abc",
    "resamples": 1000,
    "seed": 42,
    "lowercase": False,
    "decoding": {"num_beams": 4, "length_penalty": None},
    "skipped_clips": 0,
}


def example(**changed):
    values = {
        "kind": "best",
        "video_id": "clip",
        "prediction": [("one", False)],
        "reference": [("one ", False), ("two", True)],
        "facts": {},
    }
    return Example(**{**values, **changed})


def page(metrics=METRICS, **parts):
    return render_report(metrics, *(parts.get(name, []) for name in ("tables", "pictures", "examples", "notes")))


def test_scores_stand_with_their_intervals_and_what_was_not_measured_is_said():
    text = page()
    assert "<title>mine · test</title>" in text and "12 clips" in text
    assert "BLEU-4<b>12.50</b>" in text
    assert "[10.00, 15.50]" in text
    assert "chrF<b>not measured</b>" in text
    assert "chrF++" not in text
    for value in ("BLEU|nrefs:1", "sha256:abc", METRICS["selection"]["rule"], "num_beams 4"):
        assert value in text


def test_an_empty_evaluation_has_a_page_too():
    text = page(metrics={})
    assert "<title>evaluation</title>" in text and "not known" in text


def test_text_of_others_is_never_markup():
    evil = '<script>alert("x")</script>'
    shown = example(
        video_id=evil,
        prediction=[(evil, True)],
        reference=[(evil, False)],
        facts={evil: evil},
        tokens=[TokenWeights(evil, "data:image/png;base64,AA==")],
        strips={evil: "data:image/png;base64,AA=="},
        frames=[1],
    )
    table = table_of_scores(evil, evil, {evil: {"bleu": 1.0}})
    picture = Picture(evil, "data:image/png;base64,AA==", evil)
    text = page({**METRICS, "model": evil}, tables=[table], pictures=[picture], examples=[shown], notes=[evil])
    assert "<script" not in text and text.count("&lt;script&gt;") >= 14


def test_the_page_is_one_file_without_network_or_script():
    text = page(examples=[example(strips={"face": "data:image/png;base64,AA=="}, frames=[3])])
    assert not re.search(r"<script|<link|@import|url\(|https?:", text)
    assert all(address.startswith("data:image/") for address in re.findall(r'src="([^"]*)"', text))
    assert "prefers-color-scheme: dark" in text and "@media print" in text


def test_what_differs_is_marked_without_the_space_behind_it():
    text = page({**METRICS, "language": "he"}, examples=[example(reference=[("one ", True), ("two", False)])])
    assert '<dd class="reference" dir="auto" lang="he"><mark>one</mark> two</dd>' in text
    assert '<dd class="prediction" dir="auto" lang="he">one</dd>' in text
    assert '<span class="quiet">(empty)</span>' in page(examples=[example(prediction=[])])


def test_kinds_stand_in_their_order_and_those_without_clips_are_left_out():
    text = page(examples=[example(kind="worst"), example(kind="best")])
    assert text.index("Best translations") < text.index("Worst translations")
    assert "Median translations" not in text


def test_pictures_of_signers_come_with_a_word_on_consent():
    strip = {"strips": {"face": "data:image/png;base64,AA=="}, "frames": [0]}
    assert "holds pictures of signers" in page(examples=[example(**strip)])
    assert "holds pictures of signers" not in page(examples=[example()])


def test_a_book_of_a_loop_is_cut():
    text = page(examples=[example(prediction=[("loop ", True)] * 5000)])
    assert 290 < text.count("<mark>loop</mark>") <= 300 and "…" in text


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({}, []),
        ({"overlap": None}, ["is not known"]),
        ({"overlap": {"video_ids": 3, "groups": 2}}, ["3 have the id .*, 2 the same signer, text and video"]),
        (
            {"overlap": {"video_ids": 3, "groups": None}},
            [r"3 have the id .* split \(how many the same .*: not known: .* no column video\)\. The scores"],
        ),
        ({"overlap": {"video_ids": 0, "groups": None}}, []),
        ({"skipped_clips": 4}, ["4 clips were not usable"]),
    ],
)
def test_what_speaks_against_the_scores_stands_at_the_top(changed, found):
    warnings = warnings_of({**METRICS, **changed})
    assert len(warnings) == len(found)
    assert all(re.search(pattern, warning) for pattern, warning in zip(found, warnings, strict=True))
    assert ('class="alarm"' in page({**METRICS, **changed})) == bool(found)


@pytest.mark.parametrize(
    ("overlap", "text"),
    [
        ({"video_ids": 3, "groups": 2}, "3 by their id; by signer, text and video: 2"),
        (
            {"video_ids": 0, "groups": None},
            "0 by their id; by signer, text and video: not known: the metadata, here or of the training run, has no "
            "column video",
        ),
        (None, "not known"),
    ],
)
def test_facts_tell_what_is_shared_and_what_is_not_known_of_it(overlap, text):
    assert dict(facts({**METRICS, "overlap": overlap}))["clips shared with training or validation"] == text
    assert text in page({**METRICS, "overlap": overlap})


def test_facts_say_what_is_known_of_an_abstention():
    abstention = {
        "threshold": -0.5,
        "target_risk": 10.0,
        "calibration_split": "validation",
        "calibration_clips": 80,
        "coverage": 0.75,
        "risk": 8.2,
    }
    known = dict(facts({**METRICS, "abstention": abstention}))
    assert "80 clips of validation for an error of at most 10 %: here 75.0 % answered" in known["abstention"]
    assert known["intervals"] == "95 % bootstrap over clips, 1000 resamples, seed 42"
    assert known["clips"] == "12 (0 more skipped as unusable)" and known["versions"] == "not known"
    assert "error of not measured" in dict(facts({"abstention": {**abstention, "risk": None}}))["abstention"]


def test_scores_know_which_way_is_up():
    rows = {row.label: row for row in score_rows(METRICS, ["bleu", "cer", "length_ratio", "wer"])}
    assert (rows["BLEU-4"].arrow, rows["CER"].arrow, rows["length ratio"].arrow) == ("↑", "↓", "")
    assert str(rows["CER"]) == "70.00" and str(rows["WER"]) == "not measured"
    assert format_number(-0.001) == "0.00" and format_number(-0.01) == "-0.01"


def test_tables_of_files_hold_intervals_in_the_cell_of_the_score(tmp_path):
    path = tmp_path / "per_signer.csv"
    path.write_text(
        "signer,clips,bleu,bleu_low,bleu_high,chrf,chrf_low,chrf_high,note\nA,3,1.5,1,2,50,,,few\n,2,3,2,4,,,,\n"
    )
    table = table_of_csv("By signer", path)
    assert table.columns == ["signer", "clips", "BLEU-4", "chrF", "note"]
    assert table.rows == [
        ["A", "3", "1.50 [1.00, 2.00]", "50.00", "few"],
        ["unknown", "2", "3.00 [2.00, 4.00]", "not measured", ""],
    ]
    path.write_text("signer,clips\n" + "A,1\n" * 250)
    assert (len(table_of_csv("By signer", path).rows), table_of_csv("By signer", path).left_out) == (200, 50)
    path.write_text("signer,clips\n")
    assert table_of_csv("By signer", path) is None and table_of_csv("By signer", tmp_path / "none.csv") is None


def test_tables_of_groups_show_what_any_of_them_has():
    groups = {"seen": {"bleu": 5.0, "bleu_interval": [4, 6], "clips": 7}, "unseen": {"bleu": 1.0, "wer": 2.0}}
    table = table_of_scores("Sentences", "group", groups)
    assert table.columns == ["group", "clips", "BLEU-4", "WER"]
    assert table.rows == [["seen", "7", "5.00 [4.00, 6.00]", "not measured"], ["unseen", "", "1.00", "2.00"]]
    assert table_of_scores("Sentences", "group", {}) is None
