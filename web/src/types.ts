// The types of the API, as described in /api/openapi.json. A value that was not measured is null,
// never zero.

export type Method = "measured" | "attributed" | "estimated";
export type PhaseName = "pre_inference" | "prefill" | "decode" | "post_inference";

export type VerdictLevel = "quotable" | "with_caution" | "not_comparable";

export interface VerdictReason {
  level: VerdictLevel;
  code: string;
  message: string;
}

export interface Quality {
  sensor: string | null;
  method: Method | null;
  coverage: number;
  resolution: number | null;
  /** From attribution alone: what differs between runs on one machine. */
  standard_error_mj: number | null;
  /** From attribution and the sensors' calibration; null if the latter is not known. */
  standard_uncertainty_mj: number | null;
  foreign_cpu_share: number | null;
}

export interface Figure {
  duration_ms: number;
  energy_mj: number | null;
  baseline_energy_mj: number | null;
  dynamic_energy_mj: number | null;
  mean_power_mw: number | null;
  quality: Quality;
}

export interface Phase extends Figure {
  phase: PhaseName;
  begin_ms: number;
}

export interface Section extends Figure {
  phase: PhaseName;
  name: string;
  count: number;
  begin_ms: number;
}

export interface Token extends Figure {
  index: number;
  text: string;
  phase: PhaseName;
  begin_ms: number;
}

export interface LayerFigure extends Figure {
  phase: PhaseName;
  layer: number | null;
  count: number;
}

export interface ComponentFigure extends Figure {
  phase: PhaseName;
  layer: number | null;
  component: string;
  count: number;
  flops: number | null;
  bytes: number | null;
}

export interface OperationFigure extends Figure {
  phase: PhaseName;
  component: string;
  op: string;
  count: number;
  flops: number | null;
  bytes: number | null;
}

/** Operations of one kind in one component of one layer. */
export interface LayerOperation {
  phase: PhaseName;
  layer: number | null;
  component: string;
  op: string;
  count: number;
  duration_ms: number;
  energy_mj: number | null;
  flops: number | null;
  bytes: number | null;
}

export interface Warning {
  component: string;
  code: string;
  message: string;
  hint: string | null;
}

export interface Domain extends Figure {
  name: string;
  kind: string;
  source: string;
  method: Method;
  within: string | null;
  period_ms: number;
  idle_power_mw: number | null;
}

export interface Model {
  name: string | null;
  path: string | null;
  architecture: string | null;
  quantization: string | null;
  engine: string | null;
  parameters: number | null;
  file_bytes: number | null;
  layers: number | null;
  embedding_width: number | null;
  heads: number | null;
  kv_heads: number | null;
  attention: string | null;
  experts: number | null;
  context: number | null;
  kv_cache_bytes: number | null;
  threads: number | null;
  load_ms: number | null;
}

export interface Totals extends Figure {
  process_dynamic_energy_mj: number | null;
  prompt_tokens: number;
  output_tokens: number;
  time_to_first_token_ms: number | null;
  prefill_tokens_per_second: number | null;
  decode_tokens_per_second: number | null;
  energy_per_input_token_mj: number | null;
  energy_per_output_token_mj: number | null;
  energy_per_input_token_uncertainty_mj: number | null;
  energy_per_output_token_uncertainty_mj: number | null;
  output_to_input_energy_ratio: number | null;
  tokens_per_joule: number | null;
  edp_js: number | null;
  price_usd_per_kwh: number;
  cost_usd: number | null;
  co2_g: number | null;
}

/** How a run used a calibration of its components. */
export interface CalibrationUse {
  made_at: string;
  /** Kinds of work whose power the calibration gives. */
  classes: number;
  /** Their share of the passes' time, 0–1. */
  time_share: number;
  /** Their power in the run over that in the calibration. */
  power_ratio: number | null;
}

export interface Run {
  run_id: string;
  status: string;
  started_at: string;
  depth: "minimal" | "module" | "deep";
  experiment: string | null;
  tags: string[];
  model: Model;
  prompt: string;
  response: string;
  finish_reason: string | null;
  /** null: stored by an enprof that did not judge. */
  verdict: VerdictLevel | null;
  verdict_reasons: VerdictReason[];
  /** null: the components were not calibrated. */
  calibration: CalibrationUse | null;
  capture: CaptureFigures | null;
  /** The capture that it is a request of. */
  capture_id: string | null;
  request: RequestOfCapture | null;
  totals: Totals;
  phases: Phase[];
  sections: Section[];
  tokens: Token[];
  layers: LayerFigure[];
  components: ComponentFigure[];
  operations: OperationFigure[];
  power: {
    sources: string[];
    interval_ms: number;
    domains: Domain[];
    baseline: { power_mw: number; spread_mw: number | null; duration_ms: number } | null;
    peak: { power_mw: number; at_ms: number; window_ms: number } | null;
  };
  quality: Quality;
  warnings: Warning[];
}

export interface RunSummary {
  run_id: string;
  status: string;
  started_at_ms: number;
  depth: "minimal" | "module" | "deep";
  model: string;
  quantization: string | null;
  engine: string;
  experiment: string | null;
  tags: string[];
  prompt: string;
  duration_ms: number;
  prompt_tokens: number;
  output_tokens: number;
  energy_mj: number | null;
  energy_per_output_token_mj: number | null;
  method: Method | null;
  verdict: VerdictLevel | null;
  warnings: number;
  time_to_first_token_ms: number | null;
  requests: number | null; // of a capture
  request?: RequestOfCapture;
}

