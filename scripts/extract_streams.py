"""Extract face, hands, pose and key points from videos, as files that models train on and read.

    python scripts/extract_streams.py --videos V --output D
    python scripts/extract_streams.py --videos V --output D --metadata-csv meta.csv --fps 25 --workers 2
    python scripts/extract_streams.py --videos V --output D --metadata-csv meta.csv --fps 25 --resume
write D/face, D/hand_l, D/hand_r (crops), D/pose, D/keypoints78 (.npz) and D/metadata.jsonl, a row for each clip. With
metadata, each row is a clip, from start to end of its video where it has them. A video that cannot be used is listed
at the end (exit code 1), and stops no other one.
"""

import argparse
import sys

from hf_slt.cli import run_script
from hf_slt.extraction.arguments import add_flag, add_option_flags, options_from


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_flag(parser, "videos", "A video, or a folder of them (with all below it).", required=True, metavar="PATH")
    add_flag(parser, "output", "Folder to write, empty or new.", required=True, metavar="DIR")
    add_flag(parser, "metadata-csv", "Metadata, CSV or .jsonl: the clips (default: all videos).", metavar="FILE")
    add_flag(parser, "id-column", "Its column of the ids (default: video_id, else id).", metavar="NAME")
    add_flag(parser, "text-column", "Its column of the texts (default: texto, else text).", metavar="NAME")
    add_flag(parser, "encoding", "Its encoding (default: UTF-8).", default="utf-8-sig", metavar="NAME")
    add_flag(parser, "skip-missing", "Leave out rows whose video is not there.", action="store_true")
    add_flag(parser, "workers", "Processes (default: one a core).", type=int, metavar="N")
    add_flag(parser, "resume", "Go on with an extraction that was ended: finished clips stay.", action="store_true")
    add_flag(parser, "overwrite", "Delete the extraction in the output folder first.", action="store_true")
    add_option_flags(parser)
    return parser


def main(argv: list[str]) -> None:
    """Parse the command line and extract."""
    args = _parser().parse_args(argv)
    options = options_from(args)
    from hf_slt.extraction.corpus_run import run_extraction
    from hf_slt.extraction.jobs import plan_jobs

    jobs = plan_jobs(
        args.videos,
        args.metadata_csv,
        id_column=args.id_column,
        text_column=args.text_column,
        encoding=args.encoding,
        skip_missing=args.skip_missing,
    )
    summary = run_extraction(
        jobs, args.output, options, workers=args.workers, resume=args.resume, overwrite=args.overwrite
    )
    print(summary.describe())
    if summary.failed:
        sys.exit(1)


if __name__ == "__main__":
    run_script(main)
