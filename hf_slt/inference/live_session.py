"""A live run from folders and files: model and extractor checked, what is said shown and kept."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.reports import write_json
from hf_slt.extraction.video import probe_video
from hf_slt.inference.live import LiveSettings, Said, make_reader, run_live
from hf_slt.inference.live_models import check_live_extractor, load_live_model
from hf_slt.inference.live_report import LiveReport
from hf_slt.inference.live_source import DetectorFactory, check_fps


def run_realtime(
    settings: LiveSettings,
    show: Callable[[Said], None],
    *,
    checkpoint: str | Path | None = None,
    onnx: str | Path | None = None,
    device: str = "auto",
    num_threads: int | None = 1,
    generation: Mapping[str, Any] | None = None,
    strict: bool = False,
    output: Path | None = None,
    report_file: Path | None = None,
    make_detector: DetectorFactory | None = None,
) -> LiveReport:
    """Load a model, and let it read a camera or a file; everything is checked before the first frame.

    Args:
        settings: Source and window.
        show: Called with each caption or sign, when it is said.
        checkpoint: Folder of a trained model; or
        onnx: folder of an export.
        device: `auto`, `cpu` or `cuda`, where a checkpoint computes.
        num_threads: Threads of the model.
        generation: Options of `generate`; None is the model's own.
        strict: Whether a model that was trained on landmarks of another extractor is an error.
        output: File for what is said, one JSON object a line, each written when it is said.
        report_file: File for the report.
        make_detector: As of `find_landmarks`.

    Returns:
        How it went.

    Raises:
        ConfigurationError: There is no such model, it cannot be used live, or settings cannot work.
        VideoError: The file or the camera is not usable.
        MissingDependencyError: A package of an extra is missing.
    """
    started = time.perf_counter()
    check_fps(settings.fps)
    _check_files(settings.video, output, report_file)
    if settings.video is not None:
        probe_video(settings.video)
    model = load_live_model(checkpoint, onnx, device, num_threads, generation)
    make_reader(model, settings, LiveReport())  # settings that cannot work come out before the files are written
    if make_detector is None:
        from hf_slt.extraction.holistic import extractor_record

        check_live_extractor(model, extractor_record(), strict)
    log: TextIO | None = None
    with ExitStack() as stack:

        def tell(said: Said | None) -> None:
            """Show what was said and write it to the log; None only opens the log."""
            nonlocal log
            if output and log is None:  # not before there is something to say: a camera may not be there
                log = stack.enter_context(_open_log(output))
            if said is None:
                return
            show(said)
            if log:
                log.write(json.dumps(said.to_dict(), ensure_ascii=False) + "\n")
                log.flush()

        report = run_live(model, settings, tell, make_detector, setup=time.perf_counter() - started)
        tell(None)
    if report_file:
        write_json(report_file, report.to_dict())
    return report


def _check_files(video: Path | None, output: Path | None, report: Path | None) -> None:
    """Raise `ConfigurationError` for files that cannot be written or that would overwrite another one."""
    taken = {video.resolve(): "--video"} if video is not None else {}
    for path, flag in ((output, "--output"), (report, "--report")):
        if path is None:
            continue
        if path.is_dir():
            raise ConfigurationError(f"expected a file in {flag}, found a folder: {path}")
        above = next(folder for folder in path.absolute().parents if folder.exists())
        if not above.is_dir() or not os.access(path if path.exists() else above, os.W_OK):
            raise ConfigurationError(
                f"expected a file that can be written in {flag}, found {path}; choose another place"
            )
        if (other := taken.setdefault(path.resolve(), flag)) != flag:
            raise ConfigurationError(f"expected different files in {other} and {flag}, found {path} in both")


def _open_log(path: Path) -> TextIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("w", encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"expected to write --output {path}, found: {error.strerror}; choose another place"
        ) from error
