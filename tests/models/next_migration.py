"""A program one migration ahead of this one, for tests of what becomes of an older database."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from models import migrations
from models.database import schema_version

NEXT = "9999"
MIGRATION = f'''
import sqlalchemy as sa
from alembic import op

revision = "{NEXT}"
down_revision = "{schema_version.HEAD}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("topic", sa.Column("nickname", sa.String(), server_default="none"))


def downgrade() -> None:
    op.drop_column("topic", "nickname")
'''


@contextmanager
def next_program(folder: Path) -> Iterator[None]:
    """Let this program be one whose newest migration adds the column `topic.nickname`."""
    (folder / f"{NEXT}_nickname.py").write_text(MIGRATION, encoding="utf-8")
    usual = migrations.alembic_config

    def config_with_next(connection: Connection) -> Any:
        config = usual(connection)
        tree = Path(migrations.__file__).parent / "versions"
        config.set_main_option("path_separator", "os")
        config.set_main_option("version_locations", f"{tree}{os.pathsep}{folder}")
        return config

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema_version, "HEAD", NEXT)
        patch.setattr(migrations, "alembic_config", config_with_next)
        yield
