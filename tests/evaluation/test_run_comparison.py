"""Two systems on the same clips: matched by id, refused where they differ, broken down by signer and length."""

import dataclasses

import pytest

from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.comparison_text import format_comparison
from hf_slt.evaluation.corpus_statistics import collect_statistics
from hf_slt.evaluation.run_comparison import compare_outputs
from hf_slt.evaluation.significance import compare_systems
from hf_slt.evaluation.system_outputs import RunMismatchError, SystemOutput, read_output

LONG = "uno dos tres cuatro cinco seis siete"
ROWS = {"a": ("hola", "hola", "ana"), "b": ("sí", "no", "ana"), "c": (LONG, LONG, "ben"), "d": ("x", LONG, "")}


def write(path, rows, header="video_id,prediction,reference,signer"):
    columns = header.count(",") + 1
    lines = [",".join((identity, *cells)[:columns]) for identity, cells in rows.items()]
    path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    return path


def other_predictions(rows=ROWS):
    return {identity: ("no", *cells[1:]) for identity, cells in reversed(rows.items())}


@pytest.fixture
def systems(tmp_path):
    paths = [write(tmp_path / "one.csv", ROWS), write(tmp_path / "two.csv", other_predictions())]
    return [read_output(path) for path in paths]


def test_rows_are_matched_by_id(systems):
    comparison = compare_outputs(*systems, ["wer", "chrf", "wer"], resamples=20, seed=3)
    references = [cells[1] for cells in ROWS.values()]
    own = [collect_statistics(texts, references, metrics=("wer", "chrf"), warn=False) for texts in
           ([cells[0] for cells in ROWS.values()], ["no"] * 4)]  # fmt: skip
    expected = compare_systems(*own, resamples=20, seed=3)
    assert comparison["scores"] == {name: score.to_dict() for name, score in expected.items()}
    assert list(comparison["scores"]) == ["wer", "chrf"]
    assert comparison["scores"]["wer"]["a"] == pytest.approx(100 * 8 / 16)
    assert comparison["scores"]["wer"]["b"] == pytest.approx(100 * 15 / 16)
    assert (comparison["n"], comparison["only_a"], comparison["only_b"]) == (4, 0, 0)
    assert comparison["signature"].startswith("chrF2|nrefs:1")


def test_tables_by_signer_and_by_length(systems):
    comparison = compare_outputs(*systems, ["wer"], resamples=20)
    signers = {row["group"]: (row["n"], row["wer"]["a"], row["wer"]["b"]) for row in comparison["per_signer"]}
    assert signers == {"ana": (2, 50, 50), "ben": (1, 0, 100), "": (1, 100, 100)}
    lengths = {row["group"]: (row["n"], row["wer"]["difference"]) for row in comparison["per_length"]}
    assert lengths == {"1-5": (2, 0), "6-10": (2, 50)}
    everything = compare_outputs(*systems, resamples=5)
    assert len(everything["scores"]) == 14
    assert list(everything["per_length"][0]) == ["group", "n", "bleu", "chrf", "cer", "wer"]


def test_signers_of_the_metadata(systems):
    signers = {"c": "x", "b": "y", "a": "x", "other": "z"}
    comparison = compare_outputs(*systems, ["wer"], resamples=5, signers=signers)
    assert [(row["group"], row["n"]) for row in comparison["per_signer"]] == [("x", 2), ("y", 1), ("", 1)]
    assert "the signers of 1 of the 4 clips are not known" in format_comparison(comparison)
    comparison = compare_outputs(*systems, ["wer"], resamples=5, signers=dict.fromkeys("abcd", "x"))
    assert "not known" not in format_comparison(comparison)
    for unknown, found in (({"A": "x"}, "; it has 'A'"), ({}, "")):
        message = f"the metadata\n    expected: the signers .*\n    found:    none of the 4, such as 'a'{found}\n"
        with pytest.raises(RunMismatchError, match=message):
            compare_outputs(*systems, signers=unknown)


def test_signers_are_in_the_order_of_their_names():
    signers = {"a": "zoe", "b": "", "c": "10", "d": "Eva"}
    system = SystemOutput("x", dict.fromkeys("abcd", "sí"), dict.fromkeys("abcd", "no"), signers)
    comparison = compare_outputs(system, system, ["wer"], resamples=5)
    assert [row["group"] for row in comparison["per_signer"]] == ["10", "Eva", "zoe", ""]
    nobody = dataclasses.replace(system, signers={})
    assert compare_outputs(nobody, nobody, ["wer"], resamples=5)["per_signer"] == []
    assert len(compare_outputs(nobody, system, ["wer"], resamples=5)["per_signer"]) == 4


def test_runs_that_disagree_on_a_signer_are_refused(systems):
    one, two = systems
    two = dataclasses.replace(two, signers=two.signers | {"c": "eva"})
    message = "1 problem\n1. c\n    expected: 'ben', the signer in .*one.csv\n    found:    'eva' in .*two.csv"
    with pytest.raises(RunMismatchError, match=message):
        compare_outputs(one, two)
    assert compare_outputs(one, two, ["wer"], resamples=5, signers={"c": "eva"})["per_signer"][0]["group"] == "eva"


