"""A directory with its code runs where only torch and transformers (and what these require) are installed."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hub_server import Hub
from model_factories import inputs_of, tiny_batch, tiny_model, tiny_processor, tiny_text_config
from packaging.requirements import Requirement
from transformers import pipeline

from hf_slt.models.conv_transformer.configuration_conv_transformer import ConvTransformerConfig
from hf_slt.models.conv_transformer.modeling_conv_transformer import ConvTransformerForGlossClassification
from hf_slt.models.gloss.feature_extraction_gloss import GlossFeatureExtractor
from hf_slt.models.inception_gru.configuration_inception_gru import InceptionGRUConfig
from hf_slt.models.inception_gru.modeling_inception_gru import InceptionGRUForGlossClassification
from hf_slt.models.remote_code import write_remote_code
from hf_slt.models.sign_transformer.configuration_sign_transformer import SignTransformerConfig
from hf_slt.models.sign_transformer.modeling_sign_transformer import SignTransformerForGlossClassification
from hf_slt.streams import STREAMS

ABSENT = ("hf_slt", "datasets", "accelerate", "evaluate", "sacrebleu", "pandas", "PIL", "rapidfuzz")
TRANSLATIONS = {
    "all_streams": (STREAMS, {"ctc_weight": 0.3, "temporal_stride": 2}, "t5"),
    "pose_alone": (("pose",), {"projector_type": "mlp", "position_embedding_type": "learned"}, "bart"),
}
PULLED = ("all_streams", "sign_transformer")  # from a hub, the others from a folder
_TRANSFORMER = {"hidden_size": 16, "num_attention_heads": 2}
GLOSSES = {
    "sign_transformer": (
        SignTransformerForGlossClassification,
        SignTransformerConfig,
        {**_TRANSFORMER, "num_hidden_layers": 1, "intermediate_size": 24, "pooling": "cls"},
    ),
    "inception_gru": (InceptionGRUForGlossClassification, InceptionGRUConfig, {"gru_hidden_sizes": [8]}),
    "conv_transformer": (
        ConvTransformerForGlossClassification,
        ConvTransformerConfig,
        {**_TRANSFORMER, "num_blocks": 1, "late_dropout": 0.1},
    ),
}
PROGRAM = """
import importlib.util, sys
site, work, absent = sys.argv[1], sys.argv[2], sys.argv[3].split(",")
sys.path.append(site)
found = [name for name in absent if importlib.util.find_spec(name)]
import torch
from transformers import AutoConfig, AutoFeatureExtractor, AutoProcessor
from transformers import AutoModel, AutoModelForSeq2SeqLM, AutoModelForSequenceClassification, pipeline
trust = {"trust_remote_code": True}
answers = {}
for name, case in torch.load(f"{work}/cases.pt", weights_only=False).items():
    folder, again, inputs = case["place"], f"{work}/{name}_again", case["inputs"]
    auto = AutoModelForSequenceClassification if case["target"] is None else AutoModelForSeq2SeqLM
    prepare = (AutoFeatureExtractor if case["target"] is None else AutoProcessor).from_pretrained(folder, **trust)
    model = auto.from_pretrained(folder, **trust).eval()
    model.save_pretrained(again)
    prepare.save_pretrained(again)
    resaved = auto.from_pretrained(again, **trust).eval()
    base = AutoModel.from_pretrained(folder, **trust).eval()
    target = {} if case["target"] is None else {"decoder_input_ids": case["target"]}
    with torch.no_grad():
        answer = {
            "type": AutoConfig.from_pretrained(folder, **trust).model_type,
            "prepared": dict(prepare(**case["clip"], return_tensors="pt")),
            "scores": model(**inputs, **target).to_tuple()[0],
            "resaved": resaved(**inputs, **target).to_tuple()[0],
            "base": base(**inputs).to_tuple()[0],
        }
        if target:
            ids = model.generate(**inputs, num_beams=2, max_new_tokens=8)
            prepare = AutoProcessor.from_pretrained(again, **trust)
            answer["text"] = prepare.batch_decode(ids, skip_special_tokens=True)
    task = "sign-recognition" if case["target"] is None else "sign-language-translation"
    pipe = pipeline(task, model=folder, device="cpu", **trust)
    answer["piped"] = pipe(case["source"], batch_size=2)
    try:
        pipe("clip.mp4")
    except ValueError as error:
        answer["video"] = str(error)
    answers[name] = answer
