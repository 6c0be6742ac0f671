"""What differs between the generations of transformers, 4.57 and 5: the one place that knows.

Each difference is found by what there is, never by a number of a version. Files are written as 4.57 writes them, which
both read: whoever trains with one can publish for users of the other.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

_PROCESSOR_FILE, _TOKENIZER_FILE = "processor_config.json", "tokenizer_config.json"
# Transformers 5 has a new name for its tokenizers, which 4.57 does not know; it still takes the older one.
_TOKENIZER_CLASSES = {"TokenizersBackend": "PreTrainedTokenizerFast"}
# Arguments of the Trainer that only one generation has -> their default there.
_ARGUMENTS_OF_4: dict[str, Any] = {
    **{"overwrite_output_dir": False, "save_safetensors": True, "no_cuda": False, "use_mps_device": False},
    **{"jit_mode_eval": False, "fp16_opt_level": "O1", "half_precision_backend": "auto", "fp16_backend": "auto"},
    **{"tpu_metrics_debug": False, "past_index": -1, "fsdp_min_num_params": 0, "adafactor": False, "ray_scope": "last"},
    **{"group_by_length": False, "use_legacy_prediction_loop": False, "include_inputs_for_metrics": False},
    **{"include_tokens_per_second": False, "mp_parameters": ""},
    **dict.fromkeys(("per_gpu_train_batch_size", "per_gpu_eval_batch_size", "logging_dir", "tpu_num_cores")),
    **dict.fromkeys(("fsdp_transformer_layer_cls_to_wrap", "torchdynamo", "push_to_hub_model_id")),
    **dict.fromkeys(("push_to_hub_organization", "push_to_hub_token")),
}
_ARGUMENTS_OF_5: dict[str, Any] = {
    **{"use_cache": False, "enable_jit_checkpoint": False, "dataloader_in_order": True},
    **{"train_sampling_strategy": "random"},
    **dict.fromkeys(("activation_checkpointing", "activation_checkpointing_kwargs", "trackio_bucket_id")),
    **dict.fromkeys(("trackio_static_space_id", "dataloader_multiprocessing_context", "ddp_static_graph")),
}


def stored_weights(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """Return the weights of a model under the names that they have in files.

    In transformers 5 the modules of some models have other names than in their files; in 4.57 the names are the same.

    Args:
        model: The model.

    Returns:
        Name in a file -> the tensor of the model, as in `state_dict()`, in the order of the model.
    """
    return {name: value for name, (_, value) in _stored(model).items()}


def stored_names(model: PreTrainedModel) -> dict[str, str]:
    """Return name in a file -> name in the model, for every weight that is in files as it is in the model."""
    return {name: own for name, (own, _) in _stored(model).items() if own is not None}


def _stored(model: PreTrainedModel) -> dict[str, tuple[str | None, torch.Tensor]]:
    own = model.state_dict()
    try:
        from transformers.core_model_loading import revert_weight_conversion
    except ImportError:  # 4.57
        return {name: (name, value) for name, value in own.items()}
    names = {id(value): name for name, value in own.items()}
    order = {name: index for index, name in enumerate(own)}
    stored = revert_weight_conversion(model, dict(own))
    pairs = {name: (names.get(id(value)), value) for name, value in stored.items()}
    return dict(sorted(pairs.items(), key=lambda item: order.get(item[1][0], len(order))))


def take_stored_names(model: PreTrainedModel) -> None:
    """Let `load_state_dict` of a model take the names of files beside the model's own.

    The Trainer of transformers 5 loads checkpoints by `load_state_dict`, which would leave out, with a warning, what
    has another name in the file: a run would go on with random weights there.
    """
    model.register_load_state_dict_pre_hook(_use_own_names)


def _use_own_names(module: Any, state_dict: dict[str, torch.Tensor], prefix: str, *args: Any) -> None:
    own = {prefix + name for name in module.state_dict()}
    if own >= state_dict.keys():
        return
    for stored, name in stored_names(module).items():
        if prefix + stored not in own and prefix + stored in state_dict:
            state_dict.setdefault(prefix + name, state_dict.pop(prefix + stored))


def ties_embeddings(config: Any) -> bool:
    """Tell whether a language model scores the vocabulary with the embeddings of its input.

    T5 of transformers 5 always says `tie_word_embeddings`, and keeps what a person said in `scale_decoder_outputs`.
    """
    return bool(getattr(config, "tie_word_embeddings", True)) and getattr(config, "scale_decoder_outputs", True)


def config_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a saved language model's configuration as every generation understands them."""
    untied = fields.get("scale_decoder_outputs") is False  # saved by 5, which says it is tied
    return {**fields, "tie_word_embeddings": False} if untied else dict(fields)


