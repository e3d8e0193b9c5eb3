-- Every statement of the control plane, by name. An update names the state that it leaves; zero rows: it came too late.

-- name: insert_job(id, user_id, code_s3_path, params, name, client_request_token, request_digest, code_digest, manifest_digest, dataset, snapshot)!
INSERT INTO backtest_jobs (id, user_id, code_s3_path, params, name, client_request_token, request_digest, code_digest,
                           manifest_digest, dataset, snapshot)
VALUES (:id, :user_id, :code_s3_path, :params, :name, :client_request_token, :request_digest, :code_digest,
        :manifest_digest, :dataset, :snapshot)
ON CONFLICT (user_id, client_request_token) DO NOTHING;

-- name: job(id)^
SELECT * FROM backtest_jobs WHERE id = :id;

-- name: lock_job(id)^
SELECT * FROM backtest_jobs WHERE id = :id FOR UPDATE;

-- name: job_of_token(user_id, token)^
SELECT * FROM backtest_jobs WHERE user_id = :user_id AND client_request_token = :token;

-- name: list_jobs(user_id, status, before, before_id, count)
-- A page, newest first; user_id null: everybody's; status null: any; before null: from the newest.
SELECT * FROM backtest_jobs
WHERE (:user_id::text IS NULL OR user_id = :user_id)
  AND (:status::text IS NULL OR status = :status::backtest_status)
  AND (:before::timestamptz IS NULL OR (created_at, id) < (:before, :before_id::uuid))
ORDER BY created_at DESC, id DESC
LIMIT :count;

-- name: insert_event(job_id, attempt, seq, type, at, detail)!
INSERT INTO backtest_job_events (job_id, attempt, seq, type, at, detail)
VALUES (:job_id, :attempt, :seq, :type, coalesce(:at, now()), :detail)
ON CONFLICT (job_id, attempt, seq) DO NOTHING;

-- name: events_of(job_id)
SELECT attempt, seq, type, at, detail FROM backtest_job_events WHERE job_id = :job_id ORDER BY id;

-- name: mark_queued(id, attempt)!
UPDATE backtest_jobs SET queued_at = now() WHERE id = :id AND attempt = :attempt AND status = 'PENDING';

-- name: mark_dispatched(id, attempt)!
UPDATE backtest_jobs SET dispatched_at = now()
WHERE id = :id AND attempt = :attempt AND status IN ('PENDING', 'RUNNING') AND dispatched_at IS NULL;

-- name: start_job(id, attempt, seq, at, progress)!
-- STARTED, or the first PROGRESS when STARTED was lost.
UPDATE backtest_jobs
SET status = 'RUNNING', sequence = greatest(sequence, :seq), progress = coalesce(:progress, progress),
    started_at = coalesce(started_at, greatest(least(:at, now()), created_at)),
    attempt_started_at = coalesce(attempt_started_at, greatest(least(:at, now()), created_at))
WHERE id = :id AND attempt = :attempt AND status IN ('PENDING', 'RUNNING') AND sequence < :seq;

-- name: complete_job(id, attempt, seq, at, started_at, result_s3_path, result_version, result_digest, causality, metrics, usage)!
UPDATE backtest_jobs
SET status = 'COMPLETED', sequence = greatest(sequence, :seq),
    started_at = coalesce(started_at, greatest(least(:started_at, now()), created_at)),
    finished_at = greatest(least(:at, now()), started_at, created_at),
    result_s3_path = :result_s3_path, result_version = :result_version, result_digest = :result_digest,
    causality = :causality, metrics = :metrics, usage = :usage
WHERE id = :id AND attempt = :attempt AND status IN ('PENDING', 'RUNNING');

-- name: fail_job(id, attempt, seq, at, kind, message, failure, usage)!
UPDATE backtest_jobs
SET status = 'FAILED', sequence = greatest(sequence, :seq),
    finished_at = greatest(least(coalesce(:at, now()), now()), started_at, created_at),
    failure_kind = :kind, failure_message = :message, failure = :failure, usage = :usage
WHERE id = :id AND attempt = :attempt AND status IN ('PENDING', 'RUNNING');

-- name: retry_job(id, attempt, crashes)!
-- The next attempt: it waits again, and everything that speaks of the old one is stale from now on.
UPDATE backtest_jobs
SET status = 'PENDING', attempt = attempt + 1, sequence = -1, crashes = crashes + :crashes, report_status = 'NONE',
    used_seconds = used_seconds + coalesce(extract(epoch FROM now() - attempt_started_at), 0),
    queued_at = now(), dispatched_at = NULL, attempt_started_at = NULL
