// The tables of the store. A migration that was released is never edited; a new one is added.

import BelfryCore
import GRDB

enum Schema {
    /// The number of the newest migration, kept in `PRAGMA user_version` so that an older program
    /// knows at one look that it must keep its hands off.
    static let version = 3

    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        for (index, sql) in [first, second, third].enumerated() {
            migrator.registerMigration("\(index + 1)") { db in
                try db.execute(sql: sql)
                try db.execute(sql: "PRAGMA user_version = \(index + 1)")
            }
        }
        return migrator
    }

    /// `ANY` is text that anyone may write: see `String.free`.
    private static let first = """
        CREATE TABLE tasks (
            number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, feature TEXT NOT NULL, title ANY NOT NULL,
            params TEXT NOT NULL, user_id ANY NOT NULL, origin ANY, notify TEXT NOT NULL, labels TEXT NOT NULL,
            priority INTEGER NOT NULL, task_group TEXT NOT NULL, lane TEXT NOT NULL, hold_count INTEGER NOT NULL,
            not_before INTEGER, ready INTEGER NOT NULL, status TEXT NOT NULL, progress REAL NOT NULL, message ANY,
            result TEXT, error TEXT, attempt INTEGER NOT NULL, max_attempts INTEGER NOT NULL, fence INTEGER NOT NULL,
            revision INTEGER NOT NULL, owner TEXT, lease_boot TEXT, lease_expires INTEGER,
            cancel_requested INTEGER NOT NULL, on_interrupt TEXT NOT NULL, batch_id TEXT, idempotency_key ANY,
            unique_key ANY, context TEXT, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
            started_at INTEGER, finished_at INTEGER
        ) STRICT;
        CREATE TABLE attempts (
            task_number INTEGER NOT NULL, number INTEGER NOT NULL, fence INTEGER NOT NULL, owner TEXT NOT NULL,
            started_at INTEGER NOT NULL, finished_at INTEGER, outcome TEXT, error TEXT,
            PRIMARY KEY (task_number, number)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE dependencies (
            task_number INTEGER NOT NULL, depends_on INTEGER NOT NULL, PRIMARY KEY (task_number, depends_on)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE batches (
            id TEXT PRIMARY KEY, title ANY NOT NULL, total INTEGER NOT NULL, completed INTEGER NOT NULL,
            failed INTEGER NOT NULL, cancelled INTEGER NOT NULL, created_at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE events (
            position INTEGER PRIMARY KEY, time INTEGER NOT NULL, kind TEXT NOT NULL, task_id TEXT, json BLOB NOT NULL
        ) STRICT;
        CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE cursors (sink TEXT PRIMARY KEY, epoch TEXT NOT NULL, position INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE parked (
            sink TEXT NOT NULL, position INTEGER NOT NULL, reason ANY NOT NULL, time INTEGER NOT NULL,
            PRIMARY KEY (sink, position)
        ) STRICT, WITHOUT ROWID;

        CREATE INDEX tasks_claimable ON tasks (lane, priority DESC, number) WHERE status = 'pending' AND ready = 1;
        CREATE INDEX tasks_waiting ON tasks (not_before) WHERE status = 'pending' AND ready = 0 AND hold_count = 0;
        CREATE INDEX tasks_waiting_lanes ON tasks (lane) WHERE status = 'pending' AND ready = 0 AND hold_count = 0;
        CREATE INDEX tasks_processing ON tasks (number) WHERE status = 'processing';
        CREATE INDEX tasks_by_status ON tasks (status, number);
        CREATE INDEX tasks_by_feature ON tasks (feature, number);
        CREATE INDEX tasks_by_batch ON tasks (batch_id, number) WHERE batch_id IS NOT NULL;
        CREATE INDEX tasks_by_update ON tasks (updated_at);
        CREATE UNIQUE INDEX tasks_by_key ON tasks (user_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
        CREATE INDEX tasks_by_unique_key ON tasks (unique_key) WHERE unique_key IS NOT NULL;
        CREATE INDEX events_by_task ON events (task_id, position) WHERE task_id IS NOT NULL;
        """

    /// Needs, turns, stashing, deadlines, options and checkpoints of tasks; groups; schedules.
    ///
    /// `ready` is 1 where nothing holds a task back. It keeps delayed and held tasks out of the
    /// claim's index, so that 100,000 of them cost a claim nothing. Most indexes are partial: a task is in few
    /// of them at a time, and one that is finished costs nobody anything. Queries name the partial index that
    /// they are made for where SQLite, without statistics, would choose another.
    private static let second = """
        ALTER TABLE tasks ADD COLUMN needs TEXT NOT NULL DEFAULT '';
        ALTER TABLE tasks ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE tasks ADD COLUMN flow TEXT;
        ALTER TABLE tasks ADD COLUMN stashed INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE tasks ADD COLUMN deadline INTEGER;
        ALTER TABLE tasks ADD COLUMN options TEXT;
        ALTER TABLE tasks ADD COLUMN checkpoint TEXT;
        ALTER TABLE dependencies ADD COLUMN satisfied INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE dependencies ADD COLUMN place INTEGER NOT NULL DEFAULT 0;
        CREATE TABLE groups (name TEXT PRIMARY KEY, slots INTEGER, state TEXT NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE schedules (
            name TEXT PRIMARY KEY, rule TEXT NOT NULL, zone TEXT NOT NULL, catch_up TEXT NOT NULL,
            paused INTEGER NOT NULL, task TEXT NOT NULL, next_at INTEGER, last_tick INTEGER, last_task TEXT,
            made INTEGER NOT NULL, missed INTEGER NOT NULL, revision INTEGER NOT NULL,
            created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;

        DROP INDEX tasks_claimable;
        DROP INDEX tasks_waiting_lanes;
        DROP INDEX tasks_by_status;
        DROP INDEX tasks_by_update;
        DROP INDEX tasks_by_unique_key;
        DROP INDEX tasks_by_feature;
        CREATE INDEX tasks_claimable ON tasks (lane, priority DESC, turn, number)
            WHERE status = 'pending' AND ready = 1;
        CREATE INDEX tasks_waiting_lanes ON tasks (lane, priority, turn) WHERE status = 'pending' AND ready = 0;
        CREATE INDEX tasks_by_unique_key ON tasks (unique_key, status, number) WHERE unique_key IS NOT NULL;
        CREATE INDEX tasks_by_flow ON tasks (lane, priority, flow, turn)
            WHERE status = 'pending' AND flow IS NOT NULL;
        CREATE INDEX tasks_woken ON tasks (not_before)
            WHERE status = 'pending' AND ready = 1 AND not_before IS NOT NULL;
        CREATE INDEX tasks_by_deadline ON tasks (deadline) WHERE status = 'pending' AND deadline IS NOT NULL;
        CREATE INDEX tasks_pending ON tasks (number) WHERE status = 'pending';
        CREATE INDEX tasks_final ON tasks (status, number) WHERE finished_at IS NOT NULL;
        CREATE INDEX tasks_by_feature ON tasks (feature, status, number) WHERE finished_at IS NOT NULL;
        CREATE INDEX tasks_by_end ON tasks (finished_at, number) WHERE finished_at IS NOT NULL;
        CREATE INDEX dependencies_by_target ON dependencies (depends_on) WHERE satisfied = 0;
        """

    /// What became of a dependency that was cleared: a retry of what came after it goes by that.
    private static let third = """
        ALTER TABLE dependencies ADD COLUMN removed_id TEXT;
        ALTER TABLE dependencies ADD COLUMN removed_status TEXT;
        DROP INDEX dependencies_by_target;
        CREATE INDEX dependencies_by_target ON dependencies (depends_on, satisfied, task_number);
        """
}
