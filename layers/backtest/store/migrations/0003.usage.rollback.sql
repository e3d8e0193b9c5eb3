ALTER TABLE backtest_jobs DROP COLUMN usage;
