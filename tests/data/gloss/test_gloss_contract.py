"""The check of the splits: one mistake at a time, then all at once."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gloss_factories import make_clip, write_gloss_clip, write_gloss_corpus, write_labels, write_names

from hf_slt.data.gloss import table as table_module
from hf_slt.data.gloss.contract import GlossSplit, check_splits
from hf_slt.errors import ConfigurationError


@pytest.fixture
def corpus(tmp_path):
    return write_gloss_corpus(tmp_path, width=20)


@pytest.fixture
def check(corpus, tmp_path):
    def check_corpus(*changed, **options):
        by_name = {split.name: split for split in (*splits_of(corpus), *changed)}
        return check_splits(list(by_name.values()), cache_dir=tmp_path / "cache", **options)

    return check_corpus


def splits_of(corpus):
    return [GlossSplit(name, folder, corpus.labels[name]) for name, folder in corpus.folders.items()]


def only(report):
    assert len(report.problems) == 1, "\n".join(map(str, report.problems))
    return str(report.problems[0])


def add_row(corpus, split, row):
    with open(corpus.labels[split], "a", encoding="utf-8") as file:
        file.write(",".join(map(str, row)) + "\n")


def test_a_sound_corpus(corpus, check, tmp_path):
    options = {"gloss_names": corpus.gloss_names, "cat_names": str(corpus.category_names)}
    report = check(num_gloss=4, num_cat=2, width=20, **options)
    assert report.problems == [] and report.warnings == [] and report.ok
    assert report.gloss_names == ["SIGN 0", "SIGN 1", "SIGN 2", "SIGN 3"] and report.cat_names == ["KIND 0", "KIND 1"]
    assert report.width == 20
    assert {name: len(rows) for name, rows in report.rows.items()} == {"train": 16, "validation": 4, "test": 4}
    assert {name: len(table) for name, table in report.tables.items()} == {"train": 16, "validation": 4, "test": 4}
    frames = sum(report.tables["test"]["num_frames"])
    assert report.splits["test"] == {"clips": 4, "frames": frames, "glosses": 4, "signers": 1}
    report.write(tmp_path / "out" / "contract_report.json")
    written = json.loads((tmp_path / "out" / "contract_report.json").read_text())
    assert written["ok"] is True and written["splits"]["train"]["clips"] == 16 and written["num_problems"] == 0


def test_features(tmp_path):
    corpus = write_gloss_corpus(tmp_path, kind="features", width=7)
    report = check_splits(splits_of(corpus), kind="features", width=7, cache_dir=tmp_path)
    assert report.problems == [] and report.tables["train"][0]["mask"] is None
    report = check_splits(splits_of(corpus), cache_dir=tmp_path)
    assert len(report.problems) == 24 and "the key 'X'\n    found:    the keys ['X2048', 'meta']" in str(
        report.problems[0]
    )


def test_a_label_without_a_file(corpus, check):
    add_row(corpus, "validation", ["gone.npz", 0, 0, "S1"])
    message = only(check())
    assert "validation.csv, line 6" in message and "a file 'gone.npz'" in message and "no such file" in message


def test_clips_behind_a_link_are_found(corpus, check, tmp_path):
    folder = corpus.folders["train"]
    file = sorted(folder.glob("*.npz"))[0]
    (tmp_path / "elsewhere").mkdir()
    file.rename(tmp_path / "elsewhere" / file.name)
    (folder / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    text = corpus.labels["train"].read_text(encoding="utf-8")
    corpus.labels["train"].write_text(text.replace(file.name, f"linked/{file.name}", 1), encoding="utf-8")
    report = check()
    assert report.ok and f"linked/{file.stem}" in report.tables["train"]["file"][:]


def test_a_file_without_a_label(corpus, check):
    write_gloss_clip(corpus.folders["train"] / "extra.npz", *make_clip(np.random.default_rng(9), 0, 4, width=20))
    (corpus.folders["train"] / "._extra.npz").touch()  # what some systems leave beside files
    message = only(check())
    assert "extra.npz" in message and "a file without a label" in message and "--allow-unlabelled-files" in message
    report = check(allow_unlabelled=True)
    assert report.ok and list(report.unlabelled.values()) == [["extra"]]
    assert "1 files of" in report.warnings[0] and report.to_dict()["unlabelled"] == {str(corpus.folders["train"]): 1}
    assert len(report.tables["train"]) == 16


def test_a_row_with_a_wrong_label_still_names_its_file(corpus, check):
    text = (
        corpus.labels["train"].read_text().replace("g0_0.npz,0", "g0_0.npz,9").replace("g0_1.npz,0", "g0_1.npz,0,0,0")
    )
    corpus.labels["train"].write_text(text)
    (corpus.folders["train"] / "g0_0.npz").write_bytes(b"")
    problems = check(num_gloss=4).problems
    assert [problem.where.rpartition("/")[2] for problem in problems] == [
        "train.csv, line 3",
        "train.csv, line 2, file 'g0_0.npz'",
        "g0_0.npz",
    ]


def test_labels_that_cannot_be_read_do_not_blame_the_files(corpus, check):
    corpus.labels["test"].write_text("nothing\n")
    assert "columns file, gloss" in only(check())


def test_labels_out_of_range_in_every_split(corpus, check):
    report = check(num_gloss=3, num_cat=1)
    found = [problem.where.rpartition("/")[2] for problem in report.problems]
    assert sum("gloss" in p.expected for p in report.problems) == 4 + 1 + 1
    assert sum("cat" in p.expected for p in report.problems) == 8 + 2 + 2
    assert {name.partition(".")[0] for name in found} == {"train", "validation", "test"}


def test_names_and_numbers_of_classes_must_agree(corpus, check, tmp_path):
    message = only(check(num_gloss=5, gloss_names=corpus.gloss_names))
    assert "5 names, as --num-gloss says\n    found:    4 names" in message and message.startswith(str(corpus.root))
    names = write_names(tmp_path / "bad.csv", ["A", "A"])
    message = only(check(gloss_names=names))
    assert "each name once" in message  # and no word about 24 labels that are not in it
    message = only(check(cat_names=["one"], num_cat=2))
    assert message.startswith("--cat-names") and "2 names, as --num-cat says" in message


def test_labels_by_name(corpus, check):
    for path in corpus.labels.values():
        path.write_text("".join(f"{a},{b}\n" for a, b in _named(path)))
    report = check(gloss_names=corpus.gloss_names)
    assert report.problems == [] and [row.gloss for row in report.rows["test"]] == [0, 1, 2, 3]
    assert len(check().problems) == 24


def _named(path):
    rows = [line.split(",")[:2] for line in path.read_text().splitlines()]
    return [rows[0], *([file, f"SIGN {gloss}"] for file, gloss in rows[1:])]


@pytest.mark.parametrize(
    "values, mask, message",
    [
        (np.full((3, 20), np.nan), np.ones((3, 10)), "NaN"),
        (np.ones((0, 20)), np.ones((0, 10)), "an empty clip"),
        (np.zeros((3, 20)), np.zeros((3, 10)), "every point is missing"),
        (np.ones((3, 22)), np.ones((3, 11)), "22 numbers a frame"),
        (np.ones((3, 20)), np.ones((3, 9)), "a mask of shape"),
    ],
)
def test_clips_that_are_not_usable(values, mask, message, corpus, check):
    np.savez(corpus.folders["validation"] / "g2_4.npz", X=values.astype(np.float32), mask=mask)
    text = only(check())
    assert "g2_4.npz" in text and message in text


def test_widths_against_the_model(check):
    report = check(width=156)
    assert len(report.problems) == 24 and report.width == 156
    assert "156 numbers a frame (from: the model)\n    found:    20 numbers" in str(report.problems[0])


def test_a_clip_in_two_splits_by_name(corpus, check):
    train, validation, _ = splits_of(corpus)
    write_labels(corpus.labels["validation"], [["g0_0", 0, 0, "S0"], ["g1_1", 1, 1, "S0"]])
    shared = replace(validation, folder=Path(f"{train.folder}/../train"))
    report = check(shared)
    assert [problem.found for problem in report.problems] == ["train and validation"] * 2
    assert "clip 'g0_0' of" in report.problems[0].where
    assert "--" not in report.problems[0].fix  # training has no flag that lets this pass
    report = check(shared, allow_overlap=True)
    assert report.problems == [] and report.warnings[0].startswith("2 clips are in more than one split")


def test_a_clip_in_two_splits_by_content(corpus, check):
    content = (corpus.folders["train"] / "g3_1.npz").read_bytes()
    (corpus.folders["test"] / "g3_5.npz").write_bytes(content)
    message = only(check())
    assert "clips of the same content" in message and "g3_1.npz" in message and "g3_5.npz" in message
    assert "train and test" in message
    assert check(allow_overlap=True).ok


def test_a_clip_twice_in_one_split_is_odd_but_legal(corpus, check):
    content = (corpus.folders["train"] / "g3_1.npz").read_bytes()
    (corpus.folders["train"] / "g3_2.npz").write_bytes(content)
    report = check()
    assert report.ok and report.warnings == ["1 clips have the content of another clip of their split"]


def test_shared_signers_and_glosses_that_are_never_trained_are_told(corpus, check):
    text = corpus.labels["test"].read_text().replace("S2", "S0")
    corpus.labels["test"].write_text(text)
    lines = corpus.labels["train"].read_text().splitlines()
    corpus.labels["train"].write_text("\n".join(line for line in lines if not line.startswith("g3")))
    report = check(allow_unlabelled=True, gloss_names=corpus.gloss_names)
    shown = "\n".join(report.warnings)
    assert report.ok
    assert "train and test share the signers S0:" in shown and "validation share" not in shown
    assert "1 glosses of validation have no clip in train: SIGN 3" in shown


def test_splits_of_one_folder_share_its_table(corpus, tmp_path, monkeypatch):
    folder = corpus.folders["train"]
    rows = [line.split(",") for line in corpus.labels["train"].read_text().splitlines()[1:]]
    parts = {"train": rows[::2], "validation": rows[1::2]}
    splits = [
        GlossSplit(name, folder, write_labels(tmp_path / f"{name}_part.csv", part)) for name, part in parts.items()
    ]
    report = check_splits(splits, cache_dir=tmp_path / "cache")
    assert report.ok and len(report.tables["train"]) == len(report.tables["validation"]) == 16
    monkeypatch.setattr(table_module, "load_clip", lambda *_: pytest.fail("read again"))
    assert check_splits(splits[::-1], cache_dir=tmp_path / "cache").ok


def test_missing_folders_and_tables(corpus, check, tmp_path):
    report = check(GlossSplit("test", tmp_path / "nowhere", tmp_path / "nowhere.csv"))
    shown = "\n".join(map(str, report.problems))
    assert len(report.problems) == 2 and "no such folder" in shown and "No such file" in shown


def test_everything_at_once(corpus, check):
    add_row(corpus, "train", ["gone", 99, "x", ""])
    add_row(corpus, "test", ["g0_5", 0, 0, ""])
    (corpus.folders["train"] / "g0_0.npz").write_bytes(b"PK")
    np.savez(corpus.folders["validation"] / "g0_4.npz", X2048=np.ones((2, 4)))
    np.savez(corpus.folders["test"] / "g1_5.npz", X=np.ones((2, 4), np.float32))
    np.savez(corpus.folders["test"] / "new.npz", X=np.ones((2, 20), np.float32))
    report = check(num_gloss=4)
    shown = "\n".join(map(str, report.problems))
    assert len(report.problems) == 8 and report.tables.keys() == {"test"}
    for text in (
        "99, out of range",
        "found:    'x'",
        "a file 'gone.npz'",
        "'g0_5' again",
        "cut short",
        "the keys ['X2048']",
        "4 numbers a frame",
        "new.npz",
    ):
        assert text in shown


def test_wrong_options(check):
    with pytest.raises(ConfigurationError, match="found 'frames'"):
        check(kind="frames")
    with pytest.raises(ConfigurationError, match="found 'int8'"):
        check(dtype="int8")
