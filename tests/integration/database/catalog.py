"""Reads the catalogue of a database: what exists, and who may do what with it."""

from typing import Final, NamedTuple

import psycopg

# Partitions are left out: their names carry the hour in which they were made.
_SHAPE: Final = """
    WITH ours AS (
        SELECT c.oid, c.oid::regclass::text AS name FROM pg_class AS c
        WHERE c.relnamespace::regnamespace::text
            IN ('messaging', 'web', 'orders', 'inventory', 'payments')
            AND c.relkind IN ('r', 'p', 'S') AND NOT c.relispartition)
    SELECT format('%s.%s %s %s %s', o.name, a.attname, format_type(a.atttypid, a.atttypmod),
        a.attnotnull, pg_get_expr(d.adbin, d.adrelid))
    FROM ours AS o JOIN pg_attribute AS a ON a.attrelid = o.oid AND a.attnum > 0
    LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    UNION ALL SELECT format('%s: %s', o.name, pg_get_constraintdef(k.oid))
    FROM ours AS o JOIN pg_constraint AS k ON k.conrelid = o.oid
    UNION ALL SELECT pg_get_indexdef(i.indexrelid)
    FROM ours AS o JOIN pg_index AS i ON i.indrelid = o.oid
    UNION ALL SELECT pg_get_functiondef(p.oid) FROM pg_proc AS p
    WHERE p.pronamespace::regnamespace::text IN ('messaging', 'web')
    ORDER BY 1"""

_RIGHTS: Final = """
    WITH ours AS (
        SELECT c.oid, c.oid::regclass::text AS name, c.relacl, c.relowner FROM pg_class AS c
        WHERE c.relnamespace::regnamespace::text
            IN ('messaging', 'web', 'orders', 'inventory', 'payments')
            AND c.relkind IN ('r', 'p', 'S') AND NOT c.relispartition),
    functions AS (
        SELECT p.oid, p.proname, p.pronamespace, p.proacl, p.proowner FROM pg_proc AS p
        WHERE p.pronamespace::regnamespace::text
            IN ('messaging', 'web', 'orders', 'inventory', 'payments'))
    SELECT r.grantee::regrole::text, o.name, r.privilege_type, ''
    FROM ours AS o, aclexplode(o.relacl) AS r WHERE r.grantee <> o.relowner
    UNION ALL
    SELECT r.grantee::regrole::text, o.name, r.privilege_type, a.attname
    FROM ours AS o JOIN pg_attribute AS a ON a.attrelid = o.oid, aclexplode(a.attacl) AS r
    WHERE r.grantee <> o.relowner
    UNION ALL
    SELECT r.grantee::regrole::text, f.pronamespace::regnamespace || '.' || f.proname,
        r.privilege_type, ''
    FROM functions AS f, aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) AS r
    WHERE r.grantee <> f.proowner
    ORDER BY 1, 2, 3, 4"""


class Right(NamedTuple):
    """One right; `column` is empty when it covers the whole object, `-` stands for PUBLIC."""

    role: str
    target: str
    right: str
    column: str


def shape(url: str) -> list[str]:
    """Return columns, constraints, indexes and functions, one text each."""
    with psycopg.connect(url) as connection:
        return [str(row[0]) for row in connection.execute(_SHAPE)]


def rights(url: str) -> list[Right]:
    """Return every right on our tables, sequences and functions that is not the owner's."""
    with psycopg.connect(url) as connection:
        return [Right(*map(str, row)) for row in connection.execute(_RIGHTS)]
