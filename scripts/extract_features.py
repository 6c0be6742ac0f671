r"""Turn videos into image features, one `(T, d)` array a clip, for the classifiers of features.

    python scripts/extract_features.py --videos V/ --output D/ --backbone inception_v3
    python scripts/extract_features.py --videos V/ --output D/ --backbone facebook/dinov2-small --fps 25
Then a classifier is trained on them:
    python scripts/train_gloss.py --model iv3_gru --features-train D/ --labels-train-csv train.csv ...
A video that cannot be read is listed at the end, and the exit code is 1; --resume goes on where a run was stopped.
"""

import argparse
from pathlib import Path

from hf_slt.cli import run_script


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--videos", required=True, metavar="PATH", help="A video, or a folder with all below it.")
    parser.add_argument("--output", required=True, metavar="DIR", help="Folder to write, empty or new.")
    parser.add_argument(
        "--backbone",
        required=True,
        metavar="NAME",
        help="inception_v3 (needs torchvision), or name or folder of a vision model of transformers.",
    )
    parser.add_argument(
        "--weights",
        metavar="FILE",
        help="State dict of inception_v3 (default: torchvision's, downloaded once); 'random' is for tests.",
    )
    parser.add_argument(
        "--metadata-csv",
        "--metadata_csv",
        metavar="FILE",
        help="Which clips: video_id and optionally video, start, end (default: each video is one).",
    )
    parser.add_argument("--fps", type=float, metavar="F", help="Frames a second to keep (default: all).")
    parser.add_argument(
        "--batch-size", "--batch_size", type=int, default=16, metavar="N", help="Frames a step (default: 16)."
    )
    parser.add_argument(
        "--image-size", "--image_size", type=int, metavar="S", help="Side of the frames (default: the backbone's own)."
    )
    parser.add_argument("--key", default="X2048", metavar="NAME", help="Key of the array (default: X2048).")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"), help="Where to compute.")
    parser.add_argument("--resume", action="store_true", help="Keep the files that are there and make the others.")
    return parser


def main(argv: list[str]) -> None:
    """Parse the command line and extract; exit with 1 if a video could not be read."""
    args = _parser().parse_args(argv)
    from hf_slt.extraction.jobs import plan_jobs
    from hf_slt.inference.features import FeatureOptions, run_feature_extraction
    from hf_slt.inference.frame_encoders import load_encoder

    options = FeatureOptions(args.fps, args.batch_size, args.image_size, args.key)
    jobs = plan_jobs(args.videos, args.metadata_csv)
    encoder = load_encoder(args.backbone, args.weights, args.image_size, args.device)
    rows = run_feature_extraction(jobs, Path(args.output), encoder, options, args.resume)
    failed = [row for row in rows if row["status"] == "error"]
    frames = sum(row["n_frames"] or 0 for row in rows)
    print(f"{len(rows) - len(failed)} of {len(rows)} clips, {frames} frames: written to {args.output}")
    for row in failed:
        print(f"error: {row['video_id']} ({row['video']}): {row['error']}")
    if failed:
        raise SystemExit(1)


if __name__ == "__main__":
    run_script(main)
