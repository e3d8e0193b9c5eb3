DROP TABLE backtest_job_events;
DROP TABLE backtest_jobs;
DROP TYPE backtest_status;
