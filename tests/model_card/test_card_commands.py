"""The commands of a card give the scores that stand above them."""

import shlex

import pytest
from card_runs import METRICS, SETTINGS, write_object

from hf_slt.model_card.commands import commands
from hf_slt.model_card.run_files import read_run
from hf_slt.training.arguments import DataArguments
from hf_slt.training.evaluation_arguments import EvaluationArguments
from hf_slt.training.gloss_evaluation_arguments import GlossEvaluationArguments
from hf_slt.training.parsing import parse_arguments


def evaluations_of(folder):
    """Return name -> arguments of the command of each evaluation, as the scripts read them."""
    return {
        one["name"]: shlex.split(one["command"].replace("\\\n", ""))[1:]
        for one in commands(read_run(folder))["evaluate"]
    }


def parsed(argv):
    types = [DataArguments, EvaluationArguments] if "eval_slt" in argv[0] else [GlossEvaluationArguments]
    return parse_arguments(types, argv[1:])[0]


def test_a_command_has_every_choice_of_its_evaluation(make_run):
    scores = {
        **METRICS,
        "split": "dev2",
        "decoding": {"num_beams": 5, "length_penalty": 0.6, "no_repeat_ngram_size": 0, "max_new_tokens": 31},
        "settings": {"device": "cpu", "precision": "bfloat16", "batch_size": 16},
        "tokenize": "none",
        "lowercase": True,
        "language": "de",
        "resamples": 0,
        "seed": 3,
        "skipped_clips": 2,
        "overlap": {"video_ids": 1, "groups": None},
        "abstention": {"target_risk": 2.5, "calibration_split": "val"},
        "ablation": {"all streams": {"bleu": 1.0}},
        "phoenix_legacy": {"bleu4": 1.0},
    }
    folder = make_run(metrics=scores, settings={**SETTINGS, "pose_key": "points"})
    data, args = parsed(evaluations_of(folder)["eval_test"])
    assert (args.checkpoint, args.index, args.output_dir) == (["runs/mine"], "D/index/dev2.csv", "runs/mine/eval_test")
    assert (args.num_beams, args.length_penalty, args.no_repeat_ngram_size, args.max_new_tokens) == (5, 0.6, 0, 31)
    assert (args.precision, args.batch_size, args.bleu_tokenize, args.language) == ("bf16", 16, "none", "de")
    assert args.lowercase and args.ablate_streams and args.phoenix_legacy and args.allow_overlap
    assert (args.resamples, args.seed, args.abstain, args.calibration_index) == (0, 3, 2.5, "D/index/val.csv")
    assert (data.pose_dir, data.metadata_csv, data.pose_key, data.skip_invalid) == (
        "D/pose",
        "D/meta.csv",
        "points",
        True,
    )


def test_each_evaluation_has_a_command(make_run):
    folder = make_run(metrics={**METRICS, "seed": 42})
    write_object(folder / "eval_wide" / "metrics.json", {**METRICS, "decoding": {"num_beams": 9}})
    write_object(folder / "eval_results.json", {"eval_bleu": 1.0})
    found = {name: parsed(argv)[1] for name, argv in evaluations_of(folder).items()}
    assert list(found) == ["eval_test", "eval_wide", "eval_results.json"]
    assert [args.output_dir for args in found.values()] == [None, "runs/mine/eval_wide", None]
    assert [args.num_beams for args in found.values()] == [4, 9, None]
    assert [args.seed for args in found.values()] == [42, 0, 7]  # the last one is that of the run
    assert [args.index for args in found.values()] == ["D/index/test.csv", "D/index/test.csv", "D/index/val.csv"]
    assert [args.allow_overlap for args in found.values()] == [False, False, True]  # the run knows its validation clips


def test_paths_with_spaces_are_quoted(make_run):
    places = {
        "pose_dir": "/data/me/My poses (v1)",
        "metadata_csv": "/data/me/my meta.csv",
        "test_index": "/data/me/t.csv",
    }
    run = read_run(make_run(settings={**SETTINGS, **places, "train_index": None, "val_index": None}))
    train = commands(run)["train"]
    assert "--pose-dir 'D/My poses (v1)'" in train and "--metadata-csv 'D/my meta.csv'" in train
    (argv,) = evaluations_of(run.folder).values()
    assert parsed(argv)[0].pose_dir == "D/My poses (v1)"


@pytest.mark.parametrize(("split", "labels", "clips"), [("val", "val.csv", "val"), ("new", "new.csv", "test")])
def test_glosses(make_run, split, labels, clips):
    settings = {f"keypoints_{name}": f"/data/me/{name}" for name in ("train", "val", "test")}
    settings |= {f"labels_{name}_csv": f"/data/me/{name}.csv" for name in ("train", "val", "test")}
    settings |= {"kp_key": "points", "allow_unlabelled_files": True, "seed": 1}
    scores = {"split": split, "accuracy": 0.5, "seed": 5, "resamples": 10, "settings": {"batch_size": 4}}
    folder = make_run(config={"model_type": "sign_transformer"}, settings=settings, metrics=scores)
    (args,) = parsed(evaluations_of(folder)["eval_test"])
    assert (args.keypoints, args.labels_csv, args.kp_key) == (f"D/{clips}", f"D/{labels}", "points")
    assert (args.seed, args.resamples, args.batch_size, args.allow_unlabelled_files) == (5, 10, 4, True)


def test_without_scores_there_is_a_first_command(make_run):
    argv = evaluations_of(make_run(metrics=None))[""]
    assert parsed(argv)[1].index == "D/index/test.csv" and "--bleu-tokenize" not in argv
