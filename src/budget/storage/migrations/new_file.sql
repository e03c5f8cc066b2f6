-- A new SQLite file, as the revisions make it: `python -m tests.support.new_file` writes this.
CREATE TABLE budget_revision (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT budget_revision_pkc PRIMARY KEY (version_num)
);
CREATE TABLE state (
	id INTEGER NOT NULL, 
	epoch INTEGER NOT NULL, 
	xid INTEGER NOT NULL, 
	catalogue_version INTEGER NOT NULL, alike_after INTEGER DEFAULT (-1) NOT NULL, 
	CONSTRAINT pk_state PRIMARY KEY (id), 
	CONSTRAINT ck_state_one_row CHECK (id = 1)
)
 STRICT

;
CREATE TABLE budgets (
	budget_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	description TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	scope TEXT NOT NULL, 
	per TEXT NOT NULL, 
	unpriced TEXT, 
	metadata TEXT NOT NULL, 
	created_us INTEGER NOT NULL, 
	updated_us INTEGER NOT NULL, 
	archived_us INTEGER, degrade TEXT DEFAULT '[]' NOT NULL, 
	CONSTRAINT pk_budgets PRIMARY KEY (budget_id)
)
 STRICT

;
CREATE TABLE policies (
	policy_id TEXT NOT NULL, 
	budget_id TEXT NOT NULL, 
	unit TEXT NOT NULL, 
	period TEXT NOT NULL, 
	timezone TEXT NOT NULL, 
	reset_day TEXT NOT NULL, 
	limit_amount INTEGER NOT NULL, 
	enforcement TEXT NOT NULL, 
	warning_bps INTEGER NOT NULL, 
	action_bps INTEGER NOT NULL, 
	rollover INTEGER NOT NULL, 
	on_expiry TEXT NOT NULL, 
	headroom TEXT NOT NULL, 
	partition_by TEXT NOT NULL, 
	limits TEXT NOT NULL, 
	created_us INTEGER NOT NULL, 
	archived_us INTEGER, 
	succeeds TEXT, 
	CONSTRAINT pk_policies PRIMARY KEY (policy_id), 
	CONSTRAINT ck_policies_unit_known CHECK (unit IN ('usd', 'tokens', 'input_tokens', 'output_tokens', 'requests')), 
	CONSTRAINT ck_policies_enforcement_known CHECK (enforcement IN ('ignore', 'warn', 'soft_limit', 'hard_limit')), 
	CONSTRAINT ck_policies_on_expiry_known CHECK (on_expiry IN ('assume', 'release')), 
	CONSTRAINT ck_policies_limit_amount_range CHECK (limit_amount BETWEEN 0 AND 1000000000000000000), 
	CONSTRAINT ck_policies_warning_bps_range CHECK (warning_bps BETWEEN 0 AND 10000), 
	CONSTRAINT ck_policies_action_bps_range CHECK (action_bps BETWEEN 0 AND 10000)
)
 STRICT

;
CREATE INDEX ix_policies_budget_id ON policies (budget_id);
CREATE TABLE top_ups (
	top_up_id TEXT NOT NULL, 
	policy_id TEXT NOT NULL, 
	partition TEXT, 
	amount INTEGER NOT NULL, 
	at_us INTEGER NOT NULL, 
	until_us INTEGER NOT NULL, 
	actor TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	CONSTRAINT pk_top_ups PRIMARY KEY (top_up_id), 
	CONSTRAINT ck_top_ups_amount_range CHECK (amount BETWEEN 1 AND 1000000000000000000)
)
 STRICT

;
CREATE INDEX ix_top_ups_policy_id ON top_ups (policy_id);
CREATE TABLE api_keys (
	key_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	secret_hash TEXT NOT NULL, 
	scopes TEXT NOT NULL, 
	created_us INTEGER NOT NULL, 
	revoked_us INTEGER, bound TEXT DEFAULT '{}' NOT NULL, max_priority INTEGER DEFAULT 5 NOT NULL, expires_us INTEGER, last_used_us INTEGER, created_by TEXT, rotates TEXT, 
	CONSTRAINT pk_api_keys PRIMARY KEY (key_id)
)
 STRICT

