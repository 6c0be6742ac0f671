"""The comparison of an exported model with PyTorch, on random clips of several sizes and conditions.

Importing this module needs the extra `onnx`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from tqdm.auto import tqdm
from transformers import GenerationConfig

from hf_slt.errors import ExportParityError
from hf_slt.exporters.clips import conditions_of, longest_clip, random_clips
from hf_slt.exporters.onnx_configs import TOLERANCE, DecoderSizes

BATCH_SIZES, FRAMES = (1, 3), (7, 24, 64)
BEAMS, NEW_TOKENS, SCORED_TOKENS = (1, 4), 24, 12
_MAX_SHOWN = 5
_HEADS = ("gloss_logits", "category_logits")
_SPECIAL_TOKENS = (
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
    "decoder_start_token_id",
    "forced_bos_token_id",
    "forced_eos_token_id",
)

Inputs = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Cell:
    """One comparison.

    Attributes:
        batch_size: Clips.
        frames: Frames of the longest.
        condition: What the clips lack, see [`conditions_of`].
        seed: Seed of the values.
    """

    batch_size: int
    frames: int
    condition: str
    seed: int

    def __str__(self) -> str:
        return f"{self.batch_size} clips of {self.frames} frames, {self.condition.replace('_', ' ')}"


def make_cells(config: Any, more: int = 0) -> list[Cell]:
    """Return all combinations of batch sizes, lengths and conditions, and `more` random ones.

    A model with learned positions takes clips of `max_frames` states only: where that is less than the longest length,
    the lengths are one frame, about a third, and as many frames as it takes.
    """
    longest = min(longest_clip(config) or max(FRAMES), max(FRAMES))
    conditions = list(conditions_of(config))
    lengths = FRAMES if longest == max(FRAMES) else dict.fromkeys((1, 1 + longest // 3, longest))
    triples = [(size, frames, condition) for size in BATCH_SIZES for frames in lengths for condition in conditions]
    draw = random.Random(0)
    triples += [(draw.randint(1, 4), draw.randint(1, longest), draw.choice(conditions)) for _ in range(more)]
    return [Cell(*triple, seed) for seed, triple in enumerate(triples)]


def compare(
    name: str,
    cells: Sequence[Cell],
    config: Any,
    compare_cell: Callable[[Inputs, Cell], dict[str, Any]],
    tolerance: float = TOLERANCE,
) -> dict[str, Any]:
    """Compare an export in all cells.

    Args:
        name: What is compared, for the error and the progress bar.
        cells: The cells.
        config: The model's configuration.
        compare_cell: Gives for the inputs of a cell differences (`..._max_abs_difference`) and truths
            (`..._identical`).
        tolerance: The largest difference that is accepted.

    Returns:
        `tolerance`, `max_abs_difference` over all cells, and `cells` with what each gave.

    Raises:
        ExportParityError: A difference above the tolerance, or one that is no number, or different tokens.
    """
    rows, wrong = [], []
    for cell in tqdm(cells, desc=f"comparing {name}", unit="batch"):
        inputs = random_clips(config, cell.batch_size, cell.frames, cell.condition, cell.seed)
        with torch.inference_mode():
            found = compare_cell(inputs, cell)
        rows.append({**asdict(cell), **found})
        wrong += [f"{cell}: {what}" for what in _differences(found, tolerance)]
    if wrong:
        shown = "\n".join(wrong[:_MAX_SHOWN])
        raise ExportParityError(
            f"expected {name} to compute what PyTorch does (difference of at most {tolerance:g}, the same tokens), "
            f"found {len(wrong)} differences in {len(cells)} batches; nothing was written. The first ones:\n{shown}"
        )
    largest = max(value for row in rows for key, value in row.items() if key.endswith("_max_abs_difference"))
    return {"tolerance": tolerance, "max_abs_difference": largest, "cells": rows}


def _differences(found: dict[str, Any], tolerance: float) -> Iterator[str]:
    for key, value in found.items():
        # Not "above": NaN is no number that is at most the tolerance either.
        if key.endswith("_max_abs_difference") and not value <= tolerance:
            yield f"{key} {value:.2e}"
        if key.endswith("_identical") and not value:
            yield f"not {key.replace('_', ' ')}"


def largest_difference(expected: torch.Tensor, found: torch.Tensor | None) -> float:
    """Return the largest absolute difference; NaN where an output is absent or of another shape."""
    if found is None or found.shape != expected.shape:
        return float("nan")
    return (expected - found).abs().max().item()


def states_difference(
    expected: tuple[torch.Tensor, torch.Tensor], found: tuple[torch.Tensor, torch.Tensor]
) -> dict[str, Any]:
    """Compare encoder states `(B, T', D)` where their masks `(B, T')` are 1, and the masks."""
    (states, mask), (own_states, own_mask) = expected, found
    same_mask = mask.shape == own_mask.shape and bool((mask == own_mask).all())
    is_comparable, real = same_mask and states.shape == own_states.shape, mask.bool()
    difference = largest_difference(states[real], own_states[real]) if is_comparable else float("nan")
    return {"states_max_abs_difference": difference, "states_mask_identical": same_mask}


def compare_encoders(model: Any, encode: Callable[[Inputs], tuple[torch.Tensor, torch.Tensor]]) -> Callable:
    """Return the comparison of a cell for a stream encoder.

    Args:
        model: The PyTorch encoder.
        encode: Computes states and their mask of the same inputs by the export.
    """

    def compare_cell(inputs: Inputs, cell: Cell) -> dict[str, Any]:
        """Compare the states of one batch, and their mask."""
        outputs = model(**inputs)
        return states_difference((outputs[0], outputs.attention_mask), encode(inputs))

    return compare_cell


def compare_classifiers(model: Any, classify: Callable[[Inputs], Mapping[str, torch.Tensor]]) -> Callable:
    """Return the comparison of a cell for a gloss classifier, over all heads that it has.

    Args:
        model: The PyTorch classifier.
        classify: Computes of the same inputs name -> logits by the export.
    """

    def compare_cell(inputs: Inputs, cell: Cell) -> dict[str, Any]:
        """Compare the heads of one batch."""
        outputs, own = model(**inputs), classify(inputs)
        heads = [name for name in _HEADS if outputs.get(name) is not None]
        return {f"{name}_max_abs_difference": largest_difference(outputs[name], own.get(name)) for name in heads}

    return compare_cell


def compare_translators(model: Any, exports: dict[str, Any]) -> Callable:
    """Return the comparison of a cell for translation.

    Compared are states, scores of the CTC head if there is one, logits without and with a cache, and the tokens of
    greedy and beam search.

    Args:
        model: The PyTorch model.
        exports: Name -> the exported model, opened with other files of the decoder each.
    """
    config = model.config
    searches = {beams: search_settings(model, beams) for beams in BEAMS}
    num_tokens = min(SCORED_TOKENS, DecoderSizes(config).max_tokens)

    def compare_cell(inputs: Inputs, cell: Cell) -> dict[str, Any]:
        """Compare states, scores and sentences of one batch."""
        draw = torch.Generator().manual_seed(cell.seed)
        tokens = torch.randint(config.vocab_size, (cell.batch_size, num_tokens), generator=draw)
        expected, found = model.encoder(**inputs), {}
        logits = model(**inputs, decoder_input_ids=tokens, use_cache=False).logits
        ctc_logits = model.compute_ctc_logits(expected[0])
        sequences = {beams: generate(model, inputs, settings) for beams, settings in searches.items()}
        for name, export in exports.items():
            outputs = export.encoder(**inputs)
            states = states_difference((expected[0], expected.attention_mask), (outputs[0], outputs.attention_mask))
            own = {"logits": (logits, export(**inputs, decoder_input_ids=tokens, use_cache=False).logits)}
            own["cached_logits"] = (logits, cached_logits(export, outputs, tokens))
            if ctc_logits is not None:  # whether or not this model decodes with it: users may
                own["ctc_logits"] = (ctc_logits, export.compute_ctc_logits(expected[0]))
            found |= {f"{name}_{what}": value for what, value in states.items()}
            found |= {f"{name}_{what}_max_abs_difference": largest_difference(*pair) for what, pair in own.items()}
            for beams, ids in sequences.items():
                key = f"{name}_tokens_of_{'greedy_search' if beams == 1 else f'{beams}_beams'}_identical"
                found[key] = torch.equal(ids, generate(export, inputs, searches[beams]))
        return found

    return compare_cell


def cached_logits(model: Any, encoder_outputs: Any, tokens: torch.Tensor) -> torch.Tensor:
    """Return the logits `(B, N, V)` of tokens `(B, N)`: the first half at once, the others one by one with cache."""
    first = max(1, tokens.shape[1] // 2)
    logits, cache = [], None
    for piece in (tokens[:, :first], *tokens[:, first:].split(1, dim=1)):
        outputs = model(encoder_outputs=encoder_outputs, decoder_input_ids=piece, past_key_values=cache, use_cache=True)
        logits.append(outputs.logits)
        cache = outputs.past_key_values
    return torch.cat(logits, dim=1)


def search_settings(model: Any, beams: int) -> GenerationConfig:
    """Return how sentences that are compared are searched: of the model's own settings only the special tokens stay.

    Others of its settings return something else than tokens, or what depends on the clock.
    """
    tokens = {name: getattr(model.generation_config, name) for name in _SPECIAL_TOKENS}
    # Learned positions end; the start token has one too.
    longest = min(NEW_TOKENS, DecoderSizes(model.config).max_tokens - 1)
    return GenerationConfig(**tokens, num_beams=beams, do_sample=False, max_new_tokens=longest)


def generate(model: Any, inputs: Inputs, settings: GenerationConfig) -> torch.Tensor:
    """Return the tokens `(B, N)` that a model generates with these settings and no others."""
    return model.generate(**inputs, generation_config=settings, use_model_defaults=False)
