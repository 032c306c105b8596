"""Settings, from the environment and a file `.env`: all faults at once, each with its variable and what would be right.

Only `bot.cli` and `bot.app` know this module; the rest takes plain arguments. The fields below are also where
`.env.example` and the README's table come from (scripts/update_docs).
"""

from __future__ import annotations

import difflib
import io
import json
import os
import re
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args
from zoneinfo import ZoneInfo

from dotenv.parser import parse_stream
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from bot.errors import SettingsInvalid

PREFIX: Final = "PHIBOT_"
TOKEN: Final = "DISCORD_TOKEN"  # noqa: S105 - a name

OV_DEFAULTS: Final[Mapping[str, str]] = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": "1", "CACHE_DIR": ""}

NOT_SHOWN: Final = "(not shown)"
_SHOWN_CHARS: Final = 80
_TOKEN_WORD: Final = re.compile(r"[A-Za-z0-9_.-]+")
_TOKEN_SHAPE: Final = re.compile(r"[\w-]{20,}\.[\w-]{5,}\.[\w-]{20,}")

_EXPECTED: Final[Mapping[str, str]] = {
    "bool_parsing": "true or false",
    "float_parsing": "a number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "literal_error": "one of {expected}",
}
"""What would be right, by pydantic's kind of fault; the others bring their own words."""


def _read_ids(value: object) -> object:
    if not isinstance(value, str):
        return value
    words = value.replace(",", " ").split()
    wrong = [word for word in words if not (word.isascii() and word.isdigit() and 0 < int(word[:20]) < 2**63)]
    if wrong:
        raise ValueError(f"ids of Discord, numbers with commas between them; {_shown(wrong[0])} is none")
    return frozenset(map(int, words))


def _read_token(value: object) -> object:
    if not isinstance(value, str):
        return value
    token = re.sub(r"^Bot(\s+|$)", "", value.strip().strip("\"'").strip())
    if not _TOKEN_WORD.fullmatch(token):
        raise ValueError("the token alone, as the portal shows it: one word of letters, digits, dots and dashes")
    return token


def _read_properties(value: object) -> object:
    right = 'a JSON object of texts, numbers and booleans, such as {"CACHE_DIR": "data/ov_cache"}'
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as exc:
            raise ValueError(f"{right} ({exc})") from exc
    if not isinstance(value, dict) or not all(isinstance(one, str | int | float) for one in value.values()):
        raise ValueError(right)
    return {**OV_DEFAULTS, **value}


def _expand_home(path: Path) -> Path:
    if "\0" in str(path):
        raise ValueError("a path, in which there can be no NUL")
    try:
        return path.expanduser()
    except RuntimeError as exc:
        raise ValueError(f"a path; there is no home folder of {_shown(path.parts[0])}") from exc


def _check_key(key: SecretStr) -> SecretStr:
    word = key.get_secret_value()
    if not word.isascii() or not word.isprintable() or " " in word:
        raise ValueError("one word of letters, digits and signs")
    return key


def _check_url(url: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#]+[^\s?#]*", url):
        raise ValueError("an address, such as https://gpu-box:8443")
    return url


def _zone_of(name: str) -> tzinfo:
    """Return a time zone; UTC needs no database of them. Raises: ValueError."""
    if name.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError) as exc:  # no such file, a folder, or no file's name at all
        raise ValueError("a time zone that this machine knows, such as Europe/Berlin") from exc


def _check_zone(name: str) -> str:
    _zone_of(name)
    return name


Ids = Annotated[frozenset[int], BeforeValidator(_read_ids)]
Token = Annotated[SecretStr, BeforeValidator(_read_token)]
Key = Annotated[SecretStr, AfterValidator(_check_key)]
Url = Annotated[str, AfterValidator(_check_url)]
Zone = Annotated[str, AfterValidator(_check_zone)]
Properties = Annotated[dict[str, str | int | float | bool], BeforeValidator(_read_properties)]
File = Annotated[Path, AfterValidator(_expand_home)]


