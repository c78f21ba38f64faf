// Shows the tags of a run, and edits them on request.

import { useEffect, useRef, useState } from "react";
import { api } from "../api";
import { Problem } from "../ui";
import "./tag-editor.css";

export const tagsOf = (text: string) => [
  ...new Set(
    text
      .split(",")
      .map((tag) => tag.trim())
      .filter((tag) => tag !== ""),
  ),
];

export function TagEditor({
  run,
  tags,
  onTag,
  onSaved,
}: {
  run: string;
  tags: string[];
  onTag?: (tag: string) => void;
  onSaved: () => void;
}) {
  const [text, setText] = useState<string | null>(null); // null: not being edited
  const [problem, setProblem] = useState<unknown>(null);
  const input = useRef<HTMLInputElement>(null);
  const opener = useRef<HTMLButtonElement>(null);
  const editing = text !== null;
  useEffect(() => {
    if (editing) {
      input.current?.focus();
    }
  }, [editing]);
  const close = () => {
    setText(null);
    setProblem(null);
    requestAnimationFrame(() => opener.current?.focus());
  };
  const save = () =>
    api.tag(run, tagsOf(text ?? "")).then(
      () => {
        onSaved();
        close();
      },
      (error: unknown) => setProblem(error),
    );
  if (editing) {
    return (
      <form
        className="tag-editor"
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <input
          ref={input}
          value={text}
          aria-label="Tags, separated by commas"
          placeholder="baseline, q8"
          onChange={(event) => setText(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === "Escape") {
              close();
            }
          }}
        />
        <button type="submit">Save</button>
        <button type="button" className="plain" onClick={close}>
          Cancel
        </button>
        {Boolean(problem) && <Problem error={problem} />}
      </form>
    );
  }
  return (
    <span className="tags">
      {tags.map((tag) =>
        onTag ? (
          <button key={tag} className="tag" onClick={() => onTag(tag)} title={`Only runs tagged ${tag}`}>
            {tag}
          </button>
        ) : (
          <span key={tag} className="tag">
            {tag}
          </span>
        ),
      )}
      <button
        ref={opener}
        className="tag add"
        onClick={() => setText(tags.join(", "))}
        aria-label={`Edit the tags of run ${run}`}
      >
        {tags.length > 0 ? "✎" : "+ tag"}
      </button>
    </span>
  );
}
