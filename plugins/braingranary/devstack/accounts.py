"""The unprivileged account that runs PostgreSQL when root starts the stack, and a folder that it can reach.

Why: PostgreSQL refuses to run as root, and a checkout under /root (mode 0700) cannot be entered by anybody else. No
account is created: an existing one is used by its number.

Out: an `Identity`, and a home for its files: the state folder itself where the account can enter it, otherwise a folder
of /var/tmp that only this state folder uses. Fails with ConfigurationError where root can become nobody else.
"""

from __future__ import annotations

import functools
import os
import pwd
import secrets
import subprocess
from pathlib import Path
from typing import Final

from braingranary.devstack.processes import Identity
from braingranary.devstack.state import State
from braingranary.errors import Code, ConfigurationError

_PREFERRED: Final = ("nobody", "postgres", "daemon")
_OUTSIDE: Final = Path("/var/tmp")  # noqa: S108 - a folder in it is made with care in `home_for`


@functools.cache
def unprivileged() -> Identity | None:
    """None where nobody has to be found (we are not root); otherwise an account that root can become here.

    initdb looks its account up by number, so only accounts of the account file count. In a user namespace some of them
    cannot be become, which is why each is tried.
    """
    if os.geteuid() != 0:
        return None
    accounts = {entry.pw_name: entry for entry in pwd.getpwall() if entry.pw_uid != 0}
    for name in sorted(accounts, key=lambda name: (name not in _PREFERRED, accounts[name].pw_uid)):
        identity = Identity(uid=accounts[name].pw_uid, gid=accounts[name].pw_gid)
        if can(identity, "x", Path("/")):
            return identity
    raise ConfigurationError(Code.CONFIGURATION_INVALID, "root can become no other account here: start it as a user")


def can(identity: Identity | None, right: str, path: Path) -> bool:
    """Whether the account (None: ourselves) may `r`ead, `w`rite or e`x`ecute (enter) the path, asked of the system."""
    if identity is None:
        return os.access(path, {"r": os.R_OK, "w": os.W_OK, "x": os.X_OK}[right])
    try:
        asked = subprocess.run(
            ["/usr/bin/test", f"-{right}", str(path)],
            user=identity.uid,
            group=identity.gid,
            extra_groups=[],
            cwd="/",
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return asked.returncode == 0


def home_for(identity: Identity | None, state: Path) -> Path:
    """A folder, made if needed, that the account owns and can reach, always the same for the same state folder."""
    state.mkdir(parents=True, exist_ok=True)
    if identity is None or can(identity, "x", state):
        home = state / "postgres"
    else:
        # A name that the folder keeps: one made later at its place must not find a cluster whose password went with it.
        home = _OUTSIDE / f"braingranary-{State(state).secret('home', lambda: secrets.token_hex(8))}"
    home.mkdir(mode=0o700, exist_ok=True)
    found = home.lstat()
    owners = {os.geteuid(), identity.uid if identity else os.geteuid()}
    if home.is_symlink() or found.st_uid not in owners:
        raise ConfigurationError(Code.CONFIGURATION_INVALID, f"{home} belongs to somebody else: remove it")
    if identity is not None:
        os.chown(home, identity.uid, identity.gid)
    return home
