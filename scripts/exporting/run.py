"""The whole way of an export, and every way in which it ends."""

from __future__ import annotations

import argparse
import errno
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from exporting import children, resources, source
from exporting.failure import ExportFailed
from exporting.record import (
    EXPORT_PACKAGES,
    RECORD,
    ModelRecord,
    forget_places,
    is_whole,
    read_model_record,
    write_record,
)
from exporting.source import HubUnreachable, OnTheHub, Source
from exporting.workplace import Workplace, clear_remains, only_files_of_a_model, workplace

NEEDED = (
    *("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"),
    *("openvino_model.xml", "openvino_model.bin", "openvino_tokenizer.xml", "openvino_tokenizer.bin"),
    *("openvino_detokenizer.xml", "openvino_detokenizer.bin"),
)
TRIAL_TIMEOUT_S = 900.0  # 2.78 GB from a slow disk, then the graph's compilation, then 8 tokens
READY_MADE_PACKAGES = ("huggingface-hub", "openvino", "openvino-genai")
EX_INTERRUPTED = 130


def run(arguments: argparse.Namespace) -> int:
    """Export as told and return the exit code; a failure has been told in one sentence on stderr."""
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)
    try:
        _export(arguments, Path(arguments.output).expanduser().resolve())
    except ExportFailed as exc:
        return _told(str(exc), 1)
    except KeyboardInterrupt:
        return _told("Stopped; no model was changed.", EX_INTERRUPTED)
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            return _told("The disk is full: make room and start again; no model was changed.", 1)
        return _told(f"The export failed: {exc}.", 1)
    return 0


def _told(sentence: str, code: int) -> int:
    print(sentence, file=sys.stderr, flush=True)
    return code


def _say(sentence: str) -> None:
    print(sentence, flush=True)


def _export(arguments: argparse.Namespace, output: Path) -> None:
    folder = Path(arguments.model).resolve()
    if folder.is_dir() and (output == folder or output in folder.parents):
        raise ExportFailed(f"The output {output} would replace the model itself; choose another --output.")
    clear_remains(output)
    there = _look(output, force=arguments.force)
    if arguments.ready_made is not None:
        _ready_made(arguments, output, there)
    else:
        _from_weights(arguments, output, there)


def _look(output: Path, *, force: bool) -> ModelRecord | None:
    """Return the record of what is there. Raises: ExportFailed, for what must not be overwritten."""
    if not output.exists():
        return None
    if not output.is_dir():
        raise ExportFailed(f"{output} is a file; name a folder with --output.")
    record = read_model_record(output)
    if record is not None or not any(output.iterdir()):
        return record
    if not only_files_of_a_model(output):
        raise ExportFailed(f"{output} holds something else than an exported model; choose another --output.")
    if not force:
        raise ExportFailed(
            f"{output} holds a model without {RECORD}, exported by hand or only by half; "
            "replace it with --force, or choose another --output."
        )
    return None


def _is_there(there: ModelRecord | None, output: Path, wanted: Source | OnTheHub, flags: Mapping[str, object]) -> bool:
    """Tell whether `output` is what is wanted already. Raises ExportFailed, if it is something else, and whole."""
    if there is None:
        return False
    sha256 = wanted.sha256 if isinstance(wanted, Source) else None
    same = (there.source, there.revision, there.source_sha256) == (wanted.name, wanted.revision, sha256)
    if not is_whole(output, there):
        _say(f"{output} is damaged: its files are not those that were recorded. Exporting anew.")
        return False
    if same and dict(there.flags) == dict(flags):
        _say(f"{output} is already exported, and whole.")
        return True
    return False


def _may_replace(there: ModelRecord | None, output: Path, *, force: bool) -> None:
    if there is not None and not force and is_whole(output, there):
        flags = ", ".join(f"{name}={value}" for name, value in there.flags.items())
        revision = f" at {there.revision[:12]}" if there.revision else ""
        raise ExportFailed(
            f"{output} holds another export ({there.source}{revision}; {flags}); "
            "replace it with --force, or choose another --output."
        )


def _from_weights(arguments: argparse.Namespace, output: Path, there: ModelRecord | None) -> None:
    flags = {
        name: getattr(arguments, name)
        for name in ("task", "weight_format", "group_size", "ratio", "sym", "trust_remote_code")
        if getattr(arguments, name) is not None
    }
    found = _find(arguments, output, there, flags)
    if found is None or _is_there(there, output, found, flags):
        return
    _may_replace(there, output, force=arguments.force)
    _check_resources(found, output, arguments.weight_format)
    if isinstance(found, OnTheHub):
        found = _downloaded(found)
    with workplace(output) as place:
        _convert(found, flags, place)
        forget_places(place.model, {str(found.folder): found.name, str(place.model): output.name})
        _finish(found, flags, EXPORT_PACKAGES, place)


