r"""Compare two systems on the same clips: differences with intervals and p-values, by signer and by length.

    python scripts/compare_runs.py runs/baseline/eval_test runs/mine/eval_test
    python scripts/compare_runs.py baseline.tsv mine.csv --metric bleu --metric chrf --json comparison.json
    python scripts/compare_runs.py baseline.tsv mine.csv --intersect --metadata-csv D/meta.csv --signer-column signer
A and B are tables of predictions (columns video_id, prediction, reference) or folders of evaluations, with a
predictions.csv and, for the tokenizer and the case, a metrics.json; rows are matched by id. p-values are of the paired
bootstrap and of approximate randomisation, both two-sided. Lengths are in words, or in characters for Chinese and
Japanese without spaces.
"""

import argparse

from hf_slt.cli import run_script


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw, allow_abbrev=False)
    add = parser.add_argument
    add("a", metavar="A", help="Predictions of the first system, for example the baseline.")
    add("b", metavar="B", help="Predictions of the second system.")
    add("--metric", action="append", default=[], metavar="NAME", help="Score to compare; repeatable (default: all).")
    add("--intersect", action="store_true", help="Compare the clips that both have, and count the others.")
    add("--metadata-csv", metavar="FILE", help="Signers of the clips (default: as in A and B, if they have them).")
    add("--signer-column", metavar="NAME", help="Column of the signers (default: signer, if there is one).")
    add("--id-column", metavar="NAME", help="Column of the ids, also of the metadata (default: video_id, id or name).")
    add("--prediction-column", default="prediction", metavar="NAME", help="Column of the predictions (prediction).")
    add("--reference-column", default="reference", metavar="NAME", help="Column of the references (reference).")
    add("--delimiter", metavar="CHAR", help="Of A and B: comma, semicolon, tab, bar ... (default: detected).")
    add("--tokenize", metavar="NAME", help="sacrebleu tokenizer for BLEU (default: as the folders say, else 13a).")
    add("--language", metavar="CODE", help="Language, which decides the tokenizer: es, zh, ja, ko ... or gloss.")
    lowercase = "Lower-case both sides before all scores (default: as the folders say, else case is kept)."
    add("--lowercase", action=argparse.BooleanOptionalAction, help=lowercase)
    add("--resamples", type=int, default=1000, metavar="N", help="Resamples of the tests (1000).")
    add("--seed", type=int, default=0, help="Seed of the tests (0; eval_slt.py takes 42).")
    add("--json", metavar="FILE", help="Also write the comparison as JSON; -: print it in place of the table.")
    return parser


def main(argv: list[str]) -> None:
    """Parse the command line, compare and print."""
    args = _parser().parse_args(argv)
    import json

    from hf_slt.evaluation.comparison_text import format_comparison
    from hf_slt.evaluation.languages import tokenizer_for_language
    from hf_slt.evaluation.reports import write_json
    from hf_slt.evaluation.run_comparison import compare_outputs
    from hf_slt.evaluation.system_outputs import Columns, read_systems

    columns = Columns(args.id_column, args.prediction_column, args.reference_column, args.signer_column)
    a, b, signers = read_systems(args.a, args.b, columns, args.delimiter, args.metadata_csv)
    tokenize = args.tokenize or (tokenizer_for_language(args.language) if args.language else None)
    comparison = compare_outputs(
        a, b, args.metric, tokenize, args.lowercase, args.resamples, args.seed, args.intersect, signers
    )
    print(json.dumps(comparison, ensure_ascii=False, indent=2) if args.json == "-" else format_comparison(comparison))
    if args.json and args.json != "-":
        write_json(args.json, comparison)


if __name__ == "__main__":
    run_script(main)
