"""Which device runs the model, on lists as OpenVINO gives them, and on the devices of this machine."""

import pytest

from bot.engine.device import Device, choose_device, list_devices
from bot.errors import EX_CONFIG, DeviceUnavailable

CPU = Device("CPU", "Intel(R) Core(TM) Ultra 7 155H")
NPU = Device("NPU", "Intel(R) AI Boost")
LONE_GPU = Device("GPU", "Intel(R) Arc(TM) A770 Graphics (dGPU)")
INTEGRATED = Device("GPU.0", "Intel(R) Graphics (iGPU)")
DISCRETE = Device("GPU.1", "Intel(R) Arc(TM) B580 Graphics (dGPU)")


def test_the_first_gpu_is_taken_and_every_other_one_named_with_the_setting_that_picks_it():
    choice = choose_device("GPU.0", "CPU", [CPU, INTEGRATED, DISCRETE, NPU])
    assert (choice.name, choice.warning) == ("GPU.0", None)
    assert str(choice) == "GPU.0 (Intel(R) Graphics (iGPU))"
    assert DISCRETE.full_name in choice.note
    assert "PHIBOT_DEVICE=GPU.1" in choice.note


def test_the_discrete_card_is_taken_when_asked_for_and_the_integrated_one_named():
    choice = choose_device("GPU.1", "CPU", [CPU, INTEGRATED, DISCRETE])
    assert (choice.name, choice.full_name) == ("GPU.1", DISCRETE.full_name)
    assert f"PHIBOT_DEVICE=GPU.0 for {INTEGRATED.full_name}" in choice.note


@pytest.mark.parametrize("asked", ["GPU.0", "GPU", "gpu.0", " GPU "])
def test_a_lone_gpu_is_the_first_one_however_it_is_spelt(asked):
    choice = choose_device(asked, None, [CPU, LONE_GPU])
    assert (choice.name, choice.note, choice.warning) == ("GPU", None, None)


def test_gpu_without_a_number_is_the_first_of_several():
    assert choose_device("GPU", None, [CPU, INTEGRATED, DISCRETE]).name == "GPU.0"


@pytest.mark.parametrize(("asked", "name"), [("CPU", "CPU"), ("NPU", "NPU"), ("cpu", "CPU")])
def test_what_is_no_gpu_can_be_asked_for_too(asked, name):
    choice = choose_device(asked, "CPU", [CPU, NPU])
    assert (choice.name, choice.warning) == (name, None)


@pytest.mark.parametrize("asked", ["AUTO", "AUTO:GPU,CPU", "HETERO:GPU,CPU"])
def test_openvinos_own_choice_is_left_to_openvino(asked):
    assert choose_device(asked, None, [CPU]).name == asked


def test_without_the_gpu_the_fallback_is_taken_with_one_line_of_what_was_asked_what_is_there_and_what_to_install():
    choice = choose_device("GPU.0", "CPU", [CPU])
    assert choice.name == "CPU"
    assert "\n" not in choice.warning
    for word in ("GPU.0", "PHIBOT_DEVICE", CPU.full_name, "intel-opencl-icd", "libze-intel-gpu1", "render", "video"):
        assert word in choice.warning
    for word in ("usermod", "--device /dev/dri"):
        assert word in choice.warning


def test_without_a_fallback_the_same_line_ends_the_start():
    with pytest.raises(DeviceUnavailable) as caught:
        choose_device("GPU.0", None, [CPU])
    assert "intel-opencl-icd" in str(caught.value)
    assert CPU.full_name in str(caught.value)
    assert caught.value.exit_code == EX_CONFIG


def test_with_other_gpus_there_the_advice_is_to_choose_one_not_to_install_anything():
    warning = choose_device("GPU.2", "CPU", [CPU, INTEGRATED, DISCRETE]).warning
    assert "PHIBOT_DEVICE=GPU.0 or PHIBOT_DEVICE=GPU.1" in warning
    assert "intel-opencl-icd" not in warning


def test_a_second_gpu_is_never_mistaken_for_the_lone_one():
    assert choose_device("GPU.1", "CPU", [CPU, LONE_GPU]).name == "CPU"


def test_a_fallback_that_is_not_there_either_ends_the_start():
    with pytest.raises(DeviceUnavailable, match="no device at all"):
        choose_device("GPU.0", "CPU", [])


def test_a_device_without_a_full_name_goes_by_its_own():
    assert str(choose_device("CPU", None, [Device("CPU", "")])) == "CPU"


def test_openvino_lists_this_machines_processor_by_its_full_name():
    cpu = next(device for device in list_devices() if device.name == "CPU")
    assert cpu.full_name
    assert choose_device("CPU", None, list_devices()).full_name == cpu.full_name


def test_what_is_not_in_this_machine_falls_back_to_its_processor():
    choice = choose_device("GPU.7", "CPU", list_devices())
    assert choice.name == "CPU"
    assert "GPU.7" in choice.warning
