-- The schema as it stands: the sum of the migrations beside this file (a test compares the two).
-- Times are of the database's clock, but for those that a sidecar reports (started_at, finished_at, events.at).

CREATE TYPE backtest_status AS ENUM ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED');

-- One row a job. What a status means and how it moves: backtest/job.py.
CREATE TABLE backtest_jobs (
    id uuid PRIMARY KEY,
    user_id text NOT NULL,                          -- the IAM unique principal id, never what a path claims
    status backtest_status NOT NULL DEFAULT 'PENDING',
    code_s3_path text NOT NULL,                     -- s3://runs/code/{digest}/{name}: what was checked is what runs
    result_s3_path text,                            -- s3://runs/.../result.json, set with COMPLETED
    created_at timestamptz NOT NULL DEFAULT now(),
    params jsonb NOT NULL,                          -- the whole request, resolved (dataset, symbols, start, end, params ...)
    name text NOT NULL,                             -- file name, as a label
    client_request_token text,
    request_digest text NOT NULL,                   -- what the token stands for: name, code, parameters as sent
    code_digest text NOT NULL,                      -- SHA-256, hex
    manifest_digest text NOT NULL,                  -- of runs/{job}/run.json
    dataset text NOT NULL,
    snapshot text NOT NULL,
    attempt integer NOT NULL DEFAULT 1 CHECK (attempt BETWEEN 1 AND 9999),
    sequence integer NOT NULL DEFAULT -1,           -- highest event applied of this attempt
    crashes integer NOT NULL DEFAULT 0,             -- attempts lost without a cause of the run's own
    used_seconds double precision NOT NULL DEFAULT 0, -- run time of earlier attempts
    queued_at timestamptz NOT NULL DEFAULT now(),   -- when this attempt was last put on the queue
    dispatched_at timestamptz,                      -- when this attempt's Job was made
    attempt_started_at timestamptz,                 -- when this attempt's sidecar first spoke
    started_at timestamptz,                         -- when the first attempt's did
    finished_at timestamptz,
    progress jsonb,
    failure_kind text,
    failure_message text,
    failure jsonb,                                  -- file, line, cell, traceback, last_lines
    result_version text,                            -- S3 version id of result.json
    result_digest text,
    causality text,
    metrics jsonb,
    cost_usd double precision,
    report_status text NOT NULL DEFAULT 'NONE' CHECK (report_status IN ('NONE', 'READY', 'FAILED')),
    dead_lettered_at timestamptz,
    usage jsonb,                                    -- of the attempt that ended: peak memory, CPU, sandbox, who says so
    CONSTRAINT one_job_a_token UNIQUE (user_id, client_request_token),
    CONSTRAINT terminal_has_an_end
        CHECK ((finished_at IS NOT NULL) = (status IN ('COMPLETED', 'FAILED', 'CANCELLED'))),
    CONSTRAINT failed_has_a_cause CHECK ((failure_kind IS NOT NULL) = (status = 'FAILED')),
    CONSTRAINT completed_has_a_result CHECK ((result_s3_path IS NOT NULL) = (status = 'COMPLETED'))
);

CREATE INDEX backtest_jobs_of_a_user ON backtest_jobs (user_id, created_at DESC, id DESC);
CREATE INDEX backtest_jobs_alive ON backtest_jobs (queued_at) WHERE status IN ('PENDING', 'RUNNING');
CREATE INDEX backtest_jobs_recently_ended ON backtest_jobs (finished_at) WHERE finished_at IS NOT NULL;

-- The history: a sidecar's events carry its sequence number, the platform's own (SUBMITTED, RETRIED ...) none.
CREATE TABLE backtest_job_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id uuid NOT NULL REFERENCES backtest_jobs (id) ON DELETE CASCADE,
    attempt integer NOT NULL,
    seq integer,
    type text NOT NULL,
    at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    detail jsonb,
    CONSTRAINT an_event_is_told_once UNIQUE (job_id, attempt, seq)
);

-- Market data snapshots: which exist, which is the newest, which are withdrawn.
CREATE TABLE snapshots (
    id text NOT NULL,
    dataset text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz NOT NULL DEFAULT clock_timestamp(), -- moves when the same content is published again
    withdrawn_at timestamptz,                       -- no new run resolves to it
    withdrawn_reason text,
    symbols integer NOT NULL,
    first_session date NOT NULL,
    last_session date NOT NULL,
    name text,                                      -- what people call it
    withdrawn_by text,                              -- the IAM unique principal id
    PRIMARY KEY (dataset, id),
    CONSTRAINT one_snapshot_a_name UNIQUE (dataset, name)
);

CREATE INDEX snapshots_newest ON snapshots (dataset, published_at DESC) WHERE withdrawn_at IS NULL;

-- Every time that a snapshot was published: which one was the newest as of a time.
CREATE TABLE snapshot_publications (
    dataset text NOT NULL,
    id text NOT NULL,
    published_at timestamptz NOT NULL,
    PRIMARY KEY (dataset, published_at, id),
    CONSTRAINT of_a_snapshot FOREIGN KEY (dataset, id) REFERENCES snapshots (dataset, id) ON DELETE CASCADE
);
