DROP TABLE snapshot_publications;
ALTER TABLE snapshots DROP CONSTRAINT one_snapshot_a_name;
ALTER TABLE snapshots DROP COLUMN withdrawn_by;
ALTER TABLE snapshots DROP COLUMN name;
