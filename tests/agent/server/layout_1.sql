CREATE TABLE tasks (id TEXT PRIMARY KEY NOT NULL, doc TEXT NOT NULL, "name" GENERATED ALWAYS AS (json_extract(doc, '$.name')) VIRTUAL, "project" GENERATED ALWAYS AS (json_extract(doc, '$.project')) VIRTUAL, "parent" GENERATED ALWAYS AS (json_extract(doc, '$.parent')) VIRTUAL, "type" GENERATED ALWAYS AS (json_extract(doc, '$.type')) VIRTUAL, "status" GENERATED ALWAYS AS (json_extract(doc, '$.status')) VIRTUAL, "user" GENERATED ALWAYS AS (json_extract(doc, '$.user')) VIRTUAL, "created" GENERATED ALWAYS AS (json_extract(doc, '$.created')) VIRTUAL, "started" GENERATED ALWAYS AS (json_extract(doc, '$.started')) VIRTUAL, "completed" GENERATED ALWAYS AS (json_extract(doc, '$.completed')) VIRTUAL, "last_update" GENERATED ALWAYS AS (json_extract(doc, '$.last_update')) VIRTUAL, "last_change" GENERATED ALWAYS AS (json_extract(doc, '$.last_change')) VIRTUAL, "tags" GENERATED ALWAYS AS (json_extract(doc, '$.tags')) VIRTUAL, "system_tags" GENERATED ALWAYS AS (json_extract(doc, '$.system_tags')) VIRTUAL);
CREATE INDEX tasks_project_last_update ON tasks ("project", "last_update");
CREATE INDEX tasks_status_last_update ON tasks ("status", "last_update");
CREATE INDEX tasks_last_update ON tasks ("last_update");
CREATE INDEX tasks_created ON tasks ("created");
CREATE INDEX tasks_parent ON tasks ("parent");
CREATE INDEX tasks_name ON tasks ("name");
CREATE TABLE tasks_parts (id TEXT NOT NULL, part TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (id, part));
CREATE TABLE models (id TEXT PRIMARY KEY NOT NULL, doc TEXT NOT NULL, "name" GENERATED ALWAYS AS (json_extract(doc, '$.name')) VIRTUAL, "project" GENERATED ALWAYS AS (json_extract(doc, '$.project')) VIRTUAL, "task" GENERATED ALWAYS AS (json_extract(doc, '$.task')) VIRTUAL, "framework" GENERATED ALWAYS AS (json_extract(doc, '$.framework')) VIRTUAL, "uri" GENERATED ALWAYS AS (json_extract(doc, '$.uri')) VIRTUAL, "ready" GENERATED ALWAYS AS (json_extract(doc, '$.ready')) VIRTUAL, "created" GENERATED ALWAYS AS (json_extract(doc, '$.created')) VIRTUAL, "last_update" GENERATED ALWAYS AS (json_extract(doc, '$.last_update')) VIRTUAL, "tags" GENERATED ALWAYS AS (json_extract(doc, '$.tags')) VIRTUAL, "system_tags" GENERATED ALWAYS AS (json_extract(doc, '$.system_tags')) VIRTUAL, "parent" GENERATED ALWAYS AS (json_extract(doc, '$.parent')) VIRTUAL, "user" GENERATED ALWAYS AS (json_extract(doc, '$.user')) VIRTUAL);
CREATE INDEX models_project_last_update ON models ("project", "last_update");
CREATE INDEX models_task ON models ("task");
CREATE INDEX models_uri ON models ("uri");
CREATE INDEX models_name ON models ("name");
CREATE INDEX models_last_update ON models ("last_update");
CREATE TABLE models_parts (id TEXT NOT NULL, part TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (id, part));
CREATE TABLE projects (id TEXT PRIMARY KEY NOT NULL, doc TEXT NOT NULL, "name" GENERATED ALWAYS AS (json_extract(doc, '$.name')) VIRTUAL, "basename" GENERATED ALWAYS AS (json_extract(doc, '$.basename')) VIRTUAL, "parent" GENERATED ALWAYS AS (json_extract(doc, '$.parent')) VIRTUAL, "created" GENERATED ALWAYS AS (json_extract(doc, '$.created')) VIRTUAL, "last_update" GENERATED ALWAYS AS (json_extract(doc, '$.last_update')) VIRTUAL, "tags" GENERATED ALWAYS AS (json_extract(doc, '$.tags')) VIRTUAL, "system_tags" GENERATED ALWAYS AS (json_extract(doc, '$.system_tags')) VIRTUAL);
CREATE INDEX projects_name ON projects ("name");
CREATE INDEX projects_parent ON projects ("parent");
CREATE INDEX projects_last_update ON projects ("last_update");
CREATE TABLE queues (id TEXT PRIMARY KEY NOT NULL, doc TEXT NOT NULL, "name" GENERATED ALWAYS AS (json_extract(doc, '$.name')) VIRTUAL, "created" GENERATED ALWAYS AS (json_extract(doc, '$.created')) VIRTUAL, "tags" GENERATED ALWAYS AS (json_extract(doc, '$.tags')) VIRTUAL, "system_tags" GENERATED ALWAYS AS (json_extract(doc, '$.system_tags')) VIRTUAL);
CREATE INDEX queues_name ON queues ("name");
CREATE TABLE workers (id TEXT PRIMARY KEY NOT NULL, doc TEXT NOT NULL, "last_report_time" GENERATED ALWAYS AS (json_extract(doc, '$.last_report_time')) VIRTUAL);
CREATE TABLE credentials (id TEXT PRIMARY KEY NOT NULL, doc TEXT NOT NULL, "user" GENERATED ALWAYS AS (json_extract(doc, '$.user')) VIRTUAL);
CREATE TABLE queue_entries (
    position INTEGER NOT NULL, queue TEXT NOT NULL, task TEXT NOT NULL UNIQUE, added TEXT NOT NULL,
    PRIMARY KEY (queue, position)
) WITHOUT ROWID;
CREATE TABLE series (
    id INTEGER PRIMARY KEY, owner TEXT NOT NULL, metric TEXT NOT NULL, variant TEXT NOT NULL,
    UNIQUE (owner, metric, variant)
);
CREATE TABLE scalars (
    series INTEGER NOT NULL, iter INTEGER NOT NULL, timestamp INTEGER NOT NULL, value REAL,
    PRIMARY KEY (series, iter)
) WITHOUT ROWID;
CREATE TABLE logs (
    id INTEGER PRIMARY KEY, owner TEXT NOT NULL, timestamp INTEGER NOT NULL, level TEXT,
    worker TEXT, message TEXT NOT NULL
);
CREATE INDEX logs_owner ON logs (owner, timestamp, id);
CREATE TABLE samples (
    id INTEGER PRIMARY KEY, owner TEXT NOT NULL, type TEXT NOT NULL, metric TEXT NOT NULL,
    variant TEXT NOT NULL, iter INTEGER NOT NULL, timestamp INTEGER NOT NULL, url TEXT,
    doc TEXT NOT NULL,
    UNIQUE (owner, type, metric, variant, iter)
);
