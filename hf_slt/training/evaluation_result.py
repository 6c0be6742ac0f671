"""What an evaluation of one translation model found, clip by clip: what scores, tables, pictures and the page read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hf_slt.evaluation.pairs import edit_counts


@dataclass
class EvaluationResult:
    """Translations of N clips, in the order of the data set.

    Attributes:
        video_ids: N ids.
        sentences: N predicted sentences.
        references: N raw reference sentences.
        ids: Generated token ids of each clip, 1-D int64 of its own length: without the start token and the padding,
            with the end of the sentence where the model wrote one.
        score_per_clip: `(N,)` float64, mean log-probability per generated token (natural logarithm, 0 or less).
        latencies: N times in milliseconds.
        loss: Loss per target token.
        signers: N names, None where a signer is not known; the field is None if the corpus knows none.
        ablation: Name of the case ("all streams", "without face", ...) -> scores; empty if not measured.
        lowercase: Whether sentences are compared in lower case (`--lowercase`), as in all other scores.
        threshold: With `--abstain`, clips with a smaller score are not answered; None without it.
    """

    video_ids: list[str]
    sentences: list[str]
    references: list[str]
    ids: list[np.ndarray]
    score_per_clip: np.ndarray
    latencies: list[float]
    loss: float
    signers: list[str | None] | None = None
    ablation: dict[str, dict[str, Any]] = field(default_factory=dict)
    lowercase: bool = False
    threshold: float | None = None

    @property
    def compared(self) -> tuple[list[str], list[str]]:
        """The predicted and the reference sentences as they are scored."""
        if not self.lowercase:
            return self.sentences, self.references
        sentences, references = ([text.lower() for text in texts] for texts in (self.sentences, self.references))
        return sentences, references

    @property
    def risks(self) -> np.ndarray:
        """`(N,)` float64: character error rate of each sentence in percent, 100 at most."""
        edits, lengths = edit_counts(*self.compared, "char").T
        return np.minimum(100.0 * edits / np.maximum(lengths, 1), 100.0)

    @property
    def answered(self) -> np.ndarray:
        """`(N,)` bool: the clips that are answered; all of them without a threshold."""
        if self.threshold is None:
            return np.ones(len(self.sentences), bool)
        return self.score_per_clip >= self.threshold
