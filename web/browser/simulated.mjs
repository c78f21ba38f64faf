// Runs for pictures: scripts for the playback engine and recordings of power to go with them, played on
// a simulated clock (bench/pictures), so that every figure is the same each time.
// @ts-check

import { execFileSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { program } from "./server.mjs";

export const IDLE_S = 2;

const STEP_MS = 10; // a reading of power
const BYTES_PER_US = 8_000; // what memory gives
const FLOPS_PER_US = 150_000;
const LEAST_US = 2; // of an operation

/** Watts of the package and of memory. */
const POWER = {
  idle: { package: 12.5, dram: 1.6 },
  pre_inference: { package: 31, dram: 3.1 },
  prefill: { package: 56, dram: 5.4 },
  decode: { package: 44, dram: 7.6 },
  post_inference: { package: 24, dram: 2.4 },
};
const CORES = 0.68; // of the package

const TEXT = `Every token has a price in joules, and most of it is paid for moving weights. A decoder reads each \
weight of the model once for every token that it writes, so a small batch leaves the arithmetic units waiting for \
memory. Prefill is another matter: it reads the same weights once for the whole prompt, and then the arithmetic is \
what costs. That is why a token that you send is cheaper than a token that you get. Where does the energy go? Follow \
it down: a run has phases, a phase has sections, a section has passes, and a pass has operations. The largest of them \
are matrix products. Gate, up and down take about two thirds of a layer, because the hidden size is four times as \
wide there. Attention is small as long as the context is short, and grows with every token that is kept. The head at \
the end is one product, but it is as wide as the vocabulary, so in a small model it may cost as much as several \
layers. What is left is idle power: the machine would have drawn it anyway, and it is counted apart. So a faster run \
saves twice, first the work that it avoids, and then the time in which the machine waits for it. A figure without an \
error bar says less than it seems to, since sensors step, clocks drift, and other programs take their share. Measure \
idle first, repeat the run, compare like with like, and write down which sensor it was. Then the number can be quoted, \
and somebody else can find it again.`;
const WORDS = TEXT.match(/ ?[^ ]+/g) ?? [];

/**
 * Numbers from 0 to 1 that look random and are the same each time.
 * @param {number} seed
 */
function numbers(seed) {
  let state = (seed * 7_919 + 1) % 2_147_483_647;
  const next = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
  for (let turn = 0; turn < 5; ++turn) {
    next();
  }
  return next;
}

/**
 * @typedef {{ name: string, architecture: string, layers: number, width: number, hidden: number, heads: number,
 *             kv_heads: number, vocabulary: number, bytes?: number, experts?: number, experts_used?: number }} Shape
 * @typedef {{ component: string, op: string, layer?: number, flops: number, bytes: number, us: number }} Operation
 */

/** @type {Record<"llama" | "qwen", Shape>} */
export const MODELS = {
  llama: {
    name: "Synthetic Llama 64M", architecture: "llama", layers: 8, width: 512, hidden: 2048, heads: 8, kv_heads: 4,
    vocabulary: 32_000,
  },
  qwen: {
    name: "Synthetic Qwen3 203M", architecture: "qwen3", layers: 12, width: 512, hidden: 2048, heads: 8, kv_heads: 4,
    vocabulary: 151_936,
  },
};

const Q8_0 = 34 / 32; // bytes of a weight

/** @param {Shape} shape */
function parametersOf({ layers, width, hidden, heads, kv_heads, vocabulary, experts = 0 }) {
  const attention = (2 * width * width * (heads + kv_heads)) / heads;
  return layers * (attention + 3 * width * hidden * Math.max(1, experts) + width * experts) + 2 * vocabulary * width;
}

/** A family of models: several sizes, three types of weights, and a mixture of experts. */
export const FAMILY = (() => {
  /** @type {(layers: number, width: number, more?: Partial<Shape>) => Shape} */
  const dense = (layers, width, more = {}) => ({
    name: `Synthetic Llama ${layers}x${width}`, architecture: "llama", layers, width, hidden: 4 * width,
    heads: width / 64, kv_heads: width / 128, vocabulary: 32_000, ...more,
  });
  return {
    sizes: [[4, 256], [8, 256], [8, 512], [16, 512], [24, 768]].map(([layers = 0, width = 0]) => dense(layers, width)),
    q4: dense(16, 512, { bytes: 18 / 32 }),
    f16: dense(16, 512, { bytes: 2 }),
    mixture: dense(8, 512, {
      name: "Synthetic Qwen3 MoE 8x512", architecture: "qwen3moe", hidden: 1024, experts: 16, experts_used: 2,
    }),
  };
})();

/** The name of the type of a model's weights. @param {Shape} shape */
export const typeOf = ({ bytes = Q8_0 }) => (bytes === 2 ? "F16" : bytes < 1 ? "Q4_0" : "Q8_0");

/**
 * One pass over so many tokens that follow so many others.
 * @param {Shape} shape
 * @param {number} tokens
 * @param {number} before
 * @param {() => number} random
 */
function pass(shape, tokens, before, random) {
  const { width, hidden, heads, kv_heads, vocabulary, bytes: weight = Q8_0, experts = 0, experts_used = 1 } = shape;
  const kv_width = (width / heads) * kv_heads;
  /** @type {Operation[]} */
  const result = [];
  /** @type {(component: string, op: string, flops: number, bytes: number, layer?: number) => void} */
  const add = (component, op, flops, bytes, layer) => {
    const us = Math.max(LEAST_US, bytes / BYTES_PER_US + flops / FLOPS_PER_US) * (0.97 + 0.06 * random());
    const place = layer === undefined ? {} : { layer };
    result.push({ ...place, component, op, flops, bytes, us: Math.round(us * 10) / 10 });
  };
  /** @type {(component: string, inputs: number, outputs: number, layer?: number, rows?: number) => void} */
  const product = (component, inputs, outputs, layer, rows = tokens) =>
    add(component, "MUL_MAT", 2 * rows * inputs * outputs,
        inputs * outputs * weight + 4 * rows * (inputs + outputs), layer);
  /** @type {(component: string, op: string, elements: number, layer?: number) => void} */
  const rowwise = (component, op, elements, layer) => add(component, op, 4 * tokens * elements, 8 * tokens * elements, layer);

  add("embedding", "GET_ROWS", 0, tokens * width * (4 + weight));
  for (let layer = 0; layer < shape.layers; ++layer) {
    rowwise("input_layernorm", "RMS_NORM+MUL", width, layer);
    product("q_proj", width, width, layer);
    product("k_proj", width, kv_width, layer);
    product("v_proj", width, kv_width, layer);
    if (shape.architecture === "qwen3") {
      rowwise("q_norm", "RMS_NORM+MUL", width, layer);
      rowwise("k_norm", "RMS_NORM+MUL", kv_width, layer);
    }
    rowwise("rope", "ROPE", width + kv_width, layer);
    add("kv_cache_store", "SET_ROWS", 0, 12 * tokens * kv_width, layer);
    const context = before + tokens;
    add("attention", "FLASH_ATTN_EXT", 4 * tokens * width * context, 4 * kv_width * context + 8 * tokens * width, layer);
    product("o_proj", width, width, layer);
    rowwise("residual", "ADD", width, layer);
    rowwise("post_attention_layernorm", "RMS_NORM+MUL", width, layer);
    if (experts > 0) {
      product("router", width, experts, layer);
      const used = Math.min(experts, experts_used * tokens); // of which the weights are read
      add("experts", "MUL_MAT_ID", 6 * tokens * experts_used * width * hidden,
          3 * used * width * hidden * weight + 8 * tokens * (width + hidden), layer);
    } else {
      product("gate_proj", width, hidden, layer);
      product("up_proj", width, hidden, layer);
      rowwise("activation", "SWIGLU", hidden, layer);
      product("down_proj", hidden, width, layer);
    }
    rowwise("residual", "ADD", width, layer);
  }
  rowwise("final_norm", "RMS_NORM+MUL", width);
  product("lm_head", width, vocabulary, undefined, 1); // of the last token alone
  return result;
}

/**
 * A script, and when its phases end.
 * @param {Shape} shape
 * @param {number} prompt tokens
 * @param {number} output tokens
 * @param {() => number} random
 */
function script(shape, prompt, output, random) {
  /** @type {(us: number) => number} */
  const about = (us) => Math.round(us * (0.9 + 0.2 * random()));
  const after = () => [{ name: "sampling", us: about(95) }, { name: "detokenization", us: about(4) }];
  const plans = [{ name: "prompt", operations: pass(shape, prompt, 0, random) }];
  /** @type {{ phase: string, token?: string | undefined, sections: { name: string, us: number, pass?: string }[] }[]} */
  const steps = [
    { phase: "pre_inference", sections: [{ name: "tokenization", us: about(310) }, { name: "kv_cache_setup", us: about(2_900) }] },
    { phase: "prefill", sections: [{ name: "forward", us: about(240), pass: "prompt" }] },
    { phase: "prefill", token: WORDS[0], sections: after() },
  ];
  for (let index = 1; index < output; ++index) {
    const name = `token ${index}`;
    plans.push({ name, operations: pass(shape, 1, prompt + index - 1, random) });
    steps.push({
      phase: "decode", token: WORDS[index % WORDS.length], sections: [{ name: "forward", us: about(130), pass: name }, ...after()],
    });
  }
  steps.push({ phase: "post_inference", sections: [{ name: "detokenization", us: about(40) }, { name: "cleanup", us: about(420) }] });

  const length = new Map(plans.map((plan) => [plan.name, plan.operations.reduce((sum, { us }) => sum + us, 0)]));
  /** @type {{ phase: keyof typeof POWER, end_ms: number }[]} */
  const phases = [];
  let at = 0;
  for (const { phase, sections } of steps) {
    for (const section of sections) {
      at += section.us + (length.get(section.pass ?? "") ?? 0);
    }
    phases.push({ phase: /** @type {keyof typeof POWER} */ (phase), end_ms: at / 1e3 });
  }
  const { name, architecture, layers, width, hidden, heads, kv_heads, vocabulary, experts, experts_used } = shape;
  const parameters = parametersOf(shape);
  const model = {
    name, architecture, quantization: typeOf(shape), layers, parameters,
    weight_bytes: Math.round(parameters * (shape.bytes ?? Q8_0)), embedding_width: width, feed_forward_width: hidden,
    heads, kv_heads, head_width: width / heads, vocabulary, context_trained: 4096,
    ...(experts ? { experts, experts_used: experts_used ?? 1 } : {}),
  };
  return { phases, script: { playback: 1, model, prompt_tokens: prompt, plans, steps } };
}

/**
 * What sensors said: idle, then what the phases draw, then idle.
 * @param {{ phase: keyof typeof POWER, end_ms: number }[]} phases
 * @param {() => number} random
 */
function recording(phases, random) {
  const idle_ms = IDLE_S * 1e3;
  const spans = [
    { phase: /** @type {keyof typeof POWER} */ ("idle"), end_ms: idle_ms },
    ...phases.map(({ phase, end_ms }) => ({ phase, end_ms: idle_ms + end_ms })),
  ];
  const end = (spans.at(-1)?.end_ms ?? 0) + 500;
  spans.push({ phase: "idle", end_ms: end + STEP_MS });
  const lines = [];
  const drift = { package: 0, dram: 0 };
  let first = 0; // of the spans that are not over
  for (let begin = 0; begin < end; begin += STEP_MS) {
    while ((spans[first]?.end_ms ?? end) <= begin) {
      ++first;
    }
    const energy = { package: 0, dram: 0 };
    for (let at = begin, place = first; at < begin + STEP_MS; ++place) {
      const span = spans[place];
      const until = Math.min(begin + STEP_MS, span?.end_ms ?? end);
      energy.package += (until - at) * POWER[span?.phase ?? "idle"].package;
      energy.dram += (until - at) * POWER[span?.phase ?? "idle"].dram;
      at = until;
    }
    for (const rail of /** @type {const} */ (["package", "dram"])) {
      drift[rail] = 0.97 * drift[rail] + 0.03 * (random() - 0.5);
      energy[rail] *= 1 + (begin < idle_ms ? 0.2 : 1) * drift[rail] + 0.03 * (random() - 0.5);
    }
    const cores = energy.package * CORES * (1 + 0.03 * (random() - 0.5));
    for (const [domain, mj] of Object.entries({ "package-0": energy.package, "core-0": cores, "dram-0": energy.dram })) {
      lines.push(JSON.stringify({ domain, begin_ms: begin, end_ms: begin + STEP_MS, energy_mj: Math.round(mj * 1e3) / 1e3 }));
    }
  }
  return lines.join("\n") + "\n";
}

/**
 * @typedef {{ shape: Shape, prompt: string, prompt_tokens: number, output_tokens: number, depth?: "minimal" | "module" | "deep",
 *             tags: string[], experiment?: string, started_at: Date, live?: string, provisional?: number }} Order
 */

/**
 * Makes runs, and keeps them in a database; their ids, in the same order.
 * @param {string} directory to work in
 * @param {string} database in there
 * @param {Order[]} orders
 */
export function simulate(directory, database, orders) {
  const maker = join(dirname(program()), "enprof_pictures");
  if (!existsSync(maker)) {
    throw new Error(`There is no ${maker}: make pictures builds it`);
  }
  const runs = orders.map((order, index) => {
    const random = numbers(order.started_at.getTime() % 1_000_003);
    const { phases, script: played } = script(order.shape, order.prompt_tokens, order.output_tokens, random);
    const stem = `${database}-${index}`;
    writeFileSync(join(directory, `${stem}.playback.json`), JSON.stringify(played));
    writeFileSync(join(directory, `${stem}.jsonl`), recording(phases, random));
    const run_id = Array.from({ length: 16 }, () => Math.floor(random() * 16).toString(16)).join("");
    return {
      run_id,
      started_at_ms: order.started_at.getTime(),
      script: `${stem}.playback.json`,
      recording: `${stem}.jsonl`,
      idle_s: IDLE_S,
      prompt: order.prompt,
      depth: order.depth ?? "module",
      tags: order.tags,
      experiment: order.experiment ?? "",
      ...(order.live ? { live: order.live, provisional: order.provisional ?? 0 } : {}),
    };
  });
  writeFileSync(join(directory, `${database}-orders.json`), JSON.stringify(runs));
  execFileSync(maker, [`${database}-orders.json`, database], { cwd: directory, stdio: ["ignore", "inherit", "inherit"] });
  return runs.map((run) => run.run_id);
}
