// The form that starts a run.

import { useState } from "react";
import { api } from "../api";
import { bytes } from "../format";
import type { GenerateRequest } from "../types";
import { Problem, useLoad } from "../ui";
import { tagsOf } from "./tag-editor";
import "./run-form.css";

const DEFAULTS: GenerateRequest = {
  prompt: "",
  model: "",
  depth: "module",
  max_tokens: 128,
  temperature: 0,
  seed: 0,
  chat: false,
  tags: [],
  experiment: "",
};

export function RunForm({
  onStart,
  busy,
}: {
  /** place: the number of runs before it */
  onStart: (run: { run_id: string; prompt: string; place: number }) => void;
  busy: boolean;
}) {
  const [order, setOrder] = useState<GenerateRequest>(DEFAULTS);
  const [tags, setTags] = useState("");
  // The text as typed, so that the field can be empty while a number is edited.
  const [length, setLength] = useState(String(DEFAULTS.max_tokens));
  const [temperature, setTemperature] = useState(String(DEFAULTS.temperature));
  const [error, setError] = useState<unknown>(null);
  const [sending, setSending] = useState(false);
  const models = useLoad("models", () => api.models());
  const list = models.data?.models ?? [];
  const model = order.model || list[0]?.name || "";
  const change = (part: Partial<GenerateRequest>) => setOrder((before) => ({ ...before, ...part }));
  const possible = !sending && model !== "" && order.prompt !== "";

  const start = async () => {
    if (!possible) {
      return;
    }
    setSending(true);
    setError(null);
    try {
      const { run_id, position } = await api.generate({
        ...order,
        model,
        max_tokens: Number(length),
        temperature: Number(temperature),
        tags: tagsOf(tags),
      });
      onStart({ run_id, prompt: order.prompt, place: position });
    } catch (problem) {
      setError(problem);
    } finally {
      setSending(false);
    }
  };

  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault();
        void start();
      }}
    >
      <label>
        Prompt
        <textarea
          value={order.prompt}
          placeholder="How many joules does a thought take?"
          aria-keyshortcuts="Control+Enter"
          onChange={(event) => change({ prompt: event.target.value })}
          onKeyDown={(event) => {
            if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
              event.currentTarget.form?.requestSubmit(); // this validates the fields
            }
          }}
        />
      </label>
      <label>
        Model
        <select value={model} onChange={(event) => change({ model: event.target.value })}>
          {list.length === 0 && (
            <option value="">{models.loading ? "loading" : "no model in --models-dir"}</option>
          )}
          {list.map((entry) => (
            <option key={entry.name} value={entry.name}>
              {entry.name} ({bytes(entry.bytes)})
            </option>
          ))}
        </select>
      </label>
      {!models.loading && !models.error && list.length === 0 && (
        <p className="note">
          Put a GGUF file there, or create one: <code>enprof model synth -o demo.gguf</code>{" "}
          <button type="button" className="plain small" onClick={models.reload}>
            Look again
          </button>
        </p>
      )}
      <div className="fields">
        <label className="wide">
          Depth
          <select value={order.depth} onChange={(event) => change({ depth: event.target.value })}>
            <option value="minimal">minimal: phases, tokens</option>
            <option value="module">module: layers, components</option>
            <option value="deep">deep: operations, values</option>
          </select>
        </label>
        <label>
          Output tokens
          <input
            type="number"
            min={1}
            max={1000000}
            required
            value={length}
            onChange={(event) => setLength(event.target.value)}
          />
        </label>
        <label>
          Temperature
          <input
            type="number"
            min={0}
            max={100}
            step="any"
            required
            value={temperature}
            onChange={(event) => setTemperature(event.target.value)}
          />
        </label>
        <label>
          Tags
          <input
            value={tags}
            placeholder="baseline, q8"
            onChange={(event) => setTags(event.target.value)}
          />
        </label>
        <label>
          Experiment
          <input
            value={order.experiment}
            placeholder="none"
            onChange={(event) => change({ experiment: event.target.value })}
          />
        </label>
      </div>
      {Boolean(error ?? models.error) && (
        <Problem error={error ?? models.error} {...(error ? {} : { retry: models.reload })} />
      )}
      <div className="row">
        <button className="primary" type="submit" disabled={!possible}>
          {busy ? "Queue run" : "Start run"}
        </button>
        <kbd>Ctrl</kbd>
        <kbd>Enter</kbd>
      </div>
    </form>
  );
}
