"""Write a corpus as files of the data contract.

The synthetic demo corpus, or a published one that you have downloaded:
    python scripts/prepare_data.py --source demo --output D
    python scripts/prepare_data.py --source boston104 --input DOWNLOADED --output D
Single signs, for gloss recognition:
    python scripts/prepare_data.py --source nsl_alphabet --input DOWNLOADED --output D
"""

import argparse

from hf_slt.cli import run_script


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    sources = ("demo", "boston104", "phoenix_skeletons", "nsl_alphabet")
    parser.add_argument("--source", required=True, choices=sources, help="The corpus.")
    parser.add_argument("--input", metavar="DIR", help="Folder of the downloaded corpus; the demo takes none.")
    parser.add_argument("--output", metavar="DIR", required=True, help="Folder to write, empty or new.")
    parser.add_argument("--overwrite", action="store_true", help="Replace the corpus in the output folder.")
    return parser


def main(argv: list[str]) -> None:
    """Parse the command line and convert."""
    args = _parser().parse_args(argv)
    from hf_slt.data.sources import convert_source

    output = convert_source(args.source, args.input, args.output, overwrite=args.overwrite)
    print(f"{args.source}: written to {output}")


if __name__ == "__main__":
    run_script(main)
