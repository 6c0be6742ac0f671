"""scripts/realtime.py on a file, with a made-up detector: what it prints and writes, and what it refuses."""

import json

import numpy as np
import pytest
import torch
from factories import write_video
from landmark_factories import FakeDetector, signer_frame
from live_factories import RESTING
from model_factories import tiny_model, tiny_processor, tiny_text_config
from script_runs import run_main

from hf_slt.extraction import holistic
from hf_slt.inference import live
from hf_slt.models.gloss.feature_extraction_gloss import GlossFeatureExtractor
from hf_slt.models.sign_transformer.configuration_sign_transformer import SignTransformerConfig
from hf_slt.models.sign_transformer.modeling_sign_transformer import SignTransformerForGlossClassification

SECONDS, FPS = 3, 10
RECORD = {"extractor": "mediapipe_holistic", "extractor_version": "0.10.21"}


@pytest.fixture(autouse=True)
def detector(monkeypatch):
    """A signer who signs for two seconds and rests for one."""
    found = [signer_frame(number) for number in range(2 * FPS)] + [RESTING] * FPS
    monkeypatch.setattr(holistic, "HolisticDetector", lambda options, region: FakeDetector(found))
    monkeypatch.setattr(holistic, "extractor_record", lambda: dict(RECORD))
    monkeypatch.setattr(live, "choose_region", lambda video: None)


@pytest.fixture
def video(tmp_path):
    pytest.importorskip("cv2", reason="OpenCV cuts and resizes crops")
    write_video(tmp_path / "clip.mp4", np.zeros((SECONDS * FPS, 64, 128, 3), np.uint8), fps=FPS)
    return tmp_path / "clip.mp4"


@pytest.fixture
def translator(tmp_path):
    processor = tiny_processor(("face", "pose"))
    words = tiny_text_config(vocab_size=len(processor.tokenizer))
    model = tiny_model(("face", "pose"), gain=30.0, num_pose_landmarks=33, text_config=words)
    model.generation_config.max_new_tokens = 8
    for part in (model, processor):
        part.save_pretrained(tmp_path / "translator")
    return tmp_path / "translator"


@pytest.fixture
def classifier(tmp_path):
    torch.manual_seed(0)
    extractor = GlossFeatureExtractor()
    tiny = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    names = {0: "HOLA", 1: "ADIÓS"}
    for part in (
        SignTransformerForGlossClassification(
            SignTransformerConfig(**tiny, input_size=extractor.input_size, id2label=names)
        ),
        extractor,
    ):
        part.save_pretrained(tmp_path / "gloss")
    return tmp_path / "gloss"


def refused(argv, capsys):
    with pytest.raises(SystemExit) as stopped:
        run_main("realtime", argv)
    assert stopped.value.code == 2
    return capsys.readouterr().err


def test_captions_of_a_file(translator, video, tmp_path, capsys):
    argv = ["--checkpoint", translator, "--video", video, "--fps", FPS, "--device", "cpu"]
    files = ["--output", tmp_path / "new/captions.jsonl", "--report", tmp_path / "new/report.json"]
    run_main("realtime", [*argv, *files])
    printed = capsys.readouterr()
    captions = [json.loads(line) for line in (tmp_path / "new/captions.jsonl").read_text("utf-8").splitlines()]
    assert captions
    assert printed.out.splitlines() == [f"[{caption['end']:.2f} s] {caption['text']}" for caption in captions]
    assert {caption["segment"] for caption in captions} == {0}
    assert captions[-1]["end"] <= 2.8  # the rest ends the sentence
    report = json.loads((tmp_path / "new/report.json").read_text("utf-8"))
    assert (report["frames"], report["frames_dropped"], report["frames_with_person"]) == (30, 0, 30)
    assert report["clip_seconds"] == pytest.approx(SECONDS)
    assert report["updates"] == 6  # at 0.5 s, 1 s ... 2.5 s, and at the end of the sentence
    assert f"real-time factor: {report['real_time_factor']:.2f}" in printed.err
    run_main("realtime", [*argv, "--num_beams", 1])
    assert capsys.readouterr().out == printed.out  # the same words at the same times


def test_glosses_of_a_file_shown_like_a_camera(classifier, video, capsys):
    argv = ["--checkpoint", classifier, "--video", video, "--fps", FPS, "--threshold", 0.01, "--pace"]
    run_main("realtime", argv)
    printed = capsys.readouterr()
    (line,) = printed.out.splitlines()
    assert line.split("] ")[1].split(" (")[0] in ("HOLA", "ADIÓS")
    factor = float(printed.err.split("real-time factor: ")[1].split(" ")[0])
    assert 0.9 < factor < 2  # 30 frames need 2.9 s to arrive


