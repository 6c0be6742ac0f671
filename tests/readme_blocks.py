"""The blocks of README: what a reader copies and runs."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
LAUNCH = ["accelerate", "launch"]
_PARTS = re.compile(r"^#+ ([^\n]+)$|^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)  # a heading, or a block of code

# How commands begin that the tests do not run, and why.
NOT_RUN = {
    "pip install": "needs a package index; .ci/run installs the pinned set on a fresh machine",
    "pytest": "would run itself",
    "python scripts/extract_streams.py": "needs MediaPipe and a signer: tests/e2e/test_extract_streams.py has both",
    "python scripts/benchmark_extraction.py": "needs MediaPipe, a signer and an idle machine",
    "python scripts/extract_features.py": "needs pretrained weights: tests/e2e/test_extract_features.py makes some",
    "python scripts/predict.py --checkpoint runs/mine clip.mp4": "needs MediaPipe and a signer: tests/real_data",
    "python scripts/realtime.py": "needs MediaPipe and a signer: tests/e2e/test_realtime.py stands in for it",
    "optimum-cli": "needs an installation with its plug-in: tests/e2e/test_optimum_cli.py makes one",
    "python scripts/push_dataset.py": "needs a hub: tests/hub starts one",
}
# Words of Python blocks that the tests do not run, and why.
NOT_RUN_PYTHON = {
    "push_to_hub(": "needs a hub: tests/hub starts one",
    "push_model(": "needs a hub: tests/hub starts one",
    '_pretrained("someone/': "needs a hub: tests/hub starts one",
    'translate("clip.mp4")': "needs MediaPipe and a signer: tests/real_data/test_predict_video.py",
    "load_dataset(": "needs a hub: tests/hub starts one",
}


@dataclass(frozen=True)
class Block:
    """A block of code.

    Attributes:
        section: The heading above it; empty on the first screen.
        number: Its place among the blocks of its language in that section.
        text: What stands in it.
    """

    section: str
    number: int
    text: str

    def __str__(self) -> str:
        return f"{self.section or 'first screen'}-{self.number}"


def read_blocks(language: str, text: str | None = None) -> list[Block]:
    """Return the blocks of a language, in order."""
    blocks: list[Block] = []
    section = ""
    for heading, found, code in _PARTS.findall(text or README.read_text(encoding="utf-8")):
        if heading and not heading.startswith("hf_slt:"):
            section = heading
        elif found == language:
            blocks.append(Block(section, sum(block.section == section for block in blocks), code))
    return blocks


def read_commands(block: str) -> list[list[str]]:
    """Return the commands of a bash block as words: lines joined, chains split, loops unrolled."""
    commands: list[list[str]] = []
    variable, values, first = "", [], 0
    for line in block.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["for"]:  # for NAME in A B; do
            variable, values, first = words[1], [word.rstrip(";") for word in words[3:-1]], len(commands)
        elif words == ["done"]:
            body = commands[first:]
            commands[first:] = [
                [word.replace(f"${variable}", value) for word in words] for value in values for words in body
            ]
        else:
            commands += [part.split("\0") for part in "\0".join(words).split("\0&&\0") if part]
    return commands


def why_not_run(words: list[str]) -> str | None:
    """Return why the tests do not run a command, or None if they do."""
    return next((reason for start, reason in NOT_RUN.items() if " ".join(words).startswith(start)), None)


def runnable_python(section: str) -> str:
    """Return the Python blocks of a section as one program, without those that `NOT_RUN_PYTHON` names."""
    blocks = [block.text for block in read_blocks("python") if block.section == section]
    return "\n".join(text for text in blocks if not any(word in text for word in NOT_RUN_PYTHON))


def script_of(words: list[str]) -> tuple[str, list[str]]:
    """Return the script that a command runs, and its flags.

    Raises:
        AssertionError: It runs something else, and `NOT_RUN` does not say why that is left out.
    """
    from hf_slt.commands import COMMANDS

    launched = words[2:] if words[:2] == LAUNCH else words[1:] if words[0] == "python" else None
    if launched and launched[0] == "--config_file":  # what the launcher reads is tested in test_accelerate_configs.py
        launched = launched[2:]
    if launched and re.fullmatch(r"scripts/\w+\.py", launched[0]):
        return Path(launched[0]).stem, launched[1:]
    if words[0] == "hf-slt" and words[1:]:
        return COMMANDS[words[1]], words[2:]
    raise AssertionError(f"README shows '{' '.join(words)}', which no test runs: say in NOT_RUN why")