;
CREATE TABLE heads (
	id INTEGER NOT NULL, 
	policy_id TEXT NOT NULL, 
	partition TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	last_us INTEGER NOT NULL, 
	start_us INTEGER NOT NULL, 
	end_us INTEGER NOT NULL, 
	spent INTEGER NOT NULL, 
	reserved INTEGER NOT NULL, 
	assumed INTEGER NOT NULL, 
	overrun INTEGER NOT NULL, 
	carry INTEGER NOT NULL, 
	buckets TEXT NOT NULL, 
	CONSTRAINT pk_heads PRIMARY KEY (id), 
	CONSTRAINT ck_heads_spent_range CHECK (spent BETWEEN 0 AND 4000000000000000000), 
	CONSTRAINT ck_heads_reserved_range CHECK (reserved BETWEEN 0 AND 4000000000000000000), 
	CONSTRAINT ck_heads_assumed_range CHECK (assumed BETWEEN 0 AND 4000000000000000000), 
	CONSTRAINT ck_heads_overrun_range CHECK (overrun BETWEEN 0 AND 4000000000000000000), 
	CONSTRAINT uq_heads_policy_id_partition UNIQUE (policy_id, partition)
)
 STRICT

;
CREATE TABLE windows (
	head_id INTEGER NOT NULL, 
	start_us INTEGER NOT NULL, 
	end_us INTEGER NOT NULL, 
	spent INTEGER NOT NULL, 
	reserved INTEGER NOT NULL, 
	assumed INTEGER NOT NULL, 
	overrun INTEGER NOT NULL, 
	carry INTEGER NOT NULL, 
	CONSTRAINT pk_windows PRIMARY KEY (head_id, start_us), 
	CONSTRAINT ck_windows_spent_range CHECK (spent BETWEEN 0 AND 4000000000000000000), 
	CONSTRAINT ck_windows_reserved_range CHECK (reserved BETWEEN 0 AND 4000000000000000000), 
	CONSTRAINT ck_windows_assumed_range CHECK (assumed BETWEEN 0 AND 4000000000000000000), 
	CONSTRAINT ck_windows_overrun_range CHECK (overrun BETWEEN 0 AND 4000000000000000000), 
	CONSTRAINT ck_windows_order CHECK (start_us < end_us)
)
 WITHOUT ROWID,
 STRICT

;
CREATE TABLE allocations (
	id TEXT NOT NULL, 
	status TEXT NOT NULL, 
	actor TEXT NOT NULL, 
	parent_id TEXT, 
	envelope INTEGER NOT NULL, 
	attributes TEXT NOT NULL, 
	provider TEXT, 
	model TEXT, 
	session TEXT, 
	priority INTEGER NOT NULL, 
	placed_us INTEGER NOT NULL, 
	expires_us INTEGER NOT NULL, 
	ttl_us INTEGER NOT NULL, 
	rates TEXT, 
	legs TEXT NOT NULL, 
	usd_held INTEGER, 
	tokens_held INTEGER, 
	requests_held INTEGER, 
	usd_left INTEGER, 
	tokens_left INTEGER, 
	requests_left INTEGER, 
	usd_first INTEGER, 
	tokens_first INTEGER, 
	requests_first INTEGER, 
	input_tokens INTEGER, 
	granted_first INTEGER, 
	granted INTEGER, 
	records INTEGER NOT NULL, 
	settled_by TEXT, 
	request_hash TEXT NOT NULL, 
	metadata TEXT NOT NULL, 
	updated_us INTEGER NOT NULL, bound_tokens INTEGER, bound_family TEXT, price_context TEXT, 
	CONSTRAINT pk_allocations PRIMARY KEY (id), 
	CONSTRAINT ck_allocations_status_known CHECK (status IN ('open', 'settled', 'released', 'expired')), 
	CONSTRAINT ck_allocations_usd_held_range CHECK (usd_held BETWEEN 0 AND 4000000000000000000), 
	CONSTRAINT ck_allocations_tokens_held_range CHECK (tokens_held BETWEEN 0 AND 4000000000000000000), 
	CONSTRAINT ck_allocations_requests_held_range CHECK (requests_held BETWEEN 0 AND 4000000000000000000)
)
 STRICT

