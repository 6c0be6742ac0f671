"""Factories of runs: tiny trainers of both tasks on tiny corpora, which train a step in milliseconds."""

import json

import torch
from factories import write_corpus
from gloss_factories import write_gloss_corpus
from model_factories import tiny_model, tiny_processor, tiny_text_config
from safetensors.torch import save_file

from hf_slt.data.builder import build_datasets
from hf_slt.data.clip_transform import ClipTransform
from hf_slt.data.collator import DataCollatorForMultiStream
from hf_slt.data.epoch import SharedEpoch
from hf_slt.data.gloss.contract import GlossSplit, check_splits
from hf_slt.models.gloss.feature_extraction_gloss import GlossFeatureExtractor
from hf_slt.models.sign_transformer.configuration_sign_transformer import SignTransformerConfig
from hf_slt.models.sign_transformer.modeling_sign_transformer import SignTransformerForGlossClassification
from hf_slt.training.build_gloss import build_gloss_datasets
from hf_slt.training.build_slt import text_encoder
from hf_slt.training.gloss_training_arguments import GlossTrainingArguments
from hf_slt.training.train_gloss import build_gloss_trainer
from hf_slt.training.trainer import MultiStreamTrainer
from hf_slt.training.training_arguments import SltTrainingArguments

EXTRACTOR = GlossFeatureExtractor()
QUIET = {"use_cpu": True, "disable_tqdm": True, "report_to": "none", "dataloader_num_workers": 0}
SENTENCES = ["Dónde está el niño", "Él come pan", "La casa es grande", "El niño come pan", "La casa está grande"]

CHECKPOINT_FILES = ("model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json")


def write_checkpoint(folder):
    """Write a `checkpoint-N` that is whole, with numbers that mean nothing."""
    folder.mkdir(parents=True)
    save_file({"weight": torch.arange(1000.0)}, folder / "model.safetensors")
    for name in CHECKPOINT_FILES[1:4]:
        torch.save({"state": torch.arange(1000.0)}, folder / name)
    torch.save({}, folder / "training_args.bin")
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": int(folder.name.split("-")[1])}))
    return folder


CUDA_MESSAGE = "CUDA out of memory. Tried to allocate 2.00 GiB."


def gloss_report(folder, **options):
    """Return the checked clips of a corpus: 16 of training, 4 of validation, 4 of test."""
    corpus = write_gloss_corpus(folder, **options)
    splits = [GlossSplit(name, corpus.folders[name], corpus.labels[name]) for name in corpus.folders]
    return check_splits(splits, cache_dir=corpus.root / "cache")


def gloss_model(dropout=0.0, num_categories=2):
    """Return a model of four glosses; the same weights each time."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    rates = {"hidden_dropout_prob": dropout, "head_dropout": dropout}
    config = SignTransformerConfig(num_labels=4, num_categories=num_categories, head_hidden_size=8, **sizes, **rates)
    return SignTransformerForGlossClassification(config)


def gloss_trainer(report, folder, model=None, loss=None, change=None, callbacks=(), num_categories=2, **options):
    """Return a trainer of glosses, as the script builds it, with a log and without a seed of its own.

    Args:
        report: The clips.
        folder: Folder of the run.
        model: The model, by default a new one.
        loss: The training loss.
        change: What to make of the training data set.
        callbacks: Callbacks after those of the script.
        num_categories: Categories of the data sets.
        options: Arguments of the run.
    """
    values = {**QUIET, "per_device_train_batch_size": 4, "num_train_epochs": 2, "learning_rate": 0.01, **options}
    epoch = SharedEpoch()
    splits = build_gloss_datasets(report, EXTRACTOR, num_categories, None, 0, epoch)
    if change is not None:
        splits["train"] = change(splits["train"])
    args = GlossTrainingArguments(output_dir=str(folder), **values)
    trainer = build_gloss_trainer(model or gloss_model(), EXTRACTOR, splits, loss, args, epoch)
    for callback in callbacks:
        trainer.add_callback(callback)
    return trainer


def translation_parts(folder, clips=8):
    """Return a data set of clips of landmarks with their sentences, and the processor of a tiny model."""
    sentences = {f"clip{i}": SENTENCES[i % 5] + " se" * (i % 3) for i in range(clips)}
    paths = write_corpus(folder, sentences, streams=("pose",))
    processor = tiny_processor(("pose",))
    transform = ClipTransform(processor.feature_extractor, text_encoder(processor.tokenizer, 32))
    return build_datasets(paths, show_progress=False)[0]["train"].with_transform(transform), processor


def translation_model(processor, **config):
    """Return a model without dropout; the same weights each time."""
    text_config = tiny_text_config(vocab_size=len(processor.tokenizer))
    model = tiny_model(("pose",), num_pose_landmarks=33, text_config=text_config, **config)
    model.generation_config.max_length = 8
    return model


def translation_trainer(parts, folder, model=None, change=None, **options):
    """Return a trainer of translation, on the same clips in training and evaluation; `change` as for glosses."""
    data, processor = parts
    none = {"eval_strategy": "no", "save_strategy": "no", "load_best_model_at_end": False, "warmup_ratio": 0.0}
    values = {**QUIET, **none, "per_device_train_batch_size": 4, "num_train_epochs": 2, **options}
    return MultiStreamTrainer(
        model=model or translation_model(processor),
        args=SltTrainingArguments(output_dir=str(folder), **values),
        train_dataset=data if change is None else change(data),
        eval_dataset=data,
        data_collator=DataCollatorForMultiStream(processor.feature_extractor.pad, 0, 0, with_ids=True),
        processing_class=processor.tokenizer,
    )


class Changed(torch.utils.data.Dataset):
    """A data set in which some clips are others.

    Args:
        dataset: The data set.
        change: Row of a clip -> what takes its place; called for `positions` only.
        positions: Which clips.
    """

    def __init__(self, dataset, change, positions):
        self.dataset, self.change, self.positions = dataset, change, positions

    def __getattr__(self, name):
        return getattr(self.dataset, name)

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        row = self.dataset[index]
        return self.change(dict(row)) if index in self.positions else row

    def __getitems__(self, indices):
        return [self[index] for index in indices]


def weights_of(model):
    """Return a copy of a model's weights."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def largest_difference(left, right):
    """Return the largest difference between two sets of weights."""
    assert left.keys() == right.keys()
    return max((left[name].double() - right[name].double()).abs().max().item() for name in left)


class Hungry:
    """A forward pass that fits into the memory up to a number of clips.

    Args:
        model: The model.
        limit: How many clips fit.
        error: What is raised beyond it.
        start: Batches that fit whatever their size.
        evaluation: Whether this is about evaluation, not training.

    Attributes:
        batches: Clips of each batch.
    """

    def __init__(self, model, limit, error=None, start=0, evaluation=False):
        self.forward, self.model, self.limit, self.start = model.forward, model, limit, start
        self.error = error or torch.OutOfMemoryError(CUDA_MESSAGE)
        self.evaluation = evaluation
        self.batches = []
        model.forward = self

    def __call__(self, *args, **kwargs):
        if self.model.training is not self.evaluation:
            self.batches.append(len(kwargs["attention_mask"]))
            if self.batches[-1] > self.limit and len(self.batches) > self.start:
                raise self.error
        return self.forward(*args, **kwargs)
