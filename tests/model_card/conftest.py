"""Folders of trained models, as far as a card reads them, and runs that really were."""

import pytest
from card_runs import CONFIG, COUNTED, METRICS, SETTINGS, SPLITS, write_object, write_weights
from factories import write_corpus
from gloss_factories import write_gloss_corpus


@pytest.fixture
def make_run(tmp_path):
    """Write the folder of a translation run; `metrics` of an evaluation on test, None for none."""

    def make(name="best", metrics=METRICS, settings=SETTINGS, config=CONFIG, splits=SPLITS):
        folder = tmp_path / name
        write_object(folder / "config.json", config)
        write_object(folder / "preprocessor_config.json", {"sequence_length": 64, "streams": config.get("streams")})
        if settings:
            write_object(folder / "run_config.json", settings)
            write_object(folder / "splits.json", splits)
            write_object(folder / "contract_report.json", {"num_skipped": 5, "splits": COUNTED})
        write_weights(folder / "model.safetensors", {"a": [1000, 1000], "b": [250000], "scale": []})
        if metrics:
            write_object(folder / "eval_test" / "metrics.json", metrics)
        return folder

    return make


@pytest.fixture(scope="session")
def translation_run(tmp_path_factory):
    """The folder that a real run on tiny poses left."""
    from hf_slt.training.arguments import AugmentationArguments, DataArguments, ModelArguments
    from hf_slt.training.parsing import parse_arguments
    from hf_slt.training.train_slt import run_train_slt
    from hf_slt.training.training_arguments import SltTrainingArguments

    root = tmp_path_factory.mktemp("someone")
    texts = {f"clip{i}": f"El niño come {'pan ' * (i + 1)}hoy." for i in range(6)}
    splits = {"train": list(texts)[:4], "validation": ["clip4"], "test": ["clip5"]}
    paths = write_corpus(root / "corpus", texts, splits, streams=("pose",))
    argv = f"--pose-dir {paths.pose_dir} --metadata-csv {paths.metadata_csv} --train-index {paths.indexes['train']} "
    argv += f"--val-index {paths.indexes['validation']} --test-index {paths.indexes['test']} --output_dir {root}/run "
    argv += (
        "--projector-dim 8 --d-model 16 --pose-hidden-size 8 --temporal-layers 1 --temporal-heads 2 --vocab-size 60 "
    )
    argv += "--temporal-dim-feedforward 16 --decoder-layers 1 --decoder-heads 2 --max-target-length 12 --num-workers 0 "
    argv += "--use_cpu --disable_tqdm true --epochs 2 --batch-size 2"
    types = [DataArguments, ModelArguments, AugmentationArguments, SltTrainingArguments]
    arguments, effective = parse_arguments(types, argv.split())
    run_train_slt(*arguments, effective)
    return root / "run"


@pytest.fixture(scope="session")
def gloss_run(tmp_path_factory):
    """The folder that a real run on tiny landmarks left."""
    from hf_slt.training import gloss_arguments as flags
    from hf_slt.training.gloss_training_arguments import GlossTrainingArguments
    from hf_slt.training.parsing import parse_arguments
    from hf_slt.training.train_gloss import run_train_gloss

    root = tmp_path_factory.mktemp("someone")
    corpus = write_gloss_corpus(root / "corpus")
    argv = []
    for split, short in (("train", "train"), ("validation", "val"), ("test", "test")):
        argv += [f"--keypoints-{short}", corpus.folders[split], f"--labels-{short}-csv", corpus.labels[split]]
    argv += ["--gloss-names", corpus.gloss_names, "--cache-dir", root / "cache", "--output_dir", root / "run"]
    argv += (
        "--hidden-size 16 --num-layers 1 --num-heads 2 --intermediate-size 16 --head-hidden-size 8 --use_cpu".split()
    )
    argv += "--disable_tqdm true --num-threads 1 --epochs 2 --batch-size 4".split()
    types = [flags.GlossDataArguments, flags.GlossFeatureArguments, flags.GlossModelArguments]
    types += [flags.GlossAugmentationArguments, flags.GlossLossArguments, GlossTrainingArguments]
    arguments, effective = parse_arguments(types, [str(part) for part in argv])
    run_train_gloss(*arguments, effective)
    return root / "run"
