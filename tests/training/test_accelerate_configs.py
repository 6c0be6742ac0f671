"""The shipped configurations of `accelerate launch`: files that it reads, values that it and its plugins take."""

from pathlib import Path

import pytest
import yaml
from accelerate.commands import launch
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.utils import DistributedType
from accelerate.utils.dataclasses import FullyShardedDataParallelPlugin
from accelerate.utils.launch import prepare_deepspeed_cmd_env, prepare_multi_gpu_env
from model_factories import tiny_model
from torch.distributed.fsdp import BackwardPrefetch, ShardingStrategy

from hf_slt.models.multistream.modeling_multistream import TemporalLayer
from hf_slt.training.build_gloss import GlossClasses, build_config, build_model
from hf_slt.training.gloss_arguments import MODELS, GlossLossArguments, GlossModelArguments

FOLDER = Path(__file__).parents[2] / "scripts" / "configs" / "accelerate"
TYPES = {
    "two_gpus.yaml": DistributedType.MULTI_GPU,
    "fsdp.yaml": DistributedType.FSDP,
    "deepspeed_zero2.yaml": DistributedType.DEEPSPEED,
}


@pytest.fixture
def launched(monkeypatch):
    """Run `accelerate launch` up to the point where it starts processes; returns the launcher's name and arguments."""

    def run(name):
        seen = []
        for launcher in ("multi_gpu_launcher", "deepspeed_launcher", "simple_launcher"):
            monkeypatch.setattr(launch, launcher, lambda args, launcher=launcher: seen.append((launcher, args)))
        argv = ["--config_file", str(FOLDER / name), "scripts/train_slt.py", "--output_dir", "runs/x"]
        launch.launch_command(launch.launch_command_parser().parse_args(argv))
        return seen[0]

    return run


def test_each_file_is_known():
    assert {path.name for path in FOLDER.iterdir()} == set(TYPES)


@pytest.mark.parametrize(("name", "kind"), TYPES.items())
def test_accelerate_reads_every_key(name, kind):
    config = load_config_from_file(str(FOLDER / name))  # refuses unknown keys
    assert (config.distributed_type, config.num_processes, config.num_machines) == (kind, 2, 1)
    assert config.mixed_precision == "no" and not config.use_cpu
    # What is inside of a section it takes over without a look: each has to be an option of the launcher.
    options = vars(launch.launch_command_parser().parse_args(["x.py"]))
    content = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    for section in ("fsdp_config", "deepspeed_config"):
        assert set(content.get(section, {})) <= set(options), section


def test_two_gpus_launch_one_process_a_gpu(launched):
    launcher, args = launched("two_gpus.yaml")
    environment = prepare_multi_gpu_env(args)
    assert launcher == "multi_gpu_launcher" and (args.multi_gpu, args.use_fsdp, args.use_deepspeed) == (True, 0, 0)
    assert (args.num_processes, args.gpu_ids, args.training_script) == (2, "all", "scripts/train_slt.py")
    assert args.main_process_port > 0 and environment["ACCELERATE_MIXED_PRECISION"] == "no"
    assert "ACCELERATE_USE_FSDP" not in environment


@pytest.fixture
def fsdp_plugin(launched, monkeypatch):
    """What a process that is launched for FSDP reads from its environment."""
    launcher, args = launched("fsdp.yaml")
    assert launcher == "multi_gpu_launcher" and args.use_fsdp
    environment = prepare_multi_gpu_env(args)
    assert environment["ACCELERATE_USE_FSDP"] == "true" and environment["FSDP_SYNC_MODULE_STATES"] == "true"
    for name, value in environment.items():
        if name.startswith("FSDP_"):
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("FSDP_SYNC_MODULE_STATES", "false")  # the plugin asks for a GPU to build empty weights on
    return FullyShardedDataParallelPlugin


def test_fsdp_shards_everything_and_saves_whole_models(fsdp_plugin):
    plugin = fsdp_plugin()
    assert plugin.fsdp_version == 1 and plugin.sharding_strategy is ShardingStrategy.FULL_SHARD
    assert plugin.backward_prefetch is BackwardPrefetch.BACKWARD_PRE and plugin.use_orig_params
    assert plugin.state_dict_type.name == "FULL_STATE_DICT"
    assert not plugin.cpu_offload.offload_params and not plugin.cpu_ram_efficient_loading


def test_fsdp_wraps_the_layers_of_a_translation_model(fsdp_plugin):
    plugin = fsdp_plugin()
    plugin.set_auto_wrap_policy(tiny_model())
    assert (
        TemporalLayer in plugin.auto_wrap_policy.keywords["transformer_layer_cls"]
    )  # of some versions also stock ones


@pytest.mark.parametrize("name", MODELS)
def test_fsdp_finds_the_layers_of_a_gloss_model(fsdp_plugin, name):
    plugin = fsdp_plugin()
    classes = GlossClasses(num_glosses=3, num_categories=2)
    plugin.set_auto_wrap_policy(
        build_model(build_config(GlossModelArguments(model=name), GlossLossArguments(), 156, classes))
    )
    wrapped = {kind.__name__ for kind in plugin.auto_wrap_policy.keywords["transformer_layer_cls"]}
    assert wrapped == ({"SignTransformerLayer"} if name == "transformer" else set())


def test_deepspeed_leaves_accumulation_and_clipping_to_the_run(launched, monkeypatch):
    launcher, args = launched("deepspeed_zero2.yaml")
    assert launcher == "deepspeed_launcher" and (args.use_deepspeed, args.zero_stage, args.num_processes) == (1, 2, 2)
    command, environment = prepare_deepspeed_cmd_env(args)
    assert command is None  # one machine: no command of DeepSpeed's own
    found = {name: environment[f"ACCELERATE_{name}"] for name in ("GRADIENT_ACCUMULATION_STEPS", "GRADIENT_CLIPPING")}
    assert found == {"GRADIENT_ACCUMULATION_STEPS": "auto", "GRADIENT_CLIPPING": "auto"}
    assert environment["ACCELERATE_USE_DEEPSPEED"] == "true" and environment["ACCELERATE_DEEPSPEED_ZERO_STAGE"] == "2"
    assert environment["ACCELERATE_DEEPSPEED_OFFLOAD_OPTIMIZER_DEVICE"] == "none"
