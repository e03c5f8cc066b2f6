"""What Alembic runs to upgrade: on the connection and in the transaction given to `upgrade`."""

from alembic import context

from budget.storage import migrations
from budget.storage.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=migrations.VERSION_TABLE,
)
context.run_migrations()
