r"""Turn landmarks that other tools wrote into files to train and predict with.

    python scripts/import_landmarks.py --input poses/ --output D
    python scripts/import_landmarks.py --input clip.parquet --output D --fps 30 --width 640 --height 480
    python scripts/import_landmarks.py --input mmpose/ --format wholebody133 --width 1280 --height 720 --output D
Reads .pose files (MediaPipe Holistic, complete or reduced), the 543 points of MediaPipe Holistic (.parquet of Google
ISLR, .npy, .npz) and the 133 points of COCO-WholeBody (.json of MMPose, .npz). Writes D/pose, D/keypoints78 and
D/metadata.jsonl; when a file is not usable, all such files are listed and nothing is written.
"""

import argparse

from hf_slt.cli import run_script

_FORMATS = ("auto", "pose", "holistic543", "wholebody133")
_POSE_LAYOUTS = ("mediapipe_pose", "mediapipe_pose_upper", "mediapipe_pose_hands")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--input", required=True, metavar="FILE_OR_FOLDER", help="A file, or a folder of files.")
    parser.add_argument("--output", required=True, metavar="DIR", help="Folder to write: new, or empty.")
    parser.add_argument("--format", default="auto", choices=_FORMATS, help="What the files have to be (default: auto).")
    parser.add_argument("--fps", type=float, metavar="N", help="Frames a second of files that do not say.")
    parser.add_argument("--width", type=int, metavar="W", help="Width of the pictures in pixels, likewise.")
    parser.add_argument("--height", type=int, metavar="H", help="Height of the pictures in pixels, likewise.")
    parser.add_argument(
        "--pose-layout",
        "--pose_layout",
        default="mediapipe_pose",
        choices=_POSE_LAYOUTS,
        help="Points of the pose files (default: mediapipe_pose).",
    )
    parser.add_argument(
        "--max-gap",
        "--max_gap",
        type=int,
        default=5,
        metavar="N",
        help="Longest run of frames over which one of the 78 points is interpolated (default: 5).",
    )
    parser.add_argument("--overwrite", action="store_true", help="Replace an earlier import in the output folder.")
    return parser


def main(argv: list[str]) -> None:
    """Parse the command line and import."""
    args = _parser().parse_args(argv)
    from hf_slt.extraction.imports.corpus import import_landmarks

    rows = import_landmarks(
        args.input,
        args.output,
        format=args.format,
        fps=args.fps,
        width=args.width,
        height=args.height,
        pose_layout=args.pose_layout,
        max_gap=args.max_gap,
        overwrite=args.overwrite,
        show_progress=True,
    )
    print(f"{len(rows)} clips, {sum(row['n_frames'] for row in rows)} frames -> {args.output}")
    unknown = sum(row["width"] is None for row in rows)
    if unknown:
        print(
            f"{unknown} clips do not say how large their pictures were: they count as square, which distorts others; "
            "give --width and --height"
        )


if __name__ == "__main__":
    run_script(main)
