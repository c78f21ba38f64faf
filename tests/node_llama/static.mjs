// Generates with @fugood/llama.node, whose addon contains llama.cpp without its functions' names: MODEL TOKENS.
import process from "node:process";
import { loadModel } from "@fugood/llama.node";

const [model, tokens] = process.argv.slice(2);
const context = await loadModel({ model, n_ctx: 256, n_gpu_layers: 0, n_threads: 1 });
const { text } = await context.completion({ prompt: "Hello", n_predict: Number(tokens), top_k: 1, seed: 1 });
console.log(JSON.stringify(text));
await context.release();
