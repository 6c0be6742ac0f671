"""Code that travels: a pushed directory holds the files of hf_slt that its model needs, and so runs without hf_slt.

The files are those that the classes of the directory import, and what these import, copied into one flat folder: the
classes' own files keep their names, the others are called after their module, and imports among them become relative.
`auto_map` in the configuration files tells transformers where the classes are (`trust_remote_code=True`), and
`custom_pipelines` where the pipeline of the model's task is.
"""

from __future__ import annotations

import ast
import json
import logging
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import hf_slt
from hf_slt.models.auto import GLOSS_FAMILIES

logger = logging.getLogger(__name__)

_PACKAGE = Path(hf_slt.__file__).parent
_CLASS_FILE = re.compile(r"(configuration|feature_extraction|modeling|pipeline|processing)_\w+")
_MULTISTREAM = "hf_slt.models.multistream."

# File of a directory -> name that it holds (model type, or class of the feature extractor) -> Auto class -> our class.
_Classes = dict[str, str]
MODELS: dict[str, _Classes] = {
    "multistream_slt": {
        "AutoConfig": _MULTISTREAM + "configuration_multistream.MultiStreamConfig",
        "AutoModel": _MULTISTREAM + "modeling_multistream.MultiStreamEncoder",
        "AutoModelForSeq2SeqLM": _MULTISTREAM + "modeling_multistream.MultiStreamForConditionalGeneration",
    },
    **{
        family: {
            "AutoConfig": f"hf_slt.models.{family}.configuration_{family}.{name}Config",
            "AutoModel": f"hf_slt.models.{family}.modeling_{family}.{name}ForGlossClassification",
            "AutoModelForSequenceClassification": (
                f"hf_slt.models.{family}.modeling_{family}.{name}ForGlossClassification"
            ),
        }
        for family, name in GLOSS_FAMILIES.items()
    },
}
FEATURE_EXTRACTORS: dict[str, _Classes] = {
    name: {"AutoFeatureExtractor": f"{module}.{name}"}
    for name, module in {
        "MultiStreamFeatureExtractor": _MULTISTREAM + "feature_extraction_multistream",
        "GlossFeatureExtractor": "hf_slt.models.gloss.feature_extraction_gloss",
    }.items()
}
PROCESSORS: dict[str, _Classes] = {
    "MultiStreamProcessor": {"AutoProcessor": _MULTISTREAM + "processing_multistream.MultiStreamProcessor"}
}

# Model type -> task, class of its pipeline, Auto class that it opens the model with.
PIPELINES: dict[str, tuple[str, str, str]] = {
    "multistream_slt": (
        "sign-language-translation",
        _MULTISTREAM + "pipeline_multistream.SignLanguageTranslationPipeline",
        "AutoModelForSeq2SeqLM",
    ),
    **dict.fromkeys(
        GLOSS_FAMILIES,
        (
            "sign-recognition",
            "hf_slt.models.gloss.pipeline_gloss.SignRecognitionPipeline",
            "AutoModelForSequenceClassification",
        ),
    ),
}


def write_remote_code(folder: str | Path) -> list[Path]:
    """Put the code that a saved model, configuration, feature extractor or processor needs beside it.

    The same directory and version of hf_slt give the same files.

    Args:
        folder: What `save_pretrained` wrote; its `config.json`, `preprocessor_config.json` and `processor_config.json`,
            those that are there, get an `auto_map`, and the first one `custom_pipelines`.

    Returns:
        The files that were written, code and configuration; none if nothing in the folder is ours, or if the text
        decoder is the user's own class, whose code is not known to travel (a warning says so).
    """
    folder = Path(folder)
    settings = {name: _read(folder / name) for name in _SETTINGS if (folder / name).is_file()}
    if (settings.get("config.json", {}).get("text_config") or {}).get("model_type") == "custom_decoder":
        logger.warning(
            "%s: the code does not travel with this model, since its text decoder is a class of your own "
            "(--decoder-class); whoever loads it needs hf_slt and that class",
            folder,
        )
        return []
    classes: set[str] = set()
    for name, values in settings.items():
        classes |= _SETTINGS[name](values)
    if not classes:
        return []
    code = remote_code(classes)
    texts = {**code, **{name: _json(values) for name, values in settings.items()}}
    return [_replace(folder / name, text) for name, text in sorted(texts.items())]


