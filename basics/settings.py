"""The environment, read once into one frozen object and passed by argument. Nobody else reads it.

Each field names its variable and its meaning: `docs/configuration.md` is made from here.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from basics.errors import Failure

VOLUME = Path("/runpod-volume")


def _words(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _table(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    pairs = [part.partition("=") for part in _words(value)]
    if bad := next((key for key, sign, target in pairs if not (sign and key.strip() and target.strip())), None):
        raise ValueError(f"`{bad}` is not written as name=target")
    return {key.strip(): target.strip() for key, _, target in pairs}


def _idle(value: Any) -> Any:
    return float("inf") if isinstance(value, str) and value.lower() == "never" else value


Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
Table = Annotated[dict[str, str], BeforeValidator(_table)]


def _is(variable: str, default: Any, help: str, *, shown: str = "", **bounds: Any) -> Any:
    return Field(default, alias=variable, description=help, json_schema_extra={"shown": shown}, **bounds)


class Settings(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True, validate_default=True)

    group: Words = _is(
        "MODEL_GROUP", ("embedded",), "The group, or groups of one environment, that this worker serves."
    )
    model: str = _is("MODEL", "", "The default model.", shown="the group's first")
    preload: Words = _is("PRELOAD", (), "Models loaded at start.", shown="`MODEL`")
    standby: Words = _is("STANDBY", (), "Models that are never unloaded.")
    models_file: str = _is("MODELS_FILE", "", "YAML with people's own models: a path, or a key of the bucket.")
    idle_unload: Annotated[float | None, BeforeValidator(_idle)] = _is(
        "IDLE_UNLOAD",
        None,
        "Seconds after which an unused model is unloaded, or `never`.",
        ge=0,
        shown="`never` with one model preloaded, else 60",
    )
    vram_budget_gb: float | None = _is(
        "VRAM_BUDGET_GB", None, "Gigabytes for all residents.", gt=0, shown="90 % of the card"
    )
    max_batch: int | None = _is("MAX_BATCH", None, "Rows a step.", ge=1, shown="per model")
    max_concurrency: int | None = _is(
        "MAX_CONCURRENCY", None, "Jobs this worker holds; at least 4 on the queue.", ge=1, shown="per model"
    )

    weights_dir: Path | None = _is(
        "WEIGHTS_DIR", None, "Where models' files are.", shown="`/weights` if it exists, else `./weights`"
    )
    model_cache_dir: Path | None = _is(
        "MODEL_CACHE_DIR",
        None,
        "Where fetched files are kept.",
        shown="`/runpod-volume/models` if mounted, else `WEIGHTS_DIR`",
    )
    hf_token: str = _is("HF_TOKEN", "", "Token for gated repositories on the hub.")
    hf_endpoint: str = _is("HF_ENDPOINT", "https://huggingface.co", "The hub's address, or a mirror's.")
    accept_licenses: Words = _is("ACCEPT_LICENSES", (), "Licences you accept of weights that forbid commercial use.")

    voices: Words = _is(
        "VOICES",
        (),
        "Folder or `s3://bucket/prefix`, or two by comma.",
        shown="the first voices folder that exists",
    )
    watch_seconds: float = _is("WATCH_SECONDS", 5.0, "How soon changed voices are noticed.", ge=0)
    reference_mb: float = _is("REFERENCE_MB", 50.0, "Largest reference, megabytes.", gt=0)
    reference_seconds: float = _is("REFERENCE_SECONDS", 600.0, "Longest reference, seconds.", gt=0)
    require_consent: bool = _is("REQUIRE_CONSENT", False, "Each new voice needs a consent record.")
    allow_hosts: Words = _is("ALLOW_HOSTS", (), "Private hosts that references and `s3Config` may reach.")

    audio_output_dir: Path | None = _is(
        "AUDIO_OUTPUT_DIR",
        None,
        "Where `volume` delivery writes.",
        shown="`/runpod-volume/audio` if mounted, else `./out`",
    )
    bucket_endpoint_url: str = _is("BUCKET_ENDPOINT_URL", "", "The bucket's endpoint; may contain the bucket's name.")
    bucket_access_key_id: str = _is("BUCKET_ACCESS_KEY_ID", "", "The bucket's access key.")
    bucket_secret_access_key: str = _is("BUCKET_SECRET_ACCESS_KEY", "", "The bucket's secret key.")
    bucket_name: str = _is("BUCKET_NAME", "", "The bucket.")
    bucket_region: str = _is(
        "BUCKET_REGION", "", "The bucket's region.", shown="read from the endpoint, else `us-east-1`"
    )
    bucket_prefix: str = _is("BUCKET_PREFIX", "", "Put before every key.")
    bucket_url_seconds: int = _is("BUCKET_URL_SECONDS", 604_800, "How long a presigned URL works.", ge=1, le=604_800)
    result_seconds: int = _is("RESULT_SECONDS", 604_800, "How long finished answers are kept.", ge=0)
    result_gb: float = _is("RESULT_GB", 10.0, "How much of them is kept.", ge=0)
    history_days: int = _is("HISTORY_DAYS", 90, "How long history is kept.", ge=0)
    keep_text: bool = _is("KEEP_TEXT", True, "Whether history keeps what was said.")
    database_url: str = _is("DATABASE_URL", "", "History's database.")

    execution_seconds: float = _is("EXECUTION_SECONDS", 600.0, "The endpoint's execution timeout.", ge=5)
    shutdown_seconds: float = _is("SHUTDOWN_SECONDS", 25.0, "How long a job in flight may go on after SIGTERM.", ge=0)

    api_keys: Words = _is("API_KEYS", (), "Keys for HTTP.")
    mode: Literal["queue", "http"] = _is("MODE", "queue", "`http` serves a load balancer, a Pod or a machine.")
    port: int = _is("PORT", 8000, "HTTP port.", ge=0, le=65_535)
    port_health: int | None = _is("PORT_HEALTH", None, "Health port.", ge=0, le=65_535, shown="`PORT`")
    base_path: str = _is("BASE_PATH", "/", "Prefix of every route.")
    cors_origins: Words = _is("CORS_ORIGINS", (), "Origins that browsers may call from.")
    model_aliases: Table = _is("MODEL_ALIASES", {}, "More names for models: `tts-1=kokoro`.")
    voice_aliases: Table = _is("VOICE_ALIASES", {}, "More names for voices: `alloy=preset:af_heart`.")
    runpod_api_key: str = _is("RUNPOD_API_KEY", "", "For commands and servers that ask deployed endpoints.")
    endpoint_address: str = _is(
        "RUNPOD_ENDPOINT_BASE_URL", "https://api.runpod.ai/v2", "Where deployed endpoints are asked."
    )
    endpoints: Table = _is("ENDPOINTS", {}, "Deployed endpoints to stand in front of: `model or group=endpoint id`.")

    gpu_device_id: int = _is("GPU_DEVICE_ID", 0, "Which card.", ge=0)
    device: str = _is("DEVICE", "auto", "`auto`, `cpu`, `cuda`.")
    dtype: str = _is(
        "DTYPE", "", "Precision: `fp32`, `bf16`, `fp16` or `int8`, of which each model has some.", shown="per model"
    )
    log_level: Literal["debug", "info", "warning", "error"] = _is("LOG_LEVEL", "info", "How much is logged.")
    gpu_price_per_hour: float | None = _is("GPU_PRICE_PER_HOUR", None, "Fills `usage.cost`.", ge=0)
    heartbeat_file: Path | None = _is(
        "HEARTBEAT_FILE", None, "File touched every ten seconds while the worker's loop moves; the image sets it."
    )

    endpoint_id: str = _is("RUNPOD_ENDPOINT_ID", "", "Set by the platform.")
    job_take_url: str = _is("RUNPOD_WEBHOOK_GET_JOB", "", "Set by the platform; its presence means the queue.")
    realtime_port: int = _is("RUNPOD_REALTIME_PORT", 0, "Set by the platform for its realtime mode.", ge=0)

    @classmethod
    def read(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Raises `misconfigured`, naming the variable, never its value: it may be a secret."""
        given = {
            key: value for key, value in (os.environ if environment is None else environment).items() if value != ""
        }
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            first = error.errors()[0]
            raise Failure("misconfigured", f"{first['loc'][0]}: {first['msg']}.") from None

    @property
    def weights(self) -> Path:
        return self.weights_dir or _first(Path("/weights"), Path("weights"))

    @property
    def model_cache(self) -> Path:
        return self.model_cache_dir or (VOLUME / "models" if VOLUME.is_dir() else self.weights)

    @property
    def output_dir(self) -> Path:
        return self.audio_output_dir or (VOLUME / "audio" if VOLUME.is_dir() else Path("out"))

    @property
    def serverless(self) -> bool:
        """Whether RunPod runs this worker: behind its queue, or its load balancer."""
        return bool(self.endpoint_id or self.job_take_url or self.realtime_port)

    @property
    def history_dir(self) -> Path:
        """On this machine's disk: what history and finished jobs keep where no store is set up."""
        scheme, _, path = self.database_url.partition(":///")
        return Path(path.partition("?")[0]).parent if scheme == "sqlite" else Path("history_data")

    @property
    def has_volume(self) -> bool:
        """Whether `auto` may choose the volume."""
        return self.audio_output_dir is not None or VOLUME.is_dir()


def started_by(environment: Mapping[str, str] | None = None) -> Literal["hand", "queue", "realtime"]:
    """Who started this worker, in the order in which the SDK looks. Needed even where the settings cannot be read."""
    given = os.environ if environment is None else environment
    if given.get("RUNPOD_REALTIME_PORT", "0").strip("0"):
        return "realtime"
    return "queue" if given.get("RUNPOD_WEBHOOK_GET_JOB") else "hand"


def quieten_sdk() -> None:
    """Before the SDK is imported: at DEBUG, its default, it prints whole answers."""
    if not os.environ.get("RUNPOD_LOG_LEVEL"):
        os.environ["RUNPOD_LOG_LEVEL"] = "INFO"


def variables() -> list[tuple[str, FieldInfo]]:
    """Each variable and what is said of it, in the order of the documentation."""
    return [(str(info.alias), info) for info in Settings.model_fields.values()]


def _first(wanted: Path, otherwise: Path) -> Path:
    return wanted if wanted.is_dir() else otherwise
