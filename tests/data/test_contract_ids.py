"""The data contract: ids and texts, across metadata, indexes and folders."""

import pytest
from contract_checks import only_problem, problems, remove_frames
from factories import CLIPS, write_corpus, write_index, write_metadata

from hf_slt.data.contract import check_corpus


def test_duplicate_ids(corpus):
    write_index(corpus.indexes["train"], ["001", "vid1_foo", "001"])
    corpus.metadata_csv.write_text(corpus.metadata_csv.read_text() + "vid1;otra cosa\n")
    assert [problem.found for problem in problems(corpus)] == [
        "'vid1' again, first in line 3",
        "'001' again, first in line 2",
    ]


def test_an_id_that_is_nowhere(corpus):
    write_index(corpus.indexes["test"], ["vid1", "vid2"])
    first, second = problems(corpus)
    assert first.expected == f"a row in {corpus.metadata_csv}" and first.found == "no row with this id"
    assert second.expected == "files of the clip on disk" and second.found.startswith("none in any stream folder")


def test_a_prefix_is_not_the_clip(tmp_path):
    clips = {"vid": "x", "vid1": "y", "vid1_foo": "z", "vid_f1": "u"}
    corpus = write_corpus(tmp_path, clips, streams=("face",))
    remove_frames(corpus.face_dir, "vid", *range(6))
    remove_frames(corpus.face_dir, "vid1", *range(6))
    assert [problem.where for problem in problems(corpus)] == ["clip 'vid'", "clip 'vid1'"]


def test_an_id_in_two_splits(corpus):
    write_index(corpus.indexes["test"], ["vid1", "001"])
    problem = only_problem(corpus)
    assert problem.where == "clip '001'" and problem.expected == "each clip in one split"
    assert problem.found == f"train ({corpus.indexes['train']}), test ({corpus.indexes['test']})"


@pytest.mark.parametrize("video_id", ["../x", "a/b", "..\\x", "a\x01b", "."])
def test_ids_that_are_no_file_names(corpus, video_id):
    write_index(corpus.indexes["test"], ["vid1", video_id])
    problem = only_problem(corpus)
    assert problem.where == f"{corpus.indexes['test']}, line 3"
    assert problem.expected.startswith("an id without path separators")


def test_an_unfit_id_in_the_metadata_alone(corpus):
    corpus.metadata_csv.write_text(corpus.metadata_csv.read_text() + "../x;texto\n")
    assert only_problem(corpus).where == f"{corpus.metadata_csv}, line 6"


def test_not_utf_8(corpus):
    corpus.metadata_csv.write_bytes(corpus.metadata_csv.read_text().encode("cp1252"))
    problem = only_problem(corpus)
    assert problem.found.startswith("byte 0xbf at position") and "--encoding cp1252" in problem.fix
    corpus.encoding = "cp1252"
    assert check_corpus(corpus)[0]["train"][0].text == CLIPS["001"]


def test_empty_text(corpus):
    write_metadata(corpus.metadata_csv, {**CLIPS, "vid10": " \u200b "})
    problem = only_problem(corpus)
    assert problem.where.endswith("line 5, clip 'vid10'") and problem.found == "an empty cell 'texto'"


def test_faults_of_clips_in_no_index_are_warnings(corpus):
    with corpus.metadata_csv.open("a") as file:
        file.write("unused;\nvid1_foo2;a;b\n")
    report = check_corpus(corpus)[1]
    assert report.ok
    assert [warning.split(": ")[1] for warning in report.warnings] == [
        "an empty cell 'texto' (the clip is in no index)",
        "3 cells (the clip is in no index)",
    ]


def test_empty_index(corpus):
    corpus.indexes["validation"].write_text("video_id\n")
    assert only_problem(corpus).found == "an empty index"
