"""Which file belongs to which clip."""

import pytest

from hf_slt.data.indexing import index_images, index_poses


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_ids_match_exactly(tmp_path):
    touch(tmp_path, "vid1_f000000.jpg", "vid10_f000000.jpg", "vid1_foo_f000001.jpg", "vid1_f2_f000003.png")
    clips = index_images(tmp_path).clips
    assert {name: (files.files, files.frames) for name, files in clips.items()} == {
        "vid1": (["vid1_f000000.jpg"], [0]),
        "vid10": (["vid10_f000000.jpg"], [0]),
        "vid1_f2": (["vid1_f2_f000003.png"], [3]),
        "vid1_foo": (["vid1_foo_f000001.jpg"], [1]),
    }


def test_all_variants_in_one_folder(tmp_path):
    touch(tmp_path, "a_f000001.jpg", "a_f000000.PNG", "b/000002.png", "b/000010.jpeg", "c.mp4", "d.webm", "e.MKV")
    touch(tmp_path, "f.npy", "g.npz")
    index = index_images(tmp_path)
    kinds = {name: files.kind for name, files in index.clips.items()}
    assert kinds == dict(a="images", b="images", c="video", d="video", e="video", f="array", g="array")
    assert index.clips["a"].files == ["a_f000000.PNG", "a_f000001.jpg"]
    assert (index.clips["b"].path, index.clips["b"].frames) == (str(tmp_path / "b"), [2, 10])
    assert (index.clips["c"].path, index.clips["c"].files) == (str(tmp_path / "c.mp4"), [])
    assert index.problems == {}


def test_frames_are_ordered_by_number_not_by_name(tmp_path):
    touch(tmp_path, *(f"v_f{number}.jpg" for number in (10, 9, 100, 1)))
    assert index_images(tmp_path).clips["v"].frames == [1, 9, 10, 100]


def test_what_is_no_stream_file_is_left_alone(tmp_path):
    touch(tmp_path, ".DS_Store", "._v_f000000.jpg", "Thumbs.db", "notes.txt", "v_fx.jpg", "v.jpg", "_f000000.jpg")
    touch(tmp_path, "empty/readme.txt", "empty/._000000.jpg", "w_f٣.jpg")
    assert index_images(tmp_path).clips == {}


@pytest.mark.parametrize("other", ["v.mp4", "v/000000.png", "v.npy"])
def test_two_variants_of_one_clip_are_a_problem(tmp_path, other):
    touch(tmp_path, "v_f000000.jpg", other, "w_f000000.jpg")
    index = index_images(tmp_path)
    assert list(index.problems) == ["v"]
    (problem,) = index.problems["v"]
    assert problem.found.startswith("2 variants: ")
    assert "v_f000000.jpg" in problem.found and other in problem.found


def test_one_frame_number_twice_is_a_problem(tmp_path):
    touch(tmp_path, "v_f000001.jpg", "v_f000001.png", "v_f000002.jpg")
    (problem,) = index_images(tmp_path).problems["v"]
    assert problem.found == "frame 1 twice: v_f000001.jpg, v_f000001.png"


def test_a_frame_number_beyond_int32_is_a_problem(tmp_path):
    touch(tmp_path, "v_f99999999999.jpg")
    (problem,) = index_images(tmp_path).problems["v"]
    assert problem.found == "frame number 99999999999"


def test_only_wanted_clips(tmp_path):
    touch(tmp_path, "a_f000000.jpg", "b_f000000.jpg", "c/000000.jpg", "d/000000.jpg", "e.npz", "f.npz")
    assert list(index_images(tmp_path, {"b", "d", "f"}).clips) == ["b", "d", "f"]


def test_poses(tmp_path):
    touch(tmp_path, "vid1.npz", "vid10.npz", ".hidden.npz", "vid1.txt")
    assert index_poses(tmp_path) == {"vid1": str(tmp_path / "vid1.npz"), "vid10": str(tmp_path / "vid10.npz")}


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        index_images(tmp_path / "nowhere")
