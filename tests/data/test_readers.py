"""Readers against files of every variant, sound and broken."""

import numpy as np
import pytest
from factories import VARIANTS, frame_colour, make_frames, make_pose, write_stream, write_video
from PIL import Image

from hf_slt.data import readers
from hf_slt.data.indexing import index_images
from hf_slt.data.readers import (
    probe_frames,
    read_frames,
    read_image,
    write_frames_array,
    write_pose,
)
from hf_slt.errors import DataContractError


def source_of(folder, video_id="v"):
    files = index_images(folder).clips[video_id]
    frames = probe_frames(files.kind, files.path, files.files, files.frames).frames
    return {"kind": files.kind, "path": files.path, "files": files.files, "frames": frames}


def problems_of(action, *arguments, **options):
    with pytest.raises(DataContractError) as error:
        action(*arguments, **options)
    return error.value.problems


@pytest.mark.parametrize("variant", VARIANTS)
def test_frames_come_by_number_in_every_variant(tmp_path, variant):
    write_stream(tmp_path, "v", "left_hand", range(6), variant)
    frames = read_frames(source_of(tmp_path), np.array([0, 2, 2, 5, 6]))
    assert frames[4] is None
    assert frames[1] is frames[2]
    for number, frame in zip((0, 2, 2, 5), frames, strict=False):
        assert (frame.dtype, frame.shape) == (np.uint8, (16, 16, 3))
        assert np.abs(frame.astype(int) - frame_colour("left_hand", number)).max() <= 3


@pytest.mark.parametrize("variant", ["flat", "folders", "npz"])
def test_a_gap_does_not_shift_what_follows(tmp_path, variant):
    write_stream(tmp_path, "v", "face", [0, 1, 4, 5], variant, dense=False)
    frames = read_frames(source_of(tmp_path), np.arange(6))
    assert [frame is None for frame in frames] == [False, False, True, True, False, False]
    assert abs(int(frames[4][8, 8, 0]) - frame_colour("face", 4)) <= 2


def test_a_missing_stream_and_an_empty_wish():
    assert read_frames(None, np.arange(3)) == [None, None, None]
    assert read_frames({"kind": "images", "path": "x", "files": ["a"], "frames": [0]}, np.array([], int)) == []


def test_each_frame_is_decoded_once_and_no_other(tmp_path, monkeypatch):
    write_stream(tmp_path, "v", "face", range(6), "flat")
    source, opened = source_of(tmp_path), []
    monkeypatch.setattr(readers, "read_image", lambda path: opened.append(path.name) or read_image(path))
    read_frames(source, np.array([1, 1, 4, 4, 4]))
    assert opened == ["v_f000001.jpg", "v_f000004.jpg"]


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "1"])
def test_images_of_any_8_bit_mode_come_as_rgb(tmp_path, mode):
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    Image.new(mode, (5, 4)).save(path)
    assert read_image(path).shape == (4, 5, 3)