class Settings(BaseSettings):
    """What the admin chose. Frozen; the token is a SecretStr and shows nowhere.

    Made by `load_settings`; one made directly has the defaults and what it is given, and reads no environment.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, hide_input_in_errors=True)

    discord_token: Token | None = Field(
        None,
        description="The bot's token from Discord's portal. Without one, a terminal gets a Discord of its own.",
        examples=["the-token-as-the-portal-shows-it"],
    )
    owner_ids: Ids = Field(
        frozenset(),
        description="Your user id, or several: the owners, whom no quota limits.",
        examples=["80351110224678912"],
    )
    allowed_guild_ids: Ids = Field(
        frozenset(),
        description="The only servers that are served, others are left; empty: all.",
        examples=["81384788765712384"],
    )
    allowed_channel_ids: Ids = Field(
        frozenset(),
        description="Channels (with their threads) where no mention is needed.",
        examples=["81384788765712385,81384788765712386"],
    )
    allow_dms: bool = Field(True, description="Whether direct messages are answered.", examples=["false"])

    engine: Literal["genai", "optimum", "echo"] = Field(
        "genai",
        description="What runs the model. genai: many people at once; optimum: one after the other, needs "
        "./scripts/test once; echo: no model, repeats the question.",
        examples=["optimum"],
    )
    engine_process: bool = Field(
        True,
        description="Whether the model runs in a process of its own, which is restarted if it dies.",
        examples=["false"],
    )
    engine_url: Url | None = Field(
        None,
        description="Use the engine that `phibot serve` runs at this address, instead of starting one.",
        examples=["https://gpu-box:8443"],
    )
    engine_key: Key | None = Field(
        None,
        description="The key of that engine, or of the one that `phibot serve` runs here.",
        examples=["a-long-word"],
    )
    engine_ca_file: File | None = Field(
        None,
        description="With ENGINE_URL: the only authorities whose certificates are trusted (PEM).",
        examples=["ca.pem"],
    )
    engine_cert_file: File | None = Field(
        None, description="For `phibot serve`: its certificate (PEM); with one it speaks TLS.", examples=["cert.pem"]
    )
    engine_cert_key_file: File | None = Field(
        None,
        description="For `phibot serve`: the certificate's key, if it is not in the same file.",
        examples=["key.pem"],
    )
    model_dir: File = Field(
        Path("models/phi-3-mini-4k-instruct"),
        description="The folder of the exported model. While the default one is missing, the demo model answers.",
        examples=["models/phi-3-mini-4k-instruct-int8"],
    )
    models_dir: File | None = Field(
        None,
        description="A folder whose subfolders are further exported models, for `/model` to choose from.",
        examples=["models"],
    )
    device: str = Field(
        "GPU.0",
        description="What it runs on, as OpenVINO names it: GPU.0, GPU.1, CPU, NPU.",
        examples=["GPU.1"],
    )
    device_fallback: Literal["CPU", "none"] = Field(
        "CPU", description="What to use when that device is not there; none: do not start.", examples=["none"]
    )
    ov_config: Properties = Field(
        dict(OV_DEFAULTS),
        description="OpenVINO properties as a JSON object; what it leaves out keeps these defaults. On a CPU genai "
        "adds DYNAMIC_QUANTIZATION_GROUP_SIZE=64 where the model's weights allow it and nothing else is chosen.",
        examples=['{"CACHE_DIR": "data/ov_cache"}'],
    )
    kv_cache_gb: int | None = Field(
        None,
        ge=1,
        le=1024,
        description="Memory for the conversations being answered, in GB (genai); empty: what fits in half of what is "
        "free, up to 8.",
        examples=["4"],
    )
    kv_cache_precision: Literal["u8", "f16", "bf16", "f32"] | None = Field(
        None,
        description="How exact that memory is: u8 holds the most; empty: the device's own choice.",
        examples=["f16"],
    )
    step_target_ms: int = Field(
        1000,
        ge=50,
        le=60000,
        description="How long others pause for a piece of a long prompt, in milliseconds (genai); less makes the long "
        "one slower.",
        examples=["500"],
    )
    trust_remote_code: bool = Field(
        False, description="Whether a model folder may run its own Python code (optimum).", examples=["true"]
    )

    system_prompt: str = Field(
        "You are a helpful AI assistant.",
        description="What the model is told to be, where nobody chose a persona.",
        examples=["You are a pirate and answer in one sentence."],
    )
    time_zone: Zone = Field(
        "UTC",
        description="Whose dates and times personas tell: {date} and {time}.",
        examples=["Europe/Berlin"],
    )
    max_new_tokens: int = Field(1024, ge=1, le=131072, description="The longest answer, in tokens.", examples=["512"])
    max_messages: int = Field(
        5, ge=1, le=20, description="An answer that needs more messages is shown as a file.", examples=["2"]
    )
    auto_summarize: bool = Field(
        False,
        description="Whether the model sums up what no longer fits in its window before that is dropped.",
        examples=["true"],
    )
    do_sample: bool = Field(
        False, description="Whether tokens are chosen by chance; false: always the likeliest.", examples=["true"]
    )
    temperature: float = Field(1.0, gt=0, le=2, description="With DO_SAMPLE: higher is bolder.", examples=["0.7"])
    top_p: float = Field(
        1.0,
        gt=0,
        le=1,
        description="With DO_SAMPLE: choose among the likeliest tokens that together are this probable.",
        examples=["0.9"],
    )
    seed: int | None = Field(
        None,
        ge=0,
        lt=2**31,
        description="With DO_SAMPLE: the same answer to the same question; empty: another each time.",
        examples=["42"],
    )
    guard: bool = Field(
        True,
        description="Whether answers that loop, recite SYSTEM_PROMPT or speak for the user are cut and tried again.",
        examples=["false"],
    )

    max_waiting: int = Field(
        100, ge=1, description="How many questions may wait before more are refused.", examples=["20"]
    )
    max_wait_s: float = Field(
        900.0,
        gt=0,
        description="A question whose turn did not come in so many seconds is given up.",
        examples=["120"],
    )
    per_user_per_minute: int = Field(
        20,
        ge=1,
        description="How many questions one person may ask in a minute; this, COOLDOWN_S and TOKENS_PER_DAY count all "
        "servers and DMs together, and an owner can change them by `/admin quota set` in a DM.",
        examples=["5"],
    )
    cooldown_s: int = Field(
        0, ge=0, le=3600, description="How many seconds must lie between two questions of one person.", examples=["10"]
    )
    tokens_per_day: int | None = Field(
        None,
        ge=1,
        description="How many tokens one person may use a day, in questions and answers together; empty: no limit.",
        examples=["20000"],
    )
    max_attachments: int = Field(
        5, ge=0, le=10, description="How many files of one message are read; 0: none.", examples=["2"]
    )
    max_attachment_mb: int = Field(
        8,
        ge=1,
        le=30,
        description="The largest file that is read, in MB; those of one message together may have twice as much.",
        examples=["2"],
    )
    database: File = Field(
        Path("data/phibot.sqlite3"),
        description="The SQLite file with all conversations.",
        examples=["~/phibot/phibot.sqlite3"],
    )
    drain_s: float = Field(
        20.0,
        ge=0,
        le=3600,
        description="At the end: seconds for running answers before they are interrupted.",
        examples=["60"],
    )
    metrics_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="This machine reads the bot's Prometheus metrics at http://127.0.0.1:PORT/metrics; empty: off.",
        examples=["9464"],
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        "INFO", description="The least that is logged; DEBUG includes what people write.", examples=["DEBUG"]
    )
    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="auto: console on a terminal, else json, one object a line.", examples=["json"]
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what `load_settings` read: the library's own sources stop at the first fault and name no line."""
        return (init_settings,)

    @field_validator("engine", "device_fallback", "log_level", "log_format", mode="before")
    @classmethod
    def _ignore_case(cls, value: object, info: ValidationInfo) -> object:
        choices = get_args(cls.model_fields[str(info.field_name)].annotation)
        return next((choice for choice in choices if choice.lower() == str(value).lower()), value)

    @property
    def fallback_device(self) -> str | None:
        """The device to use when the one asked for is not there, or None."""
        return None if self.device_fallback == "none" else self.device_fallback

    @property
    def zone(self) -> tzinfo:
        """The time zone."""
        return _zone_of(self.time_zone)

    @property
    def log_lines(self) -> Literal["console", "json"]:
        """What log lines look like, where `log_format` is auto by what stderr is."""
        if self.log_format == "auto":
            return "console" if sys.stderr.isatty() else "json"
        return self.log_format