def untie_output(model: PreTrainedModel) -> None:
    """Give a language model with an output layer of its own the weights that it has in 4.57: one table of embeddings.

    In transformers 5 such a model has a table for each of encoder and decoder, or none of its own for the output (T5).

    Args:
        model: An untrained language model; one that ties its embeddings stays as it is.
    """
    import torch
    from transformers import PreTrainedModel

    if ties_embeddings(model.config) or not hasattr(model, "all_tied_weights_keys"):
        return
    parameters = dict(model.named_parameters(remove_duplicate=False))
    layer = model.get_output_embeddings()
    output = {name for name, module in model.named_modules() if module is layer}
    shared = {
        f"{prefix}.{target}".lstrip("."): f"{prefix}.{source}".lstrip(".")
        for prefix, module in model.named_modules()
        if isinstance(module, PreTrainedModel)
        for target, source in (module._tied_weights_keys or {}).items()
    }
    own = {
        target: source
        for target, source in shared.items()
        if {target, source} <= parameters.keys() and target.rpartition(".")[0] not in output
    }
    if layer is not None and layer.weight is model.get_input_embeddings().weight:
        layer.weight = torch.nn.Parameter(torch.empty_like(layer.weight))
        torch.nn.init.normal_(layer.weight, std=getattr(model.config, "initializer_factor", 1.0))  # as T5 of 4.57
    model._tied_weights_keys = model.all_tied_weights_keys = own
    model.tie_weights(recompute_mapping=False)


def share_tables(model: PreTrainedModel) -> None:
    """Give encoder and decoder of a language model the table of embeddings that they share; call it in `_tie_weights`.

    BART and its like in 4.57 forget that they share it where the output has a layer of its own: a loaded model would
    look tokens up in random tables.
    """
    table = model.get_input_embeddings()
    name = next((name for name, module in model.named_modules() if module is table), "")
    if ties_embeddings(model.config) or not name.endswith("shared"):
        return
    for part in (model.get_encoder(), model.get_decoder()):
        if part is not None and hasattr(part, "embed_tokens"):
            part.embed_tokens.weight = table.weight


def set_tensorboard_folder(args: Any, folder: str | None) -> None:
    """Say where TensorBoard's files go.

    Args:
        args: TrainingArguments; `logging_dir` of 4.57 is an environment variable of transformers 5.
        folder: The folder; None: `logging_dir`, or `runs` in the folder of the run.
    """
    args.logging_dir = folder or getattr(args, "logging_dir", None) or str(Path(args.output_dir or ".") / "runs")
    os.environ["TENSORBOARD_LOGGING_DIR"] = args.logging_dir


def foreign_arguments(values: Mapping[str, Any]) -> dict[str, bool]:
    """Return those of some settings that are arguments of the Trainer in one generation only -> whether they say more.

    Args:
        values: Flag -> its value, as a file holds it: text, or as JSON has it.

    Returns:
        Name of such an argument -> whether its value is another one than the default where it exists.
    """
    known = _ARGUMENTS_OF_4 | _ARGUMENTS_OF_5
    return {name: _as_text(value) != _as_text(known[name]) for name, value in values.items() if name in known}


def _as_text(value: Any) -> str:
    text = "" if value is None else str(value)
    return "" if text.lower() in ("none", "null", "~") else text.lower()


def count_steps_from_the_start(trainer: Any) -> None:
    """Let the mean training loss of a resumed run be over all of its steps, of which transformers 5 takes the last."""
    trainer._initial_global_step = 0


def write_processor_files(processor: Any, folder: Path) -> None:
    """Write the settings of a processor as 4.57 does, in place of the file that it cannot read.

    Args:
        processor: A processor with a feature extractor.
        folder: Where its tokenizer is saved already.
    """
    settings = json.loads(processor.feature_extractor.to_json_string())
    settings["processor_class"] = type(processor).__name__
    _write_json(folder / "preprocessor_config.json", settings)
    (folder / _PROCESSOR_FILE).unlink(missing_ok=True)
    fields = json.loads((folder / _TOKENIZER_FILE).read_text(encoding="utf-8"))
    name = fields.get("tokenizer_class")
    _write_json(folder / _TOKENIZER_FILE, {**fields, "tokenizer_class": _TOKENIZER_CLASSES.get(name, name)})


def _write_json(path: Path, fields: dict[str, Any]) -> None:
    path.write_text(json.dumps(fields, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def is_processor_file(path: str | Path, settings: dict[str, Any]) -> bool:
    """Tell whether transformers 5 is about to write its file of a whole processor, feature extractor included."""
    return Path(path).name == _PROCESSOR_FILE and "feature_extractor" in settings