;
CREATE INDEX ix_allocations_due ON allocations (expires_us) WHERE status = 'open';
CREATE INDEX ix_allocations_parent ON allocations (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX ix_allocations_placed ON allocations (placed_us, id);
CREATE INDEX ix_allocations_session ON allocations (session) WHERE session IS NOT NULL;
CREATE TABLE usage (
	id TEXT NOT NULL, 
	allocation_id TEXT, 
	entry_id INTEGER NOT NULL, 
	actor TEXT NOT NULL, 
	recorded_us INTEGER NOT NULL, 
	occurred_us INTEGER NOT NULL, 
	attributes TEXT NOT NULL, 
	provider TEXT, 
	model TEXT, 
	session TEXT, 
	task TEXT, 
	input_tokens INTEGER NOT NULL, 
	output_tokens INTEGER NOT NULL, 
	cache_read_tokens INTEGER NOT NULL, 
	cache_write_tokens INTEGER NOT NULL, 
	cache_write_1h_tokens INTEGER NOT NULL, 
	reasoning_tokens INTEGER NOT NULL, 
	requests INTEGER NOT NULL, 
	cost_nanos INTEGER, 
	reported_cost_nanos INTEGER, 
	rates TEXT, 
	flags TEXT NOT NULL, 
	final INTEGER NOT NULL, 
	reverses TEXT, 
	replaces TEXT, 
	reason TEXT, 
	request_hash TEXT NOT NULL, 
	metadata TEXT NOT NULL, 
	units TEXT NOT NULL, price_context TEXT, 
	CONSTRAINT pk_usage PRIMARY KEY (id), 
	CONSTRAINT ck_usage_input_tokens_range CHECK (input_tokens BETWEEN -4000000000000000000 AND 4000000000000000000), 
	CONSTRAINT ck_usage_output_tokens_range CHECK (output_tokens BETWEEN -4000000000000000000 AND 4000000000000000000), 
	CONSTRAINT ck_usage_requests_range CHECK (requests BETWEEN -4000000000000000000 AND 4000000000000000000), 
	CONSTRAINT ck_usage_cost_nanos_range CHECK (cost_nanos BETWEEN -4000000000000000000 AND 4000000000000000000)
)
 STRICT

;
CREATE INDEX ix_usage_allocation ON usage (allocation_id) WHERE allocation_id IS NOT NULL;
CREATE INDEX ix_usage_occurred ON usage (occurred_us, id);
CREATE UNIQUE INDEX ix_usage_reverses ON usage (reverses) WHERE reverses IS NOT NULL;
CREATE INDEX ix_usage_session ON usage (session) WHERE session IS NOT NULL;
CREATE INDEX ix_usage_task ON usage (task) WHERE task IS NOT NULL;
CREATE TABLE usage_tags (
	name TEXT NOT NULL, 
	value TEXT NOT NULL, 
	usage_id TEXT NOT NULL, 
	CONSTRAINT pk_usage_tags PRIMARY KEY (name, value, usage_id)
)
 WITHOUT ROWID,
 STRICT

;
CREATE TABLE entries (
	id INTEGER NOT NULL, 
	at_us INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	actor TEXT NOT NULL, 
	allocation_id TEXT, 
	usage_id TEXT, 
	budget_id TEXT, 
	policy_id TEXT, 
	legs TEXT NOT NULL, 
	detail TEXT NOT NULL, 
	CONSTRAINT pk_entries PRIMARY KEY (id)
)
 STRICT

;
CREATE INDEX ix_entries_backfilled ON entries (id) WHERE kind = 'backfilled';
CREATE TABLE keys (
	actor TEXT NOT NULL, 
	act TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	request_hash TEXT NOT NULL, 
	ref TEXT NOT NULL, 
	at_us INTEGER NOT NULL, 
	CONSTRAINT pk_keys PRIMARY KEY (actor, act, "key")
)
 STRICT

;
CREATE INDEX ix_keys_at_us ON keys (at_us);
CREATE TABLE series (
	id TEXT NOT NULL, 
	org TEXT NOT NULL, 
	team TEXT NOT NULL, 
	project TEXT NOT NULL, 
	user TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	component TEXT NOT NULL, 
	agent TEXT NOT NULL, 
	task_type TEXT NOT NULL, 
	tier TEXT NOT NULL, 
	provider TEXT NOT NULL, 
	model TEXT NOT NULL, 
	CONSTRAINT pk_series PRIMARY KEY (id)
)
 WITHOUT ROWID,
 STRICT

;
CREATE TABLE rollups (
	grain TEXT NOT NULL, 
	start_us INTEGER NOT NULL, 
	series_id TEXT NOT NULL, 
	records INTEGER NOT NULL, 
	requests INTEGER NOT NULL, 
	input_tokens INTEGER NOT NULL, 
	output_tokens INTEGER NOT NULL, 
	cache_read_tokens INTEGER NOT NULL, 
	cache_write_tokens INTEGER NOT NULL, 
	reasoning_tokens INTEGER NOT NULL, 
	cost_nanos INTEGER NOT NULL, 
	unpriced INTEGER NOT NULL, 
	CONSTRAINT pk_rollups PRIMARY KEY (grain, start_us, series_id), 
	CONSTRAINT ck_rollups_grain_known CHECK (grain IN ('hour', 'day'))
)
 WITHOUT ROWID,
 STRICT

;
CREATE TABLE alerts (
	id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	severity TEXT NOT NULL, 
	policy_id TEXT NOT NULL, 
	partition TEXT NOT NULL, 
	window_us INTEGER NOT NULL, 
	at_us INTEGER NOT NULL, 
	detail TEXT NOT NULL, entry_id INTEGER, acknowledged_us INTEGER, acknowledged_by TEXT, dismissed_us INTEGER, dismissed_by TEXT, resolved_us INTEGER, note TEXT, 
	CONSTRAINT pk_alerts PRIMARY KEY (id), 
	CONSTRAINT ck_alerts_severity_known CHECK (severity IN ('info', 'warning', 'error')), 
	CONSTRAINT uq_alerts_policy_id_partition_window_us_kind UNIQUE (policy_id, partition, window_us, kind)
)
 STRICT

;
CREATE INDEX ix_alerts_at_us ON alerts (at_us);
CREATE TRIGGER entries_no_update BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'entries are never changed'); END;
CREATE TRIGGER entries_no_delete BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'entries are never changed'); END;
CREATE TRIGGER usage_no_update BEFORE UPDATE ON usage BEGIN SELECT RAISE(ABORT, 'usage are never changed'); END;
CREATE TRIGGER usage_no_delete BEFORE DELETE ON usage BEGIN SELECT RAISE(ABORT, 'usage are never changed'); END;
CREATE TABLE price_state (
	id INTEGER NOT NULL, 
	version INTEGER NOT NULL, 
	CONSTRAINT pk_price_state PRIMARY KEY (id), 
	CONSTRAINT ck_price_state_one_row CHECK (id = 1)
)
 STRICT

