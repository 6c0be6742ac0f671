"""Tests that every gloss classifier has to pass; a family's test class derives from the mixin."""

import pytest
import torch
from torch.nn import functional as F
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification

from hf_slt.errors import ConfigurationError, DimensionMismatchError

INPUT_SIZE, GLOSSES, CATEGORIES = 6, 5, 3
LENGTHS = (7, 1, 4, 5, 6, 3)


def gloss_batch(lengths=LENGTHS, seed=0, input_size=INPUT_SIZE, garbage=0.0):
    """Return a padded batch of random clips with labels, `garbage` in its padding and a hole in each longer clip."""
    generator = torch.Generator().manual_seed(seed)
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()  # (B, T)
    mask[torch.tensor(lengths) > 4, 2] = 0
    values = torch.randn(*mask.shape, input_size, generator=generator)
    return {
        "input_values": values.masked_fill(mask[..., None] == 0, garbage),
        "attention_mask": mask,
        "labels": torch.randint(GLOSSES, (len(lengths),), generator=generator),
        "category_labels": torch.randint(CATEGORIES, (len(lengths),), generator=generator),
    }


def inputs_of(batch):
    """Return a batch without its labels."""
    return {name: value for name, value in batch.items() if not name.endswith("labels")}


class GlossClassifierMixin:
    """What a gloss classifier promises: see `hf_slt/models/gloss`.

    Attributes:
        config_class, model_class: The family's classes.
        sizes: Fields of the configuration that make a tiny model.
        idle: Ends of the names of parameters whose gradient is zero by construction.
    """

    config_class = None
    model_class = None
    sizes = {}
    idle = ()

    def tiny_config(self, **overrides):
        fields = {"input_size": INPUT_SIZE, "num_labels": GLOSSES, "num_categories": CATEGORIES, **self.sizes}
        return self.config_class(**{**fields, **overrides})

    def tiny_model(self, seed=0, **overrides):
        torch.manual_seed(seed)
        return self.model_class(self.tiny_config(**overrides)).eval()

    def test_configuration_survives_saving(self, tmp_path):
        config = self.tiny_config(
            id2label={0: "NA", 1: "HOLA"},
            num_labels=None,
            num_categories=1,
            category_id2label={0: "GREETING"},
            head_hidden_size=7,
            alpha=0.5,
            beta=0.25,
        )
        config.save_pretrained(tmp_path)
        loaded = AutoConfig.from_pretrained(tmp_path)
        assert type(loaded) is self.config_class
        assert {**loaded.to_dict(), "_name_or_path": ""} == {**config.to_dict(), "_name_or_path": ""}
        assert (loaded.id2label, loaded.label2id) == ({0: "NA", 1: "HOLA"}, {"NA": 0, "HOLA": 1})
        assert (loaded.category_id2label, loaded.head_hidden_size, loaded.beta) == ({0: "GREETING"}, 7, 0.25)

    @pytest.mark.parametrize("auto_class", [None, AutoModel, AutoModelForSequenceClassification])
    def test_a_saved_model_gives_identical_logits(self, auto_class, tmp_path):
        model, batch = self.tiny_model(), gloss_batch()
        model.save_pretrained(tmp_path)
        loaded, info = (auto_class or self.model_class).from_pretrained(tmp_path, output_loading_info=True)
        assert type(loaded) is self.model_class
        assert not info["missing_keys"] and not info["unexpected_keys"]
        expected, output = model(**batch), loaded.eval()(**batch)
        assert torch.equal(output.gloss_logits, expected.gloss_logits)
        assert torch.equal(output.category_logits, expected.category_logits)
        assert list(tmp_path.glob("*.safetensors")) and not list(tmp_path.glob("*.bin"))

    def test_every_parameter_gets_a_gradient(self):
        model = self.tiny_model().train()
        model(**gloss_batch()).loss.backward()
        without = [
            name
            for name, parameter in model.named_parameters()
            if not name.endswith(self.idle or ("no such name",))
            and (parameter.grad is None or not parameter.grad.abs().max() > 0)
        ]
        assert without == []

    @pytest.mark.parametrize("lengths", [LENGTHS, (2000, 1, 7, 1500)], ids=["short", "long"])
    @pytest.mark.parametrize("garbage", [1e3, float("nan")])
    def test_a_clip_alone_is_the_clip_in_a_batch(self, lengths, garbage):
        model, batch = self.tiny_model(), gloss_batch(lengths, garbage=garbage)
        with torch.no_grad():
            together = model(**inputs_of(batch))
            for index, length in enumerate(lengths):
                values = batch["input_values"][index : index + 1, :length]
                alone = model(values, batch["attention_mask"][index : index + 1, :length])
                assert (alone.gloss_logits[0] - together.gloss_logits[index]).abs().max() < 1e-5
                assert (alone.category_logits[0] - together.category_logits[index]).abs().max() < 1e-5
        others = together.gloss_logits[1:] - together.gloss_logits[:1]
        assert others.abs().amax(dim=1).min() > 1e-3, "the model ignores its input: nothing is tested"

    def test_no_mask_means_that_every_frame_is_real(self):
        model, values = self.tiny_model(), gloss_batch((6, 6))["input_values"]
        expected = model(values, torch.ones(2, 6)).gloss_logits
        assert torch.equal(model(values).gloss_logits, expected)
        padded = model(F.pad(values, (0, 0, 0, 3)), F.pad(torch.ones(2, 6), (0, 3))).gloss_logits
        assert (padded - expected).abs().max() < 1e-5

    def test_a_clip_without_a_real_frame_is_one_frame_of_zeros(self):
        model, batch = self.tiny_model(), gloss_batch(garbage=float("nan"))
        expected = model(torch.zeros(1, 1, INPUT_SIZE)).gloss_logits[0]
        before = model(**inputs_of(batch)).gloss_logits
        batch["attention_mask"][3] = 0
        logits = model(**inputs_of(batch)).gloss_logits
        assert (logits[3] - expected).abs().max() < 1e-5
        assert (logits - before)[[0, 1, 2, 4, 5]].abs().max() < 1e-5
        model.train()(**batch).loss.backward()
        assert all(torch.isfinite(parameter.grad).all() for parameter in model.parameters())

    def test_without_categories_there_is_one_head(self, tmp_path):
        model, batch = self.tiny_model(num_categories=None), gloss_batch()
        assert not [name for name, _ in model.named_parameters() if "category" in name]
        output = model(**inputs_of(batch), labels=batch["labels"])
        assert output.category_logits is None
        assert torch.allclose(output.loss, F.cross_entropy(output.gloss_logits, batch["labels"]))
        with pytest.raises(ConfigurationError, match="expected no category_labels, since num_categories is None"):
            model(**batch)
        model.save_pretrained(tmp_path)
        loaded = self.model_class.from_pretrained(tmp_path).eval()
        assert torch.equal(loaded(**inputs_of(batch)).gloss_logits, output.gloss_logits)

    def test_loss_weighs_the_known_labels_of_both_heads(self):
        model, batch = self.tiny_model(alpha=0.75, beta=0.5), gloss_batch()
        batch["labels"][0], batch["category_labels"][2:] = -100, -100
        output = model(**batch)
        gloss = -output.gloss_logits.log_softmax(-1)[range(1, 6), batch["labels"][1:]].mean()
        category = -output.category_logits.log_softmax(-1)[range(2), batch["category_labels"][:2]].mean()
        assert torch.allclose(output.loss, 0.75 * gloss + 0.5 * category)
        inputs = inputs_of(batch)
        assert torch.allclose(model(**inputs, labels=batch["labels"]).loss, 0.75 * gloss)
        assert torch.allclose(model(**inputs, category_labels=batch["category_labels"]).loss, 0.5 * category)
        assert model(**inputs).loss is None

    def test_a_batch_of_unknown_labels_teaches_nothing(self):
        model, batch = self.tiny_model().train(), gloss_batch()
        for name in ("labels", "category_labels"):
            batch[name].fill_(-100)
        loss = model(**batch).loss
        loss.backward()
        assert loss.item() == 0
        assert not any(parameter.grad.any() for parameter in model.parameters())

    def test_gradient_checkpointing_where_it_is_supported(self):
        batch, results = gloss_batch(), []
        for checkpointing in (False, True):
            model = self.tiny_model(hidden_dropout_prob=0.5).train()
            if checkpointing and not model.supports_gradient_checkpointing:
                with pytest.raises(ValueError, match="does not support .* checkpointing"):
                    model.gradient_checkpointing_enable()
                return
            if checkpointing:
                model.gradient_checkpointing_enable()
                assert model.is_gradient_checkpointing
            torch.manual_seed(1)
            loss = model(**batch).loss
            loss.backward()
            results.append([loss, *(parameter.grad for parameter in model.parameters())])
        assert all(torch.allclose(one, other, atol=1e-6) for one, other in zip(*results, strict=True))

    def test_bfloat16_autocast(self):
        model, batch = self.tiny_model(), gloss_batch()
        expected = model(**batch)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            output = model(**batch)
            loss = model.train()(**batch).loss
        assert output.loss.dtype == torch.float32
        assert output.loss.item() == pytest.approx(expected.loss.item(), rel=0.05)
        assert (output.gloss_logits - expected.gloss_logits).abs().max() < 0.1
        loss.backward()
        assert all(torch.isfinite(parameter.grad).all() for parameter in model.parameters())

    def test_six_clips_can_be_overfitted(self):
        model, batch = self.tiny_model().train(), gloss_batch()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        for _ in range(150):
            optimizer.zero_grad()
            model(**batch).loss.backward()
            optimizer.step()
        output = model.eval()(**batch)
        assert torch.equal(output.gloss_logits.argmax(-1), batch["labels"])
        assert torch.equal(output.category_logits.argmax(-1), batch["category_labels"])

    def test_training_repeats_with_the_seed(self):
        model, batch, losses = self.tiny_model(hidden_dropout_prob=0.5).train(), gloss_batch(), []
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            losses.append(model(**batch).loss.item())
        assert losses[0] == losses[1] != losses[2]

    def test_outputs_as_tuples(self):
        model, batch = self.tiny_model(), gloss_batch()
        output = model(**batch)
        assert output.hidden_states is None
        loss, gloss_logits, category_logits = model(**batch, return_dict=False)
        assert torch.equal(loss, output.loss)
        assert gloss_logits.shape == (6, GLOSSES) and category_logits.shape == (6, CATEGORIES)
        gloss_logits, _, hidden_states = model(**inputs_of(batch), return_dict=False, output_hidden_states=True)
        assert torch.equal(gloss_logits, output.gloss_logits)
        assert all(states.dim() == 3 and len(states) == 6 for states in hidden_states)

    def test_wrong_shapes_name_what_was_found(self):
        model = self.tiny_model()
        for shape in ((2, 3, INPUT_SIZE + 1), (3, INPUT_SIZE), (2, 0, INPUT_SIZE)):
            with pytest.raises(
                DimensionMismatchError, match=rf"expected input_values \(B, T, {INPUT_SIZE}\).*found \({shape[0]}, "
            ):
                model(torch.zeros(shape))
        with pytest.raises(ConfigurationError, match=r"attention_mask \(B, T\) = \(2, 3\), found \(2, 4\)"):
            model(torch.zeros(2, 3, INPUT_SIZE), torch.ones(2, 4))
