CREATE TABLE alert_state (
	check_key TEXT NOT NULL, 
	rule TEXT NOT NULL, 
	phase TEXT NOT NULL, 
	streak INTEGER NOT NULL, 
	since INTEGER, 
	bad_since INTEGER, 
	incident INTEGER, 
	vantage TEXT NOT NULL, 
	PRIMARY KEY (check_key, rule)
);
CREATE TABLE checks (
	number INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	vantage TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	last INTEGER NOT NULL, 
	PRIMARY KEY (number), 
	UNIQUE ("key", vantage)
);
CREATE TABLE day (
	"key" INTEGER NOT NULL, 
	body BLOB NOT NULL, 
	PRIMARY KEY ("key")
);
CREATE TABLE evidence (
	"key" INTEGER NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY ("key")
);
CREATE TABLE habit (
	check_key TEXT NOT NULL, 
	body TEXT NOT NULL, 
	vantage TEXT NOT NULL, 
	PRIMARY KEY (check_key)
);
CREATE TABLE hour (
	"key" INTEGER NOT NULL, 
	body BLOB NOT NULL, 
	PRIMARY KEY ("key")
);
CREATE TABLE incident (
	id INTEGER NOT NULL, 
	service TEXT, 
	severity TEXT NOT NULL, 
	opened INTEGER NOT NULL, 
	closed INTEGER, 
	body TEXT NOT NULL, 
	vantage TEXT NOT NULL, 
	PRIMARY KEY (id)
);
CREATE INDEX incident_open ON incident (id) WHERE closed IS NULL;
CREATE INDEX incident_opened ON incident (opened);
CREATE TABLE ledger (
	day INTEGER NOT NULL, 
	service TEXT NOT NULL, 
	tokens INTEGER NOT NULL, 
	money FLOAT NOT NULL, 
	vantage TEXT NOT NULL, 
	PRIMARY KEY (day, service)
);
CREATE TABLE meta (
	name TEXT NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (name)
);
CREATE TABLE outbox (
	id INTEGER NOT NULL, 
	state TEXT NOT NULL, 
	channel TEXT NOT NULL, 
	not_before INTEGER NOT NULL, 
	done INTEGER, 
	last_error TEXT NOT NULL, 
	body TEXT NOT NULL, 
	vantage TEXT NOT NULL, 
	PRIMARY KEY (id)
);
CREATE INDEX outbox_state ON outbox (state, id);
CREATE TABLE past (
	number INTEGER NOT NULL, 
	body BLOB NOT NULL, 
	PRIMARY KEY (number)
);
CREATE TABLE quarter (
	"key" INTEGER NOT NULL, 
	body BLOB NOT NULL, 
	PRIMARY KEY ("key")
);
CREATE TABLE request (
	id INTEGER NOT NULL, 
	at INTEGER NOT NULL, 
	what TEXT NOT NULL, 
	target TEXT NOT NULL, 
	until INTEGER, 
	text TEXT NOT NULL, 
	done INTEGER, 
	PRIMARY KEY (id)
);
CREATE TABLE result (
	"key" INTEGER NOT NULL, 
	body BLOB NOT NULL, 
	PRIMARY KEY ("key")
);
CREATE TABLE texts (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	kind SMALLINT NOT NULL, 
	text TEXT NOT NULL, 
	used INTEGER NOT NULL, 
	UNIQUE (kind, text)
);
