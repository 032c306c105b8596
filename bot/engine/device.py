"""Which device runs the model: the one asked for, or the honest fallback, and what to tell the admin of it.

The rule is a pure function of what OpenVINO lists. Asking OpenVINO for a device that is not there fails in ways that
say nothing (docs/decisions.md), so it is looked up first.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bot.errors import DeviceUnavailable

# OpenVINO's virtual devices choose among the real ones by themselves.
_VIRTUAL: Final = ("AUTO", "MULTI", "HETERO", "BATCH")

_INSTALL: Final = (
    "For an Intel GPU, Windows needs Intel's graphics driver."
    if sys.platform == "win32"
    else "For an Intel GPU, install its driver (Debian and Ubuntu: intel-opencl-icd and, where it exists, "
    "libze-intel-gpu1) and join the groups render and video (`sudo usermod -aG render,video $USER`, then log in "
    "again); a container needs --device /dev/dri."
)


@dataclass(frozen=True, slots=True)
class Device:
    """A device as OpenVINO lists it: "GPU.1" and "Intel(R) Arc(TM) A770 Graphics (dGPU)"."""

    name: str
    full_name: str

    def __str__(self) -> str:
        """Return both names, for people."""
        return f"{self.name} ({self.full_name})" if self.full_name else self.name


@dataclass(frozen=True, slots=True)
class DeviceChoice:
    """What to load the model on, and what to say of it: `note` is for information, `warning` is loud."""

    name: str
    full_name: str
    note: str | None = None
    warning: str | None = None

    def __str__(self) -> str:
        """Return both names, for people."""
        return f"{self.name} ({self.full_name})" if self.full_name else self.name


def list_devices() -> list[Device]:
    """Ask OpenVINO what there is. Takes up to a second. A device that does not even tell its name has none here."""
    import openvino

    core = openvino.Core()

    def full_name(name: str) -> str:
        try:
            return str(core.get_property(name, "FULL_DEVICE_NAME"))
        except RuntimeError:
            return ""

    return [Device(name, full_name(name)) for name in core.available_devices]


def choose_device(asked: str, fallback: str | None, devices: Sequence[Device]) -> DeviceChoice:
    """Choose the device asked for, else the fallback.

    A lone GPU is listed as "GPU", several as "GPU.0", "GPU.1"...; "GPU.0" and "GPU" both mean the first. An integrated
    GPU, if there is one, is the first, and the discrete card comes after it.
    Raises: DeviceUnavailable, when neither is there.
    """
    asked = asked.strip().upper()
    if asked.split(":", maxsplit=1)[0] in _VIRTUAL:
        return DeviceChoice(asked, "chosen by OpenVINO")
    found = _find(asked, devices)
    if found is not None:
        return DeviceChoice(found.name, found.full_name, note=_others(found, devices))
    listed = ", ".join(map(str, devices)) or "no device at all"
    missing = f"Device {asked} was asked for (PHIBOT_DEVICE), but OpenVINO found only {listed}."
    instead = _find(fallback, devices) if fallback else None
    if instead is None:
        raise DeviceUnavailable(f"{missing} {_advice(asked, devices)}")
    warning = f"{missing} Using {instead.name} instead, which is slower. {_advice(asked, devices)}"
    return DeviceChoice(instead.name, instead.full_name, warning=warning)


def _find(asked: str, devices: Sequence[Device]) -> Device | None:
    by_name = {device.name.upper(): device for device in devices}
    family, _, number = asked.partition(".")
    same = [family] if number in ("", "0") else []
    if number == "":
        same.append(f"{family}.0")
    return next((by_name[name] for name in (asked, *same) if name in by_name), None)


def _gpus(devices: Sequence[Device]) -> list[Device]:
    return [device for device in devices if device.name.upper().startswith("GPU")]


def _others(chosen: Device, devices: Sequence[Device]) -> str | None:
    others = [device for device in _gpus(devices) if device != chosen]
    if not others:
        return None
    named = "; ".join(f"PHIBOT_DEVICE={device.name} for {device.full_name or device.name}" for device in others)
    return f"Using {chosen}. Other GPUs: {named}."


def _advice(asked: str, devices: Sequence[Device]) -> str:
    gpus = _gpus(devices)
    if gpus:
        return "Choose one with " + " or ".join(f"PHIBOT_DEVICE={gpu.name}" for gpu in gpus) + "."
    return _INSTALL if asked.startswith("GPU") else "Choose one of these with PHIBOT_DEVICE."
