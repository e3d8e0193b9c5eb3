-- Jobs and their history.
CREATE TYPE backtest_status AS ENUM ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED');

CREATE TABLE backtest_jobs (
    id uuid PRIMARY KEY,
    user_id text NOT NULL,
    status backtest_status NOT NULL DEFAULT 'PENDING',
    code_s3_path text NOT NULL,
    result_s3_path text,
    created_at timestamptz NOT NULL DEFAULT now(),
    params jsonb NOT NULL,
    name text NOT NULL,
    client_request_token text,
    request_digest text NOT NULL,
    code_digest text NOT NULL,
    manifest_digest text NOT NULL,
    dataset text NOT NULL,
    snapshot text NOT NULL,
    attempt integer NOT NULL DEFAULT 1 CHECK (attempt BETWEEN 1 AND 9999),
    sequence integer NOT NULL DEFAULT -1,
    crashes integer NOT NULL DEFAULT 0,
    used_seconds double precision NOT NULL DEFAULT 0,
    queued_at timestamptz NOT NULL DEFAULT now(),
    dispatched_at timestamptz,
    attempt_started_at timestamptz,
    started_at timestamptz,
    finished_at timestamptz,
    progress jsonb,
    failure_kind text,
    failure_message text,
    failure jsonb,
    result_version text,
    result_digest text,
    causality text,
    metrics jsonb,
    cost_usd double precision,
    report_status text NOT NULL DEFAULT 'NONE' CHECK (report_status IN ('NONE', 'READY', 'FAILED')),
    dead_lettered_at timestamptz,
    CONSTRAINT one_job_a_token UNIQUE (user_id, client_request_token),
    CONSTRAINT terminal_has_an_end
        CHECK ((finished_at IS NOT NULL) = (status IN ('COMPLETED', 'FAILED', 'CANCELLED'))),
    CONSTRAINT failed_has_a_cause CHECK ((failure_kind IS NOT NULL) = (status = 'FAILED')),
    CONSTRAINT completed_has_a_result CHECK ((result_s3_path IS NOT NULL) = (status = 'COMPLETED'))
);

CREATE INDEX backtest_jobs_of_a_user ON backtest_jobs (user_id, created_at DESC, id DESC);
CREATE INDEX backtest_jobs_alive ON backtest_jobs (queued_at) WHERE status IN ('PENDING', 'RUNNING');
CREATE INDEX backtest_jobs_recently_ended ON backtest_jobs (finished_at) WHERE finished_at IS NOT NULL;

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
