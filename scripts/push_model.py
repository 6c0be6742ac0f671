"""Publish a trained model on the HuggingFace hub: weights, card, code and scores, in one commit.

python scripts/push_model.py runs/mine someone/my-model --private
python scripts/push_model.py runs/mine someone/my-model --card-info card.yml
python scripts/push_model.py runs/mine someone/my-model --card-info card.yml --output preview
python scripts/push_model.py runs/mine someone/my-model --dry-run

card.yml is a copy of model_cards/info_example.yml with the facts that you know. `--output` writes what would be
uploaded to a folder, for a look at the card (preview/README.md) before anybody else has one.

The token is that of `hf auth login` or of HF_TOKEN. Sentences of the corpus, predictions, checkpoints and local paths
are never uploaded.
"""

import argparse

from hf_slt.cli import run_script


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw, allow_abbrev=False)
    add = parser.add_argument
    add("folder", metavar="DIR", help="Folder of a run, of a converted model, or of an ONNX export.")
    add("repo", metavar="REPO", help="Repository: user/name, or name for your own; made if there is none.")
    add("--private", action="store_true", help="Make it private; a public one that is there already is refused.")
    add("--card-info", "--card_info", metavar="FILE", help="YAML of facts for the card, card.yml.")
    add("--revision", metavar="BRANCH", help="Branch to push to, made if there is none (default: main).")
    add("--commit-message", "--commit_message", dest="message", metavar="TEXT", help="First line of the commit.")
    add("--token-file", "--token_file", metavar="FILE", help="File with the token (default: HF_TOKEN, hf auth login).")
    add("--dry-run", "--dry_run", action="store_true", help="Only list the files; needs no token and no network.")
    add("--output", metavar="DIR", help="Write the files and the card to this folder; nothing is uploaded.")
    return parser


def main(argv: list[str]) -> None:
    """Parse the command line, push and print where the model is."""
    options = vars(_parser().parse_args(argv))
    from hf_slt.hub.push import push_model

    pushed = push_model(options.pop("folder"), options.pop("repo"), **options)
    for path, size in pushed.files.items():
        print(f"{size:>12,}  {path}")
    if options["output"]:
        print(f"nothing was uploaded to {pushed.url}; the files are in {options['output']}, with the card, README.md")
    elif pushed.commit is None:
        print(f"dry run: nothing was uploaded to {pushed.url}")
    else:
        print(f"{pushed.url} (commit {pushed.commit[:8]})")


if __name__ == "__main__":
    run_script(main)
