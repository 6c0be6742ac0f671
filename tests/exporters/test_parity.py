"""The comparison of an export with PyTorch finds what differs."""

import copy
import math
from types import SimpleNamespace

import pytest
import torch
from model_factories import tiny_config, tiny_model, tiny_text_config

from hf_slt import ORTMultiStreamForConditionalGeneration
from hf_slt.errors import ExportParityError
from hf_slt.exporters import torchscript
from hf_slt.exporters.clips import CONDITIONS, random_clips
from hf_slt.exporters.export import compare_onnx, write_and_compare_torchscript
from hf_slt.exporters.ort_gloss import ORTGlossClassifier
from hf_slt.exporters.parity import (
    Cell,
    compare,
    compare_classifiers,
    compare_encoders,
    compare_translators,
    generate,
    largest_difference,
    make_cells,
    search_settings,
    states_difference,
)

POSE = ("pose",)


class Changed:
    """A translation model some of whose methods are replaced; all else is the model's."""

    def __init__(self, model, **replaced):
        self.model, self.replaced = model, replaced

    def __getattr__(self, name):
        return self.replaced[name] if name in self.replaced else getattr(self.model, name)

    def __call__(self, **kwargs):
        return self.replaced.get("forward", self.model)(**kwargs)


def test_cells_are_all_combinations_and_no_two_have_the_same_values():
    cells = make_cells(tiny_config())
    assert {(cell.batch_size, cell.frames, cell.condition) for cell in cells} == {
        (size, frames, condition) for size in (1, 3) for frames in (7, 24, 64) for condition in CONDITIONS
    }
    assert len({cell.seed for cell in cells}) == len(cells) == 24


def test_more_cells_are_random_and_the_same_every_time():
    cells = make_cells(tiny_config(), more=9)
    assert cells == make_cells(tiny_config(), more=9)
    assert len(cells) == 33 and len({cell.frames for cell in cells[24:]}) > 3


def test_clips_fit_learned_positions():
    config = tiny_config(position_embedding_type="learned", max_frames=10, temporal_stride=2)
    assert {cell.frames for cell in make_cells(config)} == {1, 7, 20}
    assert max(cell.frames for cell in make_cells(config, more=20)) == 20


@pytest.mark.parametrize(
    ("longest", "lengths"), [(1, {1}), (2, {1, 2}), (3, {1, 2, 3}), (63, {1, 22, 63}), (64, {7, 24, 64})]
)
def test_few_learned_positions_still_give_three_lengths(longest, lengths):
    config = tiny_config(position_embedding_type="learned", max_frames=longest, temporal_stride=1)
    cells = make_cells(config)
    assert {cell.frames for cell in cells} == lengths and len(cells) == 8 * len(lengths)


@pytest.mark.parametrize("streams", [("face", "pose"), ("face", "left_hand", "pose"), tuple(tiny_config().streams)])
def test_every_stream_is_missing_in_a_cell(streams):
    config = tiny_config(streams)
    cells = [cell for cell in make_cells(config) if cell.condition == "missing_stream"]
    clips = [random_clips(config, cell.batch_size, 1, cell.condition, cell.seed) for cell in cells]
    assert {stream for clip in clips for stream in streams if f"{stream}_mask" not in clip} == set(streams)


def compare_with(found):
    cells = [Cell(1, 4, "no_padding", 0), Cell(2, 4, "padding", 1)]
    return compare("ONNX", cells, tiny_config(), lambda inputs, cell: found)


def test_small_differences_are_reported():
    report = compare_with({"states_max_abs_difference": 9e-5, "tokens_identical": True})
    assert (report["tolerance"], report["max_abs_difference"]) == (1e-4, 9e-5)
    assert report["cells"][1] == {
        "batch_size": 2,
        "frames": 4,
        "condition": "padding",
        "seed": 1,
        "states_max_abs_difference": 9e-5,
        "tokens_identical": True,
    }


@pytest.mark.parametrize("difference", [1.1e-4, math.nan, math.inf])
def test_large_differences_and_no_numbers_are_an_error(difference):
    with pytest.raises(ExportParityError, match=r"found 2 differences in 2 batches(.|\n)*2 clips of 4 frames, padding"):
        compare_with({"states_max_abs_difference": difference})


def test_other_tokens_are_an_error():
    with pytest.raises(ExportParityError, match="1 clips of 4 frames, no padding: not tokens of 4 beams identical"):
        compare_with({"states_max_abs_difference": 0.0, "tokens_of_4_beams_identical": False})


