"""Statements that a person runs after reading them; nothing here is executed by a program."""

from typing import Final

SWITCH_ON: Final = "ALTER SYSTEM SET {name} = on; SELECT pg_reload_conf()"
LOG_ENOUGH: Final = "ALTER SYSTEM SET wal_level = replica, and restart"
READ_COMMITTED: Final = (
    "ALTER SYSTEM SET default_transaction_isolation = 'read committed'; SELECT pg_reload_conf()"
)
NO_SUPERUSER: Final = "ALTER ROLE {role} NOSUPERUSER"
SET_TIMEOUT: Final = "ALTER ROLE {role} SET {timeout} = '10s'"
VACUUM_AGAIN: Final = "ALTER TABLE {table} RESET (autovacuum_enabled)"
VACUUM: Final = "VACUUM {table}; see who holds the horizon"
END_SESSION: Final = "SELECT pg_terminate_backend({pid})"
DROP_SLOT: Final = "SELECT pg_drop_replication_slot('{name}') if nobody needs it"
ROLL_BACK: Final = "ROLLBACK PREPARED '{name}'"
END_PREPARED: Final = "COMMIT PREPARED or ROLLBACK PREPARED '{name}'"
DROP_TABLES: Final = "DROP TABLE {tables}, once nobody needs them"