def test_a_clip_in_which_nobody_signs(translator, video, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(holistic, "HolisticDetector", lambda options, region: FakeDetector([RESTING]))
    run_main("realtime", ["--checkpoint", translator, "--video", video, "--output", tmp_path / "captions.jsonl"])
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "average lag" not in printed.err
    assert (tmp_path / "captions.jsonl").read_text("utf-8") == ""


def test_a_camera_that_is_not_there(translator, tmp_path, capsys):
    pytest.importorskip("cv2", reason="OpenCV reads cameras")
    message = refused(["--checkpoint", translator, "--camera", 99, "--output", tmp_path / "captions.jsonl"], capsys)
    assert "the camera is not usable: 1 problem\n1. camera 99\n" in message
    assert not (tmp_path / "captions.jsonl").exists()


def test_ctrl_c_ends_with_what_was_found(translator, video, monkeypatch, capsys):
    def interrupted(frames, reader, settings, show, report):
        for _, frame in zip(range(12), frames, strict=False):
            report.add_frame(frame.time, 0.01, True)
            reader.add(frame)
        raise KeyboardInterrupt

    monkeypatch.setattr(live, "_read", interrupted)
    run_main("realtime", ["--checkpoint", translator, "--video", video, "--fps", FPS])
    printed = capsys.readouterr()
    assert printed.out.startswith("[1.10 s] ")
    assert "frames: 12, a person in 12" in printed.err


def test_mistakes_are_told_before_the_first_frame(translator, classifier, video, tmp_path, capsys):
    assert "one of the arguments --checkpoint --onnx is required" in refused(["--video", video], capsys)
    assert "one of the arguments --video --camera is required" in refused(["--checkpoint", translator], capsys)
    start = ["--checkpoint", translator, "--video"]
    assert "gone.mp4" in refused([*start, tmp_path / "gone.mp4"], capsys)
    assert "expected --fps above 0, found 0" in refused([*start, video, "--fps", 0], capsys)
    assert "expected no --threshold, which is for glosses" in refused([*start, video, "--threshold", 0.5], capsys)
    assert "expected a window above 0 s" in refused([*start, video, "--window", 0], capsys)
    assert "expected a file in --output, found a folder" in refused([*start, video, "--output", tmp_path], capsys)
    of_glosses = ["--checkpoint", classifier, "--video", video, "--overlap", 1]
    assert "expected no --overlap, which is for captions" in refused(of_glosses, capsys)
    assert "found no config.json" in refused(["--checkpoint", tmp_path / "none", "--video", video], capsys)
    assert "expected a --window of 2 frames or more (0.13 s" in refused([*start, video, "--window", 0.1], capsys)
    assert "expected --num-threads of 1 or more, found -1" in refused([*start, video, "--num-threads", -1], capsys)
    assert "expected --num-beams of 1 or more, found 0" in refused([*start, video, "--num-beams", 0], capsys)
    assert "--max-new-tokens of 1 or more, found 0" in refused([*start, video, "--max-new-tokens", 0], capsys)
    beams = ["--checkpoint", classifier, "--video", video, "--num-beams", 4]
    assert "expected no --num-beams, which is for captions" in refused(beams, capsys)
    camera = ["--checkpoint", translator, "--camera=-1"]
    assert "expected the number of a camera, from 0, in --camera, found -1" in refused(camera, capsys)


def test_files_that_cannot_be_written_are_told_before_the_first_frame(translator, video, tmp_path, capsys):
    start, bytes_before = ["--checkpoint", translator, "--video", video], video.read_bytes()
    for flag in ("--output", "--report"):
        below_a_file = f"expected a file that can be written in {flag}, found {video / 'x' / 'y'}"
        assert below_a_file in refused([*start, flag, video / "x" / "y"], capsys)
        same = f"expected different files in --video and {flag}"
        assert same in refused([*start, flag, video.parent / "." / video.name], capsys)
    both = [*start, "--output", tmp_path / "x.json", "--report", tmp_path / "x.json"]
    assert "expected different files in --output and --report" in refused(both, capsys)
    assert video.read_bytes() == bytes_before


def test_an_output_that_cannot_be_made_is_a_typed_error(translator, video, tmp_path, monkeypatch, capsys):
    def fail(path, *args, **kwargs):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("pathlib.Path.mkdir", fail)
    message = refused(["--checkpoint", translator, "--video", video, "--output", tmp_path / "new/c.jsonl"], capsys)
    assert "ConfigurationError: expected to write --output" in message
    assert "found: Permission denied; choose another place" in message


def test_the_extractor_of_the_model_is_compared_with_the_live_one(translator, video, tmp_path, capsys, caplog):
    argv = ["--checkpoint", translator, "--video", video, "--output", tmp_path / "c"]
    message = refused([*argv, "--strict"], capsys)
    assert "expected a model that names the extractor of its training clips, found one that does not" in message
    settings = json.loads((translator / "preprocessor_config.json").read_text("utf-8"))
    settings["extractor"] = "mediapipe_holistic 0.8.9"
    (translator / "preprocessor_config.json").write_text(json.dumps(settings), "utf-8")
    message = refused([*argv, "--strict"], capsys)
    assert "mediapipe_holistic 0.8.9" in message
    assert "mediapipe_holistic 0.10.21" in message
    assert not (tmp_path / "c").exists()
    run_main("realtime", argv)
    assert "the live landmarks" in caplog.text
    settings["extractor"] = "mediapipe_holistic 0.10.21"
    (translator / "preprocessor_config.json").write_text(json.dumps(settings), "utf-8")
    run_main("realtime", [*argv, "--strict"])
