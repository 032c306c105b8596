"""Where a model comes from: a folder on this disk, or the Hugging Face hub by way of its cache."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exporting.failure import ExportFailed

if TYPE_CHECKING:
    import httpx
    from huggingface_hub.hf_api import ModelInfo

# What a source and an exported folder are made of. Pickled weights (*.bin) of a source run code when loaded: left out.
SOURCE_FILES = ("*.json", "*.safetensors", "*.jinja", "tokenizer.model")
EXPORTED_FILES = ("*.json", "*.jinja", "openvino_*.xml", "openvino_*.bin", "tokenizer.model", "README.md", "LICENSE*")
CODE_FILES = ("*.py",)
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")
COMMIT = re.compile("[0-9a-f]{40}")
TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Source:
    """A model that is there, ready to be exported."""

    name: str  # as it is recorded: the hub's id, or the folder's own name
    revision: str | None
    sha256: str | None
    folder: Path
    weights_bytes: int


@dataclass(frozen=True)
class OnTheHub:
    """What the hub says of a model that is still to be downloaded."""

    name: str
    revision: str  # the full commit
    download_bytes: int  # what is not in the cache yet
    weights_bytes: int
    patterns: tuple[str, ...]


class HubUnreachable(ExportFailed):
    """There is no network, or no hub at its end."""


def local_source(folder: Path) -> Source:
    """Return the model in `folder`. Raises: ExportFailed, where it holds no whole Phi-3."""
    weights_bytes = check_source(folder, folder.name)
    return Source(folder.resolve().name, None, folder_sha256(folder), folder, weights_bytes)


def check_source(folder: Path, name: str) -> int:
    """Return the size of the weights. Raises: ExportFailed, where `folder` holds no whole Phi-3."""
    if not (folder / "config.json").is_file():
        raise ExportFailed(f"{name} is no model: it has no config.json.")
    check_model_type((folder / "config.json").read_bytes(), name)
    missing = [file for file in TOKENIZER_FILES if not (folder / file).is_file()]
    weights = sorted(folder.glob("*.safetensors"))
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            shards = set(json.loads(index.read_bytes())["weight_map"].values())
        except (ValueError, KeyError, AttributeError, TypeError) as exc:
            raise ExportFailed(f"{name}'s model.safetensors.index.json is damaged.") from exc
        missing += sorted(shards - {file.name for file in weights})
    elif not weights:
        missing.append("model.safetensors")
    if missing:
        raise ExportFailed(f"{name} is incomplete: it has no {' and no '.join(missing)}.")
    return sum(file.stat().st_size for file in weights)


def check_model_type(config_json: bytes, name: str) -> None:
    """Raise ExportFailed where a config.json is not that of a Phi-3."""
    try:
        config = json.loads(config_json)
        model_type = config.get("model_type")
    except (ValueError, AttributeError) as exc:
        raise ExportFailed(f"{name}'s config.json is damaged.") from exc
    if model_type != "phi3":
        raise ExportFailed(f"{name} is a model of type {model_type!r}; Phibot speaks phi3 only.")


def folder_sha256(folder: Path) -> str:
    """Return one hash over the names and contents of the files that make a source."""
    digest = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        if file.is_file() and _matches(file.name, (*SOURCE_FILES, *CODE_FILES)):
            digest.update(f"{file.name}\0{file_sha256(file)}\n".encode())
    return digest.hexdigest()


def file_sha256(file: Path) -> str:
    """Return the hash of a file's content."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def ask_hub(name: str, revision: str, patterns: tuple[str, ...]) -> OnTheHub:
    """Ask the hub for a model's commit and sizes; of the model itself only config.json is downloaded.

    `patterns`: the files that will be wanted. Raises: HubUnreachable, ExportFailed.
    """
    from huggingface_hub import HfApi, hf_hub_download, try_to_load_from_cache

    with hub_errors_told(name, revision):
        info: ModelInfo = HfApi().model_info(name, revision=revision, files_metadata=True, timeout=TIMEOUT_S)
        files = {sibling.rfilename: sibling.size or 0 for sibling in info.siblings or []}
        commit = info.sha or revision
        if "config.json" not in files:
            raise ExportFailed(f"{name} is no model that Phibot can use: it has no config.json.")
        # By the name it was asked for, so that the cache knows afterwards, without a network, which commit that is.
        check_model_type(Path(hf_hub_download(name, "config.json", revision=revision)).read_bytes(), name)
    wanted = {file: size for file, size in files.items() if "/" not in file and _matches(file, patterns)}
    cached = [file for file in wanted if isinstance(try_to_load_from_cache(name, file, revision=commit), str)]
    weights = sum(size for file, size in wanted.items() if file.endswith((".safetensors", ".bin")))
    return OnTheHub(name, commit, sum(wanted.values()) - sum(wanted[file] for file in cached), weights, patterns)


def download(model: OnTheHub, into: Path | None = None) -> Path:
    """Download a model into the hub's cache, where an interrupted download goes on later, or `into` a given folder.

    Raises: HubUnreachable, ExportFailed.
    """
    from huggingface_hub import snapshot_download

    # No pattern of ours reaches into sub-folders, but fnmatch's * would.
    patterns, others = list(model.patterns), ["*/*"]
    with hub_errors_told(model.name, model.revision):
        folder = snapshot_download(
            model.name, revision=model.revision, allow_patterns=patterns, ignore_patterns=others, local_dir=into
        )
    return Path(folder)


def cached_source(name: str, revision: str) -> Source | None:
    """Return a model that was downloaded whole at an earlier time, without any network, or None."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(name, revision=revision, local_files_only=True))
        return Source(name, folder.name, None, folder, check_source(folder, name))
    except (LocalEntryNotFoundError, ExportFailed):
        return None


@contextmanager
def hub_errors_told(name: str, revision: str) -> Iterator[None]:
    """Turn what the hub's client raises into one sentence."""
    import httpx
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError as exc:
        raise ExportFailed(
            f"{name} is gated: accept its terms on the hub's page of it, then set HF_TOKEN to a token of yours."
        ) from exc
    except errors.RevisionNotFoundError as exc:
        raise ExportFailed(f"{name} has no revision {revision} on the hub.") from exc
    except errors.HFValidationError as exc:
        raise ExportFailed(f"{name!r} is neither a folder nor an id on the hub (owner/name).") from exc
    except errors.HfHubHTTPError as exc:
        raise ExportFailed(_refusal(exc.response, name)) from exc
    except (httpx.TransportError, errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError) as exc:
        raise HubUnreachable(
            f"The hub cannot be reached, and {name} is not downloaded yet: check the network (HF_ENDPOINT, proxies, "
            "HF_HUB_OFFLINE) and start again."
        ) from exc


def _refusal(response: httpx.Response, name: str) -> str:
    if "Invalid credentials" in response.headers.get("X-Error-Message", ""):
        return "The hub does not accept your token: correct or unset HF_TOKEN, or log in anew with hf auth login."
    if response.status_code in (401, 403, 404):  # 401 is also what strangers are told of models that are not there
        return f"The hub has no model {name}; if it is private, set HF_TOKEN to a token that may read it."
    return f"The hub answered {response.status_code} when asked for {name}; try again later."


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
