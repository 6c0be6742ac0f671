r"""Caption a signer live: a camera, or a video file as if it were one.

    python scripts/realtime.py --checkpoint runs/mine --video clip.mp4
    python scripts/realtime.py --checkpoint runs/mine --camera 0 --output captions.jsonl
    python scripts/realtime.py --onnx out/int8 --video clip.mp4 --pace --report live.json
A translation model prints words as soon as translations of the growing window agree on them (they are never taken
back), a gloss classifier each sign once it is over. At the end comes how it went: latencies, real-time factor and lag.
A file is read whole, as fast as it goes; with --pace it plays like a camera, and frames are dropped where the model is
behind. Stop a camera with Ctrl-C.
"""

import argparse
import sys
from pathlib import Path

from hf_slt.cli import run_script


def _both_forms(name: str) -> list[str]:
    return sorted({f"--{name}", f"--{name.replace('-', '_')}"})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )

    def add(name: str, help: str, **kwargs: object) -> None:
        parser.add_argument(*_both_forms(name), help=help, **kwargs)

    add("checkpoint", "Folder of a trained model, of translation or of glosses.", metavar="DIR")
    add("onnx", "Folder of an export, or of a variant in it, that computes instead (on the CPU).", metavar="DIR")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--video", type=Path, metavar="FILE", help="Read a file.")
    source.add_argument("--camera", type=int, metavar="N", help="Read a camera; 0 is the first one.")
    add(
        "fps",
        "Frames a second to look at (default: 15); best those of the training clips.",
        type=float,
        default=15.0,
        metavar="N",
    )
    add("pace", "Play --video as fast as a camera would.", action="store_true")
    add("window", "Seconds: longest segment (captions, default 8), or a look (glosses, 2).", type=float, metavar="S")
    add("hop", "Seconds between two updates (captions: 0.5, glosses: 0.25).", type=float, metavar="S")
    add("pause", "Seconds of rest that end a segment (0.8) or a sign (0.4); 0: never.", type=float, metavar="S")
    add("overlap", "Captions: seconds of a segment cut by the window that are seen again (0).", type=float, metavar="S")
    add("agreement", "Updates in a row that have to agree (default: 2).", type=int, metavar="N")
    add("threshold", "Glosses: probability that makes a sign (default: 0.5).", type=float, metavar="P")
    add("num-beams", "Captions: beams of the search (default: the model's).", type=int, metavar="N")
    add("max-new-tokens", "Captions: longest sentence (default: the model's).", type=int, metavar="N")
    add("output", "Also write what is said: one JSON object a line, as it is said.", type=Path, metavar="FILE")
    add("report", "Also write the report at the end, as JSON.", type=Path, metavar="FILE")
    add("strict", "A model of another extractor than the live one is an error.", action="store_true")
    add("device", "Where a checkpoint computes (default: auto).", choices=("auto", "cpu", "cuda"), default="auto")
    add("num-threads", "Threads of the model (default: 1, the landmarks need the others).", type=int, default=1)
    return parser


def main(argv: list[str]) -> None:
    """Parse the command line and run."""
    parser = _parser()
    args = parser.parse_args(argv)
    if not args.checkpoint and not args.onnx:
        parser.error("one of the arguments --checkpoint --onnx is required")
    from hf_slt.inference.live import LiveSettings
    from hf_slt.inference.live_session import run_realtime

    names = ("video", "camera", "fps", "pace", "window", "hop", "pause", "overlap", "agreement", "threshold")
    sys.stdout.reconfigure(errors="replace")  # a terminal that cannot show a name still shows the rest
    report = run_realtime(
        LiveSettings(**{name: getattr(args, name) for name in names}),
        lambda said: print(said, flush=True),
        checkpoint=args.checkpoint,
        onnx=args.onnx,
        device=args.device,
        num_threads=args.num_threads,
        generation={"num_beams": args.num_beams, "max_new_tokens": args.max_new_tokens},
        strict=args.strict,
        output=args.output,
        report_file=args.report,
    )
    print("\n".join(report.lines()), file=sys.stderr)


if __name__ == "__main__":
    run_script(main)
