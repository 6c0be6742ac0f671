"""An overlay of two people: the landmarks are on the one who signs."""

import numpy as np
import pytest

from hf_slt.extraction.options import ExtractionOptions
from hf_slt.extraction.overlay import overlay_video
from hf_slt.extraction.skeleton_drawing import FACE, LEFT

pytest.importorskip("mediapipe", reason="landmarks are detected with MediaPipe")


@pytest.mark.real_data
@pytest.mark.parametrize(("name", "signer_is_right"), [("lsat_clip2.gif", True), ("lsat_clip4.gif", False)])
def test_all_that_is_drawn_is_on_the_signer(real_data_dir, tmp_path, name, signer_is_right):
    import av

    output = tmp_path / "overlay.mp4"
    overlay_video(real_data_dir / "video" / "misc" / name, output, ExtractionOptions(fps=2), "¿Qué pasó?")
    with av.open(str(output)) as container:
        frames = [frame.to_ndarray(format="rgb24").astype(int)[:480] for frame in container.decode(video=0)]
    assert len(frames) >= 5
    for frame in frames:
        # not the blue of the right hand: the background is of that colour
        drawn = np.any([np.abs(frame - colour).sum(axis=2) < 40 for colour in (FACE, LEFT)], axis=0)
        sides = drawn[:, : frame.shape[1] // 2].sum(), drawn[:, frame.shape[1] // 2 :].sum()
        assert sides[signer_is_right] > 100 and sides[signer_is_right] > 20 * sides[not signer_is_right]
