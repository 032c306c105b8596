"""Settings, from the environment and a file `.env`: all faults at once, each with its variable and what would be right.

Only `bot.cli` and `bot.app` know this module; the rest takes plain arguments. The fields below are also where
`.env.example` and the README's table come from (scripts/update_docs).
"""

from __future__ import annotations

import difflib
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from dotenv import dotenv_values
from dotenv.parser import parse_stream
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bot.errors import SettingsInvalid

PREFIX: Final = "PHIBOT_"
TOKEN: Final = "DISCORD_TOKEN"  # noqa: S105 - a name
ENCODING: Final = "utf-8-sig"  # editors on Windows like to begin a file with a byte order mark

OV_DEFAULTS: Final[Mapping[str, object]] = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": "1", "CACHE_DIR": ""}

Ids = Annotated[frozenset[int], NoDecode]


class Settings(BaseSettings):
    """What the admin chose. Frozen; the token is a SecretStr and shows nowhere."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        env_file_encoding=ENCODING,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        populate_by_name=True,
    )

    discord_token: SecretStr | None = Field(
        None,
        validation_alias=TOKEN,
        description="The bot's token from Discord's portal. Without one, a terminal gets a Discord of its own.",
    )
    owner_ids: Ids = Field(
        frozenset(),
        description="Your user id, or several: the owners, whom PER_USER_PER_MINUTE does not limit.",
        examples=["80351110224678912"],
    )
    allowed_guild_ids: Ids = Field(
        frozenset(), description="Serve only these servers; empty: all.", examples=["81384788765712384"]
    )
    allowed_channel_ids: Ids = Field(
        frozenset(),
        description="Channels (with their threads) where no mention is needed.",
        examples=["81384788765712385, 81384788765712386"],
    )
    allow_dms: bool = Field(True, description="Answer direct messages.")

    engine: Literal["genai", "optimum", "echo"] = Field(
        "genai",
        description="genai: many people at once; optimum: one after the other, needs ./scripts/test once; "
        "echo: repeats the question, for tests.",
    )
    model_dir: Path = Field(
        Path("models/phi-3-mini-4k-instruct"),
        description="The exported model. While the default folder is missing, the demo model answers.",
    )
    device: str = Field(
        "GPU.0", min_length=1, description="OpenVINO's name of the device: GPU.0, GPU.1, CPU, NPU, AUTO."
    )
    device_fallback: Literal["CPU", "none"] = Field("CPU", description="What to use when the device is not there.")
    ov_config: Annotated[dict[str, str | int | float | bool], NoDecode] = Field(
        dict(OV_DEFAULTS),
        validate_default=True,
        description="OpenVINO properties as JSON, over these defaults.",
        examples=['{"CACHE_DIR": "data/ov_cache"}'],
    )
    kv_cache_gb: int = Field(2, ge=1, le=1024, description="Memory for the KV cache, in GB (genai).")
    trust_remote_code: bool = Field(False, description="Let a model folder run its own Python code (optimum).")

    system_prompt: str = Field("You are a helpful AI assistant.", description="What the model is told to be.")
    max_new_tokens: int = Field(1024, ge=1, le=131072, description="The longest answer, in tokens.")
    do_sample: bool = Field(False, description="Choose tokens by chance; off: always the likeliest.")
    temperature: float = Field(1.0, gt=0, le=2, description="With DO_SAMPLE: higher is bolder.")
    top_p: float = Field(1.0, gt=0, le=1, description="With DO_SAMPLE: choose among the likeliest that add up to this.")
    seed: int | None = Field(
        None, ge=0, lt=2**31, description="With DO_SAMPLE: the same answer again; empty: a new one each time."
    )

    max_waiting: int = Field(100, ge=1, description="How many questions may wait before more are refused.")
    per_user_per_minute: int = Field(20, ge=1, description="How many questions one person may ask in a minute.")
    database: Path = Field(Path("data/phibot.sqlite3"), description="The SQLite file with all conversations.")
    drain_s: float = Field(
        20.0, ge=0, le=3600, description="At the end: seconds for running answers before they are interrupted."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="DEBUG also logs what people write."
    )
    log_format: Literal["console", "json"] = Field("console", description="json: one object a line, for collectors.")

    @field_validator("discord_token", mode="before")
    @classmethod
    def _read_token(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        token = value.strip().strip("\"'").removeprefix("Bot ").strip()
        if not token:
            return None
        if not token.isascii() or not token.isprintable() or " " in token:
            raise ValueError("should be the token alone, as the portal shows it: one word without spaces")
        return token

    @field_validator("owner_ids", "allowed_guild_ids", "allowed_channel_ids", mode="before")
    @classmethod
    def _read_ids(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        words = value.replace(",", " ").replace(";", " ").split()
        wrong = [word for word in words if not (word.isascii() and word.isdigit() and 0 < int(word) < 2**63)]
        if wrong:
            raise ValueError(f"should be Discord ids with commas between them; {wrong[0]!r} is none")
        return frozenset(map(int, words))

    @field_validator("ov_config", mode="before")
    @classmethod
    def _read_properties(cls, value: object) -> object:
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except ValueError as exc:
                raise ValueError(f"should be a JSON object ({exc})") from exc
        if not isinstance(value, dict) or not all(isinstance(one, str | int | float) for one in value.values()):
            raise ValueError('should be a JSON object of texts and numbers, {"CACHE_DIR": "data/ov_cache"} say')
        return {**OV_DEFAULTS, **value}

    @field_validator("device_fallback", "log_level", "engine", "log_format", mode="before")
    @classmethod
    def _ignore_case(cls, value: object) -> object:
        """Match the choices whatever their case."""
        if not isinstance(value, str):
            return value
        known = {choice.lower(): choice for choice in ("CPU", "none", "DEBUG", "INFO", "WARNING", "ERROR")}
        return known.get(value.strip().lower(), value.strip().lower())

    @property
    def fallback_device(self) -> str | None:
        """The device to use when the one asked for is not there, or None."""
        return None if self.device_fallback == "none" else self.device_fallback


def variable_of(name: str, field: FieldInfo) -> str:
    """Return the environment variable of a field."""
    return str(field.validation_alias or PREFIX + name.upper())


def load_settings(env_file: Path = Path(".env")) -> tuple[Settings, list[str]]:
    """Read the environment, and `env_file` where it is silent; return the settings and warnings for the admin.

    An empty value counts as not set. Raises: SettingsInvalid, with a line for every fault there is.
    """
    from_file, faults = _read_file(env_file)
    settings = None
    try:
        settings = Settings(_env_file=env_file if from_file else None)
    except ValidationError as exc:
        faults += [_fault(dict(error)) for error in exc.errors(include_url=False)]
    if settings is None or faults:
        listed = "\n".join(f"  {fault}" for fault in faults)
        raise SettingsInvalid(
            f"{len(faults)} setting{'s are' if len(faults) > 1 else ' is'} wrong:\n{listed}"
        ) from None
    return settings, _unknown_names([*os.environ, *from_file])


def _read_file(env_file: Path) -> tuple[dict[str, str | None], list[str]]:
    """Return what is in the file and what is wrong with it; a missing file is empty and right."""
    if not env_file.exists():
        return {}, []
    logging.getLogger("dotenv.main").setLevel(logging.ERROR)  # it warns of broken lines, without a way to see them all
    try:
        with env_file.open(encoding=ENCODING) as lines:
            broken = [binding.original.line for binding in parse_stream(lines) if binding.error]
        return dotenv_values(env_file, encoding=ENCODING), [
            f"{env_file}, line {number}: should be NAME=value" for number in broken
        ]
    except OSError as exc:
        return {}, [f"{env_file}: cannot be read ({exc.strerror})"]
    except UnicodeDecodeError as exc:
        return {}, [f"{env_file}: should be UTF-8; byte {exc.start} is not. Save it again as UTF-8."]


def _fault(error: dict[str, Any]) -> str:
    """Return one line: the variable, the value got, what would be right."""
    name = str(error["loc"][0])
    field = Settings.model_fields.get(name)
    variable = variable_of(name, field) if field else name
    message = str(error["msg"]).removeprefix("Value error, ").replace("Input should", "should")
    got = "(not shown)" if variable == TOKEN else repr(error["input"])
    key = f" at {error['loc'][1]!r}" if len(error["loc"]) > 1 else ""
    return f"{variable}={got}{key}: {message}"


def _unknown_names(names: list[str]) -> list[str]:
    known = [variable_of(name, field) for name, field in Settings.model_fields.items()]
    warnings = []
    for name in sorted({name.upper() for name in names if name.upper().startswith(PREFIX)} - set(known)):
        near = difflib.get_close_matches(name, known, n=1, cutoff=0)
        warnings.append(f"{name} is not a setting; the nearest is {near[0]}.")
    return warnings
