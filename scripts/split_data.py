"""Split a labels CSV, stratified by gloss, with nobody in two splits if you say who is who.

python scripts/split_data.py --labels-csv D/labels.csv --output D/splits/mine --group-by signer
python scripts/split_data.py --labels-csv D/labels.csv --output D/splits/random --ratios 0.8 0.2
python scripts/split_data.py --labels-csv D/labels.csv --output D/splits/loso --group-by signer --leave-one-group-out
python scripts/split_data.py --labels-csv D/labels.csv --output D/splits/folds --group-by signer --folds 5
"""

import argparse

from hf_slt.cli import run_script


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--labels-csv", "--labels_csv", metavar="FILE", required=True, help="Labels: file,gloss and any other columns.")
    add("--output", metavar="DIR", required=True, help="Folder to write, empty or new.")
    add("--ratios", type=float, nargs="+", default=(0.8, 0.1, 0.1), help="Shares of train, val and, if given, test.")
    add("--stratify", metavar="COLUMN", default="gloss", help="Column to divide evenly (default: gloss).")
    add("--group-by", "--group_by", metavar="COLUMN", help="Column whose values stay together, for example signer.")
    add("--leave-one-group-out", "--leave_one_group_out", action="store_true", help="One test split for each group.")
    add("--folds", type=int, metavar="K", help="Folds of a cross-validation instead of one split.")
    add("--seed", type=int, default=42, help="Seed of the choice (default: 42).")
    add("--encoding", default="utf-8-sig", help="Encoding of the CSV (default: UTF-8, with or without BOM).")
    add("--overwrite", action="store_true", help="Replace the splits in the output folder.")
    return parser


def main(argv: list[str]) -> None:
    """Parse the command line and split."""
    args = _parser().parse_args(argv)
    from hf_slt.data.gloss.split_files import SplitOptions, write_splits

    options = SplitOptions(args.ratios, args.stratify, args.group_by, args.seed, args.folds, args.leave_one_group_out)
    report = write_splits(args.labels_csv, args.output, options, encoding=args.encoding, overwrite=args.overwrite)
    for name, split in report["splits"].items():
        groups = list(split["groups"] or [])
        shown = f"; {args.group_by}: {', '.join(groups[:5])}{', ...' if len(groups) > 5 else ''}" if groups else ""
        print(f"{name}: {split['clips']} clips, {len(split['classes'])} values of {args.stratify}{shown}")


if __name__ == "__main__":
    run_script(main)