def test_a_16_bit_image_is_refused(tmp_path):
    Image.fromarray(np.full((4, 4), 60000, np.uint16)).save(tmp_path / "a.png")
    (problem,) = problems_of(read_image, tmp_path / "a.png")
    assert problem.expected == "an image with 8 bits a channel"


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
@pytest.mark.parametrize("damage", ["cut", "empty", "text"])
def test_damaged_images(tmp_path, name, damage):
    path = tmp_path / name
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32, 3)).astype(np.uint8)).save(path)
    content = path.read_bytes()
    path.write_bytes({"cut": content[: len(content) // 2], "empty": b"", "text": b"no image"}[damage])
    (problem,) = problems_of(read_image, path)
    assert problem.where == str(path)
    assert problem.expected == "a readable JPEG or PNG image"


def test_every_damaged_image_of_a_clip_is_listed(tmp_path):
    write_stream(tmp_path, "v", "face", range(6), "flat")
    for number in (1, 4):
        (tmp_path / f"v_f{number:06d}.jpg").write_bytes(b"")
    assert [problem.where[-8:] for problem in problems_of(source_of, tmp_path)] == ["0001.jpg", "0004.jpg"]


def video_bytes(path, codec):
    write_video(path, np.random.default_rng(0).integers(0, 255, (12, 32, 32, 3)).astype(np.uint8), codec)
    return path.read_bytes()


@pytest.mark.parametrize(("name", "codec"), [("v.mp4", "mpeg4"), ("v.mkv", "mpeg4"), ("v.webm", "libvpx")])
def test_a_video_that_was_cut_short_anywhere_is_found(tmp_path, name, codec):
    path = tmp_path / name
    content = video_bytes(path, codec)
    assert probe_frames("video", path).frames == list(range(12))
    for length in (0, 10, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        (problem,) = problems_of(probe_frames, "video", path)
        assert problem.expected == "a readable video file"


def test_a_video_with_damaged_frames(tmp_path):
    content = bytearray(video_bytes(tmp_path / "v.mp4", "mpeg4"))
    content[len(content) // 2 : len(content) // 2 + 400] = bytes(400)
    (tmp_path / "v.mp4").write_bytes(content)
    (problem,) = problems_of(probe_frames, "video", tmp_path / "v.mp4")
    assert "is damaged" in problem.found


def test_a_video_that_changed_since_it_was_checked(tmp_path):
    write_stream(tmp_path, "v", "face", range(4), "video")
    source = source_of(tmp_path) | {"frames": list(range(9))}
    (problem,) = problems_of(read_frames, source, np.array([1, 7]))
    assert problem.found == "it ends before frame 7, which it had when checked"


@pytest.mark.parametrize("compressed", [False, True])
def test_npz_frames_mapped_or_read_are_the_same(tmp_path, compressed):
    pixels = np.random.default_rng(1).integers(0, 255, (5, 4, 6, 3)).astype(np.uint8)
    (np.savez_compressed if compressed else np.savez)(tmp_path / "v.npz", clip=pixels)
    frames = read_frames(source_of(tmp_path), np.array([0, 3]))
    assert np.array_equal(frames, pixels[[0, 3]])
    frames[0][:] = 0  # a copy, not a read-only view of the file


def test_frames_in_fortran_order(tmp_path):
    pixels = np.random.default_rng(1).integers(0, 255, (5, 4, 6, 3)).astype(np.uint8)
    np.savez(tmp_path / "v.npz", frames=np.asfortranarray(pixels))
    assert np.array_equal(read_frames(source_of(tmp_path), np.arange(5)), pixels)


@pytest.mark.parametrize(
    ("array", "found"),
    [
        (np.zeros((3, 4, 4, 3), np.float32), "float32 of shape (3, 4, 4, 3)"),
        (np.zeros((3, 4, 4, 1), np.uint8), "uint8 of shape (3, 4, 4, 1)"),
        (np.zeros((3, 3, 4, 4), np.uint8), "uint8 of shape (3, 3, 4, 4)"),
        (np.zeros((4, 4, 3), np.uint8), "uint8 of shape (4, 4, 3)"),
        (np.zeros((3, 0, 4, 3), np.uint8), "uint8 of shape (3, 0, 4, 3)"),
        (np.zeros((0, 4, 4, 3), np.uint8), "an empty clip, shape (0, 4, 4, 3)"),
    ],
)
@pytest.mark.parametrize("suffix", [".npz", ".npy"])
def test_arrays_that_are_no_frames(tmp_path, array, found, suffix):
    path = tmp_path / f"v{suffix}"
    np.savez(path, frames=array) if suffix == ".npz" else np.save(path, array)
    (problem,) = problems_of(probe_frames, "array", path)
    assert problem.found == found


@pytest.mark.parametrize(
    "numbers", [[0, 1], [0, 2, 1], [0, 1, 1], [-1, 0, 1], [0.0, 1.0, 2.0], [[0, 1, 2]], [0, 1, 2**31]]
)
def test_wrong_frame_numbers(tmp_path, numbers):
    np.savez(tmp_path / "v.npz", frames=make_frames("face", range(3)), frame_numbers=np.array(numbers))
    (problem,) = problems_of(probe_frames, "array", tmp_path / "v.npz")
    assert problem.where.endswith("v.npz, key 'frame_numbers'")


def test_two_arrays_and_none_is_called_frames(tmp_path):
    np.savez(tmp_path / "v.npz", a=make_frames("face", range(3)), b=np.zeros(3))
    (problem,) = problems_of(probe_frames, "array", tmp_path / "v.npz")
    assert problem.found == "the keys ['a', 'b']"


def damaged(path, damage):
    content = path.read_bytes()
    middle = len(content) // 2
    changed = content[:middle] + bytes(255 - byte for byte in content[middle : middle + 8]) + content[middle + 8 :]
    path.write_bytes({"cut": content[:middle], "empty": b"", "text": b"no array", "bits": changed}[damage])


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "bits"])
def test_damaged_npz(tmp_path, damage):
    write_frames_array(tmp_path / "v.npz", make_frames("face", range(6)))
    damaged(tmp_path / "v.npz", damage)
    (problem,) = problems_of(probe_frames, "array", tmp_path / "v.npz")
    assert "v.npz" in problem.where and problem.expected.startswith("a readable")
    assert "pickle" not in problem.found


@pytest.mark.parametrize("damage", ["cut", "empty", "text"])
def test_damaged_npy(tmp_path, damage):
    np.save(tmp_path / "v.npy", make_frames("face", range(6)))
    damaged(tmp_path / "v.npy", damage)
    (problem,) = problems_of(probe_frames, "array", tmp_path / "v.npy")
    assert problem.expected == "a readable npy file"


@pytest.mark.parametrize("name", ["v.npz", "v.npy"])
def test_pickled_frames_are_never_loaded(tmp_path, name):
    objects = np.array([{"a": 1}, None], dtype=object)
    np.savez(tmp_path / name, frames=objects) if name == "v.npz" else np.save(tmp_path / name, objects)
    (problem,) = problems_of(probe_frames, "array", tmp_path / name)
    assert problem.found == "pickled Python objects"


def test_arrays_are_written_the_same_each_time(tmp_path):
    points, confidence = make_pose(3, 5)
    for name in ("a", "b"):
        write_pose(tmp_path / f"{name}.npz", points, confidence, norm="signing_space_v1")
        write_frames_array(tmp_path / f"{name}_frames.npz", make_frames("face", [0, 2]), [0, 2])
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert (tmp_path / "a_frames.npz").read_bytes() == (tmp_path / "b_frames.npz").read_bytes()


def test_writers_refuse_what_readers_would(tmp_path):
    with pytest.raises(ValueError, match=r"found \(2, 3, 2\) and \(2, 4\)"):
        write_pose(tmp_path / "p.npz", np.zeros((2, 3, 2)), np.zeros((2, 4)))
    (problem,) = problems_of(write_frames_array, tmp_path / "f.npz", np.zeros((2, 4, 4, 3)))
    assert problem.found == "float64 of shape (2, 4, 4, 3)"
    assert list(tmp_path.iterdir()) == []
