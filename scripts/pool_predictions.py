"""Score the predictions of several gloss evaluations as one set, for example the folds of a leave-one-signer-out.

python scripts/pool_predictions.py runs/loso/*/test_predictions.csv
"""

import argparse

from hf_slt.cli import run_script


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw, allow_abbrev=False)
    parser.add_argument("files", nargs="+", metavar="FILE", help="Files of predictions; no clip is in two of them.")
    parser.add_argument("--resamples", type=int, default=1000, metavar="N", help="Bootstrap resamples (default: 1000).")
    parser.add_argument("--seed", type=int, default=42, help="Seed of the bootstrap (default: 42).")
    parser.add_argument("--output", metavar="FILE", help="Also write the scores as JSON.")
    return parser


def main(argv: list[str]) -> None:
    """Parse the command line, score and print."""
    args = _parser().parse_args(argv)
    from hf_slt.evaluation.pooled_predictions import pool_predictions
    from hf_slt.evaluation.reports import write_json

    scores = pool_predictions(args.files, args.resamples, args.seed)
    for name in ("accuracy", "top5_accuracy", "category_accuracy"):
        if name in scores:
            interval = scores.get(f"{name}_interval")
            print(f"{name} {scores[name]:.3f}" + (f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else ""))
    print(f"{scores['clips']} clips of {scores['files']} files")
    for signer, own in scores["per_signer"].items():
        print(f"  {signer}: accuracy {own['accuracy']:.3f} ({own['clips']} clips)")
    if args.output:
        write_json(args.output, scores)


if __name__ == "__main__":
    run_script(main)