/** What a capture has beside what every run has. */
export interface CaptureFigures {
  requests: number;
  passes: number;
  most_in_flight: number;
  mean_sequences: number | null;
  sharing: string;
  parts: (Figure & { part: string; count: number })[];
  occupancy: {
    sequences: number;
    passes: number;
    tokens: number;
    duration_ms: number;
    energy_mj: number | null;
  }[];
}

/** What a request of a capture has beside what every run has. */
export interface RequestOfCapture {
  number: number;
  sequence: number;
  begin_ms: number; // since the capture began
  cached_tokens: number;
  mean_sequences: number | null;
  waiting_ms: number | null;
  marginal_energy_mj: number | null;
  idle_share_energy_mj: number | null;
  how_found: string | null;
}

export interface RunList {
  runs: RunSummary[];
  total: number;
}

/** begin_ms, end_ms, power_mw */
export type PowerPoint = [number, number, number];

export interface PowerTimeline {
  domains: { name: string; kind: string; is_root: boolean; points: PowerPoint[] }[];
  total: PowerPoint[];
}

export interface Matrix {
  metric: string;
  unit: string;
  layers: (number | null)[];
  components: string[];
  values: (number | null)[][]; // by layer, then component
}

export interface ModelEntry {
  name: string;
  bytes: number;
}

export interface PowerStatus {
  running: boolean;
  sources: string[];
  domains: { name: string; source: string; method: Method; within: string | null }[];
  power_mw: number | null;
  warnings: { code: string; message: string; hint: string | null }[];
}

export interface Health {
  status: "ok" | "degraded";
  program: string; // whose server it is: "enprof serve", "enprof exec"
  running: string | null;
  queued: number;
  components: {
    name: string;
    state: string;
    since: string;
    detail: string | null;
    hint: string | null;
    breaker?: string;
  }[];
}

export interface LiveEvent {
  seq: number;
  run_id: string;
  type: string;
  t_ms: number;
  data: Record<string, unknown>;
}

export interface GenerateRequest {
  prompt: string;
  model: string;
  depth: string;
  max_tokens: number;
  temperature: number;
  seed: number;
  chat: boolean;
  tags: string[];
  experiment: string;
}

export interface ExperimentSummary {
  experiment: string;
  runs: number;
  first_started_at_ms: number;
  last_started_at_ms: number;
}

/** A point of an experiment: means over its runs, with half their 95 % intervals. */
export interface ExperimentPoint {
  point: string;
  model: string | null;
  architecture: string | null;
  quantization: string | null;
  runs: number;
  runs_used: number;
  verdict: VerdictLevel | null;
  /** Why it has no energies. */
  no_energy: string | null;
  energy_per_output_token_mj: number | null;
  energy_per_output_token_half_interval_mj: number | null;
  energy_per_input_token_mj: number | null;
  energy_per_input_token_half_interval_mj: number | null;
  decode_tokens_per_second: number | null;
  decode_tokens_per_second_half_interval: number | null;
  prefill_tokens_per_second: number | null;
  prefill_tokens_per_second_half_interval: number | null;
  mean_power_mw: number | null;
  mean_power_half_interval_mw: number | null;
  run_ids: string[];
}

export type CellKind =
  | "text" | "energy" | "power" | "time" | "speed" | "share" | "count" | "bytes" | "number";

export interface AnalysisColumn {
  key: string;
  title: string;
  kind: CellKind;
  half_key: string | null;
}

export type AnalysisRow = Record<string, string | number | null>;

export interface AnalysisTable {
  title: string;
  columns: AnalysisColumn[];
  rows: AnalysisRow[];
}

export interface AnalysisAxis {
  title: string | null;
  unit: string | null;
  is_logarithmic: boolean;
}

export interface AnalysisSeries {
  name: string;
  kind: "points" | "line" | "bars";
  points: {
    x: number;
    y: number;
    x_half_interval: number | null;
    y_half_interval: number | null;
    label: string | null;
  }[];
}

export interface AnalysisChart {
  title: string;
  x: AnalysisAxis;
  y: AnalysisAxis;
  categories: string[];
  series: AnalysisSeries[];
}

export interface Analysis {
  name: string;
  question: string;
  answers: string[];
  /** What is missing for an answer. */
  lacks: string[];
  tables: AnalysisTable[];
  charts: AnalysisChart[];
  method: string[];
}

export interface Experiment {
  experiment: string;
  first_started_at_ms: number | null;
  last_started_at_ms: number | null;
  machines: string[];
  sensors: string[];
  engines: string[];
  has_estimates: boolean;
  missing: string[];
  notes: string[];
  points: ExperimentPoint[];
  analyses: Analysis[];
}

export interface TrendEntry extends ExperimentPoint {
  experiment: string;
  started_at_ms: number;
  commit: string | null;
}

export interface Trend {
  experiment: string;
  points: { point: string; entries: TrendEntry[] }[];
  runs_on_other_machines: number;
  is_cut: boolean;
}
