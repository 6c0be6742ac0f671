"""The data contract: all problems at once, clips left out on demand, the report."""

import json
import shutil

import numpy as np
from contract_checks import only_problem, problems
from factories import write_index, write_metadata
from PIL import Image

from hf_slt.data.contract import check_corpus


def break_everything(corpus):
    """Break metadata, indexes, ids, images and poses; return what each problem should find."""
    write_metadata(corpus.metadata_csv, {"001": "", "vid1_foo": "x", "vid10": "y", "vid1": "z"})
    write_index(corpus.indexes["train"], ["001", "vid1_foo", "gone", "../x"])
    write_index(corpus.indexes["test"], ["vid1", "vid10"])
    shutil.rmtree(corpus.face_dir)
    (corpus.left_hand_dir / "vid1_foo_f000001.jpg").write_bytes(b"")
    (corpus.left_hand_dir / "vid1_foo_f000004.jpg").write_bytes(b"")
    np.savez(corpus.pose_dir / "vid1.npz", pose=np.zeros((6, 25, 3)))
    return [
        "an empty cell 'texto'",
        "a path separator in '../x'",
        "no row with this id",
        "validation (",
        "No such file or directory",
        "UnidentifiedImageError: cannot identify",
        "UnidentifiedImageError: cannot identify",
        "none in any stream folder",
        "25 landmarks",
    ]


def test_all_problems_come_at_once_and_in_a_stable_order(corpus):
    expected = break_everything(corpus)
    first, second = problems(corpus), problems(corpus)
    assert first == second
    assert len(first) == len(expected)
    for problem, beginning in zip(first, expected, strict=True):
        assert problem.found.startswith(beginning)


def test_skip_invalid_drops_clips_and_counts_them(corpus):
    np.savez(corpus.pose_dir / "001.npz", pose=np.zeros((6, 25, 3)))
    write_index(corpus.indexes["test"], ["vid1", "gone", "../x"])
    records, report = check_corpus(corpus, skip_invalid=True)
    assert report.ok and report.num_skipped == 3
    assert report.skipped == {"train": ["001"], "validation": [], "test": ["gone", "../x"]}
    assert [clip.video_id for clip in records["train"]] == ["vid1_foo"]
    assert report.splits["train"]["clips"] == 1
    assert len(report.skipped_problems) == 4


def test_skip_invalid_does_not_forgive_the_corpus(corpus):
    expected = break_everything(corpus)
    report = check_corpus(corpus, skip_invalid=True)[1]
    assert [problem.found[:12] for problem in report.problems][:2] == ["validation (", "No such file"]
    assert len(report.problems) + len(report.skipped_problems) == len(expected) + 1
    assert report.problems[-1].found == "none: all 4 clips have problems and were left out"


def test_skip_invalid_refuses_a_split_that_is_left_empty(corpus):
    Image.new("RGB", (4, 4)).save(corpus.face_dir / "vid10_f000009.jpg")
    problem = only_problem(corpus, skip_invalid=True)
    assert problem.where == f"split 'validation', {corpus.indexes['validation']}"
    assert problem.found == "none: all 1 clips have problems and were left out"


def test_the_report_is_written_whole(corpus, tmp_path):
    break_everything(corpus)
    report = check_corpus(corpus)[1]
    report.write(tmp_path / "new" / "contract_report.json")
    written = json.loads((tmp_path / "new" / "contract_report.json").read_text(encoding="utf-8"))
    assert (written["ok"], written["num_problems"]) == (False, 9)
    assert written["problems"] == [problem.to_dict() for problem in report.problems]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["contract_report.json"]
