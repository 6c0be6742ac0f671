"""The data contract: one test for each way in which the files of a corpus can be wrong."""

import shutil

import numpy as np
import pytest
from contract_checks import only_problem, problems, remove_frames
from factories import CLIPS, VARIANTS, make_frames, make_pose, write_corpus, write_stream

from hf_slt.data.contract import CorpusPaths, check_corpus
from hf_slt.data.readers import write_pose
from hf_slt.streams import STREAMS


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_sound_corpus_in_every_variant(tmp_path, variant):
    records, report = check_corpus(write_corpus(tmp_path, variant=variant))
    assert report.ok and report.warnings == [] and report.num_landmarks == 33
    assert {split: [clip.video_id for clip in clips] for split, clips in records.items()} == {
        "train": ["001", "vid1_foo"],
        "validation": ["vid10"],
        "test": ["vid1"],
    }
    assert records["test"][0].text == CLIPS["vid1"]
    assert report.splits["train"] == {"clips": 2, "frames": 12, "missing_frames": dict.fromkeys(STREAMS, 0)}
    for clip in records["train"]:
        assert clip.n_frames == 6
        assert all(clip.images[stream]["frames"] == list(range(6)) for stream in STREAMS[:3])


@pytest.mark.parametrize("streams", [("pose",), ("face",), ("left_hand", "pose"), ("face", "right_hand")])
def test_any_subset_of_streams(tmp_path, streams):
    paths = write_corpus(tmp_path, streams=streams)
    records, report = check_corpus(paths)
    assert report.ok and paths.streams == streams
    assert set(records["test"][0].images) == set(streams) - {"pose"}


def test_missing_frames_of_single_streams_are_counted_not_refused(tmp_path):
    missing = {("left_hand", "001"): [0, 3], ("face", "001"): [5], ("left_hand", "vid1_foo"): [1]}
    records, report = check_corpus(write_corpus(tmp_path, missing=missing))
    assert report.ok
    assert report.splits["train"]["missing_frames"] == {"face": 1, "left_hand": 3, "right_hand": 0, "pose": 0}
    assert records["train"][0].images["left_hand"]["frames"] == [1, 2, 4, 5]


@pytest.mark.parametrize("stream", STREAMS)
def test_missing_folder(corpus, stream):
    shutil.rmtree(corpus.folder(stream))
    problem = only_problem(corpus)
    assert problem.where == str(corpus.folder(stream))
    assert (problem.expected, problem.found) == (f"the folder of the stream {stream}", "No such file or directory")


def test_a_file_in_place_of_a_folder(corpus):
    corpus.pose_dir = corpus.metadata_csv
    assert only_problem(corpus).found == "a file"


def test_nothing_is_given():
    assert [problem.where for problem in problems(CorpusPaths())] == ["stream folders", "index CSVs", "metadata CSV"]


@pytest.mark.parametrize("which", ["metadata", "index"])
def test_missing_csv(corpus, which):
    path = corpus.metadata_csv if which == "metadata" else corpus.indexes["test"]
    path.unlink()
    problem = only_problem(corpus)
    assert (problem.where, problem.found) == (str(path), "No such file or directory")


def test_missing_column(corpus):
    corpus.text_column = "sentence"
    problem = only_problem(corpus)
    assert problem.expected.startswith("a column 'sentence'") and problem.found == "the columns ['video_id', 'texto']"


def test_missing_key(corpus):
    corpus.pose_key = "landmarks"
    found = problems(corpus)
    assert [problem.found for problem in found] == ["the keys ['pose']"] * 4


@pytest.mark.parametrize(("variant", "name"), [("flat", "001_f000002.jpg"), ("npz", "001.npz"), ("video", "001.mp4")])
def test_truncated_files(tmp_path, variant, name):
    corpus = write_corpus(tmp_path, variant=variant)
    path = corpus.face_dir / name
    path.write_bytes(path.read_bytes()[:-200])
    problem = only_problem(corpus)
    assert problem.where == str(path) and problem.expected.startswith("a readable")


