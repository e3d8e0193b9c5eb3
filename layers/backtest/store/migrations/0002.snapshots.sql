-- depends: 0001.jobs
-- Market data snapshots: which exist, which is the newest, which are withdrawn.
CREATE TABLE snapshots (
    id text NOT NULL,
    dataset text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    withdrawn_at timestamptz,
    withdrawn_reason text,
    symbols integer NOT NULL,
    first_session date NOT NULL,
    last_session date NOT NULL,
    PRIMARY KEY (dataset, id)
);

CREATE INDEX snapshots_newest ON snapshots (dataset, published_at DESC) WHERE withdrawn_at IS NULL;
