"""Writes small video files: each frame is one level of gray that says which frame it is."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

LEVEL = 8  # gray levels from one frame to the next
WIDTH, HEIGHT = 64, 48


def gray_frame(number: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """RGB `(H, W, 3)` of gray level 16 + 8 x number; the upper left quarter is white."""
    image = np.full((height, width, 3), 16 + LEVEL * number, np.uint8)
    image[: height // 2, : width // 2] = 235
    return image


def frame_number(image: np.ndarray) -> int:
    """Which frame of a written file an image is, by the gray level of its right half."""
    return round((float(image[:, image.shape[1] * 3 // 4 :].mean()) - 16) / LEVEL)


def write_video_file(
    path: Path,
    times_ms: Sequence[int],
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    size: tuple[int, int] = (WIDTH, HEIGHT),
    rotation: int = 0,
    key_frames_every: int = 5,
) -> Path:
    """Write one frame for each time in milliseconds; they may be anything that increases."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        stream.codec_context.gop_size = key_frames_every
        stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        if rotation:
            stream.set_display_rotation(rotation)
        for number, time in enumerate(times_ms):
            frame = av.VideoFrame.from_ndarray(gray_frame(number, *size), format="rgb24").reformat(format=pix_fmt)
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_gif(path: Path, frames: int = 6, duration_ms: int = 120) -> Path:
    """Write an animated GIF."""
    from PIL import Image

    first, *rest = [Image.fromarray(gray_frame(number)) for number in range(frames)]
    first.save(path, save_all=True, append_images=rest, duration=duration_ms, loop=0)
    return path


def write_audio(path: Path) -> Path:
    """Write a file with a fifth of a second of silence and no picture."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        for part in range(10):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 160), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 8000, part * 160
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_empty_container(path: Path) -> Path:
    """Write an mp4 file whose video stream has not a single frame."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()
    return path


def cut_short(path: Path, share: float = 0.7) -> Path:
    """Throw the end of a file away."""
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    return path
