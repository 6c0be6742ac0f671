"""What `push_to_hub` of a model or a processor uploads as its card."""

import pytest
from hub_factories import write_gloss_model, write_run
from huggingface_hub import ModelCard, ModelCardData
from model_factories import tiny_processor

from hf_slt.hub.stock_card import replace_stock_card
from hf_slt.model_card.card import MARK

DESCRIPTION = (
    "This is the model card of a 🤗 transformers model that has been pushed on the Hub. This model card has been "
    "automatically generated."
)


def write_stock_card(folder, description=DESCRIPTION, tags=()):
    data = ModelCardData(tags=list(tags), library_name="transformers")
    ModelCard.from_template(data, model_description=description).save(folder / "README.md")
    return folder / "README.md"


@pytest.mark.parametrize("write", [write_run, write_gloss_model])
def test_the_stock_card_of_a_model_becomes_ours(write, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    write(folder)
    path = write_stock_card(folder, tags=["mine"])
    replace_stock_card(folder, "someone/model")
    card = ModelCard.load(path)
    assert MARK in card.text and "# model\n" in card.text and "More Information Needed" not in card.text
    assert card.data.tags.count("sign-language") == 1 and card.data.tags[-1] == "mine"
    assert ".png" not in card.text  # no picture goes up with it


def test_a_card_that_says_anything_stays(tmp_path):
    write_gloss_model(tmp_path)
    for text in (
        write_stock_card(tmp_path, "A model of mine.").read_text(encoding="utf-8"),
        "By hand\n",
        f"{MARK} -->",
    ):
        (tmp_path / "README.md").write_text(text, encoding="utf-8")
        replace_stock_card(tmp_path, "someone/model")
        assert (tmp_path / "README.md").read_text(encoding="utf-8") == text


def test_a_processor_alone_and_models_of_others_have_no_card(tmp_path):
    tiny_processor(("pose",)).save_pretrained(tmp_path)
    replace_stock_card(tmp_path, "someone/model")  # nor need there be one to replace
    path = write_stock_card(tmp_path)
    replace_stock_card(tmp_path, "someone/model")
    assert not path.exists()
    (tmp_path / "model.safetensors").write_bytes(b"")
    (tmp_path / "config.json").write_text('{"model_type": "custom_decoder"}')
    replace_stock_card(tmp_path, str(write_stock_card(tmp_path)))
    assert not path.exists()
