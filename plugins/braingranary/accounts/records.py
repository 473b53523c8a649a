"""What an account is to the rest of the program: a number and a role; an e-mail address never leaves its own table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What an account may do; each role may also do what the ones before it may."""

    READER = "reader"
    OPERATOR = "operator"
    ADMIN = "admin"


_RANK: Final = {role: rank for rank, role in enumerate(Role)}


@dataclass(frozen=True, kw_only=True)
class Account:
    """A known caller."""

    account_id: int
    role: Role

    def may(self, wanted: Role) -> bool:
        """Whether this account's role includes `wanted`."""
        return _RANK[self.role] >= _RANK[wanted]
