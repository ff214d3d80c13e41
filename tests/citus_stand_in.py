"""A stand-in of Citus in a plain PostgreSQL: its functions, which note how they are called."""

STAND_IN = """
CREATE TABLE pg_dist_partition (logicalrelid regclass, call text);
CREATE FUNCTION create_reference_table(name text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO pg_dist_partition VALUES (name::regclass, name || ' everywhere')
$$;
CREATE FUNCTION create_distributed_table(name text, by text, colocate_with text DEFAULT 'default')
RETURNS void LANGUAGE sql AS $$
    INSERT INTO pg_dist_partition
    VALUES (name::regclass, name || ' by ' || by || ' with ' || colocate_with)
$$;
"""
