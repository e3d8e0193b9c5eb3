-- depends: 0003.usage
-- Names of snapshots, who withdrew one, and every time that one was published.
ALTER TABLE snapshots ADD COLUMN name text;
ALTER TABLE snapshots ADD COLUMN withdrawn_by text;
ALTER TABLE snapshots ADD CONSTRAINT one_snapshot_a_name UNIQUE (dataset, name);

CREATE TABLE snapshot_publications (
    dataset text NOT NULL,
    id text NOT NULL,
    published_at timestamptz NOT NULL,
    PRIMARY KEY (dataset, published_at, id),
    CONSTRAINT of_a_snapshot FOREIGN KEY (dataset, id) REFERENCES snapshots (dataset, id) ON DELETE CASCADE
);
INSERT INTO snapshot_publications
SELECT dataset, id, created_at FROM snapshots UNION SELECT dataset, id, published_at FROM snapshots;