;
CREATE TABLE price_snapshots (
	basis TEXT NOT NULL, 
	source TEXT NOT NULL, 
	version TEXT NOT NULL, 
	sha256 TEXT NOT NULL, 
	models INTEGER NOT NULL, 
	taken_us INTEGER NOT NULL, 
	origin TEXT NOT NULL, 
	status TEXT NOT NULL, 
	body BLOB NOT NULL, 
	CONSTRAINT pk_price_snapshots PRIMARY KEY (basis), 
	CONSTRAINT ck_price_snapshots_status_known CHECK (status IN ('applied', 'quarantined', 'rejected'))
)
 STRICT

;
CREATE INDEX ix_price_snapshots_source_taken_us ON price_snapshots (source, taken_us);
CREATE TABLE price_sources (
	source TEXT NOT NULL, 
	basis TEXT, 
	place TEXT, 
	etag TEXT, 
	last_modified TEXT, 
	checked_us INTEGER, 
	applied_us INTEGER, 
	error TEXT, 
	CONSTRAINT pk_price_sources PRIMARY KEY (source)
)
 STRICT

;
CREATE TABLE closed_prices (
	id TEXT NOT NULL, 
	source TEXT NOT NULL, 
	provider TEXT NOT NULL, 
	model TEXT NOT NULL, 
	context TEXT NOT NULL, 
	from_us INTEGER, 
	until_us INTEGER, 
	schedule TEXT NOT NULL, 
	basis TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	CONSTRAINT pk_closed_prices PRIMARY KEY (id), 
	CONSTRAINT ck_closed_prices_reason_known CHECK (reason IN ('changed', 'quarantined', 'dropped'))
)
 STRICT

