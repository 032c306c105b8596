"""phibot-model.json: written last, and what it tells of a folder that is there."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from bot.engine.model_folder import RECORD, ModelRecord, read_model_record
from exporting.source import Source, file_sha256

EXPORT_PACKAGES = ("openvino", "openvino-tokenizers", "optimum-intel", "nncf", "transformers", "torch")


def write_record(folder: Path, source: Source, flags: Mapping[str, Any], packages: tuple[str, ...]) -> None:
    """Describe the model in `folder`, as the last file written into it."""
    record = ModelRecord(
        source=source.name,
        revision=source.revision,
        source_sha256=source.sha256,
        flags=flags,
        versions={package: metadata.version(package) for package in packages},
        sha256=_sha256_of_files(folder),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        context_tokens=json.loads((folder / "config.json").read_bytes())["max_position_embeddings"],
    )
    text = json.dumps(dataclasses.asdict(record), indent=2, ensure_ascii=False)
    (folder / RECORD).write_text(text + "\n", encoding="utf-8")


def is_whole(folder: Path, record: ModelRecord) -> bool:
    """Tell whether every file that was recorded is there unchanged."""
    try:
        return all(file_sha256(folder / name) == sha256 for name, sha256 in record.sha256.items())
    except OSError:
        return False


def forget_places(folder: Path, places: Mapping[str, str]) -> None:
    """Replace paths of this machine in the folder's JSON files: `places` says what each is called instead."""

    def renamed(value: Any) -> Any:  # noqa: ANN401
        if isinstance(value, dict):
            return {key: renamed(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [renamed(inner) for inner in value]
        return places.get(value, value) if isinstance(value, str) else value

    for file in folder.glob("*.json"):
        content = file.read_bytes()
        if any(json.dumps(place)[1:-1].encode() in content for place in places):
            file.write_text(
                json.dumps(renamed(json.loads(content)), indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
            )


def _sha256_of_files(folder: Path) -> dict[str, str]:
    return {file.name: file_sha256(file) for file in sorted(folder.iterdir()) if file.name != RECORD}


__all__ = ["RECORD", "ModelRecord", "forget_places", "is_whole", "read_model_record", "write_record"]