VARIABLES: Final[Mapping[str, str]] = {
    name: TOKEN if name == "discord_token" else PREFIX + name.upper() for name in Settings.model_fields
}
"""The environment variable of each field."""


def load_settings(environ: Mapping[str, str] = os.environ, env_file: Path = Path(".env")) -> tuple[Settings, list[str]]:
    """Read `environ`, and `env_file` where that is silent; return the settings and warnings for the admin.

    An empty value counts as not set, a missing file as empty. No error, warning or repr ever holds the token.
    Raises: SettingsInvalid, with a line for every fault there is.
    """
    from_file, faults = _read_file(env_file)
    texts = {**_not_empty(from_file), **_not_empty(environ)}
    values: dict[str, Any] = {name: texts[variable] for name, variable in VARIABLES.items() if variable in texts}
    settings = None
    try:
        settings = Settings(**values)
    except ValidationError as exc:
        faults += [_fault(dict(error), values) for error in exc.errors(include_url=False)]
    if settings is None or faults:  # out of the except clause: what was caught there knows the token
        listed = "".join(f"\n  {fault}" for fault in dict.fromkeys(faults))
        raise SettingsInvalid(f"Settings that are wrong:{listed}")
    return settings, [*_unknown_names([*environ, *from_file]), *_without_effect(settings)]


