r"""Measure the extraction of videos against the landmark model alone, and what a second worker gains.

`model` is the landmark model on frames that are in memory, `extraction` makes the clip from its video: decoding, choice
of the signer, landmarks, crops, files. Both keep the landmark model to the same core and take turns in one run, so
that whatever else the machine does slows both down: trust the ratios. With --workers the rows after them are whole runs
over all videos with one and with more processes. Nothing else may run on the machine then.

    python scripts/benchmark_extraction.py videos/ --rounds 3
    python scripts/benchmark_extraction.py clip.mp4 --fps 25 --workers 1 2 --output extraction.json
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark import Row, interleave, summarize

from hf_slt.cli import run_script
from hf_slt.errors import ConfigurationError

if TYPE_CHECKING:
    from hf_slt.extraction.options import ExtractionOptions

# Name of a case, its sides (the first is the baseline), and the frames that each of them goes through.
Case = tuple[str, dict[str, Callable[[], Any]], int]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="benchmark_extraction.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("videos", help="Folder of videos, or one video.")
    parser.add_argument("--fps", type=float, help="Frames a second to keep (default: all).")
    parser.add_argument("--rounds", type=int, default=3, help="Rounds of each side (default: 3).")
    parser.add_argument("--limit", type=int, help="Videos to take, the first ones by name (default: all).")
    parser.add_argument("--workers", type=int, nargs="+", metavar="N", help="Also whole runs with so many processes.")
    parser.add_argument("--output", metavar="FILE", help="Also write the figures as JSON.")
    return parser


def main(argv: list[str]) -> None:
    """Parse the command line, measure and print."""
    args = _parser().parse_args(argv)
    if min(args.rounds, 1 if args.limit is None else args.limit, *(args.workers or [1])) < 1:
        raise ConfigurationError("expected --rounds, --limit and --workers of 1 or more")
    from hf_slt.evaluation.reports import write_json
    from hf_slt.extraction.options import ExtractionOptions
    from hf_slt.extraction.video import list_videos

    videos, options = list_videos(args.videos)[: args.limit], ExtractionOptions(fps=args.fps)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for case, works, frames in cases(videos, options, args.workers or [], Path(folder)):
            rows += summarize(case, interleave(works, args.rounds), frames)
    print(format_rows(rows))
    print(f"{args.rounds} rounds in turns; {len(videos)} videos")
    if args.output:
        write_json(args.output, {**vars(args), "rows": [asdict(row) for row in rows]})


def cases(videos: Sequence[Path], options: "ExtractionOptions", workers: Sequence[int], folder: Path) -> Iterator[Case]:
    """Yield what is measured: a case for each video, then one of whole runs.

    Args:
        videos: The videos.
        options: Settings of the extraction.
        workers: Numbers of processes of the whole runs; none: no such case.
        folder: A temporary folder.
    """
    from hf_slt.extraction.clip import extract_clip
    from hf_slt.extraction.video import read_frames

    total = 0
    for video in videos:
        images = [frame.image for frame in read_frames(video, fps=options.fps)]
        total += len(images)

        def model(images=images) -> None:
            run_model(images, options)

        def extraction(video=video) -> None:
            extract_clip(video, folder / "clips", video.stem, options, core=0)

        yield video.name, {"model": model, "extraction": extraction}, len(images)
    if workers:
        sides = {f"{count} workers": _whole_run(videos, options, count, folder) for count in workers}
        yield "all videos", sides, total


def run_model(images: Sequence[Any], options: "ExtractionOptions") -> None:
    """Build the landmark model and run it over frames, bound to one core.

    Args:
        images: uint8 RGB `(H, W, 3)` each.
        options: Settings of the extraction.
    """
    from hf_slt.extraction.holistic import HolisticDetector, one_core

    with one_core(0), HolisticDetector(options) as detector:
        for image in images:
            detector.detect(image)


def _whole_run(
    videos: Sequence[Path], options: "ExtractionOptions", workers: int, folder: Path
) -> Callable[[], object]:
    from hf_slt.extraction.corpus_run import run_extraction
    from hf_slt.extraction.jobs import ClipJob

    jobs = [ClipJob(video.stem, video) for video in videos]
    target = folder / f"workers{workers}"

    def run() -> None:
        run_extraction(jobs, target, options, workers=workers, overwrite=target.exists(), show_progress=False)

    return run


def format_rows(rows: Sequence[Row]) -> str:
    """Lay the figures out as a table."""
    lines = [f"{'':<34}{'':<14}{'frames/s':>9}  {'(min - max)':<18}{'ratio':>7}  (min - max)"]
    for row in rows:
        rates = f"({row.rate_low:.1f} - {row.rate_high:.1f})"
        ratios = f"({row.ratio_low:.2f} - {row.ratio_high:.2f})"
        lines.append(f"{row.case[:33]:<34}{row.side:<14}{row.rate:>9.1f}  {rates:<18}{row.ratio:>7.2f}  {ratios}")
    return "\n".join(lines)


if __name__ == "__main__":
    run_script(main)