def test_states_are_compared_where_they_are_real():
    states, mask = torch.zeros(1, 3, 2), torch.tensor([[1, 1, 0]])
    other = states.clone()
    other[0, 2] = 9.0
    assert states_difference((states, mask), (other, mask))["states_max_abs_difference"] == 0
    other[0, 1, 1] = -0.5
    assert states_difference((states, mask), (other, mask))["states_max_abs_difference"] == 0.5
    shorter = states_difference((states, mask), (states[:, :2], mask[:, :2]))
    assert not shorter["states_mask_identical"] and math.isnan(shorter["states_max_abs_difference"])
    for part in (states[..., :1], states[:, :2]):
        other = states_difference((states, mask), (part, mask))
        assert other["states_mask_identical"] and math.isnan(other["states_max_abs_difference"])


@pytest.mark.parametrize("found", [None, torch.zeros(1, 2), torch.zeros(3)])
def test_an_output_that_is_absent_or_of_another_shape_differs(found):
    assert math.isnan(largest_difference(torch.zeros(3, 2), found))


def encoder_of(model):
    def encode(inputs):
        outputs = model.encoder(**inputs)
        return outputs[0], outputs.attention_mask

    return encode


def test_a_model_equals_itself_and_no_other():
    model, other, cells = tiny_model(gain=20.0), tiny_model(seed=1, gain=20.0), make_cells(tiny_config())[:4]
    compare("x", cells, model.config, compare_encoders(model.encoder, encoder_of(model)))
    report = compare("x", cells, model.config, compare_translators(model, {"pair": model}))
    assert report["max_abs_difference"] < 1e-5  # with a cache sums are taken in another order
    assert report["cells"][0]["pair_tokens_of_4_beams_identical"] is True
    with pytest.raises(ExportParityError, match="states_max_abs_difference"):
        compare("x", cells, model.config, compare_encoders(model.encoder, encoder_of(other)))
    with pytest.raises(ExportParityError, match="pair_logits_max_abs_difference"):
        compare("x", cells, model.config, compare_translators(model, {"pair": other}))


def test_tokens_are_compared_even_if_all_numbers_are_the_same():
    model = tiny_model()

    class Export(SimpleNamespace):
        def __call__(self, **kwargs):
            return model(**kwargs)

    export = Export(encoder=model.encoder, generate=lambda **kwargs: torch.full((1, 2), 7))
    with pytest.raises(ExportParityError, match="not a tokens of greedy search identical"):
        compare("x", make_cells(model.config)[:1], model.config, compare_translators(model, {"a": export}))


@pytest.mark.parametrize("condition", ["missing_hands", "missing_stream"])
def test_a_pose_that_is_missing_is_compared(condition):
    model = tiny_model(temporal_layers=1)
    other = copy.deepcopy(model)
    torch.nn.init.ones_(other.encoder.projectors["pose"].missing)
    cells = [cell for cell in make_cells(model.config) if cell.frames == 7 and cell.condition == condition]
    with pytest.raises(ExportParityError, match="states_max_abs_difference"):
        compare("x", cells, model.config, compare_encoders(model.encoder, encoder_of(other)))


@pytest.mark.parametrize("decoder", ["two_decoders", "merged_decoder"])
def test_a_decoder_that_differs_with_a_cache_is_found(decoder):
    model = tiny_model(POSE)

    def forward(**kwargs):
        outputs = model(**kwargs)
        outputs.logits += 0.001 * (kwargs.get("past_key_values") is not None)
        return outputs

    exports = {"two_decoders": model, "merged_decoder": model, decoder: Changed(model, forward=forward)}
    with pytest.raises(
        ExportParityError, match=f"found 1 differences(.|\n)*{decoder}_cached_logits_max_abs_difference"
    ):
        compare("x", make_cells(model.config)[:1], model.config, compare_translators(model, exports))


def test_exported_decoders_with_a_cache_give_the_same_logits(translator):
    exports = {
        str(merged): ORTMultiStreamForConditionalGeneration.from_pretrained(
            translator.folder, num_threads=1, use_merged=merged
        )
        for merged in (False, True)
    }
    for export in exports.values():  # what a folder says of generation plays no role
        export.generation_config.num_return_sequences = 2
    cells = [Cell(1, 7, "no_padding", 0), Cell(3, 7, "padding", 1)]
    comparison = compare_translators(translator.model, exports)
    for row in compare("x", cells, translator.model.config, comparison)["cells"]:
        assert row["False_cached_logits_max_abs_difference"] > 0 and row["True_cached_logits_max_abs_difference"] > 0


