"""A live run: frames of a camera or a file in, captions or glosses out, and a report of how it went."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_slt.errors import ConfigurationError
from hf_slt.extraction.options import ExtractionOptions
from hf_slt.extraction.pipelining import ahead
from hf_slt.extraction.video import probe_video, read_frames
from hf_slt.inference.captioner import Caption, Captioner
from hf_slt.inference.gloss_spotter import GlossSpotter, SpottedGloss
from hf_slt.inference.live_models import LiveRecognizer, LiveTranslator
from hf_slt.inference.live_report import LiveReport
from hf_slt.inference.live_source import (
    Arrival,
    DetectorFactory,
    LatestFrames,
    arriving,
    camera_frames,
    check_fps,
    choose_region,
    find_landmarks,
    paced,
)
from hf_slt.inference.streaming import LiveFrame

_QUEUE = 8  # frames with landmarks that wait for the model

Said = Caption | SpottedGloss


@dataclass(frozen=True)
class LiveSettings:
    """Where the frames come from, and how the window goes over them; None is the default of captions or glosses.

    Attributes:
        video: A video file; or
        camera: the number of a camera.
        fps: Frames a second to look at.
        pace: Show the file as fast as a camera would; frames are dropped where the run is behind, as of a camera.
        window: Longest segment, or what the classifier looks at, in seconds.
        hop: Seconds between two updates.
        pause: Seconds of rest that end a segment or a sign; 0: rest is not told from signing.
        overlap: Seconds of a segment that was cut which the next one sees again (captions).
        agreement: Translations, or looks, in a row that have to agree.
        threshold: Probability that makes a gloss a sign (glosses).
    """

    video: Path | None = None
    camera: int | None = None
    fps: float = 15.0
    pace: bool = False
    window: float | None = None
    hop: float | None = None
    pause: float | None = None
    overlap: float | None = None
    agreement: int | None = None
    threshold: float | None = None


class _Timed:
    """Calls a model, and notes how long it took."""

    def __init__(self, model: Callable[..., Any], report: LiveReport):
        self._model, self._report = model, report

    def __call__(self, *args: Any) -> Any:
        start = time.perf_counter()
        result = self._model(*args)
        self._report.update_latencies.append(time.perf_counter() - start)
        return result


def make_reader(
    model: LiveTranslator | LiveRecognizer, settings: LiveSettings, report: LiveReport
) -> Captioner | GlossSpotter:
    """Return what reads the frames: a captioner for a translator, a spotter for a recogniser.

    Raises:
        ConfigurationError: Settings that cannot work, or that are not for this kind of model.
    """
    is_translator = not hasattr(model, "names")
    of_others = ("threshold",) if is_translator else ("overlap",)
    if given := [name for name in of_others if getattr(settings, name) is not None]:
        other = "glosses" if is_translator else "captions"
        raise ConfigurationError(f"expected no --{given[0]}, which is for {other}, with this model, found one")
    if settings.window is not None and 0 < settings.window < 2 / settings.fps:
        raise ConfigurationError(
            f"expected a --window of 2 frames or more ({2 / settings.fps:.2f} s at --fps {settings.fps:g}), found "
            f"{settings.window:g} s"
        )
    shared = {name: getattr(settings, name) for name in ("window", "hop", "pause", "overlap", "threshold")}
    options = {name: value for name, value in shared.items() if value is not None}
    timed = _Timed(model, report)
    if is_translator:
        if settings.agreement is not None:
            options["agreement"] = settings.agreement
        return Captioner(timed, **options)
    if settings.agreement is not None:
        options["confirm"] = settings.agreement
    return GlossSpotter(timed, model.names, **options)


def run_live(
    model: LiveTranslator | LiveRecognizer,
    settings: LiveSettings,
    show: Callable[[Said], None],
    make_detector: DetectorFactory | None = None,
    setup: float = 0.0,
) -> LiveReport:
    """Read a camera or a file to its end, or until Ctrl-C, and show what is said when it is.

    Landmarks and crops are found in a thread of their own, ahead of the model.

    Args:
        model: The model.
        settings: Source and window.
        show: Called with each caption or sign.
        make_detector: As of `find_landmarks`.
        setup: Seconds that were spent before, for the report.

    Returns:
        How it went; after Ctrl-C, up to there.

    Raises:
        ConfigurationError: Settings that cannot work.
        VideoError: The file or the camera is not usable.
        MissingDependencyError: A package of the extra `extraction` is missing.
    """
    check_fps(settings.fps)
    if (settings.video is None) == (settings.camera is None):
        raise ConfigurationError("expected either a video or a camera, found both or none")
    report = LiveReport(setup=setup)
    reader = make_reader(model, settings, report)
    start = time.perf_counter()
    region = None
    if settings.video is not None:
        probe_video(settings.video)
        region = choose_region(settings.video) if make_detector is None else None
    report.setup += time.perf_counter() - start
    options = ExtractionOptions(fps=settings.fps)
    with ExitStack() as stack:
        arrivals, latest = _arrivals(settings, stack)
        found = find_landmarks(_from_the_first(arrivals, report), options, model.image_streams, region, make_detector)
        frames = stack.enter_context(ahead(found, _QUEUE))
        try:
            _read(frames, reader, settings, show, report)
        except KeyboardInterrupt:  # the usual end of a camera
            pass
        for said in reader.finish():
            _say(said, show, report)
        report.stop()
        report.frames_dropped = latest.dropped if latest else 0
    return report


def _arrivals(settings: LiveSettings, stack: ExitStack) -> tuple[Iterator[Arrival], LatestFrames | None]:
    if settings.video is None:
        source = camera_frames(settings.camera, settings.fps)
    else:
        source = read_frames(settings.video, fps=settings.fps)
        if not settings.pace:
            return arriving(source), None
        source = paced(source)
    latest = stack.enter_context(LatestFrames(source))
    return iter(latest), latest


def _from_the_first(arrivals: Iterator[Arrival], report: LiveReport) -> Iterator[Arrival]:
    for number, arrived in enumerate(arrivals):
        if not number:
            report.start(arrived[1])
        yield arrived


def _read(
    frames: Iterator[LiveFrame],
    reader: Captioner | GlossSpotter,
    settings: LiveSettings,
    show: Callable[[Said], None],
    report: LiveReport,
) -> None:
    waits = settings.video is not None and not settings.pace
    for frame in frames:
        age = time.perf_counter() - frame.arrival
        report.add_frame(frame.time, age, frame.landmarks.pose is not None)
        # Who is behind takes frames in until the window is up to date again.
        for said in reader.add(frame, waits or age < reader.hop):
            _say(said, show, report)


def _say(said: Said, show: Callable[[Said], None], report: LiveReport) -> None:
    delay = time.perf_counter() - said.arrival
    if isinstance(said, Caption):
        report.add_words(said.segment, said.words, said.end - said.start, delay, said.is_final)
        if not said.text:
            return
    else:
        report.add_gloss(said.said_at - said.end, delay)
    show(said)