def _find(
    arguments: argparse.Namespace, output: Path, there: ModelRecord | None, flags: Mapping[str, object]
) -> Source | OnTheHub | None:
    """Return where the model is, or None if the hub need not even be asked."""
    folder = Path(arguments.model)
    if folder.is_dir():
        return source.local_source(folder.resolve())
    patterns = (*source.SOURCE_FILES, *(source.CODE_FILES if arguments.trust_remote_code else ()))
    return _on_the_hub(arguments.model, arguments.revision, patterns, output, there, flags)


def _on_the_hub(
    name: str,
    revision: str,
    patterns: tuple[str, ...],
    output: Path,
    there: ModelRecord | None,
    flags: Mapping[str, object],
) -> Source | OnTheHub | None:
    pinned = source.COMMIT.fullmatch(revision) is not None
    asked_for = OnTheHub(name, revision if pinned else (there.revision or "") if there else "", 0, 0, patterns)
    if pinned and _is_there(there, output, asked_for, flags):
        return None
    try:
        return source.ask_hub(name, revision, patterns)
    except HubUnreachable:
        cached = source.cached_source(name, revision)
        if cached is not None:
            _say(f"The hub cannot be reached; going on with {name} as it was downloaded before.")
            return cached
        if not pinned and _is_there(there, output, asked_for, flags):
            return None
        raise


def _check_resources(found: Source | OnTheHub, output: Path, weight_format: str) -> None:
    needs = [
        resources.DiskNeed(
            output.parent,
            resources.export_disk_bytes(found.weights_bytes, weight_format),
            "choose another disk with --output",
        )
    ]
    if isinstance(found, OnTheHub) and found.download_bytes:
        from huggingface_hub.constants import HF_HUB_CACHE

        needs.append(
            resources.DiskNeed(Path(HF_HUB_CACHE), found.download_bytes, "download to another disk with HF_HUB_CACHE")
        )
    resources.check_disk(needs)
    wanted = resources.export_memory_bytes(found.weights_bytes)
    warning = resources.check_memory(wanted, "close other programs, add swap, or take --ready-made")
    if warning:
        _say(warning)


def _downloaded(found: OnTheHub) -> Source:
    if found.download_bytes:
        _say(f"Downloading {found.name} at {found.revision}: {resources.in_words(found.download_bytes)} ...")
    folder = source.download(found)
    return Source(found.name, found.revision, None, folder, source.check_source(folder, found.name))


def _convert(found: Source, flags: Mapping[str, object], place: Workplace) -> None:
    command = ["export", "openvino", "--model", str(found.folder)]
    for name, value in flags.items():
        option = "--" + name.replace("_", "-")
        command += ([option] if value else []) if isinstance(value, bool) else [option, str(value)]
    _say(f"Exporting {found.name} ({resources.in_words(found.weights_bytes)} of weights) with {' '.join(command[4:])}")
    command.append(str(place.model))
    ended = children.run_child("exporting.optimum_child", command, place, show=True, timeout_s=None)
    if ended.code:
        raise children.why_it_failed(ended, "exporting", place)


def _ready_made(arguments: argparse.Namespace, output: Path, there: ModelRecord | None) -> None:
    flags = {"ready_made": True}
    name, patterns = arguments.ready_made, source.EXPORTED_FILES
    found = _on_the_hub(name, arguments.revision, patterns, output, there, flags)
    if found is None or _is_there(there, output, found, flags):
        return
    _may_replace(there, output, force=arguments.force)
    if isinstance(found, Source):
        raise ExportFailed(f"{name} holds weights to be exported; use --model {name}.")
    resources.check_disk([resources.DiskNeed(output.parent, found.weights_bytes, "choose another disk with --output")])
    warning = resources.check_memory(resources.trial_memory_bytes(found.weights_bytes), "close other programs")
    if warning:
        _say(warning)
    with workplace(output) as place:
        _say(f"Downloading {name} at {found.revision}: {resources.in_words(found.weights_bytes)} ...")
        source.download(found, into=place.model)
        shutil.rmtree(place.model / ".cache", ignore_errors=True)  # the hub client's own notes
        _finish(Source(name, found.revision, None, place.model, found.weights_bytes), flags, READY_MADE_PACKAGES, place)


def _finish(found: Source, flags: Mapping[str, object], packages: tuple[str, ...], place: Workplace) -> None:
    """Try the new model, record what it is and put it in place."""
    missing = [name for name in NEEDED if not (place.model / name).is_file()]
    if missing:
        raise ExportFailed(f"{found.name} made no whole model: {', '.join(missing)} is missing.")
    _say("Trying it: a few tokens on the CPU ...")
    ended = children.run_child(
        "exporting.trial_child", [str(place.model)], place, show=False, timeout_s=TRIAL_TIMEOUT_S
    )
    if ended.code:
        raise children.why_it_failed(ended, "trying the new model", place)
    write_record(place.model, found, flags, packages)
    place.put_in_place()
    size_bytes = sum(file.stat().st_size for file in place.output.iterdir())
    _say(f"Exported to {place.output} ({resources.in_words(size_bytes)}).")
