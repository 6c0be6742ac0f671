"""Arguments of `push_dataset.py`. Importing this module imports neither torch nor transformers."""

from __future__ import annotations

from dataclasses import dataclass

from hf_slt.training.flags import flag


@dataclass
class PushDatasetArguments:
    """Where the clips go."""

    repo: str | None = flag(None, "Repository: user/name, or name for your own; made if there is none.")
    private: bool = flag(False, "Make it private; a public one that is there already is refused.")
    revision: str | None = flag(None, "Branch to push to, made if there is none (default: main).")
    token_file: str | None = flag(None, "File with the token (default: HF_TOKEN, hf auth login).")
    dry_run: bool = flag(False, "Check the corpus and say what would be pushed; no token is needed.")
    report: str = flag("contract_report.json", "File of the complete report on the corpus (JSON).")
