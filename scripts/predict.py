"""Say what clips mean: a sentence by a translation model, a gloss by a gloss classifier.

    python scripts/predict.py --checkpoint runs/mine clip.mp4
    python scripts/predict.py --checkpoint runs/mine clip.mp4 --num-beams 4 --overlay out.mp4
    python scripts/predict.py --checkpoint runs/gloss clip.npz
    python scripts/predict.py --onnx out D/ --clip clip7
print `La casa es grande. 0.83` (the sentence and the typical probability of its tokens) or `HOW ARE YOU (4) 0.88 ·
GREETING (0) 0.77` (gloss, its id and probability; category likewise), then the best alternatives: glosses, or as many
sentences as there are beams. Several clips are several such blocks, each after the name of its file; --json is for
programs. A clip is a video, a folder of streams as extract_streams.py writes it, an .npz of the data contract, or a
file of landmarks of another tool (.pose, .parquet, .npy, .json).
"""

import argparse
import json
import logging
import sys
from pathlib import Path

from hf_slt.cli import run_script


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("clips", nargs="+", metavar="CLIP", help="Videos, folders of streams, or files of landmarks.")
    model = parser.add_mutually_exclusive_group(required=True)
    model.add_argument("--checkpoint", metavar="DIR", help="Folder of a trained model.")
    model.add_argument("--onnx", metavar="DIR", help="Folder of an export, or of a variant in it (runs on the CPU).")
    parser.add_argument("--clip", metavar="ID", help="The clip to take of a folder that holds several.")
    parser.add_argument(
        "--top-k", "--top_k", type=int, default=5, metavar="K", help="Alternatives to list (default: 5)."
    )
    parser.add_argument(
        "--num-beams", "--num_beams", type=int, metavar="N", help="Beams of the translation (default: the model's)."
    )
    parser.add_argument("--fps", type=float, metavar="N", help="Frames a second to take of videos (default: all).")
    parser.add_argument(
        "--overlay", metavar="FILE", help="Write the video with landmarks, crops and the answer drawn on it (.mp4)."
    )
    parser.add_argument(
        "--strict", action="store_true", help="Refuse clips of another extractor than that of the training."
    )
    parser.add_argument("--json", action="store_true", help="Print a list of objects, one a clip.")
    parser.add_argument(
        "--batch-size", "--batch_size", type=int, metavar="N", help="Clips a step (default: 32; sentences: 8)."
    )
    parser.add_argument("--key", "--kp-key", "--feature-key", metavar="NAME", help="Key of the array in .npz files.")
    return parser


def main(argv: list[str]) -> None:
    """Parse the command line and predict."""
    args = _parser().parse_args(argv)
    from hf_slt.inference.prediction_run import check_overlay, load_predictor, predict_clips, write_answer_overlay

    logging.getLogger("optimum").setLevel(logging.ERROR)
    if args.overlay:
        check_overlay(args.clips, args.overlay)
    predictor = load_predictor(args.checkpoint, args.onnx)
    reading = {name: getattr(args, name) for name in ("clip", "key", "fps", "strict")}
    predictions = predict_clips(predictor, args.clips, args.top_k, args.batch_size, num_beams=args.num_beams, **reading)
    sys.stdout.reconfigure(errors="replace")  # a terminal that cannot show a name still shows the rest
    if args.json:
        part = {"id": args.clip} if args.clip else {}
        rows = [{"clip": clip, **part, **said.to_dict()} for clip, said in zip(args.clips, predictions, strict=True)]
        print(json.dumps(rows, ensure_ascii=False, indent=2))
    else:
        _print_blocks(args.clips, predictions)
    if args.overlay:
        write_answer_overlay(predictor, Path(args.clips[0]), Path(args.overlay), predictions[0], args.fps)


def _print_blocks(clips: list[str], predictions: list) -> None:
    for clip, said in zip(clips, predictions, strict=True):
        print(said if len(clips) == 1 else f"{clip}: {said}")
        for place, ranked in enumerate(said.ranked, start=1):
            print(f"  {place}. {ranked}")


if __name__ == "__main__":
    run_script(main)
