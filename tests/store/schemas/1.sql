CREATE TABLE alert_states (
	vantage TEXT NOT NULL, 
	check_key TEXT NOT NULL, 
	rule TEXT NOT NULL, 
	phase TEXT NOT NULL, 
	streak INTEGER NOT NULL, 
	since DATETIME, 
	bad_since DATETIME, 
	incident INTEGER, 
	PRIMARY KEY (vantage, check_key, rule)
);
CREATE TABLE checks (
	id INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	vantage TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	rolled_until INTEGER NOT NULL, 
	last_at INTEGER, 
	PRIMARY KEY (id), 
	UNIQUE ("key", vantage), 
	FOREIGN KEY(vantage) REFERENCES vantages (name)
);
CREATE TABLE day_rollups (
	period INTEGER NOT NULL, 
	check_id INTEGER NOT NULL, 
	up INTEGER NOT NULL, 
	degraded INTEGER NOT NULL, 
	down INTEGER NOT NULL, 
	unknown INTEGER NOT NULL, 
	maintenance INTEGER NOT NULL, 
	late INTEGER NOT NULL, 
	missed INTEGER NOT NULL, 
	tokens_in INTEGER NOT NULL, 
	tokens_out INTEGER NOT NULL, 
	cost_e8 INTEGER NOT NULL, 
	kinds TEXT, 
	ttft_p50_100us INTEGER, 
	ttft_p95_100us INTEGER, 
	ttft_p99_100us INTEGER, 
	total_p50_100us INTEGER, 
	total_p95_100us INTEGER, 
	total_p99_100us INTEGER, 
	histograms BLOB NOT NULL, 
	PRIMARY KEY (period, check_id), 
	FOREIGN KEY(check_id) REFERENCES checks (id)
)
 WITHOUT ROWID

;
CREATE VIEW days AS SELECT strftime('%Y-%m-%d', period * 86400, 'unixepoch') AS at, checks.key AS check_key, checks.vantage,
    up, degraded, down, unknown, maintenance,
    (up + degraded) * 1.0 / nullif(up + degraded + down, 0) AS availability,
    up * 1.0 / nullif(up + degraded + down, 0) AS good, late, missed, kinds, ttft_p50_100us / 10.0 AS ttft_p50_ms, ttft_p95_100us / 10.0 AS ttft_p95_ms, ttft_p99_100us / 10.0 AS ttft_p99_ms, total_p50_100us / 10.0 AS total_p50_ms, total_p95_100us / 10.0 AS total_p95_ms, total_p99_100us / 10.0 AS total_p99_ms,
    tokens_in, tokens_out, cost_e8 / 1e8 AS cost_usd, period
FROM day_rollups JOIN checks ON checks.id = check_id;
CREATE TABLE evidence (
	at INTEGER NOT NULL, 
	check_id INTEGER NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (at, check_id), 
	FOREIGN KEY(check_id) REFERENCES checks (id)
)
 WITHOUT ROWID

;
CREATE TABLE habits (
	vantage TEXT NOT NULL, 
	check_key TEXT NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (vantage, check_key)
);
CREATE TABLE hour_rollups (
	period INTEGER NOT NULL, 
	check_id INTEGER NOT NULL, 
	up INTEGER NOT NULL, 
	degraded INTEGER NOT NULL, 
	down INTEGER NOT NULL, 
	unknown INTEGER NOT NULL, 
	maintenance INTEGER NOT NULL, 
	late INTEGER NOT NULL, 
	missed INTEGER NOT NULL, 
	tokens_in INTEGER NOT NULL, 
	tokens_out INTEGER NOT NULL, 
	cost_e8 INTEGER NOT NULL, 
	kinds TEXT, 
	ttft_p50_100us INTEGER, 
	ttft_p95_100us INTEGER, 
	ttft_p99_100us INTEGER, 
	total_p50_100us INTEGER, 
	total_p95_100us INTEGER, 
	total_p99_100us INTEGER, 
	histograms BLOB NOT NULL, 
	PRIMARY KEY (period, check_id), 
	FOREIGN KEY(check_id) REFERENCES checks (id)
)
 WITHOUT ROWID

;
CREATE VIEW hours AS SELECT strftime('%Y-%m-%dT%H:00:00Z', period * 3600, 'unixepoch') AS at, checks.key AS check_key, checks.vantage,
    up, degraded, down, unknown, maintenance,
    (up + degraded) * 1.0 / nullif(up + degraded + down, 0) AS availability,
    up * 1.0 / nullif(up + degraded + down, 0) AS good, late, missed, kinds, ttft_p50_100us / 10.0 AS ttft_p50_ms, ttft_p95_100us / 10.0 AS ttft_p95_ms, ttft_p99_100us / 10.0 AS ttft_p99_ms, total_p50_100us / 10.0 AS total_p50_ms, total_p95_100us / 10.0 AS total_p95_ms, total_p99_100us / 10.0 AS total_p99_ms,
    tokens_in, tokens_out, cost_e8 / 1e8 AS cost_usd, period
