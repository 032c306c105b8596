"""Which groups of activations a processor rounds together, by how real exports were made."""

import shutil

import numpy as np
import pytest

from bot.engine.dynamic_quantization import ACTIVATION_GROUP, with_larger_groups

CHOSEN = {"CACHE_DIR": ""}
LARGER = {"CACHE_DIR": "", "DYNAMIC_QUANTIZATION_GROUP_SIZE": str(ACTIVATION_GROUP)}
GROUP_SIZE = '<group_size value="128" />'  # as the export with the flags of Phi-3-mini writes it


@pytest.fixture
def changed(tiny_model_dir, tmp_path):
    """Return what makes an export that says something else of itself."""

    def changed(old, new):
        shutil.copytree(tiny_model_dir, tmp_path / "changed")
        file = tmp_path / "changed" / "openvino_model.xml"
        text = file.read_text()
        assert text.count(old) == 1
        file.write_text(text.replace(old, new))
        return tmp_path / "changed"

    return changed


def test_where_the_weights_groups_hold_them_groups_are_larger(tiny_model_dir):
    assert with_larger_groups(CHOSEN, tiny_model_dir, "CPU") == LARGER


@pytest.mark.parametrize("chosen", [{"DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}, {"EXECUTION_MODE_HINT": "ACCURACY"}])
def test_what_the_admin_chose_stays(chosen, tiny_model_dir):
    assert with_larger_groups(chosen, tiny_model_dir, "CPU") == chosen


def test_a_hint_that_asks_for_speed_chooses_nothing(tiny_model_dir):
    chosen = {"EXECUTION_MODE_HINT": "PERFORMANCE"}
    assert "DYNAMIC_QUANTIZATION_GROUP_SIZE" in with_larger_groups(chosen, tiny_model_dir, "CPU")


@pytest.mark.parametrize("device", ["GPU.0", "NPU"])
def test_other_devices_keep_their_own_choice(device, tiny_model_dir):
    assert with_larger_groups(CHOSEN, tiny_model_dir, device) == CHOSEN


@pytest.mark.parametrize(
    ("group", "expected"),
    [("-1", LARGER), ("192", LARGER), ("32", CHOSEN), ("96", CHOSEN), ("0", CHOSEN), ("-64", CHOSEN), ("many", CHOSEN)],
)
def test_groups_of_weights_that_cannot_hold_them_keep_the_librarys_choice(group, expected, changed):
    folder = changed(GROUP_SIZE, GROUP_SIZE.replace("128", group))
    assert with_larger_groups(CHOSEN, folder, "CPU") == expected


def test_what_the_export_chose_stays(changed):
    folder = changed("<runtime_options>", '<runtime_options><DYNAMIC_QUANTIZATION_GROUP_SIZE value="32" />')
    assert with_larger_groups(CHOSEN, folder, "CPU") == CHOSEN


def test_uncompressed_weights_and_a_folder_without_a_model_keep_the_librarys_choice(tiny_f32_dir, tmp_path):
    for folder in (tiny_f32_dir, tmp_path):
        assert with_larger_groups(CHOSEN, folder, "CPU") == CHOSEN


def test_the_library_takes_the_larger_groups_and_computes_with_them(tiny_model_dir):
    import openvino  # once the package is there that silences it

    model = openvino.Core().read_model(tiny_model_dir / "openvino_model.xml")
    ids = np.arange(20, 84)[None]
    inputs = {
        "input_ids": ids,
        "attention_mask": np.ones_like(ids),
        "position_ids": np.arange(64)[None],
        "beam_idx": np.zeros(1, np.int32),
    }

    def logits(**properties):
        compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32", **properties})
        return compiled(inputs)[0]

    exact, default, larger = (logits(DYNAMIC_QUANTIZATION_GROUP_SIZE=size) for size in ("0", "32", "64"))
    errors = [np.linalg.norm(rounded - exact) / np.linalg.norm(exact) for rounded in (default, larger)]
    if errors[0] == 0:
        pytest.skip("this processor rounds nothing: it has no instructions for 8 bits (VNNI)")
    assert 0 < errors[1] < 2 * errors[0]
    assert not np.array_equal(default, larger)