WHERE id = :id AND attempt = :attempt AND status IN ('PENDING', 'RUNNING');

-- name: cancel_job(id)!
UPDATE backtest_jobs SET status = 'CANCELLED', finished_at = greatest(now(), started_at, created_at)
WHERE id = :id AND status IN ('PENDING', 'RUNNING');

-- name: report_done(id, attempt, status)!
-- A result's event may overtake the one that completes its job.
UPDATE backtest_jobs SET report_status = :status
WHERE id = :id AND attempt = :attempt AND status NOT IN ('FAILED', 'CANCELLED');

-- name: never_dispatched(seconds)
SELECT * FROM backtest_jobs
WHERE status = 'PENDING' AND dispatched_at IS NULL AND queued_at < now() - make_interval(secs => :seconds)
ORDER BY queued_at LIMIT 500;

-- name: dispatched()
SELECT * FROM backtest_jobs
WHERE status IN ('PENDING', 'RUNNING') AND (dispatched_at IS NOT NULL OR status = 'RUNNING');

-- name: standing(ids)
-- What the table says of the jobs that the cluster speaks of.
SELECT id, status, attempt, finished_at < now() - interval '60 seconds' AS long_ended FROM backtest_jobs
WHERE id = ANY(:ids::uuid[]);

-- name: dead_letters()
SELECT * FROM backtest_jobs
WHERE status = 'FAILED' AND failure_kind = 'PLATFORM' AND dead_lettered_at IS NULL ORDER BY finished_at LIMIT 100;

-- name: mark_dead_lettered(id)!
UPDATE backtest_jobs SET dead_lettered_at = now() WHERE id = :id AND dead_lettered_at IS NULL;

-- name: without_report(seconds)
SELECT id FROM backtest_jobs
WHERE status = 'COMPLETED' AND report_status = 'NONE' AND finished_at < now() - make_interval(secs => :seconds)
ORDER BY finished_at DESC LIMIT 100;

-- name: give_up_reports(seconds)
UPDATE backtest_jobs SET report_status = 'FAILED'
WHERE status = 'COMPLETED' AND report_status = 'NONE' AND finished_at < now() - make_interval(secs => :seconds)
RETURNING id;

-- name: publish_snapshot(id, dataset, symbols, first_session, last_session)!
-- The same content published again becomes the newest again.
WITH published AS (
    INSERT INTO snapshots (id, dataset, symbols, first_session, last_session)
    VALUES (:id, :dataset, :symbols, :first_session, :last_session)
    ON CONFLICT (dataset, id) DO UPDATE SET published_at = clock_timestamp()
    RETURNING dataset, id, published_at
)
INSERT INTO snapshot_publications (dataset, id, published_at) SELECT dataset, id, published_at FROM published;

-- name: withdraw_snapshot(id, dataset, reason, by)!
UPDATE snapshots SET withdrawn_at = now(), withdrawn_reason = :reason, withdrawn_by = :by
WHERE id = :id AND dataset = :dataset AND withdrawn_at IS NULL;

-- name: name_snapshot(id, dataset, name)!
UPDATE snapshots SET name = :name WHERE id = :id AND dataset = :dataset;

-- name: snapshot(id, dataset)^
SELECT * FROM snapshots WHERE id = :id AND dataset = :dataset;

-- name: matching_snapshots(dataset, text, prefix)
-- By name, id, or (prefix not null) the begin of an id; dataset null: any.
SELECT * FROM snapshots
WHERE (:dataset::text IS NULL OR dataset = :dataset)
  AND (name = :text OR id = :text OR starts_with(id, :prefix::text))
ORDER BY published_at DESC LIMIT 20;

-- name: snapshot_as_of(dataset, at)^
SELECT snapshots.* FROM snapshot_publications AS p JOIN snapshots USING (dataset, id)
WHERE dataset = :dataset AND p.published_at <= :at AND withdrawn_at IS NULL ORDER BY p.published_at DESC LIMIT 1;

-- name: latest_snapshot(dataset)^
SELECT * FROM snapshots WHERE dataset = :dataset AND withdrawn_at IS NULL ORDER BY published_at DESC LIMIT 1;

-- name: list_snapshots(dataset, count)
SELECT * FROM snapshots WHERE (:dataset::text IS NULL OR dataset = :dataset) ORDER BY published_at DESC LIMIT :count;

-- name: datasets()
-- The newest snapshot of each dataset.
SELECT DISTINCT ON (dataset) * FROM snapshots WHERE withdrawn_at IS NULL ORDER BY dataset, published_at DESC;
