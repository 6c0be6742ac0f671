r"""Measure training, reading and inference against the same model written plainly (benchmark_baseline.py).

`export` measures models in PyTorch beside their ONNX exports, in fp32 and in int8, on ONNX Runtime. All sides take
turns in one run, so that whatever else the machine does slows all of them down: trust the ratios. With several threads
that holds for a machine that does nothing else: torch's threads wait for the slowest one after each operation.

    python scripts/benchmark.py train --threads 2
    python scripts/benchmark.py train --threads 2 --bf16 --compile       # adds rows for each, and for both
    python scripts/benchmark.py read
    python scripts/benchmark.py infer --output infer.json
    python scripts/benchmark.py export --threads 1 2                     # models of random weights, default sizes
    python scripts/benchmark.py export --checkpoint runs/mine --frames 64
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hf_slt.cli import run_script
from hf_slt.errors import ConfigurationError

CLIPS = {"train": 256, "read": 1000, "infer": 256}
ROUNDS = {"train": 5, "read": 9, "infer": 7}
QUICK = {"clips": 6, "rounds": 2, "batch_size": 3}
EXPORT_ROUNDS, EXPORT_FRAMES = 5, (16, 32, 64, 128)
QUICK_EXPORT = {"rounds": 2, "frames": [4, 6], "new_tokens": 3, "turn_seconds": 0.01}
COUNTS = ("clips", "rounds", "batch_size", "threads", "frames", "new_tokens")
_EXPORT_HELP = "Milliseconds a clip in PyTorch and on ONNX Runtime, in fp32 and in int8."


@dataclass
class Row:
    """The figures of one side of a case.

    Attributes:
        case: What was measured.
        side: Who did it.
        rate: Clips a second, median of the rounds.
        rate_low, rate_high: The slowest and the fastest round.
        ratio: Its rate divided by the baseline's of the same round, median of the rounds.
        ratio_low, ratio_high: The smallest and the largest of these.
    """

    case: str
    side: str
    rate: float
    rate_low: float
    rate_high: float
    ratio: float
    ratio_low: float
    ratio_high: float


def time_call(work: Callable[[], Any]) -> float:
    """Return the seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def interleave(
    works: dict[str, Callable[[], Any]], rounds: int, time_turn: Callable[[Callable[[], Any]], float] = time_call
) -> dict[str, list[float]]:
    """Time the sides in turns, every other round backwards, and return the seconds of each round."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds):
        for name in list(works)[:: 1 if number % 2 == 0 else -1]:
            seconds[name].append(time_turn(works[name]))
    return seconds


def summarize(case: str, seconds: dict[str, list[float]], clips: int) -> list[Row]:
    """Turn the seconds of rounds of `clips` clips into figures; the first side is the baseline."""
    from statistics import median

    baseline = next(iter(seconds.values()))
    rows = []
    for side, own in seconds.items():
        rates = [clips / value for value in own]
        ratios = [base / value for base, value in zip(baseline, own, strict=True)]
        figures = [summary(values) for values in (rates, ratios) for summary in (median, min, max)]
        rows.append(Row(case, side, *figures))
    return rows


def format_rows(rows: Sequence[Row]) -> str:
    """Lay the figures out as a table."""
    lines = [f"{'':<20}{'':<24}{'clips/s':>9}  {'(min - max)':<22}{'ratio':>7}  (min - max)"]
    for row in rows:
        rates = f"({row.rate_low:.1f} - {row.rate_high:.1f})"
        ratios = f"({row.ratio_low:.2f} - {row.ratio_high:.2f})"
        lines.append(f"{row.case:<20}{row.side:<24}{row.rate:>9.1f}  {rates:<22}{row.ratio:>7.2f}  {ratios}")
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="benchmark.py", description=__doc__, formatter_class=raw, allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    helps = {
        "train": "Training clips a second, reading included.",
        "read": "Clips a second read from single .npz files and from our memory-mapped table.",
        "infer": "Clips a second in batches and one by one.",
    }
    for name, text in helps.items():
        command = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        command.add_argument("--threads", type=int, help="Threads of torch (default: torch's choice).")
        counts = {"clips": (CLIPS[name], "Clips of a round"), "rounds": (ROUNDS[name], "Rounds of each side")}
        for option, (default, what) in counts.items():
            command.add_argument(f"--{option}", type=int, default=default, help=f"{what} (default: {default}).")
        _add_common(command)
        if name != "read":
            command.add_argument("--batch-size", type=int, default=32, help="Clips a step (default: 32).")
    _add_export(commands.add_parser("export", help=_EXPORT_HELP, description=_EXPORT_HELP, allow_abbrev=False))
    train = commands.choices["train"]
    train.add_argument("--num-workers", type=int, default=0, help="Processes that read, of each side (default: 0).")
    train.add_argument("--compile", action="store_true", help="Also measure the compiled model.")
    train.add_argument("--bf16", action="store_true", help="Also measure mixed precision.")
    return parser


def _add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument("--quick", action="store_true", help="A few tiny rounds, to see that it runs.")
    command.add_argument("--output", metavar="FILE", help="Also write the figures as JSON.")


def _add_export(command: argparse.ArgumentParser) -> None:
    several = {"type": int, "nargs": "+", "metavar": "N"}
    lengths = list(EXPORT_FRAMES)
    command.add_argument("--checkpoint", nargs="+", metavar="DIR", help="Trained models (default: random weights).")
    command.add_argument("--threads", **several, default=[1, 2], help="Threads of each side (default: 1 and 2).")
    command.add_argument("--frames", **several, default=lengths, help=f"Frames of a clip (default: {lengths}).")
    command.add_argument("--batch-size", type=int, default=1, help="Clips at a time (default: 1).")
    command.add_argument("--new-tokens", type=int, default=24, help="Tokens that are generated (default: 24).")
    command.add_argument("--rounds", type=int, default=EXPORT_ROUNDS, help=f"Rounds (default: {EXPORT_ROUNDS}).")
    command.set_defaults(turn_seconds=0.2)
    _add_common(command)


def parse(argv: list[str]) -> argparse.Namespace:
    """Parse the command line."""
    args = _parser().parse_args(argv)
    if args.quick:
        quick = QUICK_EXPORT if args.command == "export" else QUICK
        vars(args).update({name: value for name, value in quick.items() if name in args})
    if low := [name for name in COUNTS if _smallest(getattr(args, name, None)) < 1]:
        raise ConfigurationError(f"expected {', '.join(low)} of 1 or more")
    if getattr(args, "num_workers", 0) < 0:
        raise ConfigurationError(f"expected num_workers of 0 or more, found {args.num_workers}")
    return args


def _smallest(value: int | list[int] | None) -> int:
    return 1 if value is None else min(value) if isinstance(value, list) else value


def main(argv: list[str]) -> None:
    """Parse the command line, measure and print."""
    args = parse(argv)
    if args.command == "export":
        measure_exports(args)
    else:
        measure(args)


def measure(args: argparse.Namespace) -> None:
    """Measure hf_slt beside the plain model, and print."""
    import torch
    from benchmark_gloss import CASES

    from hf_slt.evaluation.reports import write_json

    if args.threads:
        torch.set_num_threads(args.threads)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for case, works in CASES[args.command](args, Path(folder)):
            rows += summarize(case, interleave(works, args.rounds), args.clips)
    about = {"threads": torch.get_num_threads(), "torch": torch.__version__}
    print(format_rows(rows))
    print(f"{args.rounds} rounds of {args.clips} clips in turns; {', '.join(f'{k} {v}' for k, v in about.items())}")
    if args.output:
        write_json(args.output, {**vars(args), **about, "rows": [asdict(row) for row in rows]})


def measure_exports(args: argparse.Namespace) -> None:
    """Measure exports beside PyTorch, and print each line of the table as soon as it is known."""
    import benchmark_export as exports
    import benchmark_times as times

    from hf_slt.evaluation.reports import write_json

    time_turn = partial(times.time_turn, seconds=args.turn_seconds)
    rows, sizes, about = [], [], exports.versions()
    print(times.format_header())
    with tempfile.TemporaryDirectory() as folder:
        for model in exports.open_models(args, Path(folder)):
            sizes.append(model.sizes)
            for case, works in exports.export_cases(args, model):
                line = times.summarize_times(case, interleave(works, args.rounds, time_turn), args.batch_size)
                print(times.format_times(line), flush=True)
                rows += line
    print(f"\n{times.format_sizes(sizes)}\n\n{times.format_about(args, about)}")
    if args.output:
        figures = {"rows": [asdict(row) for row in rows], "sizes": [asdict(size) for size in sizes]}
        write_json(args.output, {**vars(args), **about, **figures})


if __name__ == "__main__":
    run_script(main)