def remote_code(classes: Iterable[str]) -> dict[str, str]:
    """Return name -> text of the files that classes need.

    Args:
        classes: Full names, such as `hf_slt.models.gloss.configuration_gloss.GlossConfig`.
    """
    entries = sorted({name.rpartition(".")[0] for name in classes})
    texts, imported = {}, {}
    waiting = list(entries)
    while waiting:
        module = waiting.pop()
        if module not in texts:
            texts[module], imported[module] = _travelling(module)
            waiting += imported[module]
    for module in entries:
        texts[module] += _named_for_copying(_reached(module, imported) - {module, *imported[module]})
    return {f"{_stem(module)}.py": text for module, text in texts.items()}


def _travelling(module: str) -> tuple[str, list[str]]:
    """Return the text of a module with relative imports, and the modules of ours that it imports."""
    path = _PACKAGE.joinpath(*module.split(".")[1:]).with_suffix(".py")
    source = path.read_text(encoding="utf-8")
    lines, needed = source.splitlines(), []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("hf_slt."):
            number = node.lineno - 1
            lines[number] = lines[number].replace(f"from {node.module} ", f"from .{_stem(node.module)} ", 1)
            needed.append(node.module)
    origin = "/".join(path.relative_to(_PACKAGE.parent).parts)
    header = f"# Generated by hf_slt {hf_slt.__version__} from {origin}; licensed under the Apache License 2.0."
    return "\n".join([header, *lines, ""]), needed


def _reached(module: str, imported: dict[str, list[str]]) -> set[str]:
    """Return the modules that one imports, directly or through others."""
    reached: set[str] = set()
    waiting = [module]
    while waiting:
        new = set(imported[waiting.pop()]) - reached
        reached |= new
        waiting += new
    return reached


def _named_for_copying(modules: set[str]) -> str:
    """Return lines that name files: from a local folder, transformers 4 copies what the file of a class names only."""
    if not modules:
        return ""
    imports = [f"    from .{_stem(module)} import *  # noqa: F403\n" for module in sorted(modules)]
    return "\nif False:  # never imported here: the files that those imported above need in turn\n" + "".join(imports)


def _stem(module: str) -> str:
    """Return the name of a module's file in a flat folder, without `.py`."""
    last = module.rpartition(".")[2]
    return last if _CLASS_FILE.fullmatch(last) else module.replace(".", "_")


def _set_auto_map(values: dict[str, Any], *found: _Classes) -> set[str]:
    """Enter the classes of a configuration file into it, if it names any of ours, and return their full names."""
    classes = {auto: name for one in found for auto, name in one.items()}
    if classes:
        split = {auto: name.rpartition(".") for auto, name in classes.items()}
        values["auto_map"] = {auto: f"{_stem(module)}.{name}" for auto, (module, _, name) in split.items()}
    return set(classes.values())


def _model_classes(values: dict[str, Any]) -> set[str]:
    family = values.get("model_type", "")
    classes = _set_auto_map(values, MODELS.get(family, {}))
    if family in PIPELINES:
        task, name, auto = PIPELINES[family]
        module, _, pipeline = name.rpartition(".")
        values["custom_pipelines"] = {task: {"impl": f"{_stem(module)}.{pipeline}", "pt": [auto], "type": "multimodal"}}
        classes.add(name)
    return classes


def _preparing_classes(values: dict[str, Any]) -> set[str]:
    own = FEATURE_EXTRACTORS.get(values.get("feature_extractor_type", ""), {})
    processor = PROCESSORS.get(values.get("processor_class", ""), {})
    nested = values.get("feature_extractor")  # a processor's file holds its feature extractor from transformers 5 on
    return _set_auto_map(values, own, processor) | (_preparing_classes(nested) if isinstance(nested, dict) else set())


_SETTINGS = {
    "config.json": _model_classes,
    "preprocessor_config.json": _preparing_classes,
    "processor_config.json": _preparing_classes,
}


def _read(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return values


def _json(values: dict[str, Any]) -> str:
    return json.dumps(values, indent=2, sort_keys=True) + "\n"  # as transformers writes them


def _replace(path: Path, text: str) -> Path:
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)
    return path