def _not_empty(texts: Mapping[str, str]) -> dict[str, str]:
    return {name: text.strip() for name, text in texts.items() if text.strip()}


def _read_file(file: Path) -> tuple[dict[str, str], list[str]]:
    """Return what is in the file, and what is wrong with it, by line."""
    try:
        # Editors on Windows like to begin a file with a byte order mark and to end lines with two characters.
        content = file.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except FileNotFoundError:
        return {}, []
    except OSError as exc:
        return {}, [f"{file}: cannot be read ({exc.strerror})"]
    except UnicodeDecodeError as exc:
        line = exc.object.count(b"\n", 0, exc.start) + 1
        return {}, [f"{file}, line {line}: is not UTF-8; save the file with that encoding"]
    texts, faults = {}, []
    for binding in parse_stream(io.StringIO(content)):
        if binding.key is not None and binding.value is not None:
            texts[binding.key] = binding.value
        elif binding.error or binding.key is not None:
            before = binding.original.string[: -len(binding.original.string.lstrip())]
            faults.append(f"{file}, line {binding.original.line + before.count(chr(10))}: should be NAME=value")
    return texts, faults


def _fault(error: dict[str, Any], values: Mapping[str, Any]) -> str:
    """Return one line: the variable, the value got, what would be right."""
    name = str(error["loc"][0])
    right = _EXPECTED.get(error["type"])
    expected = right.format_map(error.get("ctx", {})) if right else str(error["msg"]).removeprefix("Value error, ")
    got = str(values.get(name))
    secrets = [str(values[secret]) for secret in ("discord_token", "engine_key") if values.get(secret)]
    if any(secret in got for secret in secrets):  # there, or strayed; after a semicolon messages quote from there
        return f"{VARIABLES[name]}={NOT_SHOWN} should be {expected.partition(';')[0]}"
    return f"{VARIABLES[name]}={_shown(got)} should be {expected}"


def _shown(text: str) -> str:
    """Return a value as a message may hold it: nothing that looks like a token, and not at any length."""
    if _TOKEN_SHAPE.search(text):
        return NOT_SHOWN
    return repr(text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "…")


def _unknown_names(names: Iterable[str]) -> list[str]:
    known = list(VARIABLES.values())
    unknown = sorted({name for name in names if name.upper().startswith(PREFIX)} - set(known))
    nearest = {name: difflib.get_close_matches(name.upper(), known, n=1, cutoff=0)[0] for name in unknown}
    return [f"{name} is no setting; did you mean {near}?" for name, near in nearest.items()]


def _without_effect(settings: Settings) -> list[str]:
    told = []
    if settings.models_dir is not None and settings.engine_url is not None:
        models_dir, engine_url = VARIABLES["models_dir"], VARIABLES["engine_url"]
        told.append(f"{models_dir} has no effect with {engine_url}: that server has its model.")
    if settings.do_sample:
        return told
    given = [VARIABLES[name] for name in ("temperature", "top_p", "seed") if name in settings.model_fields_set]
    return told + [f"{variable} has no effect without {VARIABLES['do_sample']}=true." for variable in given]
