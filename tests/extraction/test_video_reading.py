"""Videos of every container, and every kind of file that is none."""

import math
import re

import numpy as np
import pytest
from PIL import Image
from video_factories import (
    cut_short,
    frame_number,
    write_audio,
    write_empty_container,
    write_gif,
    write_video_file,
)

from hf_slt.errors import VideoError
from hf_slt.extraction import video, video_checks
from hf_slt.extraction.video import list_videos, probe_video, read_frames

pytest.importorskip("av", reason="reading videos needs PyAV (extra 'extraction')")

REGULAR = list(range(0, 400, 40))  # ten frames at 25 fps


def numbers(path, **options):
    return [frame_number(frame.image) for frame in read_frames(path, **options)]


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [
        ("a.mp4", "libx264", "yuv420p"),
        ("a.mov", "libx264", "yuv420p10le"),
        ("a.mkv", "ffv1", "gray"),
        ("a.mkv", "ffv1", "bgra"),
        ("a.webm", "libvpx", "yuv420p"),
        ("a.avi", "mpeg4", "yuv420p"),
    ],
)
def test_containers_and_pixel_formats_give_the_same_frames(tmp_path, name, codec, pix_fmt):
    times = REGULAR if not name.endswith(".avi") else list(range(10))
    frames = list(read_frames(write_video_file(tmp_path / name, times, codec, pix_fmt)))
    assert [frame_number(frame.image) for frame in frames] == list(range(10))
    assert [frame.number for frame in frames] == list(range(10))
    if times is REGULAR:
        np.testing.assert_allclose([frame.time for frame in frames], np.arange(10) * 0.04, atol=1e-3)
    image = frames[3].image
    assert (image.shape, image.dtype) == ((48, 64, 3), np.uint8)
    assert image[:20, :28].mean() == pytest.approx(235, abs=4)


def test_gif(tmp_path):
    path = write_gif(tmp_path / "a.gif")
    frames = list(read_frames(path))
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(6) * 0.12, atol=1e-6)
    assert [frame_number(frame.image) for frame in frames] == list(range(6))
    assert numbers(path, fps=5) == [0, 2, 4, 5]


def test_a_variable_frame_rate_is_resampled_by_time(tmp_path):
    path = write_video_file(tmp_path / "a.mkv", [0, 10, 20, 110, 390, 405, 500])
    assert numbers(path) == list(range(7))
    frames = list(read_frames(path, fps=10))
    assert [frame_number(frame.image) for frame in frames] == [0, 3, 4, 5, 6]
    np.testing.assert_allclose([frame.time for frame in frames], [0, 0.11, 0.39, 0.405, 0.5], atol=1e-3)
    assert [frame.number for frame in frames] == [0, 1, 2, 3, 4]


def test_a_cut_starts_and_ends_at_its_times_and_counts_from_its_start(tmp_path):
    path = write_video_file(tmp_path / "a.mp4", REGULAR)
    frames = list(read_frames(path, start=0.27, end=0.36))
    assert [frame_number(frame.image) for frame in frames] == [7, 8]
    np.testing.assert_allclose([frame.time for frame in frames], [0.01, 0.05], atol=1e-3)
    assert numbers(path, start=0.2) == [5, 6, 7, 8, 9]
    assert numbers(path, end=0.08) == [0, 1]
    whole = [frame.image for frame in read_frames(path)]
    for frame in read_frames(path, start=0.16):  # in the middle of a group of pictures
        np.testing.assert_array_equal(frame.image, whole[4 + frame.number])


def test_a_file_that_cannot_be_entered_in_the_middle_is_decoded_from_its_start(tmp_path, monkeypatch):
    path = write_video_file(tmp_path / "a.mp4", REGULAR)
    monkeypatch.setattr("hf_slt.extraction.video._from_key_frame", lambda *arguments: None)
    assert numbers(path, start=0.2, end=0.28) == [5, 6]


def test_times_count_from_the_first_frame(tmp_path):
    path = write_video_file(tmp_path / "a.mkv", [1000 + time for time in REGULAR])
    assert numbers(path, start=0.2, end=0.28) == [5, 6]
    assert next(read_frames(path)).time == 0


@pytest.mark.parametrize(("rotation", "white"), [(90, "lower left"), (180, "lower right"), (-90, "upper right")])
def test_a_turned_picture_stands_upright(tmp_path, rotation, white):
    path = write_video_file(tmp_path / "a.mp4", REGULAR, rotation=rotation)
    info, image = probe_video(path), next(read_frames(path)).image
    assert (info.height, info.width) == image.shape[:2] == ((48, 64) if rotation == 180 else (64, 48))
    rows, columns = np.array_split(image, 2), {"left": 0, "right": 1}
    upper, side = white.split()[0] == "upper", columns[white.split()[1]]
    quarter = np.array_split(rows[0 if upper else 1], 2, axis=1)[side]
    assert quarter.mean() > 230
    assert image.mean() == pytest.approx(235 / 4 + 16 * 3 / 4, abs=3)


def test_only_wanted_frames_are_converted(tmp_path):
    path = write_video_file(tmp_path / "a.mp4", REGULAR)
    frames = list(read_frames(path, convert={2, 3}.__contains__))
    assert [frame.number for frame in frames if frame.image is not None] == [2, 3]
    assert len(frames) == 10