;
CREATE UNIQUE INDEX ix_closed_prices_kept ON closed_prices (source, provider, model, context) WHERE until_us IS NULL;
CREATE TABLE price_updates (
	id TEXT NOT NULL, 
	at_us INTEGER NOT NULL, 
	source TEXT NOT NULL, 
	provider TEXT NOT NULL, 
	model TEXT NOT NULL, 
	context TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	from_tokens INTEGER NOT NULL, 
	old_pico INTEGER, 
	new_pico INTEGER, 
	change_bps INTEGER, 
	from_us INTEGER NOT NULL, 
	old_basis TEXT, 
	new_basis TEXT NOT NULL, 
	status TEXT NOT NULL, 
	decided_by TEXT, 
	decided_us INTEGER, 
	reason TEXT, 
	CONSTRAINT pk_price_updates PRIMARY KEY (id), 
	CONSTRAINT ck_price_updates_status_known CHECK (status IN ('applied', 'quarantined', 'accepted', 'rejected', 'withdrawn'))
)
 STRICT

;
CREATE INDEX ix_price_updates_provider_model ON price_updates (provider, model);
CREATE INDEX ix_price_updates_waiting ON price_updates (source, provider, model, context) WHERE status IN ('quarantined', 'rejected');
CREATE TABLE price_overrides (
	id TEXT NOT NULL, 
	provider TEXT, 
	model TEXT NOT NULL, 
	context TEXT NOT NULL, 
	rates TEXT NOT NULL, 
	from_us INTEGER, 
	until_us INTEGER, 
	actor TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	created_us INTEGER NOT NULL, 
	CONSTRAINT pk_price_overrides PRIMARY KEY (id)
)
 STRICT

;
CREATE INDEX ix_price_overrides_model ON price_overrides (model);
CREATE TRIGGER price_snapshots_no_update BEFORE UPDATE ON price_snapshots WHEN NEW.basis IS NOT OLD.basis OR NEW.source IS NOT OLD.source OR NEW.version IS NOT OLD.version OR NEW.sha256 IS NOT OLD.sha256 OR NEW.models IS NOT OLD.models OR NEW.taken_us IS NOT OLD.taken_us OR NEW.origin IS NOT OLD.origin OR NEW.body IS NOT OLD.body BEGIN SELECT RAISE(ABORT, 'price_snapshots are never changed but for status'); END;
CREATE TRIGGER price_snapshots_no_delete BEFORE DELETE ON price_snapshots BEGIN SELECT RAISE(ABORT, 'price_snapshots are never deleted'); END;
CREATE TRIGGER price_overrides_no_update BEFORE UPDATE ON price_overrides WHEN NEW.id IS NOT OLD.id OR NEW.provider IS NOT OLD.provider OR NEW.model IS NOT OLD.model OR NEW.context IS NOT OLD.context OR NEW.rates IS NOT OLD.rates OR NEW.from_us IS NOT OLD.from_us OR NEW.actor IS NOT OLD.actor OR NEW.reason IS NOT OLD.reason OR NEW.created_us IS NOT OLD.created_us OR NEW.until_us IS NULL OR (OLD.until_us IS NOT NULL AND NEW.until_us > OLD.until_us) BEGIN SELECT RAISE(ABORT, 'price_overrides are never changed but for until_us'); END;
CREATE TRIGGER price_overrides_no_delete BEFORE DELETE ON price_overrides BEGIN SELECT RAISE(ABORT, 'price_overrides are never deleted'); END;
CREATE TRIGGER closed_prices_no_update BEFORE UPDATE ON closed_prices WHEN NEW.id IS NOT OLD.id OR NEW.source IS NOT OLD.source OR NEW.provider IS NOT OLD.provider OR NEW.model IS NOT OLD.model OR NEW.context IS NOT OLD.context OR NEW.from_us IS NOT OLD.from_us OR NEW.schedule IS NOT OLD.schedule OR NEW.basis IS NOT OLD.basis OR NEW.reason IS NOT OLD.reason OR NEW.until_us IS NULL OR (OLD.until_us IS NOT NULL AND NEW.until_us > OLD.until_us) BEGIN SELECT RAISE(ABORT, 'closed_prices are never changed but for until_us'); END;
CREATE TRIGGER closed_prices_no_delete BEFORE DELETE ON closed_prices BEGIN SELECT RAISE(ABORT, 'closed_prices are never deleted'); END;
CREATE INDEX ix_allocations_taught ON allocations (updated_us, id) WHERE bound_tokens IS NOT NULL AND status = 'settled';
CREATE TABLE calibrations (
	family TEXT NOT NULL, 
	actor TEXT NOT NULL, 
	samples INTEGER NOT NULL, 
	factor_bps INTEGER NOT NULL, 
	seen TEXT NOT NULL, 
	updated_us INTEGER NOT NULL, 
	CONSTRAINT pk_calibrations PRIMARY KEY (family, actor), 
	CONSTRAINT ck_calibrations_samples_range CHECK (samples BETWEEN 0 AND 4000000000000000000), 
	CONSTRAINT ck_calibrations_factor_bps_range CHECK (factor_bps BETWEEN 1 AND 100000)
)
 STRICT

