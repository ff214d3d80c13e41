"""The settings: the one reader of environment variables, `CLAIMBASE_` and a field's name."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Literal, get_args, get_origin

from platformdirs import user_data_path
from pydantic import BeforeValidator, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from models.core.errors import close_matches
from models.database.connections import HOSTS_FORM, URL_FORMS, file_url

ROOT = Path(__file__).resolve().parent.parent


def data_folder(root: Path) -> Path:
    """Return where the data of the program in a folder is by default: in a checkout there, else in
    the user's data folder.

    An installed program lies in an environment, which an upgrade replaces with all that is in it.
    """
    if (root / "pyproject.toml").is_file():
        return root / "data"
    return user_data_path("claimbase", appauthor=False)


DATA = data_folder(ROOT)


@cache
def installed_version() -> str:
    """Return the version of this installation, or 0 where the project was not installed."""
    try:
        return version("claimbase")
    except PackageNotFoundError:
        return "0"


def _from_json(value: object) -> object:
    """Return the list that a variable of the environment holds as JSON."""
    # Not JSON: as a text it is refused like a value of any other wrong type.
    with suppress(ValueError):
        return json.loads(value) if isinstance(value, str) else value
    return value


# Pydantic's own reading of JSON would raise an error of another kind, and about one setting alone.
Texts = Annotated[list[str], NoDecode, BeforeValidator(_from_json)]
PREFIX = "CLAIMBASE_"
BOUNDS = (("ge", "at least"), ("gt", "above"), ("le", "at most"))


class Settings(BaseSettings):
    """How this process runs."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore")

    database_url: str = Field(
        default=file_url(DATA / "claimbase.db"),
        description=f"Where the data is: {URL_FORMS}",
    )
    read_database_url: str | None = Field(
        default=None,
        description=f"Replicas that reads go to, with commas between several hosts: {HOSTS_FORM}",
    )
    write_url: str | None = Field(
        default=None,
        description="Address of the server that takes writes, which a server on a standby names to"
        " those who write to it.",
    )
    seed_dir: Path = Field(
        default=ROOT / "seed_data", description="Folder that an empty database is filled from."
    )
    watch_file: Path = Field(
        default=DATA / "watch.json",
        description="File in which `claimbase sources watch` notes how far it came.",
    )
    seed_empty: bool = Field(
        default=True,
        description="Whether a start fills an empty database; if not, it refuses one without"
        " tables.",
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on.")
    cors_origins: Texts = Field(
        default=["*"], description="Origins whose pages may read, as a JSON list."
    )
    mcp_hosts: Texts = Field(
        default=["127.0.0.1", "localhost", "::1"],
        description="Names of the host by which agents may ask at `/mcp`, as a JSON list; with"
        ' `"*"` any.',
    )
    workers: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Processes that serve; each counts its limits for itself.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least level to log."
    )
    read_seconds: float = Field(
        default=5,
        gt=0,
        description="How long the database may take over a question; beyond it 503.",
    )
    cache_mb: int = Field(
        default=64,
        ge=0,
        description="Memory for answers that were given before, in MB; 0 keeps none.",
    )
    limit_concurrency: int = Field(
        default=500, ge=1, description="Connections at once; beyond it 503."
    )
    trusted_proxies: Texts = Field(
        default=["127.0.0.1", "::1"],
        description="Addresses and networks whose `X-Forwarded-For` and `-Proto` are believed,"
        " as a JSON list.",
    )
    review: Literal["two_people", "one_person"] = Field(
        default="two_people",
        description="Who decides on a proposal: a second person, or, where one person curates"
        " alone, its proposer too.",
    )
    discussion: Literal["private", "public"] = Field(
        default="private",
        description="Whether everybody may read suggestions and comments before a curator accepts"
        " them (`public`); else only their authors, who proposed the record, and curators.",
    )
    match_model: bool = Field(
        default=True,
        description="Whether texts are matched by the model, too, where the extra `match` is"
        " installed.",
    )
    key_writes_per_minute: int = Field(
        default=600, ge=1, description="Writes a minute with one key; beyond it 429."
    )
    address_writes_per_minute: int = Field(
        default=1200, ge=1, description="Writes a minute from one address; beyond it 429."
    )
    stream_limit: int = Field(
        default=100, ge=0, description="Streams of changes at once; beyond it 503."
    )
    webhook_private: bool = Field(
        default=False,
        description="Whether webhooks may go to private addresses, such as those of one's own"
        " network, and without TLS.",
    )
    metrics_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="Port of the metrics for Prometheus; without it nothing is counted.",
    )
    # Not `host`: metrics tell what others ask for, so nobody serves them to the world by accident.
    metrics_host: str = Field(default="127.0.0.1", description="Address of the metrics' port.")


def unknown_variables() -> list[str]:
    """Return a line for each variable of the environment that looks like a setting and is none."""
    lines = []
    for variable in sorted(os.environ):
        # The case of a variable does not count.
        name = variable.lower().removeprefix(PREFIX.lower())
        if not variable.upper().startswith(PREFIX) or name in Settings.model_fields:
            continue
        similar = close_matches(name, Settings.model_fields, limit=1)
        hint = f" Did you mean {PREFIX}{similar[0].upper()}?" if similar else ""
        lines.append(f"{variable} is not a setting, and is ignored.{hint}")
    return lines


def what_is_wrong(error: ValidationError) -> list[str]:
    """Return a line for each setting that cannot be used: what it is, what it takes, what for."""
    names = dict.fromkeys(str(each["loc"][0]) for each in error.errors())
    return [
        f"{PREFIX}{name.upper()} takes {_takes(field)}. ({field.description})"
        for name, field in ((name, Settings.model_fields[name]) for name in names)
    ]


def _takes(field: FieldInfo) -> str:
    """Return in words what a setting takes."""
    kinds = get_args(field.annotation) or (field.annotation,)
    if get_origin(field.annotation) is Literal:
        return f"one of {', '.join(kinds)}"
    if get_origin(field.annotation) is list:
        return f"a JSON list of texts, such as {json.dumps(field.default)}"
    words = {int: "a whole number", float: "a number", bool: "true or false"}
    bounds = [
        f", {told} {getattr(bound, name)}"
        for bound in field.metadata
        for name, told in BOUNDS
        if hasattr(bound, name)
    ]
    return words.get(kinds[0], "a text") + "".join(bounds)


@contextmanager
def counting_in(folder: Path) -> Iterator[None]:
    """Tell the library of metrics in each process that starts meanwhile to count in a folder.

    It reads the folder from this variable alone.
    """
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    try:
        yield
    finally:
        del os.environ["PROMETHEUS_MULTIPROC_DIR"]
