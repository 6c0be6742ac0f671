"""Overlays: what is drawn where, captions, and that no half-written file stays."""

import numpy as np
import pytest
from factories import write_video
from PIL import Image

from hf_slt.errors import ConfigurationError
from hf_slt.extraction.landmark_clip import FrameLandmarks, stack_frames
from hf_slt.extraction.overlay import OverlayRecorder, OverlayWriter, check_overlay_path, frame_of, picture_size
from hf_slt.extraction.skeleton_drawing import FACE, LEFT, RIGHT, draw_boxes, draw_landmarks, load_font, wrap_text
from hf_slt.extraction.video import VideoFrame

av = pytest.importorskip("av", reason="overlays are written with PyAV")

GREY = np.full((240, 320, 3), 90, np.uint8)


def person(left=(0.75, 0.5), right=(0.25, 0.5), visibility=1.0):
    pose = np.full((33, 3), 0.5, np.float32)
    pose[:, 2] = visibility
    hands = {
        name: np.asarray(place, np.float32) + np.linspace(0, 0.05, 42, dtype=np.float32).reshape(21, 2)
        for name, place in {"left_hand": left, "right_hand": right}.items()
    }
    return FrameLandmarks(pose=pose, **hands)


def decode(path):
    with av.open(str(path)) as container:
        return [(float(frame.time), frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


def colour_at(image, x, y, colour, slack=30):
    """Say whether a pixel of about this colour is near a place (fractions)."""
    pixels = np.asarray(image).astype(int)
    row, column = int(y * image.height), int(x * image.width)
    return (np.abs(pixels[row - 6 : row + 12, column - 6 : column + 12] - colour).sum(axis=2) < slack).any()


def test_each_hand_has_its_colour_at_its_place():
    image = Image.fromarray(GREY)
    draw_landmarks(image, person())
    assert colour_at(image, 0.75, 0.5, LEFT) and colour_at(image, 0.25, 0.5, RIGHT)
    assert not colour_at(image, 0.75, 0.5, RIGHT) and not colour_at(image, 0.25, 0.5, LEFT)


def test_points_that_the_detector_guessed_are_not_drawn_and_no_person_draws_nothing():
    for nothing in (FrameLandmarks(), FrameLandmarks(pose=person(visibility=0.3).pose)):
        image = Image.fromarray(GREY)
        draw_landmarks(image, nothing)
        assert (np.asarray(image) == GREY).all()


def test_a_box_stands_where_it_is_also_beyond_the_border_and_none_is_none():
    image = Image.fromarray(GREY)
    draw_boxes(image, {"face": None, "left_hand": (0.5, -0.5, 1.5, 0.75)})
    assert colour_at(image, 0.5, 0.4, LEFT) and colour_at(image, 0.8, 0.75, LEFT)
    assert not colour_at(image, 0.2, 0.4, LEFT)


def test_lines_break_at_words_and_a_long_word_anywhere():
    font = load_font(20)
    lines = wrap_text("¿Dónde está el niño? " + "x" * 60, font, 200)
    assert "".join(lines).replace(" ", "") == "¿Dóndeestáelniño?" + "x" * 60
    assert max(font.getlength(line) for line in lines) <= 200
    assert lines[0].startswith("¿Dónde está")
    assert wrap_text("  ", font, 200) == []


@pytest.mark.parametrize(
    ("size", "drawn"), [((320, 240), (640, 480)), ((101, 81), (304, 244)), ((3840, 2160), (1920, 1080))]
)
def test_sizes_are_even_and_neither_tiny_nor_huge(size, drawn):
    assert picture_size(*size) == drawn


def test_the_video_has_every_frame_at_its_time_and_captions_while_they_last(tmp_path):
    output = tmp_path / "new" / "out.mp4"
    times = [0.0, 0.1, 0.4]
    with OverlayWriter(output, 320, 240, [(0.1, 0.3, "Él come pan.")], region=(0, 0, 0.6, 1)) as writer:
        for time in times:
            writer.add(GREY, person(), {"face": (10, 10, 60, 60)}, time)
        assert not output.exists()
    frames = decode(output)
    assert [time for time, _ in frames] == pytest.approx(times, abs=0.002)
    assert frames[0][1].shape[1] == 640 and frames[0][1].shape[0] > 480
    bands = [pixels[490:].max() for _, pixels in frames]
    assert bands[1] > 200 and bands[0] < 40 and bands[2] < 40
    assert [path.name for path in output.parent.iterdir()] == ["out.mp4"]


def test_without_captions_there_is_no_band(tmp_path):
    with OverlayWriter(tmp_path / "out.mp4", 320, 240) as writer:
        writer.add(GREY, FrameLandmarks(), {}, 0.0)
    ((_, pixels),) = decode(tmp_path / "out.mp4")
    assert pixels.shape == (480, 640, 3)


def test_an_error_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    output = tmp_path / "out.mp4"
    output.write_bytes(b"old")
    with pytest.raises(KeyError), OverlayWriter(output, 320, 240) as writer:
        writer.add(GREY, FrameLandmarks(), {}, 0.0)
        raise KeyError("a bug")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("out.mp4", b"old")]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("out.avi", r"expected an overlay file that ends in \.mp4, found .*out\.avi"),
        ("folder.mp4", "expected a file for the overlay, found a folder"),
        ("clip.mp4", "expected another file for the overlay than the video"),
    ],
)
def test_places_that_an_overlay_cannot_have_are_refused(tmp_path, name, message):
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(ConfigurationError, match=message):
        check_overlay_path(tmp_path / "clip.mp4", tmp_path / name)


def test_a_place_that_cannot_be_written_is_an_error_for_people(tmp_path):
    (tmp_path / "file").touch()
    message = "expected a place for the overlay, found .*out.mp4: .*; choose another one"
    with pytest.raises(ConfigurationError, match=message), OverlayWriter(tmp_path / "file" / "out.mp4", 320, 240):
        pass


def test_what_an_extraction_saw_is_drawn_over_its_frames(tmp_path):
    video, output = tmp_path / "clip.mp4", tmp_path / "out.mp4"
    write_video(video, np.stack([GREY] * 3))
    recorder = OverlayRecorder()
    for number in range(3):
        seen = person() if number == 1 else FrameLandmarks()
        boxes = {"face": (100, 100, 200, 200) if number == 1 else None}
        recorder(VideoFrame(number, number / 25, GREY), seen, boxes)
    recorder.write(video, output, {"signer_choice": {"people": 1, "region": None}, "start": None, "end": None}, "yes")
    frames = [Image.fromarray(pixels[:480]) for _, pixels in decode(output)]
    assert [colour_at(frame, 0.75, 0.5, LEFT, 120) for frame in frames] == [False, True, False]
    assert [colour_at(frame, 100 / 320, 0.6, FACE, 120) for frame in frames] == [False, True, False]


def test_a_frame_of_a_clip_is_what_was_put_in():
    frames = [person(visibility=0.7), FrameLandmarks()]
    clip = stack_frames(frames, np.array([0, 0.1]), 320, 240)
    back = frame_of(clip, 0)
    assert back.face is None and np.array_equal(back.pose, frames[0].pose)
    assert np.array_equal(back.left_hand, frames[0].left_hand)
    assert frame_of(clip, 1) == FrameLandmarks()
