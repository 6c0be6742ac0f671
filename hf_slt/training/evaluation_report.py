"""Pictures and the page of an evaluation: from the model, its clips and its translations to PNG files and HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hf_slt.data.clip_transform import ClipTransform
from hf_slt.evaluation.abstention import risk_coverage_curve
from hf_slt.evaluation.checkpoint_reports import PER_LENGTH, PER_SIGNER
from hf_slt.evaluation.inline_images import data_address, frame_strip, image_address, weight_row
from hf_slt.evaluation.length_bins import length_unit, sentence_length
from hf_slt.evaluation.pairs import edit_counts
from hf_slt.evaluation.pose_drawing import draw_poses
from hf_slt.evaluation.report_page import (
    Example,
    Picture,
    Table,
    TokenWeights,
    render_report,
    table_of_csv,
    table_of_scores,
)
from hf_slt.evaluation.reports import write_whole
from hf_slt.evaluation.sentence_examples import choose_examples, mark_differences, sentence_chrf
from hf_slt.evaluation.translation_plots import AttentionMap, plot_attention, plot_lengths, plot_risk_coverage
from hf_slt.streams import IMAGE_STREAMS
from hf_slt.training.cross_attention import cross_attention
from hf_slt.training.evaluation_loop import Evaluation
from hf_slt.training.evaluation_result import EvaluationResult

LENGTHS, ATTENTION, RISK_COVERAGE = "length.png", "attention.png", "risk_coverage.png"
_COLUMNS = 10  # frames shown of a clip
_PHOENIX_SCORES = ("bleu1", "bleu2", "bleu3", "bleu", "rouge_l", "wer", "chrf")
_SIDE = 72  # pixels of a frame shown
_MAX_TOKENS = 40  # tokens shown of a clip
_TEXTS = {
    LENGTHS: ("Length", "Length of the predictions over that of the references, and the score of sentences by length."),
    RISK_COVERAGE: (
        "Risk and coverage",
        "Error of the answered clips over their share, if the least certain translations are left out first.",
    ),
}


@dataclass(frozen=True)
class ClipView:
    """What the model saw in one clip, and where its decoder looked.

    Attributes:
        frames: `(T,)` numbers of the frames that the model read.
        arrays: Its inputs, see [`MultiStreamFeatureExtractor.encode_clip`].
        tokens: The generated tokens.
        weights: Cross-attention `(tokens, T)`; None if the model gives none.
    """

    frames: np.ndarray
    arrays: dict[str, np.ndarray]
    tokens: list[str]
    weights: np.ndarray | None


def write_pictures(folder: Path, evaluation: Evaluation, result: EvaluationResult) -> list[Path]:
    """Write `length.png`, `risk_coverage.png` and, of models that give it, `attention.png` of three clips.

    Args:
        folder: The folder of the results.
        evaluation: The model and the clips.
        result: Its translations.

    Returns:
        The files.

    Raises:
        MissingDependencyError: matplotlib is not installed.
        ConfigurationError: A file cannot be written.
    """
    scores = sentence_chrf(*result.compared)
    unit = length_unit(result.references)
    lengths = [[sentence_length(text, unit) for text in texts] for texts in (result.sentences, result.references)]
    plot_lengths(folder / LENGTHS, *lengths, scores, unit)
    curve = risk_coverage_curve(result.score_per_clip, result.risks)
    answered = result.answered
    chosen = None
    if result.threshold is not None and answered.any():
        chosen = (float(answered.mean()), float(result.risks[answered].mean()))
    plot_risk_coverage(
        folder / RISK_COVERAGE, [point.coverage for point in curve], [point.risk for point in curve], chosen
    )
    maps = _attention_maps(evaluation, result, scores)
    if maps:
        plot_attention(folder / ATTENTION, maps)
    return [folder / name for name in (LENGTHS, RISK_COVERAGE, *([ATTENTION] if maps else []))]


def _attention_maps(evaluation: Evaluation, result: EvaluationResult, scores: np.ndarray) -> list[AttentionMap]:
    """Return the attention of one clip of each kind; empty if the model gives none."""
    maps = []
    for kind, indices in choose_examples(scores, result.references).items():
        index = indices[len(indices) // 2] if kind == "median" else indices[0]
        view = view_clip(evaluation, result, index)
        if view.weights is not None and len(view.tokens):
            title = f"{kind}: {result.video_ids[index]}, chrF {scores[index]:.1f}"
            maps.append(AttentionMap(title, view.tokens, view.weights, view.frames))
    return maps


def view_clip(evaluation: Evaluation, result: EvaluationResult, index: int) -> ClipView:
    """Read one clip again, as the model saw it, with the attention of its translation."""
    extractor = evaluation.processor.feature_extractor
    row = evaluation.dataset[index]
    arrays = ClipTransform(extractor, pose_key=evaluation.pose_key).load(row)
    ids = result.ids[index]
    weights = cross_attention(evaluation.model, extractor.pad([arrays], return_tensors="pt"), [ids])
    tokens = token_texts(evaluation.processor.tokenizer, ids)
    return ClipView(extractor.sample_frames(row["n_frames"]), arrays, tokens, None if weights is None else weights[0])


def token_texts(tokenizer: Any, ids: Sequence[int] | np.ndarray) -> list[str]:
    """Return tokens to be read: with `▁` in front where a word begins, as SentencePiece writes it.

    Vocabularies of bytes have tokens that look like noise; what they decode to is shown, where it is text.
    """
    texts = []
    for number, token in zip(ids, tokenizer.convert_ids_to_tokens([int(i) for i in ids]), strict=True):
        decoded = tokenizer.decode([int(number)])
        begins = token.startswith(("▁", "Ġ"))
        readable = decoded.strip() and "\ufffd" not in decoded
        texts.append(("▁" if begins else "") + decoded.strip() if readable else token)
    return texts


def write_report_page(
    path: Path, folder: Path, evaluation: Evaluation, result: EvaluationResult, metrics: Mapping[str, Any]
) -> None:
    """Write the report of one model as one HTML file that needs nothing else.

    Args:
        path: The file.
        folder: The folder of the results, where its tables and pictures are.
        evaluation: The model and the clips.
        result: Its translations.
        metrics: What `metrics.json` holds.

    Raises:
        ConfigurationError: The file cannot be written.
    """
    scores = sentence_chrf(*result.compared)
    groups = choose_examples(scores, result.references)
    examples, has_attention = [], True
    for kind, indices in groups.items():
        for index in indices:
            view = view_clip(evaluation, result, index)
            has_attention &= view.weights is not None
            examples.append(_example(kind, index, result, scores[index], view, evaluation))
    pictures = [
        Picture(title, data_address((folder / name).read_bytes()), text)
        for name, (title, text) in _TEXTS.items()
        if (folder / name).is_file()
    ]
    notes = [] if has_attention else ["Cross-attention: this model gives none (ONNX Runtime, or a decoder of its own)."]
    if len(pictures) < len(_TEXTS):
        notes.append("Pictures: they need matplotlib (pip install 'hf_slt[plots]').")
    if not result.ablation:
        notes.append("Scores with streams blanked: they were not measured (--ablate-streams).")
    page = render_report(metrics, _tables(folder, result, metrics), pictures, examples, notes)
    write_whole(path, page.encode())


def _tables(folder: Path, result: EvaluationResult, metrics: Mapping[str, Any]) -> list[Table]:
    seen = {name: metrics[name] for name in ("seen", "unseen") if isinstance(metrics.get(name), Mapping)}
    tables = [
        table_of_csv("By signer", folder / PER_SIGNER),
        table_of_csv("By length of the reference", folder / PER_LENGTH),
        table_of_scores("By whether the sentence was in the training text", "sentences", seen),
        table_of_scores("With streams blanked", "streams", result.ablation),
        _phoenix_table(metrics.get("phoenix_legacy")),
    ]
    return [table for table in tables if table is not None]


def _phoenix_table(scores: Mapping[str, Any] | None) -> Table | None:
    """Return the scores of `--phoenix-legacy` in a table of their own; None without them."""
    if not scores:
        return None
    # BLEU-4 has one label, and this table one definition of it.
    renamed = {("bleu" + name[5:] if name.startswith("bleu4") else name): value for name, value in scores.items()}
    title = "As older papers on PHOENIX score: not to be compared with the scores above"
    return table_of_scores(title, "text", {"lower case, not tokenized": renamed}, _PHOENIX_SCORES)


def _example(
    kind: str, index: int, result: EvaluationResult, chrf: float, view: ClipView, evaluation: Evaluation
) -> Example:
    prediction, reference = result.sentences[index], result.references[index]
    marked, expected = mark_differences(prediction, reference, result.lowercase)
    ((edits, length),) = edit_counts(*([texts[index]] for texts in result.compared), "char")
    known = {
        "chrF": f"{chrf:.1f}",
        "CER": f"{100 * edits / max(1, length):.1f} %",
        "log-probability a token": f"{result.score_per_clip[index]:.3f}",
        "signer": result.signers[index] if result.signers else None,
        "answer": None if result.answered[index] else "withheld, the model is not sure enough",
    }
    # Column k stands for the k-th of equal parts of the heat map above it.
    count = min(_COLUMNS, len(view.frames))
    chosen = ((np.arange(count) + 0.5) * len(view.frames) / count).astype(int)
    tokens = view.tokens if view.weights is not None else []
    rows = [] if view.weights is None else view.weights[:_MAX_TOKENS]
    return Example(
        kind=kind,
        video_id=result.video_ids[index],
        prediction=marked,
        reference=expected,
        facts={name: text for name, text in known.items() if text is not None},
        tokens=[
            TokenWeights(token, image_address(weight_row(row, float(np.max(rows)))))
            for token, row in zip(tokens, rows, strict=False)
        ],
        more_tokens=max(0, len(tokens) - _MAX_TOKENS),
        strips=clip_strips(view.arrays, chosen, evaluation.processor.feature_extractor),
        frames=view.frames[chosen].tolist(),
    )


def clip_strips(arrays: Mapping[str, np.ndarray], chosen: np.ndarray, extractor: Any) -> dict[str, str]:
    """Return each stream of a clip as a strip of some of its frames, as the model saw them.

    Args:
        arrays: See [`MultiStreamFeatureExtractor.encode_clip`].
        chosen: `(K,)` positions of the frames.
        extractor: The feature extractor that made the arrays.

    Returns:
        Stream -> `data:` address of an image of K frames.
    """
    mean, std = np.array(extractor.image_mean), np.array(extractor.image_std)
    strips = {}
    for stream in IMAGE_STREAMS:
        if f"{stream}_pixel_values" in arrays:
            pixels = arrays[f"{stream}_pixel_values"][chosen].transpose(0, 2, 3, 1) * std + mean
            pixels = np.round(255 * np.clip(pixels, 0, 1)).astype(np.uint8)
            frames = [
                frame if seen else None for frame, seen in zip(pixels, arrays[f"{stream}_mask"][chosen], strict=True)
            ]
            strips[stream.replace("_", " ")] = image_address(frame_strip(frames, _SIDE), "jpeg")
    if "pose_values" in arrays:
        points = arrays["pose_values"][chosen].reshape(len(chosen), -1, 3)[..., :2]
        drawing = draw_poses(points, arrays["pose_mask"][chosen] > 0, extractor.layout(), _SIDE)
        strips["pose"] = image_address(drawing)
    return strips