FROM hour_rollups JOIN checks ON checks.id = check_id;
CREATE TABLE incidents (
	vantage TEXT NOT NULL, 
	id INTEGER NOT NULL, 
	service TEXT, 
	severity TEXT NOT NULL, 
	opened DATETIME NOT NULL, 
	closed DATETIME, 
	kind TEXT NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (vantage, id)
);
CREATE TABLE key_value (
	vantage TEXT NOT NULL, 
	name TEXT NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (vantage, name)
);
CREATE TABLE ledger (
	vantage TEXT NOT NULL, 
	day TEXT NOT NULL, 
	service TEXT NOT NULL, 
	tokens INTEGER NOT NULL, 
	money FLOAT NOT NULL, 
	PRIMARY KEY (vantage, day, service)
);
CREATE TABLE outbox (
	vantage TEXT NOT NULL, 
	id INTEGER NOT NULL, 
	state TEXT NOT NULL, 
	channel TEXT NOT NULL, 
	done DATETIME, 
	last_error TEXT NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (vantage, id)
);
CREATE TABLE requests (
	id INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	what TEXT NOT NULL, 
	target TEXT NOT NULL, 
	until DATETIME, 
	text TEXT NOT NULL, 
	done DATETIME, 
	PRIMARY KEY (id)
);
CREATE TABLE runs (
	at INTEGER NOT NULL, 
	check_id INTEGER NOT NULL, 
	outcome SMALLINT NOT NULL, 
	kind_id INTEGER, 
	message_id INTEGER, 
	in_maintenance SMALLINT NOT NULL, 
	missed INTEGER NOT NULL, 
	late_ms INTEGER NOT NULL, 
	trusted SMALLINT NOT NULL, 
	dns_100us INTEGER, 
	connect_100us INTEGER, 
	tls_100us INTEGER, 
	ttfb_100us INTEGER, 
	ttft_100us INTEGER, 
	ttft_visible_100us INTEGER, 
	total_100us INTEGER, 
	tokens_per_10s INTEGER, 
	tokens_in INTEGER, 
	tokens_out INTEGER, 
	cost_e8 INTEGER, 
	http_status INTEGER, 
	ip_id INTEGER, 
	model_id INTEGER, 
	cert_expires INTEGER, 
	retry_after_ms INTEGER, 
	events INTEGER, 
	content_chunks INTEGER, 
	stream_tokens INTEGER, 
	tokens_estimated SMALLINT, 
	stall_max_100us INTEGER, 
	icl_p50_100us INTEGER, 
	icl_p95_100us INTEGER, 
	finish_id INTEGER, 
	complete SMALLINT, 
	heartbeats INTEGER, 
	PRIMARY KEY (at, check_id), 
	FOREIGN KEY(check_id) REFERENCES checks (id), 
	FOREIGN KEY(kind_id) REFERENCES words (id), 
	FOREIGN KEY(message_id) REFERENCES words (id), 
	FOREIGN KEY(ip_id) REFERENCES words (id), 
	FOREIGN KEY(model_id) REFERENCES words (id), 
	FOREIGN KEY(finish_id) REFERENCES words (id)
)
 WITHOUT ROWID

;
CREATE VIEW runs_readable AS SELECT strftime('%Y-%m-%dT%H:%M:%S', runs.at / 1000, 'unixepoch') || printf('.%03dZ', runs.at % 1000) AS at,
    checks.key AS check_key, checks.vantage,
    CASE outcome WHEN 0 THEN 'up' WHEN 1 THEN 'degraded' WHEN 2 THEN 'down' ELSE 'unknown' END AS outcome,
    kind.text AS kind, message.text AS message, in_maintenance, http_status, dns_100us / 10.0 AS dns_ms, connect_100us / 10.0 AS connect_ms, tls_100us / 10.0 AS tls_ms, ttfb_100us / 10.0 AS ttfb_ms, ttft_100us / 10.0 AS ttft_ms, ttft_visible_100us / 10.0 AS ttft_visible_ms, total_100us / 10.0 AS total_ms,
    tokens_per_10s / 10.0 AS tokens_per_s, tokens_in, tokens_out, cost_e8 / 1e8 AS cost_usd,
    model.text AS model, ip.text AS remote_ip, finish.text AS finish_reason, complete, missed, late_ms,
    runs.at AS at_ms
FROM runs JOIN checks ON checks.id = check_id
    LEFT JOIN words kind ON kind.id = kind_id LEFT JOIN words message ON message.id = message_id
    LEFT JOIN words model ON model.id = model_id LEFT JOIN words ip ON ip.id = ip_id
    LEFT JOIN words finish ON finish.id = finish_id;
CREATE TABLE subscribers (
	vantage TEXT NOT NULL, 
	channel TEXT NOT NULL, 
	chat INTEGER NOT NULL, 
	service TEXT NOT NULL, 
	language TEXT NOT NULL, 
	since DATETIME NOT NULL, 
	PRIMARY KEY (vantage, channel, chat, service)
);
CREATE VIEW timeline AS SELECT incidents.vantage, incidents.id AS incident,
    json_extract(value, '$.at') AS at, json_extract(value, '$.what') AS what,
    json_extract(value, '$.check') AS check_key, json_extract(value, '$.kind') AS kind,
    json_extract(value, '$.text') AS text
FROM incidents, json_each(body, '$.timeline');
CREATE TABLE vantages (
	name TEXT NOT NULL, 
	PRIMARY KEY (name)
);
CREATE TABLE words (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	what TEXT NOT NULL, 
	text TEXT NOT NULL, 
	used INTEGER NOT NULL, 
	UNIQUE (what, text)
);
CREATE INDEX incidents_open ON incidents (id) WHERE closed IS NULL;
CREATE INDEX incidents_opened ON incidents (opened);
CREATE INDEX outbox_state ON outbox (state, id);
CREATE INDEX runs_check ON runs (check_id, at);
