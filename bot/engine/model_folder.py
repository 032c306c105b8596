"""The folder of an exported model: which one to use, and what it says of itself.

Knows file names and JSON; loads nothing. `phibot-model.json` is written by scripts/export_model.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bot.errors import ModelUnusable

RECORD: Final = "phibot-model.json"
DEMO_FOLDER: Final = Path(__file__).parent.parent / "demo_model"
NEEDED: Final = ("openvino_model.xml", "openvino_model.bin", "config.json", "tokenizer.json")
EXPORT: Final = "python3 scripts/export_model.py"


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """What was done to make an exported folder: the content of `phibot-model.json`, without any path of the machine."""

    source: str  # the hub's id, or a local folder's own name
    revision: str | None  # the hub's commit; a local folder has none
    source_sha256: str | None  # of a local folder's files
    flags: Mapping[str, str | int | float | bool]
    versions: Mapping[str, str]  # of the packages that made it
    sha256: Mapping[str, str]  # of every file but this one
    created: str  # ISO 8601, UTC
    context_tokens: int


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """An exported model, complete as far as its files tell."""

    folder: Path
    name: str  # for people
    revision: str | None  # of the hub's repository, where it is known
    context_tokens: int  # the window, prompt and answer together
    vocabulary_size: int | None  # ids are below it; the tokenizer's may be smaller
    is_demo: bool


def find_model(model_dir: Path, *, may_use_demo: bool) -> ModelFolder:
    """Return the model of `model_dir`, or the demo model where there is no such folder and that is allowed.

    Raises: ModelUnusable, when the folder is missing, incomplete or no Phi-3.
    """
    try:
        is_there = model_dir.exists()
    except OSError as exc:
        raise ModelUnusable(f"The model folder {model_dir} (PHIBOT_MODEL_DIR) cannot be read: {exc.strerror}") from exc
    if is_there:
        return _read(model_dir, is_demo=model_dir.resolve() == DEMO_FOLDER.resolve())
    if may_use_demo:
        return _read(DEMO_FOLDER, is_demo=True)
    raise ModelUnusable(f"There is no model folder {model_dir} (PHIBOT_MODEL_DIR). Export one: {EXPORT}")


def find_models(models_dir: Path) -> tuple[list[ModelFolder], dict[str, str]]:
    """Return the models in the subfolders of `models_dir`, by name, and why the other subfolders are none.

    Hidden ones are passed over. What is wrong with `models_dir` itself stands under its own name.
    """
    models: list[ModelFolder] = []
    unusable: dict[str, str] = {}
    try:
        folders = sorted(one for one in models_dir.iterdir() if one.is_dir() and not one.name.startswith("."))
    except OSError as exc:
        return [], {models_dir.name: f"cannot be read: {exc.strerror}"}
    for folder in folders:
        try:
            models.append(_read(folder, is_demo=folder.resolve() == DEMO_FOLDER.resolve()))
        except ModelUnusable as exc:
            unusable[folder.name] = str(exc)
        except OSError as exc:
            unusable[folder.name] = f"cannot be read: {exc.strerror}"
    return models, unusable


def read_model_record(folder: Path) -> ModelRecord | None:
    """Return what `phibot-model.json` in `folder` says, or None where there is none or it is not whole."""
    try:
        record = ModelRecord(**json.loads((folder / RECORD).read_bytes()))
    except (OSError, ValueError, RecursionError, TypeError):
        return None
    mappings = all(isinstance(field, dict) for field in (record.flags, record.versions, record.sha256))
    return record if mappings and isinstance(record.source, str) else None


def _read(folder: Path, *, is_demo: bool) -> ModelFolder:
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if missing:
        raise ModelUnusable(f"The model folder {folder} lacks {', '.join(missing)}. Export it again: {EXPORT}")
    config = _json(folder / "config.json")
    if config.get("model_type") != "phi3":
        raise ModelUnusable(f"{folder} holds a model of type {config.get('model_type')!r}; Phibot speaks phi3 only.")
    context_tokens = config.get("max_position_embeddings")
    if type(context_tokens) is not int or context_tokens < 1:  # a bool is an int too
        raise ModelUnusable(f"{folder / 'config.json'} has no valid max_position_embeddings.")
    record = read_model_record(folder)  # a folder exported by hand has none
    size = config.get("vocab_size")
    return ModelFolder(
        folder,
        name="the demo model" if is_demo else record.source if record else folder.resolve().name,
        revision=record.revision if record else None,
        context_tokens=context_tokens,
        vocabulary_size=size if isinstance(size, int) else None,
        is_demo=is_demo,
    )


def _json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as exc:
        raise ModelUnusable(f"{file} cannot be read: {exc}") from exc
    if not isinstance(content, dict):
        raise ModelUnusable(f"{file} is no JSON object.")
    return content
