"""Say which gloss a clip shows.

    python scripts/predict.py --checkpoint runs/gloss clip.npz
    python scripts/predict.py --onnx out clip.npz
print `HOW ARE YOU (4) 0.88 · GREETING (0) 0.77` (gloss, its id and probability; category likewise), then the best
five glosses. Several clips are several such blocks, each after the name of its file; --json is for programs.
"""

import argparse
import json
import sys

from hf_slt.cli import run_script


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("clips", nargs="+", metavar="CLIP", help="Clips (.npz) of the data contract.")
    model = parser.add_mutually_exclusive_group(required=True)
    model.add_argument("--checkpoint", metavar="DIR", help="Folder of a trained model.")
    model.add_argument("--onnx", metavar="DIR", help="Folder of an export, or of a variant in it (runs on the CPU).")
    parser.add_argument("--top-k", "--top_k", type=int, default=5, metavar="K", help="Glosses to list (default: 5).")
    parser.add_argument("--json", action="store_true", help="Print a list of objects, one a clip.")
    parser.add_argument(
        "--batch-size", "--batch_size", type=int, default=32, metavar="N", help="Clips a step (default: 32)."
    )
    parser.add_argument("--key", "--kp-key", "--feature-key", metavar="NAME", help="Key of the array in the files.")
    return parser


def main(argv: list[str]) -> None:
    """Parse the command line and predict."""
    args = _parser().parse_args(argv)
    from hf_slt.inference.gloss import GlossPredictor

    if args.onnx:
        from hf_slt.training.exported_models import load_exported_classifier

        predictor = GlossPredictor(*load_exported_classifier(args.onnx))
    else:
        from hf_slt.training.exported_models import check_not_exported

        check_not_exported(args.checkpoint)
        predictor = GlossPredictor.from_pretrained(args.checkpoint)
    predictions = predictor.predict(args.clips, args.top_k, args.batch_size, args.key)
    sys.stdout.reconfigure(errors="replace")  # a terminal that cannot show a name still shows the rest
    if args.json:
        rows = [{"clip": clip, **said.to_dict()} for clip, said in zip(args.clips, predictions, strict=True)]
        print(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for clip, said in zip(args.clips, predictions, strict=True):
        print(said if len(args.clips) == 1 else f"{clip}: {said}")
        for place, ranked in enumerate(said.glosses, start=1):
            print(f"  {place}. {ranked}")


if __name__ == "__main__":
    run_script(main)
