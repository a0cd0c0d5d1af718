"""Reads the catalogue of a database: what exists, and who may do what with it."""

from typing import Final, NamedTuple

import psycopg
from psycopg.sql import SQL, Identifier

# Partitions are left out: their names carry the hour in which they were made.
_SHAPE: Final = """
    WITH ours AS (
        SELECT c.oid, c.oid::regclass::text AS name FROM pg_class AS c
        WHERE c.relnamespace::regnamespace::text
            IN ('messaging', 'web', 'orders', 'inventory', 'payments')
            AND c.relkind IN ('r', 'p', 'S') AND NOT c.relispartition)
    SELECT format('%s.%s %s %s %s', o.name, a.attname, format_type(a.atttypid, a.atttypmod),
        a.attnotnull, pg_get_expr(d.adbin, d.adrelid))
    FROM ours AS o JOIN pg_attribute AS a
        ON a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    UNION ALL SELECT format('%s: %s', o.name, pg_get_constraintdef(k.oid))
    FROM ours AS o JOIN pg_constraint AS k ON k.conrelid = o.oid
    UNION ALL SELECT pg_get_indexdef(i.indexrelid)
    FROM ours AS o JOIN pg_index AS i ON i.indrelid = o.oid
    UNION ALL SELECT pg_get_functiondef(p.oid) FROM pg_proc AS p
    WHERE p.pronamespace::regnamespace::text IN ('messaging', 'web')
    ORDER BY 1"""

_TABLES: Final = """
    SELECT c.oid::regclass::text FROM pg_class AS c
    WHERE c.relnamespace::regnamespace::text
        IN ('messaging', 'web', 'orders', 'inventory', 'payments')
        AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    ORDER BY 1"""

# What a role may do, however it came to the right: by a grant, through PUBLIC or as a member.
_RIGHTS: Final = """
    WITH roles AS (
        SELECT rolname::text AS role FROM pg_roles
        WHERE rolname LIKE 'orderly\\_%' AND rolname <> 'orderly_owner'
        UNION ALL SELECT 'public'),
    spaces AS (
        SELECT oid, nspname FROM pg_namespace
        WHERE nspname IN ('messaging', 'web', 'orders', 'inventory', 'payments')),
    relations AS (
        SELECT c.oid, c.relkind, c.oid::regclass::text AS name
        FROM pg_class AS c JOIN spaces AS s ON s.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND NOT c.relispartition),
    held AS (
        SELECT 'table' AS kind, t.name, r.role, p.name AS right, '' AS "column",
            has_table_privilege(r.role, t.oid, p.name) AS held
        FROM relations AS t CROSS JOIN roles AS r CROSS JOIN unnest(ARRAY['SELECT', 'INSERT',
            'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN']) AS p (name)
        WHERE t.relkind <> 'S'
        UNION ALL
        SELECT 'table', t.name, r.role, p.name, a.attname,
            has_column_privilege(r.role, t.oid, a.attnum, p.name)
                AND NOT has_table_privilege(r.role, t.oid, p.name)
        FROM relations AS t
        JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
        CROSS JOIN roles AS r
        CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) AS p (name)
        WHERE t.relkind <> 'S'
        UNION ALL
        SELECT 'sequence', t.name, r.role, p.name, '', has_sequence_privilege(r.role, t.oid, p.name)
        FROM relations AS t CROSS JOIN roles AS r
        CROSS JOIN unnest(ARRAY['USAGE', 'SELECT', 'UPDATE']) AS p (name)
        WHERE t.relkind = 'S'
        UNION ALL
        SELECT 'function', s.nspname || '.' || f.proname, r.role, 'EXECUTE', '',
            has_function_privilege(r.role, f.oid, 'EXECUTE')
        FROM pg_proc AS f JOIN spaces AS s ON s.oid = f.pronamespace CROSS JOIN roles AS r
        UNION ALL
        SELECT 'schema', s.nspname, r.role, p.name, '', has_schema_privilege(r.role, s.oid, p.name)
        FROM spaces AS s CROSS JOIN roles AS r
        CROSS JOIN unnest(ARRAY['USAGE', 'CREATE']) AS p (name)
        UNION ALL
        SELECT 'database', 'this one', r.role, p.name, '',
            has_database_privilege(r.role, current_database(), p.name)
        FROM roles AS r CROSS JOIN unnest(ARRAY['CONNECT', 'CREATE', 'TEMPORARY']) AS p (name))
    SELECT h.kind, h.name, coalesce(h.role, ''), coalesce(h.right, ''), coalesce(h.column, '')
    FROM held AS h WHERE h.held
    UNION ALL
    SELECT DISTINCT h.kind, h.name, '', '', '' FROM held AS h
    ORDER BY 1, 2, 3, 4, 5"""

_PARTITION_RIGHTS: Final = """
    SELECT format('%s %s', c.oid::regclass, r.rolname)
    FROM pg_class AS c CROSS JOIN pg_roles AS r CROSS JOIN unnest(ARRAY['INSERT', 'UPDATE',
        'DELETE', 'TRUNCATE', 'SELECT']) AS p (name)
    WHERE c.relispartition AND c.relkind = 'r' AND r.rolname LIKE 'orderly\\_%'
        AND r.rolname <> 'orderly_owner' AND (has_table_privilege(r.rolname, c.oid, p.name)
            OR (p.name NOT IN ('DELETE', 'TRUNCATE')
                AND has_any_column_privilege(r.rolname, c.oid, p.name)))"""


class Right(NamedTuple):
    """One right; `column` is empty when it covers the whole object.

    Each object has one entry more, with an empty role: nobody's right to it is listed as well.
    """

    kind: str
    target: str
    role: str
    right: str
    column: str


def shape(url: str) -> list[str]:
    """Return columns, constraints, indexes and functions, one text each."""
    with psycopg.connect(url) as connection:
        return [str(row[0]) for row in connection.execute(_SHAPE)]


def row_counts(url: str) -> dict[str, int]:
    """Return how many rows each table has, its partitions' included."""
    counted: dict[str, int] = {}
    with psycopg.connect(url) as connection:
        for (table,) in connection.execute(_TABLES).fetchall():
            query = SQL("SELECT count(*) FROM {}").format(Identifier(*table.split(".")))
            counted[table] = sum(int(rows) for (rows,) in connection.execute(query))
    return counted


def rights(url: str) -> list[Right]:
    """Return every right on what is ours that is not the owner's, and the objects themselves."""
    with psycopg.connect(url) as connection:
        return [Right(*map(str, row)) for row in connection.execute(_RIGHTS)]


def rights_on_partitions(url: str) -> list[str]:
    """Return who has a right on a partition itself: it would go past the rights of its parent."""
    with psycopg.connect(url) as connection:
        return [str(row[0]) for row in connection.execute(_PARTITION_RIGHTS)]
