// Clients of a server with OpenAI's API, all at once, until the time is over, and for six turns at least:
// URL CLIENTS SECONDS SEED.
//
// Each holds conversations whose turns continue the ones before, so that a part of the prompt is cached;
// asks for short and for long answers, which are streamed; and cancels some of them in mid-stream.
// Prints a JSON object: the requests as [prompt tokens, output tokens, cached tokens] of those that ended,
// as the server counts them, and for those that were cancelled how many chunks had come.
import process from "node:process";
import OpenAI from "openai";

const [url, clients, duration_s, seed] = [process.argv[2], ...process.argv.slice(3).map(Number)];
const end = Date.now() + 1000 * duration_s;
const LEAST_TURNS = 6; // on a slow machine, too
const WORDS = "energy of a token is what remains when all that was not needed has been left out".split(" ");

/** Numbers from 0 to below 1 that are the same each time: mulberry32. */
function randomly(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const ended = [];
const cancelled = [];

async function talk(number) {
  const random = randomly(1000 * seed + number);
  // The server closes a connection after some requests or seconds, perhaps just when the next one is
  // sent: that one is sent again.
  const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 2 });
  let text = "";
  for (let turn = 0; turn < LEAST_TURNS || Date.now() < end; ++turn) {
    if (random() < 0.3) text = ""; // another conversation
    for (let word = 0; word < 4 + 20 * random(); ++word) {
      text += ` ${WORDS[Math.floor(WORDS.length * random())]}`;
    }
    const stops_after = random() < 0.2 ? 1 + Math.floor(10 * random()) : Infinity;
    const max_tokens = random() < 0.15 ? 400 : 4 + Math.floor(40 * random());
    const stream = await openai.completions.create({
      model: "any", prompt: text, max_tokens, temperature: 0, stream: true,
      stream_options: { include_usage: true }, ignore_eos: true, cache_prompt: true,
    });
    let chunks = 0;
    let usage = null;
    let timings = null;
    for await (const chunk of stream) {
      usage = chunk.usage ?? usage;
      timings = chunk.timings ?? timings;
      if (chunk.choices.length > 0) {
        ++chunks;
        if (max_tokens < 50) text += chunk.choices[0].text;
      }
      if (chunks >= stops_after) break; // which aborts the request
    }
    if (chunks >= stops_after && usage === null) {
      cancelled.push(chunks);
    } else {
      ended.push([usage.prompt_tokens, usage.completion_tokens, timings?.cache_n ?? 0]);
    }
    if (text.length > 600) text = "";
  }
}

await Promise.all(Array.from({ length: clients }, (_, number) => talk(number)));
console.log(JSON.stringify({ ended, cancelled }));
