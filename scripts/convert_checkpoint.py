"""Turn a checkpoint (.pt) of an older tool into a folder that from_pretrained loads.

python scripts/convert_checkpoint.py --from fslr SignTransformer_best.pt models/gloss --gloss-names names.csv
python scripts/convert_checkpoint.py --from fslr InceptionV3GRU_best.pt models/iv3
python scripts/convert_checkpoint.py --from slt best.pt models/encoder
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
    add("source", metavar="IN.pt", help="The checkpoint. It is read as data: a file with pickled objects is refused.")
    add("output_dir", metavar="OUT_DIR", help="Folder to write, empty or new; conversion_report.json tells all.")
    add("--from", dest="tool", choices=("fslr", "slt"), required=True, help="fslr: gloss tool; slt: multi-stream tool.")
    add("--pooling", choices=("mean", "max", "cls"), help="Pooling of a gloss transformer (default: mean).")
    add("--num-heads", "--num_heads", type=int, metavar="N", help="Attention heads it was trained with (default: 8).")
    add("--with-backbone", "--with_backbone", action="store_true", help="Keep the InceptionV3 of a gloss model.")
    add("--gloss-names", "--gloss_names", metavar="FILE", help="Names of the glosses: CSV id,name, or one a line.")
    add("--cat-names", "--cat_names", metavar="FILE", help="Names of the categories, likewise.")
    add("--overwrite", action="store_true", help="Replace an earlier conversion in the output folder.")
    return parser


def main(argv: list[str]) -> None:
    """Parse the command line and convert."""
    options = vars(_parser().parse_args(argv))
    from hf_slt.training.convert_checkpoint import convert_checkpoint

    convert_checkpoint(options.pop("tool"), options.pop("source"), options.pop("output_dir"), **options)


if __name__ == "__main__":
    run_script(main)