@pytest.mark.parametrize(
    ("array", "found"),
    [
        (np.array([{}], dtype=object), "pickled Python objects"),
        (np.zeros(6), "shape (6,)"),
        (np.full((6, 33, 3), np.nan), "198 points with NaN or infinity, the first at frame 0, point 0"),
        (np.zeros((0, 33, 3)), "an empty clip, shape (0, 33, 3)"),
        (np.zeros((6, 32, 3)), "32 landmarks"),
    ],
)
def test_broken_poses(corpus, array, found):
    np.savez(corpus.pose_dir / "vid1.npz", pose=array)
    assert only_problem(corpus).found == found


def test_landmark_count_that_was_asked_for(corpus):
    found = problems(corpus, num_landmarks=25)
    assert [problem.found for problem in found] == ["33 landmarks"] * 4
    assert found[0].expected == "25 landmarks (from: num_landmarks)"


def test_other_layout_than_the_rest(tmp_path):
    corpus = write_corpus(tmp_path, num_landmarks=3, layout="hands_nose")
    write_pose(corpus.pose_dir / "vid1.npz", *make_pose(6, 3), layout="points_3")
    problem = only_problem(corpus)
    assert (problem.expected, problem.found) == ("the pose layout 'hands_nose', as most clips", "'points_3'")


@pytest.mark.parametrize("variant", ["npz", "video", "npy"])
@pytest.mark.parametrize("length", [5, 7])
def test_a_dense_stream_of_other_length_than_the_pose(tmp_path, variant, length):
    corpus = write_corpus(tmp_path, variant=variant)
    write_stream(corpus.face_dir, "vid1", "face", range(length), variant)
    problem = only_problem(corpus)
    assert problem.expected == "streams of the same length: 6 frames (from: pose)"
    assert problem.found == f"{length} frames" and "stream face" in problem.where


def test_dense_streams_of_different_length_without_pose(tmp_path):
    corpus = write_corpus(tmp_path, variant="npz", streams=("face", "left_hand"))
    write_stream(corpus.left_hand_dir, "vid1", "left_hand", range(4), "npz")
    problem = only_problem(corpus)
    assert (problem.expected, problem.found) == ("streams of the same length: 6 frames (from: face)", "4 frames")


def test_a_frame_number_beyond_the_pose(corpus):
    write_stream(corpus.right_hand_dir, "vid1", "right_hand", [6], "flat")
    problem = only_problem(corpus)
    assert problem.found == "a frame number 6" and "stream right_hand" in problem.where


def test_sparse_numbers_beyond_a_dense_stream(tmp_path):
    corpus = write_corpus(tmp_path, streams=("face",))
    corpus.left_hand_dir = tmp_path / "hand_l"
    for video_id in CLIPS:
        write_stream(corpus.left_hand_dir, video_id, "left_hand", range(6), "npz")
    write_stream(corpus.face_dir, "vid1", "face", [9], "flat")
    assert only_problem(corpus).found == "a frame number 9"


def test_a_gap_in_all_streams(tmp_path):
    corpus = write_corpus(tmp_path, streams=("face", "left_hand"), frames=9)
    remove_frames(corpus.face_dir, "vid1", 0, 3, 5, 6)
    remove_frames(corpus.left_hand_dir, "vid1", 0, 5, 6, 8)
    problem = only_problem(corpus)
    assert problem.where == "clip 'vid1'"
    assert problem.found == "3 missing from all of them: 0, 5-6"


def test_a_gap_at_the_end_shows_by_the_frame_count(tmp_path):
    corpus = write_corpus(tmp_path, {"a": "x"}, streams=("face",))
    corpus.metadata_csv.write_text("id;text;frame_count\na;x;8\n")
    assert only_problem(corpus).found == "2 missing from all of them: 6-7"
    corpus.metadata_csv.write_text("id;text;frame_count\na;x;5\n")
    assert only_problem(corpus).expected == "streams of the same length: 5 frames (from: frame_count of the metadata)"


