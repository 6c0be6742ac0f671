r"""Score the translations of any system: BLEU, chrF, TER, ROUGE-L, CER, WER and more with 95 % intervals, as JSON.

    python scripts/score.py outputs.tsv
    python scripts/score.py outputs.csv --prediction-column hyp --reference-column ref --lowercase
    python scripts/score.py glosses.tsv --language gloss
    some_system | python scripts/score.py - --delimiter tab
The file is UTF-8 with a header; the scores go to the standard output, everything else to the standard error.
"""

import argparse

from hf_slt.cli import run_script


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw, allow_abbrev=False)
    add = parser.add_argument
    add("file", metavar="FILE", help="Table of predictions and references, .tsv or .csv; - is the standard input.")
    add("--prediction-column", default="prediction", metavar="NAME", help="Column of the predictions (prediction).")
    add("--reference-column", default="reference", metavar="NAME", help="Column of the references (reference).")
    add("--delimiter", metavar="CHAR", help="comma, semicolon, tab, bar or a character (default: detected).")
    add("--tokenize", metavar="NAME", help="sacrebleu tokenizer for BLEU: 13a (default), none, intl, zh, ja-mecab ...")
    add("--language", metavar="CODE", help="Language, which decides the tokenizer: es, zh, ja, ko ... or gloss.")
    add("--lowercase", action="store_true", help="Lower-case both sides before all scores (default: case is kept).")
    add("--resamples", type=int, default=1000, metavar="N", help="Bootstrap resamples, 0: no intervals (1000).")
    add("--seed", type=int, default=0, help="Seed of the resamples (0; eval_slt.py takes 42).")
    add("--phoenix-legacy", action="store_true", help="Add lower-cased, untokenized scores as in papers on PHOENIX.")
    return parser


def main(argv: list[str]) -> None:
    """Parse the command line, score and print."""
    args = _parser().parse_args(argv)
    import json

    from hf_slt.evaluation.languages import tokenizer_for_language
    from hf_slt.evaluation.score_files import read_pairs
    from hf_slt.evaluation.score_summary import summarise_scores

    tokenize = args.tokenize or tokenizer_for_language(args.language)
    pairs = read_pairs(args.file, args.prediction_column, args.reference_column, args.delimiter)
    summary = summarise_scores(*pairs, tokenize, args.lowercase, args.resamples, args.seed, args.phoenix_legacy)
    print(json.dumps(summary, ensure_ascii=False, indent=2))


if __name__ == "__main__":
    run_script(main)