def test_the_settings_are_those_that_both_were_scored_with(systems):
    one, two = systems
    settings = {"tokenize": "none", "lowercase": True}
    one = dataclasses.replace(one, settings=settings)
    for other in (two, dataclasses.replace(two, settings=settings)):
        for pair in ((one, other), (other, one)):
            comparison = compare_outputs(*pair, ["bleu"], resamples=5)
            assert (comparison["tokenize"], comparison["lowercase"]) == ("none", True)
            assert "case:lc|eff:no|tok:none" in comparison["signature"]
    told = compare_outputs(one, two, ["bleu"], "intl", False, resamples=5)
    assert (told["tokenize"], told["lowercase"]) == ("intl", False)
    two = dataclasses.replace(two, settings={"tokenize": "13a", "lowercase": False})
    with pytest.raises(RunMismatchError) as caught:
        compare_outputs(one, two)
    assert [(p.where, p.found.split(" in ")[0]) for p in caught.value.problems] == [
        ("tokenize", "'none'"), ("lowercase", "True"),
    ]  # fmt: skip
    with pytest.raises(RunMismatchError, match=r"1 problem\n1. lowercase\n(.*\n)*.*--no-lowercase"):
        compare_outputs(one, two, tokenize="13a")
    assert compare_outputs(one, two, ["bleu"], "13a", False, resamples=5)["tokenize"] == "13a"


def test_lengths_of_chinese_are_in_characters():
    texts = {"a": "明天北方下雨", "b": "今天"}
    system = SystemOutput("x", texts, texts, {})
    comparison = compare_outputs(system, system, ["cer"], resamples=5)
    assert comparison["length_unit"] == "characters"
    assert [row["group"] for row in comparison["per_length"]] == ["1-5", "6-10"]
    assert "\ncharacters  clips  score" in format_comparison(comparison)


def test_other_clips_are_refused_or_left_out(tmp_path):
    one = read_output(write(tmp_path / "one.csv", ROWS))
    less = {identity: cells for identity, cells in other_predictions().items() if identity in "bc"} | {"e": ROWS["a"]}
    two = read_output(write(tmp_path / "two.csv", less))
    with pytest.raises(RunMismatchError, match=r"(?s)3 problems\n1. a\n.*not in .*two.csv\n.*--intersect") as caught:
        compare_outputs(one, two)
    assert [problem.where for problem in caught.value.problems] == ["a", "d", "e"]
    comparison = compare_outputs(one, two, ["wer"], resamples=5, intersect=True)
    assert (comparison["n"], comparison["only_a"], comparison["only_b"]) == (2, 2, 1)
    assert "2 clips of both; left out: 2 of A alone, 1 of B alone" in format_comparison(comparison)


@pytest.mark.parametrize("intersect", [False, True])
def test_other_references_are_refused_all_of_them(tmp_path, intersect):
    one = read_output(write(tmp_path / "one.csv", ROWS))
    changed = {identity: (cells[0], cells[1].upper()) for identity, cells in ROWS.items()}
    two = read_output(write(tmp_path / "two.csv", changed, "video_id,prediction,reference"))
    with pytest.raises(
        RunMismatchError, match="expected: 'hola', the reference in .*one.csv\n    found:    'HOLA'"
    ) as e:
        compare_outputs(one, two, intersect=intersect)
    assert [problem.where for problem in e.value.problems] == list("abcd")


def test_nothing_in_common(tmp_path):
    one = read_output(write(tmp_path / "one.csv", ROWS))
    two = read_output(write(tmp_path / "two.csv", {"z": ROWS["a"]}))
    with pytest.raises(
        RunMismatchError, match="1 problem\n1. .*\n    expected: clips that both have\n    found:    none"
    ):
        compare_outputs(one, two, intersect=True)


def test_the_text_is_a_table(systems):
    text = format_comparison(compare_outputs(*systems, ["wer"], resamples=20))
    lines = text.splitlines()
    assert lines[2] == "4 clips"
    assert lines[4].split() == "score A B B - A 95 % interval p (bootstrap) p (randomisation)".split()
    assert lines[5].split()[:4] == ["wer", "50.00", "93.75", "+43.75"]
    row = next(line for line in lines if line.startswith("(not known)"))
    assert row.split()[2:] == ["1*", "wer", "100.00", "100.00", "+0.00", "[+0.00,", "+0.00]"]
    assert "* fewer than 30 clips: says little" in text and "20 resamples, seed 0" in text


def test_bad_options(systems):
    with pytest.raises(ConfigurationError, match=r"found \['rouge'\]"):
        compare_outputs(*systems, ["rouge"])
    with pytest.raises(ConfigurationError, match="resamples of at least 1, found 0"):
        compare_outputs(*systems, resamples=0)
