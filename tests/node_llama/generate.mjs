// Generates with the prebuilt llama.cpp of node-llama-cpp, which it opens late: MODEL TOKENS.
import process from "node:process";
import {getLlama, LlamaCompletion} from "node-llama-cpp";

const [model_path, tokens] = process.argv.slice(2);
const llama = await getLlama({gpu: false, build: "never", logLevel: "error", maxThreads: 1});
const model = await llama.loadModel({modelPath: model_path, gpuLayers: 0});
const context = await model.createContext({contextSize: 512, threads: 1});
const completion = new LlamaCompletion({contextSequence: context.getSequence()});
const prompt = [1, 300, 301, 302, 303, 304, 305];
console.log(JSON.stringify(
  await completion.generateCompletion(prompt, {maxTokens: Number(tokens), temperature: 0})));
await llama.dispose();
