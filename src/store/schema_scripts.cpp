#include "store/schema_scripts.hpp"

#include "enprof/store/profile_database.hpp"

#include <array>
#include <string_view>

namespace enprof {
namespace {

// ---- version 1 ----------------------------------------------------------------------------------

/// The columns of a Figure, in each table that has one. Columns ending in `_j`, `_w` and `_ns` hold
/// the program's values bit for bit; `_mj`, `_mw` and `_ms` are computed from them when read.
constexpr std::string_view kFigureV1 = R"sql(
  duration_ns INTEGER NOT NULL,
  duration_ms REAL AS (duration_ns / 1e6),
  energy_j REAL,
  energy_mj REAL AS (energy_j * 1e3),
  baseline_energy_j REAL,
  baseline_energy_mj REAL AS (baseline_energy_j * 1e3),
  dynamic_energy_j REAL,
  dynamic_energy_mj REAL AS (dynamic_energy_j * 1e3),
  mean_power_w REAL,
  mean_power_mw REAL AS (mean_power_w * 1e3),
  sensor TEXT,
  method TEXT,
  coverage REAL NOT NULL,
  resolution REAL,
  standard_error_j REAL,
  standard_error_mj REAL AS (standard_error_j * 1e3),
  foreign_cpu_share REAL,)sql";

/// Long text comes last in a row, so that reading the columns before it need not skip over it.
constexpr std::string_view kRunsV1 = R"sql(
CREATE TABLE runs (
  run_key INTEGER PRIMARY KEY,
  run_id TEXT NOT NULL UNIQUE,
  status TEXT NOT NULL,
  started_at_ms INTEGER NOT NULL,
  started_at TEXT AS (strftime('%Y-%m-%dT%H:%M:%fZ', started_at_ms / 1000.0, 'unixepoch')),
  depth TEXT NOT NULL,
  experiment TEXT,
  finish_reason TEXT,
  model_name TEXT,
  model_path TEXT,
  architecture TEXT,
  quantization TEXT,
  engine TEXT,
  parameters INTEGER,
  file_bytes INTEGER,
  weight_bytes INTEGER,
  layers INTEGER,
  embedding_width INTEGER,
  feed_forward_width INTEGER,
  heads INTEGER,
  kv_heads INTEGER,
  head_width INTEGER,
  experts INTEGER,
  experts_used INTEGER,
  vocabulary INTEGER,
  context_trained INTEGER,
  context INTEGER,
  kv_cache_bytes INTEGER,
  kv_cache_used_bytes INTEGER,
  gpu_layers INTEGER,
  threads INTEGER,
  load_ns INTEGER,
  load_ms REAL AS (load_ns / 1e6),
{figure}
  prompt_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  time_to_first_token_ns INTEGER,
  time_to_first_token_ms REAL AS (time_to_first_token_ns / 1e6),
  prefill_tokens_per_second REAL,
  decode_tokens_per_second REAL,
  energy_per_input_token_j REAL,
  energy_per_input_token_mj REAL AS (energy_per_input_token_j * 1e3),
  energy_per_output_token_j REAL,
  energy_per_output_token_mj REAL AS (energy_per_output_token_j * 1e3),
  output_to_input_energy_ratio REAL,
  tokens_per_joule REAL,
  edp_js REAL,
  edp_per_token_js REAL,
  price_usd_per_kwh REAL NOT NULL,
  carbon_g_per_kwh REAL NOT NULL,
  cost_usd REAL,
  co2_g REAL,
  power_interval_ns INTEGER NOT NULL,
  power_interval_ms REAL AS (power_interval_ns / 1e6),
  baseline_power_w REAL,
  baseline_power_mw REAL AS (baseline_power_w * 1e3),
  baseline_power_spread_w REAL,
  baseline_power_spread_mw REAL AS (baseline_power_spread_w * 1e3),
  baseline_duration_ns INTEGER,
  baseline_duration_ms REAL AS (baseline_duration_ns / 1e6),
  baseline_windows INTEGER,
  peak_power_w REAL,
  peak_power_mw REAL AS (peak_power_w * 1e3),
  peak_at_ns INTEGER,
  peak_at_ms REAL AS (peak_at_ns / 1e6),
  peak_window_ns INTEGER,
  peak_window_ms REAL AS (peak_window_ns / 1e6),
  prompt TEXT NOT NULL,
  response TEXT NOT NULL
) STRICT;
CREATE INDEX runs_by_start ON runs (started_at_ms);
CREATE INDEX runs_by_model ON runs (model_name, started_at_ms);
CREATE INDEX runs_by_experiment ON runs (experiment, started_at_ms);

CREATE TABLE tags (
  run_key INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  position INTEGER NOT NULL,
  tag TEXT NOT NULL,
  PRIMARY KEY (run_key, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX tags_by_tag ON tags (tag);

CREATE TABLE warnings (
  run_key INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  position INTEGER NOT NULL,
  component TEXT NOT NULL,
  code TEXT NOT NULL,
  message TEXT NOT NULL,
  hint TEXT,
  PRIMARY KEY (run_key, position)
) STRICT, WITHOUT ROWID;
)sql";

constexpr std::string_view kLevelsV1 = R"sql(
CREATE TABLE pipeline_phases (
  run_key INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  position INTEGER NOT NULL,
  phase TEXT NOT NULL,
  begin_ns INTEGER NOT NULL,
  begin_ms REAL AS (begin_ns / 1e6),
{figure}
  PRIMARY KEY (run_key, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE pipeline_sections (
  run_key INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  position INTEGER NOT NULL,
  phase TEXT NOT NULL,
  name TEXT NOT NULL,
  count INTEGER NOT NULL,
  begin_ns INTEGER NOT NULL,
  begin_ms REAL AS (begin_ns / 1e6),
{figure}
  PRIMARY KEY (run_key, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
  run_key INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  position INTEGER NOT NULL,
  token_index INTEGER NOT NULL,
  text TEXT NOT NULL,
  phase TEXT NOT NULL,
  begin_ns INTEGER NOT NULL,
  begin_ms REAL AS (begin_ns / 1e6),
{figure}
  PRIMARY KEY (run_key, position)
) STRICT, WITHOUT ROWID;
)sql";

constexpr std::string_view kPowerV1 = R"sql(
CREATE TABLE power_sources (
  run_key INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  position INTEGER NOT NULL,
  description TEXT NOT NULL,
  PRIMARY KEY (run_key, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE power_domains (
  run_key INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  domain INTEGER NOT NULL,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  socket INTEGER,
  parent INTEGER,
  source TEXT,
  source_method TEXT NOT NULL,
  period_ns INTEGER NOT NULL,
  period_ms REAL AS (period_ns / 1e6),
  stamp_error_ns INTEGER NOT NULL,
  stamp_error_ms REAL AS (stamp_error_ns / 1e6),
{figure}
  idle_power_w REAL,
  idle_power_mw REAL AS (idle_power_w * 1e3),
  idle_power_spread_w REAL,
  idle_power_spread_mw REAL AS (idle_power_spread_w * 1e3),
  PRIMARY KEY (run_key, domain),
  -- A domain may stand before the one that contains it.
  FOREIGN KEY (run_key, parent) REFERENCES power_domains ON DELETE CASCADE
    DEFERRABLE INITIALLY DEFERRED
) STRICT, WITHOUT ROWID;

CREATE TABLE peak_powers (
  run_key INTEGER NOT NULL,
  domain INTEGER NOT NULL,
  power_w REAL,
  power_mw REAL AS (power_w * 1e3),
  PRIMARY KEY (run_key, domain),
  FOREIGN KEY (run_key, domain) REFERENCES power_domains ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE power_samples (
  run_key INTEGER NOT NULL,
  position INTEGER NOT NULL,
  domain INTEGER NOT NULL,
  begin_ns INTEGER NOT NULL,
  begin_ms REAL AS (begin_ns / 1e6),
  duration_ns INTEGER NOT NULL,
  duration_ms REAL AS (duration_ns / 1e6),
  energy_j REAL NOT NULL,
  energy_mj REAL AS (energy_j * 1e3),
  power_mw REAL AS (energy_j * 1e12 / duration_ns),
  PRIMARY KEY (run_key, position),
  FOREIGN KEY (run_key, domain) REFERENCES power_domains ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
)sql";

// ---- version 2: layers, components, operations, values, readings, and unfinished runs -----------

/// Before version 2 a run was written when it had finished; since then it is written in steps.
constexpr std::string_view kStepsV2 = R"sql(
CREATE TABLE run_steps (
  run_key INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  step INTEGER NOT NULL,
  saved_at_ms INTEGER NOT NULL,
  content TEXT NOT NULL,
  PRIMARY KEY (run_key, step)
) STRICT, WITHOUT ROWID;

CREATE INDEX runs_by_duration ON runs (duration_ns);
CREATE INDEX runs_by_energy ON runs (energy_j);
CREATE INDEX runs_by_energy_per_output_token ON runs (energy_per_output_token_j);
CREATE INDEX runs_unfinished ON runs (run_key) WHERE status = 'running';

ALTER TABLE power_domains ADD COLUMN scope TEXT NOT NULL DEFAULT 'by_kind';
ALTER TABLE power_domains ADD COLUMN device TEXT;

CREATE TABLE sensor_readings (
  run_key INTEGER NOT NULL,
  position INTEGER NOT NULL,
  domain INTEGER NOT NULL,
  quantity INTEGER NOT NULL,
  at_ns INTEGER NOT NULL,
  at_ms REAL AS (at_ns / 1e6),
  value REAL NOT NULL,
  PRIMARY KEY (run_key, position),
  FOREIGN KEY (run_key, domain) REFERENCES power_domains ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Words that many rows of a run share: those rows hold their number.
CREATE TABLE names (
  run_key INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  name_key INTEGER NOT NULL,
  name TEXT NOT NULL,
  PRIMARY KEY (run_key, name_key)
) STRICT, WITHOUT ROWID;
)sql";

constexpr std::string_view kOperationsV2 = R"sql(
CREATE TABLE layer_metrics (
  run_key INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  position INTEGER NOT NULL,
  phase TEXT NOT NULL,
  layer INTEGER,
  count INTEGER NOT NULL,
{figure}
  PRIMARY KEY (run_key, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE component_metrics (
  run_key INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  position INTEGER NOT NULL,
  phase TEXT NOT NULL,
  layer INTEGER,
  component INTEGER NOT NULL,
  count INTEGER NOT NULL,
{figure}
  flops REAL,
  bytes REAL,
  PRIMARY KEY (run_key, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE operation_classes (
  run_key INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  position INTEGER NOT NULL,
  phase TEXT NOT NULL,
  component INTEGER NOT NULL,
  op INTEGER NOT NULL,
  count INTEGER NOT NULL,
{figure}
  flops REAL,
  bytes REAL,
  PRIMARY KEY (run_key, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE operation_kinds (
  run_key INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  operation INTEGER NOT NULL,
  layer INTEGER,
  component INTEGER NOT NULL,
  op INTEGER NOT NULL,
  name INTEGER NOT NULL,
  shape_0 INTEGER NOT NULL,
  shape_1 INTEGER NOT NULL,
  shape_2 INTEGER NOT NULL,
  shape_3 INTEGER NOT NULL,
  flops REAL,
  bytes REAL,
  PRIMARY KEY (run_key, operation)
) STRICT, WITHOUT ROWID;

CREATE TABLE operation_passes (
  pass_key INTEGER PRIMARY KEY,
  run_key INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  phase TEXT NOT NULL,
  token INTEGER,
  begin_ns INTEGER NOT NULL,
  begin_ms REAL AS (begin_ns / 1e6)
) STRICT;
CREATE INDEX operation_passes_by_run ON operation_passes (run_key);

-- There can be millions of these: what their pass says, and when they began, is not said again.
CREATE TABLE operation_metrics (
  pass_key INTEGER NOT NULL REFERENCES operation_passes ON DELETE CASCADE,
  position INTEGER NOT NULL,
  operation INTEGER NOT NULL,
  gap_ns INTEGER NOT NULL,
  duration_ns INTEGER NOT NULL,
  duration_ms REAL AS (duration_ns / 1e6),
  energy_j REAL,
  energy_mj REAL AS (energy_j * 1e3),
  PRIMARY KEY (pass_key, position)
) STRICT, WITHOUT ROWID;
)sql";

constexpr std::string_view kValuesV2 = R"sql(
CREATE TABLE sampled_values (
  run_key INTEGER PRIMARY KEY REFERENCES runs ON DELETE CASCADE,
  every INTEGER NOT NULL,
  passes INTEGER NOT NULL,
  sparsity_threshold REAL NOT NULL
) STRICT;

CREATE TABLE activation_metrics (
  run_key INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  position INTEGER NOT NULL,
  phase INTEGER NOT NULL,
  token INTEGER,
  layer INTEGER,
  component INTEGER NOT NULL,
  mean REAL,
  standard_deviation REAL,
  maximum REAL,
  sparsity REAL,
  kill_ratio REAL,
  variance_ratio REAL,
  PRIMARY KEY (run_key, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE attention_metrics (
  run_key INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  position INTEGER NOT NULL,
  phase INTEGER NOT NULL,
  token INTEGER,
  layer INTEGER NOT NULL,
  head INTEGER NOT NULL,
  entropy_nats REAL,
  maximum_weight REAL,
  sparsity REAL,
  PRIMARY KEY (run_key, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE moe_routings (
  run_key INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  position INTEGER NOT NULL,
  phase INTEGER NOT NULL,
  token INTEGER,
  layer INTEGER NOT NULL,
  routing_entropy_nats REAL,
  PRIMARY KEY (run_key, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE moe_expert_activations (
  run_key INTEGER NOT NULL,
  position INTEGER NOT NULL,
  rank INTEGER NOT NULL,
  expert INTEGER NOT NULL,
  weight REAL,
  PRIMARY KEY (run_key, position, rank),
  FOREIGN KEY (run_key, position) REFERENCES moe_routings ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
)sql";

/// Each domain's power as a staircase over all edges of windows; NULL where there is no window. A
/// domain that lies within another domain of the same column is not added: its power is included
/// already.
constexpr std::string_view kViewsV2 = R"sql(
CREATE VIEW power_wide AS
WITH named AS (
  SELECT run_key, domain, parent,
         CASE WHEN kind IN ('cpu', 'package') THEN 'cpu' ELSE kind END AS rail
  FROM power_domains
), rails AS (
  SELECT d.run_key, d.domain, d.parent IS NULL AS root,
         CASE WHEN p.rail IS NOT d.rail THEN d.rail END AS rail
  FROM named d LEFT JOIN named p ON p.run_key = d.run_key AND p.domain = d.parent
), windows AS (
  SELECT s.run_key, s.begin_ns, s.begin_ns + s.duration_ns AS end_ns, d.rail, d.root, s.power_mw
  FROM power_samples s JOIN rails d USING (run_key, domain)
  WHERE s.duration_ns > 0
), edges AS (
  SELECT run_key, begin_ns AS at_ns, rail, root, power_mw, 1 AS step FROM windows
  UNION ALL
  SELECT run_key, end_ns, rail, root, -power_mw, -1 FROM windows
), jumps AS (
  SELECT run_key, at_ns,
         total(step) FILTER (WHERE rail = 'cpu') AS cpu,
         total(power_mw) FILTER (WHERE rail = 'cpu') AS cpu_mw,
         total(step) FILTER (WHERE rail = 'gpu') AS gpu,
         total(power_mw) FILTER (WHERE rail = 'gpu') AS gpu_mw,
         total(step) FILTER (WHERE rail = 'ane') AS ane,
         total(power_mw) FILTER (WHERE rail = 'ane') AS ane_mw,
         total(step) FILTER (WHERE rail = 'dram') AS dram,
         total(power_mw) FILTER (WHERE rail = 'dram') AS dram_mw,
         total(step) FILTER (WHERE root) AS roots,
         total(power_mw) FILTER (WHERE root) AS total_mw
  FROM edges GROUP BY run_key, at_ns
), levels AS (
  SELECT run_key, at_ns,
         lead(at_ns) OVER (PARTITION BY run_key ORDER BY at_ns) - at_ns AS duration_ns,
         sum(cpu) OVER w AS cpu, sum(cpu_mw) OVER w AS cpu_mw,
         sum(gpu) OVER w AS gpu, sum(gpu_mw) OVER w AS gpu_mw,
         sum(ane) OVER w AS ane, sum(ane_mw) OVER w AS ane_mw,
         sum(dram) OVER w AS dram, sum(dram_mw) OVER w AS dram_mw,
         sum(roots) OVER w AS roots, sum(total_mw) OVER w AS total_mw
  FROM jumps WINDOW w AS (PARTITION BY run_key ORDER BY at_ns)
)
SELECT run_key, at_ns, at_ns / 1e6 AS at_ms, duration_ns, duration_ns / 1e6 AS duration_ms,
       CASE WHEN cpu > 0 THEN round(cpu_mw, 6) END AS cpu_mw,
       CASE WHEN gpu > 0 THEN round(gpu_mw, 6) END AS gpu_mw,
       CASE WHEN ane > 0 THEN round(ane_mw, 6) END AS ane_mw,
       CASE WHEN dram > 0 THEN round(dram_mw, 6) END AS dram_mw,
       CASE WHEN roots = (SELECT count(*) FROM power_domains d
                          WHERE d.run_key = levels.run_key AND d.parent IS NULL)
            THEN round(total_mw, 6) END AS total_mw
FROM levels WHERE duration_ns > 0;

CREATE VIEW layer_components AS
SELECT m.run_key, m.phase, m.layer, n.name AS component, m.count, m.duration_ms, m.energy_mj,
       m.dynamic_energy_mj, m.mean_power_mw, m.standard_error_mj, m.resolution, m.flops, m.bytes
FROM component_metrics m
JOIN names n ON n.run_key = m.run_key AND n.name_key = m.component;

CREATE VIEW operation_events AS
SELECT p.run_key, m.pass_key, m.position, p.phase, p.token,
       p.begin_ns + sum(m.gap_ns + m.duration_ns) OVER w - m.duration_ns AS begin_ns,
       m.duration_ns, m.duration_ms, m.energy_j, m.energy_mj, m.operation, k.layer,
       c.name AS component, o.name AS op, n.name AS name
FROM operation_passes p
JOIN operation_metrics m USING (pass_key)
JOIN operation_kinds k ON k.run_key = p.run_key AND k.operation = m.operation
JOIN names c ON c.run_key = p.run_key AND c.name_key = k.component
JOIN names o ON o.run_key = p.run_key AND o.name_key = k.op
JOIN names n ON n.run_key = p.run_key AND n.name_key = k.name
WINDOW w AS (PARTITION BY m.pass_key ORDER BY m.position);
)sql";

// ---- version 3: the error of dynamic energy, and a process's share of it -----------------------

constexpr std::string_view kErrorsV3 = R"sql(
ALTER TABLE runs ADD COLUMN process_dynamic_energy_j REAL;
ALTER TABLE runs ADD COLUMN process_dynamic_energy_mj REAL AS (process_dynamic_energy_j * 1e3);
)sql";

/// For each table that has the columns of a Figure.
constexpr std::string_view kFigureErrorV3 = R"sql(
ALTER TABLE {table} ADD COLUMN dynamic_standard_error_j REAL;
ALTER TABLE {table} ADD COLUMN dynamic_standard_error_mj REAL AS (dynamic_standard_error_j * 1e3);
)sql";

constexpr std::array<std::string_view, 8> kFigureTables{
    "runs",          "pipeline_phases", "pipeline_sections", "tokens",
    "power_domains", "layer_metrics",   "component_metrics", "operation_classes"};

/// A script once for each table that has the columns of a Figure.
std::string for_figure_tables(std::string_view script) {
  constexpr std::string_view kMark = "{table}";
  std::string text;
  for (const std::string_view table : kFigureTables) {
    std::string part{script};
    for (std::size_t at = part.find(kMark); at != std::string::npos; at = part.find(kMark)) {
      part.replace(at, kMark.size(), table);
    }
    text += part;
  }
  return text;
}

// ---- version 4: indices that find a token's rows ------------------------------------------------

constexpr std::string_view kTokensV4 = R"sql(
CREATE INDEX operation_passes_by_token ON operation_passes (run_key, token);
CREATE INDEX activation_metrics_by_token ON activation_metrics (run_key, token);
CREATE INDEX attention_metrics_by_token ON attention_metrics (run_key, token);
)sql";

// ---- version 5: uncertainties that include the sensor's, and verdicts ---------------------------

constexpr std::string_view kVerdictsV5 = R"sql(
ALTER TABLE runs ADD COLUMN verdict TEXT;
ALTER TABLE runs ADD COLUMN energy_per_input_token_uncertainty_j REAL;
ALTER TABLE runs ADD COLUMN energy_per_input_token_uncertainty_mj REAL
  AS (energy_per_input_token_uncertainty_j * 1e3);
ALTER TABLE runs ADD COLUMN energy_per_output_token_uncertainty_j REAL;
ALTER TABLE runs ADD COLUMN energy_per_output_token_uncertainty_mj REAL
  AS (energy_per_output_token_uncertainty_j * 1e3);
ALTER TABLE power_domains ADD COLUMN relative_uncertainty REAL;
ALTER TABLE runs ADD COLUMN calibration_made_at_ms INTEGER;
ALTER TABLE runs ADD COLUMN calibration_classes INTEGER;
ALTER TABLE runs ADD COLUMN calibration_time_share REAL;
ALTER TABLE runs ADD COLUMN calibration_power_ratio REAL;

CREATE TABLE verdict_reasons (
  run_key INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  position INTEGER NOT NULL,
  level TEXT NOT NULL,
  code TEXT NOT NULL,
  message TEXT NOT NULL,
  PRIMARY KEY (run_key, position)
) STRICT, WITHOUT ROWID;
)sql";

constexpr std::string_view kFigureUncertaintyV5 = R"sql(
ALTER TABLE {table} ADD COLUMN standard_uncertainty_j REAL;
ALTER TABLE {table} ADD COLUMN standard_uncertainty_mj REAL AS (standard_uncertainty_j * 1e3);
ALTER TABLE {table} ADD COLUMN dynamic_standard_uncertainty_j REAL;
ALTER TABLE {table} ADD COLUMN dynamic_standard_uncertainty_mj REAL
  AS (dynamic_standard_uncertainty_j * 1e3);
)sql";

// ---- version 6: captures, and the requests in them ----------------------------------------------

constexpr std::string_view kCapturesV6 = R"sql(
ALTER TABLE runs ADD COLUMN capture_id TEXT;
ALTER TABLE runs ADD COLUMN capture_requests INTEGER;
ALTER TABLE runs ADD COLUMN capture_passes INTEGER;
ALTER TABLE runs ADD COLUMN capture_most_in_flight INTEGER;
ALTER TABLE runs ADD COLUMN capture_mean_sequences REAL;
ALTER TABLE runs ADD COLUMN capture_sharing TEXT;
ALTER TABLE runs ADD COLUMN request_number INTEGER;
ALTER TABLE runs ADD COLUMN request_sequence INTEGER;
ALTER TABLE runs ADD COLUMN request_begin_ns INTEGER;
ALTER TABLE runs ADD COLUMN request_begin_ms REAL AS (request_begin_ns / 1e6);
ALTER TABLE runs ADD COLUMN request_cached_tokens INTEGER;
ALTER TABLE runs ADD COLUMN request_rejected_tokens INTEGER;
ALTER TABLE runs ADD COLUMN request_context_shifts INTEGER;
ALTER TABLE runs ADD COLUMN request_passes INTEGER;
ALTER TABLE runs ADD COLUMN request_mean_sequences REAL;
ALTER TABLE runs ADD COLUMN request_waiting_ns INTEGER;
ALTER TABLE runs ADD COLUMN request_waiting_ms REAL AS (request_waiting_ns / 1e6);
ALTER TABLE runs ADD COLUMN request_marginal_energy_j REAL;
ALTER TABLE runs ADD COLUMN request_marginal_energy_mj REAL AS (request_marginal_energy_j * 1e3);
ALTER TABLE runs ADD COLUMN request_marginal_energy_uncertainty_j REAL;
ALTER TABLE runs ADD COLUMN request_marginal_energy_uncertainty_mj REAL
  AS (request_marginal_energy_uncertainty_j * 1e3);
ALTER TABLE runs ADD COLUMN request_idle_share_energy_j REAL;
ALTER TABLE runs ADD COLUMN request_idle_share_energy_mj REAL
  AS (request_idle_share_energy_j * 1e3);
ALTER TABLE runs ADD COLUMN request_how_found TEXT;
CREATE INDEX runs_by_capture ON runs (capture_id, request_number) WHERE capture_id IS NOT NULL;

CREATE TABLE capture_parts (
  run_key INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  position INTEGER NOT NULL,
  part TEXT NOT NULL,
  count INTEGER NOT NULL,
{figure}
  dynamic_standard_error_j REAL,
  dynamic_standard_error_mj REAL AS (dynamic_standard_error_j * 1e3),
  standard_uncertainty_j REAL,
  standard_uncertainty_mj REAL AS (standard_uncertainty_j * 1e3),
  dynamic_standard_uncertainty_j REAL,
  dynamic_standard_uncertainty_mj REAL AS (dynamic_standard_uncertainty_j * 1e3),
  PRIMARY KEY (run_key, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE capture_occupancy (
  run_key INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  position INTEGER NOT NULL,
  sequences INTEGER NOT NULL,
  passes INTEGER NOT NULL,
  tokens INTEGER NOT NULL,
  duration_ns INTEGER NOT NULL,
  duration_ms REAL AS (duration_ns / 1e6),
  energy_j REAL,
  energy_mj REAL AS (energy_j * 1e3),
  PRIMARY KEY (run_key, position)
) STRICT, WITHOUT ROWID;

-- The requests of a capture are of no use without it.
CREATE TRIGGER capture_deleted AFTER DELETE ON runs WHEN OLD.capture_requests IS NOT NULL BEGIN
  DELETE FROM runs WHERE capture_id = OLD.run_id;
END;
)sql";

/// The parts of a version as one script.
template <class... Parts>
std::string script(const Parts&... parts) {
  std::string text;
  for (std::string_view part : {std::string_view{parts}...}) {
    constexpr std::string_view kMark = "{figure}";
    for (std::size_t at = part.find(kMark); at != std::string_view::npos; at = part.find(kMark)) {
      text += part.substr(0, at);
      text += kFigureV1.substr(1);
      part.remove_prefix(at + kMark.size());
    }
    text += part;
  }
  return text;
}

}  // namespace

std::span<const std::string> schema_migrations() {
  static const std::array<std::string, 6> scripts{
      script(kRunsV1, kLevelsV1, kPowerV1),
      script(kStepsV2, kOperationsV2, kValuesV2, kViewsV2),
      script(kErrorsV3) + for_figure_tables(kFigureErrorV3),
      script(kTokensV4),
      script(kVerdictsV5) + for_figure_tables(kFigureUncertaintyV5),
      script(kCapturesV6)};
  static_assert(std::tuple_size_v<decltype(scripts)> == ProfileDatabase::kSchemaVersion);
  return scripts;
}

}  // namespace enprof
