"""`scripts/extract_features.py` on small videos: files, rows, resuming, and videos that cannot be read."""

import numpy as np
import pytest
import torch
from factories import write_video
from gloss_factories import write_labels
from script_runs import run_main
from transformers import ViTConfig, ViTImageProcessor, ViTModel

from hf_slt.data.gloss.clips import read_clip
from hf_slt.data.jsonl_files import parse_object
from hf_slt.inference.frame_encoders import load_encoder


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("backbone") / "vit"
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    ViTModel(ViTConfig(**sizes, image_size=32, patch_size=16)).save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


@pytest.fixture
def videos(tmp_path):
    """Two videos of 10 frames at 25 a second."""
    pytest.importorskip("av", reason="videos are written and read by PyAV")
    (tmp_path / "V").mkdir()
    shades = np.random.default_rng(0).integers(0, 256, (10, 3), dtype=np.uint8)
    for name, order in (("a", 1), ("b", -1)):
        frames = np.tile(shades[::order, None, None], (1, 32, 48, 1))
        write_video(tmp_path / "V" / f"{name}.mp4", frames)
    return tmp_path / "V"


def extract(videos, output, backbone, *flags, code=0):
    argv = ["--videos", videos, "--output", output, "--backbone", backbone, "--device", "cpu", *flags]
    if not code:
        run_main("extract_features", argv)
        return
    with pytest.raises(SystemExit) as leaving:
        run_main("extract_features", argv)
    assert leaving.value.code == code


def rows_of(output):
    lines = (output / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    return {row["video_id"]: row for row in map(parse_object, lines)}


def test_features_of_a_folder(videos, backbone, tmp_path):
    outputs = [tmp_path / name for name in ("one", "two")]
    for output in outputs:
        extract(videos, output, backbone, "--batch-size", "4")
    clip = read_clip(outputs[0] / "a.npz", "features", width=16)
    assert clip.values.shape == (10, 16) and clip.values.dtype == np.float32
    for name in ("a.npz", "b.npz", "metadata.jsonl"):
        assert (outputs[0] / name).read_bytes() == (outputs[1] / name).read_bytes()
    record = clip.provenance
    assert (record["extractor"], record["extractor_version"]) == ("vit", load_encoder(str(backbone)).version)
    assert (record["source"], record["options"]["batch_size"]) == ("a.mp4", 4) and len(record["source_sha256"]) == 64
    row = rows_of(outputs[0])["a"]
    assert (row["status"], row["n_frames"], row["width"], row["height"]) == ("ok", 10, 48, 32)
    assert row["fps"] == pytest.approx(25) and row["provenance"] == record
    with np.load(outputs[0] / "a.npz") as arrays:
        assert set(arrays) == {"X2048", "timestamps_ms", "meta"}
        np.testing.assert_allclose(arrays["timestamps_ms"], np.arange(10) * 40, atol=0.01)


def test_rate_key_and_segments(videos, backbone, tmp_path):
    extract(videos / "a.mp4", tmp_path / "half", backbone, "--fps", "12.5", "--key", "F")
    extract(videos / "a.mp4", tmp_path / "whole", backbone, "--key", "F")
    half, whole = (read_clip(tmp_path / name / "a.npz", "features", "F").values for name in ("half", "whole"))
    np.testing.assert_allclose(half, whole[::2], atol=1e-6)
    table = write_labels(tmp_path / "meta.csv", [["c", "a", "0.2", "0.4", "Hola"]],
                         ("video_id", "video", "start", "end", "text"))  # fmt: skip
    extract(videos, tmp_path / "cut", backbone, "--key", "F", "--metadata-csv", table)
    cut = read_clip(tmp_path / "cut" / "c.npz", "features", "F").values
    np.testing.assert_allclose(cut, whole[5 : 5 + len(cut)], atol=1e-6)
    assert len(cut) == 5 and rows_of(tmp_path / "cut")["c"]["text"] == "Hola"


def test_one_bad_video_never_stops_the_others(videos, backbone, tmp_path, capsys):
    (videos / "aa_bad.mp4").write_bytes(b"not a video")
    extract(videos, tmp_path / "out", backbone, code=1)
    said = capsys.readouterr().out
    assert "2 of 3 clips, 20 frames" in said and "error: aa_bad (aa_bad.mp4):" in said
    rows = rows_of(tmp_path / "out")
    assert list(rows) == ["a", "aa_bad", "b"] and [row["status"] for row in rows.values()] == ["ok", "error", "ok"]
    assert "not usable" in rows["aa_bad"]["error"] and rows["aa_bad"]["provenance"] is None
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.npz", "b.npz", "metadata.jsonl"]


def test_resuming_makes_what_is_missing(videos, backbone, tmp_path, capsys):
    output = tmp_path / "out"
    extract(videos, output, backbone)
    before, row = (output / "a.npz").stat(), (output / "metadata.jsonl").read_bytes()
    extract(videos, output, backbone, code=2)
    assert "expected an empty or new folder in --output" in capsys.readouterr().err
    (output / "b.npz").write_bytes(b"cut short")
    extract(videos, output, backbone, "--resume")
    assert (output / "a.npz").stat().st_mtime_ns == before.st_mtime_ns, "a finished clip was made again"
    assert read_clip(output / "b.npz", "features").values.shape == (10, 16)
    assert (output / "metadata.jsonl").read_bytes() == row
    extract(videos, output, backbone, "--resume", "--fps", "5", code=2)
    assert "found others: a (fps), b (fps)" in capsys.readouterr().err
    write_video(videos / "a.mp4", np.zeros((5, 32, 48, 3), np.uint8))
    extract(videos, output, backbone, "--resume", code=2)
    assert "found others: a (source_sha256);" in capsys.readouterr().err


def test_numbers_that_cannot_work(videos, backbone, tmp_path, capsys):
    extract(videos, tmp_path / "out", backbone, "--batch-size", "0", "--fps", "nan", "--image-size", "-1", code=2)
    said = capsys.readouterr().err
    assert "--batch-size of 1 or more, found 0; --image-size of 1 or more, found -1; --fps above 0, found nan" in said
    assert not (tmp_path / "out").exists()