found += sorted(name for name in sys.modules if name.split(".")[0] == "hf_slt")
torch.save({"answers": answers, "found": found}, f"{work}/answers.pt")
"""


def required_distributions(*roots):
    """Return the installed distributions that some of them require, without extras, themselves included."""
    waiting, found = list(roots), {}
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        try:
            distribution = found[name] if name in found else importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:  # for another platform, as a rule
            assert name not in roots
            continue
        if name not in found:
            found[name] = distribution
            needed = [Requirement(text) for text in distribution.requires or ()]
            waiting += [one.name for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    return list(found.values())


def link_site_packages(folder):
    """Fill a folder with links to torch, transformers and what they require, and to nothing else."""
    folder.mkdir()
    for distribution in required_distributions("torch", "transformers"):
        for first in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            if not (folder / first).exists():
                (folder / first).symlink_to(Path(distribution.locate_file(first)).resolve())
    return folder


def translation_case(folder, streams, settings, decoder):
    """Save a translation model and its processor; return what to ask of them, and the answers."""
    processor = tiny_processor(streams, num_landmarks=5)
    text_config = tiny_text_config(decoder, vocab_size=len(processor.tokenizer))
    model = tiny_model(streams, gain=20.0, text_config=text_config, **settings)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    rng, batch = np.random.default_rng(0), tiny_batch(streams, missing=True)
    clip = {s: rng.integers(0, 256, (5, 16, 16, 3), dtype=np.uint8) for s in streams if s != "pose"}
    clip |= {"pose": rng.uniform(0.1, 0.9, (5, 5, 3)).astype(np.float32), "text": "¿Dónde está el niño?"}
    inputs, target = inputs_of(batch), batch["labels"].clamp(min=0)
    ids = model.generate(**inputs, num_beams=2, max_new_tokens=8)
    answers = {
        "type": "multistream_slt",
        "prepared": dict(processor(**clip, return_tensors="pt")),
        "scores": model(**inputs, decoder_input_ids=target).logits,
        "base": model.encoder(**inputs).last_hidden_state,
        "text": processor.batch_decode(ids, skip_special_tokens=True),
    }
    source = [{stream: clip[stream] for stream in streams}] * 2
    return {"clip": clip, "inputs": inputs, "target": target, "source": source}, answers


def gloss_case(folder, model_class, config_class, settings):
    """The same for a classifier of landmarks."""
    extractor = GlossFeatureExtractor(features=("hand_shapes", "velocity"), right_handed=True, num_frames=6)
    torch.manual_seed(0)
    config = config_class(input_size=extractor.input_size, num_labels=4, num_categories=2, **settings)
    model = model_class(config).eval()
    model.save_pretrained(folder)
    extractor.save_pretrained(folder)
    clips = [np.random.default_rng(i).uniform(0.1, 0.9, (5 + i, 156)).astype(np.float32) for i in range(2)]
    inputs = dict(extractor(clips, return_tensors="pt"))
    scores = model(**inputs).gloss_logits
    answers = {"type": config.model_type, "prepared": inputs, "scores": scores, "base": scores}
    np.savez(folder / "clip.npz", X=clips[1])
    return {
        "clip": {"clips": clips},
        "inputs": inputs,
        "target": None,
        "source": [clips[0], f"{folder}/clip.npz"],
    }, answers


def publish(hub, name, folder):
    """Put the files of a folder into a public repository."""
    storage = hub.storage
    files = {path.name: storage.regular(path.read_bytes()) for path in folder.iterdir()}
    storage.create("model", name, private=False).add(files, "files of a folder")


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """All models with their code, some from a hub, in one process of the bare environment: both sides' answers."""
    work = tmp_path_factory.mktemp("bare")
    cases, expected = {}, {}
    with torch.no_grad():
        for name, settings in TRANSLATIONS.items():
            cases[name], expected[name] = translation_case(work / name, *settings)
        for name, settings in GLOSSES.items():
            cases[name], expected[name] = gloss_case(work / name, *settings)
    for name in cases:
        task = "sign-recognition" if cases[name]["target"] is None else "sign-language-translation"
        expected[name]["piped"] = pipeline(task, model=str(work / name), device="cpu")(cases[name]["source"])
        assert write_remote_code(work / name)
        cases[name]["place"] = f"someone/{name}" if name in PULLED else str(work / name)
    torch.save(cases, work / "cases.pt")
    site = link_site_packages(work / "site")
    # -I and -S: neither PYTHONPATH nor the packages of this environment
    command = [sys.executable, "-I", "-S", "-c", PROGRAM, str(site), str(work), ",".join(ABSENT)]
    with Hub(work / "storage") as hub:
        for name in PULLED:
            publish(hub, f"someone/{name}", work / name)
        environment = hub.environment(work / "home")
        done = subprocess.run(command, env=environment, cwd=work, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return expected, torch.load(work / "answers.pt", weights_only=False), done.stderr


def test_nothing_but_torch_and_transformers_was_there(asked):
    assert asked[1]["found"] == []
    assert "newly initialized" not in asked[2]


@pytest.mark.parametrize("name", [*TRANSLATIONS, *GLOSSES])
def test_every_family_answers_as_it_does_here(asked, name):
    expected, found = asked[0][name], asked[1]["answers"][name]
    assert found["type"] == expected["type"]
    assert found["prepared"].keys() == expected["prepared"].keys()
    assert all(torch.equal(found["prepared"][key], value) for key, value in expected["prepared"].items())
    assert expected["scores"].std() > 0.01
    assert torch.equal(found["scores"], expected["scores"])
    assert torch.equal(found["base"], expected["base"])
    assert found.get("text") == expected.get("text")
    assert all(expected.get("text", ["-"]))


@pytest.mark.parametrize("name", [*TRANSLATIONS, *GLOSSES])
def test_what_was_saved_there_again_still_carries_its_code(asked, name):
    assert torch.equal(asked[1]["answers"][name]["resaved"], asked[0][name]["scores"])


@pytest.mark.parametrize("name", [*TRANSLATIONS, *GLOSSES])
def test_the_pipeline_travels_and_answers_as_it_does_here(asked, name):
    expected, found = asked[0][name]["piped"], asked[1]["answers"][name]["piped"]
    assert len(found) == len(expected) == 2
    for here, there in zip(expected, found, strict=True):
        assert [{**one, "score": 0} for one in there] == [{**one, "score": 0} for one in here]
        assert [one["score"] for one in there] == pytest.approx([one["score"] for one in here], abs=1e-5)
    said = asked[1]["answers"][name]["video"]
    assert "found 'clip.mp4'; for videos, folders and files of other tools install hf_slt" in said