;
CREATE TABLE calibration_state (
	id INTEGER NOT NULL, 
	settled_us INTEGER NOT NULL, 
	allocation_id TEXT NOT NULL, 
	CONSTRAINT pk_calibration_state PRIMARY KEY (id), 
	CONSTRAINT ck_calibration_state_one_row CHECK (id = 1)
)
 STRICT

;
CREATE TABLE login_links (
	link_hash TEXT NOT NULL, 
	key_id TEXT NOT NULL, 
	created_us INTEGER NOT NULL, 
	expires_us INTEGER NOT NULL, 
	used_us INTEGER, 
	CONSTRAINT pk_login_links PRIMARY KEY (link_hash)
)
 STRICT

;
CREATE TABLE sessions (
	session_hash TEXT NOT NULL, 
	session_id TEXT NOT NULL, 
	actor TEXT NOT NULL, 
	name TEXT NOT NULL, 
	scopes TEXT NOT NULL, 
	bound TEXT NOT NULL, 
	max_priority INTEGER NOT NULL, 
	key_id TEXT, 
	created_us INTEGER NOT NULL, 
	expires_us INTEGER NOT NULL, 
	ended_us INTEGER, 
	CONSTRAINT pk_sessions PRIMARY KEY (session_hash)
)
 STRICT

;
CREATE UNIQUE INDEX ix_sessions_session_id ON sessions (session_id);
CREATE INDEX ix_sessions_expires_us ON sessions (expires_us);
CREATE INDEX ix_alerts_live ON alerts (at_us, id) WHERE resolved_us IS NULL;
CREATE TABLE channels (
	channel_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	target TEXT NOT NULL, 
	secret TEXT, 
	former_secret TEXT, 
	former_until_us INTEGER, 
	wanted TEXT NOT NULL, 
	quiet TEXT, 
	digest_us INTEGER, 
	bound TEXT NOT NULL, 
	enabled INTEGER NOT NULL, 
	created_by TEXT NOT NULL, 
	created_us INTEGER NOT NULL, 
	updated_us INTEGER NOT NULL, 
	archived_us INTEGER, 
	"after" INTEGER NOT NULL, 
	CONSTRAINT pk_channels PRIMARY KEY (channel_id), 
	CONSTRAINT ck_channels_kind_known CHECK (kind IN ('webhook', 'email', 'chat'))
)
 STRICT