def test_probe_tells_size_rate_and_length(tmp_path):
    info = probe_video(write_video_file(tmp_path / "a.mp4", REGULAR))
    assert (info.width, info.height, info.rotation, info.codec) == (64, 48, 0, "h264")
    assert info.fps == pytest.approx(25, rel=0.15)
    assert info.duration == pytest.approx(0.4, abs=0.041)
    assert info.count_frames(fps=5, start=0.1, end=0.3) == 1


def damaged_file(tmp_path, kind):
    path = tmp_path / f"{kind}.mp4"
    if kind == "folder":
        path.mkdir()
    elif kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("not a video\n" * 50)
    elif kind == "picture":
        Image.new("RGB", (64, 48)).save(path, format="PNG")
    elif kind == "audio":
        write_audio(path)
    elif kind == "no_frames":
        write_empty_container(path)
    elif kind == "truncated":
        cut_short(write_video_file(path, REGULAR))
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "a readable video file\n.*FileNotFoundError"),
        ("folder", "a video file\n.*a folder"),
        ("empty", r"an empty file \(0 bytes\)"),
        ("text", "found:    what does not decode .Invalid"),
        ("picture", "a file of the kind 'png_pipe'"),
        ("audio", "a video stream\n.*only audio"),
        ("no_frames", "a video stream\n.*no stream at all"),
        ("truncated", r"cut short: \d+ bytes are missing"),
    ],
)
def test_what_is_no_video_is_named(tmp_path, kind, message):
    path = damaged_file(tmp_path, kind)
    with pytest.raises(VideoError, match=f"(?s){re.escape(str(path))}.*{message}.*fix:"):
        list(read_frames(path))


@pytest.mark.parametrize(("name", "codec"), [("a.gif", None), ("a.avi", "mpeg4"), ("a.mkv", "libx264")])
def test_truncation_is_seen_in_every_container(tmp_path, name, codec):
    path = tmp_path / name
    _ = write_gif(path) if codec is None else write_video_file(path, list(range(10)), codec)
    assert len(list(read_frames(path))) >= 6
    with pytest.raises(VideoError, match="cut short"):
        probe_video(cut_short(path))


def test_a_file_is_probed_once_and_again_when_it_has_changed(tmp_path, monkeypatch):
    path, opened = write_video_file(tmp_path / "a.mp4", REGULAR), []
    probe = video._probe
    monkeypatch.setattr(video, "_probe", lambda path, container: opened.append(path) or probe(path, container))
    info = probe_video(path)
    assert len(list(read_frames(path))) == len(REGULAR) and probe_video(path) == info
    assert opened == [path]
    write_video_file(path, REGULAR[:5])
    assert probe_video(path).duration < info.duration
    path.write_bytes(b"")
    with pytest.raises(VideoError, match="0 bytes"):
        probe_video(path)


def test_a_huge_picture_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    path = write_video_file(tmp_path / "a.mp4", REGULAR)
    monkeypatch.setattr(video_checks, "LARGEST_PICTURE", 64 * 48 - 1)
    with pytest.raises(VideoError, match="64 x 48 = 3072 pixels\n.*scale it down"):
        probe_video(path)


def test_damage_inside_a_file_is_an_error(tmp_path):
    path = write_video_file(tmp_path / "a.mp4", REGULAR)
    content = bytearray(path.read_bytes())
    start, stop = content.index(b"mdat") + 4, content.index(b"moov") - 4
    content[(start + stop) // 2 : stop] = bytes(stop - (start + stop) // 2)
    path.write_bytes(content)
    with pytest.raises(VideoError, match="a damaged frame|does not decode"):
        list(read_frames(path))


@pytest.mark.parametrize(
    ("options", "messages"),
    [
        ({"fps": 0}, ["fps above|frames a second above 0"]),
        ({"fps": math.nan}, ["found:    nan"]),
        ({"start": 0.2, "end": 0.2}, ["an end after the start"]),
        ({"start": 5.0}, [r"a start within the video \(0.4"]),
        ({"end": 60.0}, [r"an end within the video \(0.4"]),
        ({"fps": -1, "start": -1, "end": math.inf}, ["3 problems", "start = -1", "end = inf"]),
    ],
)
def test_a_cut_or_rate_that_cannot_be_lists_all_problems(tmp_path, options, messages):
    path = write_video_file(tmp_path / "a.mp4", REGULAR)
    with pytest.raises(VideoError) as caught:
        next(read_frames(path, **options))
    for message in messages:
        assert re.search(message, str(caught.value))


def test_a_cut_between_two_frames_holds_none(tmp_path):
    path = write_video_file(tmp_path / "a.mp4", REGULAR)
    with pytest.raises(VideoError, match="at least one frame\n.*none from start = 0.05 to end = 0.07"):
        list(read_frames(path, start=0.05, end=0.07))


def test_videos_of_a_folder(tmp_path):
    for name in ("b.MP4", "deep/a.gif", ".hidden/c.mp4", "note.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    empty = tmp_path / "empty"
    empty.mkdir()
    assert list_videos(tmp_path) == [tmp_path / "b.MP4", tmp_path / "deep" / "a.gif"]
    assert list_videos(tmp_path / "note.txt") == [tmp_path / "note.txt"]
    with pytest.raises(VideoError, match="none in it"):
        list_videos(empty)
    with pytest.raises(VideoError, match="nothing there"):
        list_videos(tmp_path / "absent")
