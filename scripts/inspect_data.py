r"""Look at a corpus: one static HTML page of clips, lengths, texts, detection rates, crops, the worst clips first.

    python scripts/inspect_data.py --data D --output corpus.html
    python scripts/inspect_data.py --pose-dir D/pose --metadata-csv D/meta.csv --train-index D/index/train.csv
D is what extract_streams.py, prepare_data.py or you wrote by the data contract: face, hand_l, hand_r, pose, keypoints78
(or keypoints), metadata.jsonl (or meta.csv, labels.csv) and index/<split>.csv, as far as they are there.
"""

import argparse
from pathlib import Path

from hf_slt.cli import run_script

_FOLDERS = {
    "face_dir": ("--face-dir", "--face_dir"),
    "left_hand_dir": ("--hand-left-dir", "--hand_left_dir", "--left-hand-dir"),
    "right_hand_dir": ("--hand-right-dir", "--hand_right_dir", "--right-hand-dir"),
    "pose_dir": ("--pose-dir", "--pose_dir"),
}
_INDEXES = {"train": "train", "val": "validation", "test": "test"}


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw, allow_abbrev=False)
    add = parser.add_argument
    add("--data", type=Path, metavar="D", help="Folder with everything at its usual place.")
    add("--output", type=Path, default=Path("corpus.html"), metavar="FILE", help="The page (default: corpus.html).")
    add("--sample", type=int, default=24, metavar="N", help="Clips to show with their crops, half the worst ones (24).")
    for name, flags in _FOLDERS.items():
        what = f"Folder of the {name.removesuffix('_dir').replace('_', ' ')} stream, if it lies elsewhere."
        add(*flags, dest=name, type=Path, metavar="DIR", help=what)
    what = "Folder of landmarks in image coordinates (.npz)."
    add("--keypoints-dir", "--keypoints_dir", type=Path, metavar="DIR", help=what)
    what = "Texts and signers, .csv or .jsonl."
    add("--metadata-csv", "--metadata_csv", type=Path, metavar="FILE", help=what)
    for name, split in _INDEXES.items():
        what = f"Clips of the {split} split, one id a line."
        add(f"--{name}-index", f"--{name}_index", type=Path, metavar="FILE", help=what)
    add("--id-column", "--id_column", metavar="NAME", help="Column of the ids (default: video_id or id).")
    add("--text-column", "--text_column", metavar="NAME", help="Column of the texts (default: texto or text).")
    add("--encoding", default="utf-8-sig", metavar="NAME", help="Encoding of the CSV files (utf-8-sig).")
    add("--pose-key", "--pose_key", default="pose", metavar="NAME", help="Key of the array in the pose files (pose).")
    return parser


def main(argv: list[str]) -> None:
    """Parse the command line, read the corpus and write the page."""
    args = _parser().parse_args(argv)
    from hf_slt.data.corpus import CorpusPaths
    from hf_slt.inspection.inspect_corpus import inspect_corpus

    paths = CorpusPaths(
        **{name: getattr(args, name) for name in _FOLDERS},
        metadata_csv=args.metadata_csv,
        indexes={split: getattr(args, f"{name}_index") for name, split in _INDEXES.items()},
        id_column=args.id_column,
        text_column=args.text_column,
        encoding=args.encoding,
        pose_key=args.pose_key,
    )
    inspect_corpus(args.data, paths, args.output, keypoints_dir=args.keypoints_dir, sample=args.sample)


if __name__ == "__main__":
    run_script(main)
