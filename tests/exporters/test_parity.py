"""The comparison of an export with PyTorch finds what differs."""

import math
from types import SimpleNamespace

import pytest
import torch
from model_factories import tiny_config, tiny_model

from hf_slt.errors import ExportParityError
from hf_slt.exporters.clips import CONDITIONS
from hf_slt.exporters.parity import (
    Cell,
    compare,
    compare_classifiers,
    compare_encoders,
    compare_translators,
    make_cells,
    states_difference,
)


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
    assert {cell.frames for cell in make_cells(config)} == {7, 20}
    assert max(cell.frames for cell in make_cells(config, more=20)) == 20


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


def encoder_of(model):
    def encode(inputs):
        outputs = model.encoder(**inputs)
        return outputs[0], outputs.attention_mask

    return encode


def test_a_model_equals_itself_and_no_other():
    model, other, cells = tiny_model(gain=20.0), tiny_model(seed=1, gain=20.0), make_cells(tiny_config())[:4]
    compare("x", cells, model.config, compare_encoders(model.encoder, encoder_of(model)))
    report = compare("x", cells, model.config, compare_translators(model, {"pair": model}))
    assert report["max_abs_difference"] == 0
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


def test_both_heads_of_a_classifier_are_compared():
    logits = {"gloss_logits": torch.zeros(1, 3), "category_logits": torch.zeros(1, 2)}
    cell = Cell(1, 4, "padding", 0)
    found = compare_classifiers(lambda: logits, lambda inputs: (torch.zeros(1, 3), torch.ones(1, 2)))({}, cell)
    assert found == {"gloss_logits_max_abs_difference": 0.0, "category_logits_max_abs_difference": 1.0}
    one_head = {"gloss_logits": torch.zeros(1, 3), "category_logits": None}
    assert list(compare_classifiers(lambda: one_head, lambda inputs: (torch.zeros(1, 3),))({}, cell)) == [
        "gloss_logits_max_abs_difference"
    ]