def test_a_huge_frame_number_is_one_gap(tmp_path):
    corpus = write_corpus(tmp_path, {"a": "x"}, streams=("face",))
    shutil.copy(corpus.face_dir / "a_f000000.jpg", corpus.face_dir / "a_f2000000000.jpg")
    assert only_problem(corpus).found == "1999999994 missing from all of them: 6-1999999999"


def test_a_frame_without_any_image_is_a_gap_even_with_a_pose(tmp_path):
    corpus = write_corpus(tmp_path, missing={(stream, "vid1"): [2, 3] for stream in STREAMS[:3]})
    assert only_problem(corpus).found == "2 missing from all of them: 2-3"
    for stream in ("left_hand", "right_hand"):
        setattr(corpus, f"{stream}_dir", None)
    assert check_corpus(corpus)[1].ok, "a face that was not found is no gap"


def test_numbering_from_one(tmp_path):
    corpus = write_corpus(tmp_path, missing={(stream, "vid1"): [0] for stream in STREAMS[:3]})
    assert only_problem(corpus).found == "1 missing from all of them: 0"
    report = check_corpus(corpus, allow_missing_streams=True)[1]
    assert report.ok
    assert report.warnings == ["1 clips have no image of frame 0 in any stream (are the frames numbered from 0?): vid1"]
    corpus.pose_dir = None
    assert only_problem(corpus).found == "1 missing from all of them: 0"


@pytest.mark.parametrize("empty_folder", [False, True])
def test_a_clip_that_lacks_a_stream(corpus, empty_folder):
    remove_frames(corpus.left_hand_dir, "vid1", *range(6))
    if empty_folder:
        (corpus.left_hand_dir / "vid1").mkdir()
    problem = only_problem(corpus)
    assert problem.where == "clip 'vid1', stream left_hand"
    assert problem.found == ("an empty folder of that name" if empty_folder else "no such file")
    records, report = check_corpus(corpus, allow_missing_streams=True)
    assert report.ok
    assert "left_hand" not in records["test"][0].images
    assert report.splits["test"]["missing_frames"]["left_hand"] == 6


def test_a_clip_may_lack_some_streams_but_not_all(corpus):
    for stream in STREAMS[:3]:
        remove_frames(corpus.folder(stream), "vid1", *range(6))
    (corpus.pose_dir / "vid1.npz").unlink()
    assert only_problem(corpus, allow_missing_streams=True).expected == "files of the clip on disk"


def test_images_of_wrong_type_in_arrays(tmp_path):
    corpus = write_corpus(tmp_path, variant="npz")
    np.savez(corpus.face_dir / "vid1.npz", frames=make_frames("face", range(6)).astype(np.float32))
    np.savez(corpus.face_dir / "001.npz", frames=make_frames("face", range(6))[..., :1])
    assert [problem.found for problem in problems(corpus)] == [
        "uint8 of shape (6, 16, 16, 1)",
        "float32 of shape (6, 16, 16, 3)",
    ]


def test_two_variants_of_one_clip(corpus):
    write_stream(corpus.face_dir, "vid1", "face", range(6), "npz")
    assert only_problem(corpus).found.startswith("2 variants: ")


def test_one_folder_for_two_streams_is_warned_about(corpus):
    corpus.left_hand_dir = corpus.right_hand_dir
    assert check_corpus(corpus)[1].warnings == [f"{corpus.right_hand_dir} is the folder of more than one stream"]


def test_a_frame_count_that_differs_and_an_empty_pose_are_warned_about(corpus):
    rows = [f"{video_id};x;{count}" for video_id, count in zip(CLIPS, (6, 7, "", 6), strict=True)]
    corpus.metadata_csv.write_text("\n".join(["id;text;frame_count", *rows]))
    write_pose(corpus.pose_dir / "vid10.npz", np.zeros((6, 33, 2)), np.zeros((6, 33)))
    assert check_corpus(corpus)[1].warnings == [
        "1 clips have a frame_count in the metadata that is not that of the files: vid1",
        "1 clips have a pose without a single detected point: vid10",
    ]