;
CREATE TABLE deliveries (
	delivery_id TEXT NOT NULL, 
	channel_id TEXT NOT NULL, 
	entry_id INTEGER NOT NULL, 
	status TEXT NOT NULL, 
	attempts INTEGER NOT NULL, 
	due_us INTEGER NOT NULL, 
	created_us INTEGER NOT NULL, 
	done_us INTEGER, 
	answer TEXT, 
	digest_id TEXT, 
	CONSTRAINT pk_deliveries PRIMARY KEY (delivery_id), 
	CONSTRAINT ck_deliveries_status_known CHECK (status IN ('pending', 'delivered', 'dead', 'skipped')), 
	CONSTRAINT ck_deliveries_attempts_range CHECK (attempts BETWEEN 0 AND 1000), 
	CONSTRAINT uq_deliveries_channel_id_entry_id UNIQUE (channel_id, entry_id)
)
 STRICT

;
CREATE INDEX ix_deliveries_due ON deliveries (channel_id, due_us, entry_id) WHERE status = 'pending';
CREATE INDEX ix_deliveries_created ON deliveries (channel_id, created_us, entry_id);
CREATE TABLE top_up_requests (
	request_id TEXT NOT NULL, 
	budget_id TEXT NOT NULL, 
	policy_id TEXT NOT NULL, 
	partition TEXT, 
	amount INTEGER NOT NULL, 
	until_us INTEGER, 
	reason TEXT NOT NULL, 
	actor TEXT NOT NULL, 
	status TEXT NOT NULL, 
	created_us INTEGER NOT NULL, 
	expires_us INTEGER NOT NULL, 
	decided_us INTEGER, 
	decided_by TEXT, 
	decision TEXT, 
	top_up_id TEXT, 
	CONSTRAINT pk_top_up_requests PRIMARY KEY (request_id), 
	CONSTRAINT ck_top_up_requests_status_known CHECK (status IN ('pending', 'approved', 'rejected', 'withdrawn')), 
	CONSTRAINT ck_top_up_requests_amount_range CHECK (amount BETWEEN 1 AND 1000000000000000000)
)
 STRICT

;
CREATE INDEX ix_top_up_requests_budget_id_created_us ON top_up_requests (budget_id, created_us);
CREATE INDEX ix_top_up_requests_created_us_request_id ON top_up_requests (created_us, request_id);
CREATE TABLE settings (
	name TEXT NOT NULL, 
	value TEXT NOT NULL, 
	updated_us INTEGER NOT NULL, 
	updated_by TEXT NOT NULL, 
	CONSTRAINT pk_settings PRIMARY KEY (name)
)
 STRICT

;
CREATE TABLE blocks (
	number INTEGER NOT NULL, 
	first_entry_id INTEGER NOT NULL, 
	last_entry_id INTEGER NOT NULL, 
	entries INTEGER NOT NULL, 
	digests BLOB NOT NULL, 
	former_hash TEXT NOT NULL, 
	block_hash TEXT NOT NULL, 
	sealed_us INTEGER NOT NULL, 
	CONSTRAINT pk_blocks PRIMARY KEY (number), 
	CONSTRAINT ck_blocks_entries_range CHECK (entries BETWEEN 1 AND 1000000000)
)
 STRICT

;
CREATE TRIGGER blocks_no_update BEFORE UPDATE ON blocks BEGIN SELECT RAISE(ABORT, 'blocks are never changed'); END;
CREATE TRIGGER blocks_no_delete BEFORE DELETE ON blocks BEGIN SELECT RAISE(ABORT, 'blocks are never changed'); END;
CREATE INDEX ix_entries_refused ON entries (id, at_us) WHERE kind = 'refused';
CREATE INDEX ix_entries_audited ON entries (id) WHERE kind NOT IN ('placed', 'recorded', 'settled', 'released', 'extended', 'expired', 'reported', 'refused', 'degraded', 'alert_raised', 'alert_resolved');
CREATE TABLE neighbour_notes (
	neighbour TEXT NOT NULL, 
	name TEXT NOT NULL, 
	value TEXT NOT NULL, 
	updated_us INTEGER NOT NULL, 
	CONSTRAINT pk_neighbour_notes PRIMARY KEY (neighbour, name)
)
 STRICT

;
INSERT INTO "budget_revision" VALUES('0009');
INSERT INTO "calibration_state" VALUES(1,0,'');
INSERT INTO "price_state" VALUES(1,1);
INSERT INTO "state" VALUES(1,1,0,1,-1);
