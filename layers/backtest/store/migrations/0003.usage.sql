-- depends: 0002.snapshots
-- What the last attempt's strategy took: peak memory, CPU seconds, sandbox, and who says so.
ALTER TABLE backtest_jobs ADD COLUMN usage jsonb;
