"""Every option has an effect, and this table says which test shows it.

An option without a row fails here, and so does a row whose test doesn't set the option.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from models.detection.audit_options import AuditOptions
from models.detection.data.options import PrepareOptions
from models.detection.judging_options import EvaluateOptions, TuneOptions
from models.detection.options import TrainOptions
from models.detection.synthetic.options import BarcodeOptions

TESTS = Path(__file__).parents[2]
TRAINING = "models/detection/test_training.py::"
AUGMENTATION = "models/detection/test_augmentation.py::"
NETWORKS = "models/detection/test_networks.py::"
JUDGING = "models/detection/test_judging.py::"
REPORT = "models/detection/test_evaluation_report.py::"
AUDIT = "models/detection/test_audit.py::"
PREPARE = "models/detection/data/test_prepare_detection.py::"
CLASSES = "models/detection/data/test_classes.py::"
BARCODES = "models/detection/synthetic/test_barcodes.py::"
TYPESET = "models/detection/synthetic/test_typeset_scenes.py::"
SCHEDULE = "models/training/test_schedule.py::"

SHOWN: dict[type[BaseModel], dict[str, str]] = {
    TrainOptions: {
        f"{TRAINING}test_each_option_changes_the_weights": """
            epochs batch_size accumulate clip precision seed resize label_smoothing balance
            background_free_epochs optimizer.lr optimizer.backbone_lr_factor optimizer.weight_decay
            optimizer.betas schedule.name ema.decay ema.warmup network.denoising_queries
            augmentation.off_epochs""",
        f"{TRAINING}test_what_only_costs_or_shows_changes_no_weight": "device",
        "models/training/test_devices.py::test_choice": "device precision",
        "models/training/test_devices.py::test_workers": "workers",
        "components/test_devices_stage.py::"
        "test_two_processes_share_the_data_and_one_speaks": "devices",
        "models/training/test_nodes.py::"
        "test_all_machines_end_with_the_weights_of_as_many_processes_on_one": "nodes",
        f"{TRAINING}test_training_runs_in_as_many_threads_as_asked": "threads",
        f"{TRAINING}test_validations_and_samples_come_as_often_as_asked": """
            validate_every samples.count samples.every""",
        f"{TRAINING}test_early_stopping_ends_when_the_figure_stands_still": "patience",
        f"{TRAINING}test_checkpoints_come_as_often_as_asked": "checkpoint_every checkpoint_steps",
        f"{TRAINING}test_caps_end_a_training_with_a_validation": "max_steps max_minutes",
        f"{TRAINING}test_batch_norms_are_in_step_where_several_gpus_train": "sync_batch_norm",
        f"{TRAINING}test_the_chosen_figure_picks_the_best_epoch": "best_metric",
        f"{TRAINING}test_the_rate_falls_when_the_figure_stands_still": """
            schedule.plateau schedule.gamma""",
        f"{SCHEDULE}test_shape": "schedule.warmup schedule.final schedule.milestones",
        "models/detection/test_dataset_reading.py::"
        "test_a_picture_is_decoded_once_while_the_budget_lasts": "cache.mb",
        "models/training/test_picture_cache.py::"
        "test_what_was_kept_comes_back_and_cannot_be_changed": "cache.where",
        f"{NETWORKS}test_each_option_has_an_effect": """
            network.backbone network.image_size network.queries network.levels network.hidden_width
            network.decoder_layers network.denoising_queries""",
        "models/detection/test_losses_of_networks.py::test_batches_of_other_sizes_train": (
            "network.name"
        ),
        f"{NETWORKS}test_backbone_weights_come_from_a_file": "network.weights",
        f"{NETWORKS}test_a_frozen_batch_norm_keeps_its_statistics": "network.freeze_batch_norm",
        f"{NETWORKS}test_the_option_freezes_the_backbone_and_nothing_else": "network.freeze",
        f"{AUGMENTATION}test_each_transform_has_an_effect_and_can_be_switched_off": """
            augmentation.flip augmentation.vertical_flip augmentation.rot90 augmentation.zoom_out
            augmentation.iou_crop augmentation.affine augmentation.mosaic augmentation.mixup
            augmentation.colour augmentation.photometric augmentation.brightness_contrast
            augmentation.gamma augmentation.grey augmentation.blur augmentation.noise
            augmentation.coarse_dropout""",
        f"{AUGMENTATION}test_each_setting_has_an_effect": """
            augmentation.rotate augmentation.scale augmentation.shift augmentation.mosaic_scale
            augmentation.min_visible augmentation.zoom_limit""",
        f"{AUGMENTATION}test_transforms_of_albumentations_can_be_added": (
            "augmentation.albumentations"
        ),
        f"{TRAINING}test_a_mosaic_is_off_in_the_last_epochs": "augmentation.mosaic_off_epochs",
        f"{TRAINING}test_multiscale_changes_the_weights_but_not_the_size_of_validation": (
            "augmentation.multiscale"
        ),
    },
    TuneOptions: {
        f"{JUDGING}test_options_of_tuning": "metric iou grid smallest",
        f"{JUDGING}test_options_of_tuning_change_the_value": "max_detections matching",
        f"{JUDGING}test_each_class_gets_its_threshold_where_it_has_enough_objects": """
            per_class per_class_least""",
    },
    EvaluateOptions: {
        f"{REPORT}test_each_option_has_an_effect": """
            ious floor max_detections matching calibration_bins""",
        f"{JUDGING}test_evaluation_uses_the_threshold_of_the_package": "threshold",
        f"{JUDGING}test_evaluation_shows_tables_plots_and_the_worst_pictures": "samples worst",
        f"{JUDGING}test_the_real_predictor_is_asked_for_uncut_detections": "batch_size",
        "components/test_local_chain.py::"
        "test_quantising_hands_on_a_model_that_is_measured_in_int8": "runtime precision splits",
    },
    AuditOptions: {
        f"{AUDIT}test_each_option_has_an_effect": """
            iou threshold placed quality mistakes suspects runtime batch_size""",
        f"{AUDIT}test_the_second_look_is_at_the_mirrored_picture": "second_look",
        "components/test_local_chain.py::"
        "test_the_audit_looks_through_the_splits_it_is_given": "splits",
        f"{AUDIT}test_tables_are_cut_where_the_options_say": "rows",
    },
    PrepareOptions: {
        f"{PREPARE}test_seed_and_ratios_have_an_effect": "split.seed split.ratios",
        f"{PREPARE}test_splits_that_came_can_be_divided_anew": "split.keep",
        f"{CLASSES}test_each_option_does_what_it_says": "classes drop merge one_class",
        f"{PREPARE}test_options_have_an_effect": "negatives smallest_box previews",
        "models/detection/data/test_voc_format.py::test_difficult_objects_can_be_left_out": (
            "difficult"
        ),
        "models/detection/data/test_duplicates.py::test_each_choice_does_what_it_says": (
            "duplicates"
        ),
        f"{PREPARE}test_same_input_gives_same_bytes_whatever_the_order": "workers",
    },
    BarcodeOptions: {
        f"{BARCODES}test_options_have_an_effect": """
            train val test classes symbologies sizes symbols smallest largest quality""",
        f"{TYPESET}test_symbols_are_turned_as_far_as_asked": "turn",
        f"{TYPESET}test_scenes_without_lines_name_no_texts": "lines",
        f"{BARCODES}test_clutter_lies_about_and_can_be_left_out": "clutter",
        f"{BARCODES}test_another_seed_gives_other_pictures": "seed",
        f"{BARCODES}test_the_empty_share_is_exact": "empty",
        f"{BARCODES}test_difficulty_makes_symbols_harder_to_read": "difficulty",
        f"{BARCODES}test_same_options_give_same_bytes_whatever_the_workers": "workers",
    },
}
"""A test, and the options whose effect it shows."""


def leaves(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from leaves(kind, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


@pytest.mark.parametrize("model", SHOWN)
def test_every_option_has_a_row_and_every_row_an_option(model: type[BaseModel]) -> None:
    told = {name for names in SHOWN[model].values() for name in names.split()}
    assert sorted(set(leaves(model)) - told) == [], "no test shows their effect"
    assert sorted(told - set(leaves(model))) == [], "there are no such options"


ROWS = [(test, names) for rows in SHOWN.values() for test, names in rows.items()]


@pytest.mark.parametrize(("test", "names"), ROWS, ids=[test for test, _ in ROWS])
def test_the_test_of_a_row_sets_its_options(test: str, names: str) -> None:
    file, _, function = test.partition("::")
    text = source_of(TESTS / file, function)
    unset = [
        name
        for name in names.split()
        if not re.search(rf"\b{name.rsplit('.')[-1]}\b", text.replace(function, ""))
    ]
    assert unset == []


def source_of(file: Path, function: str) -> str:
    """A test with its decorators, and the tables and functions of its file that it uses."""
    text, named = parsed(file)
    assert function in named, f"{file.name} has no {function}"
    found, todo = {function}, [function]
    while todo:
        for node in ast.walk(named[todo.pop()]):
            if isinstance(node, ast.Name) and node.id in named and node.id not in found:
                found.add(node.id)
                todo.append(node.id)
    parts = []
    for name in found:
        node = named[name]
        decorators = getattr(node, "decorator_list", [])
        parts += [ast.get_source_segment(text, part) or "" for part in (node, *decorators)]
    return "\n".join(parts)


@functools.cache
def parsed(file: Path) -> tuple[str, dict[str, ast.stmt]]:
    """A file's text, and what it defines at its top by name."""
    text = file.read_text()
    named: dict[str, ast.stmt] = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            named[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name):
                    named[target.id] = node
    return text, named