@pytest.mark.parametrize("scores", [lambda logits: None, lambda logits: logits + 0.001, lambda logits: logits[..., :1]])
def test_the_ctc_head_is_compared_even_if_nothing_decodes_with_it(scores):
    model = tiny_model(POSE, ctc_weight=0.3, ctc_decoding_weight=0.0)
    cells = make_cells(model.config)[:1]
    report = compare("x", cells, model.config, compare_translators(model, {"pair": model}))
    assert report["cells"][0]["pair_ctc_logits_max_abs_difference"] == 0
    export = Changed(model, compute_ctc_logits=lambda states: scores(model.compute_ctc_logits(states)))
    with pytest.raises(ExportParityError, match="pair_ctc_logits_max_abs_difference"):
        compare("x", cells, model.config, compare_translators(model, {"pair": export}))


@pytest.mark.parametrize(("kind", "positions"), [("bart", 2), ("bart", 10), ("mbart", 20)])
def test_decoders_of_few_positions_are_compared(kind, positions):
    text = tiny_text_config(kind)
    text.max_position_embeddings = positions
    model = tiny_model(POSE, text_config=text)
    report = compare("x", make_cells(model.config)[:1], model.config, compare_translators(model, {"pair": model}))
    assert report["max_abs_difference"] < 1e-5


@pytest.mark.parametrize(
    "settings",
    [
        {"num_return_sequences": 2},
        {"return_dict_in_generate": True},
        {"max_time": 0.0},
        {"prompt_lookup_num_tokens": 2},
        {"min_length": 20, "no_repeat_ngram_size": 1, "repetition_penalty": 9.0},
        {"do_sample": True, "temperature": 9.0},
    ],
)
def test_settings_of_the_checkpoint_change_nothing(settings):
    model = tiny_model(POSE, gain=20.0)
    inputs = random_clips(model.config, 1, 7)
    expected = model.generate(**inputs, max_new_tokens=24)
    assert expected.shape[1] > 2
    for name, value in settings.items():
        setattr(model.generation_config, name, value)
    assert torch.equal(generate(model, inputs, search_settings(model, 1)), expected)
    compare("x", make_cells(model.config)[:1], model.config, compare_translators(model, {"pair": model}))


def test_special_tokens_of_the_checkpoint_stay():
    model = tiny_model(POSE)
    for name, token in {"forced_bos_token_id": 9, "eos_token_id": [1, 3], "decoder_start_token_id": 5}.items():
        setattr(model.generation_config, name, token)
    settings = search_settings(model, 4)
    assert (settings.forced_bos_token_id, settings.eos_token_id, settings.num_beams) == (9, [1, 3], 4)
    assert generate(model, random_clips(model.config, 1, 7), settings)[0, :2].tolist() == [5, 9]


def test_both_heads_of_a_classifier_are_compared():
    logits = {"gloss_logits": torch.zeros(1, 3), "category_logits": torch.zeros(1, 2)}
    cell = Cell(1, 4, "padding", 0)
    own = {"gloss_logits": torch.zeros(1, 3), "category_logits": torch.ones(1, 2)}
    found = compare_classifiers(lambda: logits, lambda inputs: own)({}, cell)
    assert found == {"gloss_logits_max_abs_difference": 0.0, "category_logits_max_abs_difference": 1.0}
    del own["category_logits"]
    found = compare_classifiers(lambda: logits, lambda inputs: own)({}, cell)
    assert found["gloss_logits_max_abs_difference"] == 0 and math.isnan(found["category_logits_max_abs_difference"])
    one_head = {"gloss_logits": torch.zeros(1, 3), "category_logits": None}
    assert list(compare_classifiers(lambda: one_head, lambda inputs: own)({}, cell)) == [
        "gloss_logits_max_abs_difference"
    ]


def test_a_classifier_exported_without_its_category_head_is_found(classifier, tmp_path, monkeypatch):
    source = SimpleNamespace(config=classifier.model.config, is_translation=False, part="full")
    args = SimpleNamespace(num_threads=1, validate=0)
    assert compare_onnx(source, classifier.model, classifier.folder, args)["max_abs_difference"] < 1e-4
    forward = ORTGlossClassifier.forward

    def forward_one(model, **kwargs):
        outputs = forward(model, **kwargs)
        return type(outputs)(gloss_logits=outputs.gloss_logits)

    monkeypatch.setattr(ORTGlossClassifier, "forward", forward_one)
    with pytest.raises(ExportParityError, match="found 24 differences(.|\n)*category_logits_max_abs_difference nan"):
        compare_onnx(source, classifier.model, classifier.folder, args)
    monkeypatch.setattr(torchscript, "output_names", lambda config: {"gloss_logits": "gloss_logits"})
    with pytest.raises(ExportParityError, match="found 24 differences(.|\n)*category_logits_max_abs_difference nan"):
        write_and_compare_torchscript(source, classifier.model, tmp_path, args)
