"""The YAML at the head of a card, by which the hub finds a model and draws the table of its scores."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hf_slt.model_card.language_codes import language_code
from hf_slt.model_card.run_files import GLOSS, TRANSLATION, Evaluation, RunFiles
from hf_slt.model_card.scores import SCORES, interval_text, number, signature_of

# The nearest of the tasks that the hub knows; tags say what it really is.
PIPELINE_TAGS = {TRANSLATION: "translation", GLOSS: "video-classification"}
TASK_NAMES = {TRANSLATION: "Sign language translation", GLOSS: "Isolated sign recognition"}
TAGS = {
    TRANSLATION: ["sign-language", "sign-language-translation", "hf_slt"],
    GLOSS: ["sign-language", "isolated-sign-language-recognition", "hf_slt"],
}


def front_matter(run: RunFiles, info: Mapping[str, Any], name: str, language: list[str], base_models: list[str]) -> str:
    """Return the metadata as YAML, without the lines of dashes around it.

    Args:
        run: The run.
        info: What `check_card_info` returned.
        name: Name of the model.
        language: Codes of the languages of the sentences, or of the names of glosses.
        base_models: Ids on the hub of what it was trained from.
    """
    from huggingface_hub import ModelCardData

    listed = listed_evaluations(run)
    splits = [one.split for one in listed]
    results = []
    for one in listed:
        results += eval_results(run.task, info, one, one.name if splits.count(one.split) > 1 else None)
    named = [text for text in (*language, info["sign_language_code"]) if text]
    codes: list[str] = [code for code in map(language_code, named) if code]
    metrics = {result.metric_type for result in results}
    data = ModelCardData(
        language=list(dict.fromkeys(codes)) or None,
        license=info["license"],
        license_name=info["license_name"],
        license_link=info["license_link"],
        library_name="transformers",
        pipeline_tag=PIPELINE_TAGS[run.task],
        tags=[*TAGS[run.task], run.config["model_type"]],
        datasets=info["dataset_ids"],
        base_model=base_models or None,
        metrics=[score.metric for score in SCORES[run.task] if score.metric in metrics] or None,
        model_name=name if results else None,
        eval_results=results or None,
    )
    return data.to_yaml()


def listed_evaluations(run: RunFiles) -> list[Evaluation]:
    """Return the evaluations that stand in the metadata, where no caveat can stand beside a score.

    None on clips that the model was trained or selected on; the split that chose the weights is there only if no other
    one is.
    """
    honest = [one for one in run.evaluations if not one.overlaps and not one.is_training]
    return [one for one in honest if not one.is_validation] or honest


def eval_results(
    task: str, info: Mapping[str, Any], evaluation: Evaluation, dataset_config: str | None = None
) -> list[Any]:
    """Return the scores of an evaluation as `huggingface_hub.EvalResult`; those that are absent are left out.

    Args:
        task: The task.
        info: What `check_card_info` returned.
        evaluation: The evaluation.
        dataset_config: What tells evaluations of one split apart, which the hub would merge.
    """
    from huggingface_hub import EvalResult

    metrics = evaluation.metrics
    name = info["dataset_name"] or "not documented"
    ids = info["dataset_ids"] or [re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "unknown"]
    data = {"n": metrics.get("n", metrics.get("clips")), "data_hash": metrics.get("data_hash")}
    found = []
    for score in SCORES[task]:
        value = number(metrics.get(score.key), score.digits)
        if value is None or score.metric is None:
            continue
        interval = interval_text(metrics, score)
        args = {
            "interval": [float(bound) for bound in interval.split(" to ")] if interval else None,
            "confidence": metrics.get("confidence") if interval else None,
            "n": data["n"],
            "signature": signature_of(metrics, score),
            **(metrics.get("decoding") or {}),
        }
        found.append(
            EvalResult(
                task_type=PIPELINE_TAGS[task],
                task_name=TASK_NAMES[task],
                dataset_type=ids[0],
                dataset_name=name,
                dataset_config=dataset_config,
                dataset_split=evaluation.split,
                dataset_args={key: known for key, known in data.items() if known is not None} or None,
                metric_type=score.metric,
                metric_name=f"{score.label} ({score.unit})" if score.unit else score.label,
                metric_value=float(value),
                metric_args={key: known for key, known in args.items() if known is not None} or None,
            )
        )
    return found
