"""From settings to what runs: the arguments of a flow, the configuration of the gateway."""

from __future__ import annotations

from collections.abc import Mapping

from flows import demo
from flows.secret import token_secret
from flows.settings import Settings
from gateway.config import GatewayConfig


def run_flow(name: str, settings: Settings) -> int:
    """Runs `ingest` or `monitor` in this process until a signal or the end of a stream. Returns its exit status."""
    epoch_s = settings.flow.epoch_ms / 1000
    recovery, status = settings.recovery(name), settings.folder / "health"
    if name == "ingest":
        from flows.ingest import run_ingest  # only here: a command that runs no flow need not load Bytewax

        return run_ingest(
            log_url=settings.log_url,
            recovery_dir=recovery,
            clock=settings.clock,
            poll=settings.flow.poll,
            epoch_s=epoch_s,
            status_dir=status,
        )
    from flows.monitor import run_monitor

    return run_monitor(log_url=settings.log_url, recovery_dir=recovery, poll=settings.flow.poll, epoch_s=epoch_s, status_dir=status)


def gateway_config(settings: Settings, environ: Mapping[str, str]) -> GatewayConfig:
    """The gateway's configuration; makes DATA/secret at first use. Raises SettingsError, ConfigError."""
    given = settings.gateway
    config = GatewayConfig(
        log_url=settings.log_url,
        host=given.host,
        port=given.port,
        secret=token_secret(settings, environ),
        jwks=given.jwks or None,
        issuer=given.issuer or None,
        audience=given.audience or None,
        tz=given.tz,
        demo_users=demo.USERS if settings.demo else [],
        script_file=settings.script_file if settings.demo else None,
        beds=given.beds or ({demo.WARD: demo.BEDS} if settings.demo else {}),
        allowed_origins=given.allowed_origins,
        clock=settings.clock,
    )
    config.check()
    return config
